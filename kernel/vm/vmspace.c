// SPDX-License-Identifier: MIT
// Address spaces as a whole: making, giving up, switching to. (Copying: fork.c.)
#include "vm/vmspace.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "vm/vm_private.h"
#include <linux/mman.h>

static struct slab_cache *vmspace_cache;

static uint64_t last_id; // [a]

struct vmspace *vmspace_create(void) {
    struct vmspace *vm = slab_zalloc(vmspace_cache);
    if (!vm)
        return ERR_PTR(-ENOMEM);
    vm->table.root = pt_create();
    if (!vm->table.root) {
        slab_free(vmspace_cache, vm);
        return ERR_PTR(-ENOMEM);
    }
    ref_init(&vm->refs);
    vm->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    mutex_init(&vm->lock);
    RB_INIT(&vm->areas);
    return vm;
}

void vmspace_get(struct vmspace *vm) {
    ref_get(&vm->refs);
}

static void let_others_run(void) {
    cond_resched();
}

// Nobody else looks at it any more, and no hart has it loaded: neither locks nor dropping translations are
// needed.
void vmspace_leave(struct vmspace *vm) {
    if (!vm || !ref_put(&vm->refs))
        return;
    DEBUG_ASSERT(!vm->table.active_harts);
    pt_destroy(vm->table.root, let_others_run);
    area_remove_all(vm);
    if (vm->exe_file)
        vm_file_ops->put_program(vm->exe_file);
    slab_free(vmspace_cache, vm);
}

void vmspace_put(struct vmspace *vm) {
    bool before = current->waits_for_no_device;
    current->waits_for_no_device = true;
    vmspace_leave(vm);
    current->waits_for_no_device = before;
}

// ---- when memory has run out

unsigned long vm_table_pages(const struct vmspace *vm) {
    return pt_count(vm->table.root);
}

unsigned long vm_footprint(const struct vmspace *vm) {
    long pages = READ_ONCE(vm->rss_anon) + READ_ONCE(vm->rss_file);
    return (pages > 0 ? (unsigned long)pages : 0) + vm_table_pages(vm) +
           READ_ONCE(vm->area_count) * sizeof(struct vm_area) / PAGE_SIZE;
}

void vm_reap(struct vmspace *vm) {
    struct gather g;
    struct vm_area *a;
    mutex_lock(&vm->lock);
    vm->reaped = true;
    gather_init(&g, vm);
    RB_FOREACH (a, vm_area_tree, &vm->areas) {
        if (area_is_private(a) && !(a->flags & VM_SPECIAL))
            vm_zap(&g, a->start, a->end, false);
        cond_resched();
    }
    gather_finish(&g);
    mutex_unlock(&vm->lock);
}

// ---- switching

void vmspace_switch(struct vmspace *vm) {
    unsigned long flags = irq_save();
    current->vm = vm;
    user_table_load(vm ? &vm->table : NULL);
    irq_restore(flags);
}

unsigned long vm_randomize = 2;
const struct vm_file_ops *vm_file_ops;

void vm_init(void) {
    vmspace_cache = slab_create("vmspace", sizeof(struct vmspace), 64);
    vm_area_cache = slab_create("vm_area", sizeof(struct vm_area), 16);
    vm_zero_page = page_alloc(0, ALLOC_ZERO);
    if (!vmspace_cache || !vm_area_cache || !vm_zero_page)
        panic("vm: no memory at boot");
}
