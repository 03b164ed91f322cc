// SPDX-License-Identifier: MIT
#include "archive/compress.h"
#include <lz4.h>
#include <lz4hc.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define Z_SOLO // its memory comes from us
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include "common/util.h"

#define BUFFER       (256 * 1024)
#define LEGACY_BLOCK (8u << 20) // of lz4's format for Linux
#define LEGACY_MAGIC 0x184c2102u
#define GZIP_WINDOW  (16 + 15) // deflateInit2(): gzip's header and trailer

struct compressor_kind {
    const char *name;
    int least, most, usual; // level
    void (*open)(struct compressor *c);
    // `last`: nothing comes behind these bytes.
    void (*write)(struct compressor *c, const void *bytes, size_t count, bool last);
};

static _Noreturn void out_of_memory(void) {
    fail("there is no memory to compress in");
}

// ---- gzip

static void *gzip_alloc(void *opaque, unsigned int items, unsigned int size) {
    (void)opaque;
    return calloc(items, size);
}
static void gzip_free(void *opaque, void *memory) {
    (void)opaque;
    free(memory);
}

static void gzip_open(struct compressor *c) {
    z_stream *z = xcalloc(1, sizeof(*z));
    z->zalloc = gzip_alloc;
    z->zfree = gzip_free;
    if (deflateInit2(z, c->how.level, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        out_of_memory();
    c->state = z;
}

static void gzip_write(struct compressor *c, const void *bytes, size_t count, bool last) {
    z_stream *z = c->state;
    int code;
    z->next_in = bytes;
    z->avail_in = (unsigned int)count;
    do {
        z->next_out = c->buffer;
        z->avail_out = BUFFER;
        code = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        output_write(c->output, c->buffer, BUFFER - z->avail_out);
    } while (z->avail_out == 0);
    if (last && code == Z_STREAM_END) {
        deflateEnd(z);
        free(z);
    }
}

// ---- zstd

static void zstd_open(struct compressor *c) {
    ZSTD_CStream *z = ZSTD_createCStream();
    if (!z || ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, c->how.level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)))
        out_of_memory();
    c->state = z;
}

static void zstd_write(struct compressor *c, const void *bytes, size_t count, bool last) {
    ZSTD_inBuffer in = {bytes, count, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {c->buffer, BUFFER, 0};
        left = ZSTD_compressStream2(c->state, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            out_of_memory();
        output_write(c->output, c->buffer, out.pos);
    } while (last ? left != 0 : in.pos < in.size);
    if (last)
        ZSTD_freeCStream(c->state);
}

// ---- lz4: the legacy format, which is the one that Linux reads

struct lz4 {
    size_t used;
    char *block, *packed;
};

static void put32(struct compressor *c, uint32_t n) {
    const unsigned char bytes[4] = {(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16),
                                    (unsigned char)(n >> 24)};
    output_write(c->output, bytes, sizeof(bytes));
}

static void lz4_open(struct compressor *c) {
    struct lz4 *z = xcalloc(1, sizeof(*z));
    z->block = xcalloc(1, LEGACY_BLOCK);
    z->packed = xcalloc(1, LZ4_COMPRESSBOUND(LEGACY_BLOCK));
    c->state = z;
    put32(c, LEGACY_MAGIC);
}

static void lz4_block(struct compressor *c) {
    struct lz4 *z = c->state;
    int n = LZ4_compress_HC(z->block, z->packed, (int)z->used, LZ4_COMPRESSBOUND(LEGACY_BLOCK), c->how.level);
    if (n <= 0)
        out_of_memory();
    put32(c, (uint32_t)n);
    output_write(c->output, z->packed, (size_t)n);
    z->used = 0;
}

static void lz4_write(struct compressor *c, const void *bytes, size_t count, bool last) {
    struct lz4 *z = c->state;
    const char *from = bytes;
    while (count) {
        size_t room = LEGACY_BLOCK - z->used, n = count < room ? count : room;
        memcpy(z->block + z->used, from, n);
        z->used += n;
        from += n;
        count -= n;
        if (z->used == LEGACY_BLOCK)
            lz4_block(c);
    }
    if (!last)
        return;
    if (z->used)
        lz4_block(c);
    free(z->block);
    free(z->packed);
    free(z);
}

// ---- xz

static void xz_open(struct compressor *c) {
    static const lzma_stream fresh = LZMA_STREAM_INIT;
    lzma_stream *z = xcalloc(1, sizeof(*z));
    *z = fresh;
    if (lzma_easy_encoder(z, (uint32_t)c->how.level, LZMA_CHECK_CRC32) !=
        LZMA_OK) // Linux knows no other check
        out_of_memory();
    c->state = z;
}

static void xz_write(struct compressor *c, const void *bytes, size_t count, bool last) {
    lzma_stream *z = c->state;
    lzma_ret code;
    z->next_in = bytes;
    z->avail_in = count;
    do {
        z->next_out = c->buffer;
        z->avail_out = BUFFER;
        code = lzma_code(z, last ? LZMA_FINISH : LZMA_RUN);
        if (code != LZMA_OK && code != LZMA_STREAM_END)
            out_of_memory();
        output_write(c->output, c->buffer, BUFFER - z->avail_out);
    } while (last ? code != LZMA_STREAM_END : z->avail_in != 0);
    if (last) {
        lzma_end(z);
        free(z);
    }
}

// ---- all

static const struct compressor_kind kinds[] = {
    {"gzip", 1, 9, 9, gzip_open, gzip_write},
    {"zstd", 1, 22, 9, zstd_open, zstd_write},
    {"lz4", 1, 12, 9, lz4_open, lz4_write},
    {"xz", 0, 9, 6, xz_open, xz_write},
};

bool compression_parse(const char *text, struct compression *out) {
    size_t length = strcspn(text, ":");
    *out = (struct compression){0};
    if (strcmp(text, "none") == 0)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct compressor_kind *k = &kinds[i];
        if (strlen(k->name) != length || memcmp(k->name, text, length) != 0)
            continue;
        char *end = "";
        long level = k->usual;
        if (text[length]) {
            level = strtol(text + length + 1, &end, 10);
            if (end == text + length + 1)
                return false;
        }
        *out = (struct compression){k, (int)level};
        return *end == '\0' && level >= k->least && level <= k->most;
    }
    return false;
}

void compressor_open(struct compressor *c, const struct compression *how, struct output *output) {
    *c = (struct compressor){.how = *how, .output = output};
    if (!how->kind)
        return;
    c->buffer = xcalloc(1, BUFFER);
    how->kind->open(c);
}

void compressor_write(struct compressor *c, const void *bytes, size_t count) {
    if (c->how.kind)
        c->how.kind->write(c, bytes, count, false);
    else
        output_write(c->output, bytes, count);
}

void compressor_finish(struct compressor *c) {
    if (!c->how.kind)
        return;
    c->how.kind->write(c, NULL, 0, true);
    free(c->buffer);
}
