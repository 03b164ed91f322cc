// SPDX-License-Identifier: MIT
// The kernel's page table.
//
// early_page_tables() runs with paging off, so it must not use absolute addresses: the compiler's references
// are relative to the pc (medany), and this file is compiled without jump tables. It maps the image at its
// link address page by page, each part with the rights it needs; the GiB of RAM that holds the image, where
// text and read-only data are not writable either; and the GiB of the device tree. The rest of RAM follows
// when the device tree has been read: one entry for each GiB.
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/mmu.h"

#define ENTRIES   512
#define GIB       (1ul << 30)
#define MIB2      (1ul << 21)
#define SATP_SV39 (8ul << 60)
#define TABLE     PTE_V
#define KERNEL_RW (PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D)
#define KERNEL_RO (PTE_V | PTE_R | PTE_G | PTE_A | PTE_D)
#define KERNEL_RX (PTE_V | PTE_R | PTE_X | PTE_G | PTE_A | PTE_D)

static pte_t root[ENTRIES] __aligned_to(PAGE_SIZE);
static pte_t image_l1[ENTRIES] __aligned_to(PAGE_SIZE), image_l0[ENTRIES] __aligned_to(PAGE_SIZE);
static pte_t direct_l1[ENTRIES] __aligned_to(PAGE_SIZE), direct_l0[ENTRIES] __aligned_to(PAGE_SIZE);
static pte_t stacks_l1[ENTRIES] __aligned_to(PAGE_SIZE), io_l1[ENTRIES] __aligned_to(PAGE_SIZE);

pte_t *kernel_page_table = root;
pte_t *kernel_stacks_table = stacks_l1;
unsigned long kernel_satp;
paddr_t kernel_phys_base;

// The root entries in use, for copying into user tables: few, so that making an address space is cheap.
static uint8_t used[ENTRIES / 2];
static unsigned int used_count;

static unsigned int root_index(unsigned long va) {
    return va >> 30 & (ENTRIES - 1);
}

static void root_set(unsigned int index, pte_t pte) {
    if (!root[index])
        used[used_count++] = index - ENTRIES / 2;
    root[index] = pte;
}

unsigned long early_page_tables(paddr_t base, paddr_t dtb) {
    paddr_t gib = base & -GIB;
    unsigned long text_pages = (unsigned long)__text_end - (unsigned long)_start;
    unsigned long rodata_pages = (unsigned long)__rodata_end - (unsigned long)_start;
    text_pages >>= PAGE_SHIFT;
    rodata_pages >>= PAGE_SHIFT;
    for (unsigned long i = 0; i < ENTRIES; i++) {
        pte_t image = i < text_pages ? KERNEL_RX : i < rodata_pages ? KERNEL_RO : KERNEL_RW;
        image_l0[i] = pte_make(base + i * PAGE_SIZE, image);
        direct_l0[i] = pte_make(base + i * PAGE_SIZE, i < rodata_pages ? KERNEL_RO : KERNEL_RW);
        direct_l1[i] = pte_make(gib + i * MIB2, KERNEL_RW);
    }
    direct_l1[(base - gib) / MIB2] = pte_make((paddr_t)direct_l0, TABLE);
    image_l1[0] = pte_make((paddr_t)image_l0, TABLE);
    for (unsigned long i = 1; i * MIB2 < (unsigned long)__bss_end - (unsigned long)_start; i++)
        image_l1[i] = pte_make(base + i * MIB2, KERNEL_RW); // data alone
    root_set(root_index(KERNEL_BASE), pte_make((paddr_t)image_l1, TABLE));
    root_set(root_index(STACKS_BASE), pte_make((paddr_t)stacks_l1, TABLE));
    root_set(root_index(IO_BASE), pte_make((paddr_t)io_l1, TABLE));
    root_set(root_index(DIRECT_BASE + gib), pte_make((paddr_t)direct_l1, TABLE));
    if ((dtb & -GIB) != gib)
        root_set(root_index(DIRECT_BASE + dtb), pte_make(dtb & -GIB, KERNEL_RW));
    kernel_phys_base = base;
    kernel_satp = SATP_SV39 | (paddr_t)root >> PAGE_SHIFT;
    return kernel_satp;
}

void arch_map_ram(paddr_t base, uint64_t size) {
    for (paddr_t gib = base & -GIB; gib < base + size && gib < DIRECT_SIZE; gib += GIB) {
        unsigned int index = root_index(DIRECT_BASE + gib);
        if (!root[index])
            root_set(index, pte_make(gib, KERNEL_RW));
    }
}

void arch_copy_kernel_mappings(pte_t *to) {
    for (unsigned int i = 0; i < used_count; i++) {
        unsigned int index = ENTRIES / 2 + used[i];
        to[index] = root[index];
    }
}

void arch_set_page_table(paddr_t table) {
    csr_write(satp, SATP_SV39 | table >> PAGE_SHIFT);
    local_sfence_all();
}

// Devices are mapped by 2 MiB pages, so that no table has to be allocated; two registers close together share
// one.
volatile void *arch_ioremap(paddr_t pa, size_t size) {
    static unsigned int next;
    paddr_t first = pa & -MIB2;
    unsigned long count = ((pa + size - 1) / MIB2) - first / MIB2 + 1;
    unsigned int at = next;
    for (unsigned int i = 0; count == 1 && i < next; i++) {
        if (pte_phys(io_l1[i]) == first)
            return (volatile void *)(IO_BASE + i * MIB2 + (pa - first));
    }
    if (next + count > ENTRIES)
        return NULL;
    for (unsigned long i = 0; i < count; i++)
        io_l1[next++] = pte_make(first + i * MIB2, KERNEL_RW);
    local_sfence_all();
    return (volatile void *)(IO_BASE + at * MIB2 + (pa - first));
}
