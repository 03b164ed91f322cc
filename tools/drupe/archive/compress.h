// SPDX-License-Identifier: MIT
// Compresses what is written, in formats that both this kernel and Linux's initramfs read. The libraries are the
// pinned ones that deps/ fetches (xz: the machine's liblzma), so equal input gives equal bytes elsewhere too.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/output.h"

struct compressor_kind;

struct compression {
    const struct compressor_kind *kind; // NULL: none
    int level;
};

// What --compress says: none, or gzip, zstd, lz4 or xz, with an optional ":LEVEL". False where it makes no sense.
bool compression_parse(const char *text, struct compression *out);

struct compressor {
    struct compression how;
    struct output *output;
    void *state;
    unsigned char *buffer; // on its way to the output
};

// End the program where memory is short.
void compressor_open(struct compressor *c, const struct compression *how, struct output *output);
void compressor_write(struct compressor *c, const void *bytes, size_t count);
void compressor_finish(struct compressor *c);
