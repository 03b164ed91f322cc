// SPDX-License-Identifier: MIT
// The entries of an archive, or of the one inside a kernel image, all at hand.
#pragma once
#include "lib/cpio.h"
#include "closure/tree.h"
#include "elf/object.h"

struct listed {
    struct cpio_entry entry;
    const uint8_t *data; // regular file: of the name that carries them, if it is a hard link; symlink: target
    uint32_t size;
    char *path;                 // normal (lib/path.h); as it stands where it has no normal form
    const struct xattr *xattrs; // in the order of their names; of a hard link: whichever name brings them
};

struct listing {
    struct listed *at; // in the archive's order; trailers and entries that hold attributes are left out
    size_t count;
};

// Reads a file ('-': standard input). What is wrong is complained of; the entries up to there are given. Ends
// the program where there is no archive to be looked for. The bytes stay in memory to the end.
void listing_read(const char *file, struct listing *out);

// Two lists in order as one; where both have a name it is the newer one's.
const struct xattr *listed_join_xattrs(const struct xattr *older, const struct xattr *newer);

// "file", "directory", "symlink", ...
const char *listed_type(const struct listed *l);

// The SHA-256 of a regular file in hex; the caller frees it.
char *listed_sha256(const struct listed *l);

// What the entry is as an ELF file; its kind is OBJECT_OTHER where it is none.
struct object *listed_object(const struct listed *l);
