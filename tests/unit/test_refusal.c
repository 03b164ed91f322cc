// SPDX-License-Identifier: MIT
// Unpacking where the file system refuses, and where memory or room ends.
#include "unpacking.h"

static void unpack_stops_when_there_is_no_room(void **state) {
    struct fixture *f = *state;
    f->m.room = 1;
    add_file(f, "one", "1");
    add_file(f, "two", "22");
    add_file(f, "three", "3");
    archive_end(&f->a);
    assert_int_equal(unpack(f), -ENOSPC);
    assert_reports(f, "error: entry 2 (\"two\"), offset 120: no room for it and its 2 bytes; it and all "
                      "behind it are left out\n");
    assert_tree(f, "d 0755 0:0 0 .\nf 0644 0:0 7 one = 1\n");
}

static void unpack_says_that_there_is_no_memory_for_compressed_data(void **state) {
    struct fixture *f = *state;
    static const uint8_t gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3,
                                   3,    0,    0, 0, 0, 0, 0, 0, 0, 0}; // of nothing
    archive_bytes(&f->a, gzip, sizeof(gzip));
    assert_unpacks(f);
    f->m.room_size = 0;
    assert_int_equal(unpack(f), -ENOSPC);
    assert_reports(f, "error: gzip data at offset 0: there is no memory for what is in it\n");
}

static void unpack_reports_any_error_of_the_sink(void **state) {
    struct fixture *f = *state;
    f->m.refuse = -EPERM;
    add_file(f, "one", "1");
    add_dir(f, "two");
    add_symlink(f, "three", "3");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(
        f, "warning: entry 1 (\"one\"), offset 0: the file system refuses it, error 1; left out\n"
           "warning: entry 2 (\"two\"), offset 120: the file system refuses it, error 1; left out\n"
           "warning: entry 3 (\"three\"), offset 236: the file system refuses it, error 1; left out\n");
}

// An archive that needs every kind of memory, with the n-th allocation failing: an error each time, nothing
// lost or kept.
static void unpack_survives_every_failing_allocation(void **state) {
    struct fixture *f = *state;
    add_symlink(f, "s", "d/e");
    add_file(f, "s/x", "1");
    add_linked(f, "a", "2", 5);
    add_dir(f, "d");
    archive_end(&f->a);
    for (size_t n = 0; n < 6; n++) {
        f->m.allocations = n;
        assert_int_equal(unpack(f), -ENOMEM);
        assert_int_equal(f->m.allocated, 0);
        assert_int_equal(f->m.held, 0);
    }
    f->m.allocations = 6;
    assert_unpacks(f);
}

// The archive is unpacked anew with the nth operation failing: told once, and nothing is held.
static void refuses_operation(struct fixture *f, size_t n) {
    model_free(&f->m);
    model_init(&f->m);
    f->m.failing_call = n;
    assert_int_equal(unpack(f), -ENOMEM);
    assert_int_equal(f->m.held, 0);
    assert_int_equal(f->u.summary.errors, 1);
}

// The same with the n-th operation on the tree failing, in an archive whose entries take every turn.
static void unpack_survives_every_failing_operation(void **state) {
    struct fixture *f = *state;
    add_symlink(f, "s", "d/e");
    add_file(f, "s/x", "1");
    add_linked(f, "a", "2", 5);
    add_linked(f, "x", NULL, 5);
    add_file(f, "b", "4");
    add_linked(f, "b", "5", 5);
    add_file(f, "a", "6");
    archive_add(&f->a, .name = "a", .mode = CPIO_IFIFO | 0644);
    add_dir(f, "a");
    add_dir(f, "a");
    add_symlink(f, "a", "t");
    add_dir(f, "a/");
    add_dir(f, ".");
    archive_end(&f->a);
    assert_unpacks(f);
    size_t operations = f->m.calls;
    for (size_t n = 1; n <= operations; n++) {
        refuses_operation(f, n);
        assert_int_equal(f->m.calls, n);
        assert_int_equal(f->m.allocated, 0);
    }
}

// The same where what lies in an earlier archive's directory goes along to a symlink's target.
static void unpack_survives_every_failing_operation_of_carrying(void **state) {
    struct fixture *f = *state;
    add_file(f, "d/e/moved", "1");
    add_file(f, "d/e/taken", "2");
    add_file(f, "d/f/x", "3");
    add_file(f, "d/g/x", "4");
    add_file(f, "d/h/x", "5");
    archive_end(&f->a);
    add_file(f, "to/e/taken", "6");
    add_file(f, "to/f", "7");
    add_symlink(f, "to/g", "../new");
    add_symlink(f, "d", "to");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "to/e/moved", "f 0644 0:0 7 to/e/moved = 1");
    assert_line(f, "new/x", "f 0644 0:0 7 new/x = 4");
    size_t operations = f->m.calls;
    for (size_t n = 1; n <= operations; n++)
        refuses_operation(f, n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(unpack_stops_when_there_is_no_room),
        CLAIM(unpack_says_that_there_is_no_memory_for_compressed_data),
        CLAIM(unpack_reports_any_error_of_the_sink),
        CLAIM(unpack_survives_every_failing_allocation),
        CLAIM(unpack_survives_every_failing_operation),
        CLAIM(unpack_survives_every_failing_operation_of_carrying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
