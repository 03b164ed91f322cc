// SPDX-License-Identifier: MIT
// Where a loader looks for a library, in order: ld.so(8)'s for glibc, that of ldso/dynlink.c for musl.
//   glibc: DT_RPATH of the object and of those it was needed by, up to the program, where neither has
//          DT_RUNPATH (and none of them, if the object itself has one); LD_LIBRARY_PATH; DT_RUNPATH of the
//          object; ld.so.cache; its own directories. The last without -z nodefaultlib, the cache then only for
//          what is elsewhere.
//   musl:  LD_LIBRARY_PATH; DT_RUNPATH or DT_RPATH (one and the same to it) of the object and of those it was
//          needed by; the path file, or its own directories.
// A name with a slash is a path, to glibc with the tokens $ORIGIN, $LIB and $PLATFORM in it.
#pragma once
#include "closure/closure.h"

struct place {
    char *path; // of the file, as the loader puts it together: guest path, a relative one counts from /
    char *told; // the directory, for messages; NULL: as the place before
    char *host; // where that is on this machine, if the object that named it was brought from here; else NULL
    bool by_program; // $ORIGIN of the program itself is in it, for which the loader asks /proc
    bool by_cache;
};

struct places {
    struct place *at;
    size_t count;
};

// The places for a name that all[index] needs.
void search_places(struct view *v, const struct closure *c, size_t index, const char *name,
                   struct places *out);
void places_free(struct places *p);
