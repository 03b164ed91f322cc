// SPDX-License-Identifier: MIT
#include "boot/ram.h"
#include "arch/riscv/mmu.h"
#include "boot/image.h"
#include "core/cmdline.h"
#include "core/panic.h"
#include "core/printk.h"
#include "mm/page.h"

#define SBI_WINDOW (2ul << 20)  // the firmware sits below the image, and older ones do not say so
#define LEAST      (16ul << 20) // what the kernel and a small program need beside the image

static uint64_t total, limit = UINT64_MAX; // bytes of RAM: in use; what mem= allows
static struct fdt_range initrd, below;     // [I] after ram_init()

static bool overlap(struct fdt_range a, struct fdt_range b) {
    return a.size && b.size && (a.base - b.base < b.size || b.base - a.base < a.size);
}

// ---- what the device tree calls memory

static struct fdt_range regions[64]; // as the tree has them: in any order, touching or not
static unsigned int region_count;

static void note_region(paddr_t base, uint64_t size) {
    if (region_count == ARRAY_SIZE(regions))
        panic("the device tree names more than %u regions of memory", region_count);
    regions[region_count++] =
        (struct fdt_range){base, base < DIRECT_SIZE ? MIN(size, DIRECT_SIZE - base) : 0};
}

// How far from `at` on there is RAM without a gap.
static paddr_t end_of_ram_at(paddr_t at) {
    for (unsigned int i = 0; i < region_count; i++) {
        if (at - regions[i].base < regions[i].size) {
            at = regions[i].base + regions[i].size;
            i = -1u; // another may begin there
        }
    }
    return at;
}

// Bytes of this bank that the page allocator has to know of although mem= takes them away: they hold an archive.
static uint64_t bytes_to_know(struct fdt_range bank, uint64_t taken, struct fdt_range what) {
    if (!what.size || what.base - bank.base >= bank.size)
        return taken;
    return MAX(taken, MIN(bank.size, ALIGN_UP(what.base - bank.base + what.size, (uint64_t)PAGE_SIZE)));
}

static void add_bank(struct fdt_range bank) {
    if (bank.base >= DIRECT_SIZE) {
        pr_warn("memory at 0x%lx is beyond what the direct map reaches; not used", (unsigned long)bank.base);
        return;
    }
    arch_map_ram(bank.base, bank.size);
    uint64_t taken = MIN(bank.size, limit - total), known = taken;
    known = bytes_to_know(bank, bytes_to_know(bank, known, initrd), image_range());
    known = bytes_to_know(bank, known, below);
    total += taken;
    memory_add_bank(bank.base, known);
    memory_withhold(bank.base + taken, known - taken);
}

// ---- what is in use

static struct fdt_range wanted; // by the loader, for the initrd
static bool wanted_reserved;    // the firmware has reserved some of it

static void compare_reserved(paddr_t base, uint64_t size) {
    wanted_reserved |= overlap(wanted, (struct fdt_range){base, size});
}

static void reserve(paddr_t base, uint64_t size) {
    memory_reserve(base, MIN(size, UINT64_MAX - PAGE_SIZE - base));
}

static struct fdt_range firmware_range(void) {
    paddr_t image = kernel_phys_base;
    return (struct fdt_range){image - SBI_WINDOW, image % (1ul << 30) == SBI_WINDOW ? SBI_WINDOW : 0};
}

// What is wrong with this place for an archive, NULL if nothing is.
static const char *fault_of(struct fdt_range r, struct fdt_range dtb) {
    wanted = r;
    wanted_reserved = false;
    fdt_for_each_reserved(compare_reserved);
    if (r.size > UINT64_MAX - r.base || end_of_ram_at(r.base) < r.base + r.size)
        return "is not a memory region";
    if (overlap(r, image_range()))
        return "overlaps in-use memory region (the kernel's image)";
    if (overlap(r, dtb))
        return "overlaps in-use memory region (the device tree)";
    if (wanted_reserved || overlap(r, firmware_range()))
        return "overlaps in-use memory region (the firmware's)";
    return NULL;
}

// The range, or none if it is no place for an archive. The words are Linux's, which people search for.
static struct fdt_range checked(const char *name, struct fdt_range r, struct fdt_range dtb) {
    const char *fault = fault_of(r, dtb);
    if (!fault && overlap(r, initrd))
        fault = "overlaps in-use memory region (the initrd)";
    if (!fault)
        return r;
    pr_err("%s: 0x%08lx+0x%08lx %s - disabling initrd", name, (unsigned long)r.base, (unsigned long)r.size,
           fault);
    return (struct fdt_range){0, 0};
}

static void check_archives(struct fdt_range dtb) {
    uint64_t start, end, size;
    if (fdt_initrd(&start, &end) && end < start)
        pr_err("INITRD: 0x%08lx to 0x%08lx ends before it starts - disabling initrd", (unsigned long)start,
               (unsigned long)end);
    else if (fdt_initrd(&start, &end) && end > start)
        initrd = checked("INITRD", (struct fdt_range){start, end - start}, dtb);
    if (cmdline_range("rootmem", &start, &size) && size)
        below = checked("rootmem", (struct fdt_range){start, size}, dtb);
    else if (cmdline_has("rootmem"))
        pr_err("rootmem=%s is no START,SIZE; not heeded", cmdline_get("rootmem"));
}

// Some firmware has one place for the device tree (OpenSBI's fw_jump: 34 MiB above the start of RAM), whatever
// lies there. What was under it is lost.
static void check_apart(struct fdt_range dtb, struct fdt_range image) {
    if (!overlap(dtb, image))
        return;
    panic("the firmware or boot loader put the device tree (0x%lx, %lu KiB) over the image (0x%lx, %lu KiB): "
          "part of the "
          "image is lost. Use firmware that looks where there is room (OpenSBI's fw_dynamic), a smaller "
          "archive, or give the archive to the boot loader as its initrd",
          (unsigned long)dtb.base, (unsigned long)dtb.size >> 10, (unsigned long)image.base,
          (unsigned long)image.size >> 10);
}

static void read_limit(struct fdt_range image) {
    uint64_t wish = cmdline_size("mem", 0) & ~(uint64_t)PAGE_MASK;
    if (wish && wish < image.size + LEAST)
        pr_warn("mem=%s is less than the image and what the kernel needs, %lu MiB; not heeded",
                cmdline_get("mem"), (unsigned long)((image.size + LEAST) >> 20));
    else if (wish)
        limit = wish;
}

void ram_init(paddr_t dtb_at) {
    struct fdt_range dtb = {dtb_at, fdt_size()}, firmware = firmware_range();
    fdt_for_each_memory(note_region);
    image_check(end_of_ram_at(kernel_phys_base));
    struct fdt_range image = image_range();
    check_archives(dtb);
    read_limit(image);
    for (unsigned int i = 0; i < region_count; i++)
        add_bank(regions[i]);
    if (!total)
        panic("the device tree names no memory");
    reserve(image.base, image.size);
    reserve(dtb.base, dtb.size);
    fdt_for_each_reserved(reserve);
    reserve(firmware.base, firmware.size);
    check_apart(dtb, image);
    reserve(initrd.base, initrd.size);
    reserve(below.base, below.size);
    memory_init();
    pr_info("memory: %lu MiB; image at 0x%lx, %lu KiB", (unsigned long)(total >> 20),
            (unsigned long)image.base, (unsigned long)(image.size >> 10));
}

struct fdt_range ram_initrd(void) {
    return initrd;
}

struct fdt_range ram_root(void) {
    return below;
}
