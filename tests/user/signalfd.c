// SPDX-License-Identifier: MIT
// signalfd(2).
#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}

// Blocks both and makes a file of them.
static int blocked_fd(int a, int b, int flags) {
    sigset_t set = set_of(a, b);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, flags);
    CHECK(fd >= 0);
    return fd;
}

static struct signalfd_siginfo next(int fd) {
    struct signalfd_siginfo info;
    CHECK(read(fd, &info, sizeof(info)) == sizeof(info));
    return info;
}

static unsigned int ready(int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    CHECK(poll(&p, 1, 0) >= 0);
    return p.revents;
}

TEST(signalfd_checks_its_arguments) {
    sigset_t set = set_of(SIGUSR1, 0);
    char byte;
    int fd = blocked_fd(SIGUSR1, 0, SFD_NONBLOCK | SFD_CLOEXEC), p[2];
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & ~O_LARGEFILE) == (O_RDWR | O_NONBLOCK));
    CHECK(pipe(p) == 0);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, &set, 8, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, NULL, 8, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_signalfd4, -2, &set, 8, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_signalfd4, p[0], &set, 8, 0), EINVAL);
    CHECK_ERRNO(write(fd, &byte, 1), EINVAL);
    CHECK_ERRNO(read(fd, &byte, 1), EINVAL);
    char buf[128];
    CHECK_ERRNO(read(fd, buf, 128), EAGAIN);
    CHECK_ERRNO(ioctl(fd, FIONREAD, buf), ENOTTY);
}

TEST(signalfd_gives_what_is_pending) {
    int fd = blocked_fd(SIGUSR1, SIGRTMIN + 1, 0);
    CHECK(ready(fd) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 40 + i}) == 0);
    CHECK(ready(fd) == POLLIN);
    struct signalfd_siginfo info[8];
    memset(info, 0xff, sizeof(info));
    CHECK(read(fd, info, 3 * sizeof(*info) + 5) == 3 * sizeof(*info));
    CHECK(info[0].ssi_signo == SIGUSR1 && info[0].ssi_code == SI_USER &&
          info[0].ssi_pid == (unsigned)getpid() && info[0].ssi_int == 0);
    CHECK(info[1].ssi_signo == (unsigned)SIGRTMIN + 1 && info[1].ssi_code == SI_QUEUE &&
          info[1].ssi_int == 40 && info[1].ssi_pid == (unsigned)getpid());
    CHECK(info[2].ssi_int == 41 && info[3].ssi_signo == ~0u);
    CHECK(read(fd, info, sizeof(info)) == sizeof(*info) && info[0].ssi_int == 42);
    CHECK(ready(fd) == 0);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
}

TEST(signalfd_takes_another_set) {
    int fd = blocked_fd(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    sigset_t one = set_of(SIGUSR2, SIGKILL);
    CHECK(signalfd(fd, &one, 0) == fd);
    CHECK(kill(getpid(), SIGUSR1) == 0 && ready(fd) == 0);
    CHECK(kill(getpid(), SIGUSR2) == 0 && ready(fd) == POLLIN && next(fd).ssi_signo == SIGUSR2);
    one = set_of(SIGUSR1, 0);
    CHECK(signalfd(fd, &one, 0) == fd && ready(fd) == POLLIN && next(fd).ssi_signo == SIGUSR1);
}

TEST(signalfd_tells_of_children_and_timers) {
    int fd = blocked_fd(SIGCHLD, SIGUSR1, 0);
    pid_t pid = fork();
    if (!pid)
        _exit(7);
    struct signalfd_siginfo info = next(fd);
    CHECK(info.ssi_signo == SIGCHLD && info.ssi_code == CLD_EXITED && info.ssi_pid == (unsigned)pid &&
          info.ssi_status == 7);
    CHECK(waitpid(pid, NULL, 0) == pid);
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 99};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0,
                        &(struct itimerspec){.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000},
                        NULL) == 0);
    for (int i = 0; i < 3; i++) {
        info = next(fd);
        CHECK(info.ssi_signo == SIGUSR1 && info.ssi_code == SI_TIMER && info.ssi_int == 99);
    }
    CHECK(timer_delete(timer) == 0);
}

static void *kill_later(void *arg) {
    usleep(50000);
    kill(getpid(), *(int *)arg);
    return NULL;
}

TEST(signalfd_wakes_who_waits) {
    int fd = blocked_fd(SIGUSR1, SIGUSR2, 0), sig = SIGUSR2, set = epoll_create1(0);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, kill_later, &sig) == 0);
    CHECK(next(fd).ssi_signo == SIGUSR2 && pthread_join(t, NULL) == 0);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(pthread_create(&t, NULL, kill_later, &sig) == 0);
    CHECK(poll(&p, 1, -1) == 1 && next(fd).ssi_signo == SIGUSR2 && pthread_join(t, NULL) == 0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0 && epoll_wait(set, &e, 1, 0) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&t, NULL, kill_later, &sig) == 0);
        CHECK(epoll_wait(set, &e, 1, -1) == 1 && next(fd).ssi_signo == SIGUSR2 && pthread_join(t, NULL) == 0);
    }
}

static volatile sig_atomic_t caught;
static void catch (int sig) {
    caught = sig;
}

TEST(signalfd_leaves_what_is_not_blocked_to_handlers) {
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    int fd = signalfd(-1, &set, 0);
    signal(SIGUSR1, catch);
    CHECK(kill(getpid(), SIGUSR1) == 0 && caught == SIGUSR1 && ready(fd) == 0);
    // A read that waits is interrupted by a handler, as any.
    struct sigaction act = {.sa_handler = catch};
    CHECK(sigaction(SIGALRM, &act, NULL) == 0);
    struct itimerval soon = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    char buf[128];
    CHECK_ERRNO(read(fd, buf, sizeof(buf)), EINTR);
    CHECK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0);
}

static void *reads(void *arg) {
    int *both = arg;
    CHECK_ERRNO(read(both[0], both, 128), EAGAIN); // what was sent to another thread is not for this one
    return NULL;
}

TEST(signalfd_is_of_the_thread_that_reads) {
    int fd[40] = {blocked_fd(SIGUSR1, 0, SFD_NONBLOCK)};
    pthread_t t;
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0 && ready(fd[0]) == POLLIN);
    CHECK(pthread_create(&t, NULL, reads, fd) == 0 && pthread_join(t, NULL) == 0);
    CHECK(next(fd[0]).ssi_signo == SIGUSR1);
}

TEST(signalfd_is_of_the_process_that_reads) {
    int fd = blocked_fd(SIGUSR1, 0, 0), go[2];
    CHECK(pipe(go) == 0 && kill(getpid(), SIGUSR1) == 0);
    pid_t pid = fork(); // the same file, with nothing pending
    if (!pid) {
        if (ready(fd) || write(go[1], "x", 1) != 1)
            _exit(1);
        struct pollfd p = {fd, POLLIN, 0};
        _exit(poll(&p, 1, -1) != 1 || next(fd).ssi_pid != (unsigned)getppid());
    }
    char byte;
    CHECK(read(go[0], &byte, 1) == 1 && ready(fd) == POLLIN);
    usleep(20000);
    CHECK(kill(pid, SIGUSR1) == 0 && test_wait_exit(pid) == 0);
    CHECK(ready(fd) == POLLIN && next(fd).ssi_signo == SIGUSR1);
    // Processes that polled it and ended have left nothing behind.
    for (int i = 0; i < 50; i++) {
        pid = fork();
        if (!pid)
            _exit(ready(fd) != 0);
        CHECK(test_wait_exit(pid) == 0);
    }
}

TEST(signalfd_keeps_what_cannot_be_copied_out_from_nobody_else) {
    int fd = blocked_fd(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(munmap(page + 4096, 4096) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR2) == 0);
    CHECK(read(fd, page + 4096 - 128, 256) == 128);
    CHECK_ERRNO(read(fd, page + 4096, 128), EAGAIN);
}
