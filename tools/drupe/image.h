// SPDX-License-Identifier: MIT
// The archive inside a file: the file itself, or what a kernel image carries (lib/image.h).
#pragma once
#include <stddef.h>
#include <stdint.h>

// Finds the archive in the bytes of a file. `name` is the file's, for messages; ends the program where there
// is none.
void image_find_archive(const char *name, const uint8_t *bytes, size_t size, const uint8_t **archive,
                        uint64_t *archive_size);
