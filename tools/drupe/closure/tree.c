// SPDX-License-Identifier: MIT
#include "closure/tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/path.h"
#include "common/util.h"

// Slashes sort before all else: a directory's content stands together, behind it.
static int compare(struct entry *a, struct entry *b) {
    const unsigned char *p = (const unsigned char *)a->path, *q = (const unsigned char *)b->path;
    while (*p && *p == *q)
        p++, q++;
    int x = *p == '/' ? 1 : *p ? *p + 1 : 0, y = *q == '/' ? 1 : *q ? *q + 1 : 0;
    return x - y;
}

#define LOCAL static __attribute__((unused))
// clang-format off
RB_PROTOTYPE_INTERNAL(entries, entry, tree, compare, LOCAL)
RB_GENERATE_INTERNAL(entries, entry, tree, compare, LOCAL)
// clang-format on

struct entry *tree_find(struct tree *t, const char *path) {
    struct entry key = {.path = (char *)path};
    return RB_FIND(entries, &t->entries, &key);
}

struct entry *tree_first(struct tree *t) {
    return RB_MIN(entries, &t->entries);
}

struct entry *tree_next(struct entry *e) {
    return RB_NEXT(entries, NULL, e);
}

struct entry *tree_from(struct tree *t, const char *path) {
    struct entry key = {.path = (char *)path};
    return RB_NFIND(entries, &t->entries, &key);
}

static bool same_bytes(const char *a, const char *b) {
    size_t a_size, b_size;
    char *a_bytes = read_file(a, &a_size), *b_bytes = read_file(b, &b_size);
    bool same = a_size == b_size && memcmp(a_bytes, b_bytes, a_size) == 0;
    free(a_bytes);
    free(b_bytes);
    return same;
}

static bool same_thing(const struct entry *a, const struct entry *b) {
    if ((a->mode ^ b->mode) & S_IFMT)
        return false;
    switch (a->mode & S_IFMT) {
    case S_IFLNK:
        return strcmp(a->target, b->target) == 0;
    case S_IFREG:
        return (a->ino && a->ino == b->ino && a->dev == b->dev) ||
               (a->size == b->size && same_bytes(a->host, b->host));
    case S_IFCHR:
    case S_IFBLK:
        return a->rdev_major == b->rdev_major && a->rdev_minor == b->rdev_minor;
    default:
        return true;
    }
}

static char *describe(const struct entry *e) {
    switch (e->mode & S_IFMT) {
    case S_IFREG:
        return xasprintf("the file %s", e->host);
    case S_IFLNK:
        return xasprintf("a symlink to %s", e->target);
    case S_IFDIR:
        return xstrdup("a directory");
    default:
        return xasprintf("a special file %u:%u", e->rdev_major, e->rdev_minor);
    }
}

static struct entry *merge(struct entry *old, const struct entry *proto) {
    if (S_ISDIR(old->mode) && S_ISDIR(proto->mode)) {
        if (old->implied && !proto->implied) {
            old->mode = proto->mode;
            old->uid = proto->uid;
            old->gid = proto->gid;
            old->mtime = proto->mtime;
            old->xattrs = proto->xattrs;
            old->implied = false;
        }
        return old;
    }
    if (!same_thing(old, proto)) {
        char *a = describe(old), *b = describe(proto);
        complain("two different things claim /%s: %s and %s; leave one out, or give it another place",
                 old->path, a, b);
        free(a);
        free(b);
    }
    return old;
}

static void add_parent(struct tree *t, const char *path) {
    if (!*path)
        return;
    char *parent = xstrndup(path, pathname_parent_length(path));
    if (*parent)
        tree_add(t, &(struct entry){.path = parent, .mode = S_IFDIR | 0755, .implied = true});
    free(parent);
}

static void add_pending(struct tree *t, struct entry *e) {
    if ((t->pending_count & (t->pending_count - 1)) == 0)
        t->pending =
            xrealloc(t->pending, (t->pending_count ? 2 * t->pending_count : 1) * sizeof(struct entry *));
    t->pending[t->pending_count++] = e;
}

struct entry *tree_add(struct tree *t, const struct entry *proto) {
    struct entry *old = tree_find(t, proto->path);
    if (old)
        return merge(old, proto);
    add_parent(t, proto->path);
    struct entry *e = xcalloc(1, sizeof(*e));
    *e = *proto;
    e->path = xstrdup(proto->path);
    e->target = proto->target ? xstrdup(proto->target) : NULL;
    e->host = proto->host ? xstrdup(proto->host) : NULL;
    RB_INSERT(entries, &t->entries, e);
    t->count++;
    if (S_ISREG(e->mode) && e->size > UINT32_MAX)
        complain("%s has %llu bytes; the format's limit is 4294967295; split it: split -b 4G %s", e->host,
                 (unsigned long long)e->size, e->host);
    else if (S_ISREG(e->mode))
        add_pending(t, e);
    return e;
}
