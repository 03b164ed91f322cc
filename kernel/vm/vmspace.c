// SPDX-License-Identifier: MIT
// Address spaces as a whole: making, copying for fork, giving up, switching to.
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "upcalls.h"
#include "vm/vm_private.h"
#include <linux/mman.h>

static struct slab_cache *vmspace_cache;

struct vmspace *vmspace_create(void) {
    struct vmspace *vm = slab_zalloc(vmspace_cache);
    if (!vm)
        return ERR_PTR(-ENOMEM);
    vm->root = pt_create();
    if (!vm->root) {
        slab_free(vmspace_cache, vm);
        return ERR_PTR(-ENOMEM);
    }
    ref_init(&vm->refs);
    mutex_init(&vm->lock);
    RB_INIT(&vm->areas);
    return vm;
}

void vmspace_get(struct vmspace *vm) {
    ref_get(&vm->refs);
}

// Nobody else looks at it any more, and no hart has it loaded: neither locks nor dropping translations are needed.
void vmspace_put(struct vmspace *vm) {
    if (!vm || !ref_put(&vm->refs))
        return;
    DEBUG_ASSERT(!vm->active_harts);
    pt_destroy(vm->root);
    area_remove_all(vm);
    if (vm->exe_file)
        vm_file_put(vm->exe_file);
    slab_free(vmspace_cache, vm);
}

// ---- fork

// Shares the anonymous pages of `a` between both tables, read-only. Pages of files are left to be faulted in again by
// the copy, many at once: most forks touch few of them before they exec or exit. 0 or -ENOMEM.
static int share_pages(struct vmspace *from, struct vmspace *to, const struct vm_area *a, bool *changed) {
    struct pt_run run;
    pte_t *src;
    const pte_t *group = NULL; // the end of the one that `to` has a table for
    unsigned long table = 0;
    pt_run_init(&run, from->root, a->start, a->end);
    while ((src = pt_run_next(&run))) {
        pte_t old = *src;
        struct page *page = phys_to_page(pte_phys(old));
        if (old & PTE_SPECIAL || !(page->flags & PAGE_ANON))
            continue;
        if (group != run.stop) {
            table = ALIGN_DOWN((unsigned long)pt_make(to->root, pt_run_va(&run, src)), PAGE_SIZE);
            if (!table)
                return -ENOMEM;
            group = run.stop;
        }
        if (old & PTE_W) {
            old &= ~(PTE_W | PTE_D);
            *src = old;
            *changed = true;
        }
        page_get(page);
        *(pte_t *)(table | ((unsigned long)src & PAGE_MASK)) = old;
        to->rss_anon++;
    }
    return 0;
}

static int copy_area(struct vmspace *from, struct vmspace *to, const struct vm_area *a, bool *changed) {
    if (a->flags & VM_DONTFORK)
        return 0;
    struct vm_area *copy = area_copy(to, a);
    if (!copy)
        return -ENOMEM;
    copy->flags &= ~MAP_LOCKED;
    area_insert(to, copy);
    return area_is_private(a) && !(a->flags & (VM_WIPEONFORK | VM_SPECIAL))
               ? share_pages(from, to, a, changed)
               : 0;
}

static void copy_layout(struct vmspace *to, const struct vmspace *from) {
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
        vm_file_get(to->exe_file);
}

struct vmspace *vmspace_fork(struct vmspace *old) {
    struct vmspace *vm = vmspace_create();
    struct vm_area *a;
    bool changed = false;
    int err = 0;
    if (IS_ERR(vm))
        return vm;
    mutex_lock(&old->lock);
    copy_layout(vm, old);
    RB_FOREACH (a, vm_area_tree, &old->areas) {
        if ((err = copy_area(old, vm, a, &changed)))
            break;
    }
    if (changed)
        vm_flush(old, 0, USER_END);
    mutex_unlock(&old->lock);
    if (err) {
        vmspace_put(vm);
        return ERR_PTR(err);
    }
    return vm;
}

// ---- switching

// A hart is in active_harts from before it loads the page table until it has loaded another. Interrupts are disabled.
static void load(struct vmspace *vm) {
    struct hart *hart = this_hart();
    struct vmspace *old = hart->vmspace;
    uint64_t bit = 1ull << hart->id;
    if (old == vm)
        return;
    if (vm)
        __atomic_fetch_or(&vm->active_harts, bit, __ATOMIC_SEQ_CST);
    hart->vmspace = vm;
    arch_set_page_table(virt_to_phys(vm ? vm->root : kernel_page_table));
    if (old)
        __atomic_fetch_and(&old->active_harts, ~bit, __ATOMIC_RELEASE);
}

void vmspace_activate(struct thread *next) {
    load(next->vm);
}

void vmspace_switch(struct vmspace *vm) {
    unsigned long flags = irq_save();
    current->vm = vm;
    load(vm);
    irq_restore(flags);
}

void vm_init(void) {
    vmspace_cache = slab_create("vmspace", sizeof(struct vmspace), 64);
    vm_area_cache = slab_create("vm_area", sizeof(struct vm_area), 16);
    vm_zero_page = page_alloc(0, ALLOC_ZERO);
    if (!vmspace_cache || !vm_area_cache || !vm_zero_page)
        panic("vm: no memory at boot");
}
