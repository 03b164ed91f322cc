// SPDX-License-Identifier: MIT
// Small objects: caches of equal size with per-hart free lists, and kmalloc() over a set of them. Nothing
// sleeps; all of it may be called in interrupts.
#pragma once
#include "core/types.h"

struct slab_cache;

#define __slab_aligned __attribute__((assume_aligned(16)))

// `align` a power of two, 0 for 16. The cache's objects are not cleared unless asked.
struct slab_cache *slab_create(const char *name, size_t size, size_t align);
void *__must_check __slab_aligned slab_alloc(struct slab_cache *cache);  // NULL if no memory
void *__must_check __slab_aligned slab_zalloc(struct slab_cache *cache); // cleared
void slab_free(struct slab_cache *cache, void *object);
// About so many objects at most, in whole slabs, but for those whom memory_class() favours. Then slab_alloc() fails and
// slab_is_full(). slab_room(): how many those slabs that there are have room for.
void slab_set_limit(struct slab_cache *cache, unsigned long objects);
bool slab_is_full(const struct slab_cache *cache);
unsigned long slab_room(const struct slab_cache *cache);

// Any size up to 4 MiB, 16-byte aligned (a page and more: page aligned). kfree(NULL) does nothing.
void *__must_check __slab_aligned kmalloc(size_t size);
void *__must_check __slab_aligned kzalloc(size_t size);
// The first MIN(old_size, new_size) bytes are kept; p is as it was if there is no memory.
void *__must_check krealloc(void *p, size_t old_size, size_t new_size);
void kfree(void *p);
// A copy of a string of at most n bytes, with a NUL.
char *__must_check kstrndup(const char *s, size_t n);

// Gives back what is kept for the next to come: this hart's magazines, and slabs without an object in use.
void slab_trim(void);

// For /proc/slabinfo: the cache of number i, a little out of date. False: there are not so many.
struct slab_stats {
    const char *name;
    size_t size;
    unsigned int per_slab, order;
    unsigned long slabs, active; // active: objects that somebody has
};
bool slab_get_stats(unsigned int i, struct slab_stats *out);

// Boot, after memory_init().
void slab_init(void);
