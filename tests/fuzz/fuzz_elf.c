// SPDX-License-Identifier: MIT
// The ELF reader on any bytes. Where it accepts, everything that the loader relies on must hold.
#include <stdlib.h>
#include <string.h>
#include "lib/elf.h"

static void check(bool good) {
    if (!good)
        abort();
}

static void check_segments(const uint8_t *phdrs, size_t size, const struct elf_image *image) {
    struct elf_segment s;
    unsigned int index = 0, loads = 0;
    uint64_t end = image->low;
    while (elf_next_load(phdrs, image, &index, &s)) {
        loads++;
        check(s.filesz <= s.memsz && s.memsz > 0);
        check(s.offset <= size && s.filesz <= size - s.offset);
        check(s.vaddr % ELF_PAGE_SIZE == s.offset % ELF_PAGE_SIZE);
        check(s.vaddr >= end && s.vaddr + s.memsz > s.vaddr && s.vaddr + s.memsz <= image->high);
        end = s.vaddr + s.memsz;
    }
    check(loads == image->loads && loads > 0);
    check(image->low % ELF_PAGE_SIZE == 0 && image->high % ELF_PAGE_SIZE == 0 && image->high <= ELF_USER_TOP);
    check(image->align >= ELF_PAGE_SIZE && (image->align & (image->align - 1)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct elf_image image;
    if (elf_parse_header(bytes, size, &image) == 0 && image.phoff <= size) {
        size_t room = size - image.phoff;
        uint8_t *phdrs = malloc(room + 1); // of its own, so that the sanitizer sees its end
        memcpy(phdrs, bytes + image.phoff, room);
        if (elf_parse_segments(phdrs, room, size, &image) == 0) {
            check_segments(phdrs, size, &image);
            if (image.has_interp && elf_check_interp((const char *)bytes + image.interp_offset, &image) == 0)
                check(strlen((const char *)bytes + image.interp_offset) + 1 == image.interp_size);
        }
        free(phdrs);
    }
    check(elf_problem_text(image.problem) != NULL);
    return 0;
}
