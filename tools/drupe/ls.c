// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "archive/listing.h"
#include "common/json.h"

static const char help[] =
    "Usage: drupe ls [-l | --json] FILE\n"
    "Lists a cpio archive (newc or crc), or the one inside a kernel image (flat or ELF), as the kernel reads "
    "it.\n"
    "\n"
    "  -l, --long   also type and mode, links, owner, size or device, mtime (UTC), symlinks' targets\n"
    "      --json   as JSON, an array with an object for each entry: path, type, mode, owner (UID:GID), "
    "mtime;\n"
    "               of files size, sha256, links (names of the file), and of ELF files build_id and needed; "
    "of\n"
    "               symlinks target; of devices device (MAJOR:MINOR); of what has extended attributes "
    "attributes,\n"
    "               an object of their values in hex. Of a hard link's names each has the size, sum and "
    "attributes\n"
    "               of the file. A byte that is not UTF-8 is \\udcNN, as Python has it\n"
    "  -h, --help   this text\n"
    "\n"
    "FILE may be '-', standard input. Control bytes and bytes that are not UTF-8 are shown as \\xNN.\n";

static void print_name(const char *name, size_t length) {
    char *copy = xstrndup(name, length);
    print_visible(stdout, copy, true);
    free(copy);
}

static char type_letter(uint32_t mode) {
    switch (mode & CPIO_IFMT) {
    case CPIO_IFREG:
        return '-';
    case CPIO_IFDIR:
        return 'd';
    case CPIO_IFLNK:
        return 'l';
    case CPIO_IFCHR:
        return 'c';
    case CPIO_IFBLK:
        return 'b';
    case CPIO_IFIFO:
        return 'p';
    case CPIO_IFSOCK:
        return 's';
    default:
        return '?';
    }
}

static void mode_text(uint32_t mode, char text[11]) {
    text[0] = type_letter(mode);
    for (int i = 0; i < 9; i++)
        text[1 + i] = mode >> (8 - i) & 1 ? "rwxrwxrwx"[i] : '-';
    if (mode & 04000)
        text[3] = text[3] == 'x' ? 's' : 'S';
    if (mode & 02000)
        text[6] = text[6] == 'x' ? 's' : 'S';
    if (mode & 01000)
        text[9] = text[9] == 'x' ? 't' : 'T';
    text[10] = '\0';
}

static void print_long(const struct listed *l) {
    const struct cpio_entry *e = &l->entry;
    char mode[11], when[32], size[32];
    uint32_t type = e->mode & CPIO_IFMT;
    time_t mtime = e->mtime;
    struct tm tm;
    mode_text(e->mode, mode);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M", gmtime_r(&mtime, &tm));
    if (type == CPIO_IFCHR || type == CPIO_IFBLK)
        snprintf(size, sizeof(size), "%u, %u", e->rdev_major, e->rdev_minor);
    else
        snprintf(size, sizeof(size), "%u", e->data_size);
    printf("%s %2u %4u %4u %10s %s ", mode, e->nlink, e->uid, e->gid, size, when);
    print_name(e->name, e->name_length);
    if (type == CPIO_IFLNK) {
        fputs(" -> ", stdout);
        print_name((const char *)e->data, strnlen((const char *)e->data, e->data_size));
    }
    putchar('\n');
}

// ---- JSON ----

static void print_json_file(const struct listed *l) {
    char *sum = listed_sha256(l);
    const struct object *o = listed_object(l);
    printf(", \"size\": %u, \"links\": %u", l->size, l->entry.nlink);
    json_write_member(stdout, "sha256", sum);
    free(sum);
    if (o->build_id)
        json_write_member(stdout, "build_id", o->build_id);
    if (o->kind != OBJECT_ELF)
        return;
    if (o->interp)
        json_write_member(stdout, "interpreter", o->interp);
    if (o->soname)
        json_write_member(stdout, "soname", o->soname);
    fputs(", \"needed\": ", stdout);
    json_write_strings(stdout, &o->needed);
}

static void print_xattrs(const struct xattr *list) {
    fputs(", \"attributes\": {", stdout);
    for (const struct xattr *x = list; x; x = x->next) {
        char *value = hex(x->value, x->size);
        fputs(x == list ? "" : ", ", stdout);
        json_write_string(stdout, x->name);
        printf(": \"%s\"", value);
        free(value);
    }
    putchar('}');
}

static void print_json(const struct listed *l) {
    const struct cpio_entry *e = &l->entry;
    uint32_t type = e->mode & CPIO_IFMT;
    fputs("{\"path\": ", stdout);
    json_write_string(stdout, e->name);
    json_write_member(stdout, "type", listed_type(l));
    printf(", \"mode\": \"%04o\", \"owner\": \"%u:%u\", \"mtime\": %u", e->mode & 07777, e->uid, e->gid,
           e->mtime);
    if (type == CPIO_IFREG)
        print_json_file(l);
    if (type == CPIO_IFLNK) {
        char *target = xstrndup((const char *)e->data, e->data_size);
        json_write_member(stdout, "target", target);
        free(target);
    }
    if (type == CPIO_IFCHR || type == CPIO_IFBLK)
        printf(", \"device\": \"%u:%u\"", e->rdev_major, e->rdev_minor);
    if (l->xattrs)
        print_xattrs(l->xattrs);
    putchar('}');
}

// ---- the command ----

enum form { FORM_SHORT, FORM_LONG, FORM_JSON };

static void print(const struct listing *all, enum form form) {
    if (form == FORM_JSON)
        putchar('[');
    for (size_t i = 0; i < all->count; i++) {
        const struct listed *l = &all->at[i];
        if (form == FORM_JSON) {
            fputs(i ? ",\n" : "\n", stdout);
            print_json(l);
        } else if (form == FORM_LONG) {
            print_long(l);
        } else {
            print_name(l->entry.name, l->entry.name_length);
            putchar('\n');
        }
    }
    if (form == FORM_JSON)
        puts("\n]");
}

int command_ls(int argc, char **argv) {
    static const struct option options[] = {{"long", no_argument, NULL, 'l'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    enum form form = FORM_SHORT;
    struct listing all;
    for (int c; (c = getopt_long(argc, argv, "lh", options, NULL)) != -1;) {
        if (c == 'l') {
            form = FORM_LONG;
        } else if (c == 'j') {
            form = FORM_JSON;
        } else if (c == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        } else {
            misuse_option("ls", options, argv);
        }
    }
    if (optind + 1 != argc)
        misuse("ls", "one FILE is needed");
    listing_read(argv[optind], &all);
    print(&all, form);
    if (fflush(stdout) != 0)
        fail("standard output cannot be written; is its disk full? df -h, or write elsewhere");
    return complaints() ? EXIT_FAILURE : EXIT_SUCCESS;
}
