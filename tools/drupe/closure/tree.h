// SPDX-License-Identifier: MIT
// What goes into the archive: a tree of entries, by their normal names (lib/path.h), in the order in which
// they are written. Every entry's parent directories are in the tree, none of them as a symlink: names are
// resolved before they come here (view.h).
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "lib/tree.h"

// An extended attribute. Lists of them are never freed: entries and objects share them. They are in no order (closure/xattrs.h).
struct xattr {
    const struct xattr *next;
    const char *name;
    const void *value;
    size_t size;
};

struct entry {
    RB_ENTRY(entry) tree;
    char *path; // "" is the root
    uint32_t mode, uid, gid;
    int64_t mtime; // of the source; what is written is the writer's choice
    uint32_t rdev_major, rdev_minor;
    const struct xattr *xattrs;
    char *target; // symlink
    char *host;   // regular file: where its bytes are; a name for messages where `bytes` has them
    const void *bytes;
    uint64_t size;      // of them
    dev_t dev;          // regular file: entries with equal dev, ino and group are one file, where `linked`
    ino_t ino;          // (of the host, or ino 0 and a group of the manifest)
    unsigned int group; // 0: the host's hard links
    bool linked;        // may have other names
    bool implied;       // a directory nobody asked for: whoever does sets its attributes
    bool named;         // asked for by name, not found in a directory or by a closure
    bool examined;      // closure.c was here
    bool is_below;      // it is at this path in an archive that this one is laid over: not written
    // Of the writer:
    uint32_t number, names;
    bool has_data;
};

RB_HEAD(entries, entry);

struct tree {
    struct entries entries;
    size_t count;
    struct entry **pending; // regular files whose closure is still to be found
    size_t pending_count;
};

struct entry *tree_find(struct tree *t, const char *path);

// Adds an entry as `proto` has it (strings are copied) with missing parents as implied directories. Where the
// path is taken: a directory over a directory takes over attributes if the first was implied; equal things
// are one; anything else is a complaint that names both. Gives what is then at the path.
struct entry *tree_add(struct tree *t, const struct entry *proto);

struct entry *tree_first(struct tree *t);
struct entry *tree_next(struct entry *e);

// The first entry at or behind a name: with a directory's name, that directory and then all that is below it.
struct entry *tree_from(struct tree *t, const char *path);
