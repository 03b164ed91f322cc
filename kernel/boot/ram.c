// SPDX-License-Identifier: MIT
#include "boot/ram.h"
#include "arch/riscv/mmu.h"
#include "core/fdt.h"
#include "core/panic.h"
#include "core/printk.h"
#include "mm/page.h"

#define SBI_WINDOW (2ul << 20) // the firmware sits below the image, and older ones do not say so

static uint64_t total;

static void add_bank(paddr_t base, uint64_t size) {
    if (base >= DIRECT_SIZE) {
        pr_warn("memory at 0x%lx is beyond what the direct map reaches; not used", (unsigned long)base);
        return;
    }
    size = MIN(size, DIRECT_SIZE - base);
    total += size;
    arch_map_ram(base, size);
    memory_add_bank(base, size);
}

void ram_init(paddr_t dtb) {
    struct fdt_range initrd;
    fdt_for_each_memory(add_bank);
    if (!total)
        panic("the device tree names no memory");
    paddr_t image = kernel_phys_base, image_size = __image_end - _start;
    memory_reserve(image, image_size);
    memory_reserve(dtb, fdt_size());
    fdt_for_each_reserved(memory_reserve);
    if (image % (1ul << 30) == SBI_WINDOW)
        memory_reserve(image - SBI_WINDOW, SBI_WINDOW);
    if (fdt_initrd(&initrd))
        memory_reserve(initrd.base, initrd.size);
    memory_init();
    pr_info("memory: %lu MiB; image at 0x%lx, %lu KiB", (unsigned long)(total >> 20), (unsigned long)image,
            (unsigned long)(image_size >> 10));
}
