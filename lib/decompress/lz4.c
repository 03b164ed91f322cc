// SPDX-License-Identifier: MIT
// lz4's two containers, read here, as lz4's own reader of them would keep a copy of up to 8 MiB:
//
// - frames (lz4_Frame_format.md, version 1.6.1): magic, descriptor (flags, largest block, perhaps the size of the
//   content, a byte of checksum), blocks (size with a bit for "stored"; data; perhaps their checksum), a size of
//   0, perhaps a checksum of the content. Blocks may look back 64 KiB into what came before.
// - legacy frames (`lz4 -l`, Linux's initramfs): magic, blocks of up to 8 MiB, each with its size before it. They
//   end where the buffer ends or where a size makes no sense.
#include "lib/decompress/formats.h"
#define LZ4_STATIC_LINKING_ONLY
#include <lz4.h>
#define XXH_NAMESPACE LZ4_
#include <xxhash.h>

#define FLAG_VERSION          0xc0u
#define VERSION               0x40u
#define FLAG_INDEPENDENT      0x20u
#define FLAG_BLOCK_CHECKSUM   0x10u
#define FLAG_CONTENT_SIZE     0x08u
#define FLAG_CONTENT_CHECKSUM 0x04u
#define FLAG_DICTIONARY       0x01u
#define BLOCK_STORED          0x80000000u
#define WINDOW                (64u << 10)
#define LEGACY_BLOCK          (8u << 20)
#define LEGACY_MAGIC          0x184c2102u

static uint32_t read32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// The next `size` bytes of the input; NULL if it ends before.
static const uint8_t *take(struct decompress *d, uint64_t size) {
    if (size > d->in_size - d->consumed)
        return NULL;
    const uint8_t *at = d->in + d->consumed;
    d->consumed += size;
    return at;
}

static bool take32(struct decompress *d, uint32_t *out) {
    const uint8_t *at = take(d, 4);
    if (at)
        *out = read32(at);
    return at != NULL;
}

// One block of at most `largest` bytes of content, which may look back into the last `back` bytes of output.
static int block(struct decompress *d, const uint8_t *data, uint32_t size, bool stored, uint32_t largest,
                 uint64_t back) {
    uint64_t room = d->out_size - d->produced;
    uint8_t *to = d->out + d->produced;
    uint32_t most = room < largest ? (uint32_t)room : largest;
    if (stored) {
        if (size > largest)
            return decompress_fail_damaged(d);
        if (size > room)
            return decompress_fail_room(d);
        __builtin_memcpy(to, data, size);
        d->produced += size;
        return 0;
    }
    int dictionary = (int)(back < WINDOW ? back : WINDOW);
    int n = LZ4_decompress_safe_usingDict((const char *)data, (char *)to, (int)size, (int)most,
                                          (const char *)to - dictionary, dictionary);
    if (n < 0)
        return most < largest ? decompress_fail_room(d) : decompress_fail_damaged(d);
    d->produced += (uint32_t)n;
    return 0;
}

struct frame {
    uint32_t flags, largest;
    uint64_t content_size;
};

static int descriptor(struct decompress *d, struct frame *f) {
    const uint8_t *at = take(d, 2);
    if (!at)
        return decompress_fail_cut(d);
    f->flags = at[0];
    unsigned int code = at[1] >> 4 & 7;
    if ((f->flags & FLAG_VERSION) != VERSION || code < 4)
        return decompress_fail_damaged(d);
    if (f->flags & FLAG_DICTIONARY)
        return decompress_fail(d, -EINVAL, "it needs a dictionary");
    f->largest = 1u << (8 + 2 * code);
    uint64_t size = 2;
    if (f->flags & FLAG_CONTENT_SIZE) {
        const uint8_t *field = take(d, 8);
        if (!field)
            return decompress_fail_cut(d);
        f->content_size = read32(field) | (uint64_t)read32(field + 4) << 32;
        size += 8;
    }
    const uint8_t *check = take(d, 1);
    if (!check)
        return decompress_fail_cut(d);
    return (XXH32(at, size, 0) >> 8 & 0xff) == *check ? 0 : decompress_fail_checksum(d);
}

static int blocks(struct decompress *d, const struct frame *f) {
    for (;;) {
        uint32_t word, sum;
        if (!take32(d, &word))
            return decompress_fail_cut(d);
        if (!word)
            return 0;
        uint32_t size = word & ~BLOCK_STORED;
        const uint8_t *data = take(d, size);
        if (!data)
            return decompress_fail_cut(d);
        if (f->flags & FLAG_BLOCK_CHECKSUM) {
            if (!take32(d, &sum))
                return decompress_fail_cut(d);
            if (XXH32(data, size, 0) != sum)
                return decompress_fail_checksum(d);
        }
        int err = block(d, data, size, word & BLOCK_STORED, f->largest,
                        f->flags & FLAG_INDEPENDENT ? 0 : d->produced);
        if (err)
            return err;
        if (d->progress)
            d->progress(d->ctx, d->consumed);
    }
}

int decompress_lz4(struct decompress *d) {
    struct frame f = {0};
    d->consumed = 4; // the magic
    int err = descriptor(d, &f);
    if (!err)
        err = blocks(d, &f);
    if (!err && f.flags & FLAG_CONTENT_SIZE && f.content_size != d->produced)
        err = decompress_fail(d, -EINVAL, "its content is not as long as it says");
    uint32_t sum;
    if (!err && f.flags & FLAG_CONTENT_CHECKSUM) {
        if (!take32(d, &sum))
            return decompress_fail_cut(d);
        if (XXH32(d->out, d->produced, 0) != sum)
            return decompress_fail_checksum(d);
    }
    return err;
}

int decompress_lz4_legacy(struct decompress *d) {
    d->consumed = 4;
    for (;;) {
        uint32_t size;
        const uint8_t *at = d->in + d->consumed;
        // The end: nothing, padding, another frame, or another archive.
        if (d->in_size - d->consumed < 4)
            return 0;
        size = read32(at);
        if (!size || size == LEGACY_MAGIC || size > (uint32_t)LZ4_COMPRESSBOUND(LEGACY_BLOCK))
            return 0;
        d->consumed += 4;
        const uint8_t *data = take(d, size);
        if (!data)
            return decompress_fail_cut(d);
        int err = block(d, data, size, false, LEGACY_BLOCK, 0);
        if (err)
            return err;
        if (d->progress)
            d->progress(d->ctx, d->consumed);
    }
}
