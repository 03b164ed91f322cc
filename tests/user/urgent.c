// SPDX-License-Identifier: MIT
// Urgent data of streams between UNIX sockets (MSG_OOB). The same program passes on Linux.
#include "races.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static char got[100];
static int from, to;

static void connect_two(void) {
    int end[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, end) == 0);
    from = end[0];
    to = end[1];
}

static void says(const char *text, int flags) {
    CHECK(send(from, text, strlen(text), flags) == (ssize_t)strlen(text));
}

static bool hears(const char *text, int flags) {
    ssize_t n = recv(to, got, sizeof(got) - 1, flags | MSG_DONTWAIT);
    return n == (ssize_t)strlen(text) && !memcmp(got, text, n);
}

static int asks(unsigned long request) {
    int n = -1;
    CHECK(ioctl(to, request, &n) == 0);
    return n;
}

TEST(last_byte_is_read_apart) {
    connect_two();
    says("hello", MSG_OOB);
    says("there", 0);
    CHECK(asks(SIOCATMARK) == 0 && asks(FIONREAD) == 10);
    CHECK(hears("o", MSG_OOB | MSG_PEEK) && hears("o", MSG_OOB));
    CHECK_ERRNO(recv(to, got, 1, MSG_OOB), EINVAL);
    CHECK(asks(FIONREAD) == 9 && hears("hell", MSG_WAITALL) && asks(SIOCATMARK) == 1);
    CHECK(hears("there", 0) && asks(SIOCATMARK) == 0);
}

TEST(read_ends_before_the_byte_and_drops_it) {
    connect_two();
    says("abc", MSG_OOB);
    says("def", 0);
    CHECK(hears("ab", MSG_PEEK) && hears("ab", 0) && asks(SIOCATMARK) == 1);
    CHECK(hears("def", MSG_PEEK) && hears("def", 0));
    CHECK_ERRNO(recv(to, got, 1, MSG_OOB), EINVAL);
    says("g", MSG_OOB);
    CHECK_ERRNO(recv(to, got, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(asks(FIONREAD) == 0);
}

TEST(byte_is_in_line) {
    int on = 1;
    connect_two();
    CHECK(setsockopt(to, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0);
    says("abc", MSG_OOB);
    says("def", 0);
    CHECK_ERRNO(recv(to, got, 1, MSG_OOB), EINVAL);
    CHECK(hears("ab", 0) && asks(SIOCATMARK) == 1 && hears("cdef", 0));
}

TEST(next_one_makes_a_byte_ordinary) {
    connect_two();
    says("ab", MSG_OOB);
    says("cd", MSG_OOB);
    CHECK(hears("abc", 0) && hears("d", MSG_OOB));
    says("e", MSG_OOB);
    CHECK(hears("e", MSG_OOB)); // two marks, and nothing behind
    CHECK_ERRNO(recv(to, got, 1, MSG_DONTWAIT), EAGAIN);
    says("f", 0);
    CHECK(hears("f", 0));
}

static volatile sig_atomic_t told;

static void hear(int sig) {
    told = sig;
}

TEST(pollers_and_owner_are_told) {
    struct epoll_event e = {.events = EPOLLPRI | EPOLLET};
    connect_two();
    signal(SIGURG, hear);
    int ep = epoll_create1(0);
    CHECK(fcntl(to, F_SETOWN, getpid()) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, to, &e) == 0);
    says("a", 0);
    CHECK(epoll_wait(ep, &e, 1, 0) == 0 && !told);
    says("b", MSG_OOB);
    CHECK(told == SIGURG && epoll_wait(ep, &e, 1, 0) == 1 && e.events == EPOLLPRI);
    CHECK(test_poll(to, POLLIN | POLLPRI) == (POLLIN | POLLPRI) && hears("b", MSG_OOB));
    CHECK(test_poll(to, POLLIN | POLLPRI) == POLLIN);
}

TEST(descriptors_go_along) {
    connect_two();
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {"x", 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    *CMSG_FIRSTHDR(&m) = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &to, sizeof(to)); // of the receiver itself: the collector's
    CHECK(sendmsg(from, &m, MSG_OOB) == 1 && close(to) == 0 && close(from) == 0);
    connect_two();
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &from, sizeof(from));
    CHECK(sendmsg(from, &m, MSG_OOB) == 1 && hears("x", MSG_OOB));
    says("y", 0);
    CHECK(hears("y", 0));
}

TEST(what_cannot_be) {
    int d[2];
    connect_two();
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(recv(to, got, 1, MSG_OOB), EINVAL);
    CHECK_ERRNO(send(from, "", 0, MSG_OOB), EOPNOTSUPP);
    says("a", MSG_OOB);
    CHECK_ERRNO(recv(to, NULL, 1, MSG_OOB), EFAULT);
    CHECK(shutdown(to, SHUT_RD) == 0);
    CHECK_ERRNO(send(from, "a", 1, MSG_OOB), EPIPE);
    CHECK(close(to) == 0);
    CHECK_ERRNO(send(from, "a", 1, MSG_OOB), EPIPE);
    for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
        CHECK(socketpair(AF_UNIX, type, 0, d) == 0);
        CHECK_ERRNO(send(d[0], "a", 1, MSG_OOB), EOPNOTSUPP);
        CHECK_ERRNO(recv(d[1], got, 1, MSG_OOB), EOPNOTSUPP);
    }
}

TEST(room_is_waited_for) {
    int size = 4096, sent = 0;
    connect_two();
    CHECK(setsockopt(from, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
    while (send(from, "abc", 3, MSG_OOB | MSG_DONTWAIT) > 0)
        sent++;
    CHECK(errno == EAGAIN && sent > 0);
    while (recv(to, got, sizeof(got), MSG_DONTWAIT) > 0)
        ;
    says("abc", MSG_OOB | MSG_DONTWAIT);
    CHECK(hears("ab", 0) && hears("c", MSG_OOB));
}

// ---- one who sends, those who read apart, in line and mark by mark, and one who changes how

static void send_one(void) {
    CHECK(send(from, "abcd", 4, MSG_OOB) == 4 && send(from, "e", 1, 0) == 1);
}

static void read_apart(void) {
    char c;
    ssize_t n = recv(to, &c, 1, MSG_OOB | MSG_DONTWAIT);
    CHECK(n == 1 ? c == 'd' : errno == EINVAL);
}

static void read_along(void) {
    char text[16];
    ssize_t n = recv(to, text, sizeof(text), MSG_DONTWAIT);
    CHECK(n > 0 || errno == EAGAIN);
    n = recv(to, text, sizeof(text), MSG_DONTWAIT | MSG_PEEK);
    CHECK(n > 0 || errno == EAGAIN);
}

static void change_line(void) {
    int on = rand() % 2;
    CHECK(setsockopt(to, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0 && asks(SIOCATMARK) >= 0);
}

static void end_both(void) {
    close(from);
    close(to);
}

TEST(readers_of_all_kinds_at_once) {
    run_race(&(struct race){connect_two, {send_one, read_apart, read_along, change_line}, end_both});
}
