// SPDX-License-Identifier: MIT
// What kernel/drivers/virtio/queue.c needs of it, on the host: a page's descriptor is its address.
#pragma once
#include <stdlib.h>
#include "lib/types.h"
#define PAGE_SIZE  4096
#define ALLOC_ZERO 1u

struct page {
    char bytes[PAGE_SIZE];
};
static inline struct page *page_alloc(unsigned int order, unsigned int flags) {
    (void)flags;
    struct page *p = aligned_alloc(PAGE_SIZE, (size_t)PAGE_SIZE << order);
    if (p)
        __builtin_memset(p, 0, (size_t)PAGE_SIZE << order);
    return p;
}
static inline void page_free(struct page *p) {
    free(p);
}
static inline paddr_t page_to_phys(const struct page *p) {
    return (paddr_t)p;
}
static inline void *page_address(const struct page *p) {
    return (void *)p;
}
