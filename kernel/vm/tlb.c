// SPDX-License-Identifier: MIT
// Translations that harts remember, and giving pages back safely.
//
// A page that leaves a page table may still be reached through a hart's old translation. So pages are
// gathered, the translations dropped on all harts in vm->table.active_harts, and only then are the pages given
// back. A hart enters itself there before it loads the table (vmspace.c), so one that is missed here loads
// the table as it is now.
#include "arch/riscv/cpu.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/shootdown.h"
#include "sched/thread.h"
#include "vm/vm_private.h"

void vm_flush(struct vmspace *vm, unsigned long start, unsigned long end) {
    lock_check_may_sleep("waits for other harts");
    __atomic_fetch_add(&vm->table.flushes, 1, __ATOMIC_SEQ_CST); // a full barrier; see user_table_return()
    uint64_t active = __atomic_load_n(&vm->table.active_harts, __ATOMIC_RELAXED),
             self = 1ull << this_hart_id();
    if (active & self)
        shootdown_local(start, end - start);
    if (active & ~self)
        shootdown_remote(active & ~self, start, end - start);
}

void vm_fetch_barrier(void) {
    uint64_t others = sched_online_mask() & ~(1ull << this_hart_id());
    fence_i();
    if (others)
        shootdown_remote_fetch(others);
}

void vm_barrier(struct vmspace *vm, bool all) {
    __atomic_fetch_add(&vm->table.flushes, 1, __ATOMIC_SEQ_CST);
    uint64_t harts = all ? sched_online_mask() : __atomic_load_n(&vm->table.active_harts, __ATOMIC_RELAXED);
    harts &= ~(1ull << this_hart_id());
    fence_i();
    if (harts)
        shootdown_remote_fetch(harts);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// ---- gathering

void gather_init(struct gather *g, struct vmspace *vm) {
    g->vm = vm;
    g->count = 0;
    g->start = ~0ul;
    g->end = 0;
    list_init(&g->tables);
}

void gather_range(struct gather *g, unsigned long start, unsigned long end) {
    g->start = MIN(g->start, start);
    g->end = MAX(g->end, end);
}

// Dropping single translations leaves what a hart knows of tables; all of them must go where a table does.
void gather_finish(struct gather *g) {
    if (!list_empty(&g->tables)) {
        vm_flush(g->vm, 0, USER_END);
        pt_release(&g->tables);
    } else if (g->start < g->end) {
        vm_flush(g->vm, g->start, g->end);
    }
    g->start = ~0ul;
    g->end = 0;
    page_put_all(g->pages, g->count);
    g->count = 0;
}

bool vm_zap(struct gather *g, unsigned long start, unsigned long end, bool files) {
    struct vmspace *vm = g->vm;
    struct pt_run run;
    pte_t *pte;
    long anon = 0, file = 0;
    pt_run_init(&run, vm->table.root, start, end);
    while ((pte = pt_run_next(&run))) {
        pte_t old = *pte;
        unsigned long va = pt_run_va(&run, pte);
        if (old & PTE_SPECIAL) {
            if (!files)
                *pte = 0;
            cond_resched();
        } else {
            struct page *page = phys_to_page(pte_phys(old));
            bool is_file = !(page->flags & PAGE_ANON);
            if (files && !is_file) {
                cond_resched();
                continue;
            }
            file += is_file;
            anon += !is_file;
            *pte = 0;
            if (unlikely(g->count == GATHER_PAGES)) {
                gather_finish(g);
                cond_resched();
            }
            g->pages[g->count++] = page;
        }
        g->start = MIN(g->start, va);
        g->end = MAX(g->end, va + PAGE_SIZE);
    }
    vm->rss_peak = MAX(vm->rss_peak, vm->rss_anon + vm->rss_file);
    vm->rss_anon -= anon;
    vm->rss_file -= file;
    return run.stop != NULL;
}

void vm_zap_tables(struct gather *g, unsigned long start, unsigned long end) {
    if (vm_zap(g, start, end, false))
        pt_trim(g->vm->table.root, start, end, &g->tables);
}
