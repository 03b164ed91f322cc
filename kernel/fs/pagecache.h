// SPDX-License-Identifier: MIT
// The pages of a file by their number: a radix tree of nodes of 512 pointers. It holds a reference on each page. Which lock
// guards it is its owner's to say.
#pragma once
#include "mm/page.h"

struct pagecache {
    void *root;          // height 0: page 0 itself, or NULL
    unsigned int height; // levels of nodes
    unsigned int pages;  // that are in it
};

#define PAGECACHE_BITS   9
#define PAGECACHE_FANOUT (1u << PAGECACHE_BITS)
#define PAGECACHE_NONE   (~0ul) // no page's number

static inline unsigned long pagecache_limit(unsigned int height) {
    return 1ul << (PAGECACHE_BITS * height);
}

// The page, without a reference for the caller, or NULL.
static inline struct page *pagecache_get(const struct pagecache *c, unsigned long index) {
    void *at = c->root;
    if (index >= pagecache_limit(c->height))
        return NULL;
    for (unsigned int h = c->height; h && at; h--)
        at = ((void **)at)[index >> (PAGECACHE_BITS * (h - 1)) & (PAGECACHE_FANOUT - 1)];
    return at;
}
// The pages index, index + 1, ... as far as they are there without a gap, at most n, each with a reference for the
// caller. How many.
unsigned int pagecache_get_run(const struct pagecache *c, unsigned long index, struct page **pages,
                               unsigned int n);
// The first page's number >= index, PAGECACHE_NONE if there is none.
unsigned long pagecache_next(const struct pagecache *c, unsigned long index);
// How many pages from *index to `last` are there, *index moved on behind those that were looked at: behind `last` when all were.
// `most` are counted at once.
unsigned int pagecache_count(const struct pagecache *c, unsigned long *index, unsigned long last,
                             unsigned int most);
// The place of page `index`, which is not there, made if need be; NULL: no memory. Then pagecache_fill() puts a page there,
// whose reference becomes the tree's, before anything else is done with the tree.
struct page **__must_check pagecache_place(struct pagecache *c, unsigned long index);
static inline void pagecache_fill(struct pagecache *c, struct page **place, struct page *page) {
    *place = page;
    c->pages++;
}
// Drops the pages [first, last]. How many went; *borrowed grows by those of them that have PAGE_BORROWED. It takes as long
// as there are nodes: who cuts much does so in parts.
unsigned int pagecache_cut(struct pagecache *c, unsigned long first, unsigned long last,
                           unsigned int *borrowed);
