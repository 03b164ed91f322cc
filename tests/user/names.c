// SPDX-License-Identifier: MIT
// What rename, link, unlink and open with O_CREAT do to names, and how they say no.
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define NOREPLACE 1
#define EXCHANGE  2
#define WHITEOUT  4

static char b[4096];

TEST_DIRECTORY(0777)
static long rename2(const char *from, const char *to, unsigned int flags) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}
static void make(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    CHECK(fd >= 0 && write(fd, path, strlen(path)) == (ssize_t)strlen(path) && close(fd) == 0);
}
static int holds(const char *path, const char *text) {
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, b, sizeof(b));
    close(fd);
    return n == (ssize_t)strlen(text) && !memcmp(b, text, n);
}

TEST(rmdir_says_what_is_wrong_with_dots_and_the_root) {
    CHECK(mkdir("dots", 0755) == 0 && getcwd(b, sizeof(b) - 8));
    strcat(b, "/dots/.");
    CHECK_ERRNO(rmdir(b), EINVAL);
    CHECK_ERRNO(rmdir("dots/."), EINVAL);
    CHECK_ERRNO(rmdir("/."), EINVAL);
    CHECK_ERRNO(rmdir("dots/.."), ENOTEMPTY);
    CHECK_ERRNO(rmdir("/"), EBUSY);
    CHECK_ERRNO(rmdir("//"), EBUSY);
    CHECK(rmdir("dots") == 0);
}

TEST(a_rename_replaces_an_empty_directory_only) {
    CHECK(mkdir("d1", 0755) == 0 && mkdir("d2", 0755) == 0 && mkdir("d2/x", 0755) == 0);
    CHECK_ERRNO(rename("d1", "d2"), ENOTEMPTY);
    CHECK_ERRNO(rename("d2/x", "d2"), ENOTEMPTY);
    CHECK_ERRNO(rename("d2", "d2/x"), EINVAL);
    CHECK_ERRNO(rename("d2", "d2/x/y"), EINVAL);
    int gone = open("d1", O_RDONLY | O_DIRECTORY);
    CHECK(rename("d2", "d1") == 0 && access("d1/x", F_OK) == 0);
    CHECK_ERRNO(openat(gone, "new", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERRNO(mkdirat(gone, "new", 0700), ENOENT);
    CHECK_ERRNO(renameat(AT_FDCWD, "d1/x", gone, "x"), ENOENT);
    CHECK_ERRNO(symlinkat("x", gone, "l"), ENOENT);
    make("f");
    CHECK_ERRNO(linkat(AT_FDCWD, "f", gone, "f", 0), ENOENT);
    CHECK_ERRNO(rename("d1", "f"), ENOTDIR);
    CHECK_ERRNO(rename("f", "d1"), EISDIR);
    CHECK(fchdir(gone) == 0);
    CHECK_ERRNO(syscall(SYS_getcwd, b, sizeof(b)), ENOENT);
    CHECK_ERRNO(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
}

TEST(renames_exchange_and_do_not_replace) {
    struct stat st;
    make("ea");
    CHECK(mkdir("eb", 0755) == 0 && mkdir("ed", 0755) == 0);
    make("ed/in");
    CHECK_ERRNO(rename2("ea", "eb", NOREPLACE), EEXIST);
    CHECK_ERRNO(rename2("ea", "ea", NOREPLACE), EEXIST);
    CHECK_ERRNO(rename2("ea", "none", EXCHANGE), ENOENT);
    CHECK_ERRNO(rename2("ea", "eb", EXCHANGE | NOREPLACE), EINVAL);
    CHECK_ERRNO(rename2("ea", "eb", EXCHANGE | WHITEOUT), EINVAL);
    CHECK_ERRNO(rename2("ea", "eb", 8), EINVAL);
    CHECK_ERRNO(rename2("ed", "ed/in", EXCHANGE), EINVAL);
    CHECK_ERRNO(rename2("ed/in", "ed", EXCHANGE), EINVAL);
    CHECK(rename2("ea", "ed", EXCHANGE) == 0 && holds("ed", "ea") && holds("ea/in", "ed/in"));
    CHECK(rename2("ea/in", "eb", EXCHANGE) == 0 && holds("eb", "ed/in"));
    CHECK(stat("ea/in", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(stat("ea", &st) == 0 && st.st_nlink == 3);
    CHECK(rename2("eb", "moved", NOREPLACE) == 0 && holds("moved", "ed/in"));
}

TEST(a_whiteout_stays_where_a_name_was) {
    struct stat st;
    make("w");
    CHECK(rename2("w", "w2", WHITEOUT) == 0 && holds("w2", "w"));
    CHECK(lstat("w", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0 && (st.st_mode & 07777) == 0);
    CHECK_ERRNO(rename2("w2", "w", WHITEOUT | NOREPLACE), EEXIST);
    CHECK(rename2("w2", "w", WHITEOUT) == 0 && holds("w", "w") && lstat("w2", &st) == 0 &&
          S_ISCHR(st.st_mode));
    CHECK(unlink("w2") == 0);
}

static int as_user(void *arg) {
    (void)arg;
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    CHECK_ERRNO(rename("theirs/d", "d"), EACCES); // its ".." would change
    CHECK_ERRNO(rename2("theirs/d", "mine", EXCHANGE), EACCES);
    CHECK(rename("theirs/d", "theirs/e") == 0);
    CHECK_ERRNO(open("/proc/none", O_CREAT | O_WRONLY, 0600), ENOENT);
    return 0;
}

TEST(a_directory_that_changes_its_parent_must_be_writable) {
    CHECK(mkdir("theirs", 0777) == 0 && chmod("theirs", 0777) == 0 && mkdir("theirs/d", 0755) == 0);
    CHECK(mkdir("mine", 0777) == 0 && chown("mine", 1000, 1000) == 0);
    CHECK(test_wait_exit(test_fork(as_user, NULL)) == 0);
}

TEST(names_cannot_be_made_in_proc) {
    make("pf");
    CHECK_ERRNO(open("/proc/none", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERRNO(open("/proc/self/none", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERRNO(mkdir("/proc/none", 0755), ENOENT);
    CHECK_ERRNO(mkdir("/proc/self/fd/none", 0755), ENOENT);
    CHECK_ERRNO(symlink("x", "/proc/none"), ENOENT);
    CHECK_ERRNO(mknod("/proc/none", S_IFIFO | 0600, 0), ENOENT);
    CHECK_ERRNO(rename("/proc/none", "/proc/none2"), ENOENT);
    CHECK_ERRNO(rename("/proc/version", "/proc/none"), ENOENT);
    CHECK_ERRNO(link("/proc/version", "/proc/none"), ENOENT);
    CHECK_ERRNO(mkdir("/proc/self", 0755), EEXIST);
    CHECK_ERRNO(unlink("/proc/version"), EPERM);
    CHECK_ERRNO(rename("/proc/version", "/proc/cpuinfo"), EPERM);
    CHECK_ERRNO(unlink("/proc/none"), ENOENT);
}

TEST(the_last_name_that_went_does_not_come_back) {
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    CHECK(linkat(fd, "", AT_FDCWD, "first", AT_EMPTY_PATH) == 0 && unlink("first") == 0);
    CHECK_ERRNO(linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH), ENOENT);
    int never = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
    CHECK_ERRNO(linkat(never, "", AT_FDCWD, "third", AT_EMPTY_PATH), ENOENT);
}
