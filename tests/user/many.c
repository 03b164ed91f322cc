// SPDX-License-Identifier: MIT
// Many sockets: what one more costs does not follow the number of those that are there already, nor can a user make it do so. All
// is counted in the processor's time, and one count is compared with another.
#include "inet.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>

#define ALONE "127.0.7.7" // no other test leaves connections behind at it
#define RANGE "/proc/sys/net/ipv4/ip_local_port_range"

static void allow_files(rlim_t n) {
    struct rlimit limit = {n, n};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static long cpu_ns(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

// ---- ports

// All ports from 40000 on, `n` of them, are taken; what it costs to be refused another one. The least of some.
static long cost_of_no_port(int type, int n) {
    static int fds[4096];
    char range[32];
    snprintf(range, sizeof(range), "40000 %d", 40000 + n - 1);
    write_text(RANGE, range);
    for (int i = 0; i < n; i++)
        CHECK((fds[i] = socket(AF_INET, type, 0)) >= 0 && bind4(fds[i], ALONE, 0) == 0);
    int s = socket(AF_INET, type, 0);
    long least = 1l << 60;
    for (int i = 0; i < 5; i++) {
        long before = cpu_ns();
        CHECK_ERRNO(bind4(s, ALONE, 0), EADDRINUSE);
        long cost = cpu_ns() - before;
        least = cost < least ? cost : least;
    }
    CHECK(close(fds[n / 2]) == 0 && bind4(s, ALONE, 0) == 0 && port_of(s) >= 40000 && port_of(s) < 40000 + n);
    fds[n / 2] = s;
    for (int i = 0; i < n; i++)
        close(fds[i]);
    return least;
}

static void compare_costs_of_no_port(int type) {
    allow_files(5000);
    long few = cost_of_no_port(type, 250), many = cost_of_no_port(type, 4000);
    write_text(RANGE, "32768 60999");
    if (many >= 64 * few) // sixteen times as many: 16 if each is looked at once, 256 if for each port
        printf("# %ld ns, %ld ns\n", few, many);
    CHECK(many < 64 * few);
}

TEST(no_port_of_udp_is_found_out_in_one_look_at_each) {
    compare_costs_of_no_port(SOCK_DGRAM);
}

TEST(no_port_of_tcp_is_found_out_in_one_look_at_each) {
    compare_costs_of_no_port(SOCK_STREAM);
}

TEST(a_port_is_picked_that_is_free_at_this_address) {
    int here = socket(AF_INET, SOCK_DGRAM, 0), there = socket(AF_INET, SOCK_DGRAM, 0),
        third = socket(AF_INET, SOCK_DGRAM, 0);
    write_text(RANGE, "40000 40000");
    int first = bind4(here, "127.0.0.1", 0), second = bind4(there, "127.0.0.2", 0),
        again = bind4(third, "127.0.0.1", 0);
    write_text(RANGE, "32768 60999");
    CHECK(first == 0 && second == 0 && again == -1 && port_of(here) == 40000 && port_of(there) == 40000);
}

// ---- connections

#define MANY 3000

static int ends[2 * MANY];

static void connect_many(int from, int to) {
    int port, l = listener(&port, 128);
    for (int i = from; i < to; i++) {
        CHECK((ends[2 * i] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
        CHECK(connect4(ends[2 * i], "127.0.0.1", port) == 0 &&
              (ends[2 * i + 1] = accept(l, NULL, NULL)) >= 0);
    }
    close(l);
}

// A byte over each connection of some and back: what one costs. The least of what it is for parts of them: the time is also others'.
static long cost_of_a_byte(int n) {
    char byte = 'b';
    long least = 1l << 60;
    for (int i = 0; i < n; i += 100) {
        long before = cpu_ns();
        for (int c = i; c < i + 100; c++)
            CHECK(write(ends[2 * c], &byte, 1) == 1 && read(ends[2 * c + 1], &byte, 1) == 1 &&
                  write(ends[2 * c + 1], &byte, 1) == 1 && read(ends[2 * c], &byte, 1) == 1);
        long cost = cpu_ns() - before;
        least = cost < least ? cost : least;
    }
    return least / 100;
}

TEST(a_byte_costs_the_same_among_many_connections) {
    allow_files(2 * MANY + 100);
    connect_many(0, 100);
    long few = 1l << 60, cost;
    for (int i = 0; i < 5; i++)
        few = (cost = cost_of_a_byte(100)) < few ? cost : few;
    connect_many(100, MANY);
    long many = cost_of_a_byte(MANY);
    if (many >= 3 * few)
        printf("# %ld ns, %ld ns\n", few, many);
    CHECK(many < 3 * few);
    for (int i = 0; i < 2 * MANY; i += 2) // each end in turn is the first
        CHECK(close(ends[i + i / 2 % 2]) == 0);
    for (int i = 0; i < 2 * MANY; i += 2) {
        char byte;
        CHECK(read(ends[i + !(i / 2 % 2)], &byte, 1) == 0 && close(ends[i + !(i / 2 % 2)]) == 0);
    }
}

// ---- signalfds

#define WATCHED 2000

static sigset_t one_signal(int sig) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    return set;
}

static int take_signal(int sig) {
    sigset_t set = one_signal(sig);
    struct timespec now = {0, 0};
    return sigtimedwait(&set, NULL, &now);
}

// What it costs to send the process a signal that is read from files. The least of some.
static long cost_of_a_signal(void) {
    long least = 1l << 60;
    for (int i = 0; i < 10; i++) {
        long before = cpu_ns();
        CHECK(kill(getpid(), SIGUSR1) == 0);
        long cost = cpu_ns() - before;
        CHECK(take_signal(SIGUSR1) == SIGUSR1);
        least = cost < least ? cost : least;
    }
    return least;
}

TEST(signal_costs_its_sender_the_same_however_many_files_tell_of_it) {
    sigset_t set = one_signal(SIGUSR1);
    allow_files(WATCHED + 100);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    long few = cost_of_a_signal();
    for (int i = 0; i < WATCHED; i++) {
        int fd = signalfd(-1, &set, 0);
        CHECK(fd >= 0 && test_poll(fd, POLLIN) == 0);
        struct pollfd p = {fd, POLLIN, 0};
        CHECK(poll(&p, 1, 1) == 0); // is to be woken from now on
    }
    long many = cost_of_a_signal();
    if (many >= 8 * few)
        printf("# %ld ns, %ld ns\n", few, many);
    CHECK(many < 8 * few);
}

// And each is told: a set of all of them has them all.
TEST(all_of_many_signalfds_tell) {
    sigset_t set = one_signal(SIGUSR1);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got[64];
    int epoll = epoll_create1(0), found = 0, n;
    static char seen[300];
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < 300; i++) {
        int fd = signalfd(-1, &set, 0);
        e.data.u32 = (unsigned int)i;
        CHECK(fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0);
    }
    for (int round = 0; round < 3; round++) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        memset(seen, 0, sizeof(seen));
        for (found = 0; found < 300 && (n = epoll_wait(epoll, got, 64, 10000)) > 0;)
            for (int i = 0; i < n; i++) {
                found += !seen[got[i].data.u32];
                seen[got[i].data.u32] = 1;
            }
        CHECK(found == 300 && take_signal(SIGUSR1) == SIGUSR1);
    }
}
