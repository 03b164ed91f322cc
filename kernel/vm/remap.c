// SPDX-License-Identifier: MIT
// mremap(2): growing, shrinking and moving mappings.
#include "sched/thread.h"
#include "vm/vm_private.h"
#include <linux/mman.h>

struct remap {
    struct vmspace *vm;
    unsigned long from, from_length; // page-aligned
    unsigned long to, length;
    int flags; // MREMAP_*
};

// Moves the pages of [from, from + length) to `to`, entry by entry. 0 or -ENOMEM; then some have been moved.
static int move_pages(struct vmspace *vm, unsigned long from, unsigned long to, unsigned long length) {
    struct pt_run run;
    pte_t *src;
    bool any = false;
    int err = 0;
    pt_run_init(&run, vm->table.root, from, from + length);
    while ((src = pt_run_next(&run))) {
        pte_t *dst = pt_make(vm->table.root, pt_run_va(&run, src) - from + to);
        if (!dst) {
            err = -ENOMEM;
            break;
        }
        *dst = *src;
        *src = 0;
        any = true;
        cond_resched();
    }
    if (any)
        vm_flush(vm, from, from + length);
    return err;
}

// A new area at r->to like a's part at r->from, with its pages.
static long move(const struct remap *r, struct vm_area *a) {
    struct vmspace *vm = r->vm;
    struct vm_area *n = vm->area_count < READ_ONCE(vm_max_areas) ? area_copy(vm, a) : NULL;
    if (!n)
        return -ENOMEM;
    n->pgoff = a->backing ? area_page_index(a, r->from) : 0;
    n->start = r->to;
    n->end = r->to + r->length;
    area_insert(vm, n);
    if (r->flags & MREMAP_DONTUNMAP) // what is locked is where the pages are
        area_set_flags(vm, a, a->flags & ~MAP_LOCKED);
    unsigned long moved = MIN(r->from_length, r->length);
    int err = move_pages(vm, r->from, r->to, moved);
    if (err) {
        int back = move_pages(vm, r->to, r->from, moved); // needs no new tables
        (void)back;
        area_remove(vm, n);
        return err;
    }
    area_merge(vm, n);
    if (!(r->flags & MREMAP_DONTUNMAP) && r->from_length)
        err = vm_unmap_locked(vm, r->from, r->from_length);
    return err ? err : (long)r->to;
}

static bool can_grow(const struct remap *r, struct vm_area *a) {
    struct vm_area *next = area_next(a);
    return a->end == r->from + r->from_length && r->length <= USER_END - r->from &&
           !area_check_low(a->start) && (!next || next->start >= r->from + r->length);
}

// The area that all of what is to be moved lies in, or NULL.
static struct vm_area *find_source(const struct remap *r) {
    struct vm_area *a = area_first_from(r->vm, r->from);
    return a && r->from >= a->start && r->from_length <= a->end - r->from ? a : NULL;
}

// May there be so much more? 0, -EAGAIN (locked), -ENOMEM.
static int check_growth(const struct remap *r, const struct vm_area *a) {
    bool keep = r->flags & MREMAP_DONTUNMAP;
    unsigned long more = keep ? r->length : r->length > r->from_length ? r->length - r->from_length : 0;
    if (!more)
        return 0;
    if (a->flags & MAP_LOCKED && !keep && vm_may_lock(r->vm, more >> PAGE_SHIFT))
        return -EAGAIN;
    return area_is_private(a) && a->prot & PROT_WRITE && !area_may_write_more(r->vm, a, more >> PAGE_SHIFT, 0)
               ? -ENOMEM
               : 0;
}

// What lies at r->to goes. With a source of no length that may be all that there was of it.
static long move_over(struct remap *r) {
    struct vmspace *vm = r->vm;
    int err = area_check_low(r->to);
    if (!err)
        err = vm_unmap_locked(vm, r->to, r->length);
    if (!err && r->length < r->from_length) {
        err = vm_unmap_locked(vm, r->from + r->length, r->from_length - r->length);
        r->from_length = r->length;
    }
    struct vm_area *a = err ? NULL : find_source(r);
    if (!err)
        err = a ? check_growth(r, a) : -EFAULT;
    return err ? err : move(r, a);
}

static long remap_locked(struct remap *r) {
    ASSERT_HELD(&r->vm->lock);
    struct vmspace *vm = r->vm;
    struct vm_area *a = find_source(r);
    bool keep = r->flags & MREMAP_DONTUNMAP;
    int err = 0;
    if (!a)
        return -EFAULT;
    if (a->flags & VM_SEALED)
        return -EPERM;
    if (a->flags & VM_SPECIAL ||
        (!r->from_length && area_is_private(a))) // length 0: a second mapping of shared pages
        return -EINVAL;
    if (r->flags & MREMAP_FIXED)
        return move_over(r);
    if (!keep && r->from_length && r->length <= r->from_length) {
        if (r->length < r->from_length)
            err = vm_unmap_locked(vm, r->from + r->length, r->from_length - r->length);
        return err ? err : (long)r->from;
    }
    if ((err = check_growth(r, a)))
        return err;
    if (!keep && r->from_length && can_grow(r, a)) {
        area_set_range(vm, a, a->start, r->from + r->length);
        area_merge(vm, a);
        return (long)r->from;
    }
    if (!(r->flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    long at = area_find_free(vm, 0, r->length);
    if (at < 0)
        return at;
    r->to = (unsigned long)at;
    return move(r, a);
}

long vm_remap(struct vmspace *vm, unsigned long from, unsigned long old_n, unsigned long new_n, int flags,
              unsigned long to) {
    struct remap r = {.vm = vm,
                      .from = from,
                      .from_length = ALIGN_UP(old_n, (unsigned long)PAGE_SIZE),
                      .to = to,
                      .length = ALIGN_UP(new_n, (unsigned long)PAGE_SIZE),
                      .flags = flags};
    if ((from & PAGE_MASK) || !r.length || (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)))
        return -EINVAL;
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    if (flags & MREMAP_DONTUNMAP && r.from_length != r.length)
        return -EINVAL;
    if (from >= USER_END || old_n > USER_END || new_n > USER_END || r.from_length > USER_END - from)
        return -EINVAL;
    if (flags & MREMAP_FIXED && ((to & PAGE_MASK) || to > USER_END || r.length > USER_END - to ||
                                 (to < from + r.from_length && from < to + r.length)))
        return -EINVAL;
    mutex_lock(&vm->lock);
    long addr = remap_locked(&r);
    bool locked = addr >= 0 && vm_area_find(vm, (unsigned long)addr)->flags & MAP_LOCKED;
    vm_unlock(vm);
    if (locked && r.length > r.from_length) {
        int err = vm_populate(vm, (unsigned long)addr, r.length, 0);
        (void)err; // what cannot be had now faults later
    }
    return addr;
}
