// SPDX-License-Identifier: MIT
// A root that is made of one tar after the other, each laid over those before it: names and attributes in memory, the bytes
// of files in a spool. Names are resolved here and nowhere else, as in a root of their own: nothing of the host is ever
// looked at or written.
//
// - A directory over a directory changes its attributes; anything else takes the place of what has its name, with all below it.
// - Symlinks on the way are followed inside the root, `..` of the root is the root; missing directories are made, 0755.
// - A *whiteout* takes away what layers before this one have under a name, an *opaque* one what they have in a directory,
//   wherever in the layer it stands.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "closure/tree.h"
#include "lib/tree.h"
#include "root/spool.h"

#define LAYERS_NAMES      (2u << 20)     // files, directories and all else, at most,
#define LAYERS_NAME_BYTES (256ull << 20) // and of their whole names

// What names refer to.
struct layers_object {
    unsigned int names;
    uint32_t serial, mode, uid, gid, rdev_major, rdev_minor;
    int64_t mtime;
    const struct xattr *xattrs;
    char *target;      // symlink
    uint64_t at, size; // regular file: in the spool
};

struct layers_node {
    RB_ENTRY(layers_node) tree;
    struct layers_node *parent; // the root: itself
    RB_HEAD(layers_names, layers_node) names;
    struct layers_object *object;
    unsigned int layer;  // the last that named it; 0: none did
    unsigned int length; // of its whole name
    char *name;
};

struct layers {
    struct layers_node *top;
    struct spool spool;
    unsigned int layer; // the one at hand, from 1
    uint32_t serials, names;
    uint64_t name_bytes;
};

void layers_open(struct layers *l);
// The next tar.
void layers_next(struct layers *l);

// These give NULL, or what is wrong, to be told with the entry's name. Names are as they stand in a tar.

// Puts an object, whose numbers are the caller's, at a name.
const char *layers_add(struct layers *l, const char *name, const struct layers_object *object);
// One more name for the file that `target` names.
const char *layers_link(struct layers *l, const char *name, const char *target);
// `name` ends with a whiteout's own name.
const char *layers_whiteout(struct layers *l, const char *name);
bool layers_is_whiteout(const char *name);

// Whether there is a symlink that leads to a directory.
bool layers_is_link_to_directory(struct layers *l, const char *name);

// The regular file at a path, with symlinks followed; NULL: there is none.
const struct layers_object *layers_file(struct layers *l, const char *path);

// All of it, in a tree; the files' bytes are in the mapped spool. `name` is for messages.
void layers_to_tree(struct layers *l, const char *name, struct tree *out);
