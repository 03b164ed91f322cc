// SPDX-License-Identifier: MIT
// TCP between two sockets of one machine, where the kernel may do without segments: nothing tells. The same program passes on Linux.
#include "inet.h"
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>

static char buffer[1 << 20];
static int c, d; // both ends

static void connect_with(int sndbuf, int rcvbuf) {
    int port, l = listener(&port, 1);
    if (rcvbuf)
        CHECK(set_number(l, SOL_SOCKET, SO_RCVBUF, rcvbuf) == 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    if (sndbuf)
        CHECK(set_number(c, SOL_SOCKET, SO_SNDBUF, sndbuf) == 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0 && close(l) == 0);
}

static int ask(int s, unsigned long what) {
    int n = -1;
    CHECK(ioctl(s, what, &n) == 0);
    return n;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Byte `at` of a stream.
static char byte_at(size_t at) {
    return (char)(at * 7 + (at >> 8) * 3 + (at >> 16));
}

static void make(char *to, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = byte_at(at + i);
}

static bool is_right(const char *from, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (from[i] != byte_at(at + i))
            return false;
    return true;
}

// Writes until there is no room. How much went.
static size_t fill(void) {
    size_t n = 0;
    CHECK(fcntl(c, F_SETFL, O_NONBLOCK) == 0);
    for (;;) {
        size_t part = 1 + n % 50000;
        make(buffer, n, part);
        ssize_t sent = write(c, buffer, part);
        if (sent < 0)
            break;
        n += (size_t)sent;
    }
    CHECK(errno == EAGAIN);
    return n;
}

// Reads what is behind the first `at` bytes, to the end. Where that was.
static size_t read_rest(size_t at) {
    for (ssize_t n; (n = recv(d, buffer, 30000, 0)) > 0; at += (size_t)n)
        CHECK(is_right(buffer, at, (size_t)n));
    return at;
}

static size_t read_all(void) {
    return read_rest(0);
}

// ---- both buffers

static void filled_buffers_tell(int sndbuf, int rcvbuf) {
    connect_with(sndbuf, rcvbuf);
    size_t n = fill();
    usleep(100000);
    int out = ask(c, SIOCOUTQ), in = ask(d, FIONREAD);
    CHECK(out > 0 && in > 0 && (size_t)out + (size_t)in == n);
    CHECK(ask(c, SIOCOUTQNSD) > 0 && ask(c, SIOCOUTQNSD) <= out);
    CHECK(!(poll_now(c) & POLLOUT) && poll_now(d) & POLLIN);
    for (size_t at = 0; at < n;) {
        ssize_t got = recv(d, buffer, 30000, 0);
        CHECK(got > 0 && is_right(buffer, at, (size_t)got));
        at += (size_t)got;
    }
    CHECK(poll_for(c, POLLOUT) & POLLOUT);
    usleep(300000);
    CHECK(ask(c, SIOCOUTQ) == 0 && ask(d, FIONREAD) == 0 && write(c, "x", 1) == 1);
    CHECK(recv(d, buffer, 10, 0) == 1 && buffer[0] == 'x');
}

TEST(what_is_not_read_is_told_at_both_ends) {
    filled_buffers_tell(0, 0);
}

TEST(small_buffers_fill_and_go_on) {
    filled_buffers_tell(20000, 8192);
}

#define PLACE "10.9.8.7"

static void put_place(bool there) {
    struct ifreq r = {.ifr_name = "lo:9"};
    struct sockaddr_in *a = (void *)&r.ifr_addr;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    *a = v4(PLACE, 0);
    if (!there)
        r.ifr_flags = 0;
    CHECK(ioctl(s, there ? SIOCSIFADDR : SIOCSIFFLAGS, &r) == 0 && close(s) == 0);
}

static size_t read_what_is_there(size_t at) {
    for (ssize_t n; (n = recv(d, buffer, 30000, MSG_DONTWAIT)) > 0; at += (size_t)n)
        CHECK(is_right(buffer, at, (size_t)n));
    return at;
}

// Both ends at PLACE, and no room left at c. How much went.
static size_t connect_at_place_and_fill(void) {
    put_place(true);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(l, PLACE, 0) == 0 && listen(l, 1) == 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind4(c, PLACE, 0) == 0 && connect4(c, PLACE, port_of(l)) == 0);
    CHECK((d = accept(l, NULL, NULL)) >= 0 && close(l) == 0);
    size_t n = fill();
    CHECK(!(poll_now(c) & POLLOUT));
    return n;
}

// What is written meanwhile cannot arrive. Then all is as it was, and there is room.
TEST(who_has_no_room_hears_of_it_though_the_address_was_away) {
    size_t n = connect_at_place_and_fill(), at = 0;
    put_place(false);
    (void)!send(d, "x", 1, MSG_DONTWAIT); // finds that there is no way
    at = read_what_is_there(at);
    put_place(true);
    struct pollfd p = {c, POLLOUT, 0};
    for (double end = seconds() + 20; !poll(&p, 1, 100) && seconds() < end;)
        at = read_what_is_there(at);
    CHECK(p.revents & POLLOUT);
    CHECK(close(c) == 0);
    CHECK(read_rest(at) == n);
}

// The reset that is for it cannot arrive.
TEST(who_has_no_room_hears_of_an_end_that_went_while_the_address_was_away) {
    int err = 0;
    signal(SIGPIPE, SIG_IGN);
    connect_at_place_and_fill();
    put_place(false);
    CHECK(close(d) == 0);
    put_place(true);
    for (double end = seconds() + 20; err != ECONNRESET && seconds() < end;) {
        struct pollfd p = {c, POLLOUT, 0};
        if (poll(&p, 1, 100))
            err = write(c, buffer, 1) < 0 ? errno : 0;
    }
    CHECK(err == ECONNRESET);
}

static void *close_it(void *arg) {
    close(*(int *)arg);
    return NULL;
}

// No room in between.
TEST(who_has_no_room_hears_first_that_the_other_end_has_gone) {
    for (int i = 0; i < 50; i++) {
        pthread_t t;
        connect_with(4096, 4096);
        do { // Linux makes some more room of what has arrived
            fill();
            usleep(20000);
        } while (poll_now(c) & POLLOUT);
        CHECK(pthread_create(&t, NULL, close_it, &d) == 0);
        CHECK(poll_for(c, POLLOUT) & POLLERR);
        CHECK(pthread_join(t, NULL) == 0 && close(c) == 0);
    }
}

TEST(end_comes_right_behind_full_buffers) {
    connect_with(0, 0);
    size_t n = fill();
    CHECK(shutdown(c, SHUT_WR) == 0);
    double from = seconds();
    CHECK(read_all() == n && seconds() - from < 5);
    CHECK(write(d, "back", 4) == 4 && fcntl(c, F_SETFL, 0) == 0 && recv(c, buffer, 10, 0) == 4);
}

TEST(all_arrives_from_one_who_has_closed) {
    connect_with(0, 8192);
    size_t n = fill();
    CHECK(close(c) == 0 && read_all() == n);
}

// The end goes with the last segment, of which the window takes a part alone: the timer that looks for a way on cuts it. Here the window is
// some bytes larger than what the sender was told of, so that there is room for the end, too.
TEST(end_stays_behind_a_segment_that_is_cut) {
    for (size_t last = 1000; last <= 9000; last += 8000) {
        connect_with(0, 0);
        size_t n = 0;
        for (size_t part; n < 300000 + last; n += part) {
            part = n < 300000 ? 30000 : last;
            make(buffer, n, part);
            CHECK(send(c, buffer, part, part == last ? MSG_MORE : 0) == (ssize_t)part);
        }
        CHECK(shutdown(c, SHUT_WR) == 0);
        CHECK(recv(d, buffer, 37927, MSG_WAITALL) == 37927 && is_right(buffer, 0, 37927));
        usleep(2500000);
        CHECK(read_rest(37927) == n);
        CHECK(close(c) == 0 && close(d) == 0);
    }
}

TEST(half_closed_connection_carries_the_other_way) {
    connect_with(0, 0);
    CHECK(shutdown(d, SHUT_WR) == 0 && recv(c, buffer, 10, 0) == 0);
    for (int i = 0; i < 100; i++) {
        make(buffer, 0, 5000);
        CHECK(write(c, buffer, 5000) == 5000 && recv(d, buffer, 5000, MSG_WAITALL) == 5000 &&
              is_right(buffer, 0, 5000));
    }
}

TEST(what_was_not_read_goes_with_its_connection) {
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int port, l = listener(&port, 1), e;
    connect_with(0, 0);
    CHECK(fill() > 0 && ask(d, FIONREAD) > 0 && connect(d, &nobody, sizeof(nobody)) == 0);
    CHECK(connect4(d, "127.0.0.1", port) == 0 && (e = accept(l, NULL, NULL)) >= 0 && ask(d, FIONREAD) == 0);
    CHECK(write(e, "hello", 5) == 5 && read(d, buffer, sizeof(buffer)) == 5 && !memcmp(buffer, "hello", 5));
}

static void *read_later(void *arg) {
    (void)arg;
    usleep(300000);
    CHECK(read_all() == *(size_t *)arg);
    return NULL;
}

TEST(lingering_close_waits_for_the_reader) {
    struct linger l = {1, 20};
    pthread_t t;
    connect_with(0, 0);
    CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
    size_t n = fill();
    CHECK(fcntl(c, F_SETFL, 0) == 0 && pthread_create(&t, NULL, read_later, &n) == 0);
    double from = seconds();
    CHECK(close(c) == 0 && seconds() - from > 0.2 && seconds() - from < 15);
    CHECK(pthread_join(t, NULL) == 0);
}

TEST(user_timeout_ends_what_nobody_reads) {
    struct pollfd p = {.events = POLLIN};
    connect_with(0, 8192);
    CHECK(set_number(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000) == 0);
    fill();
    p.fd = c;
    CHECK(poll(&p, 1, 30000) == 1 && p.revents & POLLERR && number_of(c, SOL_SOCKET, SO_ERROR) == ETIMEDOUT);
}

// ---- who looks on

TEST(raw_socket_sees_what_goes_by) {
    char packet[2000];
    int seen = 0;
    connect_with(0, 0);
    CHECK(write(c, "before", 6) == 6 && recv(d, buffer, 10, 0) == 6);
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
    CHECK(raw >= 0 && write(c, "plainly", 7) == 7 && recv(d, buffer, 10, 0) == 7);
    for (ssize_t n; !seen && (n = recv(raw, packet, sizeof(packet), 0)) > 0;)
        seen = memmem(packet, (size_t)n, "plainly", 7) != NULL;
    CHECK(seen && close(raw) == 0 && write(c, "after", 5) == 5 && recv(d, buffer, 10, 0) == 5);
}

static long loopback_bytes(void) {
    return test_number_in("/proc/net/dev", "lo:");
}

TEST(loopback_counts_what_goes_by) {
    long from = loopback_bytes();
    connect_with(0, 0);
    for (int i = 0; i < 10; i++)
        CHECK(write(c, buffer, 10000) == 10000 && recv(d, buffer, 10000, MSG_WAITALL) == 10000);
    CHECK(loopback_bytes() - from >= 100000);
}

TEST(far_ends_are_not_heard) {
    connect_with(0, 0);
    CHECK(write(c, "near", 4) == 4 && recv(d, buffer, 10, 0) == 4);
    CHECK(set_number(d, IPPROTO_IP, IP_MINTTL, 200) == 0 && write(c, "far", 3) == 3);
    usleep(100000);
    CHECK_ERRNO(recv(d, buffer, 10, MSG_DONTWAIT), EAGAIN);
    CHECK(set_number(d, IPPROTO_IP, IP_MINTTL, 0) == 0 && recv(d, buffer, 10, 0) == 3);
}

// ---- everything at once

#define STREAM (8u << 20)

static atomic_bool over;

// Raw sockets come and go, and with them the reason for segments.
static void *look_on(void *arg) {
    (void)arg;
    while (!over) {
        int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
        usleep(3000);
        close(raw);
        usleep(3000);
    }
    return NULL;
}

static void *ask_on(void *arg) {
    struct tcp_info info;
    (void)arg;
    while (!over) {
        socklen_t len = sizeof(info);
        CHECK(ask(c, SIOCOUTQ) >= 0 && ask(d, FIONREAD) >= 0);
        CHECK(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
        usleep(1000);
    }
    return NULL;
}

static unsigned int next(unsigned int *state) {
    *state = *state * 1103515245 + 12345;
    return *state >> 16;
}

static void send_in_all_ways(void) {
    static char out[70000];
    unsigned int r = 1;
    int file = memfd_create("file", 0);
    for (size_t at = 0, n; at < STREAM; at += n) {
        n = 1 + (next(&r) % 8 ? next(&r) % 3000 : next(&r) % 66000);
        n = n < STREAM - at ? n : STREAM - at;
        make(out, at, n);
        switch (next(&r) % 8) {
        case 0:
            CHECK(send(c, out, n, MSG_MORE) == (ssize_t)n);
            break;
        case 1:
            CHECK(send(c, out, n, MSG_OOB) == (ssize_t)n);
            break;
        case 2: {
            off_t pos = 0;
            CHECK(ftruncate(file, 0) == 0 && pwrite(file, out, n, 0) == (ssize_t)n);
            while (pos < (off_t)n)
                CHECK(sendfile(c, file, &pos, n - (size_t)pos) > 0);
            close(file); // its pages are under way
            file = memfd_create("file", 0);
            break;
        }
        case 3:
            CHECK(set_number(c, IPPROTO_TCP, TCP_CORK, 1) == 0 && write(c, out, n) == (ssize_t)n);
            CHECK(set_number(c, IPPROTO_TCP, TCP_CORK, 0) == 0);
            break;
        default:
            CHECK(write(c, out, n) == (ssize_t)n);
        }
    }
    CHECK(shutdown(c, SHUT_WR) == 0);
}

static void *receive_in_all_ways(void *arg) {
    unsigned int r = 2;
    size_t at = 0;
    (void)arg;
    for (;;) {
        size_t n = 1 + (next(&r) % 4 ? next(&r) % 9000 : next(&r) % 300000);
        int flags = next(&r) % 8 ? 0 : MSG_PEEK;
        ssize_t got = recv(d, buffer, n, flags);
        CHECK(got >= 0 && is_right(buffer, at, (size_t)got));
        if (!got)
            break;
        at += flags ? 0 : (size_t)got;
        if (next(&r) % 512 == 0)
            usleep(20000);
    }
    CHECK(at == STREAM);
    return NULL;
}

static void stream_arrives(int sndbuf, int rcvbuf) {
    pthread_t reader, on, asks;
    connect_with(sndbuf, rcvbuf);
    CHECK(set_number(d, SOL_SOCKET, SO_OOBINLINE, 1) == 0);
    CHECK(pthread_create(&reader, NULL, receive_in_all_ways, NULL) == 0);
    CHECK(pthread_create(&on, NULL, look_on, NULL) == 0 && pthread_create(&asks, NULL, ask_on, NULL) == 0);
    send_in_all_ways();
    CHECK(pthread_join(reader, NULL) == 0);
    over = true;
    CHECK(pthread_join(on, NULL) == 0 && pthread_join(asks, NULL) == 0);
}

TEST(stream_arrives_whole_whatever_way_it_takes) {
    stream_arrives(0, 0);
}

TEST(stream_arrives_through_small_buffers) {
    stream_arrives(20000, 20000);
}
