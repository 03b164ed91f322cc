// SPDX-License-Identifier: MIT
// What may become of a socket of AF_INET between its connections, and options that decide about that. The same program passes on Linux.
#include "inet.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PREFER_BUSY_POLL 69 // SO_..., which not every header has
#define BUSY_POLL_BUDGET 70

#ifndef MSG_PROBE
#define MSG_PROBE 0x10
#endif
#define HANG_UP (POLLIN | POLLOUT | POLLHUP | POLLRDHUP)

static char buffer[1 << 16];
static int c, d, l, port;

static void connect_both(void) {
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
}

static int state_of(int s) {
    struct tcp_info info;
    socklen_t len = sizeof(info);
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
    return info.tcpi_state;
}

static int error_of(int s) {
    return number_of(s, SOL_SOCKET, SO_ERROR);
}

static bool wait_for_line(const char *file, const char *text, bool there) {
    for (int n = 0; n < 500; n++, usleep(10000)) {
        static char all[1 << 16];
        int f = open(file, O_RDONLY);
        ssize_t len = read(f, all, sizeof(all) - 1);
        close(f);
        all[len > 0 ? len : 0] = 0;
        if (!!strstr(all, text) == there)
            return true;
    }
    return false;
}

// ---- one that connects to itself: two SYNs that cross

static void connect_to_itself(int s) {
    CHECK(bind4(s, "127.0.0.1", 0) == 0 && connect4(s, "127.0.0.1", port_of(s)) == 0);
}

TEST(connection_with_itself) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    connect_to_itself(c);
    CHECK(state_of(c) == 1 && write(c, "hello", 5) == 5);
    CHECK(recv(c, buffer, 10, 0) == 5 && !memcmp(buffer, "hello", 5));
    for (int n = 0; n < 20; n++)
        CHECK(write(c, buffer, 30000) == 30000 && recv(c, buffer, 30000, MSG_WAITALL) == 30000);
    CHECK(shutdown(c, SHUT_WR) == 0 && poll_for(c, POLLIN) & POLLIN && recv(c, buffer, 10, 0) == 0);
    CHECK(close(c) == 0);
}

TEST(connection_with_itself_without_blocking) {
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(bind4(c, "127.0.0.1", 0) == 0);
    int r = connect4(c, "127.0.0.1", port_of(c));
    CHECK(r == 0 || errno == EINPROGRESS);
    CHECK(poll_for(c, POLLOUT) == POLLOUT && error_of(c) == 0 && write(c, "x", 1) == 1);
    CHECK(poll_for(c, POLLIN) & POLLIN && read(c, buffer, 10) == 1);
}

// ---- ends and what comes after them

TEST(socket_without_connection_can_be_shut_down) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(poll_now(c) == (POLLOUT | POLLHUP));
    CHECK_ERRNO(recv(c, buffer, 1, 0), ENOTCONN);
    CHECK_ERRNO(shutdown(c, SHUT_RDWR), ENOTCONN);
    CHECK(poll_now(c) == HANG_UP && recv(c, buffer, 1, 0) == 0);
}

TEST(ended_connection_has_to_be_dissolved_before_the_next) {
    connect_both();
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(close(d) == 0 && read(c, buffer, 1) == 0 && shutdown(c, SHUT_WR) == 0);
    CHECK(poll_for(c, POLLHUP) & POLLHUP);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port), EISCONN);
    CHECK_ERRNO(listen(c, 1), EINVAL);
    CHECK(connect(c, &none, sizeof(none)) == 0 && connect4(c, "127.0.0.1", port) == 0);
}

TEST(dissolved_connection_is_an_error_once) {
    connect_both();
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(connect(c, &none, sizeof(none)) == 0);
    CHECK_ERRNO(recv(c, buffer, 1, 0), ECONNRESET);
    CHECK_ERRNO(recv(c, buffer, 1, 0), ENOTCONN);
    CHECK_ERRNO(recv(d, buffer, 1, 0), ECONNRESET);
}

TEST(attempt_that_is_shut_down) {
    // The listener's queue is full, so the SYN is not answered.
    int full[3];
    l = listener(&port, 0);
    for (int n = 0; n < 3; n++) {
        full[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect4(full[n], "127.0.0.1", port);
    }
    usleep(50000);
    c = full[2];
    CHECK(!(poll_now(c) & POLLOUT) && shutdown(c, SHUT_RDWR) == 0);
    CHECK(poll_now(c) & POLLHUP && error_of(c) == ECONNRESET);
}

// ---- options

TEST(linger2_has_its_range) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(number_of(c, IPPROTO_TCP, TCP_LINGER2) == 60);
    CHECK(set_number(c, IPPROTO_TCP, TCP_LINGER2, 5) == 0 && number_of(c, IPPROTO_TCP, TCP_LINGER2) == 5);
    CHECK(set_number(c, IPPROTO_TCP, TCP_LINGER2, -7) == 0 && number_of(c, IPPROTO_TCP, TCP_LINGER2) == -1);
    CHECK(set_number(c, IPPROTO_TCP, TCP_LINGER2, 5000) == 0 &&
          number_of(c, IPPROTO_TCP, TCP_LINGER2) == 120);
    CHECK(set_number(c, IPPROTO_TCP, TCP_LINGER2, 0) == 0 && number_of(c, IPPROTO_TCP, TCP_LINGER2) == 60);
}

// Closed, with the other end open: after so long nobody is there any more, and what the other end sends is refused.
TEST(linger2_ends_half_a_connection) {
    connect_both();
    signal(SIGPIPE, SIG_IGN);
    CHECK(set_number(c, IPPROTO_TCP, TCP_LINGER2, 1) == 0 && close(c) == 0 && read(d, buffer, 1) == 0);
    sleep(2);
    CHECK(state_of(d) == 8); // CLOSE_WAIT: it was told nothing
    CHECK(write(d, "x", 1) == 1 && poll_for(d, POLLHUP) & POLLHUP);
    CHECK_ERRNO(write(d, "x", 1), EPIPE);
}

TEST(linger2_below_zero_resets) {
    connect_both();
    CHECK(set_number(c, IPPROTO_TCP, TCP_LINGER2, -1) == 0 && close(c) == 0);
    CHECK(poll_for(d, POLLERR) & POLLERR);
}

static int connects_with_ttl(int ttl) {
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(set_number(c, IPPROTO_IP, IP_TTL, ttl) == 0);
    (void)connect4(c, "127.0.0.1", port);
    struct pollfd f = {c, POLLOUT, 0};
    int there = poll(&f, 1, 300);
    return there == 1 && !error_of(c);
}

TEST(segments_from_too_far_are_not_heard) {
    l = listener(&port, 5);
    CHECK(number_of(l, IPPROTO_IP, IP_MINTTL) == 0 && set_number(l, IPPROTO_IP, IP_MINTTL, 50) == 0);
    CHECK(number_of(l, IPPROTO_IP, IP_MINTTL) == 50);
    CHECK(connects_with_ttl(50) && !connects_with_ttl(49));
    CHECK(number_of(accept(l, NULL, NULL), IPPROTO_IP, IP_MINTTL) == 50);
    CHECK_ERRNO(set_number(l, IPPROTO_IP, IP_MINTTL, 256), EINVAL);
    CHECK_ERRNO(set_number(l, IPPROTO_IP, IP_MINTTL, -1), EINVAL);
    d = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(set_number(d, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255) == 0 &&
          number_of(d, IPPROTO_IPV6, IPV6_MINHOPCOUNT) == 255);
    CHECK_ERRNO(set_number(d, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 256), EINVAL);
}

TEST(address_without_port) {
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(c, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) == 0 &&
          number_of(c, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) == 1);
    CHECK(bind4(c, "127.0.0.5", 0) == 0 && port_of(c) == 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && port_of(c) != 0);
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    CHECK(accept(l, (void *)&a, &len) >= 0 && a.sin_addr.s_addr == htonl(0x7f000005) &&
          ntohs(a.sin_port) == port_of(c));
    d = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(d, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) == 0 && bind4(d, "127.0.0.6", 0) == 0);
    CHECK(listen(d, 1) == 0 && port_of(d) != 0);
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "127.0.0.1", port_of(d)), ECONNREFUSED);
    CHECK(connect4(c, "127.0.0.6", port_of(d)) == 0);
}

TEST(options_of_levels_that_a_socket_has_not) {
    int n;
    socklen_t len = sizeof(n);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK_ERRNO(getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &n, &len), EOPNOTSUPP);
    CHECK_ERRNO(getsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &n, &len), EOPNOTSUPP);
    CHECK_ERRNO(getsockopt(d, IPPROTO_TCP, TCP_NODELAY, &n, &len), ENOPROTOOPT);
    CHECK_ERRNO(set_number(c, IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT);
    CHECK(number_of(c, IPPROTO_IP, 52) == 0 && bind4(c, "127.0.0.1", 0) == 0); // IP_PROTOCOL
    CHECK(number_of(c, IPPROTO_IP, 52) == port_of(c));
    l = listener(&port, 1);
    CHECK_ERRNO(set_number(l, IPPROTO_IP, 25, 1), EINVAL); // IP_RECVFRAGSIZE
    CHECK(number_of(l, IPPROTO_TCP, 43) == 0);             // TCP_IS_MPTCP
}

TEST(bytes_that_were_not_sent) {
    int n = -1, all = -1;
    connect_both();
    CHECK(fcntl(c, F_SETFL, O_NONBLOCK) == 0);
    while (write(c, buffer, sizeof(buffer)) > 0)
        ;
    CHECK(ioctl(c, SIOCOUTQ, &all) == 0 && ioctl(c, SIOCOUTQNSD, &n) == 0 && n > 0 && n <= all);
    CHECK_ERRNO(ioctl(l, SIOCOUTQNSD, &n), EINVAL);
}

// ---- datagrams in pieces, and none at all

static void connect_datagrams(int family) {
    c = socket(family, SOCK_DGRAM, 0);
    d = socket(family, SOCK_DGRAM, 0);
    if (family == AF_INET) {
        CHECK(bind4(d, "127.0.0.1", 0) == 0 && connect4(c, "127.0.0.1", port_of(d)) == 0);
    } else {
        struct sockaddr_in6 a = v6("::1", 0);
        CHECK(bind(d, (void *)&a, sizeof(a)) == 0 && connect6(c, "::1", port_of(d)) == 0);
    }
    CHECK(fcntl(d, F_SETFL, O_NONBLOCK) == 0);
}

static void send_in_pieces(int family) {
    connect_datagrams(family);
    CHECK(send(c, "ab", 2, MSG_MORE) == 2 && send(c, "cd", 2, MSG_MORE) == 2);
    CHECK_ERRNO(recv(d, buffer, 10, 0), EAGAIN);
    CHECK(send(c, "ef", 2, 0) == 2 && recv(d, buffer, 10, 0) == 6 && !memcmp(buffer, "abcdef", 6));
    CHECK(set_number(c, IPPROTO_UDP, UDP_CORK, 1) == 0 && number_of(c, IPPROTO_UDP, UDP_CORK) == 1);
    for (int n = 0; n < 1000; n++)
        CHECK(send(c, buffer, 60, 0) == 60);
    CHECK_ERRNO(recv(d, buffer, 10, 0), EAGAIN);
    CHECK(set_number(c, IPPROTO_UDP, UDP_CORK, 0) == 0 && recv(d, buffer, sizeof(buffer), 0) == 60000);
    CHECK_ERRNO(recv(d, buffer, 10, 0), EAGAIN);
    // Too long: all of it is gone.
    CHECK(send(c, buffer, 40000, MSG_MORE) == 40000);
    CHECK_ERRNO(send(c, buffer, 40000, MSG_MORE), EMSGSIZE);
    CHECK(send(c, "x", 1, 0) == 1 && recv(d, buffer, 10, 0) == 1);
    CHECK_ERRNO(send(c, (void *)8, 10, MSG_MORE), EFAULT);
    CHECK(send(c, "", 0, MSG_MORE) == 0 && send(c, "yz", 2, 0) == 2 && recv(d, buffer, 10, 0) == 2);
    CHECK(send(c, "lost", 4, MSG_MORE) == 4 && close(c) == 0);
    CHECK_ERRNO(recv(d, buffer, 10, 0), EAGAIN);
}

TEST(datagram_is_written_in_pieces) {
    send_in_pieces(AF_INET);
    send_in_pieces(AF_INET6);
}

TEST(first_piece_decides_where_it_goes) {
    connect_datagrams(AF_INET);
    struct sockaddr_in to = v4("127.0.0.1", port_of(d)), other = v4("127.0.0.1", 9);
    close(c);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(sendto(c, "ab", 2, MSG_MORE, (void *)&to, sizeof(to)) == 2);
    CHECK(sendto(c, "cd", 2, 0, (void *)&other, sizeof(other)) == 2 && recv(d, buffer, 10, 0) == 4);
}

TEST(flags_that_udp_does_not_know) {
    connect_datagrams(AF_INET);
    CHECK(send(c, "ab", 2, MSG_PROBE) == 2); // all but the packet
    CHECK_ERRNO(recv(d, buffer, 10, 0), EAGAIN);
    CHECK_ERRNO(send(c, "ab", 2, MSG_OOB), EOPNOTSUPP);
    CHECK(send(c, "ab", 2, 0) == 2 && recv(d, buffer, 10, MSG_OOB) == 2);
    connect_datagrams(AF_INET6);
    CHECK(send(c, "ab", 2, MSG_OOB) == 2 && recv(d, buffer, 10, 0) == 2);
}

// ---- what is told of groups and devices

TEST(groups_are_told) {
    struct ip_mreqn m = {.imr_ifindex = 1};
    struct ipv6_mreq m6 = {.ipv6mr_interface = 1};
    CHECK(inet_pton(AF_INET, "239.1.2.3", &m.imr_multiaddr) == 1 &&
          inet_pton(AF_INET6, "ff02::5", &m6.ipv6mr_multiaddr) == 1);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    l = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(wait_for_line("/proc/net/igmp",
                        "1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n", true));
    CHECK(setsockopt(c, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) == 0 &&
          setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) == 0);
    CHECK(wait_for_line("/proc/net/igmp", "lo        :     2      V3\n\t\t\t\t030201EF     2 ", true));
    close(d);
    CHECK(wait_for_line("/proc/net/igmp", "030201EF     1 ", true) &&
          setsockopt(c, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)) == 0);
    CHECK(wait_for_line("/proc/net/igmp", "030201EF", false));
    CHECK(setsockopt(l, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6)) == 0);
    CHECK(wait_for_line("/proc/net/igmp6", "1    lo              ff020000000000000000000000000005     1 ",
                        true));
    close(l);
    CHECK(wait_for_line("/proc/net/igmp6", "00000005 ", false) &&
          wait_for_line("/proc/net/igmp6", "ff020000000000000000000000000001     1 0000000C 0", true));
}

static int ask_netconf(int family, int device, bool all) {
    struct {
        struct nlmsghdr h;
        struct netconfmsg m;
        struct rtattr a __attribute__((aligned(4)));
        int index;
    } q = {.h = {.nlmsg_type = RTM_GETNETCONF, .nlmsg_flags = NLM_F_REQUEST | (all ? NLM_F_DUMP : 0)},
           .m.ncm_family = family,
           .a = {sizeof(q.a) + sizeof(q.index), NETCONFA_IFINDEX},
           .index = device};
    q.h.nlmsg_len = all ? NLMSG_LENGTH(sizeof(q.m)) : sizeof(q);
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), count = 0;
    CHECK(send(s, &q, q.h.nlmsg_len, 0) == (ssize_t)q.h.nlmsg_len);
    for (;;) {
        int n = recv(s, buffer, sizeof(buffer), 0);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
                close(s);
                return h->nlmsg_type == NLMSG_DONE ? count : *(int *)NLMSG_DATA(h);
            }
            CHECK(h->nlmsg_type == RTM_NEWNETCONF &&
                  h->nlmsg_len == (((struct netconfmsg *)NLMSG_DATA(h))->ncm_family == AF_INET ? 76 : 60));
            count++;
            if (!all) {
                close(s);
                return count;
            }
        }
    }
}

TEST(devices_are_asked_how_they_treat_packets) {
    int four = ask_netconf(AF_INET, 0, true);
    CHECK(four >= 3 && ask_netconf(AF_INET6, 0, true) >= 3 && ask_netconf(AF_UNSPEC, 0, true) >= 6);
    CHECK(ask_netconf(AF_INET, 1, false) == 1 && ask_netconf(AF_INET6, NETCONFA_IFINDEX_ALL, false) == 1);
    CHECK(ask_netconf(AF_INET, 4711, false) == -ENODEV || ask_netconf(AF_INET, 4711, false) == -EINVAL);
    CHECK(ask_netconf(AF_UNIX, 1, false) == -EOPNOTSUPP);
}

static int ask_ethtool(const char *name, unsigned int what, unsigned int *answer) {
    unsigned int command[2] = {what, 4711};
    struct ifreq r = {.ifr_data = (void *)command};
    int s = socket(AF_UNIX, SOCK_DGRAM, 0); // of any family
    strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
    int err = ioctl(s, SIOCETHTOOL, &r);
    *answer = command[1];
    CHECK(close(s) == 0);
    return err;
}

TEST(ethtool_asks_of_links) {
    unsigned int answer;
    struct ifreq nowhere = {.ifr_name = "lo", .ifr_data = (void *)8};
    CHECK(ask_ethtool("lo", 0x0a, &answer) == 0 && answer == 1); // there is a link
    CHECK(ask_ethtool("lo", 0x14, &answer) == 0 && answer == 1); // sums are not looked at
    CHECK(ask_ethtool("lo", 0x25, &answer) == 0 && answer == 0);
    CHECK_ERRNO(ask_ethtool("lo", 0x01, &answer), EOPNOTSUPP); // of cables it has none
    CHECK_ERRNO(ask_ethtool("lo", 0x03, &answer), EOPNOTSUPP);
    CHECK_ERRNO(ask_ethtool("lo", 0x7fffffff, &answer), EOPNOTSUPP);
    CHECK_ERRNO(ask_ethtool("none", 0x0a, &answer), ENODEV);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(ioctl(s, SIOCETHTOOL, &nowhere), EFAULT);
    CHECK_ERRNO(ioctl(s, SIOCETHTOOL, NULL), EFAULT);
    CHECK_ERRNO(ioctl(s, SIOCGMIIPHY, &nowhere), EOPNOTSUPP);
}

TEST(busy_polling_is_asked_for) {
    int families[] = {AF_UNIX, AF_INET, AF_INET6};
    for (int i = 0; i < 3; i++) {
        int s = socket(families[i], SOCK_STREAM, 0);
        CHECK(number_of(s, SOL_SOCKET, SO_BUSY_POLL) == 0 &&
              set_number(s, SOL_SOCKET, SO_BUSY_POLL, 50) == 0);
        CHECK(number_of(s, SOL_SOCKET, SO_BUSY_POLL) == 50);
        CHECK_ERRNO(set_number(s, SOL_SOCKET, SO_BUSY_POLL, -1), EINVAL);
        CHECK(set_number(s, SOL_SOCKET, PREFER_BUSY_POLL, 7) == 0);
        CHECK(number_of(s, SOL_SOCKET, PREFER_BUSY_POLL) == 1);
        CHECK_ERRNO(set_number(s, SOL_SOCKET, BUSY_POLL_BUDGET, 65536), EINVAL);
        CHECK(set_number(s, SOL_SOCKET, BUSY_POLL_BUDGET, 8) == 0);
        if (fork() == 0) {
            CHECK(setresuid(4711, 4711, 4711) == 0);
            CHECK(set_number(s, SOL_SOCKET, SO_BUSY_POLL, 70) == 0);
            CHECK_ERRNO(set_number(s, SOL_SOCKET, PREFER_BUSY_POLL, 1), EPERM);
            CHECK(set_number(s, SOL_SOCKET, PREFER_BUSY_POLL, 0) == 0);
            CHECK_ERRNO(set_number(s, SOL_SOCKET, BUSY_POLL_BUDGET, 9), EPERM);
            CHECK(set_number(s, SOL_SOCKET, BUSY_POLL_BUDGET, 8) == 0);
            _exit(0);
        }
        int status;
        CHECK(wait(&status) > 0 && status == 0 && number_of(s, SOL_SOCKET, SO_BUSY_POLL) == 70);
        CHECK(close(s) == 0);
    }
}
