// SPDX-License-Identifier: MIT
// The address space (Sv39) and the page-table entry. docs/memory.md draws the map. Also included from
// assembly.
#pragma once

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096
#define PAGE_MASK  (PAGE_SIZE - 1)

#define USER_END 0x0000004000000000 // user addresses are below
#define DIRECT_BASE                                                                                          \
    0xffffffc000000000 // physical address 0 on: RAM, writable, not executable (the image's text and rodata: read-only)
#define DIRECT_SIZE 0x0000002000000000 // 128 GiB
#define STACKS_BASE 0xfffffff000000000 // kernel stacks, each with an unmapped guard page below
#define IO_BASE     0xfffffff800000000 // device registers, mapped by arch_ioremap()
#define KERNEL_BASE 0xffffffff80000000 // the kernel image, wherever it was loaded

#ifdef CONFIG_SANITIZE
#define KSTACK_SHIFT 16 // its code takes more; kernel.mk tells the linker, too
#else
#define KSTACK_SHIFT 14
#endif
#define KSTACK_SIZE (1 << KSTACK_SHIFT) // bytes of a kernel stack, without its guard page

#define PTE_V       (1ul << 0)
#define PTE_R       (1ul << 1)
#define PTE_W       (1ul << 2)
#define PTE_X       (1ul << 3)
#define PTE_U       (1ul << 4)
#define PTE_G       (1ul << 5)
#define PTE_A       (1ul << 6)
#define PTE_D       (1ul << 7)
#define PTE_SPECIAL (1ul << 8) // software: the page table holds no reference on the page

#ifndef __ASSEMBLER__
#include "lib/types.h"

typedef uint64_t pte_t;

extern paddr_t kernel_phys_base; // where the image was loaded

// Linker symbols: bounds of the image's parts, link addresses.
extern char _start[], __text_end[], __rodata_end[], __data_end[], __bss_end[], __image_end[];

static inline void *phys_to_virt(paddr_t pa) {
    return (void *)(pa + DIRECT_BASE);
}
// For direct-map addresses, and for those of the kernel image.
static inline paddr_t virt_to_phys(const void *va) {
    unsigned long a = (unsigned long)va;
    return a >= KERNEL_BASE ? a - KERNEL_BASE + kernel_phys_base : a - DIRECT_BASE;
}
static inline pte_t pte_make(paddr_t pa, unsigned long flags) {
    return (pa >> PAGE_SHIFT << 10) | flags;
}
static inline paddr_t pte_phys(pte_t pte) {
    return (pte >> 10 << PAGE_SHIFT) & 0x00fffffffffff000;
}

static inline void local_sfence_page(unsigned long addr) {
    __asm__ volatile("sfence.vma %0, zero" ::"r"(addr) : "memory");
}
static inline void local_sfence_all(void) {
    __asm__ volatile("sfence.vma zero, zero" ::: "memory");
}
// Makes `root` (a physical page) this hart's page table and drops old translations.
void arch_set_page_table(paddr_t root);
// The kernel's own page table; user tables share its upper half by copying the root entries in use.
extern pte_t *kernel_page_table;
void arch_copy_kernel_mappings(pte_t *root);
// Maps [pa, pa+size) of device registers. Early boot and drivers' probing only. NULL if out of room.
volatile void *arch_ioremap(paddr_t pa, size_t size);
// A kernel stack with a guard page below: returns its lowest address, NULL if no memory. Freed ones are
// kept, some of them. The caller's hart can use it; others see kstack_catch_up().
void *kstack_alloc(void);
void kstack_free(void *stack);
void kstack_keep(unsigned long pages); // how much may be kept in stacks that are free
void kstack_trim(void);                // gives them back
#endif
