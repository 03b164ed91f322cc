// SPDX-License-Identifier: MIT
#include "image.h"
#include <elf.h>
#include <string.h>
#include "lib/cpio.h"
#include "lib/image.h"
#include "util.h"

#define BOOT_HEADER_SIZE  64 // of a flat image: Documentation/arch/riscv/boot-image-header.rst
#define BOOT_MAGIC_OFFSET 56
#define BOOT_MAGIC        "RSC\x05"

// Where a byte of the image is in an ELF file: its segments hold the image from the first one's physical
// address on. False where no segment has all `size` bytes.
static bool elf_offset(const uint8_t *bytes, size_t file_size, uint64_t image_offset, uint64_t size,
                       uint64_t *offset) {
    Elf64_Ehdr h;
    Elf64_Phdr ph;
    uint64_t base = UINT64_MAX;
    memcpy(&h, bytes, sizeof(h));
    for (int pass = 0; pass < 2; pass++)
        for (unsigned int i = 0; i < h.e_phnum; i++) {
            uint64_t at = h.e_phoff + (uint64_t)i * sizeof(ph);
            if (h.e_phentsize != sizeof(ph) || at > file_size || sizeof(ph) > file_size - at)
                return false;
            memcpy(&ph, bytes + at, sizeof(ph));
            if (ph.p_type != PT_LOAD || ph.p_offset > file_size || ph.p_filesz > file_size - ph.p_offset)
                continue;
            if (pass == 0 && ph.p_paddr < base)
                base = ph.p_paddr;
            uint64_t skip =
                base + image_offset - ph.p_paddr; // wraps to something huge where it is not in here
            if (pass == 1 && skip < ph.p_filesz && size <= ph.p_filesz - skip) {
                *offset = ph.p_offset + skip;
                return true;
            }
        }
    return false;
}

static bool is_elf(const uint8_t *bytes, size_t size) {
    return size >= sizeof(Elf64_Ehdr) && memcmp(bytes, ELFMAG, SELFMAG) == 0 && bytes[EI_CLASS] == ELFCLASS64;
}

static bool descriptor_fits(const struct image_descriptor *d, const uint8_t *bytes, size_t size,
                            uint64_t *offset) {
    if (memcmp(d->magic, IMAGE_MAGIC, IMAGE_MAGIC_SIZE) != 0 || d->archive_offset % IMAGE_ALIGN != 0)
        return false;
    if (is_elf(bytes, size))
        return d->archive_size == 0 || elf_offset(bytes, size, d->archive_offset, d->archive_size, offset);
    *offset = d->archive_offset;
    return d->archive_offset <= size && d->archive_size <= size - d->archive_offset;
}

static bool is_kernel(const uint8_t *bytes, size_t size) {
    return is_elf(bytes, size) || (size >= BOOT_HEADER_SIZE && memcmp(bytes + BOOT_MAGIC_OFFSET, BOOT_MAGIC,
                                                                      sizeof(BOOT_MAGIC) - 1) == 0);
}

void image_find_archive(const char *name, const uint8_t *bytes, size_t size, const uint8_t **archive,
                        uint64_t *archive_size) {
    *archive = bytes;
    *archive_size = size;
    if (!is_kernel(bytes, size))
        return;
    struct image_descriptor d;
    uint64_t offset = 0;
    bool seen = false;
    for (size_t at = 0; at + sizeof(d) <= size; at += 8) {
        if (memcmp(bytes + at, IMAGE_MAGIC, IMAGE_MAGIC_SIZE) != 0)
            continue;
        memcpy(&d, bytes + at, sizeof(d));
        seen = true;
        if (!descriptor_fits(&d, bytes, size, &offset))
            continue;
        if (d.archive_size == 0)
            fail("%s: this kernel carries no archive", name);
        *archive = bytes + offset;
        *archive_size = d.archive_size;
        return;
    }
    fail("%s: a kernel or program, but %s", name,
         seen ? "the archive its descriptor names is not in the file; file truncated?"
              : "without an archive's descriptor");
}
