// SPDX-License-Identifier: MIT
// The tree that the kernel would unpack from a file, made in memory by the kernel's own unpacker.
#pragma once
#include "lib/tree.h"
#include "lib/unpack.h"
#include "closure/tree.h"

struct root_xattr {
    RB_ENTRY(root_xattr) tree; // in its object, by name
    struct xattr xattr;        // in the object's list
};

// What names refer to: a file with several names is one.
struct root_object {
    unsigned int names, held;
    uint64_t serial; // 1 is the first made
    struct unpack_attr attr;
    const struct xattr *xattrs;
    RB_HEAD(root_xattrs, root_xattr) xattrs_by_name;
    size_t xattr_names;  // bytes of all their names, with the NULs
    char *target;        // symlink
    const uint8_t *data; // regular file, in the archive or decompressed
    uint64_t size;
    char *written; // of extract.c: where its first name went
};

struct unpack_node {
    RB_ENTRY(unpack_node) tree; // in its directory, by name
    struct unpack_node *parent; // the root: itself
    RB_HEAD(root_names, unpack_node) names;
    struct root_object *object;
    char *name;
};

struct root {
    struct unpack_node *top;
    struct unpack_summary summary;
    uint64_t file_size; // of the archive, compressed or not
    bool
        uncompressed; // what is laid over it is, and takes no memory here: compressed data in it are an error
    int error;        // 0, or why the rest was not read: it has been complained of
};

// Unpacks a file ('-': standard input), an archive or a kernel image with one. What the kernel would warn of is
// complained of, what it would note is noted, in its words. Ends the program where there is no archive.
void root_read(const char *file, struct root *out);

// The same of bytes in memory.
void root_read_bytes(const char *name, const uint8_t *bytes, size_t size, struct root *out);

// A root with nothing in it.
void root_begin(struct root *out);

// Lays one more archive over it, as the kernel does; `name` is for messages.
void root_lay(struct root *r, const char *name, const void *archive, uint64_t size);

// Puts all of it into a tree; `file` is for the names that messages give to files.
void root_to_tree(const struct root *r, const char *file, struct tree *out);

// The first and the next name of a directory; NULL: no more.
struct unpack_node *root_first(struct unpack_node *directory);
struct unpack_node *root_next(struct unpack_node *node);
