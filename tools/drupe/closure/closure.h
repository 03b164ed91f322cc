// SPDX-License-Identifier: MIT
// The closure of a program: all that its loader will open before main(), searched in the view as the loader
// will search.
#pragma once
#include "elf/object.h"
#include "closure/loader.h"
#include "closure/view.h"

enum need_kind {
    NEED_LOADER,
    NEED_NEEDED,
    NEED_DLOPEN, // the object says in a note that it opens it
    NEED_SILENT, // glibc opens it by itself
    NEED_FILTER, // DT_FILTER or DT_AUXILIARY: its symbols stand in for the object's own
    NEED_PRELOAD,
    NEED_AUDIT,
};

struct need {
    const char *name; // as the object has it
    enum need_kind kind;
    size_t index; // of what was found in the closure; SIZE_MAX: missing
};

struct loaded {
    struct object *object;
    char *name;     // as it was asked for: the NEEDED name or a path
    char *found_as; // guest path as the loader put it together, symlinks and `..` in it: what $ORIGIN counts
                    // from, and what the loader itself prints
    char *path;     // normal guest path
    size_t by;      // index of the first that needed it, before it in the closure; itself for the program.
                    // Objects are found breadth first: this way to the program is a shortest one
    struct need *needs; // in order, the loader first
    size_t needs_count;
};

struct closure {
    const struct loader *loader;
    bool without_proc;  // as for an init: /proc is not mounted, and $ORIGIN of the program not known
    struct loaded *all; // the program first
    size_t count;
};

// Finds the closure of the file at a guest path, complains of all that is missing or unusable, and puts what
// it finds into the tree.
void closure_of(struct view *v, const char *path, struct closure *c);

// As closure_of() before /proc is mounted; nothing is said.
void closure_without_proc(struct view *v, const char *path, struct closure *c);
void closure_free(struct closure *c);

// The index of the object that was loaded under a name, as the loader compares them; SIZE_MAX: none.
size_t closure_find(const struct closure *c, const char *name);

// Looks for a library as the loader would for all[index], and puts it into the tree. Its index in the
// closure; SIZE_MAX: not there, and nothing is said; the places searched are then added to `dirs`, and a file
// that is there but cannot be used is told of in *unusable, which the caller frees.
size_t closure_search(struct view *v, struct closure *c, size_t index, const char *name, struct strings *dirs,
                      char **unusable);

// The lines that say where was searched, below a complaint.
void closure_tell_places(const struct view *v, const struct strings *dirs);

// The names and the kinds of what an object needs, for messages: " (loader)".
extern const char *const need_kinds[];

// Notes that all[index] needs something.
void closure_add_need(struct closure *c, size_t index, enum need_kind kind, const char *name, size_t found);

// Whether the tree has a file, or symlink, of this name somewhere.
bool closure_is_in_tree(struct view *v, const char *name);

// The closure of one program of the tree, and for a script of its interpreter, before all others.
void closure_program(struct view *v, const char *path);

// The closures of all files in the tree, and of the interpreters of scripts, until there is nothing left to
// look at.
void closure_complete(struct view *v);

// Directories in which libraries are looked for when nothing else is said, as guest paths; LOADER_UNKNOWN:
// by any loader.
void closure_default_directories(struct view *v, enum loader_kind loader, struct strings *dirs);
