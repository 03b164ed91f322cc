// SPDX-License-Identifier: MIT
// What somebody does in a network of his own keeps nobody waiting in another one, however much he has there.
#include "netlink.h"
#include <sched.h>
#include <sys/resource.h>

#define ROUTES    4000
#define ADDRESSES 1000
#define MEMBERS   900

static int own; // a netlink socket of the network

// ---- what he has

static void set_lo(int up) {
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(ioctl(s, SIOCSIFFLAGS, &r) == 0 && close(s) == 0);
}

static void do_all(int type, int first, int count, struct request (*make)(int type, int n)) {
    for (int n = first; n < first + count; n++)
        CHECK(answer_of(own, make(type, n)) == 0);
}

// Of IPv4 or, from 10,000 on, IPv6.
static struct request route(int type, int n) {
    int six = n >= 10000;
    struct rtmsg h = {.rtm_family = six ? AF_INET6 : AF_INET,
                      .rtm_dst_len = six ? 128 : 32,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_protocol = RTPROT_BOOT,
                      .rtm_scope = six ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                      .rtm_type = RTN_UNICAST};
    struct request r = request(type, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h));
    unsigned char to[16] = {10, 1, (unsigned char)(n >> 8), (unsigned char)n};
    if (six)
        to[0] = 0xfc;
    attribute(&r, RTA_DST, to, six ? 16 : 4);
    attribute_u32(&r, RTA_OIF, 1);
    return r;
}

// All of one prefix, so that they are secondary to the first.
static struct request address(int type, int n) {
    struct ifaddrmsg h = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = 1};
    struct request r = request(type, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h));
    unsigned char a[4] = {10, 2, (unsigned char)(n >> 8), (unsigned char)(n + 1)};
    attribute(&r, IFA_LOCAL, a, 4);
    attribute(&r, IFA_ADDRESS, a, 4);
    return r;
}

static void listen_to_all(void) {
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = ~0u};
    struct rlimit many = {MEMBERS + 100, MEMBERS + 100};
    CHECK(setrlimit(RLIMIT_NOFILE, &many) == 0);
    for (int n = 0; n < MEMBERS; n++)
        CHECK(bind(open_netlink(NETLINK_ROUTE), (void *)&a, sizeof(a)) == 0);
}

// ---- how long others wait

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct deed {
    void (*prepare)(void);
    void (*run)(void);
};

static void do_it(const struct deed *d, int in, int out) {
    char byte;
    CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
    own = open_netlink(NETLINK_ROUTE);
    set_lo(1);
    d->prepare();
    CHECK(write(out, "", 1) == 1 && read(in, &byte, 1) == 1);
    double time = now();
    d->run();
    time = now() - time;
    CHECK(write(out, &time, sizeof(time)) == sizeof(time));
    _exit(0);
}

// Somebody in another network, who asks for nothing but a name.
static void nobody_waits_for(const struct deed *d) {
    int to[2], from[2], s = socket(AF_INET, SOCK_STREAM, 0);
    double longest = 0, all;
    char byte;
    CHECK(pipe(to) == 0 && pipe(from) == 0);
    pid_t pid = fork();
    if (!pid)
        do_it(d, to[0], from[1]);
    CHECK(read(from[0], &byte, 1) == 1 && write(to[1], "", 1) == 1);
    struct pollfd p = {.fd = from[0], .events = POLLIN};
    while (!poll(&p, 1, 0)) {
        struct sockaddr_in a;
        socklen_t len = sizeof(a);
        double start = now();
        CHECK(getsockname(s, (void *)&a, &len) == 0);
        double took = now() - start;
        longest = took > longest ? took : longest;
        sched_yield();
    }
    CHECK(read(from[0], &all, sizeof(all)) == sizeof(all) && waitpid(pid, NULL, 0) == pid);
    printf("%.1f ms of %.1f ms\n", longest * 1000, all * 1000);
    CHECK(longest < all / 4 + 0.02);
}

// ---- deeds

static void have_routes(void) {
    do_all(RTM_NEWROUTE, 0, ROUTES, route);
}

static void have_routes_and_members(void) {
    have_routes();
    listen_to_all();
}

static void take_lo_down(void) {
    set_lo(0);
}

TEST(who_takes_down_thousands_of_routes_and_has_hundreds_listen_keeps_nobody_waiting) {
    nobody_waits_for(&(struct deed){have_routes_and_members, take_lo_down});
}

static void have_addresses(void) {
    do_all(RTM_NEWADDR, 0, ADDRESSES, address);
    do_all(RTM_NEWROUTE, 0, ROUTES - ADDRESSES, route);
}

static void remove_the_first(void) {
    CHECK(answer_of(own, address(RTM_DELADDR, 0)) == 0);
}

TEST(who_takes_away_a_thousand_addresses_at_once_keeps_nobody_waiting) {
    nobody_waits_for(&(struct deed){have_addresses, remove_the_first});
}

static void have_routes_of_both(void) {
    do_all(RTM_NEWROUTE, 0, ROUTES / 2, route);
    do_all(RTM_NEWROUTE, 10000, ROUTES / 2, route);
}

static void read_all(void) {
    test_read_to_end(open("/proc/self/net/route", O_RDONLY));
    test_read_to_end(open("/proc/self/net/ipv6_route", O_RDONLY));
    CHECK(count_of(RTM_GETROUTE, AF_UNSPEC, RTM_NEWROUTE, NULL, NULL) >= ROUTES);
}

TEST(who_reads_thousands_of_routes_keeps_nobody_waiting) {
    nobody_waits_for(&(struct deed){have_routes_of_both, read_all});
}
