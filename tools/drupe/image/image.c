// SPDX-License-Identifier: MIT
// Finding things in an image. An ELF file's segments hold the image from the first one's physical address on;
// a flat one is the image. image_write.c makes a new one.
#include "image/image.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/cpio.h"
#include "lib/path.h"
#include "common/util.h"

#define BOOT_HEADER_SIZE  64 // Documentation/arch/riscv/boot-image-header.rst
#define BOOT_MAGIC_OFFSET 56
#define BOOT_MAGIC        "RSC\x05"

// Where a byte of the image is in an ELF file. False where no segment has all `size` bytes.
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
            if (ph.p_type == PT_LOAD && pass == 0 && ph.p_paddr < base)
                base = ph.p_paddr;
            if (ph.p_type != PT_LOAD || ph.p_offset > file_size || ph.p_filesz > file_size - ph.p_offset)
                continue;
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

bool image_is_flat_kernel(const uint8_t *bytes, size_t size) {
    return size >= BOOT_HEADER_SIZE &&
           memcmp(bytes + BOOT_MAGIC_OFFSET, BOOT_MAGIC, sizeof(BOOT_MAGIC) - 1) == 0;
}

bool image_is_kernel(const uint8_t *bytes, size_t size) {
    return is_elf(bytes, size) || image_is_flat_kernel(bytes, size);
}

// Where `count` bytes of the image are in the file. False where the file does not have them.
static bool find(const struct image *image, uint64_t offset, uint64_t count, uint64_t *at) {
    if (image->is_elf)
        return elf_offset(image->bytes, image->size, offset, count, at);
    *at = offset;
    return offset <= image->size && count <= image->size - offset;
}

static bool descriptor_fits(struct image *image) {
    const struct image_descriptor *d = &image->descriptor;
    if (d->archive_offset % IMAGE_ALIGN != 0 || d->archive_offset < BOOT_HEADER_SIZE ||
        d->cmdline_offset > d->archive_offset || d->cmdline_size > d->archive_offset - d->cmdline_offset)
        return false;
    // An archive may hold other kernels, with descriptors of theirs.
    if (!image->is_elf && image->descriptor_at + sizeof(*d) > d->archive_offset)
        return false;
    if (!find(image, 0, BOOT_HEADER_SIZE, &image->start_at))
        return false;
    if (d->archive_size)
        return find(image, d->archive_offset, d->archive_size, &image->archive_at);
    // Without an archive there is mostly a page of zeros in its place.
    if (find(image, d->archive_offset, 1, &image->archive_at))
        return true;
    if (image->is_elf)
        image->archive_at = image->size; // where no segment begins
    return image->archive_at <= image->size;
}

static void find_descriptor(struct image *image) {
    bool seen = false;
    for (size_t at = 0; at + sizeof(image->descriptor) <= image->size; at += 8) {
        if (memcmp(image->bytes + at, IMAGE_MAGIC, IMAGE_MAGIC_SIZE) != 0)
            continue;
        memcpy(&image->descriptor, image->bytes + at, sizeof(image->descriptor));
        image->descriptor_at = at;
        seen = true;
        if (descriptor_fits(image))
            return;
    }
    fail("%s: a kernel or program, but %s", image->name,
         seen ? "the archive its descriptor names is not in the file; file truncated? make kernel"
              : "without an archive's descriptor; is it Drupe's, and whole? make kernel");
}

void image_open(struct image *image, const char *name, uint8_t *bytes, size_t size) {
    *image = (struct image){.name = name, .bytes = bytes, .size = size, .is_elf = is_elf(bytes, size)};
    if (!image_is_kernel(bytes, size)) {
        const char *magic = cpio_magic_name(bytes, size);
        if (magic)
            complain("%s: this is no kernel image (flat or ELF): by its first bytes %s", name, magic);
        else if (size >= 5 && memcmp(bytes, "07070", 5) == 0)
            complain("%s: this is a cpio archive; a kernel image (flat or ELF) is needed here", name);
        else
            complain("%s: this is no kernel image (flat or ELF)%s", name,
                     size < BOOT_HEADER_SIZE ? ": it is too short" : "");
        complain_more("take Drupe's: --kernel build/Image");
        give_up();
    }
    find_descriptor(image);
}

const char *image_command_line(const struct image *image) {
    const struct image_descriptor *d = &image->descriptor;
    uint64_t at;
    if (d->cmdline_size == 0)
        return "";
    if (!find(image, d->cmdline_offset, d->cmdline_size, &at) ||
        !memchr(image->bytes + at, '\0', d->cmdline_size))
        fail("%s: the command line its descriptor names is not in the file; file damaged?", image->name);
    return (const char *)image->bytes + at;
}

void image_find_archive(const char *name, const uint8_t *bytes, size_t size, const uint8_t **archive,
                        uint64_t *archive_size) {
    struct image image;
    *archive = bytes;
    *archive_size = size;
    if (!image_is_kernel(bytes, size))
        return;
    image_open(&image, name, (uint8_t *)bytes, size);
    if (image.descriptor.archive_size == 0)
        fail("%s: this kernel carries no archive; put one in: drupe image -k %s --initrd ARCHIVE -o FILE",
             name, name);
    *archive = bytes + image.archive_at;
    *archive_size = image.descriptor.archive_size;
}

char *image_default_kernel(char **tried) {
    char exe[PATHNAME_MAX + 1];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (length < 0)
        fail("/proc/self/exe: %s", strerror(errno));
    exe[length] = '\0';
    *strrchr(exe, '/') = '\0';
    char *beside = xasprintf("%s/Image", exe), *slash = strrchr(exe, '/');
    char *installed = xasprintf("%.*s/lib/drupe/Image", slash ? (int)(slash - exe) : 0, exe);
    if (tried)
        *tried = xasprintf("%s, %s", installed, beside);
    if (access(installed, F_OK) == 0)
        return installed;
    return access(beside, F_OK) == 0 ? beside : NULL;
}
