// SPDX-License-Identifier: MIT
// What is set behind the entry that made something: its extended attributes, which are an entry of their own, and at the end mtimes of
// directories.
#include "lib/unpack_private.h"
#include "lib/errno.h"

struct unpack_time {
    struct unpack_node *node; // held
    int64_t mtime;
};

#define TIMES_PER_CHUNK ((UNPACK_ALLOC_MAX - 16) / sizeof(struct unpack_time))
struct unpack_times {
    struct unpack_times *next;
    size_t used;
    struct unpack_time times[TIMES_PER_CHUNK];
};
_Static_assert(sizeof(struct unpack_times) <= UNPACK_ALLOC_MAX, "one allocation");

// ---- mtimes of directories, set when nothing changes in them any more ----

int unpack_time_add(struct unpack *u, struct unpack_node *node, int64_t mtime) {
    struct unpack_times *chunk = u->times_last;
    if (!chunk || chunk->used == TIMES_PER_CHUNK) {
        chunk = u->sink->alloc(u->ctx, sizeof(*chunk));
        if (!chunk)
            return -ENOMEM;
        chunk->next = NULL;
        chunk->used = 0;
        if (u->times_last)
            u->times_last->next = chunk;
        else
            u->times = chunk;
        u->times_last = chunk;
    }
    chunk->times[chunk->used++] = (struct unpack_time){.node = node, .mtime = mtime};
    u->sink->hold(u->ctx, node);
    return 0;
}

void unpack_times_set(struct unpack *u) {
    while (u->times) {
        struct unpack_times *chunk = u->times;
        for (size_t i = 0; i < chunk->used; i++) {
            u->sink->set_mtime(u->ctx, chunk->times[i].node, chunk->times[i].mtime);
            u->sink->drop(u->ctx, chunk->times[i].node);
        }
        u->times = chunk->next;
        u->sink->free(u->ctx, chunk, sizeof(*chunk));
    }
    u->times_last = NULL;
}

// ---- extended attributes

int unpack_xattrs(struct unpack *u, const struct cpio_entry *e) {
    struct metadata_record r;
    struct unpack_node *node = u->last;
    u->last = NULL; // once for each
    if (!node)
        return unpack_skip(u, e, "attributes of an entry that was not made, or cannot have any");
    for (uint64_t at = 0; metadata_at(e, at, &r); at += r.size) {
        int err = u->sink->set_xattr(u->ctx, node, r.name, r.value, r.value_size);
        if (err)
            return err;
    }
    return 0;
}
