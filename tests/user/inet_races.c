// SPDX-License-Identifier: MIT
// Two or more at the same socket of AF_INET at once (races.c tells what a race is).
#include "inet.h"
#include "races.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>

static int l, c, d, port;
static atomic_int bound[2];

static bool is_one_of(int err, const int *errors) {
    while (*errors && *errors != err)
        errors++;
    return *errors != 0;
}
#define CHECK_ONE_OF(call, ...) CHECK((call) >= 0 || is_one_of(errno, (const int[]){__VA_ARGS__, 0}))

static void make_listener(void) {
    l = listener(&port, 4);
    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(c >= 0);
}

static void make_connection(void) {
    make_listener();
    (void)connect4(c, "127.0.0.1", port);
    CHECK((d = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0);
}

static void close_both(void) {
    CHECK(close(c) == 0 && close(l) == 0);
}

static void close_all(void) {
    close_both();
    CHECK(close(d) == 0);
}

// ---- one socket that several connect, end and ask

static void connect_it(void) {
    CHECK_ONE_OF(connect4(c, "127.0.0.1", port), EINPROGRESS, EALREADY, EISCONN, ECONNREFUSED, ECONNRESET,
                 ECONNABORTED, EPIPE, ETIMEDOUT, EADDRNOTAVAIL, EINVAL);
}

static void dissolve_it(void) {
    struct sockaddr a = {.sa_family = AF_UNSPEC};
    CHECK(connect(c, &a, sizeof(a)) == 0);
}

static void shut_it_down(void) {
    CHECK_ONE_OF(shutdown(c, SHUT_RDWR), ENOTCONN);
}

static void take_what_comes(void) {
    for (int i = 0; i < 3; i++) {
        char byte = 'x';
        int s = accept(l, NULL, NULL);
        CHECK(s >= 0 || errno == EAGAIN || errno == EINVAL || errno == ECONNABORTED);
        if (s < 0)
            continue;
        CHECK_ONE_OF(send(s, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT), EPIPE, ECONNRESET, EAGAIN);
        CHECK(close(s) == 0);
    }
}

static void set_and_ask(void) {
    struct linger hard = {1, 0};
    struct tcp_info info;
    struct sockaddr_storage a;
    socklen_t len = sizeof(info), size = sizeof(a);
    CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
    CHECK(set_number(c, IPPROTO_TCP, TCP_NODELAY, 1) == 0 && set_number(c, IPPROTO_TCP, TCP_CORK, 1) == 0 &&
          set_number(c, SOL_SOCKET, SO_RCVBUF, 4096) == 0 && set_number(c, IPPROTO_TCP, TCP_CORK, 0) == 0);
    CHECK(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
    CHECK_ONE_OF(getpeername(c, (void *)&a, &size), ENOTCONN);
}

TEST(a_socket_is_connected_dissolved_and_accepted_at_once) {
    run_race(
        &(struct race){make_listener, {connect_it, dissolve_it, take_what_comes, connect_it}, close_both});
}

TEST(a_socket_is_connected_shut_down_and_asked_at_once) {
    run_race(
        &(struct race){make_listener, {connect_it, shut_it_down, take_what_comes, set_and_ask}, close_both});
}

// ---- a listener that ends and begins

static void listen_anew(void) {
    CHECK_ONE_OF(shutdown(l, SHUT_RD), ENOTCONN);
    CHECK_ONE_OF(listen(l, 4), EINVAL, EADDRINUSE);
}

static void defer(void) {
    CHECK(set_number(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1) == 0);
    CHECK(set_number(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0) == 0);
}

TEST(a_listener_ends_and_begins_while_somebody_connects) {
    run_race(&(struct race){make_listener, {connect_it, take_what_comes, listen_anew, defer}, close_both});
}

// ---- data, while the connection ends

static char bytes[70000];

static void write_some(void) {
    for (int i = 0; i < 4; i++)
        CHECK_ONE_OF(send(c, bytes, sizeof(bytes), MSG_NOSIGNAL), EPIPE, ECONNRESET, EAGAIN, ENOTCONN);
}

static void read_some(void) {
    static char to[70000];
    for (int i = 0; i < 4; i++)
        CHECK_ONE_OF(recv(d, to, sizeof(to), 0), EAGAIN, ECONNRESET, EPIPE, ENOTCONN);
}

static void end_of_one(void) {
    CHECK_ONE_OF(shutdown(d, SHUT_WR), ENOTCONN);
    CHECK_ONE_OF(shutdown(c, SHUT_RD), ENOTCONN);
}

static void urgent(void) {
    CHECK_ONE_OF(send(c, "u", 1, MSG_OOB | MSG_NOSIGNAL), EPIPE, ECONNRESET, EAGAIN, ENOTCONN);
    CHECK_ONE_OF(recv(d, &(char){0}, 1, MSG_OOB), EAGAIN, EINVAL, ECONNRESET, ENOTCONN);
}

TEST(data_travels_while_the_connection_ends) {
    run_race(&(struct race){make_connection, {write_some, read_some, end_of_one, urgent}, close_all});
}

// The peer's descriptor is closed with data underway, to it and from it.
static void close_peer(void) {
    CHECK_ONE_OF(send(d, bytes, 1000, MSG_NOSIGNAL), EPIPE, ECONNRESET, EAGAIN);
    CHECK(close(d) == 0);
}

static void read_at_c(void) {
    char to[1000];
    for (int i = 0; i < 4; i++)
        CHECK_ONE_OF(recv(c, to, sizeof(to), 0), EAGAIN, ECONNRESET, EPIPE, ENOTCONN);
}

TEST(a_peer_goes_with_data_underway) {
    run_race(&(struct race){make_connection, {write_some, read_at_c, close_peer, set_and_ask}, close_both});
}

// ---- names

static void make_two(void) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    d = socket(AF_INET, SOCK_STREAM, 0);
    l = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(c >= 0 && d >= 0 && l >= 0);
}

// A port that the kernel gives nobody by itself: one that it has given may be in use, or have been just now.
static void bind_one(int which) {
    int err = bind4(which ? d : c, "127.0.0.1", 7003);
    CHECK(err == 0 || errno == EADDRINUSE);
    atomic_store(&bound[which], !err);
}
static void bind_first(void) {
    bind_one(0);
}
static void bind_second(void) {
    bind_one(1);
}

static void one_has_it(void) {
    CHECK(atomic_load(&bound[0]) + atomic_load(&bound[1]) == 1);
    close_all();
}

TEST(one_of_two_gets_the_port) {
    run_race(&(struct race){make_two, {bind_first, bind_second}, one_has_it});
}

// ---- datagrams

static void make_datagrams(void) {
    c = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    d = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    l = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(c >= 0 && d >= 0 && l >= 0 && bind4(d, "127.0.0.1", 0) == 0);
    CHECK(set_number(c, IPPROTO_IP, IP_RECVERR, 1) == 0);
    port = port_of(d);
}

static void connect_datagrams(void) {
    for (int i = 0; i < 4; i++)
        CHECK_ONE_OF(connect4(c, "127.0.0.1", i % 2 ? port : 9), EAGAIN);
}

static void send_datagrams(void) {
    struct sockaddr_in a = v4("127.0.0.1", port);
    for (int i = 0; i < 4; i++) {
        CHECK_ONE_OF(sendto(c, bytes, 100, 0, (void *)&a, sizeof(a)), EAGAIN, ECONNREFUSED);
        CHECK_ONE_OF(send(c, bytes, 100, 0), EAGAIN, ECONNREFUSED, EDESTADDRREQ);
    }
}

static void receive_datagrams(void) {
    char to[200];
    for (int i = 0; i < 4; i++) {
        CHECK_ONE_OF(recv(d, to, sizeof(to), 0), EAGAIN);
        CHECK_ONE_OF(recv(c, to, sizeof(to), MSG_ERRQUEUE), EAGAIN);
    }
}

TEST(datagrams_travel_while_their_sender_changes_its_peer) {
    run_race(&(struct race){
        make_datagrams, {connect_datagrams, send_datagrams, dissolve_it, receive_datagrams}, close_all});
}
