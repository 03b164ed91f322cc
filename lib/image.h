// SPDX-License-Identifier: MIT
// The image descriptor: where a kernel image carries its archive and its built-in command line.
//
// The kernel holds one, initialised at link time, 8-byte aligned, in its read-only data; tools find it by its
// magic and patch it. Offsets count from the image's first byte, which is the first byte of the flat Image
// and the link address of `_start`: in the flat Image they are file offsets; in the ELF the archive is a
// PT_LOAD segment of its own, at the physical address of the first segment plus archive_offset. All numbers
// are little endian.
#pragma once
#include <stdint.h>

#define IMAGE_MAGIC      "DRUPE-INITRD-1\0" // with the literal's own NUL: 16 bytes
#define IMAGE_MAGIC_SIZE 16
#define IMAGE_ALIGN      4096 // of archive_offset

struct image_descriptor {
    char magic[IMAGE_MAGIC_SIZE];
    uint64_t archive_offset; // a multiple of IMAGE_ALIGN
    uint64_t archive_size;   // bytes; 0: no archive
    uint64_t cmdline_offset; // of the built-in command line, NUL-terminated within cmdline_size
    uint64_t cmdline_size;   // bytes reserved for it, the NUL included
};
_Static_assert(sizeof(struct image_descriptor) == 48, "tools and kernel agree on the layout");
_Static_assert(sizeof(IMAGE_MAGIC) == IMAGE_MAGIC_SIZE, "magic fills its field");
