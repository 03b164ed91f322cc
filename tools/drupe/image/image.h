// SPDX-License-Identifier: MIT
// Kernel images (lib/image.h) and the archives inside them.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/image.h"

struct image {
    const char *name; // the file's, for messages
    uint8_t *bytes;   // of the whole file
    size_t size;
    bool is_elf;
    struct image_descriptor descriptor;
    uint64_t descriptor_at; // file offsets of the descriptor, of the image's first byte
    uint64_t start_at;      // (which begins the boot header) and of the archive, if there is one
    uint64_t archive_at;
};

// Takes the bytes of a file apart. Ends the program, saying why, where they are no kernel image or not all of
// one.
void image_open(struct image *image, const char *name, uint8_t *bytes, size_t size);

// Whether the first 64 bytes or more of a file are those of a kernel, flat; or, for the other, ELF, which a program may be as well.
bool image_is_flat_kernel(const uint8_t *bytes, size_t size);
bool image_is_kernel(const uint8_t *bytes, size_t size);

// The built-in command line. It ends the program if its place is not in the file.
const char *image_command_line(const struct image *image);

// Writes the image with the archive (0 bytes: none), and with the command line unless that is NULL, to a file
// (output.h). The image's bytes are changed on the way.
void image_write(struct image *image, const void *archive, uint64_t archive_size, const char *command_line,
                 const char *output);

// Bytes of memory the image takes from its first one, with an archive of that size.
uint64_t image_memory_size(const struct image *image, uint64_t archive_size);

// Finds the archive in the bytes of a file: the file itself, or what a kernel image carries. Ends the program
// where there is none.
void image_find_archive(const char *name, const uint8_t *bytes, size_t size, const uint8_t **archive,
                        uint64_t *archive_size);

// The kernel that comes with this command: PREFIX/lib/drupe/Image of an installation, Image beside the
// command where it was built. NULL where neither exists; `tried`, if not NULL, is set to the two paths, for a
// message.
char *image_default_kernel(char **tried);
