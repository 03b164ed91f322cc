// SPDX-License-Identifier: MIT
// Sockets of families AF_INET and AF_INET6 over loopback. The same program passes on Linux.
#include "inet.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

static char buffer[1 << 18];

static int c, d, l, port; // client, its other end, the listener

static void make_connection(void) {
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(c >= 0 && connect4(c, "127.0.0.1", port) == 0);
    CHECK((d = accept(l, NULL, NULL)) >= 0);
}

TEST(connection_carries_bytes_both_ways) {
    make_connection();
    CHECK(write(c, "hello", 5) == 5);
    CHECK(read(d, buffer, 100) == 5 && !memcmp(buffer, "hello", 5));
    CHECK(write(d, "answer", 6) == 6);
    CHECK(read(c, buffer, 100) == 6 && !memcmp(buffer, "answer", 6));
}

TEST(both_ends_know_each_others_names) {
    struct sockaddr_in a, b;
    socklen_t len = sizeof(a);
    make_connection();
    CHECK(getsockname(c, (void *)&a, &len) == 0 && len == sizeof(a));
    CHECK(getpeername(d, (void *)&b, &len) == 0 && len == sizeof(b));
    CHECK(a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr && a.sin_port);
    CHECK(getpeername(c, (void *)&b, &len) == 0 && b.sin_port == htons(port));
    CHECK(b.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
}

TEST(accept_tells_the_address) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0);
    CHECK((d = accept4(l, (void *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    CHECK(a.sin_family == AF_INET && ntohs(a.sin_port) == port_of(c));
    CHECK(fcntl(d, F_GETFL) & O_NONBLOCK && fcntl(d, F_GETFD) & FD_CLOEXEC);
    CHECK_ERRNO(read(d, buffer, 1), EAGAIN);
}

TEST(a_megabyte_arrives_in_order) {
    enum { TOTAL = 1 << 20 };
    make_connection();
    pid_t pid = fork();
    if (!pid) {
        unsigned char next = 0;
        for (int done = 0; done < TOTAL;) {
            int n = 1 + done % 70001 % (int)sizeof(buffer);
            if (n > TOTAL - done)
                n = TOTAL - done;
            for (int i = 0; i < n; i++)
                buffer[i] = next++;
            if (write(c, buffer, n) != n)
                _exit(1);
            done += n;
        }
        _exit(0);
    }
    close(c);
    unsigned char next = 0;
    int total = 0;
    for (ssize_t n; (n = read(d, buffer, 30011)) > 0; total += n)
        for (ssize_t i = 0; i < n; i++)
            CHECK((unsigned char)buffer[i] == next++);
    CHECK(total == TOTAL && test_wait_exit(pid) == 0);
}

TEST(end_of_stream_follows_the_data) {
    make_connection();
    CHECK(write(c, "last", 4) == 4 && close(c) == 0);
    CHECK(poll_for(d, POLLIN | POLLRDHUP) & POLLRDHUP);
    CHECK(read(d, buffer, 100) == 4 && read(d, buffer, 100) == 0 && read(d, buffer, 100) == 0);
    CHECK(poll_now(d) == (POLLIN | POLLOUT | POLLRDHUP));
}

TEST(half_closed_connection_carries_the_answer) {
    make_connection();
    CHECK(write(c, "q", 1) == 1 && shutdown(c, SHUT_WR) == 0);
    CHECK(read(d, buffer, 10) == 1 && read(d, buffer, 10) == 0);
    CHECK(write(d, "a", 1) == 1 && close(d) == 0);
    CHECK(read(c, buffer, 10) == 1 && read(c, buffer, 10) == 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(c, "x", 1), EPIPE);
}

TEST(shut_down_on_both_sides_is_hung_up) {
    make_connection();
    CHECK(shutdown(c, SHUT_WR) == 0 && read(d, buffer, 1) == 0 && shutdown(d, SHUT_WR) == 0);
    CHECK(read(c, buffer, 1) == 0);
    CHECK(poll_now(c) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP));
}

TEST(connect_without_listener_is_refused) {
    l = listener(&port, 1);
    close(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), ECONNREFUSED);
    CHECK(number_of(c, SOL_SOCKET, SO_ERROR) == 0);
    l = listener(&port, 1);
    CHECK(connect4(c, "127.0.0.1", port) == 0);
}

TEST(connect_that_does_not_wait_tells_by_poll) {
    l = listener(&port, 1);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), EINPROGRESS);
    CHECK(poll_for(c, POLLOUT) == POLLOUT && number_of(c, SOL_SOCKET, SO_ERROR) == 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), EISCONN);
}

TEST(refusal_of_one_that_does_not_wait_is_in_so_error) {
    l = listener(&port, 1);
    close(l);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), EINPROGRESS);
    short events = poll_for(c, POLLOUT);
    CHECK(events & POLLERR && events & POLLHUP);
    CHECK(number_of(c, SOL_SOCKET, SO_ERROR) == ECONNREFUSED && number_of(c, SOL_SOCKET, SO_ERROR) == 0);
}

TEST(unconnected_socket_says_so) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    c = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(read(c, buffer, 1), ENOTCONN);
    CHECK_ERRNO(write(c, "x", 1), EPIPE);
    CHECK_ERRNO(getpeername(c, (void *)&a, &len), ENOTCONN);
    CHECK_ERRNO(shutdown(c, SHUT_WR), ENOTCONN);
    CHECK_ERRNO(accept(c, NULL, NULL), EINVAL);
    CHECK(poll_now(c) == (POLLOUT | POLLHUP));
    CHECK(getsockname(c, (void *)&a, &len) == 0 && !a.sin_port && !a.sin_addr.s_addr);
}

TEST(wrong_addresses_are_refused) {
    struct sockaddr_in a = v4("127.0.0.1", 80);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(bind(c, (void *)&a, 15), EINVAL);
    a.sin_family = AF_INET6;
    CHECK_ERRNO(bind(c, (void *)&a, sizeof(a)), EAFNOSUPPORT);
    CHECK_ERRNO(bind4(c, "10.1.2.3", 0), EADDRNOTAVAIL);
    CHECK(bind4(c, "127.3.2.1", 0) == 0);
    CHECK_ERRNO(bind4(c, "127.0.0.1", 0), EINVAL);
    CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
}

TEST(address_without_route_is_unreachable) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "10.9.8.7", 80), ENETUNREACH);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK_ERRNO(connect6(c, "2001:db8::1", 80), ENETUNREACH);
}

TEST(port_in_use_is_refused) {
    l = listener(&port, 1);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(bind4(c, "127.0.0.1", port), EADDRINUSE);
    CHECK_ERRNO(bind4(c, "0.0.0.0", port), EADDRINUSE);
    CHECK(set_number(c, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK_ERRNO(bind4(c, "127.0.0.1", port), EADDRINUSE);
    CHECK(bind4(c, "127.0.0.2", port) == 0);
}

TEST(reuse_of_the_address_lets_a_server_start_again) {
    l = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(l, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind4(l, "127.0.0.1", 0) == 0 &&
          listen(l, 1) == 0);
    port = port_of(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    close(d);
    CHECK(read(c, buffer, 1) == 0);
    close(c);
    close(l);
    l = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(bind4(l, "127.0.0.1", port), EADDRINUSE); // TIME_WAIT
    CHECK(set_number(l, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind4(l, "127.0.0.1", port) == 0 &&
          listen(l, 1) == 0);
}

TEST(reuse_of_the_port_lets_two_listen) {
    l = socket(AF_INET, SOCK_STREAM, 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(l, SOL_SOCKET, SO_REUSEPORT, 1) == 0 && set_number(c, SOL_SOCKET, SO_REUSEPORT, 1) == 0);
    CHECK(bind4(l, "127.0.0.1", 0) == 0 && listen(l, 1) == 0);
    CHECK(bind4(c, "127.0.0.1", port_of(l)) == 0 && listen(c, 1) == 0);
}

static int bind_privileged(void *arg) {
    (void)arg;
    CHECK(setuid(1000) == 0);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return bind4(s, "127.0.0.1", 81) == -1 && errno == EACCES ? 0 : 1;
}

TEST(low_ports_need_the_capability) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(c, "127.0.0.1", 80) == 0);
    CHECK(test_wait_exit(test_fork(bind_privileged, NULL)) == 0);
}

TEST(unread_data_at_the_end_resets) {
    make_connection();
    CHECK(write(c, "unread", 6) == 6 && poll_for(d, POLLIN) == POLLIN && close(d) == 0);
    short events = poll_for(c, POLLIN);
    CHECK(events & POLLERR && events & POLLHUP);
    CHECK_ERRNO(read(c, buffer, 1), ECONNRESET);
    CHECK(read(c, buffer, 1) == 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(c, "x", 1), EPIPE);
}

TEST(linger_of_nothing_resets) {
    struct linger now = {1, 0};
    make_connection();
    CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 && close(c) == 0);
    CHECK_ERRNO(read(d, buffer, 1), ECONNRESET);
}

TEST(broken_connection_signals) {
    make_connection();
    close(d);
    CHECK(read(c, buffer, 1) == 0);
    CHECK(write(c, "x", 1) == 1); // which is answered by a reset
    poll_for(c, POLLHUP);
    signal(SIGPIPE, SIG_DFL);
    CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
    pid_t pid = fork();
    if (!pid) {
        send(c, "x", 1, 0);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

TEST(one_that_does_not_wait_fills_the_buffers_and_goes_on) {
    long sent = 0, got = 0;
    make_connection();
    CHECK(fcntl(c, F_SETFL, O_NONBLOCK) == 0 && fcntl(d, F_SETFL, O_NONBLOCK) == 0);
    for (ssize_t n; (n = write(c, buffer, sizeof(buffer))) > 0;)
        sent += n;
    CHECK(errno == EAGAIN && sent > 100000 && !(poll_now(c) & POLLOUT));
    while (got < sent) {
        poll_for(d, POLLIN);
        ssize_t n = read(d, buffer, sizeof(buffer));
        CHECK(n > 0);
        got += n;
    }
    CHECK(got == sent && poll_for(c, POLLOUT) == POLLOUT);
    CHECK_ERRNO(read(d, buffer, 1), EAGAIN);
}

TEST(peek_leaves_the_data) {
    int n;
    make_connection();
    CHECK(write(c, "abcdef", 6) == 6 && poll_for(d, POLLIN) == POLLIN);
    CHECK(recv(d, buffer, 3, MSG_PEEK) == 3 && recv(d, buffer, 100, MSG_PEEK) == 6);
    CHECK(ioctl(d, FIONREAD, &n) == 0 && n == 6);
    CHECK(recv(d, buffer, 2, 0) == 2 && recv(d, buffer, 100, MSG_PEEK) == 4 && !memcmp(buffer, "cdef", 4));
    CHECK(recv(d, buffer, 100, 0) == 4);
    CHECK_ERRNO(recv(d, buffer, 100, MSG_DONTWAIT | MSG_PEEK), EAGAIN);
}

static void *write_late(void *arg) {
    usleep(20000);
    CHECK(write(*(int *)arg, "lo", 2) == 2);
    return NULL;
}

TEST(waitall_waits_for_all) {
    pthread_t t;
    make_connection();
    CHECK(write(c, "hel", 3) == 3 && pthread_create(&t, NULL, write_late, &c) == 0);
    CHECK(recv(d, buffer, 5, MSG_WAITALL) == 5 && !memcmp(buffer, "hello", 5));
    pthread_join(t, NULL);
}

TEST(receive_times_out) {
    struct timeval tv = {0, 20000};
    make_connection();
    CHECK(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK_ERRNO(read(c, buffer, 1), EAGAIN);
    CHECK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
}

TEST(epoll_edges_come_with_each_arrival) {
    struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
    int ep = epoll_create1(0);
    make_connection();
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, d, &e) == 0 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(write(c, "1", 1) == 1 && epoll_wait(ep, &e, 1, 5000) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(write(c, "2", 1) == 1 && epoll_wait(ep, &e, 1, 5000) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(read(d, buffer, 10) == 2);
}

TEST(backlog_queues_and_then_makes_wait) {
    int s[4];
    l = listener(&port, 1);
    for (int i = 0; i < 2; i++) {
        s[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(s[i], "127.0.0.1", port) == 0);
    }
    s[2] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_ERRNO(connect4(s[2], "127.0.0.1", port), EINPROGRESS);
    CHECK(poll_now(s[2]) == 0 && poll_now(l) == POLLIN);
    CHECK_ERRNO(connect4(s[2], "127.0.0.1", port), EALREADY);
    CHECK(accept(l, NULL, NULL) >= 0 && accept(l, NULL, NULL) >= 0);
    CHECK(poll_for(s[2], POLLOUT) == POLLOUT); // it has tried again
    CHECK(accept(l, NULL, NULL) >= 0);
}

TEST(end_of_the_listener_resets_who_waits) {
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && close(l) == 0);
    CHECK_ERRNO(read(c, buffer, 1), ECONNRESET);
}

TEST(ipv6_loopback_connects) {
    struct sockaddr_in6 a = v6("::1", 0);
    socklen_t len = sizeof(a);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect6(c, "::1", port_of(l)) == 0 && (d = accept(l, (void *)&a, &len)) >= 0);
    CHECK(len == sizeof(a) && IN6_IS_ADDR_LOOPBACK(&a.sin6_addr) && ntohs(a.sin6_port) == port_of(c));
    CHECK(write(c, "six", 3) == 3 && read(d, buffer, 10) == 3);
}

TEST(one_socket_serves_both_families) {
    struct sockaddr_in6 a = v6("::", 0);
    socklen_t len = sizeof(a);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(number_of(l, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
    CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 2) == 0);
    port = port_of(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(bind4(c, "0.0.0.0", port), EADDRINUSE);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, (void *)&a, &len)) >= 0);
    CHECK(IN6_IS_ADDR_V4MAPPED(&a.sin6_addr) && a.sin6_addr.s6_addr[12] == 127);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect6(c, "::ffff:127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect6(c, "::1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
}

TEST(v6only_leaves_the_port_to_ipv4) {
    struct sockaddr_in6 a = v6("::", 0);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(set_number(l, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0);
    CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 2) == 0);
    port = port_of(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), ECONNREFUSED);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(c, "0.0.0.0", port) == 0);
    CHECK_ERRNO(set_number(l, IPPROTO_IPV6, IPV6_V6ONLY, 0), EINVAL);
}

TEST(all_of_127_is_here) {
    l = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(l, "127.9.8.7", 0) == 0 && listen(l, 1) == 0);
    port = port_of(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), ECONNREFUSED);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.9.8.7", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(write(d, "x", 1) == 1 && read(c, buffer, 1) == 1);
    l = listener(&port, 1);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "0.0.0.0", port) == 0);
}

TEST(options_of_tcp_are_kept) {
    struct tcp_info info;
    socklen_t len = sizeof(info);
    make_connection();
    CHECK(number_of(c, IPPROTO_TCP, TCP_NODELAY) == 0 && set_number(c, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
    CHECK(number_of(c, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(number_of(c, IPPROTO_TCP, TCP_KEEPIDLE) == 7200 && number_of(c, IPPROTO_TCP, TCP_KEEPINTVL) == 75 &&
          number_of(c, IPPROTO_TCP, TCP_KEEPCNT) == 9);
    CHECK(set_number(c, IPPROTO_TCP, TCP_KEEPIDLE, 10) == 0 && number_of(c, IPPROTO_TCP, TCP_KEEPIDLE) == 10);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_KEEPCNT, 128), EINVAL);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, 999, 1), ENOPROTOOPT);
    CHECK(set_number(c, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 && number_of(c, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_ESTABLISHED);
    CHECK(number_of(c, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
          number_of(c, SOL_SOCKET, SO_DOMAIN) == AF_INET);
    CHECK(number_of(l, SOL_SOCKET, SO_ACCEPTCONN) == 1 && number_of(c, SOL_SOCKET, SO_ACCEPTCONN) == 0);
    CHECK(number_of(c, IPPROTO_IP, IP_TTL) == 64);
    CHECK_ERRNO(set_number(c, IPPROTO_IP, IP_TTL, 256), EINVAL);
}

TEST(small_writes_are_not_held_back_for_long) {
    make_connection();
    for (int i = 0; i < 20; i++) {
        CHECK(write(c, "a", 1) == 1 && write(c, "b", 1) == 1);
        CHECK(recv(d, buffer, 2, MSG_WAITALL) == 2 && write(d, "c", 1) == 1 && read(c, buffer, 1) == 1);
    }
}

TEST(socket_used_anew_after_dissolving) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    make_connection();
    CHECK(connect(c, &none, sizeof(none)) == 0);
    CHECK_ERRNO(read(d, buffer, 1), ECONNRESET);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(write(c, "x", 1) == 1 && read(d, buffer, 1) == 1);
}

TEST(dissolving_ends_an_attempt_and_a_listener) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int tries[8], second, other = listener(&second, 1);
    l = listener(&port, 0);
    for (int i = 0; i < 8; i++) { // the last of them are not heard
        CHECK((tries[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
        CHECK(connect4(tries[i], "127.0.0.1", port) == 0 || errno == EINPROGRESS);
    }
    c = tries[7];
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), EALREADY);
    CHECK(connect(c, &none, sizeof(none)) == 0);
    CHECK(connect4(c, "127.0.0.1", second) == 0 || errno == EINPROGRESS);
    CHECK(poll_for(c, POLLOUT) == POLLOUT && (d = accept(other, NULL, NULL)) >= 0 && write(c, "x", 1) == 1);
    CHECK(connect(other, &none, sizeof(none)) == 0);
    CHECK_ERRNO(accept(other, NULL, NULL), EINVAL);
    CHECK(read(d, buffer, 1) == 1);
}

TEST(ports_of_a_connection_that_the_server_ended_can_be_used_again) {
    l = listener(&port, 1);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(c, "127.0.0.1", 0) == 0 && connect4(c, "127.0.0.1", port) == 0);
    int mine = port_of(c);
    CHECK((d = accept(l, NULL, NULL)) >= 0 && close(d) == 0 && read(c, buffer, 1) == 0 && close(c) == 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(c, "127.0.0.1", mine) == 0 && connect4(c, "127.0.0.1", port) == 0);
    CHECK((d = accept(l, NULL, NULL)) >= 0 && write(c, "x", 1) == 1 && read(d, buffer, 1) == 1);
}

// ---- UDP

static int datagram_pair(int family) {
    c = socket(family, SOCK_DGRAM, 0);
    d = socket(family, SOCK_DGRAM, 0);
    CHECK(c >= 0 && d >= 0);
    if (family == AF_INET) {
        CHECK(bind4(d, "127.0.0.1", 0) == 0 && connect4(c, "127.0.0.1", port_of(d)) == 0);
    } else {
        struct sockaddr_in6 a = v6("::1", 0);
        CHECK(bind(d, (void *)&a, sizeof(a)) == 0 && connect6(c, "::1", port_of(d)) == 0);
    }
    return d;
}

TEST(datagrams_keep_their_bounds) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    datagram_pair(AF_INET);
    CHECK(send(c, "one", 3, 0) == 3 && send(c, "", 0, 0) == 0 && send(c, "three", 5, 0) == 5);
    CHECK(recvfrom(d, buffer, 100, 0, (void *)&a, &len) == 3 && ntohs(a.sin_port) == port_of(c));
    CHECK(recv(d, buffer, 100, 0) == 0 && recv(d, buffer, 2, MSG_TRUNC) == 5);
    CHECK_ERRNO(recv(d, buffer, 100, MSG_DONTWAIT), EAGAIN);
    CHECK(sendto(d, "back", 4, 0, (void *)&a, len) == 4 && recv(c, buffer, 100, 0) == 4);
}

TEST(datagrams_of_ipv6_travel) {
    struct sockaddr_in6 a;
    socklen_t len = sizeof(a);
    datagram_pair(AF_INET6);
    CHECK(send(c, "one", 3, 0) == 3);
    CHECK(recvfrom(d, buffer, 100, 0, (void *)&a, &len) == 3 && len == sizeof(a));
    CHECK(IN6_IS_ADDR_LOOPBACK(&a.sin6_addr) && ntohs(a.sin6_port) == port_of(c));
}

TEST(large_datagram_travels_larger_does_not) {
    datagram_pair(AF_INET);
    CHECK(send(c, buffer, 65507, 0) == 65507 && recv(d, buffer, sizeof(buffer), 0) == 65507);
    CHECK_ERRNO(send(c, buffer, 65508, 0), EMSGSIZE);
}

TEST(datagram_to_nobody_is_refused_afterwards) {
    datagram_pair(AF_INET);
    close(d);
    CHECK(send(c, "x", 1, 0) == 1);
    CHECK(poll_for(c, POLLIN) & POLLERR);
    CHECK_ERRNO(recv(c, buffer, 1, 0), ECONNREFUSED);
    CHECK(send(c, "x", 1, 0) == 1);
    CHECK_ERRNO(send(c, "x", 1, 0), ECONNREFUSED);
}

TEST(datagram_to_nobody_is_refused_on_ipv6) {
    datagram_pair(AF_INET6);
    close(d);
    CHECK(send(c, "x", 1, 0) == 1);
    CHECK_ERRNO(recv(c, buffer, 1, 0), ECONNREFUSED);
}

TEST(connected_datagram_socket_hears_its_peer_alone) {
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    datagram_pair(AF_INET);
    struct sockaddr_in a = v4("127.0.0.1", port_of(c));
    CHECK(sendto(other, "no", 2, 0, (void *)&a, sizeof(a)) == 2);
    CHECK(sendto(d, "yes", 3, 0, (void *)&a, sizeof(a)) == 3);
    CHECK(recv(c, buffer, 100, 0) == 3);
    CHECK_ERRNO(recv(c, buffer, 100, MSG_DONTWAIT), EAGAIN);
}

TEST(datagram_without_address_has_nowhere_to_go) {
    c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(send(c, "x", 1, 0), EDESTADDRREQ);
    CHECK_ERRNO(connect4(c, "10.0.0.1", 1), ENETUNREACH);
    CHECK_ERRNO(listen(c, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(c, NULL, NULL), EOPNOTSUPP);
}

TEST(packet_info_tells_where_it_was_sent_to) {
    char control[200] __attribute__((aligned(8)));
    struct iovec iov = {buffer, 100};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "0.0.0.0", 0) == 0 && set_number(d, IPPROTO_IP, IP_PKTINFO, 1) == 0 &&
          set_number(d, IPPROTO_IP, IP_RECVTTL, 1) == 0 && set_number(c, IPPROTO_IP, IP_TTL, 33) == 0);
    struct sockaddr_in a = v4("127.4.5.6", port_of(d));
    CHECK(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)) == 1 && recvmsg(d, &m, 0) == 1);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO);
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(h), sizeof(info));
    CHECK(info.ipi_addr.s_addr == a.sin_addr.s_addr && info.ipi_ifindex == 1);
    h = CMSG_NXTHDR(&m, h);
    CHECK(h && h->cmsg_type == IP_TTL && *(int *)CMSG_DATA(h) == 33);
}

TEST(full_receive_buffer_drops) {
    int n = 0;
    datagram_pair(AF_INET);
    CHECK(set_number(d, SOL_SOCKET, SO_RCVBUF, 5000) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(send(c, buffer, 1000, 0) == 1000);
    while (recv(d, buffer, 2000, MSG_DONTWAIT) == 1000)
        n++;
    CHECK(n >= 2 && n < 20);
}

// ---- many at once

static int connect_and_ask(void *arg) {
    int to = *(int *)arg;
    for (int i = 0; i < 100; i++) {
        int s = socket(AF_INET, SOCK_STREAM, 0), n = 1 + i * 331;
        CHECK(s >= 0 && connect4(s, "127.0.0.1", to) == 0 && write(s, buffer, n) == n);
        CHECK(i % 3 == 0 || shutdown(s, SHUT_WR) == 0);
        CHECK(i % 3 != 2 || recv(s, buffer, n, MSG_WAITALL) == n); // others go without the answer
        close(s);
    }
    return 0;
}

static void *echo(void *arg) {
    int s = (int)(long)arg;
    char piece[5000];
    for (ssize_t n; (n = read(s, piece, sizeof(piece))) > 0;)
        if (send(s, piece, n, MSG_NOSIGNAL) != n)
            break;
    close(s);
    return NULL;
}

TEST(many_connections_come_and_go_at_once) {
    enum { CLIENTS = 4 };
    pid_t pid[CLIENTS];
    pthread_t t;
    l = listener(&port, 128);
    for (int i = 0; i < CLIENTS; i++)
        pid[i] = test_fork(connect_and_ask, &port);
    for (int i = 0; i < CLIENTS * 100; i++) {
        int s = accept(l, NULL, NULL);
        CHECK(s >= 0 && pthread_create(&t, NULL, echo, (void *)(long)s) == 0 && pthread_detach(t) == 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        CHECK(test_wait_exit(pid[i]) == 0);
}

static void *close_late(void *arg) {
    usleep(1000);
    shutdown(*(int *)arg, SHUT_RDWR);
    return NULL;
}

TEST(shutdown_wakes_who_reads_and_who_accepts) {
    pthread_t t;
    make_connection();
    CHECK(pthread_create(&t, NULL, close_late, &d) == 0 && read(d, buffer, 1) == 0 &&
          pthread_join(t, NULL) == 0);
    CHECK(pthread_create(&t, NULL, close_late, &l) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
    pthread_join(t, NULL);
}

// ---- UDP-Lite

static int lite(int family, struct sockaddr_storage *at) {
    int s = socket(family, SOCK_DGRAM, IPPROTO_UDPLITE), n;
    socklen_t len = sizeof(n);
    CHECK(s >= 0 && getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &n, &len) == 0 && n == IPPROTO_UDPLITE);
    memset(at, 0, sizeof(*at));
    at->ss_family = family;
    if (family == AF_INET)
        ((struct sockaddr_in *)at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)at)->sin6_addr = in6addr_loopback;
    len = sizeof(*at);
    CHECK(bind(s, (struct sockaddr *)at, family == AF_INET ? 16 : 28) == 0 &&
          getsockname(s, (struct sockaddr *)at, &len) == 0);
    return s;
}

TEST(udplite_carries_datagrams) {
    for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
        struct sockaddr_storage a, b, from;
        int s = lite(family, &a), r = lite(family, &b), n = 3;
        socklen_t size = family == AF_INET ? 16 : 28, len = sizeof(from);
        CHECK(sendto(s, "lite", 4, 0, (struct sockaddr *)&b, size) == 4);
        CHECK(recvfrom(r, buffer, 100, 0, (struct sockaddr *)&from, &len) == 4 && !memcmp(buffer, "lite", 4));
        CHECK(len == size && !memcmp(&from, &a, 8));
        CHECK(connect(s, (struct sockaddr *)&b, size) == 0 && send(s, buffer, 1000, 0) == 1000 &&
              recv(r, buffer, 2000, 0) == 1000);
        CHECK(setsockopt(s, IPPROTO_UDPLITE, 10, &n, 4) == 0); // UDPLITE_SEND_CSCOV: a header at least
        len = sizeof(n);
        CHECK(getsockopt(s, IPPROTO_UDPLITE, 10, &n, &len) == 0 && n == 8);
        CHECK(send(s, "x", 1, 0) == 1 && recv(r, buffer, 100, 0) == 1);
        CHECK_ERRNO(setsockopt(s, IPPROTO_UDPLITE, 99, &n, 4), ENOPROTOOPT);
        CHECK_ERRNO(setsockopt(s, IPPROTO_UDPLITE, 10, &n, 3), EINVAL);
        CHECK(close(r) == 0);
        // Nobody there: an ICMP message says so.
        CHECK(send(s, "x", 1, 0) == 1);
        CHECK_ERRNO(recv(s, buffer, 100, 0), ECONNREFUSED);
        // What comes by UDP to the same port is not for it.
        int u = socket(family, SOCK_DGRAM, 0);
        CHECK(sendto(u, "udp", 3, 0, (struct sockaddr *)&a, size) == 3);
        CHECK_ERRNO(recv(s, buffer, 100, MSG_DONTWAIT), EAGAIN);
        CHECK(close(u) == 0 && close(s) == 0);
    }
    CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDPLITE), EPROTONOSUPPORT);
}
