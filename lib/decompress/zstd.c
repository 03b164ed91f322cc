// SPDX-License-Identifier: MIT
// zstd frames (RFC 8878). The output buffer is *stable*: zstd may look back into it and needs no window.
#include "lib/decompress/formats.h"
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#define STEP (1u << 20)

static void *allocate(void *d, size_t size) {
    return decompress_alloc(d, size);
}
static void release(void *d, void *memory) {
    decompress_free(d, memory);
}

static int failure(struct decompress *d, size_t code) {
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_checksum_wrong:
        return decompress_fail_checksum(d);
    case ZSTD_error_memory_allocation:
        return decompress_fail_memory(d);
    case ZSTD_error_dstSize_tooSmall:
    case ZSTD_error_noForwardProgress_destFull:
        return decompress_fail_room(d);
    case ZSTD_error_dictionary_wrong:
        return decompress_fail(d, -EINVAL, "it needs a dictionary");
    case ZSTD_error_frameParameter_windowTooLarge:
        return decompress_fail(d, -EINVAL, "its window is larger than 2 GiB");
    default:
        return decompress_fail_damaged(d);
    }
}

int decompress_zstd(struct decompress *d) {
    ZSTD_DStream *z = ZSTD_createDStream_advanced((ZSTD_customMem){allocate, release, d});
    if (!z)
        return decompress_fail_memory(d);
    size_t code = ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOWLOG_MAX);
    if (!ZSTD_isError(code))
        code = ZSTD_DCtx_setParameter(z, ZSTD_d_stableOutBuffer, 1);
    ZSTD_outBuffer out = {d->out, d->out_size, 0};
    int err = 0;
    bool at_end = ZSTD_isError(code);
    while (!at_end) {
        uint64_t left = d->in_size - d->consumed;
        size_t before = out.pos;
        ZSTD_inBuffer in = {d->in + d->consumed, left < STEP ? left : STEP, 0};
        code = ZSTD_decompressStream(z, &out, &in);
        d->consumed += in.pos;
        d->produced = out.pos;
        if (d->progress)
            d->progress(d->ctx, d->consumed);
        at_end = ZSTD_isError(code) || code == 0;
        if (!at_end && in.pos == 0 && out.pos == before) {
            err = left ? decompress_fail_room(d) : decompress_fail_cut(d);
            at_end = true;
        }
    }
    if (!err && ZSTD_isError(code))
        err = failure(d, code);
    ZSTD_freeDStream(z);
    return err;
}
