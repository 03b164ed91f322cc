// SPDX-License-Identifier: MIT
// O_ASYNC, F_SETOWN, F_SETSIG: signals that tell of files. The same program passes on Linux.
#include "inet.h"
#include "unix.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>

#define REAL SIGRTMIN

static char buffer[1 << 16];
static sigset_t all;

__attribute__((constructor)) static void block(void) {
    sigemptyset(&all);
    sigaddset(&all, SIGIO);
    sigaddset(&all, SIGURG);
    sigaddset(&all, REAL);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

// The signal that is pending, or 0.
static int pending(siginfo_t *info) {
    struct timespec none = {0, 0};
    int sig = sigtimedwait(&all, info, &none);
    return sig < 0 ? 0 : sig;
}

static int awaited(siginfo_t *info) {
    struct timespec long_time = {5, 0};
    return sigtimedwait(&all, info, &long_time);
}

// It signals us: SIGIO, or `sig`.
static void make_async(int fd, int sig) {
    CHECK(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, sig) == 0);
    CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0 && fcntl(fd, F_GETFL) & O_ASYNC);
}

TEST(stream_signals_when_something_can_be_read) {
    int s[2];
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    make_async(s[0], 0);
    CHECK(pending(&info) == 0 && write(s[1], "x", 1) == 1);
    CHECK(pending(&info) == SIGIO && info.si_code == SI_KERNEL);
    CHECK(write(s[1], "x", 1) == 1 && pending(&info) == SIGIO); // also if nobody has read
    CHECK(fcntl(s[0], F_SETFL, 0) == 0 && write(s[1], "x", 1) == 1 && pending(&info) == 0);
}

TEST(signal_of_ones_choice_tells_what_and_where) {
    int s[2];
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    make_async(s[0], REAL);
    CHECK(fcntl(s[0], F_GETSIG) == REAL);
    CHECK(send(s[1], "a", 1, 0) == 1 && send(s[1], "b", 1, 0) == 1);
    for (int i = 0; i < 2; i++) {
        CHECK(pending(&info) == REAL && info.si_code == POLL_IN && info.si_fd == s[0]);
        CHECK(info.si_band == (POLLIN | POLLRDNORM));
    }
    CHECK(pending(&info) == 0);
    CHECK_ERRNO(fcntl(s[0], F_SETSIG, 65), EINVAL);
}

TEST(end_of_the_peer_signals) {
    int s[2];
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    make_async(s[0], REAL);
    CHECK(shutdown(s[1], SHUT_WR) == 0 && pending(&info) == REAL && info.si_code == POLL_IN);
    CHECK(close(s[1]) == 0 && pending(&info) == REAL && info.si_code == POLL_HUP);
    CHECK(info.si_band == (POLLHUP | POLLERR));
}

TEST(room_signals_when_somebody_found_none) {
    int s[2];
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0);
    make_async(s[0], REAL);
    CHECK(write(s[0], "x", 1) == 1 && read(s[1], buffer, 1) == 1 && pending(&info) == 0);
    while (write(s[0], buffer, sizeof(buffer)) > 0)
        ;
    CHECK(errno == EAGAIN && pending(&info) == 0);
    while (read(s[1], buffer, sizeof(buffer)) > 0)
        ;
    CHECK(pending(&info) == REAL && info.si_code == POLL_OUT);
    CHECK(info.si_band == (POLLOUT | POLLWRNORM | POLLWRBAND) && pending(&info) == 0);
}

TEST(listener_signals_connections) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    siginfo_t info;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t len = sizeof(a);
    CHECK(bind(l, (void *)&a, 2) == 0 && getsockname(l, (void *)&a, &len) == 0 && listen(l, 1) == 0);
    make_async(l, REAL);
    CHECK(connect(c, (void *)&a, len) == 0 && pending(&info) == REAL && info.si_code == POLL_IN);
}

TEST(tcp_connection_signals) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    siginfo_t info;
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d;
    CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0);
    CHECK(getsockname(l, (void *)&a, &len) == 0);
    make_async(l, REAL);
    make_async(c, REAL);
    CHECK(connect(c, (void *)&a, len) == 0);
    CHECK(awaited(&info) == REAL && awaited(&info) == REAL); // one each
    CHECK((d = accept(l, NULL, NULL)) >= 0);
    CHECK(write(d, "x", 1) == 1 && awaited(&info) == REAL && info.si_fd == c && info.si_code == POLL_IN);
    CHECK(read(c, buffer, 10) == 1);
    while (pending(&info))
        ;
    CHECK(close(d) == 0 && awaited(&info) == REAL && info.si_fd == c && info.si_code == POLL_IN);
}

TEST(udp_socket_signals) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    siginfo_t info;
    int c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind(c, (void *)&a, sizeof(a)) == 0 && getsockname(c, (void *)&a, &len) == 0);
    make_async(c, REAL);
    CHECK(sendto(c, "x", 1, 0, (void *)&a, len) == 1 && awaited(&info) == REAL && info.si_code == POLL_IN);
}

TEST(pipe_signals_both_ends) {
    int p[2];
    siginfo_t info;
    CHECK(pipe(p) == 0);
    make_async(p[0], REAL);
    make_async(p[1], REAL);
    CHECK(write(p[1], "ab", 2) == 2 && pending(&info) == REAL);
    CHECK(info.si_fd == p[0] && info.si_code == POLL_IN && pending(&info) == 0);
    CHECK(write(p[1], "c", 1) == 1 && pending(&info) == REAL && info.si_fd == p[0]);
    CHECK(read(p[0], buffer, 10) == 3 && pending(&info) == REAL);
    CHECK(info.si_fd == p[1] && info.si_code == POLL_OUT && pending(&info) == 0);
    CHECK(close(p[1]) == 0 && pending(&info) == REAL && info.si_fd == p[0] && info.si_code == POLL_IN);
}

TEST(terminal_signals_input) {
    struct termios t;
    siginfo_t info;
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), s, zero = 0;
    if (m < 0)
        return; // no devpts where this runs
    CHECK(ioctl(m, TIOCSPTLCK, &zero) == 0 && (s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY)) >= 0);
    CHECK(tcgetattr(s, &t) == 0);
    t.c_lflag &= ~(ICANON | ECHO);
    CHECK(tcsetattr(s, TCSANOW, &t) == 0);
    make_async(s, REAL);
    while (pending(&info))
        ;
    CHECK(write(m, "x", 1) == 1 && awaited(&info) == REAL && info.si_fd == s && info.si_code == POLL_IN);
}

TEST(ioctl_switches_it_too) {
    int s[2], on = 1, p;
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(ioctl(s[0], FIOASYNC, &on) == 0 && fcntl(s[0], F_GETFL) & O_ASYNC);
    CHECK(write(s[1], "x", 1) == 1 && pending(&info) == 0); // nobody's
    p = getpid();
    CHECK(ioctl(s[0], FIOSETOWN, &p) == 0 && write(s[1], "x", 1) == 1 && pending(&info) == SIGIO);
    on = 0;
    CHECK(ioctl(s[0], FIOASYNC, &on) == 0 && !(fcntl(s[0], F_GETFL) & O_ASYNC));
    CHECK(write(s[1], "x", 1) == 1 && pending(&info) == 0);
}

TEST(files_that_cannot_signal_say_so) {
    int on = 1, fd = open("/dev/null", O_RDWR);
    CHECK_ERRNO(ioctl(fd, FIOASYNC, &on), ENOTTY);
    CHECK(fcntl(fd, F_SETFL, O_ASYNC) == 0 && !(fcntl(fd, F_GETFL) & O_ASYNC));
}

TEST(owner_may_be_a_thread_a_process_or_a_group) {
    int s[2];
    struct f_owner_ex ex = {F_OWNER_TID, gettid()}, got;
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(fcntl(s[0], F_GETOWN) == 0 && fcntl(s[0], F_SETOWN_EX, &ex) == 0);
    CHECK(fcntl(s[0], F_GETOWN_EX, &got) == 0 && got.type == F_OWNER_TID && got.pid == gettid());
    CHECK(fcntl(s[0], F_SETFL, O_ASYNC) == 0 && write(s[1], "x", 1) == 1 && pending(&info) == SIGIO);
    CHECK(setpgid(0, 0) == 0);
    ex = (struct f_owner_ex){F_OWNER_PGRP, getpid()};
    CHECK(fcntl(s[0], F_SETOWN_EX, &ex) == 0 && fcntl(s[0], F_GETOWN) == -getpid());
    CHECK(write(s[1], "x", 1) == 1 && pending(&info) == SIGIO);
    ex.type = 7;
    CHECK_ERRNO(fcntl(s[0], F_SETOWN_EX, &ex), EINVAL);
    ex = (struct f_owner_ex){F_OWNER_PID, 32000};
    CHECK_ERRNO(fcntl(s[0], F_SETOWN_EX, &ex), ESRCH);
    CHECK(fcntl(s[0], F_SETOWN, 0) == 0 && write(s[1], "x", 1) == 1 && pending(&info) == 0);
}

TEST(owner_that_has_ended_is_nobody) {
    int s[2];
    pid_t child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && fcntl(s[0], F_SETOWN, child) == 0);
    CHECK(fcntl(s[0], F_GETOWN) == child && kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(fcntl(s[0], F_GETOWN) == 0 && fcntl(s[0], F_SETFL, O_ASYNC) == 0 && write(s[1], "x", 1) == 1);
}

// Only whom one may signal: the owner is the parent, who is root's, and the namer is not.
static int name_parent(void *arg) {
    int fd = *(int *)arg;
    CHECK(setuid(1000) == 0);
    return fcntl(fd, F_SETOWN, getppid()) == 0 ? 0 : 1;
}

TEST(owner_named_by_somebody_without_the_right_hears_nothing) {
    int s[2];
    siginfo_t info;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && fcntl(s[0], F_SETFL, O_ASYNC) == 0);
    CHECK(test_wait_exit(test_fork(name_parent, &s[0])) == 0 && write(s[1], "x", 1) == 1);
    CHECK(pending(&info) == 0);
}

static void *write_much(void *arg) {
    memset(buffer, 'x', sizeof(buffer));
    for (int i = 0; i < 8; i++)
        CHECK(write(*(int *)arg, buffer, sizeof(buffer)) == sizeof(buffer));
    return NULL;
}

// The writer sleeps in the middle of its call, and the signal comes all the same.
TEST(signal_comes_while_the_writer_sleeps) {
    int p[2];
    pthread_t t;
    siginfo_t info;
    static char sink[1 << 14];
    CHECK(pipe2(p, O_NONBLOCK) == 0 && fcntl(p[1], F_SETFL, 0) == 0);
    make_async(p[0], 0);
    CHECK(pthread_create(&t, NULL, write_much, &p[1]) == 0);
    for (size_t done = 0; done < 8 * sizeof(buffer);) {
        CHECK(awaited(&info) == SIGIO);
        for (ssize_t n; (n = read(p[0], sink, sizeof(sink))) > 0;)
            done += n;
    }
    CHECK(pthread_join(t, NULL) == 0);
}
