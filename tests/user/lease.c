// SPDX-License-Identifier: MIT
// Leases on files (fcntl(2), F_SETLEASE). Each claim holds on Linux 6.12, too.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

TEST_DIRECTORY(0777)

#define NOBODY 1234
#define TOLD   (SIGRTMIN + 3)

static int own(const char *path, int flags) {
    close(test_make(path, "text"));
    int fd = open(path, flags);
    CHECK(fd >= 0);
    return fd;
}

static long milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void block(int sig) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

// The signal within so many milliseconds; 0: none came.
static int wait_signal(int sig, int ms, siginfo_t *info) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000l};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    int got = sigtimedwait(&set, info, &t);
    return got > 0 ? got : 0;
}

TEST(lease_is_given_to_who_has_the_file_so_open) {
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, 3), EINVAL);
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_GETLEASE) == F_RDLCK);
    CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(fd, F_GETLEASE) == F_WRLCK);
    CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && fcntl(fd, F_GETLEASE) == F_UNLCK);
    int other = open("f", O_RDONLY);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(other, F_SETLEASE, F_RDLCK) == 0);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
    close(other);
    CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
    int rw = own("g", O_RDWR);
    CHECK_ERRNO(fcntl(rw, F_SETLEASE, F_RDLCK), EAGAIN); // it is open for writing: by oneself
    CHECK(fcntl(rw, F_SETLEASE, F_WRLCK) == 0);
    int mapped = open("h", O_RDWR | O_CREAT, 0600), reader = open("h", O_RDONLY);
    CHECK(ftruncate(mapped, 4096) == 0 &&
          mmap(NULL, 4096, PROT_WRITE | PROT_READ, MAP_SHARED, mapped, 0) != MAP_FAILED);
    close(mapped);
    CHECK_ERRNO(fcntl(reader, F_SETLEASE, F_RDLCK), EAGAIN); // a mapping keeps it open
}

TEST(leases_are_of_ones_own_regular_files) {
    int p[2], fd = own("f", O_RDONLY), dir = open(".", O_RDONLY), path = open("f", O_PATH);
    CHECK(pipe(p) == 0);
    CHECK_ERRNO(fcntl(p[0], F_SETLEASE, F_RDLCK), EINVAL);
    CHECK_ERRNO(fcntl(dir, F_SETLEASE, F_RDLCK), EINVAL);
    CHECK_ERRNO(fcntl(path, F_SETLEASE, F_RDLCK), EBADF);
    CHECK(fcntl(p[0], F_GETLEASE) == F_UNLCK);
    CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
          setresuid(NOBODY, NOBODY, NOBODY) == 0);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_UNLCK), EACCES);
}

// What the other one did, and how long it took.
struct other {
    const char *path;
    int flags; // -1: truncate
    int result, error;
    long ms;
};

static void *act(void *arg) {
    struct other *o = arg;
    long start = milliseconds();
    errno = 0;
    o->result = o->flags < 0 ? truncate(o->path, 1) : open(o->path, o->flags, 0600);
    o->error = errno;
    o->ms = milliseconds() - start;
    return NULL;
}

TEST(who_opens_for_writing_waits_until_the_lease_has_gone) {
    block(SIGIO);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    int reader = open("f", O_RDONLY); // does not concern it
    CHECK(reader >= 0 && wait_signal(SIGIO, 50, NULL) == 0 && fcntl(fd, F_GETLEASE) == F_RDLCK);
    struct other o = {.path = "f", .flags = O_WRONLY};
    pthread_t t;
    CHECK(pthread_create(&t, NULL, act, &o) == 0);
    CHECK(wait_signal(SIGIO, 5000, NULL) == SIGIO && fcntl(fd, F_GETLEASE) == F_UNLCK);
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    CHECK_ERRNO(open("f", O_RDWR | O_NONBLOCK), EWOULDBLOCK);
    usleep(100000);
    CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
    CHECK(pthread_join(t, NULL) == 0 && o.result >= 0 && o.ms >= 90);
    CHECK(fcntl(fd, F_GETOWN) == 0); // it went with the lease
}

TEST(who_truncates_waits_too) {
    struct stat st;
    block(SIGIO);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    struct other o = {.path = "f", .flags = -1};
    pthread_t t;
    CHECK(pthread_create(&t, NULL, act, &o) == 0 && wait_signal(SIGIO, 5000, NULL) == SIGIO);
    usleep(50000);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 4);
    close(fd); // is as good
    CHECK(pthread_join(t, NULL) == 0 && o.result == 0 && stat("f", &st) == 0 && st.st_size == 1);
}

TEST(a_lease_for_writing_becomes_one_for_reading_for_who_reads) {
    block(SIGIO);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
    struct other o = {.path = "f", .flags = O_RDONLY};
    pthread_t t;
    CHECK(pthread_create(&t, NULL, act, &o) == 0 && wait_signal(SIGIO, 5000, NULL) == SIGIO);
    CHECK(fcntl(fd, F_GETLEASE) == F_RDLCK);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN); // somebody has it open by now
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    CHECK(pthread_join(t, NULL) == 0 && o.result >= 0 && fcntl(fd, F_GETLEASE) == F_RDLCK);
}

TEST(the_signal_tells_of_the_descriptor) {
    siginfo_t info;
    block(TOLD);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETSIG, TOLD) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0 &&
          fcntl(fd, F_GETOWN) == getpid());
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    CHECK(wait_signal(TOLD, 5000, &info) == TOLD && info.si_fd == fd && info.si_code == POLL_MSG);
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    CHECK(wait_signal(TOLD, 50, &info) == 0); // it has been told
    CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && fcntl(fd, F_GETSIG) == 0);
}

TEST(a_lease_ends_by_itself_when_its_time_is_over) {
    FILE *f = fopen("/proc/sys/fs/lease-break-time", "r");
    int old = 0;
    CHECK(f && fscanf(f, "%d", &old) == 1 && old == 45);
    CHECK(test_put("/proc/sys/fs/lease-break-time", "1") == 0);
    block(SIGIO);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
    struct other r = {.path = "f", .flags = O_RDONLY}, w = {.path = "f", .flags = O_WRONLY};
    act(&r);
    CHECK(r.result >= 0 && r.ms >= 900 && r.ms < 30000 && fcntl(fd, F_GETLEASE) == F_RDLCK);
    act(&w);
    int now = fcntl(fd, F_GETLEASE);
    CHECK(test_put("/proc/sys/fs/lease-break-time", "45") == 0);
    CHECK(w.result >= 0 && w.ms >= 900 && w.ms < 30000 && now == F_UNLCK);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
}

static void nothing(int sig) {
    (void)sig;
}

static int open_interrupted(void *arg) {
    struct sigaction act = {.sa_handler = nothing};
    sigaction(SIGUSR1, &act, NULL);
    return open(arg, O_WRONLY) == -1 && errno == EINTR ? 0 : 1;
}

TEST(who_waits_can_be_interrupted_and_killed) {
    block(SIGIO);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    pid_t pid = test_fork(open_interrupted, "f");
    CHECK(wait_signal(SIGIO, 5000, NULL) == SIGIO);
    usleep(100000);
    CHECK(kill(pid, SIGUSR1) == 0 && test_wait_exit(pid) == 0);
    pid = test_fork(open_interrupted, "f");
    usleep(100000);
    test_end(pid);
    CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK && fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
}

// The open file has it, whoever has the file.
TEST(a_lease_goes_with_the_last_descriptor_of_its_open_file) {
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    int copy = dup(fd), again = open("f", O_RDONLY);
    CHECK(fcntl(copy, F_GETLEASE) == F_RDLCK && fcntl(again, F_GETLEASE) == F_UNLCK);
    close(fd);
    pid_t pid = fork();
    if (!pid)
        _exit(fcntl(copy, F_GETLEASE) != F_RDLCK);
    CHECK(test_wait_exit(pid) == 0 && fcntl(copy, F_GETLEASE) == F_RDLCK);
    pid = fork();
    if (!pid)
        _exit(fcntl(copy, F_SETLEASE, F_UNLCK) != 0);
    CHECK(test_wait_exit(pid) == 0 && fcntl(copy, F_GETLEASE) == F_UNLCK);
    CHECK(fcntl(copy, F_SETLEASE, F_RDLCK) == 0);
    close(copy);
    CHECK((fd = open("f", O_WRONLY | O_NONBLOCK)) >= 0);
}

static bool locks_have(const char *text) {
    char line[256];
    struct stat st;
    char ino[32];
    bool found = false;
    CHECK(stat("f", &st) == 0);
    snprintf(ino, sizeof(ino), ":%lu 0 EOF", (unsigned long)st.st_ino);
    FILE *f = fopen("/proc/locks", "r");
    while (f && fgets(line, sizeof(line), f))
        found |= strstr(line, text) && strstr(line, ino);
    if (f)
        fclose(f);
    return found;
}

TEST(leases_are_in_proc_locks) {
    char text[64];
    block(SIGIO);
    int fd = own("f", O_RDONLY);
    CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
    snprintf(text, sizeof(text), ": LEASE  ACTIVE    WRITE %d ", getpid());
    CHECK(locks_have(text));
    CHECK_ERRNO(open("f", O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
    snprintf(text, sizeof(text), ": LEASE  BREAKING  READ %d ", getpid());
    CHECK(locks_have(text));
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    snprintf(text, sizeof(text), ": LEASE  BREAKING  UNLCK %d ", getpid());
    CHECK(locks_have(text));
}

TEST(leases_can_be_switched_off) {
    int fd = own("f", O_RDONLY);
    CHECK(test_put("/proc/sys/fs/leases-enable", "0") == 0);
    errno = 0;
    int ret = fcntl(fd, F_SETLEASE, F_RDLCK), err = errno;
    CHECK(test_put("/proc/sys/fs/leases-enable", "1") == 0 && ret == -1 && err == EINVAL);
}

static void *open_on_and_on(void *arg) {
    for (int i = 0; i < 2000 && !*(volatile int *)arg; i++) {
        int fd = open("f", O_RDWR | O_NONBLOCK);
        if (fd >= 0)
            close(fd);
    }
    *(volatile int *)arg = 1;
    return NULL;
}

// A lease for reading and a file open for writing are never both there: who has the lease is told.
TEST(leases_and_opens_race) {
    siginfo_t info;
    pthread_t t;
    int over = 0, fd = own("f", O_RDONLY);
    block(TOLD);
    CHECK(fcntl(fd, F_SETSIG, TOLD) == 0 && pthread_create(&t, NULL, open_on_and_on, &over) == 0);
    while (!*(volatile int *)&over) {
        if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
            CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && fcntl(fd, F_SETSIG, TOLD) == 0);
        wait_signal(TOLD, 0, &info);
    }
    CHECK(pthread_join(t, NULL) == 0);
}
