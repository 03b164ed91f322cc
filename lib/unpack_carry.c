// SPDX-License-Identifier: MIT
// A directory of an earlier archive whose place a symlink takes: what lies in it goes along to the symlink's target.
//
// It is emptied from the leaves up, without recursion: each round goes down from the top, along the first names that
// are directories on both sides, moves or removes what else it meets, and ends with an empty directory, which it
// removes. Whatever a round does takes something out of the top, and the side that things go to is never in it, so there
// is an end. A name that is taken stays what it is there: it is the later archive's, or was in the place that everybody
// is to look in now.
#include "lib/unpack_private.h"
#include "lib/errno.h"

struct carried {
    struct unpack *u;
    struct unpack_node *top, *target;
    int64_t mtime;
};

struct child {
    struct unpack_node *node;
    const char *name;
    size_t length;
    uint32_t mode;
};

static bool is_directory(uint32_t mode) {
    return (mode & CPIO_IFMT) == CPIO_IFDIR;
}

// What `to` has of the child's name: -ENOENT: nothing; 0: the directory whose content is to be joined with the child's in
// *joined, or NULL: something else, which stays.
static int counterpart(const struct carried *c, struct unpack_node *to, const struct child *child,
                       struct unpack_node **joined) {
    struct unpack *u = c->u;
    struct unpack_node *there;
    uint32_t mode;
    int err = u->sink->lookup(u->ctx, to, child->name, child->length, &there, &mode);
    *joined = NULL;
    if (err || !is_directory(child->mode))
        return err;
    if (is_directory(mode)) {
        *joined = there == c->top ? NULL : there; // its name is the symlink's soon
    } else if ((mode & CPIO_IFMT) == CPIO_IFLNK) {
        err = unpack_walk_target(u, &to, child->name, child->length, c->mtime, c->top);
        if (err == -ENOMEM || err == -ENOSPC)
            return err;
        *joined = err ? NULL : to;
    }
    return 0;
}

// Empties one directory, and removes it unless it is the top: then *done.
static int empty_one(const struct carried *c, bool *done) {
    const struct unpack_sink *sink = c->u->sink;
    void *ctx = c->u->ctx;
    struct unpack_node *from = c->top, *to = c->target, *above = NULL, *joined;
    struct child child, down = {0};
    while ((child.node = sink->first(ctx, from, &child.name, &child.length, &child.mode))) {
        joined = NULL;
        int err = to ? counterpart(c, to, &child, &joined) : 0;
        if (err == -ENOENT) {
            err = sink->move(ctx, from, child.name, child.length, to);
        } else if (!err && is_directory(child.mode)) {
            above = from;
            down = child;
            from = child.node;
            to = joined;
        } else if (!err) {
            err = sink->remove(ctx, from, child.name, child.length);
        }
        if (err)
            return err;
    }
    *done = !above;
    return above ? sink->remove(ctx, above, down.name, down.length) : 0;
}

int unpack_carry(struct unpack *u, struct unpack_node *top, struct unpack_node *target, int64_t mtime) {
    const struct carried c = {.u = u, .top = top, .target = target, .mtime = mtime};
    bool done = false;
    int err = 0;
    while (!err && !done)
        err = empty_one(&c, &done);
    return err;
}
