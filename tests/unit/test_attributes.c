// SPDX-License-Identifier: MIT
// Extended attributes in archives.
#include "unpacking.h"

#define METADATA "METADATA!!!"

static void add_metadata(struct fixture *f, const char *name, const char *records, size_t size) {
    archive_add(&f->a, .name = name, .mode = FILE_0644, .data = records, .data_size = size, .mtime = 7);
}
#define RECORD_ONE               "00000018\1\1user.one\00012345" // 24 bytes
#define RECORD_TWO               "00000012\1\1user.tw"
#define ADD_METADATA(f, records) add_metadata(f, METADATA, records, sizeof(records) - 1)

static void unpack_sets_extended_attributes_of_the_entry_before(void **state) {
    struct fixture *f = *state;
    f->m.attributes = true;
    add_file(f, "file", "1");
    ADD_METADATA(f, RECORD_ONE "00000013\1\1user.two\0");
    add_dir(f, "dir");
    ADD_METADATA(f, RECORD_ONE);
    archive_add(&f->a, .name = "a", .mode = FILE_0644, .ino = 5, .nlink = 2, .mtime = 7);
    ADD_METADATA(f, "00000012\1\1user.a\0"
                    "1");
    archive_add(&f->a, .name = "b", .mode = FILE_0644, .ino = 5, .nlink = 2, .data = "x", .mtime = 7);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(f, "");
    assert_tree(
        f,
        "d 0755 0:0 0 .\nf 0644 0:0 7 a = x (2 links) {user.a=1}\nf 0644 0:0 7 b = x (2 links) {user.a=1}\n"
        "d 0755 0:0 9 dir {user.one=12345}\nf 0644 0:0 7 file = 1 {user.one=12345} {user.two=}\n");
}

static void unpack_takes_attributes_away_with_an_earlier_archives_content(void **state) {
    struct fixture *f = *state;
    f->m.attributes = true;
    add_file(f, "file", "1");
    ADD_METADATA(f, RECORD_ONE);
    archive_end(&f->a);
    add_file(f, "file", "2");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 0 .\nf 0644 0:0 7 file = 2\n");
}

// An attribute is the entry's that was made just before it, and nothing else's.
static void unpack_leaves_out_attributes_of_nothing(void **state) {
    struct fixture *f = *state;
    f->m.attributes = true;
    ADD_METADATA(f, RECORD_ONE);
    add_file(f, "file", "1");
    archive_add(&f->a, .name = "s", .mode = LINK_0777, .data = "file", .mtime = 7);
    ADD_METADATA(f, RECORD_ONE);
    add_file(f, "file", "1");
    archive_add(&f->a, .name = "../up", .mode = FILE_0644, .mtime = 7);
    ADD_METADATA(f, RECORD_ONE);
    add_file(f, "last", "1");
    archive_end(&f->a);
    ADD_METADATA(f, RECORD_ONE);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_int_equal(f->u.summary.warnings, 5);
    assert_tree(f, "d 0755 0:0 0 .\nf 0644 0:0 7 file = 1\nf 0644 0:0 7 last = 1\nl 0777 0:0 7 s -> file\n");
}

static void unpack_takes_other_metadata_for_a_file(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t size;
    } others[] = {
        {"", 0},
        {"0000001", 7},
        {RECORD_ONE "0", 25},                  // a second one that is cut
        {RECORD_ONE, 23},                      // a first one that is
        {"0000000a\1\1", 10},                  // no name
        {"0000000b\1\1\0", 11},                // an empty one
        {RECORD_TWO, 17},                      // longer than it is
        {"00000011\1\1user.tw", 17},           // no NUL
        {"00000018\2\1user.one\00012345", 24}, // another version,
        {"00000018\1\2user.one\00012345", 24}, // another kind
        {"0000001g\1\1user.one\00012345", 24},
        {"ffffffff\1\1user.one\00012345", 24},
    };
    f->m.attributes = true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        add_file(f, "file", "1");
        add_metadata(f, METADATA, others[i].bytes, others[i].size);
        archive_end(&f->a);
    }
    add_file(f, "file", "1");
    add_metadata(f, "./" METADATA, RECORD_ONE, 24);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_int_equal(f->u.summary.warnings, 0);
    assert_line(f, "file", "f 0644 0:0 7 file = 1");
    free(f->seen);
    f->seen = model_line(&f->m, METADATA);
    assert_non_null(f->seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(unpack_sets_extended_attributes_of_the_entry_before),
        CLAIM(unpack_takes_attributes_away_with_an_earlier_archives_content),
        CLAIM(unpack_leaves_out_attributes_of_nothing),
        CLAIM(unpack_takes_other_metadata_for_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
