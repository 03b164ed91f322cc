// SPDX-License-Identifier: MIT
// Sockets of family AF_UNIX. The same program passes on Linux (make test-sockets-linux).
#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

TEST_DIRECTORY(0777)

static int p[2];
static char buffer[1 << 18];

static short poll_now(int fd, short events) {
    struct pollfd f = {fd, events, 0};
    CHECK(poll(&f, 1, 0) >= 0);
    return f.revents;
}

static struct sockaddr_un name_of(const char *path, socklen_t *len) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = *path ? strlen(path) + 1 : 1 + strlen(path + 1);
    memcpy(a.sun_path, path, n);
    *len = offsetof(struct sockaddr_un, sun_path) + n;
    return a;
}

static int bound(int type, const char *path) {
    socklen_t len;
    struct sockaddr_un a = name_of(path, &len);
    int s = socket(AF_UNIX, type, 0);
    CHECK(s >= 0 && bind(s, (void *)&a, len) == 0);
    return s;
}

static int connect_to(int s, const char *path) {
    socklen_t len;
    struct sockaddr_un a = name_of(path, &len);
    return connect(s, (void *)&a, len);
}

TEST(pair_carries_bytes_both_ways) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "hello", 5) == 5 && write(p[0], " you", 4) == 4);
    CHECK(read(p[1], buffer, 100) == 9 && !memcmp(buffer, "hello you", 9));
    CHECK(write(p[1], "x", 1) == 1 && read(p[0], buffer, 100) == 1);
}

TEST(stream_keeps_order_across_many_sizes) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    pid_t pid = fork();
    if (!pid) {
        unsigned char next = 0;
        for (size_t n = 1; n <= 250000; n = n * 3 + 1) {
            for (size_t i = 0; i < n; i++)
                buffer[i] = next++;
            for (size_t done = 0; done < n;)
                done += write(p[1], buffer + done, n - done);
        }
        _exit(0);
    }
    close(p[1]);
    unsigned char expect = 0;
    ssize_t n;
    size_t total = 0;
    while ((n = read(p[0], buffer, 7777)) > 0)
        for (ssize_t i = 0; i < n; i++, total++)
            CHECK((unsigned char)buffer[i] == expect++);
    CHECK(n == 0 && total == 88573 + 29524 + 9841 + 3280 + 1093 + 364 + 121 + 40 + 13 + 4 + 1);
    CHECK(test_wait_exit(pid) == 0);
}

TEST(stream_says_EAGAIN_when_empty_or_full) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0);
    CHECK_ERRNO(read(p[0], buffer, 1), EAGAIN);
    CHECK(poll_now(p[0], POLLIN | POLLOUT) == POLLOUT);
    while (write(p[0], buffer, 4096) > 0)
        ;
    CHECK(errno == EAGAIN && poll_now(p[0], POLLIN | POLLOUT) == 0);
    CHECK(poll_now(p[1], POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    while (read(p[1], buffer, sizeof(buffer)) > 0)
        ;
    CHECK(errno == EAGAIN && poll_now(p[0], POLLIN | POLLOUT) == POLLOUT);
}

TEST(end_of_the_peer_is_eof_and_EPIPE) {
    signal(SIGPIPE, SIG_IGN);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "ab", 2) == 2 && close(p[0]) == 0);
    CHECK(poll_now(p[1], POLLIN | POLLOUT | POLLRDHUP) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    CHECK(read(p[1], buffer, 10) == 2 && read(p[1], buffer, 10) == 0);
    CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
}

TEST(unread_data_at_close_is_ECONNRESET) {
    int error;
    socklen_t len = sizeof(error);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "ab", 2) == 2 && close(p[1]) == 0);
    CHECK(poll_now(p[0], POLLIN) == (POLLIN | POLLERR | POLLHUP));
    CHECK_ERRNO(read(p[0], buffer, 1), ECONNRESET);
    CHECK(read(p[0], buffer, 1) == 0);
    CHECK(getsockopt(p[0], SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
}

TEST(connection_by_path) {
    int l = bound(SOCK_STREAM, "sock");
    struct stat st;
    CHECK(stat("sock", &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK_ERRNO(open("sock", O_RDWR), ENXIO);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect_to(c, "sock"), ECONNREFUSED);
    CHECK(listen(l, 5) == 0 && connect_to(c, "sock") == 0);
    CHECK_ERRNO(connect_to(c, "sock"), EISCONN);
    struct sockaddr_un a;
    socklen_t len = sizeof(a);
    int s = accept(l, (void *)&a, &len);
    CHECK(s >= 0 && len == 2 && a.sun_family == AF_UNIX);
    len = sizeof(a);
    CHECK(getpeername(c, (void *)&a, &len) == 0 && len == 7 && !strcmp(a.sun_path, "sock"));
    CHECK(write(c, "hi", 2) == 2 && read(s, buffer, 9) == 2 && write(s, "yo", 2) == 2 &&
          read(c, buffer, 9) == 2);
    CHECK(close(l) == 0);
    int d = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect_to(d, "sock"), ECONNREFUSED);
    CHECK(unlink("sock") == 0);
    CHECK_ERRNO(connect_to(d, "sock"), ENOENT);
}

TEST(datagrams_keep_their_bounds) {
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
    CHECK(send(p[0], "abc", 3, 0) == 3 && send(p[0], "", 0, 0) == 0 && send(p[0], "defgh", 5, 0) == 5);
    CHECK(recv(p[1], buffer, 100, 0) == 3 && recv(p[1], buffer, 100, 0) == 0);
    CHECK(recv(p[1], buffer, 2, MSG_TRUNC) == 5 && !memcmp(buffer, "de", 2));
    CHECK_ERRNO(recv(p[1], buffer, 2, MSG_DONTWAIT), EAGAIN);
}

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

TEST(a_ring_of_descriptors_in_flight_is_collected) {
    int a[2], b[2], pipes[2];
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 &&
          socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    CHECK(send_fd(a[0], b[1]) == 1 && send_fd(b[0], a[1]) == 1 && send_fd(a[0], pipes[1]) == 1);
    close(pipes[1]);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
    CHECK(read(pipes[0], buffer, 1) == 0);
}
