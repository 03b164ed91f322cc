// SPDX-License-Identifier: MIT
// Waiting for files, the finer points: timeouts and masks of ppoll and pselect, nested epoll sets, files that
// are closed while they are waited for, sizes of pipes, FIFOs.
#include "test.h"
#include <sys/mman.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static int p[2];
static char buffer[1 << 17];

static volatile sig_atomic_t caught;
static void catch (int sig) {
    caught = sig;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void signal_soon(pid_t target, int sig) {
    if (!fork()) {
        usleep(100000);
        kill(target, sig);
        _exit(0);
    }
}

static int epoll_now(int ep, struct epoll_event *e, int n) {
    return epoll_wait(ep, e, n, 0);
}

static int add(int ep, int fd, unsigned int events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

TEST(ppoll_waits_with_its_mask_and_puts_the_old_back) {
    sigset_t usr1, now;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = catch, .sa_flags = SA_RESTART}, NULL);
    raise(SIGUSR1);
    CHECK(!caught && pipe(p) == 0);
    struct pollfd f = {p[0], POLLIN, 0};
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(ppoll(&f, 1, NULL, &none), EINTR);
    CHECK(caught == SIGUSR1 && sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
    CHECK(write(p[1], "x", 1) == 1 && ppoll(&f, 1, NULL, &none) == 1);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
}

TEST(pselect_tells_the_time_that_is_left) {
    long timeout[2] = {5, 0};
    fd_set set;
    CHECK(pipe(p) == 0);
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    if (!fork()) {
        usleep(200000);
        _exit(write(p[1], "x", 1) != 1);
    }
    CHECK(syscall(SYS_pselect6, p[0] + 1, &set, NULL, NULL, timeout, NULL) == 1);
    CHECK(FD_ISSET(p[0], &set) && timeout[0] == 4);
    FD_ZERO(&set);
    FD_SET(99, &set);
    CHECK_ERRNO(select(100, &set, NULL, NULL, &(struct timeval){0, 0}), EBADF);
}

TEST(poll_goes_on_after_a_signal_without_a_handler) {
    CHECK(pipe(p) == 0);
    struct pollfd f = {p[0], POLLIN, 0};
    signal_soon(getpid(), SIGCHLD);
    double start = seconds();
    CHECK(poll(&f, 1, 300) == 0 && seconds() - start >= 0.29);
}

TEST(poll_ends_for_many_files) {
    struct pollfd f[200];
    for (int i = 0; i < 200; i++) {
        CHECK(pipe(p) == 0);
        f[i] = (struct pollfd){p[0], POLLIN, 0};
    }
    if (!fork()) {
        usleep(50000);
        _exit(write(p[1], "x", 1) != 1);
    }
    CHECK(poll(f, 200, 5000) == 1 && f[199].revents == POLLIN);
    f[3].fd = -1;
    f[4].fd = 9999;
    CHECK(poll(f, 200, 0) == 2 && f[3].revents == 0 && f[4].revents == POLLNVAL);
}

TEST(poll_wakes_for_a_hangup) {
    CHECK(pipe(p) == 0);
    if (!fork()) {
        close(p[0]);
        usleep(50000);
        _exit(0);
    }
    close(p[1]);
    struct pollfd f = {p[0], POLLIN, 0};
    CHECK(poll(&f, 1, 5000) == 1 && f.revents == POLLHUP);
}

TEST(epoll_forgets_closed_files) {
    struct epoll_event e[4];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    CHECK(pipe(p) == 0 && add(ep, p[0], EPOLLIN) == 0 && write(p[1], "x", 1) == 1);
    int copy = dup(p[0]);
    CHECK(close(p[0]) == 0 && epoll_now(ep, e, 4) == 1);
    CHECK(close(copy) == 0 && epoll_now(ep, e, 4) == 0);
    CHECK(close(ep) == 0);
}

TEST(epoll_sets_nest_but_not_in_circles) {
    struct epoll_event e[4];
    int a = epoll_create1(0), b = epoll_create1(0);
    CHECK(pipe(p) == 0 && add(b, p[0], EPOLLIN) == 0 && add(a, b, EPOLLIN) == 0);
    CHECK(epoll_now(a, e, 4) == 0 && write(p[1], "x", 1) == 1);
    CHECK(epoll_now(a, e, 4) == 1 && e[0].data.fd == b && epoll_now(b, e, 4) == 1 && e[0].data.fd == p[0]);
    CHECK(read(p[0], buffer, 1) == 1 && epoll_now(a, e, 4) == 0);
    CHECK_ERRNO(add(b, a, EPOLLIN), ELOOP);
    CHECK_ERRNO(add(a, a, EPOLLIN), EINVAL);
    int chain = a;
    for (int i = 0;; i++) {
        int next = epoll_create1(0);
        if (add(next, chain, EPOLLIN)) {
            CHECK(errno == ELOOP && i >= 2 && i <= 6);
            break;
        }
        CHECK(i < 10);
        chain = next;
    }
}

TEST(epoll_ctl_refuses_what_it_must) {
    int ep = epoll_create1(0), file = open("/tmp", O_RDONLY);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK(pipe(p) == 0 && add(ep, p[0], EPOLLIN) == 0);
    CHECK_ERRNO(add(ep, p[0], EPOLLIN), EEXIST);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e), ENOENT);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &e), ENOENT);
    CHECK_ERRNO(add(ep, file, EPOLLIN), EPERM);
    CHECK_ERRNO(add(ep, 9999, EPOLLIN), EBADF);
    CHECK_ERRNO(add(p[0], p[1], EPOLLIN), EINVAL);
    CHECK_ERRNO(epoll_wait(ep, &e, 0, 0), EINVAL);
}

TEST(epoll_edges_come_once_for_each_write) {
    struct epoll_event e[4];
    int ep = epoll_create1(0);
    CHECK(pipe(p) == 0 && add(ep, p[0], EPOLLIN | EPOLLET) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(write(p[1], "x", 1) == 1 && epoll_now(ep, e, 4) == 1 && epoll_now(ep, e, 4) == 0);
    }
}

TEST(epoll_wakes_sleepers) {
    struct epoll_event e;
    int ep = epoll_create1(0), ev = eventfd(0, EFD_NONBLOCK);
    CHECK(add(ep, ev, EPOLLIN) == 0);
    if (!fork()) {
        usleep(50000);
        _exit(eventfd_write(ev, 1));
    }
    CHECK(epoll_wait(ep, &e, 1, 5000) == 1 && e.events == EPOLLIN);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = catch}, NULL);
    eventfd_t value;
    CHECK(eventfd_read(ev, &value) == 0);
    signal_soon(getpid(), SIGALRM);
    CHECK_ERRNO(epoll_wait(ep, &e, 1, 5000), EINTR);
}

TEST(epoll_exclusive_wakes_one_of_many) {
    enum { N = 4 };
    int ev = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE), woken[2], n;
    CHECK(pipe(woken) == 0);
    for (int i = 0; i < N; i++)
        if (!fork()) {
            struct epoll_event e;
            int ep = epoll_create1(0);
            if (add(ep, ev, EPOLLIN | EPOLLEXCLUSIVE) || epoll_wait(ep, &e, 1, 3000) != 1)
                _exit(0);
            _exit(write(woken[1], "x", 1) != 1);
        }
    usleep(200000);
    CHECK(eventfd_write(ev, 1) == 0);
    usleep(200000);
    CHECK(fcntl(woken[0], F_SETFL, O_NONBLOCK) == 0 && (n = read(woken[0], buffer, 100)) >= 1 && n < N);
    while (wait(NULL) > 0)
        ;
}

TEST(pipes_grow_and_shrink_with_their_content) {
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    for (int i = 0; i < 65536; i++)
        buffer[i] = i * 7;
    CHECK(write(p[1], buffer, 65536) == 65536);
    CHECK_ERRNO(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 200000) == 262144 && write(p[1], buffer, 65536) == 65536);
    CHECK(read(p[0], buffer, 100000) == 100000);
    for (int i = 0; i < 100000; i++)
        CHECK(buffer[i] == (char)((i % 65536) * 7));
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 1) == -1 ? errno == EBUSY : 1);
    CHECK(read(p[0], buffer, 100000) == 131072 - 100000);
    CHECK(fcntl(p[0], F_SETPIPE_SZ, 1) == 4096 && fcntl(p[1], F_GETPIPE_SZ) == 4096);
    CHECK_ERRNO(fcntl(0, F_SETPIPE_SZ, 4096), EBADF);
    CHECK(write(p[1], buffer, 5000) == 4096);
}

TEST(fifos_hang_up_only_after_a_writer) {
    unlink("/tmp/hang");
    CHECK(mkfifo("/tmp/hang", 0600) == 0);
    int r = open("/tmp/hang", O_RDONLY | O_NONBLOCK);
    struct pollfd f = {r, POLLIN, 0};
    CHECK(r >= 0 && poll(&f, 1, 0) == 0 && read(r, buffer, 1) == 0);
    int w = open("/tmp/hang", O_WRONLY | O_NONBLOCK);
    CHECK(w >= 0 && write(w, "x", 1) == 1 && close(w) == 0);
    CHECK(poll(&f, 1, 0) == 1 && f.revents == (POLLIN | POLLHUP));
    CHECK(read(r, buffer, 9) == 1 && read(r, buffer, 9) == 0);
    w = open("/tmp/hang", O_RDWR);
    CHECK(w >= 0 && poll(&f, 1, 0) == 0 && close(w) == 0 && close(r) == 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = catch}, NULL);
    signal_soon(getpid(), SIGALRM);
    CHECK_ERRNO(open("/tmp/hang", O_WRONLY), EINTR);
}

static uint64_t expiries(int fd) {
    uint64_t n = 0;
    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST(timerfd_counts_what_expired_since_the_last_read) {
    struct itimerspec late = {{0, 0}, {1000, 0}}, once = {{0, 0}, {0, 20000000}},
                      often = {{0, 1000000}, {0, 1}}, now;
    struct epoll_event e = {.events = EPOLLIN};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), set = epoll_create1(0);
    struct pollfd pfd = {fd, POLLIN, 0};
    CHECK(fd >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0 && poll(&pfd, 1, 0) == 0);
    CHECK(timerfd_settime(fd, 0, &late, NULL) == 0 && timerfd_gettime(fd, &now) == 0);
    CHECK(now.it_value.tv_sec >= 900 && now.it_value.tv_sec <= 1000 && !now.it_interval.tv_nsec);
    CHECK(timerfd_settime(fd, 0, &once, &now) == 0 && now.it_value.tv_sec >= 900);
    CHECK(epoll_wait(set, &e, 1, -1) == 1 && poll(&pfd, 1, -1) == 1 && pfd.revents == POLLIN);
    CHECK(expiries(fd) == 1 && poll(&pfd, 1, 0) == 0);
    CHECK(timerfd_gettime(fd, &now) == 0 && !now.it_value.tv_nsec && !now.it_value.tv_sec);
    CHECK(timerfd_settime(fd, 0, &often, &now) == 0 && now.it_interval.tv_nsec == 0);
    struct timespec d = {0, 30000000};
    CHECK(nanosleep(&d, NULL) == 0 && expiries(fd) >= 30 && expiries(fd) >= 1);
    CHECK(timerfd_settime(fd, 0, &(struct itimerspec){0}, &now) == 0 && now.it_interval.tv_nsec == 1000000);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(fd, buffer, 8), EAGAIN);
    CHECK_ERRNO(read(fd, buffer, 7), EINVAL);
    CHECK_ERRNO(write(fd, buffer, 8), EINVAL);
}

// The next expiry comes while the read that arms the timer for it is still at it.
TEST(timerfd_of_the_shortest_interval_goes_on_expiring) {
    struct itimerspec shortest = {{0, 1}, {0, 1}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    CHECK(timerfd_settime(fd, 0, &shortest, NULL) == 0);
    for (int i = 0; i < 1000; i++)
        CHECK(expiries(fd) > 0);
}

TEST(timerfd_absolute_times_follow_the_clock) {
    struct timespec now;
    struct itimerspec past = {{0, 0}, {1, 0}}, next;
    uint64_t n;
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL) == 0);
    CHECK(poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1) == 1 && expiries(fd) == 1);
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    next = (struct itimerspec){{0, 0}, {now.tv_sec + 1000, now.tv_nsec}};
    CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &next, NULL) == 0);
    CHECK_ERRNO(read(fd, &n, sizeof(n)), EAGAIN);
    CHECK(clock_settime(CLOCK_REALTIME, &now) == 0);
    CHECK(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0) == 1);
    CHECK_ERRNO(read(fd, &n, sizeof(n)), ECANCELED);
    CHECK_ERRNO(read(fd, &n, sizeof(n)), EAGAIN);
    now.tv_sec += 2000;
    CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &next, NULL) == 0 &&
          clock_settime(CLOCK_REALTIME, &now) == 0);
    CHECK(poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1) == 1 && expiries(fd) == 1);
    now.tv_sec -= 2000;
    CHECK(clock_settime(CLOCK_REALTIME, &now) == 0);
}

TEST(timerfd_refuses_what_it_must) {
    struct itimerspec bad = {{0, 0}, {0, 1000000000}}, good = {{0, 0}, {1, 0}};
    int fd = timerfd_create(CLOCK_BOOTTIME, 0);
    CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    CHECK_ERRNO(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(fd, 4, &good, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(0, 0, &good, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(-1, 0, &good, NULL), EBADF);
    CHECK_ERRNO(timerfd_gettime(fd, NULL), EFAULT);
}

TEST(poll_tells_at_any_address_and_faults_where_it_may_not_write) {
    int p[2];
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED && !pipe(p));
    struct pollfd wanted = {.fd = p[1], .events = POLLOUT, .revents = 0x55}, found;
    for (int at = 0; at < 8; at++) {
        memcpy(page + at, &wanted, sizeof(wanted));
        CHECK(syscall(SYS_ppoll, page + at, 1, NULL, NULL, 8) == 1);
        memcpy(&found, page + at, sizeof(found));
        CHECK(found.revents == POLLOUT && found.events == POLLOUT && found.fd == p[1]);
    }
    memcpy(page, &wanted, sizeof(wanted));
    CHECK(!mprotect(page, 4096, PROT_READ));
    CHECK_ERRNO(syscall(SYS_ppoll, page, 1, NULL, NULL, 8), EFAULT);
}

// ---- what /proc/PID/fdinfo tells of such files

static const char *fdinfo(int fd) {
    static char text[1024];
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int info = open(path, O_RDONLY);
    ssize_t n = read(info, text, sizeof(text) - 1);
    CHECK(info >= 0 && n > 0 && !close(info));
    text[n] = 0;
    return strstr(text, "ino:") ? strchr(strstr(text, "ino:"), '\n') + 1 : text;
}

static int is_cloexec(int fd) {
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int info = open(path, O_RDONLY);
    CHECK(read(info, text, sizeof(text) - 1) > 0 && !close(info));
    return !!(strtol(strstr(text, "flags:") + 6, NULL, 8) & O_CLOEXEC);
}

TEST(fdinfo_tells_the_process_of_a_pidfd) {
    char expected[64];
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    int fd = syscall(SYS_pidfd_open, pid, 0);
    siginfo_t info;
    CHECK(fd >= 0 && !waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    snprintf(expected, sizeof(expected), "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
    CHECK(!strcmp(fdinfo(fd), expected));
    CHECK(test_wait_exit(pid) == 0);
    CHECK(!strcmp(fdinfo(fd), "Pid:\t-1\nNSpid:\t-1\n"));
}

TEST(fdinfo_tells_the_count_of_an_eventfd) {
    int fd = eventfd(0x1234, EFD_SEMAPHORE), other = eventfd(0, 0), id = -1, other_id = -1;
    CHECK(!strncmp(fdinfo(fd), "eventfd-count:             1234\neventfd-id: ", 44));
    CHECK(sscanf(strstr(fdinfo(fd), "id:"), "id: %d\neventfd-semaphore: 1\n", &id) == 1);
    CHECK(sscanf(strstr(fdinfo(other), "id:"), "id: %d\neventfd-semaphore: 0\n", &other_id) == 1 &&
          id != other_id);
}

TEST(fdinfo_tells_the_mask_of_a_signalfd) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, 64);
    CHECK(!strcmp(fdinfo(signalfd(-1, &set, 0)), "sigmask:\t8000000000000200\n"));
}

TEST(fdinfo_tells_the_times_of_a_timerfd) {
    struct itimerspec at = {{7, 5}, {1000, 0}};
    int fd = timerfd_create(CLOCK_BOOTTIME, 0);
    CHECK(!strcmp(fdinfo(fd),
                  "clockid: 7\nticks: 0\nsettime flags: 00\nit_value: (0, 0)\nit_interval: (0, 0)\n"));
    CHECK(!timerfd_settime(fd, 0, &at, NULL));
    CHECK(strstr(fdinfo(fd), "settime flags: 00\nit_value: (999, "));
    CHECK(strstr(fdinfo(fd), "it_interval: (7, 5)\n"));
    at = (struct itimerspec){.it_value = {0, 1}};
    CHECK(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL));
    CHECK(poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1) == 1);
    CHECK(!strcmp(fdinfo(fd),
                  "clockid: 7\nticks: 1\nsettime flags: 01\nit_value: (0, 0)\nit_interval: (0, 0)\n"));
}

// As the set has it: two descriptors of one file are two lines.
TEST(fdinfo_tells_what_an_epoll_set_waits_for) {
    int set = epoll_create1(0), fds[] = {eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), 40}, found = 0;
    char expected[128];
    struct stat st;
    CHECK(!strcmp(fdinfo(set), "") && dup2(fds[0], 40) == 40);
    for (int i = 0; i < 3; i++) {
        struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789abcdef0 + i};
        CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &e));
    }
    for (int i = 0; i < 3; i++) {
        CHECK(!fstat(fds[i], &st));
        snprintf(expected, sizeof(expected),
                 "tfd: %8d events: 80000019 data: 123456789abcdef%d  pos:0 ino:%lx sdev:%lx\n", fds[i], i,
                 (long)st.st_ino, (long)st.st_dev);
        const char *text = fdinfo(set);
        found += strstr(text, expected) && strlen(text) == 3 * strlen(expected);
    }
    CHECK(found == 3);
    CHECK(!close(40) && !epoll_ctl(set, EPOLL_CTL_DEL, fds[0], NULL) && !close(fds[1]));
    CHECK(!strncmp(fdinfo(set), "tfd:       40 ", 14) && strchr(fdinfo(set), '\n')[1] == 0);
}

TEST(fdinfo_tells_of_locks_before_what_the_file_says_itself) {
    int fd = eventfd(0, 0);
    CHECK(!flock(fd, LOCK_SH));
    const char *text = fdinfo(fd);
    CHECK(!strncmp(text, "lock:\t1: FLOCK  ADVISORY  READ ", 31));
    CHECK(!strncmp(strchr(text, '\n') + 1, "eventfd-count: ", 15));
}

TEST(anonymous_files_are_called_as_Linux_calls_them) {
    static const char *const names[] = {"anon_inode:[eventpoll]", "anon_inode:[eventfd]",
                                        "anon_inode:[timerfd]", "anon_inode:[signalfd]",
                                        "anon_inode:inotify"};
    sigset_t set;
    sigemptyset(&set);
    int fds[] = {epoll_create1(0), eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &set, 0),
                 inotify_init1(0)};
    for (int i = 0; i < 5; i++) {
        char path[64], name[64] = "";
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
        CHECK(readlink(path, name, sizeof(name) - 1) > 0 && !strcmp(name, names[i]));
    }
}

TEST(fdinfo_tells_what_execve_closes) {
    int fd = eventfd(0, EFD_CLOEXEC);
    CHECK(is_cloexec(fd) && !fcntl(fd, F_SETFD, 0) && !is_cloexec(fd));
    CHECK(dup3(0, 200, O_CLOEXEC) == 200 && is_cloexec(200) && !is_cloexec(0));
}

static int join(int set, int fd) {
    struct epoll_event e = {.events = EPOLLIN};
    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
}

// What happens to a file goes all ways up at once: there are at most 500 over one set more, 100 over two, 50 over three.
TEST(epoll_sets_in_sets_have_few_ways_up) {
    enum { OUTER = 501, MIDDLE = 10, EACH = 10 };
    struct rlimit files = {OUTER + 200, OUTER + 200};
    int event = eventfd(0, 0), set = epoll_create1(0);
    CHECK(!setrlimit(RLIMIT_NOFILE, &files) && !join(set, event));
    for (int i = 0; i < OUTER - 1; i++)
        CHECK(!join(epoll_create1(0), set));
    CHECK_ERRNO(join(epoll_create1(0), set), EINVAL);
    CHECK(!join(set, eventfd(0, 0)));

    int inner = epoll_create1(0), middle[MIDDLE], last = epoll_create1(0);
    for (int i = 0; i < MIDDLE; i++) {
        CHECK((middle[i] = epoll_create1(0)) >= 0 && !join(middle[i], inner));
        for (int k = 0; k < EACH; k++)
            CHECK(!join(epoll_create1(0), middle[i]));
    }
    CHECK(!join(inner, event)); // a hundred ways, and those from before
    CHECK_ERRNO(join(last, middle[0]), EINVAL);
    CHECK(!eventfd_write(event, 1) && test_poll(last, POLLIN) == 0 && test_poll(inner, POLLIN) == POLLIN);
}

// The same where sets come before files: a set of many ways gets no file.
TEST(epoll_sets_with_many_ways_up_get_no_files) {
    enum { WIDE = 30 };
    int low[WIDE], high[WIDE], event = eventfd(0, 0), refused = 0;
    for (int i = 0; i < WIDE; i++)
        low[i] = epoll_create1(0), high[i] = epoll_create1(0);
    for (int i = 0; i < WIDE; i++)
        for (int k = 0; k < WIDE; k++)
            CHECK(!join(high[i], low[k]));
    for (int i = 0; i < WIDE; i++)
        refused += join(low[i], event) != 0;
    CHECK(refused == WIDE - 500 / WIDE); // of 30 ways each
}
