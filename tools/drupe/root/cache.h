// SPDX-License-Identifier: MIT
// Roots that were made once, kept in $XDG_CACHE_HOME/drupe/roots: each a file that a machine can have as its memory. The archive
// begins KEPT_AT bytes into it, so that QEMU maps it (memory-backend-file, private) and nothing is read but what is used. What
// is before that is the machine's free memory, no blocks on a disk, but for a header at the file's beginning, where firmware
// goes: what was made of what, and what an image says of how it is run.
//
// A file is believed if it is ours and nobody else can write it, its header is whole, and its time of modification is
// the one in the header; else if its archive has the SHA-256 in the header; else it is made anew.
//
// Files get their name when they are whole. Who makes one holds a lock on the directory.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "closure/tree.h"
#include "common/util.h"

#define KEPT_AT (1ull << 30) // behind the place where QEMU puts the device tree

// What an image says of how it is run.
struct root_config {
    struct strings command; // Entrypoint and Cmd
    struct strings variables;
    char *user, *workdir; // "": as it is without
};

struct kept {
    int fd;             // open for reading and writing; nothing writes to it
    uint64_t size;      // of the archive
    uint64_t file_size; // at least KEPT_AT and the archive
    const uint8_t *archive;
    char *from; // the name of what it was made of
    struct root_config config;
};

// The directory, for messages.
const char *cache_place(void);
// A file that has no name and goes with its last descriptor: in the cache, or where there is none in $TMPDIR or /tmp.
int cache_nameless_file(void);

// The root that was made of what has this key, 64 hexadecimal digits. False: there is none.
bool cache_find(const char *key, struct kept *out);
// Keeps a tree under a key, and gives it as cache_find() does. Where there is no cache, for this time only.
void cache_keep(const char *key, const char *from, struct tree *t, const struct root_config *config,
                struct kept *out);
// Between these, one command at a time, where there is a cache.
void cache_lock(void);
void cache_unlock(void);

// A key under which it was kept what a file with these looks has: so that it need not be read again. NULL: not known.
char *cache_known(const char *looks);
void cache_note(const char *looks, const char *key);

// What is kept, in the order of names: `each` is told key, what it was made of ("?": it would not be believed), bytes on the disk, and
// when it was last made or used (seconds since 1970).
void cache_each(void (*each)(void *ctx, const char *key, const char *from, uint64_t bytes, int64_t used),
                void *ctx);
// Removes what a key, or a beginning of it, or the name that it was made of stands for; NULL: all. Gives how many.
unsigned int cache_remove(const char *name);

// Makes the file at least that long, for a machine with more memory.
void cache_lengthen(struct kept *k, uint64_t size);
