// SPDX-License-Identifier: MIT
// What chattr(1) says of files of tmpfs, and what it keeps from whom. Each claim holds on Linux 6.12, too.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <linux/falloc.h>

TEST_DIRECTORY(0777)

#define NOBODY 1234

static int flags_of(const char *path) {
    int flags = -1, fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0);
    close(fd);
    return flags;
}

static int set_flags(const char *path, int flags) {
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    int ret = ioctl(fd, FS_IOC_SETFLAGS, &flags), err = errno;
    close(fd);
    errno = err;
    return ret;
}

static void make(const char *path, int flags) {
    close(test_make(path, "text"));
    CHECK(set_flags(path, flags) == 0);
}

static void become_somebody(void) {
    CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
          setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

// In a directory of the test's own: others leave files behind that stay.
#define ENTER() CHECK(mkdir(__func__, 0777) == 0 && chmod(__func__, 0777) == 0 && chdir(__func__) == 0)

TEST(flags_are_set_and_told) {
    ENTER();
    close(test_make("f", ""));
    CHECK(flags_of("f") == 0 && set_flags("f", FS_NODUMP_FL | FS_NOATIME_FL) == 0 &&
          flags_of("f") == (FS_NODUMP_FL | FS_NOATIME_FL));
    CHECK(set_flags("f", FS_APPEND_FL | FS_IMMUTABLE_FL) == 0 &&
          flags_of("f") == (FS_APPEND_FL | FS_IMMUTABLE_FL));
    CHECK(set_flags("f", 0) == 0 && flags_of("f") == 0);
    CHECK(mkdir("d", 0700) == 0 && set_flags("d", FS_IMMUTABLE_FL) == 0 && flags_of("d") == FS_IMMUTABLE_FL &&
          set_flags("d", 0) == 0);
    CHECK_ERRNO(set_flags("f", FS_SYNC_FL), EOPNOTSUPP);
    CHECK_ERRNO(set_flags("f", FS_COMPR_FL), EOPNOTSUPP);
    CHECK_ERRNO(set_flags("f", FS_EXTENT_FL | FS_NODUMP_FL), EOPNOTSUPP);
    CHECK(flags_of("f") == 0);
    int fd = open("f", O_RDONLY);
    CHECK_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, 16), EFAULT);
    CHECK_ERRNO(ioctl(fd, FS_IOC_GETFLAGS, 16), EFAULT);
}

TEST(flags_are_told_in_the_other_words_too) {
    ENTER();
    struct fsxattr x;
    make("f", FS_NODUMP_FL | FS_APPEND_FL);
    int fd = open("f", O_RDONLY);
    memset(&x, 0x55, sizeof(x));
    CHECK(ioctl(fd, FS_IOC_FSGETXATTR, &x) == 0 && x.fsx_xflags == (FS_XFLAG_NODUMP | FS_XFLAG_APPEND));
    CHECK(x.fsx_extsize == 0 && x.fsx_projid == 0 && x.fsx_nextents == 0 && x.fsx_cowextsize == 0 &&
          x.fsx_pad[7] == 0);
    x.fsx_xflags = FS_XFLAG_NOATIME;
    x.fsx_nextents = 77;
    CHECK(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0 && flags_of("f") == FS_NOATIME_FL);
    x.fsx_projid = 1;
    CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
    x.fsx_projid = 0, x.fsx_extsize = 4096;
    CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
    x.fsx_extsize = 0, x.fsx_xflags = FS_XFLAG_EXTSZINHERIT; // of directories
    CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, &x), EINVAL);
    x.fsx_xflags = FS_XFLAG_EXTSIZE | FS_XFLAG_NODUMP; // of nothing: none
    CHECK(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0 && flags_of("f") == FS_NODUMP_FL);
    x.fsx_xflags = FS_XFLAG_REALTIME;
    CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
}

TEST(flags_are_not_everywheres) {
    ENTER();
    int flags, p[2], proc = open("/proc/self/stat", O_RDONLY);
    CHECK(pipe(p) == 0 && mkfifo("fifo", 0600) == 0);
    int fifo = open("fifo", O_RDWR), path = open(".", O_PATH);
    CHECK_ERRNO(ioctl(p[0], FS_IOC_GETFLAGS, &flags), ENOTTY);
    CHECK_ERRNO(ioctl(proc, FS_IOC_GETFLAGS, &flags), ENOTTY);
    CHECK_ERRNO(ioctl(fifo, FS_IOC_GETFLAGS, &flags), ENOTTY);
    CHECK_ERRNO(ioctl(fifo, FS_IOC_FSGETXATTR, &flags), ENOTTY);
    CHECK_ERRNO(ioctl(path, FS_IOC_GETFLAGS, &flags), EBADF);
    int memory = memfd_create("m", 0);
    CHECK(ioctl(memory, FS_IOC_GETFLAGS, &flags) == 0 && flags == 0);
}

TEST(immutable_and_append_are_who_has_the_capabilitys) {
    ENTER();
    make("f", 0);
    CHECK(chown("f", NOBODY, NOBODY) == 0);
    make("of-root", FS_IMMUTABLE_FL);
    become_somebody();
    CHECK(set_flags("f", FS_NODUMP_FL) == 0);
    CHECK_ERRNO(set_flags("f", FS_IMMUTABLE_FL), EPERM);
    CHECK_ERRNO(set_flags("f", FS_APPEND_FL | FS_NODUMP_FL), EPERM);
    CHECK_ERRNO(set_flags("of-root", FS_IMMUTABLE_FL), EPERM); // as it is; but it is somebody else's
    CHECK(flags_of("f") == FS_NODUMP_FL);
}

static bool may_be_changed(const char *path) {
    struct timeval t[2] = {{1, 0}, {2, 0}};
    return !chmod(path, 0600) || errno != EPERM || !chown(path, 5, -1) || errno != EPERM ||
           !utimes(path, t) || errno != EPERM || !setxattr(path, "user.x", "y", 1, 0) || errno != EPERM ||
           !removexattr(path, "user.x") || errno != EPERM || !setxattr(path, "trusted.x", "y", 1, 0) ||
           errno != EPERM || !link(path, "other") || errno != EPERM || !rename(path, "other") ||
           errno != EPERM || !truncate(path, 2) || errno != EPERM;
}

TEST(an_immutable_file_stays_as_it_is) {
    ENTER();
    struct stat st;
    close(test_make("f", "text"));
    close(test_make("g", "other"));
    int before = open("f", O_RDWR);
    CHECK(set_flags("f", FS_IMMUTABLE_FL) == 0);
    CHECK_ERRNO(open("f", O_WRONLY), EPERM);
    CHECK_ERRNO(open("f", O_RDWR | O_APPEND), EPERM);
    CHECK_ERRNO(open("f", O_WRONLY | O_CREAT, 0600), EPERM);
    CHECK_ERRNO(open("f", O_RDONLY | O_TRUNC), EPERM);
    CHECK_ERRNO(access("f", W_OK), EPERM);
    CHECK_ERRNO(unlink("f"), EPERM);
    CHECK_ERRNO(rename("g", "f"), EPERM);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, "f", RENAME_EXCHANGE), EPERM);
    CHECK_ERRNO(utimes("f", NULL), EPERM);
    CHECK(!may_be_changed("f"));
    CHECK(chown("f", -1, -1) == 0); // changes nothing
    CHECK(stat("f", &st) == 0 && st.st_size == 4 && st.st_nlink == 1 && st.st_uid == 0);
    // Who had it open may go on, but for what is asked by name or kind.
    CHECK(write(before, "T", 1) == 1 && ftruncate(before, 3) == 0);
    CHECK_ERRNO(fallocate(before, 0, 0, 10), EPERM);
    CHECK_ERRNO(fchmod(before, 0600), EPERM);
    char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, before, 0);
    CHECK(m != MAP_FAILED && m[0] == 'T');
    int from = open("g", O_RDONLY);
    CHECK_ERRNO(copy_file_range(from, NULL, before, NULL, 2, 0), EPERM);
    CHECK(set_flags("f", 0) == 0 && unlink("f") == 0);
}

TEST(an_append_only_file_only_grows) {
    ENTER();
    struct timeval t[2] = {{1, 0}, {2, 0}};
    make("f", FS_APPEND_FL);
    close(test_make("g", "other"));
    CHECK_ERRNO(open("f", O_WRONLY), EPERM);
    CHECK_ERRNO(open("f", O_RDWR), EPERM);
    CHECK_ERRNO(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
    CHECK_ERRNO(open("f", O_RDONLY | O_TRUNC), EPERM);
    int fd = open("f", O_RDWR | O_APPEND);
    CHECK(fd >= 0 && pwrite(fd, "more", 4, 0) == 4 && lseek(fd, 0, SEEK_END) == 8);
    CHECK_ERRNO(fcntl(fd, F_SETFL, 0), EPERM);
    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CHECK_ERRNO(ftruncate(fd, 0), EPERM);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2), EPERM);
    CHECK(fallocate(fd, 0, 0, 10) == 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20) == 0);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    CHECK_ERRNO(unlink("f"), EPERM);
    CHECK_ERRNO(rename("g", "f"), EPERM);
    CHECK_ERRNO(utimes("f", t), EPERM);
    CHECK(utimes("f", NULL) == 0 && access("f", W_OK) == 0);
    CHECK(!may_be_changed("f"));
    CHECK(set_flags("f", 0) == 0 && unlink("f") == 0);
}

TEST(names_of_an_immutable_directory_stay) {
    ENTER();
    CHECK(mkdir("d", 0700) == 0 && mkdir("d/sub", 0700) == 0);
    close(test_make("d/f", "text"));
    close(test_make("g", "text"));
    CHECK(set_flags("d", FS_IMMUTABLE_FL) == 0);
    CHECK_ERRNO(open("d/new", O_WRONLY | O_CREAT, 0600), EPERM);
    CHECK_ERRNO(open("d", O_TMPFILE | O_RDWR, 0600), EPERM);
    CHECK_ERRNO(mkdir("d/new", 0700), EPERM);
    CHECK_ERRNO(symlink("x", "d/new"), EPERM);
    CHECK_ERRNO(mkfifo("d/new", 0600), EPERM);
    CHECK_ERRNO(link("g", "d/new"), EPERM);
    CHECK_ERRNO(unlink("d/f"), EPERM);
    CHECK_ERRNO(rmdir("d/sub"), EPERM);
    CHECK_ERRNO(rename("d/f", "out"), EPERM);
    CHECK_ERRNO(rename("g", "d/new"), EPERM);
    CHECK_ERRNO(rename("d", "e"), EPERM);
    CHECK_ERRNO(mkdir("d/f", 0700), EEXIST);
    int fd = open("d/f", O_RDWR | O_CREAT, 0600); // which is there
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && chmod("d/f", 0644) == 0);
    close(test_make("d/sub/new", "")); // sub is another
    CHECK(set_flags("d", 0) == 0 && unlink("d/f") == 0);
}

TEST(names_of_an_append_only_directory_come_and_do_not_go) {
    ENTER();
    CHECK(mkdir("d", 0700) == 0);
    close(test_make("d/f", "text"));
    CHECK(set_flags("d", FS_APPEND_FL) == 0);
    close(test_make("d/new", "text"));
    CHECK(mkdir("d/sub", 0700) == 0 && link("d/new", "d/third") == 0);
    CHECK_ERRNO(unlink("d/f"), EPERM);
    CHECK_ERRNO(rmdir("d/sub"), EPERM);
    CHECK_ERRNO(rename("d/f", "d/other"), EPERM);
    CHECK_ERRNO(rename("d", "e"), EPERM);
    CHECK(set_flags("d", 0) == 0 && rename("d", "e") == 0);
}

TEST(what_is_made_in_a_directory_inherits) {
    ENTER();
    CHECK(mkdir("d", 0700) == 0 && set_flags("d", FS_NODUMP_FL | FS_NOATIME_FL | FS_APPEND_FL) == 0);
    close(test_make("d/f", ""));
    CHECK(mkdir("d/sub", 0700) == 0);
    CHECK(flags_of("d/f") == (FS_NODUMP_FL | FS_NOATIME_FL) &&
          flags_of("d/sub") == (FS_NODUMP_FL | FS_NOATIME_FL));
}

TEST(a_file_keeps_its_time_of_reading) {
    ENTER();
    struct timeval old[2] = {{1, 0}, {2, 0}};
    struct stat st;
    char byte;
    for (int keeps = 0; keeps < 2; keeps++) {
        make("f", keeps ? FS_NOATIME_FL : 0);
        CHECK(utimes("f", old) == 0);
        int fd = open("f", O_RDONLY);
        CHECK(fd >= 0 && read(fd, &byte, 1) == 1 && fstat(fd, &st) == 0 && (st.st_atime == 1) == keeps);
        close(fd);
    }
}

#define SHOWN (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP)

TEST(statx_tells_of_flags) {
    ENTER();
    struct statx x;
    make("f", FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
    CHECK(mkdir("d", 0700) == 0 && mkfifo("fifo", 0600) == 0 && symlink("f", "l") == 0);
    CHECK(syscall(SYS_statx, AT_FDCWD, "f", 0, 0, &x) == 0 && (x.stx_attributes & SHOWN) == SHOWN &&
          (x.stx_attributes_mask & SHOWN) == SHOWN);
    CHECK(syscall(SYS_statx, AT_FDCWD, "d", 0, 0, &x) == 0 && (x.stx_attributes & SHOWN) == 0 &&
          (x.stx_attributes_mask & SHOWN) == SHOWN);
    CHECK(syscall(SYS_statx, AT_FDCWD, "fifo", 0, 0, &x) == 0 && (x.stx_attributes & SHOWN) == 0 &&
          (x.stx_attributes_mask & SHOWN) == SHOWN);
    CHECK(syscall(SYS_statx, AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, 0, &x) == 0 &&
          (x.stx_attributes_mask & SHOWN) == SHOWN);
    CHECK(set_flags("f", FS_NODUMP_FL) == 0);
    CHECK(syscall(SYS_statx, AT_FDCWD, "f", 0, 0, &x) == 0 &&
          (x.stx_attributes & SHOWN) == STATX_ATTR_NODUMP);
}
