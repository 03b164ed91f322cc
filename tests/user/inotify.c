// SPDX-License-Identifier: MIT
// inotify(7).
#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

TEST_DIRECTORY(0777)

#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif

static const struct {
    uint32_t bit;
    const char *name;
} names[] = {{IN_ACCESS, "ACCESS"},
             {IN_MODIFY, "MODIFY"},
             {IN_ATTRIB, "ATTRIB"},
             {IN_CLOSE_WRITE, "CLOSE_WRITE"},
             {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
             {IN_OPEN, "OPEN"},
             {IN_MOVED_FROM, "MOVED_FROM"},
             {IN_MOVED_TO, "MOVED_TO"},
             {IN_CREATE, "CREATE"},
             {IN_DELETE, "DELETE"},
             {IN_DELETE_SELF, "DELETE_SELF"},
             {IN_MOVE_SELF, "MOVE_SELF"},
             {IN_UNMOUNT, "UNMOUNT"},
             {IN_Q_OVERFLOW, "Q_OVERFLOW"},
             {IN_IGNORED, "IGNORED"},
             {IN_ISDIR, "ISDIR"}};

static char text[65536];
static uint32_t first_cookie;

// All that is in the queue, as "wd:EVENT+EVENT/name[cookie] ...", cookies counted from the first on.
static const char *all(int fd) {
    static char buf[65536] __attribute__((aligned(8)));
    size_t at = 0;
    ssize_t n;
    text[0] = '\0';
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        for (char *p = buf; p < buf + n;) {
            struct inotify_event *e = (void *)p;
            at += snprintf(text + at, sizeof(text) - at, "%s%d:", at ? " " : "", e->wd);
            uint32_t left = e->mask;
            for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                if (e->mask & names[i].bit)
                    at += snprintf(text + at, sizeof(text) - at, "%s%s", left == e->mask ? "" : "+",
                                   names[i].name);
                left &= ~names[i].bit;
            }
            CHECK(!left && e->len % sizeof(*e) == 0);
            if (e->len) {
                CHECK(memchr(e->name, 0, e->len));
                at += snprintf(text + at, sizeof(text) - at, "/%s", e->name);
            }
            if (e->cookie) {
                first_cookie = first_cookie ? first_cookie : e->cookie;
                at += snprintf(text + at, sizeof(text) - at, "[%u]", e->cookie - first_cookie);
            }
            p += sizeof(*e) + e->len;
        }
    }
    CHECK(n == -1 && (errno == EAGAIN || errno == EINVAL));
    return text;
}

#define EVENTS(fd, expected)                                                                                 \
    do {                                                                                                     \
        if (strcmp(all(fd), expected)) {                                                                     \
            printf("# %s\n", text);                                                                          \
            test_fail(__FILE__, __LINE__, expected);                                                         \
        }                                                                                                    \
    } while (0)

static int instance(void) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

// An instance that watches "d" (1), and a file "d/f" (2).
static int watched_dir(uint32_t mask) {
    CHECK(mkdir("d", 0755) == 0 && close(test_make("d/f", "text")) == 0);
    int fd = instance();
    CHECK(inotify_add_watch(fd, "d", mask) == 1 && inotify_add_watch(fd, "d/f", mask) == 2);
    return fd;
}

// A directory for each test.
static void start(void) {
    char name[32];
    snprintf(name, sizeof(name), "of-%d", getpid());
    CHECK(mkdir(name, 0777) == 0 && chmod(name, 0777) == 0 && chdir(name) == 0);
}

TEST(inotify_checks_its_arguments) {
    start();
    int fd = instance(), p[2];
    char c;
    CHECK(pipe(p) == 0 && close(test_make("f", "")) == 0);
    CHECK((fcntl(fd, F_GETFL) & ~O_LARGEFILE) == (O_RDONLY | O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK_ERRNO(inotify_init1(1), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "f", 0), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "f", 1 << 16 | IN_OPEN), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "f", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
    CHECK_ERRNO(inotify_add_watch(fd, "", IN_OPEN), ENOENT);
    CHECK_ERRNO(inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    CHECK_ERRNO(inotify_add_watch(fd, (char *)1, IN_OPEN), EFAULT);
    CHECK_ERRNO(inotify_add_watch(99, "f", IN_OPEN), EBADF);
    CHECK_ERRNO(inotify_add_watch(p[0], "f", IN_OPEN), EINVAL);
    CHECK_ERRNO(inotify_rm_watch(p[0], 1), EINVAL);
    CHECK_ERRNO(inotify_rm_watch(99, 1), EBADF);
    for (int wd = -2; wd < 3; wd++)
        CHECK_ERRNO(inotify_rm_watch(fd, wd), EINVAL);
    CHECK_ERRNO(write(fd, &c, 1), EBADF);
    CHECK_ERRNO(read(fd, &c, 1), EAGAIN);
    CHECK_ERRNO(ioctl(fd, TCGETS, text), ENOTTY);
    CHECK(inotify_add_watch(fd, "f", IN_ISDIR) == 1); // as much as a bit, though no event is that
    EVENTS(fd, "");
}

TEST(inotify_wants_permission_to_read) {
    start();
    close(test_make("f", ""));
    CHECK(chmod("f", 0300) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setuid(1000) == 0);
        CHECK_ERRNO(inotify_add_watch(instance(), "f", IN_OPEN), EACCES);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(inotify_tells_of_use) {
    start();
    char c;
    int fd = watched_dir(IN_ALL_EVENTS);
    int f = open("d/f", O_RDWR);
    EVENTS(fd, "1:OPEN/f 2:OPEN");
    CHECK(read(f, &c, 1) == 1 && read(f, &c, 1) == 1 && pread(f, &c, 1, 0) == 1);
    EVENTS(fd, "1:ACCESS/f 2:ACCESS 1:ACCESS/f 2:ACCESS 1:ACCESS/f 2:ACCESS");
    CHECK(pread(f, &c, 1, 100) == 0 && pwrite(f, &c, 0, 0) == 0);
    EVENTS(fd, "");
    CHECK(write(f, &c, 1) == 1);
    EVENTS(fd, "1:MODIFY/f 2:MODIFY");
    CHECK(ftruncate(f, 1) == 0);
    EVENTS(fd, "1:MODIFY/f 2:MODIFY");
    CHECK(truncate("d/f", 1) == 0 && fallocate(f, 0, 0, 10) == 0);
    EVENTS(fd, "1:MODIFY/f 2:MODIFY 1:MODIFY/f 2:MODIFY");
    int copy = dup(f);
    CHECK(close(f) == 0);
    EVENTS(fd, "");
    CHECK(close(copy) == 0);
    EVENTS(fd, "1:CLOSE_WRITE/f 2:CLOSE_WRITE");
    CHECK((f = open("d/f", O_RDONLY | O_TRUNC)) >= 0 && close(f) == 0);
    EVENTS(fd, "1:OPEN/f 2:OPEN 1:MODIFY/f 2:MODIFY 1:CLOSE_NOWRITE/f 2:CLOSE_NOWRITE");
    CHECK((f = open("d/f", O_PATH)) >= 0 && close(f) == 0);
    struct stat st;
    CHECK(stat("d/f", &st) == 0 && access("d/f", R_OK) == 0);
    EVENTS(fd, "");
}

TEST(inotify_tells_of_attributes) {
    start();
    int fd = watched_dir(IN_ALL_EVENTS);
    CHECK(chmod("d/f", 0600) == 0);
    EVENTS(fd, "1:ATTRIB/f 2:ATTRIB");
    CHECK(chown("d/f", 0, 0) == 0 && chown("d/f", -1, -1) == 0);
    EVENTS(fd, "1:ATTRIB/f 2:ATTRIB");
    CHECK(utimensat(AT_FDCWD, "d/f", NULL, 0) == 0);
    EVENTS(fd, "1:ATTRIB/f 2:ATTRIB");
    struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 5}};
    CHECK(utimensat(AT_FDCWD, "d/f", ts, 0) == 0);
    EVENTS(fd, "1:MODIFY/f 2:MODIFY");
    ts[0] = ts[1];
    ts[1].tv_nsec = UTIME_OMIT;
    CHECK(utimensat(AT_FDCWD, "d/f", ts, 0) == 0);
    EVENTS(fd, "1:ACCESS/f 2:ACCESS");
    CHECK(chmod("d", 0700) == 0);
    EVENTS(fd, "1:ATTRIB+ISDIR");
    CHECK(link("d/f", "g") == 0);
    EVENTS(fd, "2:ATTRIB");
    CHECK(link("d/f", "d/g") == 0);
    EVENTS(fd, "2:ATTRIB 1:CREATE/g");
    CHECK(unlink("g") == 0);
    EVENTS(fd, "2:ATTRIB");
}

TEST(inotify_tells_of_names) {
    start();
    int fd = watched_dir(IN_ALL_EVENTS);
    CHECK(mkdir("d/dir", 0755) == 0);
    EVENTS(fd, "1:CREATE+ISDIR/dir");
    int f = open("d/new", O_CREAT | O_RDWR, 0644);
    EVENTS(fd, "1:CREATE/new 1:OPEN/new");
    CHECK(close(f) == 0);
    EVENTS(fd, "1:CLOSE_WRITE/new");
    CHECK(symlink("x", "d/link") == 0 && mknod("d/node", S_IFIFO | 0600, 0) == 0);
    EVENTS(fd, "1:CREATE/link 1:CREATE/node");
    CHECK(unlink("d/link") == 0 && rmdir("d/dir") == 0);
    EVENTS(fd, "1:DELETE/link 1:DELETE+ISDIR/dir");
    CHECK_ERRNO(mkdir("d/f", 0755), EEXIST);
    CHECK_ERRNO(unlink("d/none"), ENOENT);
    EVENTS(fd, "");
    f = open("d", O_RDONLY | O_DIRECTORY);
    EVENTS(fd, "1:OPEN+ISDIR");
    char buf[4096];
    CHECK(syscall(SYS_getdents64, f, buf, sizeof(buf)) > 0 && close(f) == 0);
    EVENTS(fd, "1:ACCESS+ISDIR 1:CLOSE_NOWRITE+ISDIR");
}

TEST(inotify_tells_of_the_end) {
    start();
    int fd = watched_dir(IN_ALL_EVENTS), f = open("d/f", O_RDONLY);
    EVENTS(fd, "1:OPEN/f 2:OPEN");
    CHECK(unlink("d/f") == 0);
    EVENTS(fd, "2:ATTRIB 1:DELETE/f");
    CHECK(close(f) == 0);
    EVENTS(fd, "1:CLOSE_NOWRITE/f 2:CLOSE_NOWRITE 2:DELETE_SELF 2:IGNORED");
    CHECK_ERRNO(inotify_rm_watch(fd, 2), EINVAL);
    CHECK(close(test_make("d/f", "")) == 0 && inotify_add_watch(fd, "d/f", IN_ALL_EVENTS) == 3);
    all(fd);
    CHECK(unlink("d/f") == 0);
    EVENTS(fd, "3:ATTRIB 3:DELETE_SELF 3:IGNORED 1:DELETE/f");
    CHECK(mkdir("d/e", 0755) == 0 && inotify_add_watch(fd, "d/e", IN_ALL_EVENTS) == 4);
    all(fd);
    CHECK(rmdir("d/e") == 0);
    EVENTS(fd, "4:DELETE_SELF 4:IGNORED 1:DELETE+ISDIR/e");
    CHECK(rmdir("d") == 0);
    EVENTS(fd, "1:DELETE_SELF 1:IGNORED");
}

TEST(inotify_tells_of_renames) {
    start();
    CHECK(mkdir("e", 0755) == 0);
    int fd = watched_dir(IN_ALL_EVENTS);
    CHECK(inotify_add_watch(fd, "e", IN_ALL_EVENTS) == 3);
    CHECK(rename("d/f", "d/g") == 0);
    EVENTS(fd, "1:MOVED_FROM/f[0] 1:MOVED_TO/g[0] 2:MOVE_SELF");
    CHECK(rename("d/g", "e/h") == 0);
    EVENTS(fd, "1:MOVED_FROM/g[1] 3:MOVED_TO/h[1] 2:MOVE_SELF");
    int f = open("e/h", O_RDONLY);
    CHECK(f >= 0 && close(f) == 0);
    EVENTS(fd, "3:OPEN/h 2:OPEN 3:CLOSE_NOWRITE/h 2:CLOSE_NOWRITE");
    // Out of sight, and back.
    CHECK(rename("e/h", "f") == 0 && rename("f", "d/f") == 0);
    EVENTS(fd, "3:MOVED_FROM/h[2] 2:MOVE_SELF 1:MOVED_TO/f[3] 2:MOVE_SELF");
    CHECK((f = open("d/f", O_RDONLY)) >= 0 && close(f) == 0);
    EVENTS(fd, "1:OPEN/f 2:OPEN 1:CLOSE_NOWRITE/f 2:CLOSE_NOWRITE");
    // Over another one.
    CHECK(close(test_make("d/g", "")) == 0 && inotify_add_watch(fd, "d/g", IN_ALL_EVENTS) == 4);
    all(fd);
    CHECK(rename("d/f", "d/g") == 0);
    EVENTS(fd, "1:MOVED_FROM/f[4] 1:MOVED_TO/g[4] 4:ATTRIB 2:MOVE_SELF 4:DELETE_SELF 4:IGNORED");
    CHECK(mkdir("d/s", 0755) == 0);
    all(fd);
    CHECK(rename("d/s", "e/s") == 0);
    EVENTS(fd, "1:MOVED_FROM+ISDIR/s[5] 3:MOVED_TO+ISDIR/s[5]");
    CHECK(syscall(SYS_renameat2, AT_FDCWD, "d/g", AT_FDCWD, "e/s", 2) == 0);
    EVENTS(fd, "1:MOVED_FROM/g[6] 3:MOVED_TO/s[6] 2:MOVE_SELF 3:MOVED_FROM+ISDIR/s[7] 1:MOVED_TO+ISDIR/g[7]");
    CHECK(rename("e", "f") == 0);
    EVENTS(fd, "3:MOVE_SELF");
}

TEST(inotify_flags_do_what_they_say) {
    start();
    CHECK(mkdir("d", 0755) == 0 && close(test_make("d/f", "")) == 0 && symlink("f", "d/link") == 0);
    int fd = instance(), f;
    CHECK(inotify_add_watch(fd, "d/f", IN_OPEN | IN_ONESHOT) == 1);
    CHECK((f = open("d/f", O_RDONLY)) >= 0 && close(f) == 0 && (f = open("d/f", O_RDONLY)) >= 0);
    EVENTS(fd, "1:OPEN 1:IGNORED");
    CHECK(inotify_add_watch(fd, "d/f", IN_OPEN) == 2 &&
          inotify_add_watch(fd, "d/f", IN_CLOSE | IN_MASK_ADD) == 2);
    CHECK_ERRNO(inotify_add_watch(fd, "d/f", IN_CLOSE | IN_MASK_CREATE), EEXIST);
    CHECK(close(f) == 0 && close(open("d/f", O_RDONLY)) == 0);
    EVENTS(fd, "2:CLOSE_NOWRITE 2:OPEN 2:CLOSE_NOWRITE");
    CHECK(inotify_add_watch(fd, "d/f", IN_ATTRIB) == 2 && close(open("d/f", O_RDONLY)) == 0);
    EVENTS(fd, "");
    CHECK(inotify_add_watch(fd, "d/link", IN_ALL_EVENTS | IN_DONT_FOLLOW | IN_MASK_CREATE) == 3);
    CHECK(lchown("d/link", 0, 0) == 0);
    EVENTS(fd, "3:ATTRIB");
    CHECK(inotify_rm_watch(fd, 3) == 0);
    EVENTS(fd, "3:IGNORED");
    CHECK_ERRNO(inotify_rm_watch(fd, 3), EINVAL);
    // What has no name any more.
    CHECK(inotify_add_watch(fd, "d", IN_ALL_EVENTS | IN_ONLYDIR) == 4);
    f = open("d/f", O_RDWR);
    CHECK(unlink("d/f") == 0);
    all(fd);
    CHECK(write(f, "x", 1) == 1 && fchmod(f, 0600) == 0);
    EVENTS(fd, "4:MODIFY/f 4:ATTRIB/f 2:ATTRIB");
    CHECK(inotify_add_watch(fd, "d", IN_ALL_EVENTS | IN_EXCL_UNLINK) == 4);
    CHECK(write(f, "x", 1) == 1 && fchmod(f, 0600) == 0 && close(f) == 0);
    EVENTS(fd, "4:ATTRIB/f 2:ATTRIB 2:IGNORED");
}

TEST(inotify_merges_what_is_equal) {
    start();
    CHECK(mkdir("d", 0755) == 0);
    int fd = instance(), f = test_make("d/f", ""), size = 0;
    CHECK(inotify_add_watch(fd, "d", IN_MODIFY | IN_ACCESS) == 1 && ioctl(fd, FIONREAD, &size) == 0 &&
          size == 0);
    for (int i = 0; i < 5; i++)
        CHECK(write(f, "x", 1) == 1);
    CHECK(ioctl(fd, FIONREAD, &size) == 0 && size == 32 && test_poll(fd, POLLIN) == POLLIN);
    CHECK_ERRNO(read(fd, text, 31), EINVAL);
    CHECK(pread(f, text, 1, 0) == 1 && pread(f, text, 1, 0) == 1 && write(f, "x", 1) == 1);
    CHECK(read(fd, text, 33) == 32);
    EVENTS(fd, "1:ACCESS/f 1:MODIFY/f");
    CHECK(test_poll(fd, POLLIN) == 0 && ioctl(fd, FIONREAD, &size) == 0 && size == 0);
    // Names take what they need, in sixteens.
    char name[300] = "d/";
    for (int len = 1; len <= 255; len += 127 - (len == 128) * 127 + (len == 128) * 127) {
        memset(name + 2, 'n', (size_t)len);
        name[2 + len] = '\0';
        close(test_make(name, "y"));
        CHECK(ioctl(fd, FIONREAD, &size) == 0 && size == 16 + (len + 16) / 16 * 16);
        all(fd);
    }
}

TEST(inotify_wakes_who_waits) {
    start();
    int fd = inotify_init(), f = test_make("f", ""), set = epoll_create1(0);
    CHECK(fd >= 0 && inotify_add_watch(fd, "f", IN_MODIFY) == 1);
    struct inotify_event e;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) == 0 && epoll_wait(set, &ev, 1, 0) == 0);
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (!pid) {
            usleep(20000);
            _exit(write(f, "x", 1) != 1);
        }
        if (i == 0)
            CHECK(poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1) == 1);
        if (i == 1)
            CHECK(epoll_wait(set, &ev, 1, -1) == 1);
        CHECK(read(fd, &e, sizeof(e)) == sizeof(e) && e.mask == IN_MODIFY && e.wd == 1);
        CHECK(test_wait_exit(pid) == 0);
    }
}

// Sets a limit; the old one.
static int set_limit(const char *name, int value) {
    char path[64], buf[32];
    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
    int fd = open(path, O_RDWR);
    ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);
    CHECK(fd >= 0 && n > 0);
    buf[n] = '\0';
    int old = atoi(buf), len = snprintf(buf, sizeof(buf), "%d\n", value);
    CHECK(pwrite(fd, buf, (size_t)len, 0) == len && close(fd) == 0);
    return old;
}

TEST(inotify_says_what_it_lost) {
    start();
    CHECK(set_limit("max_queued_events", 4) == 16384);
    int fd = instance(), f = test_make("f", "x");
    set_limit("max_queued_events", 16384);
    CHECK(inotify_add_watch(fd, "f", IN_MODIFY | IN_ACCESS) == 1);
    for (int i = 0; i < 5; i++)
        CHECK(pread(f, text, 1, 0) == 1 && pwrite(f, "x", 1, 0) == 1);
    EVENTS(fd, "1:ACCESS 1:MODIFY 1:ACCESS 1:MODIFY -1:Q_OVERFLOW");
    CHECK(pread(f, text, 1, 0) == 1);
    EVENTS(fd, "1:ACCESS");
}

TEST(inotify_has_limits_for_everybody) {
    start();
    pid_t pid = fork();
    if (!pid) {
        CHECK(setuid(1234) == 0);
        int n = 0;
        while (inotify_init1(0) >= 0)
            n++;
        _exit(!(errno == EMFILE && n == 128));
    }
    CHECK(test_wait_exit(pid) == 0);
    int fd = instance(), old = set_limit("max_user_watches", 1);
    close(test_make("f", ""));
    close(test_make("g", ""));
    int one = inotify_add_watch(fd, "f", IN_OPEN), two = inotify_add_watch(fd, "g", IN_OPEN), err = errno;
    set_limit("max_user_watches", old);
    CHECK(old >= 8192 && one == 1 && two == -1 && err == ENOSPC);
    CHECK(inotify_rm_watch(fd, 1) == 0 && inotify_add_watch(fd, "g", IN_OPEN) > 1);
}

TEST(inotify_tells_of_unmounting) {
    start();
    CHECK(mkdir("d", 0755) == 0 && mount("tmpfs", "d", "tmpfs", 0, NULL) == 0);
    CHECK(close(test_make("d/f", "")) == 0);
    int fd = instance();
    CHECK(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS) == 1 && umount("d") == 0);
    EVENTS(fd, "1:UNMOUNT 1:IGNORED");
    CHECK(mount("tmpfs", "d", "tmpfs", 0, NULL) == 0 && inotify_add_watch(fd, "d", IN_OPEN) == 2);
    CHECK(umount("d") == 0);
    EVENTS(fd, "2:UNMOUNT+ISDIR 2:IGNORED");
}

TEST(inotify_tells_of_programs) {
    start();
    int fd = instance(), status;
    test_make_program("f", 0x10000, 0755);
    CHECK(inotify_add_watch(fd, "f", IN_ALL_EVENTS) == 1);
    pid_t pid = fork();
    if (!pid) {
        execl("./f", "f", NULL);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 42);
    EVENTS(fd, "1:OPEN 1:ACCESS 1:CLOSE_NOWRITE");
}

TEST(inotify_tells_of_copies_between_files) {
    start();
    int f = test_make("f", "text"), g = test_make("g", ""), fd = instance(), p[2];
    CHECK(inotify_add_watch(fd, "f", IN_ALL_EVENTS) == 1 && inotify_add_watch(fd, "g", IN_ALL_EVENTS) == 2);
    off_t at = 0;
    CHECK(sendfile(g, f, &at, 4) == 4);
    EVENTS(fd, "1:ACCESS 2:MODIFY");
    CHECK(lseek(f, 0, SEEK_SET) == 0 && copy_file_range(f, NULL, g, NULL, 4, 0) == 4);
    EVENTS(fd, "1:ACCESS 2:MODIFY");
    CHECK(pipe(p) == 0 && lseek(f, 0, SEEK_SET) == 0 && splice(f, NULL, p[1], NULL, 4, 0) == 4);
    EVENTS(fd, "1:ACCESS");
    CHECK(splice(p[0], NULL, g, NULL, 4, 0) == 4);
    EVENTS(fd, "2:MODIFY");
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, f, 0) != MAP_FAILED);
    EVENTS(fd, "");
}

// A watch's line with the file's handle, as name_to_handle_at(2) has it, or would have of a file system that finds no file by it.
static void fdinfo_line(char *out, size_t n, int wd, const char *path, unsigned int mask) {
    struct {
        struct file_handle head;
        unsigned char bytes[64];
    } h = {.head.handle_bytes = 64};
    struct stat st;
    int mount;
    CHECK(!stat(path, &st));
    if (name_to_handle_at(AT_FDCWD, path, &h.head, &mount, 0)) {
        const uint64_t words[2] = {st.st_ino, 0};
        CHECK(errno == EOPNOTSUPP);
        h.head.handle_bytes = 12;
        h.head.handle_type = 0x81;
        memcpy(h.head.f_handle, words, 12);
    }
    int len = snprintf(
        out, n,
        "inotify wd:%x ino:%lx sdev:%lx mask:%x ignored_mask:0 fhandle-bytes:%x fhandle-type:%x f_handle:",
        wd, (long)st.st_ino, (long)st.st_dev, mask, h.head.handle_bytes, h.head.handle_type);
    for (unsigned int i = 0; i < h.head.handle_bytes; i++)
        len += snprintf(out + len, n - len, "%02x", h.head.f_handle[i]);
    snprintf(out + len, n - len, "\n");
}

TEST(inotify_is_told_of_in_fdinfo_the_newest_first) {
    start();
    char path[64], line[256], expected[3][256];
    int fd = instance(), n = 0;
    close(test_make("f", ""));
    CHECK(inotify_add_watch(fd, "f", IN_OPEN | IN_ONESHOT) == 1 &&
          inotify_add_watch(fd, ".", IN_CREATE) == 2 && inotify_add_watch(fd, "/proc/version", IN_OPEN) == 3);
    fdinfo_line(expected[2], sizeof(expected[2]), 1, "f", 0x80000020);
    fdinfo_line(expected[1], sizeof(expected[1]), 2, ".", IN_CREATE);
    fdinfo_line(expected[0], sizeof(expected[0]), 3, "/proc/version", IN_OPEN);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(path, "r");
    CHECK(info);
    while (fgets(line, sizeof(line), info)) {
        if (strncmp(line, "inotify", 7))
            continue;
        CHECK(n < 3 && (n || !strncmp(line, "inotify wd:3 ", 13)) && !strcmp(line, expected[n]));
        n++;
    }
    CHECK(n == 3);
}

TEST(inotify_counts_what_children_and_others_do) {
    start();
    CHECK(mkdir("d", 0755) == 0);
    int fd = instance(), other = instance();
    CHECK(inotify_add_watch(fd, "d", IN_CREATE) == 1 &&
          inotify_add_watch(other, "d", IN_CREATE | IN_DELETE) == 1);
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (!pid) {
            char name[20];
            snprintf(name, sizeof(name), "d/%d", i);
            close(test_make(name, ""));
            _exit(unlink(name) != 0);
        }
        CHECK(test_wait_exit(pid) == 0);
    }
    EVENTS(fd, "1:CREATE/0 1:CREATE/1 1:CREATE/2");
    EVENTS(other, "1:CREATE/0 1:DELETE/0 1:CREATE/1 1:DELETE/1 1:CREATE/2 1:DELETE/2");
    CHECK(close(fd) == 0 && close(test_make("d/3", "")) == 0);
    EVENTS(other, "1:CREATE/3");
}
