// SPDX-License-Identifier: MIT
#include "boot/image.h"
#include "arch/riscv/layout.h"
#include "core/printk.h"
#include "lib/image.h"
#include "lib/string.h"

extern const struct image_descriptor __image_descriptor;

static uint64_t archive_size; // [I] after image_check()

const char *image_command_line(void) {
    const struct image_descriptor *d = &__image_descriptor;
    uint64_t end = __rodata_end - _start, size = d->cmdline_size;
    if (d->cmdline_offset < end && size <= end - d->cmdline_offset &&
        memchr(_start + d->cmdline_offset, '\0', size))
        return _start + d->cmdline_offset;
    pr_err("the image's descriptor is wrong: no command line at offset 0x%lx, %lu bytes; left out",
           (unsigned long)d->cmdline_offset, (unsigned long)size);
    return "";
}

void image_check(paddr_t end) {
    const struct image_descriptor *d = &__image_descriptor;
    uint64_t room = end - kernel_phys_base, kernel = __bss_end - _start;
    archive_size = d->archive_size;
    if (!archive_size || (d->archive_offset >= kernel && d->archive_offset < room &&
                          !(d->archive_offset % IMAGE_ALIGN) && archive_size <= room - d->archive_offset))
        return;
    pr_err("the image's descriptor is wrong: no archive at offset 0x%lx, %lu bytes (the kernel takes 0x%lx, "
           "RAM ends at "
           "0x%lx) - disabling the embedded archive",
           (unsigned long)d->archive_offset, (unsigned long)archive_size, (unsigned long)kernel,
           (unsigned long)room);
    archive_size = 0;
}

struct fdt_range image_archive(void) {
    return (struct fdt_range){kernel_phys_base + __image_descriptor.archive_offset, archive_size};
}

struct fdt_range image_range(void) {
    uint64_t size =
        archive_size ? __image_descriptor.archive_offset + archive_size : (uint64_t)(__bss_end - _start);
    return (struct fdt_range){kernel_phys_base, ALIGN_UP(size, (uint64_t)PAGE_SIZE)};
}
