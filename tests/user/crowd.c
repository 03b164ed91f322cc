// SPDX-License-Identifier: MIT
// Ten thousand connections at once, both ends of them, for a machine with 256 MiB (tests/boot/test_strength.py). All of them
// carry a byte both ways and are closed, and nothing is left behind. The same program passes on Linux.
#include "inet.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define COUNT 10000

static int end_of[COUNT][2];
static struct epoll_event got[512];

static void allow_files(void) {
    struct rlimit limit = {2 * COUNT + 100, 2 * COUNT + 100};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

// How many sockets of TCP have a file.
static long sockets_in_use(void) {
    return test_number_in("/proc/net/sockstat", "TCP: inuse ");
}

static void connect_all(void) {
    int port, l = listener(&port, 128);
    for (int i = 0; i < COUNT; i++) {
        struct linger reset = {1, 0}; // so that no end waits for the other's last words
        end_of[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(setsockopt(end_of[i][0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
        CHECK(connect4(end_of[i][0], "127.0.0.1", port) == 0 && (end_of[i][1] = accept(l, NULL, NULL)) >= 0);
    }
    CHECK(close(l) == 0);
}

static void close_all(void) {
    for (int i = 0; i < COUNT; i++)
        CHECK(close(end_of[i][0]) == 0 && close(end_of[i][1]) == 0);
}

// One writes to all; the others hear of it by epoll and answer.
static void talk(void) {
    int epoll = epoll_create1(0), n;
    for (int i = 0; i < COUNT; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (unsigned int)i};
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, end_of[i][1], &e) == 0);
        CHECK(write(end_of[i][0], &i, sizeof(i)) == sizeof(i));
    }
    for (int heard = 0; heard < COUNT; heard += n) {
        CHECK((n = epoll_wait(epoll, got, 512, 60000)) > 0);
        for (int k = 0; k < n; k++) {
            unsigned int i = got[k].data.u32, said;
            CHECK(read(end_of[i][1], &said, sizeof(said)) == sizeof(said) && said == i);
            CHECK(write(end_of[i][1], &said, sizeof(said)) == sizeof(said));
        }
    }
    for (int i = 0, said; i < COUNT; i++)
        CHECK(read(end_of[i][0], &said, sizeof(said)) == sizeof(said) && said == i);
    CHECK(close(epoll) == 0);
}

TEST(ten_thousand_connections_at_once) {
    allow_files();
    long before = sockets_in_use();
    connect_all();
    CHECK(sockets_in_use() == before + 2 * COUNT);
    talk();
    close_all();
    CHECK(sockets_in_use() == before);
}

TEST(ten_thousand_pairs_of_UNIX_sockets_at_once) {
    allow_files();
    for (int i = 0; i < COUNT; i++)
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, end_of[i]) == 0);
    talk();
    close_all();
}
