// SPDX-License-Identifier: MIT
// TCP: options, urgent data, ends, many connections. The same program passes on Linux.
#include "inet.h"
#include <fcntl.h>
#include <linux/ip.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char buffer[1 << 18];
static int c, d, l, port;

static int listen_with(int backlog) {
    return listener(&port, backlog);
}

static void connect_both(void) {
    l = listen_with(5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
}

static int waiting_bytes(int s) {
    int n = -1;
    CHECK(ioctl(s, FIONREAD, &n) == 0);
    return n;
}

static int at_mark(int s) {
    int n = -1;
    CHECK(ioctl(s, SIOCATMARK, &n) == 0);
    return n;
}

static struct tcp_info info_of(int s) {
    struct tcp_info info;
    socklen_t len = sizeof(info);
    memset(&info, 0, sizeof(info));
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
    return info;
}

// ---- urgent data

TEST(urgent_byte_is_read_apart) {
    connect_both();
    CHECK_ERRNO(recv(d, buffer, 1, MSG_OOB), EINVAL);
    CHECK(send(c, "abc", 3, MSG_OOB) == 3 && poll_for(d, POLLPRI) & POLLPRI);
    CHECK(waiting_bytes(d) == 2 && at_mark(d) == 0);
    CHECK(recv(d, buffer, 10, MSG_OOB | MSG_PEEK) == 1 && buffer[0] == 'c');
    CHECK(recv(d, buffer, 10, MSG_OOB) == 1 && buffer[0] == 'c');
    CHECK_ERRNO(recv(d, buffer, 10, MSG_OOB), EINVAL); // once
    CHECK(!(test_poll(d, POLLPRI) & POLLPRI));
    CHECK(recv(d, buffer, 10, 0) == 2 && !memcmp(buffer, "ab", 2) && at_mark(d) == 1);
    CHECK(send(c, "de", 2, 0) == 2 && recv(d, buffer, 10, 0) == 2 && !memcmp(buffer, "de", 2) &&
          at_mark(d) == 0);
}

TEST(reading_stops_at_the_mark) {
    connect_both();
    CHECK(send(c, "ab", 2, 0) == 2 && send(c, "X", 1, MSG_OOB) == 1 && send(c, "cd", 2, 0) == 2);
    usleep(20000);
    CHECK(recv(d, buffer, 10, 0) == 2 && !memcmp(buffer, "ab", 2) && at_mark(d) == 1);
    CHECK(recv(d, buffer, 10, 0) == 2 && !memcmp(buffer, "cd", 2) && at_mark(d) == 0);
    CHECK_ERRNO(recv(d, buffer, 10, MSG_OOB), EINVAL); // too late
}

TEST(urgent_byte_in_line) {
    connect_both();
    CHECK(set_number(d, SOL_SOCKET, SO_OOBINLINE, 1) == 0);
    CHECK(send(c, "ab", 2, 0) == 2 && send(c, "X", 1, MSG_OOB) == 1 && send(c, "cd", 2, 0) == 2);
    usleep(20000);
    CHECK(waiting_bytes(d) == 5);
    CHECK_ERRNO(recv(d, buffer, 10, MSG_OOB), EINVAL);
    CHECK(recv(d, buffer, 10, 0) == 2 && at_mark(d) == 1);
    CHECK(recv(d, buffer, 10, 0) == 3 && !memcmp(buffer, "Xcd", 3) && at_mark(d) == 0);
}

TEST(urgent_byte_signals_the_owner) {
    sigset_t urgent;
    siginfo_t info;
    struct timespec t = {5, 0};
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    sigprocmask(SIG_BLOCK, &urgent, NULL);
    connect_both();
    CHECK(fcntl(d, F_SETOWN, getpid()) == 0);
    CHECK(send(c, "X", 1, MSG_OOB) == 1 && sigtimedwait(&urgent, &info, &t) == SIGURG);
}

// ---- options

TEST(options_have_their_ranges) {
    char name[16] = "";
    socklen_t len = sizeof(name);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(number_of(c, IPPROTO_TCP, TCP_MAXSEG) == 536 && set_number(c, IPPROTO_TCP, TCP_MAXSEG, 1000) == 0);
    CHECK(number_of(c, IPPROTO_TCP, TCP_MAXSEG) == 1000);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_MAXSEG, 87), EINVAL);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_MAXSEG, 32768), EINVAL);
    CHECK(set_number(c, IPPROTO_TCP, TCP_MAXSEG, 0) == 0);
    CHECK(number_of(c, IPPROTO_TCP, TCP_SYNCNT) == 6 && set_number(c, IPPROTO_TCP, TCP_SYNCNT, 2) == 0);
    CHECK(number_of(c, IPPROTO_TCP, TCP_SYNCNT) == 2);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_SYNCNT, 0), EINVAL);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_SYNCNT, 128), EINVAL);
    CHECK(set_number(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234) == 0 &&
          number_of(c, IPPROTO_TCP, TCP_USER_TIMEOUT) == 1234);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
    CHECK(set_number(c, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5) == 0 &&
          number_of(c, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 7);
    CHECK(set_number(c, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000) == 0 &&
          number_of(c, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 5000);
    CHECK(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
    CHECK(getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && len == 16 && !strcmp(name, "reno"));
    CHECK_ERRNO(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), ENOENT);
    CHECK_ERRNO(setsockopt(c, IPPROTO_TCP, TCP_ULP, "nosuch", 6), ENOENT);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_CORK, 1) ? -1 : getsockopt(c, IPPROTO_TCP, 999, name, &len),
                ENOPROTOOPT);
    CHECK_ERRNO(set_number(c, SOL_SOCKET, SO_DOMAIN, 1), ENOPROTOOPT);
}

TEST(small_segments_are_kept_to) {
    l = listen_with(5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(c, IPPROTO_TCP, TCP_MAXSEG, 1000) == 0 && connect4(c, "127.0.0.1", port) == 0);
    CHECK((d = accept(l, NULL, NULL)) >= 0 && info_of(c).tcpi_snd_mss <= 1000);
    CHECK(number_of(c, IPPROTO_TCP, TCP_MAXSEG) <= 1000);
    CHECK(write(c, buffer, 5000) == 5000 && recv(d, buffer, 5000, MSG_WAITALL) == 5000);
}

TEST(buffers_of_ones_own_size) {
    int small = 8192, n = 0;
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(number_of(c, SOL_SOCKET, SO_SNDBUF) == 16384 && number_of(c, SOL_SOCKET, SO_RCVBUF) == 131072);
    CHECK(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &small, 4) == 0 &&
          number_of(c, SOL_SOCKET, SO_SNDBUF) == 16384);
    close(c);
    l = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, 4) == 0 &&
          number_of(l, SOL_SOCKET, SO_RCVBUF) == 16384);
    CHECK(bind4(l, "127.0.0.1", 0) == 0 && listen(l, 1) == 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &small, 4) == 0);
    CHECK(connect4(c, "127.0.0.1", port_of(l)) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(number_of(d, SOL_SOCKET, SO_RCVBUF) == 16384 && fcntl(c, F_SETFL, O_NONBLOCK) == 0);
    for (ssize_t r; (r = write(c, buffer, 1000)) > 0; n += r)
        usleep(1000);
    CHECK(n >= 4096 && n < 200000); // much less than without
}

TEST(info_tells_of_the_connection) {
    connect_both();
    CHECK(write(c, buffer, 10000) == 10000 && recv(d, buffer, 10000, MSG_WAITALL) == 10000);
    usleep(20000);
    struct tcp_info mine = info_of(c), theirs = info_of(d), listens = info_of(l);
    CHECK(mine.tcpi_state == 1 && theirs.tcpi_state == 1 && listens.tcpi_state == 10);
    CHECK(mine.tcpi_bytes_acked >= 10000 && mine.tcpi_bytes_acked <= 10001 &&
          theirs.tcpi_bytes_received == 10000);
    CHECK(mine.tcpi_bytes_sent == 10000 && mine.tcpi_unacked == 0 && mine.tcpi_notsent_bytes == 0);
    CHECK(mine.tcpi_snd_mss > 500 && mine.tcpi_snd_cwnd > 0 && mine.tcpi_rto > 0);
    CHECK(mine.tcpi_options & TCPI_OPT_WSCALE && mine.tcpi_options & TCPI_OPT_SACK);
    CHECK(shutdown(c, SHUT_WR) == 0 && read(d, buffer, 1) == 0);
    usleep(100000);                                                  // an acknowledgement may take its time
    CHECK(info_of(c).tcpi_state == 5 && info_of(d).tcpi_state == 8); // FIN_WAIT2, CLOSE_WAIT
    CHECK(listens.tcpi_sacked == 5);                                 // the backlog
}

TEST(cork_holds_back_what_is_not_full) {
    connect_both();
    CHECK(set_number(c, IPPROTO_TCP, TCP_CORK, 1) == 0 && write(c, "ab", 2) == 2);
    usleep(20000);
    CHECK_ERRNO(recv(d, buffer, 10, MSG_DONTWAIT), EAGAIN);
    CHECK(set_number(c, IPPROTO_TCP, TCP_CORK, 0) == 0 && recv(d, buffer, 10, 0) == 2);
    CHECK(send(c, "ab", 2, MSG_MORE) == 2);
    usleep(20000);
    CHECK_ERRNO(recv(d, buffer, 10, MSG_DONTWAIT), EAGAIN);
    CHECK(send(c, "cd", 2, 0) == 2 && recv(d, buffer, 10, MSG_WAITALL | MSG_DONTWAIT) == 4);
}

TEST(bytes_that_wait_are_told_with_the_data) {
    char control[64] __attribute__((aligned(8)));
    struct iovec iov = {buffer, 3};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64};
    connect_both();
    CHECK(set_number(d, IPPROTO_TCP, TCP_INQ, 1) == 0 && write(c, buffer, 10) == 10);
    usleep(20000);
    CHECK(recvmsg(d, &m, 0) == 3);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_level == IPPROTO_TCP && h->cmsg_type == TCP_CM_INQ && *(int *)CMSG_DATA(h) == 7);
    CHECK_ERRNO(set_number(d, IPPROTO_TCP, TCP_INQ, 2), EINVAL);
}

// ---- listening

TEST(deferred_connection_is_accepted_with_its_data) {
    l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(set_number(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30) == 0);
    CHECK(bind4(l, "127.0.0.1", 0) == 0 && listen(l, 5) == 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port_of(l)) == 0);
    usleep(20000);
    CHECK(test_poll(l, POLLIN) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
    CHECK(write(c, "x", 1) == 1 && poll_for(l, POLLIN) == POLLIN && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(recv(d, buffer, 10, 0) == 1);
}

TEST(connections_are_shared_among_those_at_the_port) {
    int s[4], got[4] = {0}, at = 0;
    for (int i = 0; i < 4; i++) {
        s[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        CHECK(set_number(s[i], SOL_SOCKET, SO_REUSEPORT, 1) == 0 && bind4(s[i], "127.0.0.1", at) == 0);
        CHECK(listen(s[i], 64) == 0);
        at = port_of(s[i]);
    }
    for (int i = 0; i < 40; i++) {
        c = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(c, "127.0.0.1", at) == 0);
        struct pollfd p[4] = {{s[0], POLLIN, 0}, {s[1], POLLIN, 0}, {s[2], POLLIN, 0}, {s[3], POLLIN, 0}};
        CHECK(poll(p, 4, 5000) == 1);
        for (int n = 0; n < 4; n++)
            if (p[n].revents) {
                CHECK((d = accept(s[n], NULL, NULL)) >= 0 && close(d) == 0);
                got[n]++;
            }
        close(c);
    }
    CHECK((got[0] > 0) + (got[1] > 0) + (got[2] > 0) + (got[3] > 0) >= 2);
}

TEST(connection_reset_before_it_is_accepted_is_accepted_all_the_same) {
    struct linger now = {1, 0};
    l = listen_with(5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && write(c, "x", 1) == 1);
    CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 && close(c) == 0);
    usleep(20000);
    CHECK(poll_for(l, POLLIN) == POLLIN && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(recv(d, buffer, 1, 0) == 1); // what came before the reset
    CHECK_ERRNO(recv(d, buffer, 1, 0), ECONNRESET);
    CHECK(recv(d, buffer, 1, 0) == 0);
}

TEST(connection_that_its_peer_closed_waits_with_its_data) {
    l = listen_with(5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && write(c, "abc", 3) == 3 && close(c) == 0);
    usleep(20000);
    CHECK((d = accept(l, NULL, NULL)) >= 0 && read(d, buffer, 10) == 3 && read(d, buffer, 10) == 0);
}

TEST(listener_shut_down_listens_again) {
    l = listen_with(5);
    CHECK(shutdown(l, SHUT_RD) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), ECONNREFUSED);
    CHECK(listen(l, 5) == 0); // at a port that is new, as none was asked for
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port_of(l)) == 0 && (d = accept(l, NULL, NULL)) >= 0);
}

// ---- ends

TEST(both_sides_close_at_once) {
    connect_both();
    CHECK(shutdown(c, SHUT_WR) == 0 && shutdown(d, SHUT_WR) == 0);
    CHECK(read(c, buffer, 1) == 0 && read(d, buffer, 1) == 0);
    CHECK(close(c) == 0 && close(d) == 0);
}

static void *read_until_end(void *arg) {
    static char sink[4096];
    long total = 0;
    usleep(30000);
    for (ssize_t n; (n = read(*(int *)arg, sink, sizeof(sink))) > 0;)
        total += n;
    return (void *)total;
}

TEST(what_was_written_arrives_though_the_writer_has_closed) {
    pthread_t t;
    void *total;
    connect_both();
    CHECK(fcntl(c, F_SETFL, O_NONBLOCK) == 0);
    ssize_t n = write(c, buffer, sizeof(buffer));
    CHECK(n > 0 && close(c) == 0 && pthread_create(&t, NULL, read_until_end, &d) == 0);
    CHECK(pthread_join(t, &total) == 0 && (long)total == n);
}

static void nothing(int sig) {
    (void)sig;
}

static void *interrupt_late(void *arg) {
    usleep(30000);
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    return NULL;
}

TEST(connect_that_was_interrupted_goes_on) {
    struct sigaction a = {.sa_handler = nothing};
    pthread_t t, me = pthread_self();
    int s[2];
    l = listen_with(0);
    for (int i = 0; i < 1; i++) {
        s[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(s[i], "127.0.0.1", port) == 0);
    }
    sigaction(SIGUSR1, &a, NULL);
    c = socket(AF_INET, SOCK_STREAM, 0); // the queue is full: its SYN is not heard
    CHECK(pthread_create(&t, NULL, interrupt_late, &me) == 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), EINTR);
    CHECK(pthread_join(t, NULL) == 0);
    CHECK_ERRNO((fcntl(c, F_SETFL, O_NONBLOCK), connect4(c, "127.0.0.1", port)), EALREADY);
    CHECK(fcntl(c, F_SETFL, 0) == 0 && accept(l, NULL, NULL) >= 0);
    CHECK(poll_for(c, POLLOUT) == POLLOUT && connect4(c, "127.0.0.1", port) == 0);
}

static void *write_byte_by_byte(void *arg) {
    for (int i = 0; i < 2000; i++)
        CHECK(write(*(int *)arg, "x", 1) == 1);
    close(*(int *)arg);
    return NULL;
}

TEST(one_byte_at_a_time) {
    pthread_t t;
    connect_both();
    CHECK(set_number(c, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
    CHECK(pthread_create(&t, NULL, write_byte_by_byte, &c) == 0);
    CHECK(recv(d, buffer, 2000, MSG_WAITALL) == 2000 && read(d, buffer, 1) == 0);
    pthread_join(t, NULL);
}

TEST(peer_that_never_reads_and_then_dies) {
    connect_both();
    pid_t pid = fork();
    if (!pid) {
        close(c);
        close(l);
        pause();
    }
    close(d);
    CHECK(fcntl(c, F_SETFL, O_NONBLOCK) == 0);
    while (write(c, buffer, sizeof(buffer)) > 0)
        ;
    CHECK(errno == EAGAIN && test_poll(c, POLLOUT) == 0);
    kill(pid, SIGKILL);
    CHECK(poll_for(c, POLLOUT) & POLLERR);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(c, "x", 1), ECONNRESET);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

TEST(two_ends_that_both_write_and_never_read_leave_the_stack_to_others) {
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    connect_both();
    for (int e = 0; e < 2; e++)
        while (send(e ? c : d, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
            ;
    sleep(4); // until windows that are shut have been asked after
    CHECK(getsockname(c, (struct sockaddr *)&name, &size) == 0);
    CHECK(read(d, buffer, sizeof(buffer)) > 0 && read(c, buffer, sizeof(buffer)) > 0);
}

// A segment with data as if the other end had sent it, by a raw socket: afterwards the two ends do not agree about their numbers, and
// each answers the other's answers.
TEST(ends_that_disagree_about_their_numbers_leave_the_stack_to_others) {
    struct {
        struct iphdr ip;
        struct tcphdr tcp;
        char data[100];
    } __attribute__((packed))
    p = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .tot_len = htons(sizeof(p))}};
    struct sockaddr_in name, to = v4("127.0.0.1", 0);
    socklen_t size = sizeof(name);
    unsigned char seen[200];
    connect_both();
    CHECK(getsockname(c, (void *)&name, &size) == 0);
    int listens = socket(AF_INET, SOCK_RAW, IPPROTO_TCP), sends = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    CHECK(listens >= 0 && sends >= 0 && write(c, "12345", 5) == 5 && read(d, seen, 5) == 5);
    const struct iphdr *ip = (void *)seen;
    const struct tcphdr *t = (void *)(seen + 20);
    do // the numbers
        CHECK(recv(listens, seen, sizeof(seen), 0) >= 40);
    while (t->source != name.sin_port || ntohs(ip->tot_len) != 45);
    p.tcp = (struct tcphdr){.source = t->source,
                            .dest = t->dest,
                            .seq = htonl(ntohl(t->seq) + 5),
                            .ack_seq = t->ack_seq,
                            .doff = 5,
                            .ack = 1,
                            .psh = 1,
                            .window = htons(1000)};
    p.ip.saddr = p.ip.daddr = to.sin_addr.s_addr;
    CHECK(sendto(sends, &p, sizeof(p), 0, (void *)&to, sizeof(to)) == sizeof(p));
    close(c), close(d);
    connect_both(); // others go on
    CHECK(write(c, "x", 1) == 1 && read(d, seen, 1) == 1);
}

TEST(two_thousand_connections_one_after_the_other) {
    l = listen_with(64);
    for (int i = 0; i < 2000; i++) {
        c = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
        CHECK(write(c, "x", 1) == 1 && read(d, buffer, 1) == 1 && close(c) == 0 && close(d) == 0);
    }
}

TEST(five_hundred_connections_at_once) {
    enum { COUNT = 500 };
    static int s[COUNT][2];
    struct rlimit many = {4096, 4096};
    CHECK(setrlimit(RLIMIT_NOFILE, &many) == 0);
    l = listen_with(64);
    for (int i = 0; i < COUNT; i++) {
        s[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(s[i][0], "127.0.0.1", port) == 0 && (s[i][1] = accept(l, NULL, NULL)) >= 0);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK(write(s[i][0], &i, sizeof(i)) == sizeof(i));
    for (int i = 0, n; i < COUNT; i++)
        CHECK(read(s[i][1], &n, sizeof(n)) == sizeof(n) && n == i);
}

// What is waited for never is more than the buffer has room for.
TEST(low_water_mark_that_no_buffer_has) {
    int port, l = listener(&port, 1), s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(s, SOL_SOCKET, SO_RCVLOWAT, 1 << 30) == 0 &&
          number_of(s, SOL_SOCKET, SO_RCVLOWAT) < 1 << 24);
    CHECK(set_number(s, SOL_SOCKET, SO_RCVLOWAT, -1) == 0 && number_of(s, SOL_SOCKET, SO_RCVLOWAT) < 1 << 24);
    close(s), close(l);
}
