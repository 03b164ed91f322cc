// SPDX-License-Identifier: MIT
#include "lib/path.h"
#include <errno.h>
#include "unit.h"

#define assert_normal(name, expected)                                                                        \
    do {                                                                                                     \
        char out_[64];                                                                                       \
        assert_int_equal(pathname_normalise(name, out_, sizeof(out_)), 0);                                   \
        assert_string_equal(out_, expected);                                                                 \
    } while (0)

static void pathname_gives_one_form_to_equal_names(void **state) {
    (void)state;
    assert_normal("/usr/lib", "usr/lib");
    assert_normal("usr//lib/", "usr/lib");
    assert_normal("./usr/./lib/.", "usr/lib");
    assert_normal("usr/bin/../lib", "usr/lib");
    assert_normal("a/../b/..", "");
    assert_normal("/", "");
    assert_normal("", "");
    assert_normal("...", "...");
    assert_normal("..a/b..", "..a/b..");
}

static void pathname_refuses_to_climb_out(void **state) {
    char out[64];
    (void)state;
    assert_int_equal(pathname_normalise("..", out, sizeof(out)), -EXDEV);
    assert_int_equal(pathname_normalise("a/../../b", out, sizeof(out)), -EXDEV);
    assert_int_equal(pathname_join("a", "../../b", out, sizeof(out)), -EXDEV);
}

static void pathname_refuses_what_is_too_long(void **state) {
    char name[5000], out[5000];
    (void)state;
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_int_equal(pathname_normalise(name, out, sizeof(out)), -ENAMETOOLONG);
    assert_int_equal(pathname_normalise(name + 1, out, sizeof(out)), 0);
    assert_int_equal(pathname_normalise(name + 1, out, 255), -ENAMETOOLONG);
    assert_int_equal(pathname_normalise(name + 1, out, 256), 0);
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 2 ? '/' : 'x';
    name[4095] = '\0';
    assert_int_equal(pathname_normalise(name, out, sizeof(out)), 0);
    name[4095] = '/';
    name[4097] = '\0';
    assert_int_equal(pathname_normalise(name, out, sizeof(out)), -ENAMETOOLONG);
}

static void pathname_joins(void **state) {
    char out[64];
    (void)state;
    assert_int_equal(pathname_join("usr/lib", "libc.so", out, sizeof(out)), 0);
    assert_string_equal(out, "usr/lib/libc.so");
    assert_int_equal(pathname_join("usr/lib", "../bin/x", out, sizeof(out)), 0);
    assert_string_equal(out, "usr/bin/x");
    assert_int_equal(pathname_join("usr/lib", "/etc", out, sizeof(out)), 0);
    assert_string_equal(out, "etc");
}

static void pathname_finds_base_and_parent(void **state) {
    (void)state;
    assert_string_equal(pathname_base("usr/lib/libc.so"), "libc.so");
    assert_string_equal(pathname_base("init"), "init");
    assert_int_equal(pathname_parent_length("usr/lib/libc.so"), 7);
    assert_int_equal(pathname_parent_length("init"), 0);
    assert_int_equal(pathname_parent_length(""), 0);
}

static void pathname_tells_what_is_below(void **state) {
    (void)state;
    assert_true(pathname_is_below("usr/lib", "usr"));
    assert_true(pathname_is_below("usr", "usr"));
    assert_true(pathname_is_below("usr", ""));
    assert_false(pathname_is_below("usrlib", "usr"));
    assert_false(pathname_is_below("us", "usr"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pathname_gives_one_form_to_equal_names),
        cmocka_unit_test(pathname_refuses_to_climb_out),
        cmocka_unit_test(pathname_refuses_what_is_too_long),
        cmocka_unit_test(pathname_joins),
        cmocka_unit_test(pathname_finds_base_and_parent),
        cmocka_unit_test(pathname_tells_what_is_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
