// SPDX-License-Identifier: MIT
// The kernel's own page table, for those who fill it in (early.c, mm/kstack.c).
#pragma once
#include "arch/riscv/layout.h"

// Level-1 table below the root entry of STACKS_BASE.
extern pte_t *kernel_stacks_table;
// satp of the kernel's page table.
extern unsigned long kernel_satp;

// First thing after start: builds the page table of the image at `base`; returns satp. Paging is off.
unsigned long early_page_tables(paddr_t base, paddr_t dtb);
// Adds RAM to the direct map: [base, base + size), as far as DIRECT_SIZE reaches. Before other page tables
// exist.
void arch_map_ram(paddr_t base, uint64_t size);
