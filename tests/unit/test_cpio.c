// SPDX-License-Identifier: MIT
#include "lib/cpio.h"
#include "archive.h"
#include "unit.h"

struct fixture {
    struct archive a;
    struct cpio_reader r;
    struct cpio_entry e;
    char text[512];
};

static int setup(void **state) {
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    archive_free(&f->a);
    free(f);
    return 0;
}

static void two_files(struct fixture *f) {
    archive_add(&f->a, .name = "etc/passwd", .mode = CPIO_IFREG | 0644, .data = "root::0:0\n");
    archive_add(&f->a, .name = "lib/libc.so", .mode = CPIO_IFREG | 0755, .data = "12345",
                .mtime = 0xdeadBEEF);
}

// Reads exactly `size` bytes, copied so that the sanitizer sees the first byte read behind them, up to the
// result that is no entry.
static enum cpio_result walk(struct fixture *f, size_t size, unsigned int *entries) {
    uint8_t *copy = malloc(size ? size : 1);
    enum cpio_result result;
    if (size)
        memcpy(copy, f->a.bytes, size);
    cpio_open(&f->r, copy, size);
    *entries = 0;
    while ((result = cpio_next(&f->r, &f->e)) == CPIO_ENTRY || result == CPIO_TRAILER ||
           result == CPIO_SKIPPED) {
        *entries += result == CPIO_ENTRY;
        if (result == CPIO_SKIPPED)
            cpio_error_text(&f->r.error, f->text, sizeof(f->text));
    }
    if (result == CPIO_ERROR)
        cpio_error_text(&f->r.error, f->text, sizeof(f->text));
    free(copy);
    return result;
}

#define assert_error(f, n, sentence)                                                                         \
    do {                                                                                                     \
        unsigned int entries_;                                                                               \
        assert_int_equal(walk(f, (f)->a.size, &entries_), CPIO_ERROR);                                       \
        assert_int_equal(entries_, n);                                                                       \
        assert_string_equal((f)->text, sentence);                                                            \
    } while (0)

static void cpio_reads_every_field(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "a/b/c", .mode = CPIO_IFREG | 04755, .data = "hello", .ino = 0x12345678,
                .uid = 0xabcdef01, .gid = 0xffffffff, .nlink = 3, .mtime = 0x9abcdef0, .dev_major = 8,
                .dev_minor = 17, .rdev_major = 4, .rdev_minor = 65, .crc = true, .checksum = 0x214);
    cpio_open(&f->r, f->a.bytes, f->a.size);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
    assert_string_equal(f->e.name, "a/b/c");
    assert_int_equal(f->e.name_length, 5);
    assert_int_equal(f->e.base, 4);
    assert_int_equal(f->e.mode, CPIO_IFREG | 04755);
    assert_int_equal(f->e.ino, 0x12345678);
    assert_int_equal(f->e.uid, 0xabcdef01);
    assert_int_equal(f->e.gid, 0xffffffff);
    assert_int_equal(f->e.nlink, 3);
    assert_int_equal(f->e.mtime, 0x9abcdef0);
    assert_int_equal(f->e.dev_major, 8);
    assert_int_equal(f->e.dev_minor, 17);
    assert_int_equal(f->e.rdev_major, 4);
    assert_int_equal(f->e.rdev_minor, 65);
    assert_int_equal(f->e.checksum, 0x214);
    assert_true(f->e.has_checksum);
    assert_int_equal(f->e.data_size, 5);
    assert_memory_equal(f->e.data, "hello", 5);
    assert_int_equal(f->e.data_offset, 116);
    assert_int_equal(f->e.index, 1);
    assert_int_equal(f->e.archive, 1);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_END);
    assert_true(f->r.in_archive);
}

static void cpio_reads_upper_and_lower_case_digits(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "x");
    memcpy(f->a.bytes + 6 + 5 * 8, "aBcDeF09", 8);
    cpio_open(&f->r, f->a.bytes, f->a.size);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
    assert_int_equal(f->e.mtime, 0xabcdef09);
}

// Every byte value at every place of every field but the sizes: accepted exactly when it is a hex digit.
static void cpio_refuses_every_byte_that_is_no_hex_digit(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "x");
    for (unsigned int at = 6; at < 110; at++) {
        uint8_t good = f->a.bytes[at];
        for (unsigned int c = 0; c < 256; c++) {
            f->a.bytes[at] = (uint8_t)c;
            cpio_open(&f->r, f->a.bytes, f->a.size);
            enum cpio_result result = cpio_next(&f->r, &f->e);
            if (strchr("0123456789abcdefABCDEF", (int)c) && c) {
                assert_false(result == CPIO_ERROR && f->r.error.problem == CPIO_NOT_HEX);
            } else {
                assert_int_equal(result, CPIO_ERROR);
                assert_int_equal(f->r.error.problem, CPIO_NOT_HEX);
                assert_int_equal(f->r.error.offset, at);
            }
        }
        f->a.bytes[at] = good;
    }
}

static void cpio_names_the_field_that_is_not_hex(void **state) {
    struct fixture *f = *state;
    two_files(f);
    f->a.bytes[f->a.last_header + 6 + 6 * 8 + 3] = 'g';
    assert_error(f, 1, "entry 2: file size has a byte that is no hex digit at offset 193");
}

static void cpio_rejects_truncated_second_entry(void **state) {
    struct fixture *f = *state;
    unsigned int entries;
    two_files(f);
    f->a.size -= 6; // five bytes of data and padding to 4 remain
    assert_int_equal(walk(f, f->a.size, &entries), CPIO_ERROR);
    assert_int_equal(entries, 1);
    assert_string_equal(f->text,
                        "entry 2 (\"lib/libc.so\"): data needs 5 bytes, 2 remain; archive truncated?");
}

static void cpio_rejects_a_cut_at_every_byte(void **state) {
    struct fixture *f = *state;
    unsigned int entries;
    two_files(f);
    size_t second = f->a.last_header;
    for (size_t size = 0; size < f->a.size; size++) {
        enum cpio_result result = walk(f, size, &entries);
        size_t first_data_end = 124 + 10;
        bool whole = size == 0 || (size >= first_data_end && size <= second) || size >= f->a.size - 3;
        assert_int_equal(result, whole ? CPIO_END : CPIO_ERROR);
        assert_int_equal(entries, (size >= first_data_end) + (size >= f->a.size - 3));
        if (result == CPIO_ERROR)
            assert_non_null(strstr(f->text, "archive truncated?"));
    }
}

static void cpio_reports_a_cut_header(void **state) {
    struct fixture *f = *state;
    two_files(f);
    f->a.size = f->a.last_header + 50;
    assert_error(f, 1, "entry 2: header needs 110 bytes, 50 remain; archive truncated?");
}

static void cpio_reports_a_cut_name(void **state) {
    struct fixture *f = *state;
    two_files(f);
    f->a.size = f->a.last_header + 111;
    assert_error(f, 1, "entry 2: name needs 12 bytes, 1 remains; archive truncated?");
}

static void cpio_reports_a_size_past_the_end(void **state) {
    struct fixture *f = *state;
    two_files(f);
    memcpy(f->a.bytes + 6 + 6 * 8, "ffffffff", 8);
    assert_error(f, 0,
                 "entry 1 (\"etc/passwd\"): data needs 4294967295 bytes, 144 remain; archive truncated?");
}

static void cpio_reports_a_name_size_past_the_end(void **state) {
    struct fixture *f = *state;
    two_files(f);
    memcpy(f->a.bytes + 6 + 11 * 8, "fffffffe", 8);
    assert_error(f, 0, "entry 1: name needs 4294967294 bytes, 158 remain; archive truncated?");
}

static void cpio_reports_a_name_without_nul(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "abcd", .name_size = 4);
    assert_error(f, 0, "entry 1 (\"abcd\"): name of 4 bytes at offset 110 does not end with NUL");
}

static void cpio_reports_bad_magic(void **state) {
    struct fixture *f = *state;
    two_files(f);
    f->a.bytes[f->a.last_header + 5] = '3';
    assert_error(f, 1, "entry 2: no cpio header at offset 136; newc (070701) or crc (070702) is needed");
}

static void cpio_names_other_formats(void **state) {
    struct fixture *f = *state;
    archive_bytes(&f->a, "070707000000", 12);
    assert_error(
        f, 0, "entry 1: cpio odc format at offset 0: only newc and crc are read; make it with cpio -H newc");
    assert_string_equal(cpio_magic_name("\xc7\x71", 2), "cpio old binary");
    assert_null(cpio_magic_name("070701", 6));
    assert_null(cpio_magic_name("", 0));
}

static void cpio_names_compressors(void **state) {
    struct fixture *f = *state;
    archive_bytes(&f->a, "\x1f\x8b\x08", 3);
    assert_error(f, 0, "entry 1: gzip: not built in; compressed data at offset 0");
    assert_string_equal(cpio_magic_name("\xfd"
                                        "7zXZ\0",
                                        6),
                        "xz");
    assert_string_equal(cpio_magic_name("\x28\xb5\x2f\xfd", 4), "zstd");
    assert_string_equal(cpio_magic_name("\x04\x22\x4d\x18", 4), "lz4");
    assert_string_equal(cpio_magic_name("\x02\x21\x4c\x18", 4), "lz4 (legacy)");
    assert_string_equal(cpio_magic_name("\x5d\0\0", 3), "lzma");
    assert_string_equal(cpio_magic_name("BZh", 3), "bzip2");
}

static void cpio_reports_broken_padding(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "a");
    archive_zeros(&f->a, 2);
    archive_add(&f->a, .name = "b");
    assert_error(
        f, 1,
        "entry 2: broken padding: bytes at offset 114, which is no multiple of 4 from the archive's start");
}

static void cpio_goes_over_zeros_of_any_length(void **state) {
    struct fixture *f = *state;
    unsigned int entries;
    archive_zeros(&f->a, 13);
    f->a.base = 13;
    archive_add(&f->a, .name = "a");
    archive_zeros(&f->a, 400);
    archive_add(&f->a, .name = "b");
    archive_zeros(&f->a, 77);
    assert_int_equal(walk(f, f->a.size, &entries), CPIO_END);
    assert_int_equal(entries, 2);
}

static void cpio_reads_archives_one_after_the_other(void **state) {
    struct fixture *f = *state;
    unsigned int entries;
    two_files(f);
    archive_end(&f->a);
    archive_zeros(&f->a, 5); // the next begins at an odd offset: alignment counts from there
    f->a.base = f->a.size;
    archive_add(&f->a, .name = "lib/libc.so", .mode = CPIO_IFREG, .data = "12345", .crc = true);
    archive_add(&f->a, .name = "three", .mode = CPIO_IFREG, .data = "x");
    archive_end(&f->a);
    assert_int_equal(walk(f, f->a.size, &entries), CPIO_END);
    assert_int_equal(entries, 4);
    assert_int_equal(f->r.archive, 2);
    assert_false(f->r.in_archive);
    f->a.bytes[f->a.last_header + 6] = 'x';
    assert_error(f, 4, "archive 2, entry 3: inode has a byte that is no hex digit at offset 655");
}

static void cpio_accepts_names_padded_with_nuls(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "bin/busybox", .name_size = 4096 - 110, .mode = CPIO_IFREG, .data = "x");
    cpio_open(&f->r, f->a.bytes, f->a.size);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
    assert_int_equal(f->e.name_length, 11);
    assert_int_equal(f->e.data_offset, 4096);
}

static void cpio_accepts_a_name_of_path_max_and_skips_longer_ones(void **state) {
    struct fixture *f = *state;
    unsigned int entries;
    archive_add(&f->a, .name = "max", .name_size = 4096, .data = "x");
    archive_add(&f->a, .name = "more", .name_size = 4097, .data = "abc");
    archive_add(&f->a, .name = "last");
    assert_int_equal(walk(f, f->a.size, &entries), CPIO_END);
    assert_int_equal(entries, 2);
    assert_string_equal(f->text, "entry 2: name size is 4097, 1 to 4096 is allowed; header at offset 4212");
}

static void cpio_skips_a_name_of_size_zero(void **state) {
    struct fixture *f = *state;
    unsigned int entries;
    archive_add(&f->a, .name = "x");
    memset(f->a.bytes + 6 + 11 * 8, '0', 8);
    archive_add(&f->a, .name = "last");
    assert_int_equal(walk(f, f->a.size, &entries), CPIO_END);
    assert_int_equal(entries, 1);
    assert_string_equal(f->text, "entry 1: name size is 0, 1 to 4096 is allowed; header at offset 0");
}

static void cpio_reads_a_buffer_at_any_address(void **state) {
    struct fixture *f = *state;
    two_files(f);
    char *block = malloc(f->a.size + 8);
    for (unsigned int shift = 0; shift < 8; shift++) {
        memcpy(block + shift, f->a.bytes, f->a.size);
        cpio_open(&f->r, block + shift, f->a.size);
        assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
        assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
        assert_string_equal(f->e.name, "lib/libc.so");
        assert_int_equal(f->e.mtime, 0xdeadbeef);
        assert_int_equal(cpio_next(&f->r, &f->e), CPIO_END);
    }
    free(block);
}

static void cpio_stays_at_its_error(void **state) {
    struct fixture *f = *state;
    archive_bytes(&f->a, "junk", 4);
    cpio_open(&f->r, f->a.bytes, f->a.size);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ERROR);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ERROR);
    assert_int_equal(f->r.error.entry, 1);
}

static void cpio_verifies_checksums(void **state) {
    struct fixture *f = *state;
    struct cpio_error error;
    char data[5001];
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(data) - 1; i++)
        sum += (uint8_t)(data[i] = (char)(i * 7 % 255 + 1));
    data[sizeof(data) - 1] = '\0';
    archive_add(&f->a, .name = "f", .mode = CPIO_IFREG, .data = data, .crc = true, .checksum = sum);
    archive_add(&f->a, .name = "g", .mode = CPIO_IFREG, .data = "ab", .crc = true, .checksum = 7);
    archive_add(&f->a, .name = "newc", .mode = CPIO_IFREG, .data = "ab", .checksum = 7);
    cpio_open(&f->r, f->a.bytes, f->a.size);
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
    assert_true(cpio_verify(&f->e, &error));
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
    assert_false(cpio_verify(&f->e, &error));
    cpio_error_text(&error, f->text, sizeof(f->text));
    assert_string_equal(f->text,
                        "entry 2 (\"g\"): checksum is 0x7, but the data at offset 5224 sum up to 0xc3");
    assert_int_equal(cpio_next(&f->r, &f->e), CPIO_ENTRY);
    assert_true(cpio_verify(&f->e, &error));
}

static void cpio_keeps_messages_on_one_line_and_in_the_buffer(void **state) {
    char text[64];
    (void)state;
    cpio_entry_text(1, 7, "a\nb\"c\\\x1b", 7, text, sizeof(text));
    assert_string_equal(text, "entry 7 (\"a\\x0ab\\x22c\\x5c\\x1b\")");
    assert_int_equal(cpio_entry_text(1, 7, "abcdefghi", 9, text, 12), 11);
    assert_string_equal(text, "entry 7 (\"a");
    char name[300], large[600];
    memset(name, 'n', sizeof(name));
    cpio_entry_text(1, 1, name, sizeof(name), large, sizeof(large));
    assert_int_equal(strlen(large), strlen("entry 1 (\"\"...)") + 255);
}

static void cpio_has_a_word_for_no_error(void **state) {
    (void)state;
    char text[100];
    struct cpio_error error = {.archive = 1, .entry = 2};
    assert_int_equal(cpio_error_text(&error, text, sizeof(text)), strlen("entry 2: no error"));
    assert_string_equal(text, "entry 2: no error");
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(cpio_reads_every_field),
        CLAIM(cpio_reads_upper_and_lower_case_digits),
        CLAIM(cpio_refuses_every_byte_that_is_no_hex_digit),
        CLAIM(cpio_names_the_field_that_is_not_hex),
        CLAIM(cpio_rejects_truncated_second_entry),
        CLAIM(cpio_rejects_a_cut_at_every_byte),
        CLAIM(cpio_reports_a_cut_header),
        CLAIM(cpio_reports_a_cut_name),
        CLAIM(cpio_reports_a_size_past_the_end),
        CLAIM(cpio_reports_a_name_size_past_the_end),
        CLAIM(cpio_reports_a_name_without_nul),
        CLAIM(cpio_reports_bad_magic),
        CLAIM(cpio_names_other_formats),
        CLAIM(cpio_names_compressors),
        CLAIM(cpio_reports_broken_padding),
        CLAIM(cpio_goes_over_zeros_of_any_length),
        CLAIM(cpio_reads_archives_one_after_the_other),
        CLAIM(cpio_accepts_names_padded_with_nuls),
        CLAIM(cpio_accepts_a_name_of_path_max_and_skips_longer_ones),
        CLAIM(cpio_skips_a_name_of_size_zero),
        CLAIM(cpio_reads_a_buffer_at_any_address),
        CLAIM(cpio_stays_at_its_error),
        CLAIM(cpio_verifies_checksums),
        CLAIM(cpio_keeps_messages_on_one_line_and_in_the_buffer),
        CLAIM(cpio_has_a_word_for_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
