// SPDX-License-Identifier: MIT
// ld.so.cache, in which glibc's loader looks names up. ldconfig(8) writes it for the directories in ld.so.conf,
// which the loader itself never reads.
//
// What the tree has is what the loader will read, and all it will. Where the tree has none, one may still be
// written for it (ldcache_finish()): of what the view's cache lists, if the file is there, and then of what is
// in the directories of ld.so.conf.
#pragma once
#include "closure/loader.h"

// The guest path at which the cache that the loader will read has a library; NULL: it lists none. The caller
// frees it.
char *ldcache_lookup(struct view *v, const struct loader *l, const char *name);

// Notes that a library was found through the cache: one has to be in the tree.
void ldcache_used(struct view *v, const struct loader *l);

// Adds the directories of what the cache has.
void ldcache_directories(struct view *v, const struct loader *l, struct strings *dirs);

// For messages: what was looked at, as in "/etc/ld.so.cache".
char *ldcache_describe(struct view *v, const struct loader *l);

// Puts a cache into the tree where one is needed and nobody brought one: it lists what the tree has.
void ldcache_finish(struct view *v);
