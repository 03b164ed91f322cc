// SPDX-License-Identifier: MIT
#include "boot/ram.h"
#include "arch/riscv/mmu.h"
#include "core/fdt.h"
#include "core/panic.h"
#include "core/printk.h"
#include "lib/image.h"
#include "mm/page.h"

extern const struct image_descriptor __image_descriptor;

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

// Some firmware has one place for the device tree (OpenSBI's fw_jump: 34 MiB above the start of RAM), whatever
// lies there. What was under it is lost.
static void check_apart(const char *what, struct fdt_range other, struct fdt_range image) {
    if (other.base >= image.base + image.size || image.base >= other.base + other.size)
        return;
    panic("the firmware or boot loader put %s (0x%lx, %lu KiB) over the image (0x%lx, %lu KiB): part of the "
          "image is lost. Use firmware that looks where there is room (OpenSBI's fw_dynamic), a smaller "
          "archive, or give the archive to the boot loader as its initrd",
          what, (unsigned long)other.base, (unsigned long)other.size >> 10, (unsigned long)image.base,
          (unsigned long)image.size >> 10);
}

void ram_init(paddr_t dtb) {
    struct fdt_range initrd;
    fdt_for_each_memory(add_bank);
    if (!total)
        panic("the device tree names no memory");
    // Not the linker's __image_end: `drupe image` exchanges the archive.
    paddr_t image = kernel_phys_base;
    uint64_t image_size =
        ALIGN_UP(__image_descriptor.archive_offset + __image_descriptor.archive_size, PAGE_SIZE);
    memory_reserve(image, image_size);
    memory_reserve(dtb, fdt_size());
    fdt_for_each_reserved(memory_reserve);
    if (image % (1ul << 30) == SBI_WINDOW)
        memory_reserve(image - SBI_WINDOW, SBI_WINDOW);
    check_apart("the device tree", (struct fdt_range){dtb, fdt_size()},
                (struct fdt_range){image, image_size});
    if (fdt_initrd(&initrd)) {
        check_apart("the initrd", initrd, (struct fdt_range){image, image_size});
        memory_reserve(initrd.base, initrd.size);
    }
    memory_init();
    pr_info("memory: %lu MiB; image at 0x%lx, %lu KiB", (unsigned long)(total >> 20), (unsigned long)image,
            (unsigned long)(image_size >> 10));
}
