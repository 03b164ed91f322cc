// SPDX-License-Identifier: MIT
// The decompressors on frames made here byte by byte: what each part of a frame may be, and what is said of
// one that is wrong. Real compressors' output is in test_compressed.py.
#include "lib/decompress/decompress.h"
#include "archive.h"
#include "lib/errno.h"
#include "unit.h"

#define CUT            "it ends too early; truncated?"
#define DAMAGED        "the data are damaged"
#define DAMAGED_OR_CUT "the data are damaged, or end too early; truncated?"
#define CHECKSUM       "the checksum is wrong"
#define ROOM           "there is not enough memory in one piece for what is in it"
#define MEMORY         "there is no memory to work in"

// Of the libraries that are linked in.
uint32_t LZ4_XXH32(const void *bytes, size_t size, unsigned int seed);
unsigned long crc32_z(unsigned long crc, const uint8_t *bytes, size_t size);

struct fixture {
    struct archive a; // the frame
    size_t room, allocations, allocated;
    uint8_t out[1 << 20];
    struct decompress d;
    uint64_t progress;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    f->room = sizeof(f->out);
    f->allocations = SIZE_MAX;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    archive_free(&f->a);
    free(f);
    return 0;
}

static void *allocate(void *ctx, size_t size) {
    struct fixture *f = ctx;
    assert_true(size <= DECOMPRESS_ALLOC_MAX);
    if (!f->allocations)
        return NULL;
    f->allocations--;
    f->allocated += size;
    return malloc(size);
}

static void release(void *ctx, void *memory, size_t size) {
    struct fixture *f = ctx;
    f->allocated -= size;
    free(memory);
}

static void progress(void *ctx, uint64_t consumed) {
    struct fixture *f = ctx;
    assert_true(consumed >= f->progress);
    f->progress = consumed;
}

static int run_size(struct fixture *f, size_t size) {
    uint8_t *in = malloc(size); // of its own, so that the sanitizer sees its end
    memcpy(in, f->a.bytes, size);
    f->progress = 0;
    f->d = (struct decompress){.in = in,
                               .in_size = size,
                               .out = f->out,
                               .out_size = f->room,
                               .alloc = allocate,
                               .free = release,
                               .progress = progress,
                               .ctx = f};
    int err = decompress(&f->d);
    assert_true(f->d.consumed <= size && f->progress <= f->d.consumed && f->d.produced <= f->room);
    assert_int_equal(f->allocated, 0);
    free(in);
    return err;
}

#define assert_fails(f, size, err, why)                                                                      \
    do {                                                                                                     \
        assert_int_equal(run_size(f, size), err);                                                            \
        assert_string_equal((f)->d.cause, why);                                                              \
    } while (0)

static void assert_gives(struct fixture *f, const char *content) {
    assert_int_equal(run_size(f, f->a.size), 0);
    assert_null(f->d.cause);
    assert_int_equal(f->d.consumed, f->a.size);
    assert_int_equal(f->d.produced, strlen(content));
    assert_memory_equal(f->out, content, strlen(content));
}

// Gives `content`, and a failure with nothing lost for want of room, for every allocation that fails, and
// wherever it is cut.
static void check_good(struct fixture *f, const char *content, size_t shortest) {
    assert_gives(f, content);
    for (size_t size = shortest; size < f->a.size; size++)
        assert_int_equal(run_size(f, size), -EINVAL);
    f->room = strlen(content) - 1;
    assert_fails(f, f->a.size, -ENOSPC, ROOM);
    f->room = sizeof(f->out);
    size_t n = 0;
    for (f->allocations = 0; run_size(f, f->a.size) != 0; f->allocations = ++n)
        assert_string_equal(f->d.cause, MEMORY);
    f->allocations = SIZE_MAX;
}

static void put(struct fixture *f, const char *bytes, size_t count) {
    archive_bytes(&f->a, bytes, count);
}
#define PUT(f, string) put(f, string, sizeof(string) - 1)

static void put_number(struct fixture *f, uint64_t value, unsigned int bytes) {
    for (; bytes--; value >>= 8)
        archive_bytes(&f->a, &(uint8_t){(uint8_t)value}, 1);
}

// ---- gzip ----

static void put_gzip(struct fixture *f, const char *content) {
    uint16_t size = (uint16_t)strlen(content);
    PUT(f, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x01"); // one block, stored
    put_number(f, size, 2);
    put_number(f, (uint16_t)~size, 2);
    put(f, content, size);
    put_number(f, crc32_z(0, (const uint8_t *)content, size), 4);
    put_number(f, size, 4);
}

static void decompress_reads_a_gzip_member(void **state) {
    struct fixture *f = *state;
    put_gzip(f, "some text");
    check_good(f, "some text", 2);
    assert_fails(f, f->a.size - 1, -EINVAL, CUT);
}

static void decompress_checks_sum_and_length_of_gzip(void **state) {
    struct fixture *f = *state;
    put_gzip(f, "some text");
    f->a.bytes[f->a.size - 1]++;
    assert_fails(f, f->a.size, -EINVAL, CHECKSUM);
    f->a.bytes[f->a.size - 1]--;
    f->a.bytes[f->a.size - 8]++;
    assert_fails(f, f->a.size, -EINVAL, CHECKSUM);
    f->a.bytes[2]++; // the method
    assert_fails(f, f->a.size, -EINVAL, DAMAGED);
}

// ---- zstd ----

static void decompress_reads_a_zstd_frame(void **state) {
    struct fixture *f = *state;
    PUT(f, "\x28\xb5\x2f\xfd\x20\x09\x49\0\0some text"); // one block, raw
    check_good(f, "some text", 4);
    assert_fails(f, f->a.size - 1, -EINVAL, CUT);
}

// A frame whose end is not there is not read in one go, and needs a second allocation.
static void decompress_tells_when_zstd_gets_no_buffer(void **state) {
    struct fixture *f = *state;
    PUT(f, "\x28\xb5\x2f\xfd\x20\x09\x49\0\0some text");
    f->allocations = 1;
    assert_fails(f, f->a.size - 1, -ENOMEM, MEMORY);
}

static void decompress_tells_what_is_wrong_with_zstd(void **state) {
    struct fixture *f = *state;
    PUT(f, "\x28\xb5\x2f\xfd\x24\x04\x21\0\0text\0\0\0\0");
    assert_fails(f, f->a.size, -EINVAL, CHECKSUM);
    f->a.size = 4;
    PUT(f, "\x21\x01\x04\x21\0\0text");
    assert_fails(f, f->a.size, -EINVAL, "it needs a dictionary");
    f->a.size = 4;
    PUT(f, "\0\xff\x21\0\0text");
    assert_fails(f, f->a.size, -EINVAL, "its window is larger than 2 GiB");
    f->a.size = 4;
    PUT(f, "\x20\x04\x27\0\0text"); // a block of the kind that there is not
    assert_fails(f, f->a.size, -EINVAL, DAMAGED);
}

// ---- lz4 ----

#define CONTENT_SUM 0x04
#define HAS_SIZE    0x08
#define BLOCK_SUM   0x10
#define INDEPENDENT 0x20
#define LZ4_TEXT    "\x90some text" // nine literals

static void put_lz4_head(struct fixture *f, uint8_t flags, uint64_t content_size) {
    f->a.size = 0;
    PUT(f, "\x04\x22\x4d\x18");
    put_number(f, 0x40 | flags, 1);
    put_number(f, 0x40, 1); // blocks of 64 KiB at most
    if (flags & HAS_SIZE)
        put_number(f, content_size, 8);
    put_number(f, LZ4_XXH32(f->a.bytes + 4, f->a.size - 4, 0) >> 8, 1);
}

static void put_lz4_block(struct fixture *f, const char *data, size_t size, bool stored, bool sum) {
    put_number(f, size | (stored ? 0x80000000u : 0), 4);
    put(f, data, size);
    if (sum)
        put_number(f, LZ4_XXH32(data, size, 0), 4);
}

static void put_lz4_end(struct fixture *f, const char *summed) {
    put_number(f, 0, 4);
    if (summed)
        put_number(f, LZ4_XXH32(summed, strlen(summed), 0), 4);
}

static void decompress_reads_lz4_frames_with_all_options(void **state) {
    struct fixture *f = *state;
    for (uint8_t flags = 0; flags < 0x40; flags += 4) {
        put_lz4_head(f, flags, 18);
        put_lz4_block(f, LZ4_TEXT, 10, false, flags & BLOCK_SUM);
        put_lz4_block(f, "some text", 9, true, flags & BLOCK_SUM);
        put_lz4_end(f, flags & CONTENT_SUM ? "some textsome text" : NULL);
        check_good(f, "some textsome text", 4);
        assert_fails(f, f->a.size - 1, -EINVAL, CUT);
    }
    put_lz4_head(f, 0, 0);
    put_lz4_block(f, LZ4_TEXT, 10, false, false);
    put_lz4_end(f, NULL);
    check_good(f, "some text", 4);
}

static void decompress_looks_back_over_linked_lz4_blocks(void **state) {
    struct fixture *f = *state;
    for (uint8_t flags = 0; flags <= INDEPENDENT; flags += INDEPENDENT) {
        put_lz4_head(f, flags, 0);
        put_lz4_block(f, LZ4_TEXT, 10, false, false);
        put_lz4_block(f, "\x00\x09\x00\x50 more", 9, false, false); // the last 9 bytes' first four again
        put_lz4_end(f, NULL);
        if (flags)
            assert_fails(f, f->a.size, -EINVAL, DAMAGED);
        else
            assert_gives(f, "some textsome more");
    }
}

static void decompress_checks_every_sum_of_lz4(void **state) {
    struct fixture *f = *state;
    put_lz4_head(f, BLOCK_SUM | CONTENT_SUM, 0);
    size_t head = f->a.size;
    put_lz4_block(f, LZ4_TEXT, 10, false, true);
    size_t block = f->a.size;
    put_lz4_end(f, "some text");
    assert_gives(f, "some text");
    const size_t sums[] = {head, block, f->a.size};
    for (size_t i = 0; i < 3; i++) {
        f->a.bytes[sums[i] - 1]++;
        assert_fails(f, f->a.size, -EINVAL, CHECKSUM);
        f->a.bytes[sums[i] - 1]--;
    }
}

static void decompress_tells_what_is_wrong_with_lz4(void **state) {
    struct fixture *f = *state;
    char large[65537] = "";
    put_lz4_head(f, HAS_SIZE, 10);
    put_lz4_block(f, "some text", 9, true, false);
    put_lz4_end(f, NULL);
    assert_fails(f, f->a.size, -EINVAL, "its content is not as long as it says");
    put_lz4_head(f, 0x01, 0);
    assert_fails(f, f->a.size, -EINVAL, "it needs a dictionary");
    put_lz4_head(f, 0x80, 0); // another version
    assert_fails(f, f->a.size, -EINVAL, DAMAGED);
    put_lz4_head(f, 0, 0);
    f->a.bytes[5] = 0x30; // a block size that there is not
    assert_fails(f, f->a.size, -EINVAL, DAMAGED);
    put_lz4_head(f, 0, 0);
    put_lz4_block(f, large, sizeof(large), true, false); // larger than blocks may be
    assert_fails(f, f->a.size, -EINVAL, DAMAGED);
}

static void decompress_reads_legacy_lz4_frames(void **state) {
    struct fixture *f = *state;
    PUT(f, "\x02\x21\x4c\x18");
    put_lz4_block(f, LZ4_TEXT, 10, false, false);
    assert_gives(f, "some text");
    assert_fails(f, f->a.size - 1, -EINVAL, CUT);
    f->room = 8;
    assert_fails(f, f->a.size, -ENOSPC, ROOM);
    f->room = sizeof(f->out);
    PUT(f, "\0\0\0\0"); // is not of the frame
    assert_int_equal(run_size(f, f->a.size), 0);
    assert_int_equal(f->d.consumed, f->a.size - 4);
}

// ---- xz ----

static const uint8_t xz_text[] = {0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36,
                                  0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3,
                                  0x01, 0x00, 0x03, 0x74, 0x65, 0x78, 0x74, 0x00, 0xc7, 0xa7, 0x8b, 0x3b,
                                  0x00, 0x01, 0x18, 0x04, 0x6b, 0xe9, 0xf0, 0xa5, 0x90, 0x42, 0x99, 0x0d,
                                  0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x59, 0x5a};

static void decompress_reads_an_xz_stream(void **state) {
    struct fixture *f = *state;
    archive_bytes(&f->a, xz_text, sizeof(xz_text));
    assert_gives(f, "text");
    for (size_t size = 6; size < sizeof(xz_text); size++)
        assert_fails(f, size, -EINVAL, DAMAGED_OR_CUT);
    f->room = 3;
    assert_fails(f, sizeof(xz_text), -ENOSPC, ROOM);
    f->room = sizeof(f->out);
    size_t n = 0;
    for (f->allocations = 0; run_size(f, f->a.size) != 0; f->allocations = ++n)
        assert_string_equal(f->d.cause, MEMORY);
    assert_true(n > 0);
}

static void decompress_tells_what_is_wrong_with_xz(void **state) {
    struct fixture *f = *state;
    archive_bytes(&f->a, xz_text, sizeof(xz_text));
    f->a.bytes[sizeof(xz_text) - 3]++;
    assert_fails(f, sizeof(xz_text), -EINVAL, DAMAGED_OR_CUT);
    f->a.size = 6;
    PUT(f, "\0\x04\xe6\xd6\xb4\x46\0\0\0\0\0\0"); // CRC64
    assert_fails(f, f->a.size, -EINVAL,
                 "it has a check or filter that is not built in; make it with xz --check=crc32");
}

static void decompress_names_the_formats_it_has(void **state) {
    struct fixture *f = *state;
    PUT(f, "no format at all");
    assert_null(decompress_format(f->a.bytes, f->a.size));
    assert_fails(f, f->a.size, -ENOSYS, "the format is not built in");
    assert_string_equal(decompress_format("\x1f\x8b", 2), "gzip");
    assert_null(decompress_format("\x28\xb5\x2f", 3));
    assert_string_equal(decompress_format(xz_text, 6), "xz");
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(decompress_reads_a_gzip_member),
        CLAIM(decompress_checks_sum_and_length_of_gzip),
        CLAIM(decompress_reads_a_zstd_frame),
        CLAIM(decompress_tells_when_zstd_gets_no_buffer),
        CLAIM(decompress_tells_what_is_wrong_with_zstd),
        CLAIM(decompress_reads_lz4_frames_with_all_options),
        CLAIM(decompress_looks_back_over_linked_lz4_blocks),
        CLAIM(decompress_checks_every_sum_of_lz4),
        CLAIM(decompress_tells_what_is_wrong_with_lz4),
        CLAIM(decompress_reads_legacy_lz4_frames),
        CLAIM(decompress_reads_an_xz_stream),
        CLAIM(decompress_tells_what_is_wrong_with_xz),
        CLAIM(decompress_names_the_formats_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
