// SPDX-License-Identifier: MIT
// Files opened by handles (name_to_handle_at(2)). Each claim holds on Linux 6.12, too.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/stat.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

TEST_DIRECTORY(0755)

#ifndef MAX_HANDLE_SZ
#define MAX_HANDLE_SZ 128
#endif
#define FID    0x200
#define UNIQUE 1

struct handle {
    unsigned int bytes;
    int type;
    unsigned char data[MAX_HANDLE_SZ];
};

static int name(int dfd, const char *path, struct handle *h, void *mount, int flags) {
    h->bytes = MAX_HANDLE_SZ;
    return (int)syscall(SYS_name_to_handle_at, dfd, path, h, mount, flags);
}
static int open_it(int fd, const struct handle *h, int flags) {
    return (int)syscall(SYS_open_by_handle_at, fd, h, flags);
}

// The test's own tmpfs, so that nothing else is in it.
static void enter_own(const char *path) {
    CHECK(unshare(CLONE_NEWNS) == 0 && mkdir(path, 0755) == 0 && mount("t", path, "tmpfs", 0, NULL) == 0);
}

static int same(int fd, const char *path) {
    struct stat a, b;
    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// In a directory of the test's own: others leave files behind that stay.
#define ENTER() CHECK(mkdir(__func__, 0777) == 0 && chmod(__func__, 0777) == 0 && chdir(__func__) == 0)

TEST(a_file_is_opened_by_its_handle) {
    ENTER();
    struct handle h, again;
    int mount = 0, other = 0, fd;
    char text[8];
    enter_own("m");
    CHECK(mkdir("m/d", 0700) == 0 && mkdir("m/d/e", 0700) == 0);
    close(test_make("m/d/e/f", "text"));
    int root = open("m", O_RDONLY | O_DIRECTORY);
    CHECK(name(root, "d/e/f", &h, &mount, 0) == 0 && h.bytes == 12);
    CHECK(name(AT_FDCWD, "m/d/e/f", &again, &other, 0) == 0 && mount == other &&
          !memcmp(h.data, again.data, 12) && h.type == again.type);
    CHECK((fd = open_it(root, &h, O_RDWR)) >= 0 && same(fd, "m/d/e/f") && read(fd, text, 8) == 4 &&
          write(fd, "more", 4) == 4);
    CHECK(!(fcntl(fd, F_GETFD) & FD_CLOEXEC));
    CHECK(rename("m/d/e/f", "m/g") == 0 &&
          rename("m/d", "m/x") == 0); // it is the same one, whatever it is called
    CHECK((fd = open_it(root, &h, O_RDONLY | O_CLOEXEC)) >= 0 && same(fd, "m/g") &&
          fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK((fd = open_it(root, &h, O_PATH)) >= 0 && same(fd, "m/g"));
    CHECK_ERRNO(open_it(root, &h, O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK(name(AT_FDCWD, "m/x/e", &h, &mount, 0) == 0 && (fd = open_it(fd, &h, O_RDONLY)) == -1 &&
          errno == EBADF); // O_PATH
    CHECK((fd = open_it(root, &h, O_RDONLY | O_DIRECTORY)) >= 0 && same(fd, "m/x/e"));
    CHECK(name(root, ".", &h, &mount, 0) == 0 && (fd = open_it(root, &h, O_RDONLY)) >= 0 && same(fd, "m"));
    CHECK_ERRNO(open_it(root, &h, O_RDWR), EISDIR);
    CHECK(chdir("m") == 0 && (fd = open_it(AT_FDCWD, &h, O_RDONLY)) >= 0 && same(fd, "."));
}

TEST(what_has_gone_is_stale) {
    ENTER();
    struct handle h;
    int mount, fd;
    enter_own("m");
    close(test_make("m/f", "text"));
    int root = open("m", O_RDONLY | O_DIRECTORY);
    CHECK(link("m/f", "m/second") == 0 && name(AT_FDCWD, "m/f", &h, &mount, 0) == 0 && unlink("m/f") == 0);
    CHECK((fd = open_it(root, &h, O_RDONLY)) >= 0 && same(fd, "m/second"));
    close(fd);
    CHECK(unlink("m/second") == 0);
    close(test_make("m/f", "text"));
    CHECK_ERRNO(open_it(root, &h, O_RDONLY), ESTALE);
    h.data[5] ^= 0x55;
    CHECK_ERRNO(open_it(root, &h, O_RDONLY), ESTALE);
}

// Two file systems that were made in the same way.
TEST(a_handle_is_of_one_file_system) {
    ENTER();
    struct handle h;
    int mount, root;
    enter_own("m");
    enter_own("n");
    close(test_make("m/f", "text"));
    close(test_make("n/f", "text"));
    CHECK(name(AT_FDCWD, "m/f", &h, &mount, 0) == 0);
    CHECK((root = open("n", O_RDONLY)) >= 0);
    CHECK_ERRNO(open_it(root, &h, O_RDONLY), ESTALE);
    CHECK((root = open("/proc", O_RDONLY)) >= 0);
    CHECK_ERRNO(open_it(root, &h, O_RDONLY), ESTALE);
    CHECK((root = open("m", O_RDONLY)) >= 0 && open_it(root, &h, O_RDONLY) >= 0);
}

TEST(arguments_of_handles_are_looked_at) {
    ENTER();
    struct handle h;
    int mount = 0, p[2];
    close(test_make("f", "text"));
    CHECK(symlink("f", "l") == 0 && symlink("nowhere", "dangling") == 0);
    CHECK_ERRNO(name(AT_FDCWD, "f", &h, &mount, AT_SYMLINK_NOFOLLOW), EINVAL);
    CHECK_ERRNO(name(AT_FDCWD, "none", &h, &mount, 0), ENOENT);
    CHECK_ERRNO(name(AT_FDCWD, "", &h, &mount, 0), ENOENT);
    CHECK(name(AT_FDCWD, "", &h, &mount, AT_EMPTY_PATH) == 0 &&
          name(AT_FDCWD, "dangling", &h, &mount, 0) == 0);
    CHECK_ERRNO(name(AT_FDCWD, "dangling", &h, &mount, AT_SYMLINK_FOLLOW), ENOENT);
    struct handle link, file;
    CHECK(name(AT_FDCWD, "l", &link, &mount, 0) == 0 &&
          name(AT_FDCWD, "l", &file, &mount, AT_SYMLINK_FOLLOW) == 0);
    CHECK(memcmp(link.data, file.data, 12));
    CHECK_ERRNO(open_it(AT_FDCWD, &link, O_RDONLY), ELOOP);
    h.bytes = MAX_HANDLE_SZ + 1;
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &h, &mount, 0), EINVAL);
    h.bytes = 8, mount = 0;
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &h, &mount, 0), EOVERFLOW);
    CHECK(h.bytes == 12 && mount); // how much there has to be
    h.bytes = 0;
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &h, &mount, 0), EOVERFLOW);
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", 16, &mount, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &file, 16, 0), EFAULT);
    CHECK_ERRNO(name(AT_FDCWD, "/proc/self/stat", &h, &mount, 0), EOPNOTSUPP);
    CHECK(pipe(p) == 0);
    CHECK_ERRNO(name(p[0], "", &h, &mount, AT_EMPTY_PATH), EOPNOTSUPP);
    CHECK(name(AT_FDCWD, "f", &file, &mount, 0) == 0);
    CHECK_ERRNO(open_it(-1, &file, O_RDONLY), EBADF);
    CHECK_ERRNO(open_it(AT_FDCWD, (void *)16, O_RDONLY), EFAULT);
    file.bytes = 0;
    CHECK_ERRNO(open_it(AT_FDCWD, &file, O_RDONLY), EINVAL);
    file.bytes = MAX_HANDLE_SZ + 1;
    CHECK_ERRNO(open_it(AT_FDCWD, &file, O_RDONLY), EINVAL);
    file.bytes = 8;
    CHECK_ERRNO(open_it(AT_FDCWD, &file, O_RDONLY), ESTALE);
    int memory = memfd_create("m", 0);
    CHECK(name(memory, "", &h, &mount, AT_EMPTY_PATH) == 0);
}

TEST(a_number_of_a_file_is_had_everywhere) {
    ENTER();
    struct handle h;
    struct stat st;
    int mount;
    uint64_t ino;
    CHECK(name(AT_FDCWD, "/proc/self", &h, &mount, FID | AT_SYMLINK_FOLLOW) == 0 && h.bytes == 12 &&
          h.type == 0x81);
    CHECK(stat("/proc/self/", &st) == 0);
    memcpy(&ino, h.data, sizeof(ino));
    CHECK(ino == st.st_ino);
}

TEST(mounts_are_told_with_handles) {
    ENTER();
    struct handle h;
    struct statx x;
    int mount = 0;
    uint64_t unique = 0;
    enter_own("m");
    CHECK(syscall(SYS_statx, AT_FDCWD, "m", 0, STATX_MNT_ID, &x) == 0 &&
          name(AT_FDCWD, "m", &h, &mount, 0) == 0 && (uint64_t)mount == x.stx_mnt_id);
    CHECK(syscall(SYS_statx, AT_FDCWD, "m", 0, 0x4000, &x) == 0 &&
          name(AT_FDCWD, "m", &h, &unique, UNIQUE) == 0 && unique == x.stx_mnt_id);
}

TEST(handles_are_opened_by_who_may_read_all) {
    ENTER();
    struct handle h;
    int mount;
    close(test_make("f", "text"));
    CHECK(name(AT_FDCWD, "f", &h, &mount, 0) == 0 && chmod("f", 0600) == 0);
    CHECK(setgroups(0, NULL) == 0 && setresgid(1234, 1234, 1234) == 0 && setresuid(1234, 1234, 1234) == 0);
    CHECK(name(AT_FDCWD, "f", &h, &mount, 0) == 0);
    CHECK_ERRNO(open_it(AT_FDCWD, &h, O_RDONLY), EPERM);
    CHECK_ERRNO(open_it(-1, &h, O_RDONLY), EBADF);
}

// Opening goes on while names are made, moved and taken away.
TEST(handles_are_found_while_names_change) {
    ENTER();
    struct handle h;
    int mount, root, fd;
    enter_own("m");
    for (int i = 0; i < 3; i++) {
        char path[40];
        snprintf(path, sizeof(path), "m/d%d", i);
        CHECK(mkdir(path, 0700) == 0);
    }
    close(test_make("m/d1/f", "text"));
    CHECK((root = open("m", O_RDONLY)) >= 0 && name(AT_FDCWD, "m/d1/f", &h, &mount, 0) == 0);
    pid_t pid = fork();
    for (int i = 0; !pid; i++) {
        close(open("m/d0/new", O_CREAT | O_WRONLY, 0600));
        if (rename("m/d1", "m/d0/d1") || rename("m/d0/d1/f", "m/d2/f") || rename("m/d2/f", "m/d0/d1/f") ||
            rename("m/d0/d1", "m/d1") || unlink("m/d0/new"))
            _exit(1);
    }
    for (int i = 0; i < 300; i++) {
        CHECK((fd = open_it(root, &h, O_RDONLY)) >= 0);
        close(fd);
    }
    test_end(pid);
}
