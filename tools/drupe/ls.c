// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "image.h"
#include "lib/cpio.h"
#include "lib/text.h"
#include "util.h"

static const char help[] =
    "Usage: drupe ls [-l] FILE\n"
    "Lists a cpio archive (newc or crc), or the one inside a kernel image (flat or ELF), as the kernel reads "
    "it.\n"
    "\n"
    "  -l, --long   also type and mode, links, owner, size or device, mtime (UTC), symlinks' targets\n"
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

static void print_long(const struct cpio_entry *e) {
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

// Tells of the reader's error.
static void tell(const char *file, const struct cpio_error *error) {
    char text[512];
    cpio_error_text(error, text, sizeof(text));
    complain("%s: %s", file, text);
}

static void list(const char *file, const uint8_t *archive, uint64_t size, bool is_long) {
    struct cpio_reader reader;
    struct cpio_entry entry;
    struct cpio_error error;
    cpio_open(&reader, archive, size);
    for (;;) {
        enum cpio_result result = cpio_next(&reader, &entry);
        if (result == CPIO_ENTRY && is_long) {
            print_long(&entry);
        } else if (result == CPIO_ENTRY) {
            print_name(entry.name, entry.name_length);
            putchar('\n');
        }
        if (result == CPIO_ENTRY && !cpio_verify(&entry, &error))
            tell(file, &error);
        if (result == CPIO_ERROR || result == CPIO_SKIPPED)
            tell(file, &reader.error);
        if (result == CPIO_ERROR || result == CPIO_END)
            break;
    }
    if (reader.in_archive && !reader.failed)
        note("%s: no trailer behind the last entry; archive truncated?", file);
    if (!reader.archive)
        complain("%s: no archive in it", file);
}

int command_ls(int argc, char **argv) {
    static const struct option options[] = {
        {"long", no_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool is_long = false;
    for (int c; (c = getopt_long(argc, argv, "lh", options, NULL)) != -1;) {
        if (c == 'l') {
            is_long = true;
        } else if (c == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        } else {
            misuse("ls", "unknown option");
        }
    }
    if (optind + 1 != argc)
        misuse("ls", "one FILE is needed");
    const char *file = argv[optind];
    const uint8_t *archive;
    uint64_t archive_size;
    size_t size;
    uint8_t *bytes = (uint8_t *)read_file(file, &size);
    image_find_archive(file, bytes, size, &archive, &archive_size);
    list(file, archive, archive_size, is_long);
    free(bytes);
    if (fflush(stdout) != 0)
        fail("standard output cannot be written");
    return complaints() ? EXIT_FAILURE : EXIT_SUCCESS;
}
