// SPDX-License-Identifier: MIT
// The header of a kept root (cache.h), at the beginning of its file.
#pragma once
#include <stdbool.h>
#include "root/cache.h"

#define HEADER_MOST (1u << 20) // bytes of it, in the 2 MiB that are the firmware's

// Reads the header of the file, which has `file_size` bytes. False: it is none of ours. *mtime_ns is the time that the file
// should have, *sha256 (64 digits and a NUL) what its archive should have.
bool header_read(int fd, uint64_t file_size, struct kept *out, int64_t *mtime_ns, char *sha256);
// Writes it. Ends the command where that fails.
void header_write(int fd, const struct kept *k, int64_t mtime_ns, const char *sha256);
// Sets the file's time, and gives what it is then: file systems have different ideas of how exact one is.
int64_t header_set_time(int fd, int64_t mtime_ns);
