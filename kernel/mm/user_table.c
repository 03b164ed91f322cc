// SPDX-License-Identifier: MIT
// Loading page tables: see user_table.h.
#include "mm/user_table.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/mmu.h"

// A hart is in active_harts from before it loads the page table until it has loaded another.
void user_table_load(struct user_table *table) {
    struct hart *hart = this_hart();
    struct user_table *old = hart->user_table;
    uint64_t bit = 1ull << hart->id;
    if (old == table)
        return;
    if (table)
        __atomic_fetch_or(&table->active_harts, bit, __ATOMIC_SEQ_CST);
    hart->user_table = table;
    arch_set_page_table(virt_to_phys(table ? table->root : kernel_page_table));
    if (old)
        __atomic_fetch_and(&old->active_harts, ~bit, __ATOMIC_RELEASE);
}

// Whoever drops translations counts that before it looks who is active, and we become active before we look at the
// count: one sees the other.
unsigned long user_table_leave(void) {
    struct user_table *table = this_hart()->user_table;
    if (!table)
        return 0;
    unsigned long flushes = __atomic_load_n(&table->flushes, __ATOMIC_ACQUIRE);
    __atomic_fetch_and(&table->active_harts, ~(1ull << this_hart_id()), __ATOMIC_SEQ_CST);
    return flushes;
}

void user_table_return(unsigned long flushes) {
    struct user_table *table = this_hart()->user_table;
    if (!table)
        return;
    __atomic_fetch_or(&table->active_harts, 1ull << this_hart_id(), __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&table->flushes, __ATOMIC_SEQ_CST) != flushes) {
        local_sfence_all();
        fence_i();
    }
}
