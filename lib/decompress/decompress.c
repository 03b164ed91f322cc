// SPDX-License-Identifier: MIT
#include "lib/decompress/decompress.h"
#include "lib/decompress/formats.h"
#include "lib/magic.h"

static int (*const formats[])(struct decompress *d) = {
    [MAGIC_GZIP] = decompress_gzip,
    [MAGIC_XZ] = decompress_xz,
    [MAGIC_ZSTD] = decompress_zstd,
    [MAGIC_LZ4] = decompress_lz4,
    [MAGIC_LZ4_LEGACY] = decompress_lz4_legacy,
};

static const struct magic *format_of(const void *bytes, uint64_t size) {
    const struct magic *m = magic_find(bytes, size);
    return m && m->kind < sizeof(formats) / sizeof(formats[0]) && formats[m->kind] ? m : NULL;
}

const char *decompress_format(const void *bytes, uint64_t size) {
    const struct magic *m = format_of(bytes, size);
    return m ? m->name : NULL;
}

int decompress(struct decompress *d) {
    const struct magic *m = format_of(d->in, d->in_size);
    d->consumed = d->produced = 0;
    d->cause = NULL;
    return m ? formats[m->kind](d) : decompress_fail(d, -ENOSYS, "the format is not built in");
}

#define SIZE_FIELD 16 // keeps the alignment

void *decompress_alloc(struct decompress *d, size_t size) {
    size_t *memory = d->alloc(d->ctx, size + SIZE_FIELD);
    if (!memory)
        return NULL;
    *memory = size + SIZE_FIELD;
    return (char *)memory + SIZE_FIELD;
}

void decompress_free(struct decompress *d, void *memory) {
    if (!memory)
        return;
    size_t *start = (size_t *)((char *)memory - SIZE_FIELD);
    d->free(d->ctx, start, *start);
}
