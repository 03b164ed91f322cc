// SPDX-License-Identifier: MIT
// What is set behind the entry that made something: its extended attributes, which are an entry of their own, and at the end mtimes of
// directories.
//
// The entry "METADATA!!!" holds what belongs to the entry before it, as records: eight hex digits of the record's size, with them; a byte
// for the version, 1; one for the kind, 1: an extended attribute; its name with a NUL; and to the record's end its value. Other content under
// that name is a file's.
#include "lib/unpack_private.h"
#include "lib/errno.h"

#define RECORD_VERSION 1
#define RECORD_XATTR   1

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

struct record {
    const char *name;
    size_t name_size; // with the NUL
    const uint8_t *value;
    size_t value_size;
    uint64_t size; // of it all
};

static bool read_record(const uint8_t *bytes, uint64_t left, struct record *r) {
    uint32_t size;
    size_t n = 0;
    if (left < CPIO_RECORD_HEAD || !cpio_read_hex8(bytes, &size))
        return false;
    if (size <= CPIO_RECORD_HEAD || size > left || bytes[8] != RECORD_VERSION || bytes[9] != RECORD_XATTR)
        return false;
    const char *name = (const char *)bytes + CPIO_RECORD_HEAD;
    size_t most = size - CPIO_RECORD_HEAD;
    while (n < most && n <= CPIO_XATTR_NAME && name[n])
        n++;
    if (!n || n > CPIO_XATTR_NAME || n == most)
        return false;
    *r = (struct record){name, n + 1, bytes + CPIO_RECORD_HEAD + n + 1, most - n - 1, size};
    return r->value_size <= CPIO_XATTR_VALUE;
}

bool unpack_are_xattrs(const struct cpio_entry *e) {
    struct record r;
    uint64_t at = 0, names = 0;
    if ((e->mode & CPIO_IFMT) != CPIO_IFREG ||
        __builtin_memcmp(e->name, CPIO_METADATA_NAME, sizeof(CPIO_METADATA_NAME) - 1) != 0)
        return false;
    for (; at < e->data_size; at += r.size, names += r.name_size)
        if (names > CPIO_XATTR_NAMES || !read_record(e->data + at, e->data_size - at, &r))
            return false;
    return at && names <= CPIO_XATTR_NAMES;
}

int unpack_xattrs(struct unpack *u, const struct cpio_entry *e) {
    struct record r;
    struct unpack_node *node = u->last;
    u->last = NULL; // once for each
    if (!node)
        return unpack_skip(u, e, "attributes of an entry that was not made, or cannot have any");
    for (uint64_t at = 0; at < e->data_size; at += r.size) {
        if (!read_record(e->data + at, e->data_size - at, &r))
            break; // unpack_are_xattrs() has seen it
        int err = u->sink->set_xattr(u->ctx, node, r.name, r.value, r.value_size);
        if (err)
            return err;
    }
    return 0;
}
