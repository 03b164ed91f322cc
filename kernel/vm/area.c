// SPDX-License-Identifier: MIT
// The areas of an address space: finding, splitting, joining, placing; and the list of areas that map a
// backing.
#include "core/cred.h"
#include "core/panic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "vm/vm_private.h"
#include <linux/capability.h>
#include <linux/mman.h>

static int compare(const struct vm_area *a, const struct vm_area *b) {
    return a->start < b->start ? -1 : a->start > b->start;
}
RB_GENERATE(vm_area_tree, vm_area, node, compare)

struct slab_cache *vm_area_cache;

struct vm_area *area_first_from(struct vmspace *vm, unsigned long addr) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *best = NULL, *a = vm->last_area;
    if (a && addr >= a->start && addr < a->end)
        return a;
    for (a = RB_ROOT(&vm->areas); a;) {
        if (a->end > addr) {
            best = a;
            if (a->start <= addr)
                break;
            a = RB_LEFT(a, node);
        } else {
            a = RB_RIGHT(a, node);
        }
    }
    if (best)
        vm->last_area = best;
    return best;
}

struct vm_area *vm_area_find(struct vmspace *vm, unsigned long addr) {
    return area_first_from(vm, addr);
}

struct vm_area *area_next(struct vm_area *a) {
    return RB_NEXT(vm_area_tree, NULL, a);
}

struct vm_area *area_prev(struct vm_area *a) {
    return RB_PREV(vm_area_tree, NULL, a);
}

// The last that begins below addr.
static struct vm_area *last_below(struct vmspace *vm, unsigned long addr) {
    struct vm_area *best = NULL, *a = RB_ROOT(&vm->areas);
    while (a) {
        if (a->start < addr) {
            best = a;
            a = RB_RIGHT(a, node);
        } else {
            a = RB_LEFT(a, node);
        }
    }
    return best;
}

// ---- areas of a backing, for truncation

static bool may_be_written(const struct vm_area *a) {
    return a->flags & MAP_SHARED && a->max_prot & PROT_WRITE;
}

// The copy of an area that a truncation has seen maps nothing that is to go.
void area_enter_backing(struct vm_area *a) {
    struct vm_backing *b = a->backing;
    if (!b)
        return;
    spin_lock(&b->lock);
    if (a->round == b->round)
        list_add_tail(&a->backing_link, &b->areas);
    else
        list_add(&a->backing_link, &b->areas);
    b->writers += may_be_written(a);
    spin_unlock(&b->lock);
}

static void backing_leave(struct vm_area *a) {
    struct vm_backing *b = a->backing;
    if (!b)
        return;
    spin_lock(&b->lock);
    list_del(&a->backing_link);
    b->writers -= may_be_written(a);
    spin_unlock(&b->lock);
}

void area_seen_locked(struct vm_area *a, unsigned int round) {
    ASSERT_HELD(&a->backing->lock);
    a->round = round;
    list_del(&a->backing_link);
    list_add_tail(&a->backing_link, &a->backing->areas);
}

// ---- the tree

static unsigned long pages_of(const struct vm_area *a) {
    return (a->end - a->start) >> PAGE_SHIFT;
}

static void count(struct vmspace *vm, const struct vm_area *a, bool add) {
    unsigned long n = add ? pages_of(a) : -pages_of(a);
    vm->total_pages += n;
    if (area_is_private(a) && (a->prot & PROT_WRITE) && !(a->flags & MAP_GROWSDOWN)) {
        vm->data_pages += n;
        memory_account(MEM_COMMITTED, (long)n);
    }
    if (a->flags & MAP_LOCKED)
        vm->locked_pages += n;
}

void area_insert(struct vmspace *vm, struct vm_area *a) {
    ASSERT_HELD(&vm->lock);
    a->vm = vm;
    RB_INSERT(vm_area_tree, &vm->areas, a);
    vm->area_count++;
    count(vm, a, true);
    area_enter_backing(a);
}

// Released areas are linked by their left child.
static void release(struct vmspace *vm, struct vm_area *a) {
    backing_leave(a);
    if (!a->file) {
        slab_free(vm_area_cache, a);
        return;
    }
    RB_LEFT(a, node) = vm->released;
    vm->released = a;
}

static void free_released(struct vm_area *a) {
    while (a) {
        struct vm_area *next = RB_LEFT(a, node);
        vm_file_ops->put(a->file);
        slab_free(vm_area_cache, a);
        a = next;
        cond_resched();
    }
}

void vm_unlock(struct vmspace *vm) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *released = vm->released;
    vm->released = NULL;
    mutex_unlock(&vm->lock);
    if (unlikely(released))
        free_released(released);
}

void area_remove(struct vmspace *vm, struct vm_area *a) {
    ASSERT_HELD(&vm->lock);
    count(vm, a, false);
    vm->area_count--;
    RB_REMOVE(vm_area_tree, &vm->areas, a);
    if (vm->last_area == a)
        vm->last_area = NULL;
    release(vm, a);
}

// From the leaves up, without keeping the tree balanced.
void area_remove_all(struct vmspace *vm) {
    struct vm_area *a = RB_ROOT(&vm->areas);
    while (a) {
        if (RB_LEFT(a, node)) {
            a = RB_LEFT(a, node);
        } else if (RB_RIGHT(a, node)) {
            a = RB_RIGHT(a, node);
        } else {
            struct vm_area *parent = RB_PARENT(a, node);
            if (parent && RB_LEFT(parent, node) == a)
                RB_LEFT(parent, node) = NULL;
            else if (parent)
                RB_RIGHT(parent, node) = NULL;
            release(vm, a);
            a = parent;
            cond_resched();
        }
    }
    RB_INIT(&vm->areas);
    vm->last_area = NULL;
    memory_account(MEM_COMMITTED, -(long)vm->data_pages);
    vm->data_pages = 0;
    free_released(vm->released);
}

struct vm_area *area_copy(struct vmspace *to, const struct vm_area *a) {
    struct vm_area *n = slab_alloc(vm_area_cache);
    if (!n)
        return NULL;
    *n = *a;
    n->vm = to;
    if (n->file)
        vm_file_ops->get(n->file);
    return n;
}

void area_set_prot(struct vmspace *vm, struct vm_area *a, unsigned int prot) {
    ASSERT_HELD(&vm->lock);
    count(vm, a, false);
    a->prot = prot;
    count(vm, a, true);
}

bool area_keeps_pages(const struct vm_area *a) {
    return a->flags & VM_SEALED && !(a->prot & PROT_WRITE) && area_is_private(a) && !a->file;
}

void area_set_flags(struct vmspace *vm, struct vm_area *a, unsigned int flags) {
    ASSERT_HELD(&vm->lock);
    count(vm, a, false);
    a->flags = flags;
    count(vm, a, true);
}

// What is below a's start goes or comes with it: the page of an address stays the same.
void area_set_range(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end) {
    ASSERT_HELD(&vm->lock);
    count(vm, a, false);
    if (a->backing || a->special)
        a->pgoff += (long)(start - a->start) >> PAGE_SHIFT;
    a->start = start;
    a->end = end;
    count(vm, a, true);
}

int area_split(struct vmspace *vm, unsigned long addr) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *a = area_first_from(vm, addr);
    if (!a || a->start >= addr)
        return 0;
    struct vm_area *upper = vm->area_count < READ_ONCE(vm_max_areas) ? area_copy(vm, a) : NULL;
    if (!upper)
        return -ENOMEM;
    if (upper->backing || upper->special)
        upper->pgoff = area_page_index(a, addr);
    upper->start = addr;
    area_set_range(vm, a, a->start, addr);
    area_insert(vm, upper);
    return 0;
}

static bool continues(const struct vm_area *a, const struct vm_area *b) {
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags && a->backing == b->backing &&
           a->file == b->file && a->name == b->name && a->max_prot == b->max_prot &&
           !(a->flags & (VM_SPECIAL | MAP_GROWSDOWN)) && (!a->backing || a->pgoff + pages_of(a) == b->pgoff);
}

static void join(struct vmspace *vm, struct vm_area *a, struct vm_area *b) {
    unsigned long end = b->end;
    a->anon |= b->anon;
    area_remove(vm, b);
    area_set_range(vm, a, a->start, end);
}

struct vm_area *area_merge(struct vmspace *vm, struct vm_area *a) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *next = area_next(a), *prev = area_prev(a);
    if (next && continues(a, next))
        join(vm, a, next);
    if (prev && continues(prev, a)) {
        join(vm, prev, a);
        a = prev;
    }
    return a;
}

static bool is_plain(const struct vm_area *a, unsigned int prot, unsigned int flags) {
    return a->prot == prot && a->flags == flags && !a->backing && !a->file && !a->name &&
           a->max_prot == (PROT_READ | PROT_WRITE | PROT_EXEC);
}

bool area_absorb(struct vmspace *vm, unsigned long start, unsigned long end, unsigned int prot,
                 unsigned int flags) {
    struct vm_area *above = area_first_from(vm, start);
    struct vm_area *below = above ? area_prev(above) : RB_MAX(vm_area_tree, &vm->areas);
    if (flags & MAP_GROWSDOWN)
        return false;
    if (below && below->end == start && is_plain(below, prot, flags)) {
        area_set_range(vm, below, below->start, end);
        area_merge(vm, below);
        return true;
    }
    if (above && above->start == end && is_plain(above, prot, flags)) {
        area_set_range(vm, above, start, above->end);
        return true;
    }
    return false;
}

// ---- placing

unsigned long vm_min_addr = 0x10000;

unsigned long area_lowest(void) {
    return MAX(ALIGN_UP(READ_ONCE(vm_min_addr), (unsigned long)PAGE_SIZE), (unsigned long)PAGE_SIZE);
}

int area_check_low(unsigned long addr) {
    if (addr >= READ_ONCE(vm_min_addr) || !current->cred || capable(CAP_SYS_RAWIO))
        return 0;
    return -EPERM;
}

// Where areas must end that lie below a.
static unsigned long floor_of(const struct vm_area *a) {
    return a->flags & MAP_GROWSDOWN ? a->start - MIN(a->start, VM_STACK_GAP) : a->start;
}

static bool is_free(struct vmspace *vm, unsigned long start, unsigned long length) {
    struct vm_area *a = area_first_from(vm, start);
    return !a || floor_of(a) >= start + length;
}

// The highest room below `top`.
static long search_down(struct vmspace *vm, unsigned long top, unsigned long length) {
    unsigned long lowest = area_lowest();
    for (struct vm_area *a = last_below(vm, top);; a = area_prev(a)) {
        unsigned long low = a ? MAX(a->end, lowest) : lowest;
        if (top >= low && top - low >= length)
            return (long)(top - length);
        if (!a)
            return -ENOMEM;
        top = MIN(top, floor_of(a));
    }
}

long area_find_free(struct vmspace *vm, unsigned long hint, unsigned long length) {
    ASSERT_HELD(&vm->lock);
    if (length > USER_END)
        return -ENOMEM;
    hint = ALIGN_DOWN(hint, (unsigned long)PAGE_SIZE);
    if (hint)
        hint = MAX(hint, area_lowest());
    if (hint && hint <= USER_END - length && is_free(vm, hint, length))
        return (long)hint;
    long addr = vm->free_hint ? search_down(vm, vm->free_hint, length) : -ENOMEM;
    if (addr < 0)
        addr = search_down(vm, vm->mmap_base, length);
    if (addr < 0)
        addr = search_down(vm, USER_END, length);
    if (addr >= 0)
        vm->free_hint = MIN((unsigned long)addr, vm->mmap_base);
    return addr;
}

void vm_area_for_each(struct vmspace *vm, bool (*fn)(const struct vm_area *a, void *arg), void *arg) {
    struct vm_area *a;
    mutex_lock(&vm->lock);
    RB_FOREACH (a, vm_area_tree, &vm->areas) {
        if (!fn(a, arg) || cond_resched_killable())
            break;
    }
    vm_unlock(vm);
}

// How many map it. A file has a reference of its own.
static unsigned int page_mappings(const struct page *page) {
    int refs = READ_ONCE(page->refs) - !(page->flags & PAGE_ANON);
    return MAX(refs, 1);
}

static void add_page(struct vm_area_usage *sum, pte_t pte) {
    const struct page *page = phys_to_page(pte_phys(pte));
    unsigned int mappings = page_mappings(page);
    bool anon = page->flags & PAGE_ANON, dirty = anon || pte & PTE_D;
    uint64_t part = VM_PAGE_PARTS / mappings;
    sum->anon += anon;
    sum->file += !anon;
    sum->referenced += !!(pte & PTE_A);
    *(anon ? &sum->part_anon : &sum->part_file) += part;
    if (dirty)
        sum->part_dirty += part;
    if (mappings > 1)
        ++*(dirty ? &sum->shared_dirty : &sum->shared_clean);
    else
        ++*(dirty ? &sum->private_dirty : &sum->private_clean);
}

bool vm_area_usage(const struct vm_area *a, struct vm_area_usage *sum) {
    struct pt_run run;
    pte_t *pte;
    pt_run_init(&run, a->vm->table.root, a->start, a->end);
    while ((pte = pt_run_next(&run))) {
        if (!(*pte & PTE_SPECIAL))
            add_page(sum, *pte);
        if (cond_resched_killable())
            return false;
    }
    return true;
}

void vm_page_states(struct vmspace *vm, unsigned long addr, struct vm_page_state *out, unsigned int n) {
    struct pt_run run;
    pte_t *pte;
    memset(out, 0, n * sizeof(*out));
    mutex_lock(&vm->lock);
    pt_run_init(&run, vm->table.root, addr, addr + (unsigned long)n * PAGE_SIZE);
    while ((pte = pt_run_next(&run))) {
        if (*pte & PTE_SPECIAL)
            continue;
        const struct page *page = phys_to_page(pte_phys(*pte));
        out[(pt_run_va(&run, pte) - addr) >> PAGE_SHIFT] = (struct vm_page_state){
            .pa = pte_phys(*pte),
            .file = !(page->flags & PAGE_ANON),
            .only_us = page_mappings(page) == 1,
        };
    }
    vm_unlock(vm);
}

// ---- who may write to a backing through mappings

int vm_backing_begin_mapping(struct vm_backing *b) {
    spin_lock(&b->lock);
    bool may = !b->no_writers;
    b->coming += may;
    spin_unlock(&b->lock);
    return may ? 0 : -EPERM;
}

void vm_backing_end_mapping(struct vm_backing *b) {
    spin_lock(&b->lock);
    b->coming--;
    spin_unlock(&b->lock);
}

int vm_backing_forbid_writers(struct vm_backing *b) {
    spin_lock(&b->lock);
    bool busy = b->coming || b->writers;
    b->no_writers |= !busy;
    spin_unlock(&b->lock);
    return busy ? -EBUSY : 0;
}
