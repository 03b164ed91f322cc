// SPDX-License-Identifier: MIT
// A file system in host memory behind the unpacker's sink. It keeps all reports, counts what is held, and can
// be told to run out of room.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/unpack.h"

struct model_room {
    struct model_room *next;
    void *memory;
    size_t size;
};
struct model_reader {
    const char *passed;        // what lies before was released, or is a file's, or is the gap:
    const char *gap, *gap_end; // before the last file's data; its name is there. NULL: none
};
struct model_released {
    struct model_released *next;
    const void *data;
    size_t size;
};

struct model {
    struct unpack_node *root;
    size_t room;         // nodes that may still be made, SIZE_MAX at first
    size_t allocations;  // that may still be made for the unpacker, SIZE_MAX at first
    uint64_t serial;     // of the next node
    size_t allocated;    // bytes the unpacker has now
    size_t held;         // holds without a drop
    size_t calls;        // of operations on the tree
    size_t failing_call; // of them, from 1, that gives -ENOMEM; 0: none
    int refuse;          // what operations that make something or look it up give, where it is not 0
    bool copy;           // copies data instead of borrowing
    bool groups;         // model_dump() says which names are one file's: `(n links, as FIRST)`
    bool attributes;     // and what extended attributes there are: `{NAME=VALUE}` for each
    size_t room_size;    // of the memory for decompressed archives, 256 MiB at first; 0: there is none
    size_t released;     // bytes
    struct model_reader readers[2];
    unsigned int depth;
    struct model_room *rooms;
    struct model_released *releases;
    char *reports; // lines "note: ...", "warning: ...", "error: ..."
};

extern const struct unpack_sink model_sink;

void model_init(struct model *m);
void model_free(struct model *m);
// What was released may be read again: for who unpacks a buffer twice.
void model_forget_releases(struct model *m);

// The whole tree, sorted, one line an object: `type mode uid:gid mtime name`, then for files `= content`, for
// files with n > 1 names ` (n links)`, for symlinks `-> target`, for devices `major:minor`. The root is ".".
// The caller frees it.
char *model_dump(struct model *m);

// The line of one name in the dump (without newline), or NULL. The caller frees it.
char *model_line(struct model *m, const char *name);
