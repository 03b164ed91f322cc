// SPDX-License-Identifier: MIT
// What open files can do that is neither reading nor writing: locks, seals, copies, O_PATH, openat2's ways.
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static char b[1 << 16];

TEST_DIRECTORY(0755)

// ---- locks

static int lock(int fd, int cmd, short type, off_t start, off_t len) {
    struct flock l = {.l_type = type, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &l);
}
static struct flock look(int fd, int cmd, short type, off_t start, off_t len) {
    struct flock l = {.l_type = type, .l_start = start, .l_len = len};
    CHECK(fcntl(fd, cmd, &l) == 0);
    return l;
}
static int see_locks(void *arg) {
    int fd = open("locks", O_RDWR);
    (void)arg;
    struct flock l = look(fd, F_GETLK, F_WRLCK, 0, 0);
    CHECK(l.l_type == F_RDLCK && l.l_start == 0 && l.l_len == 10 && l.l_pid == getppid());
    l = look(fd, F_GETLK, F_WRLCK, 10, 0);
    CHECK(l.l_type == F_WRLCK && l.l_start == 20 && l.l_len == 5);
    l = look(fd, F_GETLK, F_RDLCK, 0, 0);
    CHECK(l.l_type == F_WRLCK && l.l_start == 20 && l.l_len == 5);
    l = look(fd, F_GETLK, F_WRLCK, 25, 0);
    CHECK(l.l_type == F_WRLCK && l.l_start == 50 && l.l_len == 0);
    return look(fd, F_GETLK, F_WRLCK, 11, 3).l_type != F_UNLCK;
}

TEST(the_lowest_lock_in_the_way_is_reported) {
    int fd = test_make("locks", "x");
    CHECK(lock(fd, F_SETLK, F_WRLCK, 50, 0) == 0 && lock(fd, F_SETLK, F_WRLCK, 20, 5) == 0);
    CHECK(lock(fd, F_SETLK, F_RDLCK, 5, 5) == 0 && lock(fd, F_SETLK, F_RDLCK, 0, 5) == 0); // joined
    CHECK(test_wait_exit(test_fork(see_locks, NULL)) == 0);
}

static int wait_in_circle(void *arg) {
    int fd = open("circle", O_RDWR), *to = arg;
    CHECK(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0 && write(to[1], "r", 1) == 1);
    return lock(fd, F_SETLKW, F_WRLCK, 0, 1); // the parent's; it goes when that is told of the deadlock
}

TEST(waiting_in_a_circle_is_EDEADLK) {
    int fd = test_make("circle", "x"), p[2];
    char c;
    CHECK(pipe(p) == 0 && lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
    pid_t pid = test_fork(wait_in_circle, p);
    CHECK(read(p[0], &c, 1) == 1);
    // Whoever comes second closes the circle: until the child waits, this waits, is ended, and tries again.
    signal(SIGALRM, SIG_DFL);
    for (int err = 0; err != EDEADLK;) {
        CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 1, 1), EAGAIN);
        char state = 0;
        snprintf(b, sizeof(b), "/proc/%d/stat", pid);
        FILE *f = fopen(b, "r");
        CHECK(f && fscanf(f, "%*d %*s %c", &state) == 1);
        fclose(f);
        if (state != 'S')
            continue;
        CHECK(lock(fd, F_SETLKW, F_WRLCK, 1, 1) == -1);
        err = errno;
        CHECK(err == EDEADLK);
    }
    CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 1) == 0 && test_wait_exit(pid) == 0);
    CHECK(lock(fd, F_SETLKW, F_WRLCK, 1, 1) == 0);
}

TEST(locks_of_open_files_see_those_of_processes) {
    int fd = test_make("ofd", "x"), other = open("ofd", O_RDWR);
    CHECK(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    CHECK_ERRNO(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
    CHECK_ERRNO(lock(other, F_SETLK, F_RDLCK, 5, 1), EAGAIN);
    struct flock l = look(other, F_GETLK, F_WRLCK, 0, 0);
    CHECK(l.l_type == F_WRLCK && l.l_len == 10 && l.l_pid == -1);
    CHECK(look(fd, F_OFD_GETLK, F_WRLCK, 0, 0).l_type == F_UNLCK);
    CHECK(look(fd, F_OFD_GETLK, F_UNLCK, 0, 0).l_type == F_WRLCK); // one's own
    CHECK(look(other, F_OFD_GETLK, F_UNLCK, 0, 0).l_type == F_UNLCK);
    struct flock pid_set = {.l_type = F_WRLCK, .l_pid = 1}, none = {.l_type = F_UNLCK};
    CHECK_ERRNO(fcntl(fd, F_OFD_SETLK, &pid_set), EINVAL);
    CHECK_ERRNO(fcntl(fd, F_GETLK, &none), EINVAL);
    CHECK(close(fd) == 0 && lock(other, F_SETLK, F_WRLCK, 0, 0) == 0);
}

// ---- seals

static int sealable(void) {
    int fd = memfd_create("s", MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
    return fd;
}
static void *map(int fd, int prot, int flags) {
    return mmap(NULL, 4096, prot, flags, fd, 0);
}

TEST(a_write_seal_waits_for_shared_mappings_that_could_write) {
    int fd = sealable();
    void *m = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK(munmap(m, 4096) == 0 && (m = map(fd, PROT_READ, MAP_SHARED)) != MAP_FAILED); // could by mprotect
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK(munmap(m, 4096) == 0 && (m = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE)) != MAP_FAILED);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0 && fcntl(fd, F_GET_SEALS) == F_SEAL_WRITE);
    *(char *)m = 'p'; // a copy
    CHECK(pread(fd, b, 1, 0) == 1 && b[0] == 0);
}

TEST(a_sealed_file_is_not_written_through_mappings) {
    static const int seals[] = {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE};
    for (int i = 0; i < 2; i++) {
        int fd = sealable();
        CHECK(fcntl(fd, F_ADD_SEALS, seals[i]) == 0);
        CHECK_ERRNO(write(fd, "x", 1), EPERM);
        CHECK(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED && errno == EPERM);
        void *m = map(fd, PROT_READ, MAP_SHARED);
        CHECK(m != MAP_FAILED);
        CHECK_ERRNO(mprotect(m, 4096, PROT_READ | PROT_WRITE), EACCES);
        m = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        CHECK(m != MAP_FAILED);
        *(char *)m = 'x';
        m = map(fd, PROT_READ, MAP_PRIVATE);
        CHECK(m != MAP_FAILED && mprotect(m, 4096, PROT_READ | PROT_WRITE) == 0);
        CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
    }
}

TEST(a_seal_for_the_future_leaves_the_mappings_there_are) {
    int fd = sealable();
    char *m = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK(m != MAP_FAILED && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
    m[0] = 'm';
    CHECK(pread(fd, b, 1, 0) == 1 && b[0] == 'm');
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
}

TEST(a_file_sealed_against_running_stays_so) {
    int fd = memfd_create("x", 8 /* MFD_NOEXEC_SEAL */), plain = test_make("plain", "x");
    struct stat st;
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0666 && fcntl(fd, F_GET_SEALS) == 0x20);
    CHECK_ERRNO(fchmod(fd, 0777), EPERM);
    CHECK(fchmod(fd, 0600) == 0 && memfd_create("x", 0x10 /* MFD_EXEC */) >= 0);
    CHECK_ERRNO(memfd_create("x", 0x18), EINVAL);
    fd = sealable();
    CHECK(fcntl(fd, F_ADD_SEALS, 0x20 /* F_SEAL_EXEC */) == 0 && fcntl(fd, F_GET_SEALS) == 0x3e);
    CHECK(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL);
    CHECK_ERRNO(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

// ---- copies

static ssize_t copy(int in, off_t from, int out, off_t to, size_t n) {
    return syscall(SYS_copy_file_range, in, &from, out, &to, n, 0);
}

TEST(a_file_is_not_copied_into_itself_on_and_on) {
    int fd = test_make("self", "0123456789");
    struct stat st;
    CHECK_ERRNO(copy(fd, 0, fd, 5, 10), EINVAL);
    CHECK_ERRNO(copy(fd, 2, fd, 0, 10), EINVAL);
    CHECK_ERRNO(copy(fd, 0, fd, 0, 1), EINVAL);
    CHECK_ERRNO(copy(fd, 0, fd, 9, 1l << 40), EINVAL);
    CHECK(copy(fd, 0, fd, 10, 1l << 40) == 10 && fstat(fd, &st) == 0 && st.st_size == 20);
    CHECK(copy(fd, 20, fd, 0, 10) == 0 && copy(fd, 100, fd, 0, 100) == 0);
    CHECK(copy(fd, 0, fd, 5, 5) == 5 && pread(fd, b, 20, 0) == 20 && !memcmp(b, "01234012340123456789", 20));
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    CHECK_ERRNO(syscall(SYS_copy_file_range, fd, NULL, fd, NULL, 5, 0), EINVAL);
    off_t to = 100;
    CHECK(syscall(SYS_copy_file_range, fd, NULL, fd, &to, 5, 0) == 5 && to == 105);
    CHECK(lseek(fd, 0, SEEK_CUR) == 5);
}

TEST(copies_at_the_end_of_all_numbers_are_refused) {
    int in = test_make("in", "0123456789"), out = test_make("out", "");
    CHECK_ERRNO(copy(in, 5, out, 0, -5ul), EOVERFLOW);
    CHECK_ERRNO(copy(in, 0, out, 5, -5ul), EOVERFLOW);
    CHECK(copy(in, INT64_MAX - 5, out, 0, 10) == 0 && copy(in, 0, out, 0, -1ul) == 10);
    CHECK_ERRNO(copy(in, 0, out, INT64_MAX, 10), EFBIG);
    CHECK_ERRNO(pwrite(out, "x", 1, INT64_MAX), EINVAL);
    CHECK(pwrite(out, "x", 1, INT64_MAX - 4095) == 1 && ftruncate(out, INT64_MAX) == 0 &&
          ftruncate(out, 0) == 0);
    CHECK_ERRNO(copy(open("/proc/version", O_RDONLY), 0, out, 0, 10), EXDEV);
    CHECK_ERRNO(copy(in, 0, open(".", O_RDONLY), 0, 10), EISDIR);
    CHECK_ERRNO(copy(in, -1, out, 0, 1), EOVERFLOW);
    CHECK_ERRNO(copy(in, -5, out, 0, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_copy_file_range, in, NULL, out, NULL, 1, 1), EINVAL);
    CHECK(copy(in, 0, out, 0, 0) == 0 && copy(in, 2, out, 0, 1 << 20) == 8);
}

TEST(ranges_of_what_is_no_file_are_not_synced) {
    int p[2], fd = test_make("sync", "x"), null = open("/dev/null", O_RDWR);
    CHECK(pipe(p) == 0 && sync_file_range(fd, 0, 0, 0) == 0);
    CHECK_ERRNO(sync_file_range(null, 0, 0, 0), ESPIPE);
    CHECK_ERRNO(sync_file_range(-1, -1, 0, 0), EBADF); // the descriptor is looked at first
    CHECK_ERRNO(sync_file_range(null, -1, 0, 0), EINVAL);
    CHECK_ERRNO(fallocate(-1, 0, 0, 0), EBADF);
    CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERRNO(sync_file_range(p[0], 0, 0, 0), ESPIPE);
    CHECK(posix_fadvise(null, 0, 0, POSIX_FADV_NORMAL) == 0);
    CHECK(posix_fadvise(p[0], 0, 0, POSIX_FADV_NORMAL) == ESPIPE);
}

// ---- O_PATH

TEST(a_path_descriptor_names_a_place_and_no_more) {
    struct stat st;
    struct statfs sf;
    struct pollfd pf;
    struct epoll_event ev = {.events = EPOLLIN};
    struct flock l = {.l_type = F_RDLCK};
    close(test_make("op", "text"));
    CHECK(mkdir("opd", 0755) == 0 && symlink("op", "opl") == 0);
    int fd = open("op", O_PATH | O_RDWR | O_CLOEXEC), d = open("opd", O_PATH),
        ln = open("opl", O_PATH | O_NOFOLLOW);
    CHECK(fd >= 0 && d >= 0 && ln >= 0 && (fcntl(fd, F_GETFL) & (O_PATH | O_ACCMODE)) == O_PATH);
    CHECK(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fstat(ln, &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(fstatfs(fd, &sf) == 0 && fchdir(d) == 0 && chdir("..") == 0);
    CHECK_ERRNO(fchdir(fd), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_fchmod, fd, 0600), EBADF);
    CHECK_ERRNO(syscall(SYS_fchown, fd, 1, 1), EBADF);
    CHECK(syscall(SYS_fchmodat, AT_FDCWD, "op", 0640) == 0);
    CHECK(syscall(452 /* fchmodat2 */, fd, "", 0600, AT_EMPTY_PATH) == 0 && fstat(fd, &st) == 0);
    CHECK((st.st_mode & 07777) == 0600);
    CHECK(fchownat(fd, "", 5, 6, AT_EMPTY_PATH) == 0 && fstat(fd, &st) == 0 && st.st_uid == 5 &&
          st.st_gid == 6);
    CHECK(fchownat(ln, "", 7, 8, AT_EMPTY_PATH) == 0 && lstat("opl", &st) == 0 && st.st_uid == 7);
    CHECK(utimensat(fd, "", NULL, AT_EMPTY_PATH) == 0 && readlinkat(ln, "", b, 10) == 2);
    CHECK_ERRNO(syscall(SYS_utimensat, fd, NULL, NULL, 0), EBADF);
    CHECK_ERRNO(read(fd, b, 1), EBADF);
    CHECK_ERRNO(write(fd, b, 1), EBADF);
    CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
    CHECK_ERRNO(ftruncate(fd, 0), EBADF);
    CHECK_ERRNO(fallocate(fd, 0, 0, 1), EBADF);
    snprintf(b, 100, "/proc/self/fd/%d", fd);
    CHECK(lstat(b, &st) == 0 && st.st_mode == S_IFLNK); // it is open neither for reading nor for writing
    CHECK_ERRNO(fsync(fd), EBADF);
    CHECK_ERRNO(syncfs(fd), EBADF);
    CHECK_ERRNO(flock(fd, LOCK_SH), EBADF);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EBADF);
    CHECK_ERRNO(fcntl(fd, F_SETFL, O_APPEND), EBADF);
    CHECK_ERRNO(fcntl(fd, F_GETOWN), EBADF);
    CHECK_ERRNO(fgetxattr(fd, "user.x", b, 1), EBADF);
    CHECK_ERRNO(syscall(SYS_getdents64, d, b, 100), EBADF);
    CHECK_ERRNO(ioctl(fd, 0x541b, b), EBADF);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EBADF);
    CHECK_ERRNO(copy(fd, 0, fd, 10, 1), EBADF);
    int ep = epoll_create1(0);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), EBADF);
    pf = (struct pollfd){fd, POLLIN, 0};
    CHECK(poll(&pf, 1, 0) == 1 && pf.revents == POLLNVAL);
    CHECK(linkat(fd, "", AT_FDCWD, "op2", AT_EMPTY_PATH) == 0 && dup(fd) >= 0 && fcntl(fd, F_DUPFD, 0) >= 0);
    snprintf(b, sizeof(b), "/proc/self/fd/%d", fd);
    int again = open(b, O_RDONLY);
    CHECK(again >= 0 && read(again, b, 10) == 4);
}

TEST(direct_access_is_for_content_in_pages) {
    CHECK(mkfifo("fifo", 0600) == 0);
    close(test_make("direct", "x"));
    CHECK_ERRNO(open("fifo", O_RDWR | O_DIRECT), EINVAL);
    CHECK_ERRNO(open("/dev/null", O_RDWR | O_DIRECT), EINVAL);
    CHECK_ERRNO(open(".", O_RDONLY | O_DIRECT), EINVAL);
    int fd = open("direct", O_RDWR | O_DIRECT), null = open("/dev/null", O_RDWR), fifo = open("fifo", O_RDWR);
    CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & O_DIRECT) && fcntl(fifo, F_SETFL, O_DIRECT) == 0);
    CHECK_ERRNO(fcntl(null, F_SETFL, O_DIRECT), EINVAL);
}

// ---- openat2

static int resolve(int dfd, const char *path, uint64_t flags, uint64_t how) {
    struct open_how h = {.flags = flags, .mode = flags & O_CREAT ? 0600 : 0, .resolve = how};
    return syscall(SYS_openat2, dfd, path, &h, sizeof(h));
}

// A structure of the next version: what we do not know is 0 there, or that is E2BIG, before anything else is said.
TEST(structures_that_grow_may_be_longer_where_that_says_nothing) {
    static const struct {
        long call;
        size_t known; // bytes of a version that this kernel must know
    } calls[] = {{SYS_openat2, sizeof(struct open_how)}, {SYS_clone3, 88}, {SYS_sched_setattr, 56}};
    size_t page = (size_t)getpagesize();
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && munmap(memory + page, page) == 0);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        for (size_t more = 1; more < 300; more += more < 20 ? 1 : 67) {
            for (int nonzero = 0; nonzero < 2; nonzero++) {
                char *at = memory + page - calls[i].known - more; // ends where memory does
                size_t size = calls[i].known + more;
                uint32_t words[2] = {(uint32_t)size, 99}; // of sched_setattr: a policy that is none
                memset(at, 0, size);
                if (calls[i].call == SYS_sched_setattr)
                    memcpy(at, words, sizeof(words));
                else
                    at[0] = at[7] = -1; // flags that are none
                at[size - 1] = (char)nonzero;
                errno = 0;
                long ret = calls[i].call == SYS_openat2  ? syscall(SYS_openat2, AT_FDCWD, "/", at, size)
                           : calls[i].call == SYS_clone3 ? syscall(SYS_clone3, at, size)
                                                         : syscall(SYS_sched_setattr, 0, at, 0);
                CHECK(ret == -1 && errno == (nonzero ? E2BIG : EINVAL));
                memcpy(words, at, sizeof(words));
                CHECK(calls[i].call != SYS_sched_setattr || (words[0] == size) == !nonzero);
            }
        }
    }
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "/", memory, page + 1), E2BIG);
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "/", memory + page - 24, 25), EFAULT);
    CHECK_ERRNO(syscall(SYS_clone3, memory + page - 56, 63), EINVAL);
    munmap(memory, page);
}

TEST(openat2_stays_where_it_is_told_to) {
    CHECK(mkdir("rs", 0755) == 0 && mkdir("rs/in", 0755) == 0 && mkdir("rs/m", 0755) == 0);
    close(test_make("rs/f", "inside"));
    close(test_make("outside", "outside"));
    CHECK(symlink("../outside", "rs/up") == 0 && symlink("/f", "rs/abs") == 0 && symlink("f", "rs/l") == 0);
    CHECK(symlink("../new", "rs/upnew") == 0);
    CHECK(mount("t", "rs/m", "tmpfs", 0, NULL) == 0);
    close(test_make("rs/m/f", "mounted"));
    close(test_make("rs/file", ""));
    CHECK(mount("rs/f", "rs/file", NULL, MS_BIND, NULL) == 0);
    int d = open("rs", O_PATH);
    CHECK_ERRNO(resolve(d, "m/f", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(resolve(d, "m/..", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(resolve(d, "file", O_RDWR | O_CREAT, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(resolve(d, "m/new", O_RDWR | O_CREAT, RESOLVE_NO_XDEV), EXDEV);
    CHECK(resolve(d, "new", O_RDWR | O_CREAT, RESOLVE_NO_XDEV) >= 0);
    CHECK_ERRNO(resolve(d, "l", O_RDWR | O_CREAT, RESOLVE_NO_SYMLINKS), ELOOP);
    CHECK_ERRNO(resolve(d, "l", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
    CHECK(resolve(d, "l", O_RDONLY, RESOLVE_BENEATH) >= 0 &&
          resolve(d, "in/../f", O_RDONLY, RESOLVE_BENEATH) >= 0);
    CHECK_ERRNO(resolve(d, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(resolve(d, "upnew", O_RDWR | O_CREAT, RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(resolve(d, "..", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(resolve(d, "../rs/f", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(resolve(d, "abs", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(resolve(d, "/f", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK(resolve(d, "abs", O_RDONLY, RESOLVE_IN_ROOT) >= 0 &&
          resolve(d, "/../../f", O_RDONLY, RESOLVE_IN_ROOT) >= 0);
    CHECK_ERRNO(resolve(d, "up", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
    CHECK(resolve(d, "upnew", O_RDWR | O_CREAT, RESOLVE_IN_ROOT) >= 0 && access("new", F_OK) &&
          !access("rs/new", F_OK));
    CHECK_ERRNO(resolve(d, "f", O_RDONLY, RESOLVE_IN_ROOT | RESOLVE_BENEATH), EINVAL);
    CHECK_ERRNO(resolve(d, "f", O_RDONLY, 0x40), EINVAL);
    CHECK_ERRNO(resolve(d, "f", O_PATH | O_RDWR, 0), EINVAL);
    CHECK(resolve(d, "f", O_RDONLY, RESOLVE_CACHED) >= 0);
    CHECK_ERRNO(resolve(d, "f", O_RDWR | O_TRUNC, RESOLVE_CACHED), EAGAIN);
    snprintf(b, sizeof(b), "/proc/self/fd/%d", d);
    CHECK_ERRNO(resolve(AT_FDCWD, b, O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
    CHECK_ERRNO(resolve(AT_FDCWD, b, O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(resolve(open("/proc", O_PATH), b + 6, O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(resolve(open("/proc", O_PATH), b + 6, O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK(umount("rs/file") == 0 && umount("rs/m") == 0);
}

// ---- the table of descriptors

static atomic_int stop;
static void *open_and_close(void *arg) {
    (void)arg;
    while (!stop)
        close(open("/", O_RDONLY | O_DIRECTORY));
    return NULL;
}

TEST(a_copied_table_has_no_gap_that_stays) {
    pthread_t t;
    CHECK(pthread_create(&t, NULL, open_and_close, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();
        if (!pid) {
            int first = dup(0), second = dup(0);
            _exit(second != first + 1 || first > 5);
        }
        CHECK(test_wait_exit(pid) == 0);
    }
    stop = 1;
    pthread_join(t, NULL);
}

TEST(an_owner_is_somebody_who_is_there) {
    int p[2], who = 99999;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK_ERRNO(fcntl(p[0], F_SETOWN, who), ESRCH);
    CHECK_ERRNO(fcntl(p[0], F_SETOWN, -who), ESRCH);
    CHECK_ERRNO(fcntl(p[0], F_SETOWN, INT_MIN), EINVAL);
    CHECK_ERRNO(ioctl(p[0], FIOSETOWN, &who), ESRCH);
    CHECK(fcntl(p[0], F_SETOWN, getpid()) == 0 && fcntl(p[0], F_GETOWN) == getpid());
    CHECK(ioctl(p[0], SIOCGPGRP, &who) == 0 && who == getpid());
    who = 0;
    CHECK(ioctl(p[0], SIOCSPGRP, &who) == 0 && fcntl(p[0], F_GETOWN) == 0);
}
