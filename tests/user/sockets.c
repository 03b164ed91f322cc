// SPDX-License-Identifier: MIT
// Sockets of family AF_UNIX; what goes along with messages is messages.c's. The same program passes on Linux (make
// test-sockets-linux).
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

TEST(pair_carries_bytes_both_ways) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "hello", 5) == 5 && write(p[0], " you", 4) == 4);
    CHECK(read(p[1], buffer, 100) == 9 && !memcmp(buffer, "hello you", 9));
    CHECK(write(p[1], "x", 1) == 1 && read(p[0], buffer, 100) == 1);
}

TEST(stream_keeps_order_across_many_sizes) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    test_keeps_order(p[0], p[1]);
}

TEST(stream_says_EAGAIN_when_empty_or_full) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0);
    CHECK_ERRNO(read(p[0], buffer, 1), EAGAIN);
    CHECK(test_poll(p[0], POLLIN | POLLOUT) == POLLOUT);
    while (write(p[0], buffer, 4096) > 0)
        ;
    CHECK(errno == EAGAIN && test_poll(p[0], POLLIN | POLLOUT) == 0);
    CHECK(test_poll(p[1], POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    while (read(p[1], buffer, sizeof(buffer)) > 0)
        ;
    CHECK(errno == EAGAIN && test_poll(p[0], POLLIN | POLLOUT) == POLLOUT);
}

TEST(end_of_the_peer_is_eof_and_EPIPE) {
    signal(SIGPIPE, SIG_IGN);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "ab", 2) == 2 && close(p[0]) == 0);
    CHECK(test_poll(p[1], POLLIN | POLLOUT | POLLRDHUP) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    CHECK(read(p[1], buffer, 10) == 2 && read(p[1], buffer, 10) == 0);
    CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
}

TEST(unread_data_at_close_is_ECONNRESET) {
    int error;
    socklen_t len = sizeof(error);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "ab", 2) == 2 && close(p[1]) == 0);
    CHECK(test_poll(p[0], POLLIN) == (POLLIN | POLLERR | POLLHUP));
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

// ---- names

TEST(bind_makes_a_node_with_the_umask_and_the_sockets_mode) {
    struct stat st;
    umask(027);
    bound(SOCK_STREAM, "a");
    CHECK(stat("a", &st) == 0 && st.st_mode == (S_IFSOCK | 0750));
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t len;
    struct sockaddr_un a = name_of("b", &len);
    CHECK(fstat(s, &st) == 0 && st.st_mode == (S_IFSOCK | 0777));
    CHECK(fchmod(s, 0640) == 0 && bind(s, (void *)&a, len) == 0);
    CHECK(stat("b", &st) == 0 && st.st_mode == (S_IFSOCK | 0640));
    unlink("a"), unlink("b");
}

TEST(bind_says_what_is_wrong) {
    socklen_t len;
    struct sockaddr_un a = name_of("x", &len), longest = {.sun_family = AF_UNIX};
    int s = bound(SOCK_STREAM, "x"), t = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(bind(t, (void *)&a, len), EADDRINUSE);
    CHECK_ERRNO(bind(s, (void *)&a, len), EADDRINUSE);
    a = name_of("y", &len);
    CHECK_ERRNO(bind(s, (void *)&a, len), EINVAL);
    CHECK(access("y", F_OK) == -1);
    CHECK_ERRNO(bind(t, (void *)&a, sizeof(a) + 1), EINVAL);
    CHECK_ERRNO(bind(t, (void *)&a, 200), EINVAL);
    CHECK_ERRNO(bind(t, (void *)&a, 1), EINVAL);
    CHECK_ERRNO(bind(t, NULL, 5), EFAULT);
    a.sun_family = AF_INET;
    CHECK_ERRNO(bind(t, (void *)&a, len), EINVAL);
    a = name_of("no/such", &len);
    CHECK_ERRNO(bind(t, (void *)&a, len), ENOENT);
    a = name_of("z/", &len);
    CHECK_ERRNO(bind(t, (void *)&a, len), ENOENT);
    a = name_of(".", &len);
    CHECK_ERRNO(bind(t, (void *)&a, len), EADDRINUSE);
    memset(longest.sun_path, 'q', sizeof(longest.sun_path));
    CHECK(bind(t, (void *)&longest, sizeof(longest)) == 0);
    char room[200];
    len = sizeof(room);
    CHECK(getsockname(t, (void *)room, &len) == 0 && len == 2 + 108 + 1);
    memcpy(room, longest.sun_path, 108);
    room[108] = 0;
    CHECK(unlink(room) == 0 && unlink("x") == 0);
}

TEST(permission_of_the_path_decides) {
    int l = bound(SOCK_STREAM, "guarded");
    CHECK(listen(l, 1) == 0 && chmod("guarded", 0555) == 0);
    pid_t pid = fork();
    if (!pid) {
        int c = socket(AF_UNIX, SOCK_STREAM, 0);
        socklen_t len;
        struct sockaddr_un a = name_of("mine", &len);
        CHECK(setuid(1000) == 0);
        CHECK_ERRNO(connect_to(c, "guarded"), EACCES);
        CHECK(mkdir("sub", 0555) == 0);
        a = name_of("sub/mine", &len);
        CHECK_ERRNO(bind(c, (void *)&a, len), EACCES);
        rmdir("sub");
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    int c = socket(AF_UNIX, SOCK_DGRAM, 0), plain = test_make("plain", "");
    CHECK_ERRNO(connect_to(c, "guarded"), EPROTOTYPE);
    CHECK_ERRNO(connect_to(c, "plain"), ECONNREFUSED);
    close(plain), unlink("plain"), unlink("guarded");
}

TEST(abstract_names_are_by_length_and_type) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0),
        d = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0abs"}, b;
    CHECK(bind(s, (void *)&a, 6) == 0 && listen(s, 1) == 0);
    CHECK_ERRNO(bind(t, (void *)&a, 6), EADDRINUSE);
    CHECK(bind(d, (void *)&a, 6) == 0 && bind(t, (void *)&a, 7) == 0);
    socklen_t len = sizeof(b);
    CHECK(getsockname(t, (void *)&b, &len) == 0 && len == 7 && !memcmp(b.sun_path, "\0abs", 5));
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect(c, (void *)&a, 8), ECONNREFUSED);
    CHECK(connect(c, (void *)&a, 6) == 0 && close(s) == 0);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(s, (void *)&a, 6) == 0);
}

TEST(autobind_picks_a_name) {
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX}, b;
    CHECK(bind(s, (void *)&a, 2) == 0);
    socklen_t len = sizeof(a);
    CHECK(getsockname(s, (void *)&a, &len) == 0 && len == 8 && !a.sun_path[0] &&
          strspn(a.sun_path + 1, "0123456789abcdef") >= 5);
    CHECK(bind(s, (void *)&a, 2) == 0); // it stays
    CHECK(bind(d, (void *)&a, 2) == 0 && sendto(d, "m", 1, 0, (void *)&a, 8) == 1);
    len = sizeof(b);
    CHECK(recvfrom(s, buffer, 9, 0, (void *)&b, &len) == 1 && len == 8 && memcmp(&a, &b, 8));
}

// ---- connections

TEST(calls_on_the_wrong_kind_of_socket) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0),
        q = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    struct sockaddr_un a;
    socklen_t len = sizeof(a);
    CHECK_ERRNO(listen(s, 1), EINVAL);
    CHECK_ERRNO(listen(d, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(s, NULL, NULL), EINVAL);
    CHECK_ERRNO(accept(d, NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(getpeername(s, (void *)&a, &len), ENOTCONN);
    CHECK(getsockname(s, (void *)&a, &len) == 0 && len == 2);
    CHECK_ERRNO(recv(s, buffer, 1, 0), EINVAL);
    CHECK_ERRNO(send(s, "x", 1, 0), ENOTCONN);
    CHECK_ERRNO(send(d, "x", 1, 0), ENOTCONN);
    CHECK_ERRNO(send(q, "x", 1, 0), ENOTCONN);
    CHECK_ERRNO(recv(q, buffer, 1, 0), ENOTCONN);
    CHECK_ERRNO(shutdown(s, 3), EINVAL);
    CHECK(shutdown(s, SHUT_RDWR) == 0);
    CHECK(test_poll(d, POLLIN | POLLOUT) == POLLOUT);
    CHECK(test_poll(q, POLLIN | POLLOUT) == (POLLOUT | POLLHUP));
    CHECK_ERRNO(lseek(s, 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(send(0x7fff, "x", 1, 0), EBADF);
    CHECK(pipe(p) == 0);
    CHECK_ERRNO(send(p[1], "x", 1, 0), ENOTSOCK);
    CHECK_ERRNO(socket(AF_UNIX, 77, 0), EINVAL);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(45, SOCK_STREAM, 0), EAFNOSUPPORT);
}

TEST(backlog_fills_up_and_accept_makes_room) {
    int l = bound(SOCK_STREAM, "many"), c[4];
    CHECK(listen(l, 1) == 0);
    for (int i = 0; i < 3; i++)
        c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect_to(c[0], "many") == 0 && connect_to(c[1], "many") == 0);
    CHECK_ERRNO(connect_to(c[2], "many"), EAGAIN);
    pid_t pid = fork();
    if (!pid) {
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(connect_to(s, "many") || read(s, buffer, 1) != 0); // waits until there is room
    }
    for (int i = 0; i < 3; i++) {
        int s = accept(l, NULL, NULL);
        CHECK(s >= 0 && close(s) == 0);
    }
    CHECK(test_wait_exit(pid) == 0 && unlink("many") == 0);
}

TEST(a_listener_that_ends_resets_who_waits) {
    int l = bound(SOCK_STREAM, "going"), c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(listen(l, 4) == 0 && connect_to(c, "going") == 0 && write(c, "abc", 3) == 3 && close(l) == 0);
    CHECK(test_poll(c, POLLIN) == (POLLIN | POLLERR | POLLHUP));
    CHECK_ERRNO(read(c, buffer, 1), ECONNRESET);
    CHECK(read(c, buffer, 1) == 0 && unlink("going") == 0);
}

TEST(accept4_sets_flags_and_listening_is_an_option) {
    int l = bound(SOCK_SEQPACKET, "flags"), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), on = -1;
    socklen_t len = sizeof(on);
    CHECK(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on == 0);
    CHECK(listen(l, 4) == 0 && getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on == 1);
    CHECK(test_poll(l, POLLIN | POLLOUT) == 0 && connect_to(c, "flags") == 0 &&
          test_poll(l, POLLIN) == POLLIN);
    int s = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(s >= 0 && fcntl(s, F_GETFD) == FD_CLOEXEC && fcntl(s, F_GETFL) == (O_RDWR | O_NONBLOCK));
    CHECK_ERRNO(syscall(SYS_accept4, l, NULL, NULL, 7), EINVAL);
    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
    unlink("flags");
}

TEST(halves_are_shut_one_at_a_time) {
    signal(SIGPIPE, SIG_IGN);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "z", 1) == 1 && shutdown(p[0], SHUT_WR) == 0);
    CHECK_ERRNO(write(p[0], "x", 1), EPIPE);
    CHECK(test_poll(p[1], POLLIN | POLLOUT | POLLRDHUP) == (POLLIN | POLLOUT | POLLRDHUP));
    CHECK(test_poll(p[0], POLLIN | POLLOUT | POLLRDHUP) == POLLOUT);
    CHECK(read(p[1], buffer, 9) == 1 && read(p[1], buffer, 9) == 0);
    CHECK(write(p[1], "back", 4) == 4 && read(p[0], buffer, 9) == 4);
    CHECK(shutdown(p[0], SHUT_RD) == 0 &&
          test_poll(p[0], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP | POLLHUP));
    CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
}

TEST(broken_stream_raises_SIGPIPE_unless_told_not_to) {
    int status;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && close(p[0]) == 0);
    CHECK_ERRNO(send(p[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    pid_t pid = fork();
    if (!pid) {
        send(p[1], "x", 1, 0);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0 && close(p[0]) == 0);
    CHECK_ERRNO(send(p[1], "x", 1, 0), EPIPE); // only streams do
}

// ---- datagrams

TEST(datagram_peers) {
    int a = bound(SOCK_DGRAM, "A"), b = bound(SOCK_DGRAM, "B"), c = bound(SOCK_DGRAM, "C");
    CHECK(connect_to(a, "B") == 0 && send(a, "1", 1, 0) == 1);
    CHECK(connect_to(b, "C") == 0);
    CHECK_ERRNO(send(a, "2", 1, 0), EPERM);
    CHECK_ERRNO(connect_to(a, "B"), EPERM);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(connect(b, &none, sizeof(none)) == 0 && send(a, "3", 1, 0) == 1);
    close(b);
    CHECK_ERRNO(send(a, "4", 1, 0), ECONNREFUSED);
    CHECK_ERRNO(send(a, "5", 1, 0), ENOTCONN);
    CHECK_ERRNO(connect_to(a, "B"), ECONNREFUSED);
    close(c), unlink("A"), unlink("B"), unlink("C");
}

TEST(a_full_datagram_queue_holds_up_who_is_not_its_partner) {
    int a = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), b = bound(SOCK_DGRAM, "Q"), n = 0;
    CHECK(connect_to(a, "Q") == 0);
    while (send(a, "x", 1, 0) == 1)
        n++;
    CHECK(errno == EAGAIN && n == 11 && test_poll(a, POLLOUT) == 0);
    CHECK(recv(b, buffer, 1, 0) == 1 && test_poll(a, POLLOUT) == POLLOUT && send(a, "x", 1, 0) == 1);
    CHECK_ERRNO(send(a, "x", 1, 0), EAGAIN);
    int ep = epoll_create1(0);
    struct epoll_event e = {EPOLLOUT | EPOLLET, {0}};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, a, &e) == 0 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(recv(b, buffer, 1, 0) == 1 && epoll_wait(ep, &e, 1, 1000) == 1 && e.events == EPOLLOUT);
    CHECK(send(a, "x", 1, 0) == 1 && close(b) == 0 && epoll_wait(ep, &e, 1, 1000) == 1);
    unlink("Q");
}

TEST(datagrams_that_are_too_long) {
    int size = 5000;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
    CHECK_ERRNO(send(p[0], buffer, 212992 - 31, 0), EMSGSIZE);
    CHECK(send(p[0], buffer, 212992 - 32, MSG_DONTWAIT) == 212992 - 32);
    CHECK(recv(p[1], buffer, sizeof(buffer), 0) == 212992 - 32);
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
    CHECK_ERRNO(send(p[0], buffer, 9969, 0), EMSGSIZE);
    CHECK(send(p[0], buffer, 9968, 0) == 9968);
}

TEST(seqpacket_ends_with_0) {
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0);
    CHECK(send(p[0], "abc", 3, MSG_EOR) == 3 && send(p[0], "de", 2, 0) == 2);
    struct iovec iov = {buffer, 2};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    CHECK(recvmsg(p[1], &m, 0) == 2 && m.msg_flags == MSG_TRUNC);
    CHECK(recvmsg(p[1], &m, 0) == 2 && m.msg_flags == 0);
    close(p[0]);
    CHECK(recv(p[1], buffer, 9, 0) == 0 && recv(p[1], buffer, 9, MSG_DONTWAIT) == 0);
}

// ---- flags of recv

TEST(peek_leaves_it_and_peek_off_goes_on) {
    int off = 1;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(write(p[0], "abc", 3) == 3 && write(p[0], "def", 3) == 3);
    CHECK(recv(p[1], buffer, 9, MSG_PEEK) == 6 && !memcmp(buffer, "abcdef", 6));
    CHECK(setsockopt(p[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) == 0);
    CHECK(recv(p[1], buffer, 3, MSG_PEEK) == 3 && !memcmp(buffer, "bcd", 3));
    CHECK(recv(p[1], buffer, 3, MSG_PEEK) == 2 && !memcmp(buffer, "ef", 2));
    CHECK_ERRNO(recv(p[1], buffer, 3, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
    CHECK(recv(p[1], buffer, 2, 0) == 2 && !memcmp(buffer, "ab", 2));
    socklen_t len = sizeof(off);
    CHECK(getsockopt(p[1], SOL_SOCKET, SO_PEEK_OFF, &off, &len) == 0 && off == 4);
    off = -1;
    CHECK(setsockopt(p[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) == 0);
    CHECK(recv(p[1], buffer, 9, MSG_PEEK) == 4 && recv(p[1], buffer, 9, 0) == 4);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0 && send(p[0], "abcdef", 6, 0) == 6);
    CHECK(recv(p[1], buffer, 3, MSG_PEEK | MSG_TRUNC) == 6 && recv(p[1], buffer, 9, 0) == 6);
}

static int write_in_two(void *arg) {
    (void)arg;
    CHECK(write(p[0], "abc", 3) == 3);
    while (test_poll(p[0], POLLOUT) == 0)
        ;
    int n;
    do
        CHECK(ioctl(p[0], TIOCOUTQ, &n) == 0);
    while (n); // until the first part has been read
    CHECK(write(p[0], "def", 3) == 3);
    return 0;
}

TEST(waitall_waits_for_all) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    pid_t pid = test_fork(write_in_two, NULL);
    CHECK(recv(p[1], buffer, 6, MSG_WAITALL) == 6 && !memcmp(buffer, "abcdef", 6) &&
          test_wait_exit(pid) == 0);
    int low = 5;
    CHECK(setsockopt(p[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)) == 0);
    pid = test_fork(write_in_two, NULL);
    CHECK(recv(p[1], buffer, 100, 0) == 6 && test_wait_exit(pid) == 0);
}

TEST(several_messages_in_one_call) {
    struct iovec iov[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
    struct mmsghdr m[4];
    struct timespec t = {5, 0};
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
    for (int i = 0; i < 3; i++)
        m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
    CHECK(sendmmsg(p[0], m, 3, 0) == 3 && m[0].msg_len == 1 && m[2].msg_len == 3);
    struct iovec in[4];
    for (int i = 0; i < 4; i++) {
        in[i] = (struct iovec){buffer + 10 * i, 10};
        m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &in[i], .msg_iovlen = 1}};
    }
    CHECK(recvmmsg(p[1], m, 4, MSG_WAITFORONE, &t) == 3 && m[1].msg_len == 2 &&
          !memcmp(buffer + 20, "def", 3));
    CHECK(t.tv_sec == 4);
    CHECK_ERRNO(recvmmsg(p[1], m, 4, MSG_DONTWAIT, NULL), EAGAIN);
}

TEST(timeouts) {
    struct timeval tv = {0, 20000}, got;
    socklen_t len = sizeof(got);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
    CHECK(getsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len) == 0 && got.tv_usec == 20000 &&
          got.tv_sec == 0);
    CHECK_ERRNO(read(p[0], buffer, 1), EAGAIN);
    while (write(p[0], buffer, 65536) > 0)
        ;
    CHECK(errno == EAGAIN);
    tv.tv_usec = 1000000;
    CHECK_ERRNO(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
}

// ---- options

static int get_int(int s, int option) {
    int v = -77;
    socklen_t len = sizeof(v);
    CHECK(getsockopt(s, SOL_SOCKET, option, &v, &len) == 0 && len == sizeof(v));
    return v;
}

TEST(options_have_linuxs_values) {
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), v = 0;
    CHECK(get_int(s, SO_TYPE) == SOCK_DGRAM && get_int(s, SO_DOMAIN) == AF_UNIX &&
          get_int(s, SO_PROTOCOL) == 0);
    CHECK(get_int(s, SO_SNDBUF) == 212992 && get_int(s, SO_RCVBUF) == 212992);
    CHECK(get_int(s, SO_ERROR) == 0 && get_int(s, SO_RCVLOWAT) == 1 && get_int(s, SO_SNDLOWAT) == 1);
    CHECK(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)) == 0 && get_int(s, SO_SNDBUF) == 4608);
    CHECK(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)) == 0 && get_int(s, SO_RCVBUF) == 2304);
    v = 1 << 30;
    CHECK(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)) == 0 && get_int(s, SO_SNDBUF) == 425984);
    CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)) == 0 && get_int(s, SO_REUSEADDR) == 1);
    v = 3;
    CHECK(setsockopt(s, SOL_SOCKET, SO_PRIORITY, &v, sizeof(v)) == 0 && get_int(s, SO_PRIORITY) == 3);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_TYPE, &v, sizeof(v)), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, 9999, &v, sizeof(v)), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, 2), EINVAL);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (void *)1, 4), EFAULT);
    CHECK_ERRNO(setsockopt(s, 6, 1, &v, sizeof(v)), EOPNOTSUPP);
    socklen_t len = 1;
    char byte = 'x';
    CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, &byte, &len) == 0 && len == 1 && byte == SOCK_DGRAM);
}

TEST(buffers_fill_up_where_linuxs_do) {
    static const struct {
        int size;
        int charge;
    } sizes[] = {{1, 768},     {192, 768},   {193, 1280},          {1000, 2304},
                 {3776, 4352}, {4096, 4864}, {16384, 16640 + 512}, {65536, 67072}};
    int n, big = 400000;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0);
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big)) == 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CHECK(write(p[0], buffer, sizes[i].size) == sizes[i].size && ioctl(p[0], TIOCOUTQ, &n) == 0 &&
              n == sizes[i].charge);
        CHECK(ioctl(p[1], FIONREAD, &n) == 0 && n == sizes[i].size);
        while (read(p[1], buffer, sizeof(buffer)) > 0)
            ;
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0);
    for (n = 0; write(p[0], "x", 1) == 1; n++)
        ;
    CHECK(n == 278);
    for (n = 0; !test_poll(p[0], POLLOUT); n++)
        CHECK(read(p[1], buffer, 1) == 1);
    CHECK(n == 209);
}

// ---- epoll

TEST(edges_come_as_on_linux) {
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {0}};
    int ep = epoll_create1(0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0 &&
          epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
    CHECK(epoll_wait(ep, &e, 1, 0) == 1 && e.events == EPOLLOUT && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(write(p[1], "ab", 2) == 2 && epoll_wait(ep, &e, 1, 0) == 1 && e.events == (EPOLLIN | EPOLLOUT));
    CHECK(epoll_wait(ep, &e, 1, 0) == 0 && read(p[0], buffer, 1) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(write(p[1], "c", 1) == 1 && epoll_wait(ep, &e, 1, 0) == 1);
    CHECK(write(p[0], "d", 1) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(read(p[1], buffer, 1) == 1 && epoll_wait(ep, &e, 1, 0) == 1); // room again
    CHECK(shutdown(p[1], SHUT_WR) == 0 && epoll_wait(ep, &e, 1, 0) == 1 &&
          e.events == (EPOLLIN | EPOLLOUT | EPOLLRDHUP));
    CHECK(close(p[1]) == 0 && epoll_wait(ep, &e, 1, 0) == 1);
    CHECK(e.events == (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP) && epoll_wait(ep, &e, 1, 0) == 0);
}

// ---- names in /proc, signals

TEST(proc_shows_a_socket_by_its_number) {
    char link[64], text[64] = "", want[64];
    struct stat st;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && fstat(p[0], &st) == 0);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", p[0]);
    snprintf(want, sizeof(want), "socket:[%lu]", (unsigned long)st.st_ino);
    CHECK(readlink(link, text, sizeof(text) - 1) > 0 && !strcmp(text, want));
    CHECK_ERRNO(open(link, O_RDWR), ENXIO);
}

static void do_nothing(int sig) {
    (void)sig;
}

TEST(a_signal_ends_the_wait_and_EINTR_says_so) {
    struct timeval tv = {30, 0};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    struct sigaction sa = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    pid_t me = getpid(), pid = fork();
    if (!pid) {
        char state[256] = "", path[64];
        snprintf(path, sizeof(path), "/proc/%d/stat", me);
        do { // until it sleeps
            int fd = open(path, O_RDONLY);
            (void)!read(fd, state, sizeof(state) - 1);
            close(fd);
        } while (!strstr(state, ") S "));
        kill(me, SIGUSR1);
        _exit(0);
    }
    CHECK_ERRNO(read(p[0], buffer, 1), EINTR); // with a time-out nothing is restarted
    CHECK(test_wait_exit(pid) == 0);
}

TEST(proc_net_unix_lists_sockets_and_their_names) {
    bound(SOCK_STREAM, "listed"), bound(SOCK_DGRAM, "\0hidden");
    FILE *f = fopen("/proc/net/unix", "r");
    bool path = false, abstract = false, head = false;
    CHECK(f);
    for (char line[300]; fgets(line, sizeof(line), f);) {
        head |= !strcmp(line, "Num       RefCount Protocol Flags    Type St Inode Path\n");
        path |= strstr(line, " 00000000 00000000 0001 01 ") && strstr(line, " listed\n");
        abstract |= strstr(line, " 00000000 00000000 0002 01 ") && strstr(line, " @hidden\n");
    }
    CHECK(head && path && abstract && unlink("listed") == 0);
}
