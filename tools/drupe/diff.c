// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "archive/listing.h"
#include "common/json.h"

#define TROUBLE 2 // exit status: they could not be compared, as diff(1) has it

static const char help[] =
    "Usage: drupe diff A B\n"
    "Compares what two archives (newc or crc), or the ones inside kernel images, unpack to. A line for each "
    "path\n"
    "that differs, in the order of the paths:\n"
    "\n"
    "  - PATH           only A has it\n"
    "  + PATH           only B has it\n"
    "  ! PATH: WHAT     both have it; WHAT lists type, mode, owner, mtime, links, device, target, size, "
    "content,\n"
    "                   extended attributes, and for ELF files the build ID and what they need\n"
    "\n"
    "The order of entries, their numbers and padding do not count; of several entries with one path, the "
    "last\n"
    "does.\n"
    "\n"
    "  -q, --quiet  print nothing\n"
    "      --json   as JSON, an array with an object for each path: path, change (removed, added, changed), "
    "what\n"
    "  -h, --help   this text\n"
    "\n"
    "One of them may be '-', standard input. The exit status is 0 if they are equal, 1 if they differ, 2 for "
    "trouble.\n";

static int compare(const void *pa, const void *pb) {
    const struct listed *a = pa, *b = pb;
    int order = strcmp(a->path, b->path);
    if (order)
        return order;
    return a->entry.header < b->entry.header ? -1 : 1; // the archive's order
}

// ---- one path ----

// Adds to a list of differences such as "mode 0644 -> 0755; content", NULL at first. Frees `what`.
static void differ(char **list, char *what) {
    char *longer = *list ? xasprintf("%s; %s", *list, what) : xstrdup(what);
    free(*list);
    free(what);
    *list = longer;
}

static void compare_needed(char **d, const struct strings *a, const struct strings *b, const char *sign) {
    for (size_t i = 0; i < a->count; i++)
        if (!strings_have(b, a->at[i]))
            differ(d, xasprintf("needs %s%s", sign, a->at[i]));
}

static void compare_elf(char **d, const struct listed *a, const struct listed *b) {
    const struct object *x = listed_object(a), *y = listed_object(b);
    const char *x_id = x->build_id ? x->build_id : "none", *y_id = y->build_id ? y->build_id : "none";
    if (strcmp(x_id, y_id) != 0)
        differ(d, xasprintf("build ID %s -> %s", x_id, y_id));
    compare_needed(d, &x->needed, &y->needed, "-");
    compare_needed(d, &y->needed, &x->needed, "+");
}

static void compare_content(char **d, const struct listed *a, const struct listed *b) {
    const struct cpio_entry *x = &a->entry, *y = &b->entry;
    switch (x->mode & CPIO_IFMT) {
    case CPIO_IFREG:
        if (x->nlink != y->nlink)
            differ(d, xasprintf("links %u -> %u", x->nlink, y->nlink));
        if (a->size != b->size)
            differ(d, xasprintf("size %u -> %u", a->size, b->size));
        if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0) {
            differ(d, xstrdup("content"));
            compare_elf(d, a, b);
        }
        break;
    case CPIO_IFLNK:
        if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
            differ(d, xasprintf("target %.*s -> %.*s", (int)a->size, (const char *)a->data, (int)b->size,
                                (const char *)b->data));
        break;
    case CPIO_IFCHR:
    case CPIO_IFBLK:
        if (x->rdev_major != y->rdev_major || x->rdev_minor != y->rdev_minor)
            differ(d, xasprintf("device %u:%u -> %u:%u", x->rdev_major, x->rdev_minor, y->rdev_major,
                                y->rdev_minor));
        break;
    default:
        break;
    }
}

static void compare_xattrs(char **d, const struct xattr *x, const struct xattr *y) {
    while (x || y) {
        int order = !x ? 1 : !y ? -1 : strcmp(x->name, y->name);
        if (order)
            differ(d, xasprintf("attribute %c%s", order < 0 ? '-' : '+', order < 0 ? x->name : y->name));
        else if (x->size != y->size || memcmp(x->value, y->value, x->size) != 0)
            differ(d, xasprintf("attribute %s", x->name));
        x = order <= 0 ? x->next : x;
        y = order >= 0 ? y->next : y;
    }
}

// What differs between two entries with one path; NULL: nothing.
static char *compare_entries(const struct listed *a, const struct listed *b) {
    const struct cpio_entry *x = &a->entry, *y = &b->entry;
    char *d = NULL;
    bool same_type = ((x->mode ^ y->mode) & CPIO_IFMT) == 0;
    if (!same_type)
        differ(&d, xasprintf("%s -> %s", listed_type(a), listed_type(b)));
    if ((x->mode ^ y->mode) & 07777)
        differ(&d, xasprintf("mode %04o -> %04o", x->mode & 07777, y->mode & 07777));
    if (x->uid != y->uid || x->gid != y->gid)
        differ(&d, xasprintf("owner %u:%u -> %u:%u", x->uid, x->gid, y->uid, y->gid));
    if (x->mtime != y->mtime)
        differ(&d, xasprintf("mtime %u -> %u", x->mtime, y->mtime));
    if (same_type)
        compare_content(&d, a, b);
    compare_xattrs(&d, a->xattrs, b->xattrs);
    return d;
}

// ---- all paths ----

static void print_line(const char *sign, const char *path, const char *what) {
    printf("%s ", sign);
    print_visible(stdout, *path ? path : ".", true);
    if (what) {
        fputs(": ", stdout);
        print_visible(stdout, what, false);
    }
    putchar('\n');
}

static void print_json(int order, const char *path, const char *what, bool is_first) {
    fputs(is_first ? "\n{\"path\": " : ",\n{\"path\": ", stdout);
    json_write_string(stdout, *path ? path : ".");
    json_write_member(stdout, "change", order < 0 ? "removed" : order > 0 ? "added" : "changed");
    if (what)
        json_write_member(stdout, "what", what);
    putchar('}');
}

enum form { FORM_LINES, FORM_JSON, FORM_NOTHING };

static void print_difference(enum form form, int order, const char *path, const char *what, bool is_first) {
    if (form == FORM_JSON)
        print_json(order, path, what, is_first);
    else if (form == FORM_LINES)
        print_line(order < 0 ? "-" : order > 0 ? "+" : "!", path, what);
}

static bool is_directory_entry(const struct listed *l) {
    return (l->entry.mode & CPIO_IFMT) == CPIO_IFDIR;
}

// Sorts by path and keeps the last entry of each; a directory that comes again keeps the attributes it has.
static void arrange(struct listing *l) {
    size_t kept = 0;
    if (l->count)
        qsort(l->at, l->count, sizeof(*l->at), compare);
    for (size_t i = 0; i < l->count; i++) {
        if (kept && strcmp(l->at[kept - 1].path, l->at[i].path) == 0) {
            kept--;
            if (is_directory_entry(&l->at[kept]) && is_directory_entry(&l->at[i]))
                l->at[i].xattrs = listed_join_xattrs(l->at[kept].xattrs, l->at[i].xattrs);
        }
        l->at[kept++] = l->at[i];
    }
    l->count = kept;
}

// Gives the number of paths that differ.
static size_t compare_listings(const struct listing *a, const struct listing *b, enum form form) {
    size_t differences = 0;
    for (size_t i = 0, k = 0; i < a->count || k < b->count;) {
        int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->at[i].path, b->at[k].path);
        char *what = order == 0 ? compare_entries(&a->at[i], &b->at[k]) : NULL;
        if (order || what) {
            print_difference(form, order, order > 0 ? b->at[k].path : a->at[i].path, what, !differences);
            differences++;
        }
        i += order <= 0;
        k += order >= 0;
        free(what);
    }
    return differences;
}

int command_diff(int argc, char **argv) {
    static const struct option options[] = {{"quiet", no_argument, NULL, 'q'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct listing a, b;
    enum form form = FORM_LINES;
    set_exit_statuses(TROUBLE, TROUBLE);
    for (int c; (c = getopt_long(argc, argv, "qh", options, NULL)) != -1;) {
        if (c == 'q') {
            form = FORM_NOTHING;
        } else if (c == 'j') {
            form = FORM_JSON;
        } else if (c == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        } else {
            misuse_option("diff", options, argv);
        }
    }
    if (optind + 2 != argc)
        misuse("diff", "two archives or images are needed, A and B");
    listing_read(argv[optind], &a);
    listing_read(argv[optind + 1], &b);
    arrange(&a);
    arrange(&b);
    fputs(form == FORM_JSON ? "[" : "", stdout);
    size_t differences = compare_listings(&a, &b, form);
    fputs(form == FORM_JSON ? "]\n" : "", stdout);
    if (fflush(stdout) != 0)
        fail("standard output cannot be written; is its disk full? df -h, or write elsewhere");
    return complaints() ? TROUBLE : differences ? EXIT_FAILURE : EXIT_SUCCESS;
}
