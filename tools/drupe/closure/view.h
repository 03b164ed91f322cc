// SPDX-License-Identifier: MIT
// The guest's file system as the packer sees it before it exists: what is in the tree already, below that
// the sysroots, the first one winning, and below them a base, if there is one. Symlinks are resolved in it, absolute ones too; nothing outside the
// sysroots is ever reached through them.
#pragma once
#include <stdbool.h>
#include <sys/stat.h>
#include "lib/path.h"
#include "elf/object.h"
#include "closure/tree.h"
#include "common/util.h"

enum command { COMMAND_PACK, COMMAND_RUN, COMMAND_DEPS, COMMAND_CHECK };

struct view {
    struct tree tree;
    struct strings sysroots; // host paths, resolved
    // Symlinks to directories that were followed, and those directories: another sysroot may have a directory
    // where the first has such a link, as one with /lib beside one with /lib -> usr/lib.
    struct strings links, directories;
    size_t cross; // 1 + the index of the sysroot that is the cross compiler's, taken because none was named
    bool hide_cross; // it is not looked at
    const char *library_path, *preload,
        *audit;            // LD_LIBRARY_PATH, LD_PRELOAD, LD_AUDIT of the programs, or NULL
    enum command command;  // whose options a message names
    struct view *base;     // what is there if nothing else is: a view of its own, or NULL
    const char *base_name; // of a base: the kernel's file
    bool base_stays;       // the base will be there, whatever is added; else what is taken of it is told of
    bool complete;         // there is no place but the tree
    bool keep_owner;       // host's owners, else 0:0
    bool check_symbols;    // of closures: every symbol that is needed is defined
    uint32_t uid, gid;     // for what has no owner of its own
    uint64_t attributed;   // host's files with extended attributes that are left out
};

// A thing in the view.
struct found {
    char path[PATHNAME_MAX + 1]; // normal, without symlinks on the way
    struct entry *entry;         // in the tree, or NULL
    struct entry *base;          // in the base's tree, or NULL
    char host[PATHNAME_MAX + 1]; // else where it is on the host
    struct stat st;              // and what it is: its type is set in both cases
};

// VIEW_NO_FOLLOW: a symlink at the end is the result. VIEW_ADD: symlinks on the way go into the tree, with the
// directories they are in, and directories that the way leaves by `..`. VIEW_MAY_LACK: the end, and directories
// before it, need not exist: *out has st_mode 0 and the path.
#define VIEW_NO_FOLLOW (1u << 0)
#define VIEW_ADD       (1u << 1)
#define VIEW_MAY_LACK  (1u << 2)

// Finds a guest path (normal or not; it starts at the root). 0, -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG.
int view_resolve(struct view *v, const char *path, unsigned int flags, struct found *out);

// Puts what was found into the tree, with its parent directories as the sysroots have them.
struct entry *view_add(struct view *v, const struct found *found);

// Puts the host's file, directory (without its content), symlink or special file at a normal guest path whose
// parents have been resolved.
struct entry *view_add_host(struct view *v, const char *path, const char *host, const struct stat *st);

// The names in a directory of the view, sorted, each once; those of a base only if it stays.
void view_list(struct view *v, const char *path, struct strings *names);

// The names in a directory of the host, unsorted; one that cannot be read is complained of.
void view_list_host(const char *dir, struct strings *names);

// The bytes of a found regular file, and a NUL behind them; the caller frees them.
char *found_read(const struct found *found, size_t *size);

// What a regular file needs (object.h).
struct object *found_object(const struct found *found);
struct object *entry_object(const struct entry *e);

// If the host path lies in a sysroot: that sysroot's index, and the guest path there in `out`; else -1. Once
// the path has come to a sysroot, what follows is the guest's: symlinks in it have not been followed on the
// host.
int view_guest_path(struct view *v, const char *host, char *out, size_t size);
