// SPDX-License-Identifier: MIT
// Decompression into one piece of memory, by the compressors' own libraries: gzip (zlib), zstd, lz4 (frame and
// legacy format) and xz (XZ Embedded). Each library is included by one file of this folder.
//
// The output is where the result stays and is the decompressor's window too, so none of them needs memory for
// a window of its own, whatever the archive was compressed with. What they need besides is below 256 KiB.
//
// A *frame* is what one run of the compressor made: a gzip member, a zstd or lz4 frame, an xz stream. Nothing
// here holds state between calls; one caller at a time for each struct.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decompress {
    const uint8_t *in; // the frame begins here
    uint64_t in_size;  // bytes to the end of the buffer, which may hold more than the frame
    uint8_t *out;
    uint64_t out_size; // room
    // Working memory, at most DECOMPRESS_ALLOC_MAX bytes at once, aligned to 16; NULL where there is none.
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *memory, size_t size);
    // From time to time: the first `consumed` bytes of the input will not be read again. May be NULL.
    void (*progress)(void *ctx, uint64_t consumed);
    void *ctx;
    // Results.
    uint64_t consumed; // bytes of the input that the frame took
    uint64_t produced; // bytes of output
    const char *cause; // of a failure, as the end of a sentence: "the data are damaged"
};

#define DECOMPRESS_ALLOC_MAX (256u << 10)

// What begins at `bytes`, where decompress() knows it: "gzip", "zstd", "lz4", "lz4 (legacy)", "xz"; else NULL.
const char *decompress_format(const void *bytes, uint64_t size);

// Decompresses one frame, of the format that its first bytes tell. 0; or with d->cause -EINVAL (damaged, cut
// short, or a variant that is not read), -ENOSPC (more output than room), -ENOMEM, -ENOSYS (no format of ours).
// After a failure d->produced bytes of output are right but for the last block's.
int __attribute__((warn_unused_result)) decompress(struct decompress *d);
