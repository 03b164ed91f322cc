// SPDX-License-Identifier: MIT
#include "unpacking.h"

static void unpack_makes_every_type(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = ".", .mode = CPIO_IFDIR | 0711, .uid = 3, .gid = 4, .mtime = 5);
    add_dir(f, "dev");
    archive_add(&f->a, .name = "dev/console", .mode = CPIO_IFCHR | 0600, .rdev_major = 5, .rdev_minor = 1,
                .gid = 5);
    archive_add(&f->a, .name = "dev/fifo", .mode = CPIO_IFIFO | 0640);
    archive_add(&f->a, .name = "dev/log", .mode = CPIO_IFSOCK | 0666);
    archive_add(&f->a, .name = "dev/sda", .mode = CPIO_IFBLK | 0660, .rdev_major = 8);
    add_file(f, "file", "hello");
    add_symlink(f, "link", "dev/console");
    archive_add(&f->a, .name = "su", .mode = CPIO_IFREG | 04755, .uid = 1, .gid = 2);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0711 3:4 5 .\n"
                   "d 0755 0:0 9 dev\n"
                   "c 0600 0:5 0 dev/console 5:1\n"
                   "p 0640 0:0 0 dev/fifo\n"
                   "s 0666 0:0 0 dev/log\n"
                   "b 0660 0:0 0 dev/sda 8:0\n"
                   "f 0644 0:0 7 file = hello\n"
                   "l 0777 0:0 8 link -> dev/console\n"
                   "f 4755 1:2 0 su = \n");
    assert_reports(f, "");
    assert_int_equal(f->u.summary.archives, 1);
    assert_int_equal(f->u.summary.entries, 9);
    assert_int_equal(f->u.summary.bytes, 16);
    assert_int_equal(f->u.summary.borrowed, 5);
    assert_int_equal(f->u.summary.copied, 0);
}

static void unpack_counts_what_the_sink_copied(void **state) {
    struct fixture *f = *state;
    f->m.copy = true;
    add_file(f, "file", "hello");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_int_equal(f->u.summary.borrowed, 0);
    assert_int_equal(f->u.summary.copied, 5);
}

static void unpack_reads_names_in_any_form(void **state) {
    struct fixture *f = *state;
    add_dir(f, "/");
    add_dir(f, "./a//b/");
    add_file(f, "///a/b/one", "1");
    add_file(f, "./a/./b/two", "2");
    add_file(f, "a/b/../three", "3");
    add_file(f, "a/b/../../four", "4");
    archive_add(&f->a, .name = "a/b/.", .mode = CPIO_IFDIR | 0700);
    archive_add(&f->a, .name = "a/b/..", .mode = CPIO_IFDIR | 0701);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 9 .\n"
                   "d 0701 0:0 0 a\n"
                   "d 0700 0:0 0 a/b\n"
                   "f 0644 0:0 7 a/b/one = 1\n"
                   "f 0644 0:0 7 a/b/two = 2\n"
                   "f 0644 0:0 7 a/three = 3\n"
                   "f 0644 0:0 7 four = 4\n");
    assert_reports(f, "");
}

static void unpack_makes_implied_directories(void **state) {
    struct fixture *f = *state;
    add_file(f, "usr/share/doc/x", "1");
    add_file(f, "usr/share/doc/y", "2");
    add_file(f, "usr/bin/z", "3");
    archive_add(&f->a, .name = "usr/bin", .mode = CPIO_IFDIR | 0700, .mtime = 3);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "usr/share/doc", "d 0755 0:0 7 usr/share/doc");
    assert_line(f, "usr/share/doc/y", "f 0644 0:0 7 usr/share/doc/y = 2");
    assert_line(f, "usr/bin", "d 0700 0:0 3 usr/bin");
    assert_int_equal(f->u.summary.implied, 4);
    assert_int_equal(f->u.summary.warnings, 0);
}

static void unpack_follows_symlinks_inside_the_root(void **state) {
    struct fixture *f = *state;
    add_symlink(f, "lib", "usr/lib");
    add_dir(f, "usr");
    add_dir(f, "usr/lib");
    add_file(f, "lib/libc.so", "c");
    add_symlink(f, "usr/abs", "/lib/deep");
    add_file(f, "usr/abs/file", "d");
    add_symlink(f, "usr/up", "../../../etc");
    add_file(f, "usr/up/passwd", "p");
    add_symlink(f, "usr/lib/chain", "../abs");
    add_file(f, "lib/chain/last", "l");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 0 .\n"
                   "d 0755 0:0 7 etc\n"
                   "f 0644 0:0 7 etc/passwd = p\n"
                   "l 0777 0:0 8 lib -> usr/lib\n"
                   "d 0755 0:0 9 usr\n"
                   "l 0777 0:0 8 usr/abs -> /lib/deep\n"
                   "d 0755 0:0 9 usr/lib\n"
                   "l 0777 0:0 8 usr/lib/chain -> ../abs\n"
                   "d 0755 0:0 7 usr/lib/deep\n"
                   "f 0644 0:0 7 usr/lib/deep/file = d\n"
                   "f 0644 0:0 7 usr/lib/deep/last = l\n"
                   "f 0644 0:0 7 usr/lib/libc.so = c\n"
                   "l 0777 0:0 8 usr/up -> ../../../etc\n");
    assert_int_equal(f->u.summary.implied, 2);
    assert_reports(f, "");
}

static void unpack_refuses_names_that_climb_out(void **state) {
    struct fixture *f = *state;
    add_file(f, "../evil", "x");
    add_file(f, "a/../../evil", "x");
    add_dir(f, "..");
    add_file(f, "good", "g");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(
        f, "warning: entry 1 (\"../evil\"), offset 0: the name climbs out of the root; left out\n"
           "warning: entry 2 (\"a/../../evil\"), offset 124: the name climbs out of the root; left out\n"
           "warning: entry 3 (\"..\"), offset 252: the name climbs out of the root; left out\n");
    assert_tree(f, "d 0755 0:0 0 .\nd 0755 0:0 7 a\nf 0644 0:0 7 good = g\n");
    assert_int_equal(f->u.summary.warnings, 3);
}

static void unpack_reports_symlink_loops(void **state) {
    struct fixture *f = *state;
    add_symlink(f, "a", "b");
    add_symlink(f, "b", "/a");
    add_file(f, "a/x", "1");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(f, "warning: entry 3 (\"a/x\"), offset 232: more than 40 symlinks on its way; left out\n");
}

static void unpack_reports_a_file_where_a_directory_is_needed(void **state) {
    struct fixture *f = *state;
    add_file(f, "etc", "1");
    add_file(f, "etc/passwd", "2");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(
        f,
        "warning: entry 2 (\"etc/passwd\"), offset 120: something on its way is not a directory; left out\n");
}

static void unpack_reports_long_parts(void **state) {
    struct fixture *f = *state;
    char name[300];
    memset(name, 'x', sizeof(name));
    name[299] = '\0';
    add_file(f, name, "1");
    name[255] = '\0';
    add_file(f, name, "1");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_non_null(
        strstr(f->m.reports,
               "...), offset 0: a part of its name, or a way through symlinks, is too long; left out"));
    assert_int_equal(f->u.summary.warnings, 1);
}

static void unpack_reports_long_parts_on_the_way(void **state) {
    struct fixture *f = *state;
    char name[300];
    memset(name, 'x', sizeof(name));
    strcpy(name + 256, "/y");
    add_file(f, name, "1");
    add_file(f, name + 1, "1");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_non_null(strstr(f->m.reports,
                           "offset 0: a part of its name, or a way through symlinks, is too long; left out"));
    assert_int_equal(f->u.summary.warnings, 1);
    f->seen = model_line(&f->m, name + 1);
    assert_non_null(f->seen);
}

static void unpack_reports_ways_through_symlinks_that_are_too_long(void **state) {
    struct fixture *f = *state;
    char target[4000];
    for (size_t i = 0; i < sizeof(target); i++)
        target[i] = i % 100 ? 'x' : '/';
    target[3999] = '\0';
    add_symlink(f, "a", target);
    memcpy(target, "a/", 2);
    add_symlink(f, "b", target); // leads through a: 3,997 bytes behind its 3,999
    add_file(f, "a/x", "1");
    add_file(f, "b/x", "1");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(f, "warning: entry 4 (\"b/x\"), offset 8344: a part of its name, or a way through "
                      "symlinks, is too long; "
                      "left out\n");
    assert_int_equal(f->u.summary.implied, 40);
}

#define HARD_LINK_TEST(claim, one, two, three, content)                                                      \
    static void claim(void **state) {                                                                        \
        struct fixture *f = *state;                                                                          \
        add_linked(f, "a", one, 5);                                                                          \
        add_linked(f, "d/b", two, 5);                                                                        \
        add_linked(f, "c", three, 5);                                                                        \
        archive_end(&f->a);                                                                                  \
        assert_unpacks(f);                                                                                   \
        assert_line(f, "a", "f 0644 0:0 0 a = " content " (3 links)");                                       \
        assert_line(f, "d/b", "f 0644 0:0 0 d/b = " content " (3 links)");                                   \
        assert_line(f, "c", "f 0644 0:0 0 c = " content " (3 links)");                                       \
        assert_reports(f, "");                                                                               \
    }
HARD_LINK_TEST(unpack_links_with_data_on_the_first_name, "body", NULL, NULL, "body")
HARD_LINK_TEST(unpack_links_with_data_on_the_last_name, NULL, NULL, "body", "body")
HARD_LINK_TEST(unpack_links_with_data_in_the_middle, NULL, "body", NULL, "body")
HARD_LINK_TEST(unpack_links_with_two_bodies_take_the_later, "first", NULL, "later body", "later body")

static void unpack_links_by_device_inode_and_type(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "a", .mode = FILE_0644, .ino = 5, .nlink = 2, .dev_major = 1, .data = "a");
    archive_add(&f->a, .name = "b", .mode = FILE_0644, .ino = 5, .nlink = 2, .dev_major = 2, .data = "b");
    archive_add(&f->a, .name = "c", .mode = FILE_0644, .ino = 5, .nlink = 2, .dev_minor = 1, .data = "c");
    archive_add(&f->a, .name = "d", .mode = FILE_0644, .ino = 6, .nlink = 2, .dev_major = 1, .data = "d");
    archive_add(&f->a, .name = "e", .mode = CPIO_IFIFO | 0644, .ino = 5, .nlink = 2, .dev_major = 1);
    archive_add(&f->a, .name = "f", .mode = FILE_0644, .ino = 5, .nlink = 1, .dev_major = 1, .data = "f");
    archive_add(&f->a, .name = "g", .mode = FILE_0644, .ino = 5, .nlink = 2, .dev_major = 1);
    archive_add(&f->a, .name = "h", .mode = CPIO_IFIFO | 0644, .ino = 5, .nlink = 2, .dev_major = 1);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 0 .\n"
                   "f 0644 0:0 0 a = a (2 links)\n"
                   "f 0644 0:0 0 b = b\n"
                   "f 0644 0:0 0 c = c\n"
                   "f 0644 0:0 0 d = d\n"
                   "p 0644 0:0 0 e (2 links)\n"
                   "f 0644 0:0 0 f = f\n"
                   "f 0644 0:0 0 g = a (2 links)\n"
                   "p 0644 0:0 0 h (2 links)\n");
}

static void unpack_never_links_symlinks_or_directories(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "a", .mode = LINK_0777, .ino = 5, .nlink = 2, .data = "x");
    archive_add(&f->a, .name = "b", .mode = LINK_0777, .ino = 5, .nlink = 2, .data = "y");
    archive_add(&f->a, .name = "c", .mode = DIR_0755, .ino = 5, .nlink = 2);
    archive_add(&f->a, .name = "d", .mode = DIR_0755, .ino = 5, .nlink = 2);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f,
                "d 0755 0:0 0 .\nl 0777 0:0 0 a -> x\nl 0777 0:0 0 b -> y\nd 0755 0:0 0 c\nd 0755 0:0 0 d\n");
}

static void unpack_forgets_links_at_the_trailer(void **state) {
    struct fixture *f = *state;
    add_linked(f, "a", "one", 5);
    archive_end(&f->a);
    add_linked(f, "b", "two", 5);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "a", "f 0644 0:0 0 a = one");
    assert_line(f, "b", "f 0644 0:0 0 b = two");
    assert_int_equal(f->u.summary.archives, 2);
}

static void unpack_keeps_thousands_of_link_groups(void **state) {
    struct fixture *f = *state;
    char name[32];
    for (uint32_t i = 0; i < 4000; i++) {
        snprintf(name, sizeof(name), "a/%u", i);
        add_linked(f, name, NULL, i * 7919 % 4001);
        snprintf(name, sizeof(name), "b/%u", i);
        add_linked(f, name, name, i * 7919 % 4001);
    }
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "a/1234", "f 0644 0:0 0 a/1234 = b/1234 (2 links)");
}

static void unpack_links_to_a_file_that_lost_its_first_name(void **state) {
    struct fixture *f = *state;
    add_linked(f, "a", "body", 5);
    add_linked(f, "b", NULL, 5);
    archive_add(&f->a, .name = "a", .mode = DIR_0755);
    add_linked(f, "c", NULL, 5);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "a", "d 0755 0:0 0 a");
    assert_line(f, "b", "f 0644 0:0 0 b = body (2 links)");
    assert_line(f, "c", "f 0644 0:0 0 c = body (2 links)");
}

static void unpack_puts_a_link_in_the_place_of_another_object(void **state) {
    struct fixture *f = *state;
    add_dir(f, "b");
    add_file(f, "c", "old");
    add_linked(f, "a", "body", 5);
    add_linked(f, "b", NULL, 5);
    add_linked(f, "c", NULL, 5);
    add_linked(f, "a", "again", 5);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 0 .\n"
                   "f 0644 0:0 0 a = again (3 links)\n"
                   "f 0644 0:0 0 b = again (3 links)\n"
                   "f 0644 0:0 0 c = again (3 links)\n");
}

static void unpack_rewrites_a_file_in_place(void **state) {
    struct fixture *f = *state;
    add_linked(f, "a", "long old body", 5);
    add_linked(f, "b", NULL, 5);
    archive_add(&f->a, .name = "a", .mode = CPIO_IFREG | 0600, .data = "new", .mtime = 3, .uid = 9);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "a", "f 0600 9:0 3 a = new (2 links)");
    assert_line(f, "b", "f 0600 9:0 3 b = new (2 links)");
}

static void unpack_replaces_by_another_type(void **state) {
    struct fixture *f = *state;
    add_file(f, "file-dir", "1");
    add_dir(f, "dir-file");
    add_symlink(f, "link-file", "file-dir");
    add_file(f, "file-link", "2");
    add_symlink(f, "link-link", "old");
    archive_add(&f->a, .name = "dev", .mode = CPIO_IFCHR | 0600, .rdev_major = 1, .rdev_minor = 1);
    archive_end(&f->a);
    add_dir(f, "file-dir");
    add_file(f, "dir-file", "3");
    add_file(f, "link-file", "4");
    add_symlink(f, "file-link", "target");
    add_symlink(f, "link-link", "new");
    archive_add(&f->a, .name = "dev", .mode = CPIO_IFCHR | 0660, .rdev_major = 1, .rdev_minor = 3);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 0 .\n"
                   "c 0660 0:0 0 dev 1:3\n"
                   "f 0644 0:0 7 dir-file = 3\n"
                   "d 0755 0:0 9 file-dir\n"
                   "l 0777 0:0 8 file-link -> target\n"
                   "f 0644 0:0 7 link-file = 4\n"
                   "l 0777 0:0 8 link-link -> new\n");
    assert_reports(f, "");
}

static void unpack_says_when_a_directory_replaces_a_symlink(void **state) {
    struct fixture *f = *state;
    add_dir(f, "usr");
    add_dir(f, "usr/lib");
    add_symlink(f, "lib", "usr/lib");
    add_file(f, "lib/a", "1");
    add_dir(f, "lib");
    add_file(f, "lib/b", "2");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(f, "note: entry 5 (\"lib\"), offset 480: this directory takes the place of a symlink\n");
    assert_line(f, "usr/lib/a", "f 0644 0:0 7 usr/lib/a = 1");
    assert_line(f, "lib/b", "f 0644 0:0 7 lib/b = 2");
}

static void unpack_never_removes_a_directory_that_is_not_empty(void **state) {
    struct fixture *f = *state;
    add_file(f, "d/x", "1");
    add_file(f, "d", "2");
    add_symlink(f, "d", "x");
    add_linked(f, "l", "3", 5);
    add_linked(f, "d", "4", 5);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(
        f, "warning: entry 2 (\"d\"), offset 120: a directory that is not empty is in the way; left out\n"
           "warning: entry 3 (\"d\"), offset 236: a directory that is not empty is in the way; left out\n"
           "warning: entry 5 (\"d\"), offset 468: a directory that is not empty is in the way; left out\n");
    assert_line(f, "d/x", "f 0644 0:0 7 d/x = 1");
}

static void unpack_sets_directory_mtimes_at_the_end(void **state) {
    struct fixture *f = *state;
    char name[16];
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        archive_add(&f->a, .name = name, .mode = DIR_0755, .mtime = (uint32_t)i);
    }
    archive_add(&f->a, .name = "d7", .mode = DIR_0755, .mtime = 4000);
    archive_add(&f->a, .name = "gone", .mode = DIR_0755, .mtime = 1);
    add_file(f, "gone", "file");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_line(f, "d7", "d 0755 0:0 4000 d7");
    assert_line(f, "d599", "d 0755 0:0 599 d599");
    assert_line(f, "gone", "f 0644 0:0 7 gone = file");
}

static void unpack_lays_buffers_over_each_other(void **state) {
    struct fixture *f = *state;
    struct archive over = {0};
    add_file(f, "etc/one", "1");
    add_file(f, "etc/two", "2");
    archive_end(&f->a);
    archive_add(&over, .name = "etc/two", .mode = FILE_0644, .data = "TWO");
    archive_add(&over, .name = "etc/three", .mode = FILE_0644, .data = "3");
    archive_end(&over);
    assert_int_equal(unpack_begin(&f->u, &model_sink, &f->m, f->m.root), 0);
    assert_int_equal(unpack_buffer(&f->u, f->a.bytes, f->a.size), 0);
    assert_int_equal(unpack_buffer(&f->u, over.bytes, over.size), 0);
    unpack_end(&f->u);
    assert_line(f, "etc/one", "f 0644 0:0 7 etc/one = 1");
    assert_line(f, "etc/two", "f 0644 0:0 0 etc/two = TWO");
    assert_line(f, "etc/three", "f 0644 0:0 0 etc/three = 3");
    assert_int_equal(f->u.summary.archives, 2);
    archive_free(&over);
}

static void unpack_keeps_what_came_before_a_bad_archive(void **state) {
    struct fixture *f = *state;
    add_file(f, "one", "1");
    add_file(f, "lib/two", "222222222");
    f->a.size -= 8;
    assert_int_equal(unpack(f), -EINVAL);
    assert_reports(f, "error: entry 2 (\"lib/two\"): data needs 9 bytes, 4 remain; archive truncated?\n");
    assert_tree(f, "d 0755 0:0 0 .\nf 0644 0:0 7 one = 1\n");
    assert_int_equal(f->u.summary.errors, 1);
    assert_int_equal(f->u.summary.entries, 1);
}

static void unpack_notes_a_missing_trailer(void **state) {
    struct fixture *f = *state;
    add_file(f, "one", "1");
    assert_unpacks(f);
    assert_reports(f, "note: archive 1 ends behind entry 1 without a trailer; archive truncated?\n");
    assert_line(f, "one", "f 0644 0:0 7 one = 1");
}

static void unpack_refuses_a_wrong_checksum(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "a", .mode = FILE_0644, .data = "a", .crc = true, .checksum = 'a');
    archive_add(&f->a, .name = "b", .mode = FILE_0644, .data = "b", .crc = true, .checksum = 'a');
    archive_end(&f->a);
    assert_int_equal(unpack(f), -EINVAL);
    assert_reports(f,
                   "error: entry 2 (\"b\"): checksum is 0x61, but the data at offset 228 sum up to 0x62\n");
    assert_line(f, "a", "f 0644 0:0 0 a = a");
    assert_missing(f, "b");
}

static void unpack_skips_entries_it_cannot_use(void **state) {
    struct fixture *f = *state;
    archive_add(&f->a, .name = "d", .mode = DIR_0755, .data = "data");
    archive_add(&f->a, .name = "weird", .mode = 0170000 | 0644);
    archive_add(&f->a, .name = "l", .mode = LINK_0777);
    add_file(f, ".", "root");
    add_file(f, "toolong", "x");
    archive_add(&f->a, .name = "n", .name_size = 4097);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(f,
                   "warning: entry 1 (\"d\"), offset 0: data, but neither a file nor a symlink; left out\n"
                   "warning: entry 2 (\"weird\"), offset 116: its type is none that Linux knows; left out\n"
                   "warning: entry 3 (\"l\"), offset 232: a symlink without a target; left out\n"
                   "warning: entry 4 (\".\"), offset 344: the name is that of a directory; left out\n"
                   "warning: entry 6: name size is 4097, 1 to 4096 is allowed; header at offset 584\n");
    assert_tree(f, "d 0755 0:0 0 .\nf 0644 0:0 7 toolong = x\n");
}

static void unpack_takes_symlink_targets_up_to_4095_bytes(void **state) {
    struct fixture *f = *state;
    char target[4097];
    memset(target, 't', sizeof(target));
    target[4096] = '\0';
    add_symlink(f, "long", target);
    target[4095] = '\0';
    add_symlink(f, "fits", target);
    archive_add(&f->a, .name = "nul", .mode = LINK_0777, .data = "abc\0def", .data_size = 7);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(
        f,
        "warning: entry 1 (\"long\"), offset 0: the symlink's target is longer than 4095 bytes; left out\n");
    assert_line(f, "nul", "l 0777 0:0 0 nul -> abc");
}

static void unpack_makes_no_file_or_symlink_of_the_root(void **state) {
    struct fixture *f = *state;
    add_symlink(f, "/", "x");
    archive_add(&f->a, .name = "a/..", .mode = CPIO_IFIFO);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_reports(f, "warning: entry 1 (\"/\"), offset 0: the name is that of a directory; left out\n"
                      "warning: entry 2 (\"a/..\"), offset 116: the name is that of a directory; left out\n");
}

static void unpack_calls_the_sink_once_for_a_file_in_the_same_directory(void **state) {
    struct fixture *f = *state;
    char name[64];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "a/b/c/d/e/file%d", i);
        add_file(f, name, NULL);
    }
    archive_end(&f->a);
    assert_unpacks(f);
    assert_int_equal(f->m.calls, 10 + 2 * 100); // the model counts create and its set_data
}

static void unpack_walks_only_the_new_part_of_a_parent(void **state) {
    struct fixture *f = *state;
    add_file(f, "a/b/c/x", NULL);
    add_file(f, "a/b/d/x", NULL);
    add_file(f, "a/bc/x", NULL);
    add_file(f, "x", NULL);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_int_equal(f->m.calls, 2 * (3 + 1 + 1) + 2 * 4);
    assert_line(f, "a/bc/x", "f 0644 0:0 7 a/bc/x = ");
}

// Parents of equal length that differ in their first bytes, in whole words, and in what is left behind these.
static void unpack_tells_parents_of_one_length_apart(void **state) {
    struct fixture *f = *state;
    static const char *const names[] = {"abcdefgh/x", "zbcdefgh/x", "zbcdZfgh/x", "zbcdZfgZ/x", "zbcdZfgZ/y"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add_file(f, names[i], names[i]);
    archive_end(&f->a);
    assert_unpacks(f);
    assert_tree(f, "d 0755 0:0 0 .\n"
                   "d 0755 0:0 7 abcdefgh\n"
                   "f 0644 0:0 7 abcdefgh/x = abcdefgh/x\n"
                   "d 0755 0:0 7 zbcdZfgZ\n"
                   "f 0644 0:0 7 zbcdZfgZ/x = zbcdZfgZ/x\n"
                   "f 0644 0:0 7 zbcdZfgZ/y = zbcdZfgZ/y\n"
                   "d 0755 0:0 7 zbcdZfgh\n"
                   "f 0644 0:0 7 zbcdZfgh/x = zbcdZfgh/x\n"
                   "d 0755 0:0 7 zbcdefgh\n"
                   "f 0644 0:0 7 zbcdefgh/x = zbcdefgh/x\n");
}

static void unpack_goes_deeper_than_it_remembers(void **state) {
    struct fixture *f = *state;
    char name[600] = "";
    for (int i = 0; i < 100; i++)
        strcat(name, "d/");
    strcat(name, "x");
    add_file(f, name, "1");
    name[200] = 'y';
    add_file(f, name, "2");
    archive_end(&f->a);
    assert_unpacks(f);
    assert_int_equal(f->u.summary.implied, 100);
    char *line = model_line(&f->m, name);
    assert_non_null(line);
    free(line);
}

static void unpack_makes_no_trouble_of_nothing(void **state) {
    struct fixture *f = *state;
    assert_unpacks(f);
    archive_zeros(&f->a, 4096);
    assert_unpacks(f);
    assert_reports(f, "");
    assert_int_equal(f->u.summary.archives, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(unpack_makes_every_type),
        CLAIM(unpack_counts_what_the_sink_copied),
        CLAIM(unpack_reads_names_in_any_form),
        CLAIM(unpack_makes_implied_directories),
        CLAIM(unpack_follows_symlinks_inside_the_root),
        CLAIM(unpack_refuses_names_that_climb_out),
        CLAIM(unpack_reports_symlink_loops),
        CLAIM(unpack_reports_a_file_where_a_directory_is_needed),
        CLAIM(unpack_reports_long_parts),
        CLAIM(unpack_reports_long_parts_on_the_way),
        CLAIM(unpack_reports_ways_through_symlinks_that_are_too_long),
        CLAIM(unpack_links_with_data_on_the_first_name),
        CLAIM(unpack_links_with_data_on_the_last_name),
        CLAIM(unpack_links_with_data_in_the_middle),
        CLAIM(unpack_links_with_two_bodies_take_the_later),
        CLAIM(unpack_links_by_device_inode_and_type),
        CLAIM(unpack_never_links_symlinks_or_directories),
        CLAIM(unpack_forgets_links_at_the_trailer),
        CLAIM(unpack_keeps_thousands_of_link_groups),
        CLAIM(unpack_links_to_a_file_that_lost_its_first_name),
        CLAIM(unpack_puts_a_link_in_the_place_of_another_object),
        CLAIM(unpack_rewrites_a_file_in_place),
        CLAIM(unpack_replaces_by_another_type),
        CLAIM(unpack_says_when_a_directory_replaces_a_symlink),
        CLAIM(unpack_never_removes_a_directory_that_is_not_empty),
        CLAIM(unpack_sets_directory_mtimes_at_the_end),
        CLAIM(unpack_lays_buffers_over_each_other),
        CLAIM(unpack_keeps_what_came_before_a_bad_archive),
        CLAIM(unpack_notes_a_missing_trailer),
        CLAIM(unpack_refuses_a_wrong_checksum),
        CLAIM(unpack_skips_entries_it_cannot_use),
        CLAIM(unpack_takes_symlink_targets_up_to_4095_bytes),
        CLAIM(unpack_makes_no_file_or_symlink_of_the_root),
        CLAIM(unpack_calls_the_sink_once_for_a_file_in_the_same_directory),
        CLAIM(unpack_walks_only_the_new_part_of_a_parent),
        CLAIM(unpack_tells_parents_of_one_length_apart),
        CLAIM(unpack_goes_deeper_than_it_remembers),
        CLAIM(unpack_makes_no_trouble_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
