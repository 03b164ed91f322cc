// SPDX-License-Identifier: MIT
// Within vm: areas, and what is shared between the files of this folder. All with vm->lock held.
#pragma once
#include "mm/pgtable.h"
#include "vm/vmspace.h"

#define VM_STACK_GAP (256ul * PAGE_SIZE) // kept free below a stack
// What of mmap's flags an area keeps.
#define VM_KEPT_FLAGS                                                                                        \
    (MAP_SHARED | MAP_PRIVATE | MAP_GROWSDOWN | MAP_NORESERVE | MAP_LOCKED | VM_DONTFORK | VM_WIPEONFORK |   \
     VM_SPECIAL)

RB_PROTOTYPE(vm_area_tree, vm_area, node, )

// ---- tlb.c

// Drops translations of [start, end) on all harts that may use vm.
void vm_flush(struct vmspace *vm, unsigned long start, unsigned long end);

// Pages and tables taken out of a page table and not yet given back, because some hart may still reach them.
#define GATHER_PAGES 128
struct gather {
    struct vmspace *vm;
    unsigned long start, end; // to flush
    unsigned int count;
    struct list_head tables;
    struct page *pages[GATHER_PAGES];
};
void gather_init(struct gather *g, struct vmspace *vm);
// The translation of [start, end) is to be dropped.
void gather_range(struct gather *g, unsigned long start, unsigned long end);
// Drops translations, then gives back what was gathered; g can be used on.
void gather_finish(struct gather *g);

// Takes all pages of [start, end) out of the page table; `files`: only pages of files, private copies stay.
// False if no table had entries in use there.
bool vm_zap(struct gather *g, unsigned long start, unsigned long end, bool files);
// The same, and the tables that are empty then.
void vm_zap_tables(struct gather *g, unsigned long start, unsigned long end);
// Every hart drops what its instruction fetch had ahead.
void vm_fetch_barrier(void);

// ---- area.c

extern struct slab_cache *vm_area_cache;
struct vm_area *area_first_from(struct vmspace *vm, unsigned long addr); // the first with end > addr
struct vm_area *area_next(struct vm_area *a);
struct vm_area *area_prev(struct vm_area *a);
void area_insert(struct vmspace *vm, struct vm_area *a);
void area_remove(struct vmspace *vm, struct vm_area *a); // and frees it, its file at vm_unlock()
void area_remove_all(struct vmspace *vm);
// Gives up vm->lock, and then the files of areas that were removed: that may take locks which come before
// vm->lock.
void vm_unlock(struct vmspace *vm);
struct vm_area *area_copy(struct vmspace *to,
                          const struct vm_area *a); // not inserted; takes references. NULL: no memory
void area_enter_backing(struct vm_area *a);         // part of area_insert(): puts it on its backing's list
void area_seen_locked(struct vm_area *a,
                      unsigned int round); // by that truncation of its backing, whose lock is held
// Makes `addr` a border between areas, if it lies within one. 0 or -ENOMEM.
int __must_check area_split(struct vmspace *vm, unsigned long addr);
// Joins `a` with its neighbours where they continue each other; the area that holds a's addresses then.
struct vm_area *area_merge(struct vmspace *vm, struct vm_area *a);
// Private anonymous memory at [start, end), which is free: makes a neighbour longer if that will do. True if
// it did.
bool area_absorb(struct vmspace *vm, unsigned long start, unsigned long end, unsigned int prot,
                 unsigned int flags);
// A free range of `length` bytes at or near hint, else below vm->mmap_base. -ENOMEM.
long area_find_free(struct vmspace *vm, unsigned long hint, unsigned long length);
// The lowest address that is given out, and that may be asked for without CAP_SYS_RAWIO: vm_min_addr in whole pages.
unsigned long area_lowest(void);
// May the caller have a mapping at `addr`? 0 or -EPERM.
int __must_check area_check_low(unsigned long addr);
static inline bool area_is_private(const struct vm_area *a) {
    return !(a->flags & 1); // MAP_SHARED
}
static inline unsigned long area_page_index(const struct vm_area *a, unsigned long addr) {
    return a->pgoff + ((addr - a->start) >> PAGE_SHIFT);
}
// Would its pages be lost, sealed as they are, that nobody may write anew?
bool area_keeps_pages(const struct vm_area *a);
// Private pages that become writable count, as those do that are mapped so: may these of an area, and `before` of other areas that
// the same call has found?
bool area_may_write_more(struct vmspace *vm, const struct vm_area *a, unsigned long pages,
                         unsigned long before);
void area_set_prot(struct vmspace *vm, struct vm_area *a, unsigned int prot);
void area_set_flags(struct vmspace *vm, struct vm_area *a, unsigned int flags);
void area_set_range(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end);

// ---- map.c

int vm_unmap_locked(struct vmspace *vm, unsigned long addr, unsigned long length);
// Creates an area; the special pages, if there are any, have been given.
long vm_map_locked(struct vmspace *vm, const struct vm_map_args *m, const paddr_t *special);

// ---- fault.c

// Gives an entry that is not empty the area's rights.
void vm_rewrite_entry(const struct vm_area *a, pte_t *pte);
// A page that a backing gave while vm->lock was not held: what was asked for, and of which state of the backing.
struct vm_fetch {
    struct vm_backing *backing;
    struct file *file; // holds the backing while it is asked
    uint64_t id;       // the backing's
    unsigned long index;
    bool write;
    unsigned int round;
    struct page *page; // or an error; NULL: none yet
};
// Brings the page of addr in for this access. 0, or: -EFAULT: nothing is mapped there; -EACCES: not for this access; -ENXIO:
// it is behind the end of what is mapped; -EIO or another error of a device's. Or an error for which vm_fault_may_wait(): call
// vm_fault_wait(), look the area up again, and try again. `fetch` NULL: -EAGAIN where a backing waits for its pages.
int vm_fault_locked(struct vmspace *vm, unsigned long addr, int access, struct vm_fetch *fetch);
static inline bool vm_fault_may_wait(int fault) {
    return fault == -ENOMEM || fault == -EAGAIN;
}
// Gives vm->lock up, until there is what `fault`, an error of vm_fault_locked(), told of: memory, or a page of a device's.
// 0, or -ENOMEM or -EINTR: trying again is of no use.
int __must_check vm_fault_wait(struct vmspace *vm, struct vm_fetch *fetch, int fault);
// After the last try: what was fetched and not used goes.
void vm_fetch_end(struct vm_fetch *fetch);
extern struct page *vm_zero_page;
// True if harts set the accessed bit of entries, as far as is known.
bool vm_harts_set_accessed(void);
