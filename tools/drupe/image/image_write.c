// SPDX-License-Identifier: MIT
// A built image with another archive and command line. The archive is the last thing in the image (in
// memory): a flat image's file ends with it; in an ELF file it is a segment, mostly a section too, and what
// follows in the file (debugging information, symbols, section headers) moves. A flat image gets the very
// bytes that linking the same kernel with that archive would have given.
#include <elf.h>
#include <string.h>
#include "image/image.h"
#include "common/output.h"
#include "common/util.h"

#define PAGE_SIZE         4096
#define IMAGE_SIZE_OFFSET 16 // in the boot header

static uint64_t align_up(uint64_t n) {
    return (n + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

// Bytes of the archive's place in the image: whole pages, and one where there is no archive, so that an ELF
// file's segment is never empty.
static uint64_t place_size(uint64_t archive_size) {
    return archive_size ? align_up(archive_size) : PAGE_SIZE;
}

uint64_t image_memory_size(const struct image *image, uint64_t archive_size) {
    return image->descriptor.archive_offset + place_size(archive_size);
}

static void put_command_line(struct image *image, const char *line) {
    const struct image_descriptor *d = &image->descriptor;
    size_t length = strlen(line);
    if (length >= d->cmdline_size)
        fail("the command line has %zu bytes; %s has room for %llu, so it is %llu too long", length,
             image->name, (unsigned long long)(d->cmdline_size ? d->cmdline_size - 1 : 0),
             (unsigned long long)(length - (d->cmdline_size ? d->cmdline_size - 1 : 0)));
    char *place = (char *)image_command_line(image);
    memset(place, 0, d->cmdline_size);
    memcpy(place, line, length);
}

// What is the same in both kinds: descriptor and boot header.
static void put_numbers(struct image *image, uint64_t archive_size) {
    uint64_t memory_size = image_memory_size(image, archive_size);
    image->descriptor.archive_size = archive_size;
    memcpy(image->bytes + image->descriptor_at, &image->descriptor, sizeof(image->descriptor));
    memcpy(image->bytes + image->start_at + IMAGE_SIZE_OFFSET, &memory_size, sizeof(memory_size));
}

// A table of an ELF file, which must lie before the archive or behind it, whole.
static uint8_t *table(const struct image *image, uint64_t at, uint64_t count, uint64_t size,
                      uint64_t expected, const char *what) {
    if (count && (size != expected || at > image->size || count * size > image->size - at))
        fail("%s: its %s headers are not in the file; file truncated?", image->name, what);
    return image->bytes + at;
}

// Makes room: the segment that is the archive's gets `size` bytes, all that follows it in the file moves by
// `*shift`. Gives the old size of the place.
static uint64_t change_segments(struct image *image, const Elf64_Ehdr *h, uint64_t size) {
    uint8_t *at = table(image, h->e_phoff, h->e_phnum, h->e_phentsize, sizeof(Elf64_Phdr), "program");
    uint64_t old = 0, end = 0;
    Elf64_Phdr ph;
    for (unsigned int i = 0; i < h->e_phnum; i++) {
        memcpy(&ph, at + i * sizeof(ph), sizeof(ph));
        if (ph.p_type == PT_LOAD && ph.p_paddr + ph.p_memsz > end)
            end = ph.p_paddr + ph.p_memsz;
    }
    for (unsigned int i = 0; i < h->e_phnum; i++) {
        memcpy(&ph, at + i * sizeof(ph), sizeof(ph));
        if (old || ph.p_type != PT_LOAD || ph.p_offset != image->archive_at ||
            ph.p_filesz > image->size - image->archive_at)
            continue;
        if (ph.p_paddr + ph.p_memsz != end)
            fail("%s: something lies behind the archive in memory; it cannot be exchanged", image->name);
        old = ph.p_filesz;
        ph.p_filesz = ph.p_memsz = size;
        memcpy(at + i * sizeof(ph), &ph, sizeof(ph));
    }
    if (!old)
        fail("%s: the archive is not in a segment of its own; it cannot be exchanged", image->name);
    for (unsigned int i = 0; i < h->e_phnum; i++) {
        memcpy(&ph, at + i * sizeof(ph), sizeof(ph));
        if (ph.p_offset >= image->archive_at + old)
            ph.p_offset += size - old;
        memcpy(at + i * sizeof(ph), &ph, sizeof(ph));
    }
    return old;
}

static void change_sections(struct image *image, const Elf64_Ehdr *h, uint64_t old, uint64_t size) {
    uint8_t *at = table(image, h->e_shoff, h->e_shnum, h->e_shentsize, sizeof(Elf64_Shdr), "section");
    for (unsigned int i = 0; i < h->e_shnum; i++) {
        Elf64_Shdr sh;
        memcpy(&sh, at + i * sizeof(sh), sizeof(sh));
        if (sh.sh_offset >= image->archive_at + old)
            sh.sh_offset += size - old;
        else if (sh.sh_type == SHT_PROGBITS && sh.sh_offset == image->archive_at)
            sh.sh_size = size;
        memcpy(at + i * sizeof(sh), &sh, sizeof(sh));
    }
}

// Changes an ELF file's headers. Gives the size of the old archive's place.
static uint64_t change_elf(struct image *image, uint64_t size) {
    Elf64_Ehdr h;
    memcpy(&h, image->bytes, sizeof(h));
    if (h.e_shnum == 0 && h.e_shoff != 0)
        fail("%s: it has 65280 sections or more; strip it first", image->name);
    uint64_t old = change_segments(image, &h, size), end = image->archive_at + old;
    change_sections(image, &h, old, size);
    if ((h.e_phoff >= image->archive_at && h.e_phoff < end) ||
        (h.e_shoff >= image->archive_at && h.e_shoff < end))
        fail("%s: headers lie inside the archive; file damaged?", image->name);
    h.e_phoff += h.e_phoff >= end ? size - old : 0;
    h.e_shoff += h.e_shoff >= end ? size - old : 0;
    memcpy(image->bytes, &h, sizeof(h));
    return old;
}

void image_write(struct image *image, const void *archive, uint64_t archive_size, const char *command_line,
                 const char *output) {
    static const char zeros[PAGE_SIZE];
    uint64_t size = place_size(archive_size), behind = image->size;
    uint64_t old_end = image->archive_at + place_size(image->descriptor.archive_size);
    struct output out;
    if (command_line)
        put_command_line(image, command_line);
    put_numbers(image, archive_size);
    if (image->is_elf)
        behind = image->archive_at + change_elf(image, size);
    else if (image->size > old_end)
        note("%s: %llu bytes behind its archive are left out", image->name,
             (unsigned long long)(image->size - old_end));
    output_open(&out, output, "an image");
    output_write(&out, image->bytes, image->archive_at);
    output_write(&out, archive, archive_size);
    output_write(&out, zeros, size - archive_size);
    output_write(&out, image->bytes + behind, image->size - behind);
    output_finish(&out);
}
