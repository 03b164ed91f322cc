// SPDX-License-Identifier: MIT
// What a program's loader says of itself: where it looks for libraries. The loader that goes into the archive
// decides; its directories are read out of its file.
//   glibc: system_dirs, an array of strings one behind the other, each with a slash at both ends; the path of
//          ld.so.cache, if it reads one.
//   musl:  the default path, in one string with colons; the path file, below the directory that is above the
//          loader's own.
#pragma once
#include "closure/view.h"

enum loader_kind { LOADER_UNKNOWN, LOADER_GLIBC, LOADER_MUSL };

struct loader {
    enum loader_kind kind;
    struct strings directories;  // searched by default, in order: guest paths without a slash at the end
    struct strings libs;         // what $LIB may stand for
    char *cache;                 // glibc: ld.so.cache, or NULL
    char *path_file;             // musl: the file that names directories instead of the default ones
    bool is_known;               // all this was in its file; else it is what is usual
    const struct object *object; // of the loader, or NULL
};

// The loader of a program whose PT_INTERP is `interp`, as the view has it.
const struct loader *loader_of_program(struct view *v, const char *interp);

// The loader for an object without PT_INTERP: the usual one for its libc.
const struct loader *loader_of_library(struct view *v, const struct object *o);

// The usual loader of a kind, by the name it has in the view, or as is usual where there is none.
const struct loader *loader_usual(struct view *v, enum loader_kind kind);

// The directories that it looks in by default, a musl path file's where there is one.
void loader_directories(struct view *v, const struct loader *l, struct strings *dirs);
