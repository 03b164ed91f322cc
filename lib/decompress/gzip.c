// SPDX-License-Identifier: MIT
// gzip members (RFC 1952) by zlib, which checks the CRC and the length.
#include "lib/decompress/formats.h"
#define Z_SOLO // no <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#define GZIP_WINDOW (16 + 15) // inflateInit2(): gzip's header and trailer, the largest window
#define STEP        (1u << 20)

static void *allocate(void *d, unsigned int items, unsigned int size) {
    return decompress_alloc(d, (size_t)items * size);
}
static void release(void *d, void *memory) {
    decompress_free(d, memory);
}

static int failure(struct decompress *d, int code, const z_stream *z) {
    switch (code) {
    case Z_MEM_ERROR:
        return decompress_fail_memory(d);
    case Z_BUF_ERROR:
        return z->avail_out ? decompress_fail_cut(d) : decompress_fail_room(d);
    default: // zlib's word for a wrong CRC or length
        return z->msg && (__builtin_strstr(z->msg, "data check") || __builtin_strstr(z->msg, "length check"))
                   ? decompress_fail_checksum(d)
                   : decompress_fail_damaged(d);
    }
}

int decompress_gzip(struct decompress *d) {
    z_stream z = {.zalloc = allocate, .zfree = release, .opaque = d};
    int code = inflateInit2(&z, GZIP_WINDOW);
    while (code == Z_OK) {
        uint64_t in = d->in_size - d->consumed, out = d->out_size - d->produced;
        z.next_in = d->in + d->consumed;
        z.avail_in = in < STEP ? (unsigned int)in : STEP;
        z.next_out = d->out + d->produced;
        z.avail_out = out < (1u << 30) ? (unsigned int)out : 1u << 30;
        code = inflate(&z, Z_NO_FLUSH);
        d->consumed = (uint64_t)(z.next_in - d->in);
        d->produced = (uint64_t)(z.next_out - d->out);
        if (d->progress)
            d->progress(d->ctx, d->consumed);
    }
    int err = code == Z_STREAM_END ? 0 : failure(d, code, &z);
    inflateEnd(&z);
    return err;
}
