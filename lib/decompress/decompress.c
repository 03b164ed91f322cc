// SPDX-License-Identifier: MIT
#include "lib/decompress/decompress.h"
#include "lib/decompress/formats.h"

static const struct format {
    const char *name;
    int (*run)(struct decompress *d);
    uint8_t magic[6];
    uint8_t magic_size;
} formats[] = {
    {"gzip", decompress_gzip, {0x1f, 0x8b}, 2},
    {"zstd", decompress_zstd, {0x28, 0xb5, 0x2f, 0xfd}, 4},
    {"lz4", decompress_lz4, {0x04, 0x22, 0x4d, 0x18}, 4},
    {"lz4 (legacy)", decompress_lz4_legacy, {0x02, 0x21, 0x4c, 0x18}, 4},
    {"xz", decompress_xz, {0xfd, '7', 'z', 'X', 'Z', 0x00}, 6},
};

static const struct format *format_of(const void *bytes, uint64_t size) {
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (size >= formats[i].magic_size &&
            __builtin_memcmp(bytes, formats[i].magic, formats[i].magic_size) == 0)
            return &formats[i];
    }
    return NULL;
}

const char *decompress_format(const void *bytes, uint64_t size) {
    const struct format *f = format_of(bytes, size);
    return f ? f->name : NULL;
}

int decompress(struct decompress *d) {
    const struct format *f = format_of(d->in, d->in_size);
    d->consumed = d->produced = 0;
    d->cause = NULL;
    return f ? f->run(d) : decompress_fail(d, -ENOSYS, "the format is not built in");
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
