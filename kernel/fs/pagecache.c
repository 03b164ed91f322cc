// SPDX-License-Identifier: MIT
// The radix tree of a file's pages. A node is a page of RAM; one that is empty is given back at once.
#include "fs/pagecache.h"

#define FANOUT    PAGECACHE_FANOUT
#define SHORT_RUN 8 // pages in a row fewer than this are freed one by one

static void **node_create(void) {
    struct page *p = page_alloc(0, ALLOC_ZERO);
    return p ? page_address(p) : NULL;
}

static void node_free(void **node) {
    page_put(phys_to_page(virt_to_phys(node)));
}

unsigned int pagecache_get_run(const struct pagecache *c, unsigned long index, struct page **pages,
                               unsigned int n) {
    unsigned int i = 0;
    if (c->height == 1 && c->root && index + n <= FANOUT) {
        for (struct page *p; i < n && (p = ((struct page **)c->root)[index + i]); pages[i++] = p)
            page_get(p);
    } else {
        for (struct page *p; i < n && (p = pagecache_get(c, index + i)); pages[i++] = p)
            page_get(p);
    }
    return i;
}

// The first page >= index in the subtree at `at`, which begins with page `base`.
static unsigned long next_in(void *at, unsigned int height, unsigned long base, unsigned long index) {
    if (!at)
        return PAGECACHE_NONE;
    if (!height)
        return base < index ? PAGECACHE_NONE : base;
    unsigned long span = pagecache_limit(height - 1), found = PAGECACHE_NONE;
    for (unsigned long i = index > base ? (index - base) / span : 0; i < FANOUT && found == PAGECACHE_NONE;
         i++)
        found = next_in(((void **)at)[i], height - 1, base + i * span, index);
    return found;
}

unsigned long pagecache_next(const struct pagecache *c, unsigned long index) {
    return next_in(c->root, c->height, 0, index);
}

unsigned int pagecache_count(const struct pagecache *c, unsigned long *index, unsigned long last,
                             unsigned int most) {
    unsigned int n = 0;
    while (n < most && *index <= last && (*index = pagecache_next(c, *index)) <= last)
        n++, ++*index;
    return n;
}

struct page **pagecache_place(struct pagecache *c, unsigned long index) {
    while (index >= pagecache_limit(c->height)) {
        if (c->root) {
            void **node = node_create();
            if (!node)
                return NULL;
            node[0] = c->root;
            c->root = node;
        }
        c->height++;
    }
    void **at = &c->root;
    for (unsigned int h = c->height; h; h--) {
        if (!*at && !(*at = node_create()))
            return NULL;
        at = &((void **)*at)[index >> (PAGECACHE_BITS * (h - 1)) & (FANOUT - 1)];
    }
    return (struct page **)at;
}

// Pages that go, in a row, which the allocator takes back more cheaply than one by one.
struct run {
    struct page *first;
    unsigned long count;
    unsigned int borrowed; // how many of those that went came from an archive
};

static void run_end(struct run *r) {
    if (r->count >= SHORT_RUN) {
        page_donate(page_to_phys(r->first), r->count);
    } else {
        for (unsigned long i = 0; i < r->count; i++)
            page_free(r->first + i);
    }
    r->count = 0;
}

// Drops the tree's reference.
static void run_add(struct run *r, struct page *p) {
    if (unlikely(p->flags & PAGE_BORROWED)) {
        r->borrowed++;
        page_put(p);
        return;
    }
    if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    if (!r->count || p != r->first + r->count || page_to_phys(p) != page_to_phys(p - 1) + PAGE_SIZE) {
        run_end(r);
        r->first = p;
    }
    p->flags = 0;
    r->count++;
}

// Drops the pages [first, last] of the subtree at *at, which begins with page `base`, and nodes that are
// empty then. Returns how many pages went.
static unsigned int cut(void **at, unsigned int height, unsigned long base, unsigned long first,
                        unsigned long last, struct run *run) {
    unsigned int gone = 0;
    void **node = *at;
    if (!node)
        return 0;
    if (!height) {
        if (base < first || base > last)
            return 0;
        run_add(run, *at);
        *at = NULL;
        return 1;
    }
    unsigned long span = pagecache_limit(height - 1), end = base + FANOUT * span - 1;
    unsigned long from = first > base ? (first - base) / span : 0;
    unsigned long to = last < end ? (last - base) / span : FANOUT - 1;
    for (unsigned long i = from; i <= to; i++) {
        if (!node[i])
            continue;
        if (height == 1) {
            run_add(run, node[i]);
            node[i] = NULL;
            gone++;
        } else {
            gone += cut(&node[i], height - 1, base + i * span, first, last, run);
        }
    }
    for (unsigned int i = 0; i < FANOUT; i++)
        if (node[i])
            return gone;
    node_free(node);
    *at = NULL;
    return gone;
}

unsigned int pagecache_cut(struct pagecache *c, unsigned long first, unsigned long last,
                           unsigned int *borrowed) {
    struct run run = {NULL, 0, 0};
    unsigned int gone = cut(&c->root, c->height, 0, first, last, &run);
    run_end(&run);
    c->pages -= gone;
    if (!c->root)
        c->height = 0;
    *borrowed += run.borrowed;
    return gone;
}
