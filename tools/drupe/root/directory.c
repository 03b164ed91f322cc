// SPDX-License-Identifier: MIT
#include "root/directory.h"
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "closure/view.h"
#include "closure/xattrs.h"
#include "common/util.h"
#include "lib/path.h"

struct walk {
    struct tree *tree;
    dev_t device;
    struct sha256_ctx looks;
    uint64_t attributed;
};

static void add_number(struct walk *w, uint64_t n) {
    sha256_update(&w->looks, sizeof(n), (const uint8_t *)&n);
}

// What changes when the thing does.
static void add_looks(struct walk *w, const struct entry *e, const struct stat *st) {
    sha256_update(&w->looks, strlen(e->path) + 1, (const uint8_t *)e->path);
    if (e->target)
        sha256_update(&w->looks, strlen(e->target) + 1, (const uint8_t *)e->target);
    const uint64_t numbers[] = {st->st_mode,
                                st->st_uid,
                                st->st_gid,
                                st->st_rdev,
                                st->st_dev,
                                st->st_ino,
                                S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
                                (uint64_t)st->st_mtim.tv_sec,
                                (uint64_t)st->st_mtim.tv_nsec,
                                (uint64_t)st->st_ctim.tv_sec,
                                (uint64_t)st->st_ctim.tv_nsec};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        add_number(w, numbers[i]);
}

static void add_one(struct walk *w, const char *host, const char *path, const struct stat *st) {
    char target[PATHNAME_MAX + 1];
    struct entry e = {.path = (char *)path,
                      .host = (char *)host,
                      .mode = st->st_mode,
                      .uid = st->st_uid,
                      .gid = st->st_gid,
                      .mtime = st->st_mtime};
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlink(host, target, PATHNAME_MAX);
        if (n < 0)
            fail("%s: %s", host, trouble(host, errno));
        target[n] = '\0';
        e.target = target;
    } else if (S_ISREG(st->st_mode)) {
        e.size = (uint64_t)st->st_size;
        e.dev = st->st_dev;
        e.ino = st->st_ino;
        e.linked = st->st_nlink > 1;
    } else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        e.rdev_major = major(st->st_rdev);
        e.rdev_minor = minor(st->st_rdev);
    }
    add_looks(w, &e, st);
    if (!S_ISLNK(st->st_mode)) {
        bool left_out;
        e.xattrs = xattrs_of_host(host, &left_out);
        w->attributed += left_out;
    }
    tree_add(w->tree, &e);
    progress("looking at files", w->tree->count, 0);
}

static void walk(struct walk *w, const char *host, const char *path, const struct stat *st);

static void walk_below(struct walk *w, const char *host, const char *path) {
    struct strings names = {0};
    struct stat st;
    view_list_host(host, &names);
    if (complaints())
        fail("not all of the root can be read; nothing was made");
    strings_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        char *child = xasprintf("%s/%s", host, names.at[i]);
        char *below = xasprintf("%s%s%s", path, *path ? "/" : "", names.at[i]);
        if (lstat(child, &st) < 0)
            fail("%s: %s", child, trouble(child, errno));
        walk(w, child, below, &st);
        free(child);
        free(below);
    }
    strings_free(&names);
}

static void walk(struct walk *w, const char *host, const char *path, const struct stat *st) {
    add_one(w, host, path, st);
    if (S_ISDIR(st->st_mode) && st->st_dev == w->device)
        walk_below(w, host, path);
}

char *directory_read(const char *path, struct tree *out, uint64_t *attributed) {
    struct walk w = {.tree = out};
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct stat st;
    if (stat(path, &st) < 0)
        fail("%s: %s", path, trouble(path, errno));
    w.device = st.st_dev;
    sha256_init(&w.looks);
    walk(&w, path, "", &st);
    sha256_digest(&w.looks, sizeof(digest), digest);
    *attributed = w.attributed;
    progress_end();
    return hex(digest, sizeof(digest));
}
