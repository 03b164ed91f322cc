// SPDX-License-Identifier: MIT
// The formats, for decompress.c only. Each decompresses one frame; its magic has been seen.
#pragma once
#include "lib/decompress/decompress.h"
#include "lib/errno.h"

int decompress_gzip(struct decompress *d);
int decompress_zstd(struct decompress *d);
int decompress_lz4(struct decompress *d);
int decompress_lz4_legacy(struct decompress *d);
int decompress_xz(struct decompress *d);

static inline int decompress_fail(struct decompress *d, int err, const char *cause) {
    d->cause = cause;
    return err;
}
static inline int decompress_fail_cut(struct decompress *d) {
    return decompress_fail(d, -EINVAL, "it ends too early; truncated?");
}
static inline int decompress_fail_damaged(struct decompress *d) {
    return decompress_fail(d, -EINVAL, "the data are damaged");
}
static inline int decompress_fail_checksum(struct decompress *d) {
    return decompress_fail(d, -EINVAL, "the checksum is wrong");
}
static inline int decompress_fail_room(struct decompress *d) {
    return decompress_fail(d, -ENOSPC, "there is not enough memory in one piece for what is in it");
}
static inline int decompress_fail_memory(struct decompress *d) {
    return decompress_fail(d, -ENOMEM, "there is no memory to work in");
}

// Memory for libraries whose free() does not tell the size: it stands in front.
void *decompress_alloc(struct decompress *d, size_t size);
void decompress_free(struct decompress *d, void *memory);
