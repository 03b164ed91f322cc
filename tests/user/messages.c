// SPDX-License-Identifier: MIT
// What goes along with messages between UNIX sockets: descriptors, credentials, stamps; and descriptors in flight that nobody can
// receive any more. The same program passes on Linux (make test-sockets-linux).
#include "test.h"
#include "unix.h"
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

TEST_DIRECTORY(0777)

static int p[2];
static char buffer[1 << 18];

// ---- descriptors

static int send_fd(int s, int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {"x", 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(s, &m, 0);
}

static int recv_fd(int s, int flags) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fd = -1;
    if (recvmsg(s, &m, flags) != 1)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

TEST(descriptors_travel) {
    int pipes[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && pipe(pipes) == 0);
    CHECK(send_fd(p[0], pipes[1]) == 1 && close(pipes[1]) == 0);
    int fd = recv_fd(p[1], MSG_CMSG_CLOEXEC);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(write(fd, "q", 1) == 1 && read(pipes[0], buffer, 1) == 1);
    close(fd);
    CHECK(read(pipes[0], buffer, 1) == 0);
}

// Linux looks for rings when a UNIX socket has ended, and not yet when a descriptor of one was closed.
static void end_some_sockets(void) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && close(p[0]) == 0 && close(p[1]) == 0);
}

TEST(a_ring_of_descriptors_in_flight_is_collected) {
    int a[2], b[2], pipes[2];
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 &&
          socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    CHECK(send_fd(a[0], b[1]) == 1 && send_fd(b[0], a[1]) == 1 && send_fd(a[0], pipes[1]) == 1);
    close(pipes[1]);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
    end_some_sockets();
    CHECK(read(pipes[0], buffer, 1) == 0);
}

// The connection that nobody accepted holds the listener: what lies in it is the listener's.
TEST(a_listener_in_flight_to_itself_is_collected) {
    int listener = bound(SOCK_STREAM, "listener"), s = socket(AF_UNIX, SOCK_STREAM, 0), pipes[2];
    CHECK(pipe(pipes) == 0 && listen(listener, 1) == 0 && connect_to(s, "listener") == 0);
    CHECK(send_fd(s, listener) == 1 && send_fd(s, pipes[1]) == 1);
    close(pipes[1]), close(listener), close(s);
    end_some_sockets();
    CHECK(read(pipes[0], buffer, 1) == 0);
}

// ---- credentials, limits, what does not fit

static struct ucred creds_of(int s, int *type) {
    char control[256];
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct ucred u = {-1, -1, -1};
    CHECK(recvmsg(s, &m, 0) == 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *type = c ? c->cmsg_type : -1;
    if (c && c->cmsg_type == SCM_CREDENTIALS)
        memcpy(&u, CMSG_DATA(c), sizeof(u));
    return u;
}

static ssize_t send_creds(int s, struct ucred u) {
    char control[CMSG_SPACE(sizeof(u))] = {0};
    struct iovec iov = {"x", 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(u)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
    memcpy(CMSG_DATA(c), &u, sizeof(u));
    return sendmsg(s, &m, 0);
}

TEST(credentials_are_told_and_checked) {
    int on = 1, type;
    struct ucred u;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && write(p[0], "x", 1) == 1);
    CHECK(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
    u = creds_of(p[1], &type);
    CHECK(type == SCM_CREDENTIALS && u.pid == 0 && u.uid == 65534 && u.gid == 65534); // sent before
    CHECK(write(p[0], "x", 1) == 1);
    u = creds_of(p[1], &type);
    CHECK(u.pid == getpid() && u.uid == 0 && u.gid == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(7) == 0 && setuid(5) == 0);
        CHECK_ERRNO(send_creds(p[0], (struct ucred){1, 5, 7}), EPERM);
        CHECK_ERRNO(send_creds(p[0], (struct ucred){getpid(), 0, 7}), EPERM);
        CHECK_ERRNO(send_creds(p[0], (struct ucred){getpid(), 5, 0}), EPERM);
        CHECK(send_creds(p[0], (struct ucred){getpid(), 5, 7}) == 1);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    u = creds_of(p[1], &type);
    CHECK(u.pid == pid && u.uid == 5 && u.gid == 7);
    CHECK(send_creds(p[0], (struct ucred){1, 55, 77}) == 1);
    u = creds_of(p[1], &type);
    CHECK(u.pid == 1 && u.uid == 55 && u.gid == 77);
    CHECK_ERRNO(send_creds(p[0], (struct ucred){0x7fffff, 0, 0}), ESRCH);
    // Bytes of two senders are not joined.
    CHECK(write(p[0], "ab", 2) == 2);
    pid = fork();
    if (!pid)
        _exit(write(p[0], "cd", 2) != 2);
    CHECK(test_wait_exit(pid) == 0 && recv(p[1], buffer, 9, 0) == 2 && recv(p[1], buffer, 9, 0) == 2);
}

static int as_somebody(void *arg) {
    gid_t groups[] = {3, 9};
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)arg;
    CHECK(setgroups(2, groups) == 0 && setgid(8) == 0 && setuid(6) == 0 && connect_to(c, "who") == 0);
    return read(c, buffer, 1) != 0; // until it was looked at
}

TEST(the_other_end_is_known) {
    int l = bound(SOCK_STREAM, "who"), c = socket(AF_UNIX, SOCK_STREAM, 0), pidfd = -1;
    struct ucred u;
    gid_t groups[4];
    socklen_t len = sizeof(u);
    CHECK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && u.pid == 0 && u.uid == (uid_t)-1);
    CHECK_ERRNO(getsockopt(c, SOL_SOCKET, SO_PEERGROUPS, groups, &len), ENODATA);
    CHECK_ERRNO(getsockopt(c, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &len), ENODATA);
    CHECK(listen(l, 1) == 0 && getsockopt(l, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && u.pid == getpid());
    CHECK(chmod("who", 0777) == 0 && chmod(".", 0777) == 0);
    pid_t pid = test_fork(as_somebody, NULL);
    int s = accept(l, NULL, NULL);
    CHECK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && u.pid == pid && u.uid == 6 && u.gid == 8);
    len = sizeof(gid_t);
    CHECK_ERRNO(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &len), ERANGE);
    CHECK(len == 2 * sizeof(gid_t) && getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0);
    CHECK(len == 2 * sizeof(gid_t) && groups[0] == 3 && groups[1] == 9);
    len = sizeof(pidfd);
    CHECK(getsockopt(s, SOL_SOCKET, 77, &pidfd, &len) == 0 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    CHECK(test_poll(pidfd, POLLIN) == 0 && close(s) == 0);
    struct pollfd ended = {pidfd, POLLIN, 0};
    CHECK(poll(&ended, 1, 10000) == 1 && test_wait_exit(pid) == 0);
    close(l), unlink("who");
}

static int send_too_many(void *arg) {
    struct rlimit limit = {40, 40};
    int n = 0;
    (void)arg;
    CHECK(setgid(8) == 0 && setuid(4321) == 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (n < 100 && send_fd(p[0], 1) == 1)
        n++;
    CHECK(errno == ETOOMANYREFS && n == 41);
    CHECK(recv(p[1], buffer, 1, 0) == 1 && send_fd(p[0], 1) == 1);
    return 0;
}

TEST(descriptors_in_flight_are_limited_for_each_user) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(test_wait_exit(test_fork(send_too_many, NULL)) == 0);
}

TEST(sendfile_goes_into_a_socket) {
    int fd = test_make("file", "");
    off_t from = 100;
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = i * 7;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && write(fd, buffer, sizeof(buffer)) == sizeof(buffer));
    CHECK(sendfile(p[0], fd, &from, 50000) == 50000 && from == 50100);
    memset(buffer, 0, 60000);
    CHECK(recv(p[1], buffer, 50000, MSG_WAITALL) == 50000);
    for (unsigned i = 0; i < 50000; i++)
        CHECK(buffer[i] == (char)((i + 100) * 7));
    unlink("file");
}

static int hoard(void *arg) {
    (void)arg;
    CHECK(setgid(8) == 0 && setuid(4322) == 0);
    for (int i = 0; i < 400; i++) { // each would take 200 KiB
        int s[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s))
            break;
        for (int n = 0; n < 20 && send(s[0], buffer, 65536, 0) > 0; n++)
            ;
        // Whatever others hold: a little always goes through.
        CHECK(recv(s[1], buffer, 65536, 0) > 0);
    }
    return 0;
}

TEST(a_user_who_sends_and_never_receives_goes_on_slowly) {
    CHECK(test_wait_exit(test_fork(hoard, NULL)) == 0);
}

TEST(control_data_that_does_not_fit_is_cut) {
    char control[CMSG_SPACE(sizeof(int) * 2)] = {0}, small[CMSG_LEN(sizeof(int))];
    struct iovec iov = {buffer, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = CMSG_LEN(2 * sizeof(int))};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), (int[]){p[0], p[1]}, 2 * sizeof(int));
    CHECK(sendmsg(p[0], &m, 0) == 1);
    m.msg_control = small;
    m.msg_controllen = sizeof(small);
    CHECK(recvmsg(p[1], &m, 0) == 1 && (m.msg_flags & MSG_CTRUNC) &&
          m.msg_controllen == CMSG_LEN(sizeof(int)));
    m.msg_control = control;
    m.msg_controllen = CMSG_LEN(2 * sizeof(int));
    CHECK(sendmsg(p[0], &m, 0) == 1 && read(p[1], buffer, 1) == 1); // read throws them away
    CHECK(sendmsg(p[0], &m, 0) == 1);
    m.msg_control = NULL;
    m.msg_controllen = 0;
    CHECK(recvmsg(p[1], &m, 0) == 1 && m.msg_flags == MSG_CTRUNC);
    c->cmsg_type = 99;
    m.msg_control = control;
    m.msg_controllen = sizeof(control);
    CHECK_ERRNO(sendmsg(p[0], &m, 0), EINVAL);
    c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), (int[]){p[0], 9999}, 2 * sizeof(int));
    CHECK_ERRNO(sendmsg(p[0], &m, 0), EBADF);
}

TEST(descriptors_end_what_one_read_gets) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "ab", 2) == 2 && send_fd(p[0], 1) == 1 && write(p[0], "cd", 2) == 2);
    CHECK(read(p[1], buffer, 9) == 3 && read(p[1], buffer, 9) == 2);
}

TEST(a_socket_that_holds_itself_is_collected) {
    int pipes[2];
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
    CHECK(send_fd(p[0], p[1]) == 1 && send_fd(p[0], pipes[1]) == 1);
    close(pipes[1]), close(p[0]), close(p[1]);
    end_some_sockets();
    CHECK(read(pipes[0], buffer, 1) == 0);
}

TEST(what_can_be_reached_is_not_collected) {
    int a[2], b[2], pipes[2];
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 &&
          socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    CHECK(send_fd(a[0], b[1]) == 1 && send_fd(b[0], pipes[1]) == 1 && close(b[1]) == 0 &&
          close(pipes[1]) == 0 && close(b[0]) == 0);
    for (int i = 0; i < 20; i++) { // the collector is asked
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
        close(p[0]), close(p[1]);
        sched_yield();
    }
    int in = recv_fd(a[1], 0);
    CHECK(in >= 0);
    int end = recv_fd(in, 0);
    CHECK(end >= 0 && write(end, "!", 1) == 1 && read(pipes[0], buffer, 1) == 1);
}

TEST(deep_nesting_ends_without_end) {
    int pipes[2], previous;
    CHECK(pipe(pipes) == 0);
    previous = pipes[1];
    for (int i = 0; i < 300; i++) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && send_fd(p[0], previous) == 1);
        close(previous), close(p[0]);
        previous = p[1];
    }
    close(previous);
    CHECK(read(pipes[0], buffer, 1) == 0);
}

TEST(stamps_on_datagrams) {
    char control[64];
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int on = 1;
    struct timespec ts, now;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0 &&
          setsockopt(p[1], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0);
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(send(p[0], "x", 1, 0) == 1 && recvmsg(p[1], &m, 0) == 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c && c->cmsg_type == SO_TIMESTAMPNS && c->cmsg_len == CMSG_LEN(sizeof(ts)));
    memcpy(&ts, CMSG_DATA(c), sizeof(ts));
    CHECK(ts.tv_sec - now.tv_sec >= 0 && ts.tv_sec - now.tv_sec < 30);
}
