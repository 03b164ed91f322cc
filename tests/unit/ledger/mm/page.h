// SPDX-License-Identifier: MIT
// What kernel/mm/ledger.c needs of kernel/mm/page.h, for the host: pages of a test's own memory, whose allocator notes down what it
// is given and stops the test where that cannot be (test_ledger.c).
#pragma once
#include "lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096
#define PAGE_MASK  (PAGE_SIZE - 1)

enum page_flags { PAGE_FREE = 1, PAGE_BORROWED = 8 };
struct page {
    int refs;
    uint8_t order, flags;
};
enum memory_kind { MEM_BORROWED, MEM_ADOPTED, MEM_COPIED, MEM_RELEASED, MEM_KINDS };

static inline paddr_t virt_to_phys(const void *at) {
    return (paddr_t)at;
}
static inline void *phys_to_virt(paddr_t pa) {
    return (void *)pa;
}
struct page *phys_to_page(paddr_t pa);
struct page *page_claim(paddr_t pa);
void page_get(struct page *page);
void page_put(struct page *page);
void page_free(struct page *page);
void page_donate(paddr_t start, size_t count);
void memory_account(enum memory_kind kind, long pages);
paddr_t memory_take_untouched(uint64_t *size);
void memory_return_untouched(paddr_t base, uint64_t size);
