// SPDX-License-Identifier: MIT
// The copy of an address space that fork(2) makes.
//
// Anonymous pages are shared, read-only on both sides, until one side writes. The page that the stack pointer
// is on and that of the thread pointer are copied at once: both sides write there before they do anything
// else, and two faults are saved. Pages of files are shared too, if they were used since the last fork (the
// accessed bit, which is cleared) and the area is not large; else they are left to be faulted in again.
// Anonymous pages always have the accessed bit.
#include "arch/riscv/trap.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "vm/vm_private.h"
#include <linux/mman.h>

#define FILE_PAGES_MAX (2ul << 20) // size of areas from which pages of files are left to faults

struct fork {
    struct vmspace *from, *to;
    unsigned long eager[2]; // pages to copy at once
    pte_t used;             // PTE_A if harts set it
    bool changed;           // entries of `from` lost rights, or PTE_A
};

static bool copy_now(const struct fork *f, unsigned long va, pte_t pte) {
    return pte & PTE_W && (va == f->eager[0] || va == f->eager[1]);
}

// The entry of `to` for a page of the caller's that it gets a copy of. 0: no memory.
static pte_t copied_entry(const struct page *page, pte_t pte) {
    struct page *copy = page_alloc(0, 0);
    if (!copy)
        return 0;
    page_copy(page_address(copy), page_address(page));
    copy->flags = PAGE_ANON;
    memory_account(MEM_ANON, 1);
    return pte_make(page_to_phys(copy), pte & (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D));
}

// The entry of `to` for a page of `from`, whose entry changes. 0: no memory.
static inline pte_t share_entry(struct fork *f, bool private, struct page *page, pte_t *src,
                                unsigned long va) {
    pte_t old = *src;
    if (page->flags & PAGE_ANON) {
        f->to->rss_anon++;
        if (unlikely(copy_now(f, va, old)))
            return copied_entry(page, old);
        if (private && old & PTE_W) {
            *src = old &= ~(PTE_W | PTE_D);
            f->changed = true;
        }
    } else {
        f->to->rss_file++;
        *src = old &= ~f->used;
        f->changed = true;
    }
    page_get(page);
    return old;
}

static int share_pages(struct fork *f, const struct vm_area *a) {
    bool files = a->end - a->start <= FILE_PAGES_MAX, private = area_is_private(a);
    const pte_t *group = NULL; // the end of the one that `to` has a table for
    unsigned long table = 0;
    struct pt_run run;
    pte_t *src;
    if (a->flags & (VM_WIPEONFORK | VM_SPECIAL) || (!files && !a->anon))
        return 0;
    pt_run_init(&run, f->from->table.root, a->start, a->end);
    while ((src = pt_run_next(&run))) {
        if ((*src & (PTE_A | PTE_SPECIAL)) != PTE_A)
            continue;
        struct page *page = phys_to_page(pte_phys(*src));
        unsigned long va = pt_run_va(&run, src);
        if (!files && !(page->flags & PAGE_ANON))
            continue;
        if (group != run.stop) {
            table = ALIGN_DOWN((unsigned long)pt_make(f->to->table.root, va), PAGE_SIZE);
            if (!table)
                return -ENOMEM;
            group = run.stop;
            if (cond_resched_killable())
                return -EINTR;
        }
        pte_t entry = share_entry(f, private, page, src, va);
        if (!entry)
            return -ENOMEM;
        *(pte_t *)(table | ((unsigned long)src & PAGE_MASK)) = entry;
    }
    return 0;
}

// Copies the tree of areas below and with `a` in its shape, so that nothing has to be searched or balanced;
// each area's pages with it. What has been copied before an error is in the new tree.
static int copy_tree(struct fork *f, const struct vm_area *a, struct vm_area *parent,
                     struct vm_area **place) {
    struct vm_area *copy = area_copy(f->to, a);
    if (!copy)
        return -ENOMEM;
    RB_LEFT(copy, node) = RB_RIGHT(copy, node) = NULL;
    RB_PARENT(copy, node) = parent;
    *place = copy;
    copy->flags &= ~MAP_LOCKED;
    area_enter_backing(copy);
    int err = cond_resched_killable();
    if (!err && !(a->flags & VM_DONTFORK))
        err = share_pages(f, a);
    if (!err && RB_LEFT(a, node))
        err = copy_tree(f, RB_LEFT(a, node), copy, &RB_LEFT(copy, node));
    if (!err && RB_RIGHT(a, node))
        err = copy_tree(f, RB_RIGHT(a, node), copy, &RB_RIGHT(copy, node));
    return err;
}

// The calling program did not want all areas to be copied: rare, so that they are taken out again.
static void remove_unwanted(struct vmspace *vm) {
    struct vm_area *next;
    for (struct vm_area *a = area_first_from(vm, 0); a; a = next) {
        next = area_next(a);
        if (a->flags & VM_DONTFORK)
            area_remove(vm, a);
        cond_resched();
    }
}

static void copy_layout(struct vmspace *to, const struct vmspace *from) {
    to->dumpable = from->dumpable;
    to->area_count = from->area_count;
    to->total_pages = from->total_pages;
    to->data_pages = from->data_pages;
    memory_account(MEM_COMMITTED, (long)from->data_pages);
    to->dontfork = from->dontfork;
    to->sealed = from->sealed;
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->mmap_base = from->mmap_base;
    to->free_hint = from->free_hint;
    to->stack_start = from->stack_start;
    to->stack_limit = from->stack_limit;
    to->arg_start = from->arg_start;
    to->arg_end = from->arg_end;
    to->env_start = from->env_start;
    to->env_end = from->env_end;
    to->vdso = from->vdso;
    to->membarrier = from->membarrier;
    memcpy(to->auxv, from->auxv, sizeof(to->auxv));
    to->exe_file = from->exe_file;
    if (to->exe_file)
        vm_file_ops->get_program(to->exe_file);
}

struct vmspace *vmspace_fork(struct vmspace *old) {
    if (READ_ONCE(vm_overcommit) == VM_COMMIT_STRICT && vm_overcommits(READ_ONCE(old->data_pages), 0))
        return ERR_PTR(-ENOMEM);
    struct fork f = {.from = old, .to = vmspace_create(), .used = vm_harts_set_accessed() ? PTE_A : 0};
    int err = 0;
    if (IS_ERR(f.to))
        return f.to;
    if (current->vm == old) {
        const struct trap_frame *frame = arch_user_frame(current);
        f.eager[0] = ALIGN_DOWN(frame->sp, PAGE_SIZE);
        f.eager[1] = ALIGN_DOWN(frame->tp, PAGE_SIZE);
    }
    mutex_lock(&old->lock);
    mutex_lock_nested(&f.to->lock,
                      LOCK_CHILD); // a truncation that finds its first areas waits for what they map
    copy_layout(f.to, old);
    if (!RB_EMPTY(&old->areas))
        err = copy_tree(&f, RB_ROOT(&old->areas), NULL, &RB_ROOT(&f.to->areas));
    if (!err && f.to->dontfork)
        remove_unwanted(f.to);
    if (f.changed)
        vm_flush(old, 0, USER_END);
    mutex_unlock(&old->lock);
    vm_unlock(f.to);
    if (err) {
        vmspace_put(f.to);
        return ERR_PTR(err);
    }
    return f.to;
}
