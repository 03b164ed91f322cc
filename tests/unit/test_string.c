// SPDX-License-Identifier: MIT
// The kernel's own memcpy and its kin (lib/string.c), with every length and alignment, up to the last byte before
// memory that is not there.
#define memset  lib_memset
#define memcpy  lib_memcpy
#define memmove lib_memmove
#define memcmp  lib_memcmp
#define memchr  lib_memchr
#define strlen  lib_strlen
#define strnlen lib_strnlen
#define strcmp  lib_strcmp
#define strncmp lib_strncmp
#define strchr  lib_strchr
#define strrchr lib_strrchr
#define strstr  lib_strstr
#define strlcpy lib_strlcpy
#include "lib/number.c"
#include "lib/string.c"
#undef memcmp
#undef memset
#include "unit.h"
#include <sys/mman.h>

#define PAGE    4096
#define LONGEST 300
#define MARGIN  16

static unsigned char *from, *to; // a page each, with nothing behind it
static unsigned char expected[PAGE];

static unsigned char *page_with_nothing_behind(void) {
    unsigned char *p = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED && !mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    return p + PAGE;
}

static int make_pages(void **state) {
    (void)state;
    from = page_with_nothing_behind();
    to = page_with_nothing_behind();
    for (int i = 0; i < PAGE; i++)
        from[i] = 1 + i % 251;
    return 0;
}

static void fill(void) {
    for (int i = 0; i < PAGE; i++)
        to[i] = expected[i] = 0xa5;
}

static void check(size_t at, size_t n) {
    size_t low = at < MARGIN ? 0 : at - MARGIN, high = at + n + MARGIN < PAGE ? at + n + MARGIN : PAGE;
    for (size_t i = low; i < high; i++) {
        assert_int_equal(to[i], expected[i]);
        to[i] = expected[i] = 0xa5;
    }
}

static void copies_and_fills_are_exact_at_both_ends_of_what_is_there(void **state) {
    (void)state;
    fill();
    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t a = 0; a < 16; a++) {
            size_t at = a < 8 ? a : PAGE - n - (a - 8);
            for (size_t b = 0; b < 16; b++) {
                size_t source = b < 8 ? b : PAGE - n - (b - 8);
                for (size_t i = 0; i < n; i++)
                    expected[at + i] = from[source + i];
                assert_ptr_equal(lib_memcpy(to + at, from + source, n), to + at);
                check(at, n);
            }
            for (size_t i = 0; i < n; i++)
                expected[at + i] = 0x3c;
            assert_ptr_equal(lib_memset(to + at, 0x13c, n), to + at);
            check(at, n);
        }
    }
}

static void moves_between_overlapping_places_are_exact(void **state) {
    (void)state;
    for (size_t n = 0; n <= LONGEST; n += n < 80 ? 1 : 13) {
        for (size_t a = 0; a < 100; a += a < 20 ? 1 : 9) {
            for (size_t b = 0; b < 100; b += b < 20 ? 1 : 7) {
                for (int i = 0; i < 500; i++)
                    to[i] = expected[i] = i % 251;
                for (size_t i = 0; i < n; i++)
                    expected[a + i] = to[b + i];
                assert_ptr_equal(lib_memmove(to + a, to + b, n), to + a);
                for (int i = 0; i < 500; i++)
                    assert_int_equal(to[i], expected[i]);
            }
        }
    }
}

static void comparing_stops_at_the_end_of_what_is_there(void **state) {
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        unsigned char *a = from + PAGE - n, *b = to + PAGE - n;
        lib_memcpy(b, a, n);
        assert_int_equal(lib_memcmp(a, b, n), 0);
        b[n - 1] ^= 0x80;
        assert_true(lib_memcmp(a, b, n) != 0 && lib_memcmp(a, b, n - 1) == 0);
        b[n - 1] = 0;
        assert_int_equal(lib_strnlen((char *)b, n), n - 1);
        assert_int_equal(lib_strnlen((char *)a, n), n);
        assert_ptr_equal(lib_memchr(b, 0, n), b + n - 1);
    }
}

static void numbers_end_where_their_digits_do(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned int base;
        uint64_t max, number;
        int length; // of what was read
    } cases[] = {
        {"", 10, UINT64_MAX, 0, 0},
        {"x", 10, UINT64_MAX, 0, 0},
        {"12k", 10, UINT64_MAX, 12, 2},
        {"089", 8, UINT64_MAX, 0, 1},
        {"fFg", 16, UINT64_MAX, 255, 2},
        {"18446744073709551615", 10, UINT64_MAX, UINT64_MAX, 20},
        {"18446744073709551616", 10, UINT64_MAX, 0, 0},
        {"99999999999999999999", 10, UINT64_MAX, 0, 0},
        {"255", 10, 255, 255, 3},
        {"256", 10, 255, 0, 0},
        {"9", 10, 8, 0, 0},
        {"0000000255", 10, 255, 255, 10},
    };
    uint64_t n;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(number_read(cases[i].text, cases[i].base, cases[i].max, &n) - cases[i].text,
                         cases[i].length);
        assert_int_equal(n, cases[i].number);
    }
    assert_int_equal(number_of_name("0", 9), 0);
    assert_int_equal(number_of_name("120", 120), 120);
    static const char *const none[] = {"", "00", "012", "121", "1x", "-1", " 1"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(number_of_name(none[i], 120), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_end_where_their_digits_do),
        cmocka_unit_test(copies_and_fills_are_exact_at_both_ends_of_what_is_there),
        cmocka_unit_test(moves_between_overlapping_places_are_exact),
        cmocka_unit_test(comparing_stops_at_the_end_of_what_is_there),
    };
    return cmocka_run_group_tests(tests, make_pages, NULL);
}
