// SPDX-License-Identifier: MIT
// What is kept at hand though nobody uses it, and goes when memory has run out. All of it is bounded: kernel stacks for a
// part of memory, one empty slab a cache, and on each hart 16 objects a cache and 32 page tables. In /proc/meminfo
// they count as KernelStack, Slab and PageTables. And pages of files that are elsewhere, too, and in use by nobody. Other harts' own are left to them: they may take from them at any time.
#include "arch/riscv/layout.h"
#include "mm/page.h"
#include "mm/pgtable.h"
#include "mm/slab.h"

void (*memory_trim_files)(void);

void memory_trim(void) {
    if (memory_trim_files)
        memory_trim_files();
    pt_discard_kept();
    kstack_trim();
    slab_trim();
}
