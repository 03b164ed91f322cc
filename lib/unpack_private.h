// SPDX-License-Identifier: MIT
// Between unpack.c, which makes what one entry says, and unpack_buffer.c, which goes through buffers.
#pragma once
#include "lib/unpack.h"

#define UNPACK_TEXT_MAX 512

// Makes the entry. What is wrong with it is reported; 0, or -errno where the buffer ends with it.
int unpack_entry(struct unpack *u, const struct cpio_entry *e);
// Forgets the files with several names: an archive has ended.
void unpack_links_forget(struct unpack *u);

void unpack_report(struct unpack *u, enum unpack_severity severity, const char *sentence);
void unpack_report_error(struct unpack *u, enum unpack_severity severity, const struct cpio_error *error);

// A file points to these bytes from now on; they lie behind those kept before. What is between the two is
// released.
void unpack_keep(struct unpack *u, const void *data, uint64_t size);
