// SPDX-License-Identifier: MIT
// What the tests of unpacking share: an archive, the model that it is unpacked into, and what to say of them.
#pragma once
#include "lib/unpack.h"
#include <errno.h>
#include "archive.h"
#include "model.h"
#include "unit.h"

#define FILE_0644 (CPIO_IFREG | 0644)
#define DIR_0755  (CPIO_IFDIR | 0755)
#define LINK_0777 (CPIO_IFLNK | 0777)

struct fixture {
    struct archive a;
    struct model m;
    struct unpack u;
    char *seen;
};

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    model_init(&f->m);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    assert_int_equal(f->m.held, 0);
    assert_int_equal(f->m.allocated, 0);
    model_free(&f->m);
    archive_free(&f->a);
    free(f->seen);
    free(f);
    return 0;
}

static inline int unpack(struct fixture *f) {
    model_forget_releases(&f->m);
    int err = unpack_begin(&f->u, &model_sink, &f->m, f->m.root);
    if (err)
        return err;
    err = unpack_buffer(&f->u, f->a.bytes, f->a.size);
    unpack_end(&f->u);
    return err;
}

#define assert_line(f, name, line)                                                                           \
    do {                                                                                                     \
        free((f)->seen);                                                                                     \
        (f)->seen = model_line(&(f)->m, name);                                                               \
        assert_non_null((f)->seen);                                                                          \
        assert_string_equal((f)->seen, line);                                                                \
    } while (0)
#define assert_missing(f, name)      assert_null(model_line(&(f)->m, name))
#define assert_reports(f, sentences) assert_string_equal((f)->m.reports, sentences)
#define assert_unpacks(f)            assert_int_equal(unpack(f), 0)
#define assert_tree(f, lines)                                                                                \
    do {                                                                                                     \
        free((f)->seen);                                                                                     \
        (f)->seen = model_dump(&(f)->m);                                                                     \
        assert_string_equal((f)->seen, lines);                                                               \
    } while (0)

static inline void add_file(struct fixture *f, const char *name, const char *data) {
    archive_add(&f->a, .name = name, .mode = FILE_0644, .data = data, .mtime = 7);
}
static inline void add_dir(struct fixture *f, const char *name) {
    archive_add(&f->a, .name = name, .mode = DIR_0755, .mtime = 9);
}
static inline void add_symlink(struct fixture *f, const char *name, const char *target) {
    archive_add(&f->a, .name = name, .mode = LINK_0777, .data = target, .mtime = 8);
}
static inline void add_linked(struct fixture *f, const char *name, const char *data, uint32_t ino) {
    archive_add(&f->a, .name = name, .mode = FILE_0644, .data = data, .ino = ino, .nlink = 2);
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
