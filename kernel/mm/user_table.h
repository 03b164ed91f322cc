// SPDX-License-Identifier: MIT
// The page table of an address space as the harts use it: which of them have it loaded and are to be told of
// translations that go (vm/tlb.c).
#pragma once
#include "mm/page.h"

struct user_table {
    pte_t *root;           // [I]
    uint64_t active_harts; // [a] harts whose satp may hold it (dense index)
    unsigned long flushes; // [a] how often translations were dropped
};

// Makes it this hart's; NULL: the kernel's alone. Interrupts disabled.
void user_table_load(struct user_table *table);
// Between the two this hart waits without using user memory or giving itself up, and need not be told of translations
// that go. user_table_return() takes what user_table_leave() gave.
unsigned long user_table_leave(void);
void user_table_return(unsigned long flushes);
