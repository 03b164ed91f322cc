// SPDX-License-Identifier: MIT
// Files, directories, names, attributes, permissions, descriptors.
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <poll.h>
#include <limits.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

static char b[1 << 16];

TEST_DIRECTORY(0755)
static mode_t mode_of(const char *path) {
    struct stat st;
    CHECK(lstat(path, &st) == 0);
    return st.st_mode;
}

TEST(write_read_seek_and_truncate) {
    struct stat st;
    int fd = test_make("a", "hello world");
    CHECK(lseek(fd, 6, SEEK_SET) == 6 && read(fd, b, 100) == 5 && !memcmp(b, "world", 5));
    CHECK(ftruncate(fd, 5) == 0 && fstat(fd, &st) == 0 && st.st_size == 5);
    CHECK(pwrite(fd, "x", 1, 100000) == 1 && pread(fd, b, 100, 50000) == 100);
    for (int i = 0; i < 100; i++)
        CHECK(b[i] == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 100001 && st.st_blocks < 50 && st.st_blksize == 4096);
    CHECK(lseek(fd, 0, SEEK_DATA) == 0 && lseek(fd, 0, SEEK_HOLE) == 4096);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK(truncate("a", 0) == 0 && pread(fd, b, 1, 0) == 0);
}

TEST(open_flags_hold) {
    int fd = test_make("o", "abc");
    CHECK_ERRNO(open("o", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
    CHECK_ERRNO(open("none", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("o/x", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("o", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK(symlink("o", "l") == 0);
    CHECK_ERRNO(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    int ap = open("o", O_WRONLY | O_APPEND);
    CHECK(lseek(ap, 0, SEEK_SET) == 0 && write(ap, "def", 3) == 3 && pread(fd, b, 10, 0) == 6);
    CHECK_ERRNO(read(ap, b, 1), EBADF);
    int path = open("o", O_PATH);
    CHECK_ERRNO(read(path, b, 1), EBADF);
    CHECK((fcntl(ap, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));
    CHECK(open("o", O_RDWR | O_TRUNC) >= 0 && pread(fd, b, 1, 0) == 0);
}

TEST(tmpfile_has_no_name_until_linked) {
    char link[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    CHECK(linkat(AT_FDCWD, link, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0 && access("named", F_OK) == 0);
}

TEST(unlinked_files_live_while_open) {
    int fd = test_make("u", "still here");
    CHECK(unlink("u") == 0 && access("u", F_OK) == -1 && pread(fd, b, 20, 0) == 10);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
}

TEST(names_and_paths_have_their_limits) {
    memset(b, 'n', 256);
    b[256] = 0;
    CHECK_ERRNO(open(b, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
    b[255] = 0;
    CHECK(open(b, O_CREAT | O_WRONLY, 0600) >= 0 && unlink(b) == 0);
    memset(b, '/', 5000);
    b[5000] = 0;
    CHECK_ERRNO(open(b, O_RDONLY), ENAMETOOLONG);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    CHECK_ERRNO(open((char *)8, O_RDONLY), EFAULT);
}

TEST(symlinks_resolve_and_loops_are_ELOOP) {
    CHECK(mkdir("d", 0755) == 0 && close(test_make("d/f", "in d")) == 0);
    CHECK(symlink("d", "ld") == 0 && symlink("../d/f", "d/lf") == 0);
    int fd = open("ld/lf", O_RDONLY);
    CHECK(fd >= 0 && read(fd, b, 10) == 4);
    CHECK(readlink("ld", b, 100) == 1 && b[0] == 'd');
    CHECK(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0);
    CHECK_ERRNO(open("loop1", O_RDONLY), ELOOP);
    CHECK_ERRNO(readlink("d", b, 10), EINVAL);
    CHECK(symlink("/proc/self/exe", "exe") == 0 && open("exe", O_RDONLY) >= 0);
}

TEST(directories_count_links_and_refuse_what_they_must) {
    struct stat st;
    CHECK(mkdir("dir", 0755) == 0 && mkdir("dir/sub", 0755) == 0 && stat("dir", &st) == 0 &&
          st.st_nlink == 3);
    CHECK_ERRNO(mkdir("dir", 0755), EEXIST);
    CHECK_ERRNO(rmdir("dir"), ENOTEMPTY);
    CHECK_ERRNO(unlink("dir"), EISDIR);
    CHECK_ERRNO(rename("dir", "dir/sub/x"), EINVAL);
    CHECK_ERRNO(rmdir("dir/."), EINVAL);
    CHECK_ERRNO(link("dir", "hard"), EPERM);
    CHECK(rmdir("dir/sub") == 0 && rmdir("dir") == 0);
}

TEST(readdir_shows_every_name_once_while_names_go) {
    int seen[500] = {0}, n = 0;
    struct dirent *e;
    CHECK(mkdir("many", 0755) == 0);
    for (int i = 0; i < 500; i++) {
        snprintf(b, 64, "many/%d", i);
        CHECK(close(test_make(b, "")) == 0);
    }
    DIR *d = opendir("many");
    CHECK(d);
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        CHECK(e->d_type == DT_REG);
        seen[atoi(e->d_name)]++;
        n++;
        snprintf(b, 64, "many/%.32s", e->d_name);
        CHECK(unlink(b) == 0);
    }
    CHECK(n == 500);
    for (int i = 0; i < 500; i++)
        CHECK(seen[i] == 1);
    CHECK(rmdir("many") == 0);
}

TEST(rename_replaces_atomically) {
    struct stat st;
    close(test_make("from", "new"));
    int old = test_make("to", "old");
    CHECK(rename("from", "to") == 0 && access("from", F_OK) == -1);
    CHECK(pread(old, b, 10, 0) == 3 && !memcmp(b, "old", 3) && fstat(old, &st) == 0 && st.st_nlink == 0);
    CHECK(mkdir("rd", 0755) == 0);
    CHECK_ERRNO(rename("to", "rd"), EISDIR);
    CHECK_ERRNO(rename("rd", "to"), ENOTDIR);
    close(test_make("other", "x"));
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "to", AT_FDCWD, "other", 1), EEXIST);
    CHECK(syscall(SYS_renameat2, AT_FDCWD, "to", AT_FDCWD, "other", 2) == 0);
    int fd = open("to", O_RDONLY);
    CHECK(read(fd, b, 10) == 1 && b[0] == 'x');
}

TEST(hard_links_share_the_inode) {
    struct stat a, c;
    close(test_make("h1", "x"));
    CHECK(link("h1", "h2") == 0 && stat("h1", &a) == 0 && stat("h2", &c) == 0);
    CHECK(a.st_ino == c.st_ino && a.st_nlink == 2 && unlink("h1") == 0 && stat("h2", &c) == 0 &&
          c.st_nlink == 1);
}

TEST(modes_umask_and_times) {
    struct stat st;
    struct timespec t[2] = {{1000, 5}, {2000, 7}};
    umask(027);
    close(open("m", O_CREAT | O_WRONLY, 0666));
    CHECK((mode_of("m") & 07777) == 0640);
    CHECK(chmod("m", 04711) == 0 && (mode_of("m") & 07777) == 04711);
    CHECK(utimensat(AT_FDCWD, "m", t, 0) == 0 && stat("m", &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5 && st.st_mtim.tv_sec == 2000);
    CHECK(chown("m", 5, 6) == 0 && stat("m", &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
    CHECK((st.st_mode & 04000) == 0);
    umask(022);
}

TEST(statx_agrees_with_stat) {
#ifdef STATX_BASIC_STATS
    struct stat st;
    struct statx sx;
    close(test_make("x", "12345"));
    CHECK(stat("x", &st) == 0 && statx(AT_FDCWD, "x", 0, STATX_BASIC_STATS | STATX_BTIME, &sx) == 0);
    CHECK(sx.stx_size == 5 && sx.stx_ino == st.st_ino && sx.stx_mode == st.st_mode && sx.stx_nlink == 1);
    CHECK(sx.stx_mtime.tv_sec == st.st_mtim.tv_sec && sx.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
    CHECK_ERRNO(statx(AT_FDCWD, "x", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx),
                EINVAL);
#endif
}

TEST(permissions_bind_other_users) {
    close(test_make("secret", "x"));
    CHECK(chmod("secret", 0600) == 0 && mkdir("closed", 0700) == 0 &&
          close(test_make("closed/in", "x")) == 0);
    CHECK(mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0 &&
          close(test_make("sticky/mine", "")) == 0);
    CHECK(access("secret", R_OK | W_OK) == 0 && access("secret", X_OK) == -1 && errno == EACCES);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
        CHECK_ERRNO(open("closed/in", O_RDONLY), EACCES);
        CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
        CHECK_ERRNO(unlink("sticky/mine"), EPERM);
        CHECK_ERRNO(chmod("sticky/mine", 0777), EPERM);
        CHECK_ERRNO(chown("sticky/mine", 1000, -1), EPERM);
        CHECK_ERRNO(setuid(0), EPERM);
        CHECK(close(test_make("sticky/ours", "")) == 0 && unlink("sticky/ours") == 0);
        CHECK_ERRNO(mknod("node", S_IFCHR | 0600, makedev(1, 3)), EACCES);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(descriptors_duplicate_and_run_out) {
    struct rlimit limit = {20, 20};
    int fd = test_make("dup", "abc"), fd2 = dup(fd), fd3 = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    CHECK(fd2 > fd && fd3 >= 10 && (fcntl(fd3, F_GETFD) & FD_CLOEXEC) && !(fcntl(fd2, F_GETFD) & FD_CLOEXEC));
    CHECK(lseek(fd, 1, SEEK_SET) == 1 && read(fd2, b, 1) == 1 && b[0] == 'b');
    CHECK(dup2(fd, 15) == 15 && dup2(fd, fd) == fd && syscall(SYS_dup3, fd, fd, 0) == -1 && errno == EINVAL);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while ((fd2 = dup(fd)) >= 0)
        CHECK(fd2 < 20);
    CHECK(errno == EMFILE && close(15) == 0 && dup(fd) == 15);
    CHECK_ERRNO(dup2(fd, 20), EBADF);
    CHECK_ERRNO(close(999), EBADF);
}

TEST(getcwd_follows_renames_and_says_when_gone) {
    CHECK(mkdir("w1", 0755) == 0 && chdir("w1") == 0 && rename("../w1", "../w2") == 0);
    CHECK(getcwd(b, sizeof(b)) && !strcmp(strrchr(b, '/'), "/w2"));
    CHECK_ERRNO((long)syscall(SYS_getcwd, b, 3), ERANGE);
    CHECK(rmdir("../w2") == 0 && syscall(SYS_getcwd, b, sizeof(b)) == -1 && errno == ENOENT);
    CHECK_ERRNO(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
}

TEST(sendfile_and_copy_file_range_copy) {
    off_t off = 2;
    int in = test_make("sin", "0123456789"), out = test_make("sout", "");
    CHECK(sendfile(out, in, &off, 5) == 5 && off == 7 && pread(out, b, 10, 0) == 5 && !memcmp(b, "23456", 5));
    CHECK(lseek(in, 0, SEEK_SET) == 0 && copy_file_range(in, NULL, out, NULL, 100, 0) == 10);
    CHECK(pread(out, b, 100, 0) == 15);
}

TEST(fallocate_reserves_and_punches) {
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_KEEP_SIZE  1
#define FALLOC_FL_PUNCH_HOLE 2
#endif
    struct stat st;
    int fd = test_make("fa", "");
    CHECK(fallocate(fd, 0, 0, 10000) == 0 && fstat(fd, &st) == 0 && st.st_size == 10000);
    memset(b, 'z', 10000);
    CHECK(pwrite(fd, b, 10000, 0) == 10000);
    CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4000, 200) == 0);
    CHECK(pread(fd, b, 10000, 0) == 10000 && b[3999] == 'z' && b[4000] == 0 && b[4199] == 0 &&
          b[4200] == 'z');
}

TEST(mounts_cover_and_uncover) {
    struct statfs sf;
    CHECK(mkdir("mnt", 0755) == 0 && close(test_make("mnt/below", "")) == 0);
    CHECK(mount("none", "mnt", "tmpfs", MS_NOSUID, "size=1m") == 0);
    CHECK(access("mnt/below", F_OK) == -1 && statfs("mnt", &sf) == 0 && sf.f_type == 0x01021994);
    CHECK(sf.f_blocks * sf.f_bsize == 1 << 20);
    int fd = test_make("mnt/full", "");
    size_t total = 0;
    ssize_t n;
    while ((n = write(fd, b, sizeof(b))) > 0)
        total += n;
    CHECK(n == -1 && errno == ENOSPC && total <= 1 << 20 && total > 900000);
    CHECK_ERRNO(umount("mnt"), EBUSY);
    CHECK_ERRNO(rmdir("mnt"), EBUSY);
    CHECK(close(fd) == 0 && umount("mnt") == 0 && access("mnt/below", F_OK) == 0);
    CHECK_ERRNO(mount("none", "mnt", "nosuchfs", 0, NULL), ENODEV);
    CHECK_ERRNO(umount("mnt"), EINVAL);
}

TEST(file_locks_exclude) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    int fd = test_make("lock", "");
    CHECK(fcntl(fd, F_SETLK, &l) == 0 && flock(fd, LOCK_EX) == 0);
    pid_t pid = fork();
    if (!pid) {
        int mine = open("lock", O_RDWR);
        CHECK_ERRNO(flock(mine, LOCK_EX | LOCK_NB), EAGAIN);
        l.l_start = 15;
        CHECK(fcntl(mine, F_SETLK, &l) == -1 && (errno == EAGAIN || errno == EACCES));
        CHECK(fcntl(mine, F_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_pid == getppid() &&
              l.l_start == 10);
        l.l_start = 20;
        l.l_type = F_WRLCK;
        CHECK(fcntl(mine, F_SETLK, &l) == 0);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(device_nodes_behave) {
    int z = open("/dev/zero", O_RDWR), n = open("/dev/null", O_RDWR), f = open("/dev/full", O_RDWR);
    int u = open("/dev/urandom", O_RDONLY);
    CHECK(z >= 0 && n >= 0 && f >= 0 && u >= 0);
    memset(b, 1, 100);
    CHECK(read(z, b, 100) == 100 && b[0] == 0 && b[99] == 0 && read(n, b, 1) == 0 && write(n, b, 100) == 100);
    CHECK_ERRNO(write(f, b, 1), ENOSPC);
    CHECK(read(u, b, 32) == 32 && read(u, b + 32, 32) == 32 && memcmp(b, b + 32, 32));
    CHECK(mknod("mynull", S_IFCHR | 0600, makedev(1, 3)) == 0 && open("mynull", O_WRONLY) >= 0);
    CHECK(mknod("nodev", S_IFCHR | 0600, makedev(250, 9)) == 0);
    CHECK_ERRNO(open("nodev", O_RDWR), ENXIO);
}

TEST(random_has_readiness_and_urandom_none) {
    int e = epoll_create1(0), r = open("/dev/random", O_RDWR), u = open("/dev/urandom", O_RDWR);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
    struct pollfd p = {r, POLLIN | POLLOUT, 0};
    CHECK(e >= 0 && r >= 0 && u >= 0 && epoll_ctl(e, EPOLL_CTL_ADD, r, &event) == 0);
    CHECK(epoll_wait(e, &event, 1, -1) == 1 && event.events == EPOLLIN);
    CHECK(poll(&p, 1, -1) == 1 && p.revents == POLLIN);
    CHECK_ERRNO(epoll_ctl(e, EPOLL_CTL_ADD, u, &event), EPERM);
}

TEST(chroot_confines) {
    CHECK(mkdir("jail", 0755) == 0 && mkdir("jail/in", 0755) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(chroot("jail") == 0 && chdir("/") == 0 && access("/in", F_OK) == 0 &&
              access("/../in", F_OK) == 0);
        CHECK(access("/tmp", F_OK) == -1 && getcwd(b, 100) && !strcmp(b, "/"));
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(fchmodat2_knows_flags) {
    enum { NR = 452 };
    struct stat st;
    int fd = open("/tmp/mode", O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && symlink("mode", "/tmp/link") == 0);
    CHECK(syscall(NR, AT_FDCWD, "/tmp/mode", 0640, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(stat("/tmp/mode", &st) == 0 && (st.st_mode & 0777) == 0640);
    CHECK(syscall(NR, AT_FDCWD, "/tmp/link", 0604, 0) == 0 && syscall(NR, fd, "", 0444, AT_EMPTY_PATH) == 0);
    CHECK(stat("/tmp/mode", &st) == 0 && (st.st_mode & 0777) == 0444);
    CHECK_ERRNO(syscall(NR, AT_FDCWD, "/tmp/link", 0600, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
    CHECK_ERRNO(syscall(NR, AT_FDCWD, "/tmp/mode", 0600, 1), EINVAL);
    CHECK(unlink("/tmp/link") == 0 && unlink("/tmp/mode") == 0);
}

TEST(extended_attributes_are_none_and_not_supported_in_proc) {
    char value[8], name[300];
    int fd = open("/proc", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && listxattr("/proc", value, 8) == 0 && llistxattr("/proc", value, 8) == 0 &&
          flistxattr(fd, value, 8) == 0);
    CHECK_ERRNO(getxattr("/proc", "user.x", value, 8), ENOTSUP);
    CHECK_ERRNO(fsetxattr(fd, "user.x", "v", 1, 0), ENOTSUP);
    CHECK_ERRNO(lremovexattr("/proc", "user.x"), ENOTSUP);
    CHECK_ERRNO(getxattr("/proc", "system.posix_acl_access", NULL, 0), ENOTSUP);
    CHECK_ERRNO(listxattr("/none", value, 8), ENOENT);
    CHECK_ERRNO(getxattr(NULL, "user.x", value, 8), EFAULT);
    CHECK_ERRNO(flistxattr(-1, value, 8), EBADF);
    CHECK_ERRNO(setxattr("/tmp", "user.x", "v", 1, 4), EINVAL);
    CHECK_ERRNO(setxattr("/tmp", "user.x", "v", 65537, 0), E2BIG);
    memset(name, 'a', sizeof(name));
    name[256] = '\0';
    CHECK_ERRNO(getxattr("/tmp", name, value, 8), ERANGE);
    CHECK_ERRNO(getxattr("/tmp", "", value, 8), ERANGE);
    CHECK_ERRNO(setxattr("/dev/null", "user.x", "v", 1, 0), EPERM);
    CHECK_ERRNO(getxattr("/dev/null", "user.x", value, 8), ENODATA);
}

TEST(utimensat_takes_any_second) {
    static const time_t seconds[] = {0, -1, 1l << 33, 1l << 40, -(1l << 40), INT64_MAX / 2, INT64_MIN / 2};
    struct stat st;
    int fd = open("/tmp/times", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0);
    for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
        struct timespec ts[2] = {{seconds[i], 999999999}, {seconds[i], i}};
        CHECK(utimensat(AT_FDCWD, "/tmp/times", ts, 0) == 0 && fstat(fd, &st) == 0);
        CHECK(st.st_atim.tv_sec == seconds[i] && st.st_atim.tv_nsec == 999999999);
        CHECK(st.st_mtim.tv_sec == seconds[i] && st.st_mtim.tv_nsec == (long)i);
    }
    CHECK(write(fd, "x", 1) == 1 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec < 1l << 33 &&
          st.st_mtim.tv_sec >= 0);
}

TEST(utimensat_needs_a_name_or_a_descriptor) {
    int fd = open("/tmp/times2", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && syscall(SYS_utimensat, fd, NULL, NULL, 0) == 0);
    CHECK_ERRNO(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW), EINVAL);
    CHECK_ERRNO(syscall(SYS_utimensat, -1, NULL, NULL, 0), EBADF);
    struct timespec bad[2] = {{0, 0}, {0, 1000000000}};
    CHECK_ERRNO(utimensat(AT_FDCWD, "/tmp/times2", bad, 0), EINVAL);
}

// ---- what an error leaves behind: nothing

static int there(const char *path) {
    return access(path, F_OK) == 0;
}

TEST(open_without_a_free_number_makes_truncates_and_waits_for_nothing) {
    struct rlimit few;
    struct stat st;
    int fd = test_make("kept", "content"), last;
    CHECK(mkfifo("fifo", 0600) == 0 && getrlimit(RLIMIT_NOFILE, &few) == 0);
    few.rlim_cur = 16;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while ((last = dup(fd)) >= 0)
        ;
    CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EMFILE);
    CHECK_ERRNO(open("new", O_CREAT | O_EXCL | O_WRONLY, 0600), EMFILE);
    CHECK(!there("new"));
    CHECK_ERRNO(open("kept", O_TRUNC | O_WRONLY), EMFILE);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 7);
    CHECK_ERRNO(open("fifo", O_RDONLY), EMFILE);
    CHECK(close(15) == 0 && open("new", O_CREAT | O_EXCL | O_WRONLY, 0600) == 15);
}

TEST(open_without_room_for_a_file_makes_no_name) {
    char old[32] = "";
    int n = 0, max = open("/proc/sys/fs/file-max", O_RDWR), err;
    struct rlimit many = {100000, 100000};
    CHECK(read(max, old, sizeof(old) - 1) > 0 && chmod(".", 0777) == 0 &&
          setrlimit(RLIMIT_NOFILE, &many) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0 &&
              pwrite(max, "64", 2, 0) == 2);
        while (open("/", O_RDONLY) >= 0)
            n++;
        err = errno == ENFILE && n > 2 && open("newer", O_CREAT | O_EXCL | O_WRONLY, 0600) == -1 &&
              errno == ENFILE;
        _exit(err && open("newer", O_CREAT | O_WRONLY, 0600) == -1 && errno == ENFILE && !there("newer") ? 0
                                                                                                         : 1);
    }
    int status = test_wait_exit(pid);
    CHECK(pwrite(max, old, strlen(old), 0) > 0 && status == 0);
}
