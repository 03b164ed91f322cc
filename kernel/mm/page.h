// SPDX-License-Identifier: MIT
// Physical pages: their descriptors and the buddy allocator.
//
// Boot cost does not grow with RAM: a descriptor is uninitialised memory until its page (or the block it
// heads) is first handed out from the frontier of untouched RAM, donated or adopted. Nothing here sleeps, so
// all of it may be called under spinlocks and in interrupts. page.c has the vocabulary.
#pragma once
#include "arch/riscv/layout.h"
#include "core/types.h"
#include "lib/list.h"

#define PAGE_MAX_ORDER 10 // blocks of up to 4 MiB

enum page_flags {
    PAGE_FREE = 1 << 0,      // heads a free block
    PAGE_SLAB = 1 << 1,      // belongs to a slab
    PAGE_BORROWED = 1 << 3,  // came from an archive; counted in MEM_RELEASED when it is freed
    PAGE_ANON = 1 << 4,      // anonymous memory of programs; counted in MEM_ANON until it is freed
    PAGE_TABLE = 1 << 5,     // a page table of programs
    PAGE_FETCHABLE = 1 << 7, // all harts' instruction caches have been told of its content
};

struct page {
    union {
        struct list_head link; // free list, or its user's list
        struct {
            uint64_t groups;     // PAGE_TABLE: bit i: entries 8i..8i+7 may be in use (mm/pgtable.h)
            unsigned long index; // PAGE_TABLE, a root: tables below it
        };
    };
    union {
        int refs; // [a] 1 for the owner and 1 for each mapping or borrower; freed at 0
        struct {
            uint16_t inuse; // PAGE_SLAB: objects that are handed out
            uint16_t cache; // PAGE_SLAB: number of its cache
        };
    };
    uint8_t order;  // of the block this page heads
    uint8_t flags;  // PAGE_*; set by the owner before others know the page, but for PAGE_FETCHABLE
    uint16_t fresh; // PAGE_SLAB: objects at its end that have never been handed out
    void *freelist; // PAGE_SLAB: those that were, and came back
};

#define ALLOC_ZERO 1u // fill with zeros

// 2^order contiguous pages aligned to their size, refs 1, flags 0. NULL if there is no memory; then the current thread has
// WORK_MEMORY set, unless it is too large to be had by killing programs.
struct page *__must_check page_alloc(unsigned int order, unsigned int flags);
// Fills a page with zeros (direct-map address), and copies one.
void page_clear(void *to);
void page_copy(void *restrict to, const void *restrict from);
// The last reference has gone: gives the block back. Called by page_put() only, and by owners of pages
// without refs.
void page_free(struct page *page);
static inline void page_get(struct page *page) {
    __atomic_fetch_add(&page->refs, 1, __ATOMIC_RELAXED);
}
// Drops a reference; the last one frees the block.
static inline void page_put(struct page *page) {
    if (__atomic_fetch_sub(&page->refs, 1, __ATOMIC_ACQ_REL) == 1)
        page_free(page);
}

// The content of a page has changed, or will through a mapping: instruction caches are to be told when it is next
// mapped executable.
static inline void page_rewritten(struct page *page) {
    if (unlikely(READ_ONCE(page->flags) & PAGE_FETCHABLE))
        WRITE_ONCE(page->flags, page->flags & ~PAGE_FETCHABLE); // others do not change while it can be mapped
}

// page_put() of each of n pages, in less time; interrupts are disabled meanwhile, so n should be a few
// hundred at most.
void page_put_all(struct page **pages, unsigned int n);

// Reserved RAM (the archive, the initrd, the device tree's copy) given to the allocator: whole pages [start,
// start + count). Pages that are no RAM of ours are left out.
void page_donate(paddr_t start, size_t count);
// The descriptor of a page of reserved RAM: valid from now on, cleared if it never was before (refs 0).
struct page *page_claim(paddr_t pa);
// Takes the largest piece of RAM that was never used out of the allocator, but for a little that callers may
// need meanwhile. Returns its page-aligned address and *size in bytes; 0 and 0: there is none.
paddr_t memory_take_untouched(uint64_t *size);
// Gives the rest of it back, [base, base + size), page-aligned, as untouched. What is kept is as reserved RAM is.
void memory_return_untouched(paddr_t base, uint64_t size);
// A contiguous part of RAM and the descriptors of its pages. Read-only after memory_init().
struct memory_bank {
    paddr_t base;             // page-aligned
    uint64_t size;            // bytes
    struct page *descriptors; // of its first page
};
extern struct memory_bank memory_banks[];
paddr_t page_to_phys_slow(const struct page *page);
struct page *phys_to_page_slow(paddr_t pa);

static inline paddr_t page_to_phys(const struct page *page) {
    const struct memory_bank *b = &memory_banks[0];
    uint64_t offset = (uint64_t)((const char *)page - (const char *)b->descriptors) / sizeof(*page)
                      << PAGE_SHIFT;
    return likely(offset < b->size) ? b->base + offset : page_to_phys_slow(page);
}
// pa within RAM.
static inline struct page *phys_to_page(paddr_t pa) {
    const struct memory_bank *b = &memory_banks[0];
    uint64_t offset = pa - b->base;
    return likely(offset < b->size) ? b->descriptors + (offset >> PAGE_SHIFT) : phys_to_page_slow(pa);
}
static inline void *page_address(const struct page *page) {
    return phys_to_virt(page_to_phys(page));
}
// True if pa is RAM with a descriptor (not a device).
bool phys_is_ram(paddr_t pa);

// Bytes / pages, for meminfo and sysinfo.
struct memory_stats {
    uint64_t total, free; // pages
    uint64_t committed;   // pages that programs may write to as their own, touched or not
    uint64_t cache, dirty, slab, page_tables, kernel_stacks,
        anon; // pages; kept by their users with memory_account()
    uint64_t borrowed, adopted, copied,
        released; // pages of archives: still borrowed, taken over, copied, given back
};
enum memory_kind {
    MEM_CACHE,
    MEM_DIRTY,
    MEM_SLAB,
    MEM_PAGE_TABLES,
    MEM_STACKS,
    MEM_ANON,
    MEM_COMMITTED,
    MEM_BORROWED,
    MEM_ADOPTED,
    MEM_COPIED,
    MEM_RELEASED,
    MEM_KINDS,
};
void memory_account(enum memory_kind kind, long pages); // per-hart counters, cheap
void memory_get_stats(struct memory_stats *out);
// Whose an allocation is, by what of the reserve is left to others.
enum memory_class {
    MEMORY_USER, // all of it
    MEMORY_ROOT, // a quarter: an administrator's shell starts, looks and removes
    MEMORY_INIT, // an eighth
    MEMORY_ALL,  // nothing: who is about to end, and so gives memory back; and the kernel itself
};
// Who is who, and what is done when memory has run out, is for processes to say: proc/oom.c.
struct memory_policy {
    enum memory_class (*class)(void); // of the current thread. Looks only; any lock may be held
    // Sees to it that there is more, by killing a process, and waits for that. 0: try again. -EINTR: the current thread
    // is to end; -ENOMEM: nobody can be killed. Sleeps, with no lock of an address space held.
    int (*make_room)(void);
};
extern const struct memory_policy *memory_policy; // until it is set, all is the kernel's
static inline enum memory_class memory_class(void) {
    return memory_policy->class();
}
// Gives back what the kernel keeps at hand though nobody uses it: kernel stacks, empty slabs, and what this hart keeps of
// small objects and page tables. Before somebody is killed for memory. Threads only.
void memory_trim(void);
// The same of files whose content can be had again: set by fs at boot. Waits for nobody.
extern void (*memory_trim_files)(void);
static inline int __must_check memory_make_room(void) {
    return memory_policy->make_room();
}
// Pages of RAM in all, and those free now (cheap, a little out of date).
uint64_t memory_total_pages(void);
uint64_t memory_free_pages(void);
// What programs and the kernel share: all RAM but the image, what archives hold of it, and the descriptors. Limits are
// parts of this.
uint64_t memory_usable_pages(void);

// How much is left, and how much has to be. Objects that stay until their owner lets go of them (files, pipes, ...) are
// not made once memory is `tight`: else they alone could use all of it up, and killing programs gives little back.
struct memory_level {
    uint64_t free;  // [page.c's lock] pages in the free lists and untouched; read without
    uint64_t tight; // [I] after memory_set_levels()
    uint64_t low;   // [I] too: the reserve. Only those that memory_class() favours get of these
};
extern struct memory_level memory_level;
// The privileged may go on into the reserve, so far that their other allocations have had somebody killed before.
static inline bool memory_is_tight(bool privileged) {
    return READ_ONCE(memory_level.free) < (privileged ? memory_level.low / 8 : memory_level.tight);
}
// True if one of the class may take n pages and leave what is kept back for others.
bool memory_is_above(enum memory_class class, uint64_t n);
// Sets what is kept back, by the memory that is usable now: once the archives are unpacked.
void memory_set_levels(void);

// Boot: one bank of RAM, and ranges within banks not to hand out (kernel, archive, initrd, device tree,
// firmware). memory_init() then starts the allocator. Panics when called in the wrong order or with nonsense.
void memory_add_bank(paddr_t base, uint64_t size);
void memory_reserve(paddr_t base, uint64_t size);
// The same of RAM in a bank that is not to count as RAM; its pages have descriptors.
void memory_withhold(paddr_t base, uint64_t size);
void memory_init(void);
