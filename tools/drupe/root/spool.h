// SPDX-License-Identifier: MIT
// A nameless file for what comes out of archives on its way: nothing of it is left behind, however the command ends, and no
// memory of ours is taken.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SPOOL_MOST (64ull << 30) // bytes: more than that is no root, but something that does not end

struct spool {
    int fd;
    uint64_t size;        // of what has been put in
    const uint8_t *bytes; // after spool_map()
};

// Some bytes of a file.
struct piece {
    int fd;
    uint64_t at, size;
};

// A nameless file in the cache (cache.h), or where temporary files go.
void spool_open(struct spool *s);
// Writes at an offset beyond what is in already; what is between is zeros. `name` is for messages. Ends the program where
// there is no room.
void spool_write(struct spool *s, uint64_t at, const void *bytes, size_t count, const char *name);
// From here on the next piece goes: what is before is in.
void spool_end_at(struct spool *s, uint64_t at, const char *name);
// All of it in memory, to be read.
void spool_map(struct spool *s);
