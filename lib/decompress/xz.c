// SPDX-License-Identifier: MIT
// xz streams by XZ Embedded, which busybox carries, in its single-call mode: the output is the dictionary. It
// asks for memory through malloc() without a context of ours; `working` is that, for the length of one call.
// It knows CRC32 and no check, as Linux's copy does.
#include "lib/decompress/formats.h"
#include <stdlib.h>
#include <string.h>
#define Z_SOLO
#define ZLIB_CONST
#include <zlib.h>

static struct decompress *working;

static void *xz_allocate(size_t size) {
    return decompress_alloc(working, size);
}
static void xz_release(void *memory) {
    decompress_free(working, memory);
}
static uint32_t xz_crc32(const uint8_t *data, size_t size, uint32_t crc) {
    return (uint32_t)crc32_z(crc, data, size);
}

#define XZ_FUNC
#define XZ_EXTERN static
#define XZ_DEC_SINGLE
#define NOINLINE
#define XZ_INTERNAL_CRC32 0
#define malloc            xz_allocate
#define free              xz_release
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#include <xz_dec_lzma2.c>
#include <xz_dec_stream.c>
#pragma GCC diagnostic pop

static int failure(struct decompress *d, enum xz_ret code) {
    switch (code) {
    case XZ_OPTIONS_ERROR:
        return decompress_fail(
            d, -EINVAL, "it has a check or filter that is not built in; make it with xz --check=crc32");
    case XZ_BUF_ERROR: // the room: the end of the input is a data error
        return decompress_fail_room(d);
    default:
        return decompress_fail(d, -EINVAL, "the data are damaged, or end too early; truncated?");
    }
}

int decompress_xz(struct decompress *d) {
    working = d;
    struct xz_dec *xz = xz_dec_init(XZ_SINGLE, 0);
    if (!xz)
        return decompress_fail_memory(d);
    struct xz_buf b = {.in = d->in, .in_size = d->in_size, .out = d->out, .out_size = d->out_size};
    enum xz_ret code = xz_dec_run(xz, &b);
    xz_dec_end(xz);
    working = NULL;
    d->consumed = b.in_pos;
    d->produced = b.out_pos;
    if (code != XZ_STREAM_END)
        return failure(d, code);
    if (d->progress)
        d->progress(d->ctx, d->consumed);
    return 0;
}
