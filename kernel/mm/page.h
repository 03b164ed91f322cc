// SPDX-License-Identifier: MIT
// Physical pages: their descriptors and the buddy allocator.
//
// Boot cost does not grow with RAM: a descriptor is uninitialised memory until its page (or the block it heads) is first handed out from
// the frontier of untouched RAM, donated or adopted. Nothing here sleeps, so all of it may be called under spinlocks.
#pragma once
#include "arch/riscv/layout.h"
#include "core/types.h"
#include "lib/list.h"

#define PAGE_MAX_ORDER 10 // blocks of up to 4 MiB

enum page_flags {
    PAGE_FREE = 1 << 0,     // heads a free block
    PAGE_SLAB = 1 << 1,     // belongs to a slab
    PAGE_CACHE = 1 << 2,    // content of a file (owner, index)
    PAGE_BORROWED = 1 << 3, // came from an archive (statistics)
};

struct page {
    union {
        struct list_head link; // free list, or its user's list
        struct {
            void *owner;         // PAGE_CACHE: the object whose content it is; PAGE_SLAB: the cache
            unsigned long index; // PAGE_CACHE: its page number in it
        };
    };
    int refs;       // [a] 1 for the owner and 1 for each mapping or borrower; freed at 0
    uint8_t order;  // of the block this page heads
    uint8_t flags;
    uint16_t inuse; // PAGE_SLAB: objects in use
    void *freelist; // PAGE_SLAB
};

#define ALLOC_ZERO 1u // fill with zeros

// 2^order contiguous pages aligned to their size, refs 1. NULL if there is no memory.
struct page *__must_check page_alloc(unsigned int order, unsigned int flags);
void page_get(struct page *page);
// Drops a reference; the last one frees the block.
void page_put(struct page *page);

// Reserved RAM (the archive, the initrd, the device tree's copy) given to the allocator: whole pages [start, start + count).
void page_donate(paddr_t start, size_t count);
// Makes an in-use descriptor (refs 1, order 0) for one page of reserved RAM that an archive holds, so that it can be mapped, and freed by
// page_put() as any other.
struct page *page_adopt(paddr_t pa);

paddr_t page_to_phys(const struct page *page);
struct page *phys_to_page(paddr_t pa); // pa within RAM
static inline void *page_address(const struct page *page) {
    return phys_to_virt(page_to_phys(page));
}
// True if pa is RAM with a descriptor (not a device).
bool phys_is_ram(paddr_t pa);

// Bytes / pages, for meminfo and sysinfo.
struct memory_stats {
    uint64_t total, free;              // pages
    uint64_t cache, slab, page_tables, kernel_stacks, anon; // pages; kept by their users with memory_account()
    uint64_t borrowed, adopted, copied, released; // pages of archives: still borrowed, taken over, copied, given back
};
enum memory_kind { MEM_CACHE, MEM_SLAB, MEM_PAGE_TABLES, MEM_STACKS, MEM_ANON, MEM_BORROWED, MEM_ADOPTED, MEM_COPIED, MEM_RELEASED };
void memory_account(enum memory_kind kind, long pages); // per-hart counters, cheap
void memory_get_stats(struct memory_stats *out);

// Boot: one bank of RAM, and ranges within banks not to hand out (kernel, archive, initrd, device tree, firmware). memory_init() then
// starts the allocator. Panics when called in the wrong order or with nonsense.
void memory_add_bank(paddr_t base, uint64_t size);
void memory_reserve(paddr_t base, uint64_t size);
void memory_init(void);
