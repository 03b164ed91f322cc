// SPDX-License-Identifier: MIT
// Networks are made, entered, used, read and left at the same moment.
#include "races.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PORT 7070

TEST_DIRECTORY(0777)

static atomic_int leavers; // descriptors of a network that threads enter

static void set_lo(bool up) {
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(s, SIOCSIFFLAGS, &r);
    close(s);
}

static struct sockaddr_in here(void) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0net races"};
#define NAME_LEN (offsetof(struct sockaddr_un, sun_path) + sizeof("\0net races") - 1)

// Listens at a port and a name, and answers nobody.
static void serve(void) {
    struct sockaddr_in a = here();
    int one = 1, l = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bind(l, (void *)&a, sizeof(a));
    listen(l, 64);
    bind(u, (const void *)&name, NAME_LEN);
    listen(u, 64);
}

static void be_resident(void *arg) {
    (void)arg;
    CHECK(!unshare(CLONE_NEWUSER | CLONE_NEWNET));
    set_lo(true);
    serve();
}

static void make_resident(void) {
    make_resident_of(be_resident);
}

static int open_of_resident(const char *file) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", resident, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

// Connections and datagrams, which are left as they are.
static void talk(void) {
    struct sockaddr_in a = here();
    for (int i = 0; i < 6; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), d = socket(AF_INET, SOCK_DGRAM, 0),
            u = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(s, (void *)&a, sizeof(a));
        connect(u, (const void *)&name, NAME_LEN);
        send(s, "text", 4, MSG_NOSIGNAL);
        sendto(d, "text", 4, 0, (void *)&a, sizeof(a));
        if (i & 1)
            close(s);
    }
}

static void enter(void) {
    int users = open_of_resident("ns/user"), nets = open_of_resident("ns/net");
    if (users < 0 || nets < 0 || setns(users, CLONE_NEWUSER) || setns(nets, CLONE_NEWNET))
        return;
    talk();
    set_lo(false);
    set_lo(true);
    talk();
    if (!unshare(CLONE_NEWNET)) {
        set_lo(true);
        serve();
        talk();
    }
}

static void enter_in_a_process(void) {
    in_a_process(enter);
}

static void read_about(void) {
    static const char *const files[] = {"net/tcp",     "net/dev",   "net/unix",
                                        "net/netlink", "net/route", "net/snmp"};
    for (int i = 0; i < 12; i++)
        test_read_to_end(open_of_resident(files[i % 6]));
}

TEST(a_network_ends_while_others_enter_use_and_read_it) {
    static const struct race r = {
        make_resident, {enter_in_a_process, end_resident, read_about, enter_in_a_process}, NULL};
    CHECK(run_race(&r) > 0);
}

// Threads of one process: some make sockets while another goes from network to network.
static void go_elsewhere(void) {
    int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 4; i++)
        if (!unshare(CLONE_NEWNET)) {
            int s = socket(AF_INET, SOCK_STREAM, 0), n = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
            set_lo(true);
            CHECK(!setns(back, CLONE_NEWNET));
            close(s);
            close(n);
        }
    close(back);
}

static void make_sockets(void) {
    for (int i = 0; i < 8; i++) {
        int s = socket(AF_INET, i & 1 ? SOCK_STREAM : SOCK_DGRAM, 0),
            n = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
        struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
        bind(n, (void *)&a, sizeof(a));
        close(s);
        close(n);
    }
}

static void enter_and_leave(void) {
    int there = leavers, back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (!setns(there, CLONE_NEWNET)) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(!setns(back, CLONE_NEWNET));
        close(s);
    }
    close(back);
}

static void make_leavers(void) {
    int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(back >= 0 && !unshare(CLONE_NEWNET));
    leavers = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(leavers >= 0 && !setns(back, CLONE_NEWNET) && !close(back));
}

static void close_leavers(void) {
    close(leavers);
}

TEST(threads_change_their_network_while_others_make_sockets) {
    static const struct race r = {
        make_leavers, {go_elsewhere, make_sockets, enter_and_leave, enter_and_leave}, close_leavers};
    CHECK(run_race(&r) > 0);
}

// A socket is all that keeps its network, and goes while it is used.
static atomic_int last;

static void make_last(void) {
    int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(back >= 0 && !unshare(CLONE_NEWNET));
    set_lo(true);
    serve();
    struct sockaddr_in a = here();
    last = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!connect(last, (void *)&a, sizeof(a)));
    for (int fd = 3; fd < 64; fd++)
        if (fd != last && fd != back)
            close(fd);
    CHECK(!setns(back, CLONE_NEWNET) && !close(back));
}

static void use_last(void) {
    struct ifconf c = {0};
    for (int i = 0; i < 4; i++) {
        send(last, "text", 4, MSG_NOSIGNAL | MSG_DONTWAIT);
        ioctl(last, SIOCGIFCONF, &c);
    }
}

static void close_last(void) {
    close(last);
}

TEST(the_last_socket_of_a_network_goes_while_it_is_used) {
    static const struct race r = {make_last, {use_last, close_last, use_last}, NULL};
    CHECK(run_race(&r) > 0);
}
