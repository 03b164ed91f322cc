// SPDX-License-Identifier: MIT
// Datagrams of AF_INET and AF_INET6: control data, errors that come back, sharing of ports, groups, raw sockets. The same program
// passes on Linux.
#include "inet.h"
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

static char buffer[1 << 17];
static char control[512] __attribute__((aligned(8)));
static int c, d;

static int bind6(int s, const char *ip, int port) {
    struct sockaddr_in6 a = v6(ip, port);
    return bind(s, (void *)&a, sizeof(a));
}

static int send4(int s, const char *ip, int port) {
    struct sockaddr_in a = v4(ip, port);
    return sendto(s, "x", 1, 0, (void *)&a, sizeof(a));
}

static int send6(int s, const char *ip, int port) {
    struct sockaddr_in6 a = v6(ip, port);
    return sendto(s, "x", 1, 0, (void *)&a, sizeof(a));
}

static void pair4(void) {
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "127.0.0.1", 0) == 0 && connect4(c, "127.0.0.1", port_of(d)) == 0);
}

static void pair6(void) {
    c = socket(AF_INET6, SOCK_DGRAM, 0);
    d = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(bind6(d, "::1", 0) == 0 && connect6(c, "::1", port_of(d)) == 0);
}

// Sends a byte with one piece of control data.
static int send_with(int s, int level, int type, const void *data, size_t len) {
    struct iovec iov = {"x", 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *h = (void *)control;
    memset(control, 0, sizeof(control));
    *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(h), data, len);
    m.msg_controllen = CMSG_SPACE(len);
    return sendmsg(s, &m, 0);
}

// Receives a message; the control data of this kind, or NULL.
static struct msghdr received;
static struct sockaddr_storage from;
static struct iovec received_iov;

static void *receive_with(int s, int flags, int level, int type) {
    received_iov = (struct iovec){buffer, sizeof(buffer)};
    received = (struct msghdr){.msg_name = &from,
                               .msg_namelen = sizeof(from),
                               .msg_iov = &received_iov,
                               .msg_iovlen = 1,
                               .msg_control = control,
                               .msg_controllen = sizeof(control)};
    CHECK(recvmsg(s, &received, flags) >= 0);
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&received); h; h = CMSG_NXTHDR(&received, h))
        if (h->cmsg_level == level && h->cmsg_type == type)
            return CMSG_DATA(h);
    return NULL;
}

// ---- control data to send

TEST(ttl_and_tos_of_one_datagram) {
    int ttl = 17, tos = 0x20;
    pair4();
    CHECK(set_number(d, SOL_IP, IP_RECVTTL, 1) == 0 && set_number(d, SOL_IP, IP_RECVTOS, 1) == 0);
    CHECK(send_with(c, SOL_IP, IP_TTL, &ttl, sizeof(ttl)) == 1);
    CHECK(*(int *)receive_with(d, 0, SOL_IP, IP_TTL) == 17);
    CHECK(send_with(c, SOL_IP, IP_TOS, &tos, sizeof(tos)) == 1);
    CHECK(*(unsigned char *)receive_with(d, 0, SOL_IP, IP_TOS) == 0x20);
    CHECK(send(c, "x", 1, 0) == 1 && *(int *)receive_with(d, 0, SOL_IP, IP_TTL) == 64);
    ttl = 256;
    CHECK_ERRNO(send_with(c, SOL_IP, IP_TTL, &ttl, sizeof(ttl)), EINVAL);
    CHECK_ERRNO(send_with(c, SOL_IP, IP_TTL, &ttl, 1), EINVAL);
    CHECK_ERRNO(send_with(c, SOL_IP, 99, &ttl, sizeof(ttl)), EINVAL);
}

TEST(hops_and_class_of_one_datagram) {
    int hops = 17, tclass = 0x20;
    pair6();
    CHECK(set_number(d, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0 &&
          set_number(d, SOL_IPV6, IPV6_RECVTCLASS, 1) == 0);
    CHECK(send_with(c, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops)) == 1);
    CHECK(*(int *)receive_with(d, 0, SOL_IPV6, IPV6_HOPLIMIT) == 17);
    CHECK(send_with(c, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass)) == 1);
    CHECK(*(int *)receive_with(d, 0, SOL_IPV6, IPV6_TCLASS) == 0x20);
    hops = 256;
    CHECK_ERRNO(send_with(c, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops)), EINVAL);
    CHECK_ERRNO(send_with(c, SOL_IPV6, 999, &hops, sizeof(hops)), EINVAL);
}

TEST(source_of_one_datagram) {
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f050607)};
    struct sockaddr_in *a = (void *)&from;
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "127.0.0.1", 0) == 0 && bind4(c, "0.0.0.0", 0) == 0 &&
          connect4(c, "127.0.0.1", port_of(d)) == 0);
    CHECK(send_with(c, SOL_IP, IP_PKTINFO, &info, sizeof(info)) == 1);
    receive_with(d, 0, 0, 0);
    CHECK(a->sin_addr.s_addr == htonl(0x7f050607));
    info.ipi_spec_dst.s_addr = htonl(0x0a010203);
    CHECK_ERRNO(send_with(c, SOL_IP, IP_PKTINFO, &info, sizeof(info)), ENETUNREACH);
    info = (struct in_pktinfo){.ipi_ifindex = 77};
    CHECK_ERRNO(send_with(c, SOL_IP, IP_PKTINFO, &info, sizeof(info)), ENODEV);
    CHECK_ERRNO(send_with(c, SOL_IP, IP_PKTINFO, &info, 4), EINVAL);
}

TEST(source_of_one_datagram_of_ipv6) {
    struct in6_pktinfo info = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT, .ipi6_ifindex = 1};
    pair6();
    CHECK(set_number(d, SOL_IPV6, IPV6_RECVPKTINFO, 1) == 0);
    CHECK(send_with(c, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info)) == 1);
    struct in6_pktinfo *got = receive_with(d, 0, SOL_IPV6, IPV6_PKTINFO);
    CHECK(got && IN6_IS_ADDR_LOOPBACK(&got->ipi6_addr) && got->ipi6_ifindex == 1);
    info.ipi6_addr.s6_addr[0] = 0x20;
    CHECK_ERRNO(send_with(c, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info)), EINVAL);
    info = (struct in6_pktinfo){.ipi6_ifindex = 77};
    CHECK_ERRNO(send_with(c, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info)), ENODEV);
}

TEST(bound_to_one_of_many_addresses_sends_from_it) {
    struct sockaddr_in *a = (void *)&from;
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "127.0.0.1", 0) == 0 && bind4(c, "127.8.8.8", 0) == 0);
    CHECK(send4(c, "127.0.0.1", port_of(d)) == 1);
    receive_with(d, 0, 0, 0);
    CHECK(a->sin_addr.s_addr == htonl(0x7f080808));
}

TEST(original_destination_is_told) {
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "0.0.0.0", 0) == 0 && set_number(d, SOL_IP, IP_RECVORIGDSTADDR, 1) == 0);
    CHECK(send4(c, "127.1.2.3", port_of(d)) == 1);
    struct sockaddr_in *a = receive_with(d, 0, SOL_IP, IP_ORIGDSTADDR);
    CHECK(a && a->sin_addr.s_addr == htonl(0x7f010203) && ntohs(a->sin_port) == port_of(d));
}

// ---- errors that come back

TEST(refusal_waits_in_the_queue_of_errors) {
    struct sockaddr_in *a = (void *)&from, *offender;
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "127.0.0.1", 0) == 0);
    int port = port_of(d);
    close(d);
    CHECK_ERRNO(recv(c, buffer, 1, MSG_ERRQUEUE), EAGAIN);
    CHECK(set_number(c, SOL_IP, IP_RECVERR, 1) == 0 && number_of(c, SOL_IP, IP_RECVERR) == 1);
    CHECK(send4(c, "127.0.0.1", port) == 1 && poll_for(c, POLLIN) & POLLERR); // connected it is not
    struct sock_extended_err *e = receive_with(c, MSG_ERRQUEUE, SOL_IP, IP_RECVERR);
    CHECK(e && e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP);
    CHECK(e->ee_type == ICMP_DEST_UNREACH && e->ee_code == ICMP_PORT_UNREACH && !e->ee_info);
    offender = (void *)SO_EE_OFFENDER(e);
    CHECK(offender->sin_family == AF_INET && offender->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(received.msg_flags & MSG_ERRQUEUE && a->sin_port == htons(port) && buffer[0] == 'x');
    CHECK(received.msg_namelen == sizeof(*a) && a->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(poll_now(c) == POLLOUT);
    CHECK_ERRNO(recv(c, buffer, 1, MSG_ERRQUEUE), EAGAIN);
    CHECK(send4(c, "127.0.0.1", port) == 1 && poll_for(c, POLLIN) & POLLERR);
    CHECK_ERRNO(recv(c, buffer, 1, 0), ECONNREFUSED);
    CHECK(poll_now(c) & POLLERR); // the queue has it still
    CHECK(set_number(c, SOL_IP, IP_RECVERR, 0) == 0 && poll_now(c) == POLLOUT);
}

TEST(refusal_waits_in_the_queue_of_errors_of_ipv6) {
    c = socket(AF_INET6, SOCK_DGRAM, 0);
    d = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(bind6(d, "::1", 0) == 0);
    int port = port_of(d);
    close(d);
    CHECK(set_number(c, SOL_IPV6, IPV6_RECVERR, 1) == 0);
    CHECK(send6(c, "::1", port) == 1 && poll_for(c, POLLIN) & POLLERR);
    struct sock_extended_err *e = receive_with(c, MSG_ERRQUEUE, SOL_IPV6, IPV6_RECVERR);
    CHECK(e && e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP6);
    CHECK(e->ee_type == ICMP6_DST_UNREACH && e->ee_code == ICMP6_DST_UNREACH_NOPORT);
    struct sockaddr_in6 *a = (void *)&from;
    CHECK(received.msg_namelen == sizeof(*a) && IN6_IS_ADDR_LOOPBACK(&a->sin6_addr) &&
          a->sin6_port == htons(port));
}

TEST(stream_has_no_queue_of_errors) {
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(c, SOL_IP, IP_RECVERR, 1) == 0);
    CHECK_ERRNO(recv(c, buffer, 1, MSG_ERRQUEUE), EAGAIN);
}

// ---- ports that are shared

TEST(datagrams_of_one_sender_go_to_one_of_those_who_share_the_port) {
    int s[4], got[4] = {0}, port = 0;
    for (int i = 0; i < 4; i++) {
        s[i] = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(set_number(s[i], SOL_SOCKET, SO_REUSEPORT, 1) == 0 && bind4(s[i], "127.0.0.1", port) == 0);
        port = port_of(s[i]);
    }
    for (int i = 0; i < 40; i++) {
        int hits = 0;
        c = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(send4(c, "127.0.0.1", port) == 1 && send4(c, "127.0.0.1", port) == 1);
        for (int n = 0; n < 4; n++)
            if (recv(s[n], buffer, 1, MSG_DONTWAIT) == 1) {
                CHECK(recv(s[n], buffer, 1, MSG_DONTWAIT) == 1); // both go to one
                got[n]++;
                hits++;
            }
        CHECK(hits == 1);
        close(c);
    }
    CHECK((got[0] > 0) + (got[1] > 0) + (got[2] > 0) + (got[3] > 0) >= 2);
}

static int bind_as_other(void *arg) {
    int port = *(int *)arg, s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(setuid(1000) == 0);
    s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(set_number(s, SOL_SOCKET, SO_REUSEPORT, 1) == 0);
    return bind4(s, "127.0.0.1", port) == -1 && errno == EADDRINUSE ? 0 : 1;
}

TEST(port_is_shared_with_the_same_user_alone) {
    c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(set_number(c, SOL_SOCKET, SO_REUSEPORT, 1) == 0 && bind4(c, "127.0.0.1", 0) == 0);
    int port = port_of(c);
    CHECK(test_wait_exit(test_fork(bind_as_other, &port)) == 0);
}

TEST(connected_one_of_two_at_a_port_gets_its_peers) {
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(set_number(c, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set_number(d, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK(bind4(c, "127.0.0.1", 0) == 0 && bind4(d, "127.0.0.1", port_of(c)) == 0);
    int peer = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(peer, "127.0.0.1", 0) == 0 && connect4(c, "127.0.0.1", port_of(peer)) == 0);
    CHECK(send4(peer, "127.0.0.1", port_of(c)) == 1 && recv(c, buffer, 1, MSG_DONTWAIT) == 1);
    CHECK(send4(other, "127.0.0.1", port_of(c)) == 1 && recv(d, buffer, 1, MSG_DONTWAIT) == 1);
}

// ---- the device

TEST(device_is_bound_to_by_name) {
    char name[IFNAMSIZ];
    socklen_t len = sizeof(name);
    pair4();
    CHECK(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &len) == 0 && len == 0);
    CHECK(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
    len = sizeof(name);
    CHECK(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &len) == 0 && len == 3 && !strcmp(name, "lo"));
    CHECK(number_of(c, SOL_SOCKET, SO_BINDTOIFINDEX) == 1);
    CHECK(send(c, "x", 1, 0) == 1 && recv(d, buffer, 1, 0) == 1);
    CHECK_ERRNO(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 7), ENODEV);
    len = 2;
    CHECK_ERRNO(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &len), EINVAL);
    CHECK(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "", 0) == 0 &&
          number_of(c, SOL_SOCKET, SO_BINDTOIFINDEX) == 0);
    CHECK_ERRNO(set_number(c, SOL_SOCKET, SO_BINDTOIFINDEX, -1), EINVAL);
    CHECK(set_number(c, SOL_SOCKET, SO_BINDTOIFINDEX, 1) == 0);
}

TEST(broadcast_wants_the_option) {
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "0.0.0.0", 0) == 0);
    CHECK_ERRNO(send4(c, "127.255.255.255", port_of(d)), EACCES);
    CHECK_ERRNO(connect4(c, "127.255.255.255", 9), EACCES);
    CHECK_ERRNO(send4(c, "255.255.255.255", port_of(d)), ENETUNREACH);
    CHECK(set_number(c, SOL_SOCKET, SO_BROADCAST, 1) == 0);
    CHECK(send4(c, "127.255.255.255", port_of(d)) == 1 && recv(d, buffer, 1, MSG_DONTWAIT) == 1);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(connect4(c, "127.255.255.255", 9), ENETUNREACH);
}

// ---- groups

static int join4(int s, int option, const char *group, const char *device) {
    struct ip_mreq m = {0};
    CHECK(inet_pton(AF_INET, group, &m.imr_multiaddr) == 1 &&
          inet_pton(AF_INET, device, &m.imr_interface) == 1);
    return setsockopt(s, SOL_IP, option, &m, sizeof(m));
}

TEST(members_of_a_group_hear_it) {
    struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    int e = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(set_number(d, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set_number(e, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK(bind4(d, "0.0.0.0", 0) == 0 && bind4(e, "0.0.0.0", port_of(d)) == 0);
    CHECK(set_number(e, SOL_IP, IP_MULTICAST_ALL, 0) == 0);
    CHECK_ERRNO(send4(c, "239.1.2.3", port_of(d)), ENETUNREACH);
    CHECK_ERRNO(join4(d, IP_ADD_MEMBERSHIP, "127.0.0.1", "127.0.0.1"), EINVAL);
    CHECK_ERRNO(join4(d, IP_ADD_MEMBERSHIP, "239.1.2.3", "10.1.2.3"), ENODEV);
    CHECK_ERRNO(join4(d, IP_ADD_MEMBERSHIP, "239.1.2.3", "0.0.0.0"), ENODEV);
    CHECK(join4(d, IP_ADD_MEMBERSHIP, "239.1.2.3", "127.0.0.1") == 0);
    CHECK_ERRNO(join4(d, IP_ADD_MEMBERSHIP, "239.1.2.3", "127.0.0.1"), EADDRINUSE);
    CHECK(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) == 0);
    CHECK(send4(c, "239.1.2.3", port_of(d)) == 1 && recv(d, buffer, 1, MSG_DONTWAIT) == 1);
    CHECK_ERRNO(recv(e, buffer, 1, MSG_DONTWAIT), EAGAIN); // not a member
    CHECK(set_number(e, SOL_IP, IP_MULTICAST_ALL, 1) == 0);
    CHECK(send4(c, "239.1.2.3", port_of(d)) == 1 && recv(d, buffer, 1, MSG_DONTWAIT) == 1);
    CHECK(recv(e, buffer, 1, MSG_DONTWAIT) == 1); // hears of all groups of this machine
    CHECK(send4(c, "239.1.2.4", port_of(d)) == 1);
    CHECK_ERRNO(recv(d, buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(join4(d, IP_DROP_MEMBERSHIP, "239.1.2.3", "127.0.0.1") == 0);
    CHECK_ERRNO(join4(d, IP_DROP_MEMBERSHIP, "239.1.2.3", "127.0.0.1"), EADDRNOTAVAIL);
    CHECK(send4(c, "239.1.2.3", port_of(d)) == 1);
    CHECK_ERRNO(recv(d, buffer, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(options_of_groups_are_kept) {
    struct in_addr lo = {htonl(INADDR_LOOPBACK)}, got = {1};
    struct ip_mreqn m = {.imr_ifindex = 1};
    socklen_t len = sizeof(got);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(number_of(c, SOL_IP, IP_MULTICAST_TTL) == 1 && number_of(c, SOL_IP, IP_MULTICAST_LOOP) == 1);
    CHECK(set_number(c, SOL_IP, IP_MULTICAST_TTL, 9) == 0 && number_of(c, SOL_IP, IP_MULTICAST_TTL) == 9);
    CHECK_ERRNO(set_number(c, SOL_IP, IP_MULTICAST_TTL, 256), EINVAL);
    CHECK(set_number(c, SOL_IP, IP_MULTICAST_LOOP, 0) == 0 && number_of(c, SOL_IP, IP_MULTICAST_LOOP) == 0);
    CHECK(getsockopt(c, SOL_IP, IP_MULTICAST_IF, &got, &len) == 0 && !got.s_addr);
    CHECK(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) == 0);
    CHECK(getsockopt(c, SOL_IP, IP_MULTICAST_IF, &got, &len) == 0 && got.s_addr == lo.s_addr);
    CHECK(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &m, sizeof(m)) == 0);
    lo.s_addr = htonl(0x0a000001);
    CHECK_ERRNO(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), EADDRNOTAVAIL);
    c = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(number_of(c, SOL_IPV6, IPV6_MULTICAST_HOPS) == 1 &&
          number_of(c, SOL_IPV6, IPV6_MULTICAST_LOOP) == 1);
    CHECK(set_number(c, SOL_IPV6, IPV6_MULTICAST_HOPS, 9) == 0 &&
          number_of(c, SOL_IPV6, IPV6_MULTICAST_HOPS) == 9);
    CHECK(set_number(c, SOL_IPV6, IPV6_MULTICAST_HOPS, -1) == 0 &&
          number_of(c, SOL_IPV6, IPV6_MULTICAST_HOPS) == 1);
    CHECK_ERRNO(set_number(c, SOL_IPV6, IPV6_MULTICAST_HOPS, 256), EINVAL);
    CHECK_ERRNO(set_number(c, SOL_IPV6, IPV6_MULTICAST_LOOP, 2), EINVAL);
    CHECK(set_number(c, SOL_IPV6, IPV6_MULTICAST_IF, 1) == 0 &&
          number_of(c, SOL_IPV6, IPV6_MULTICAST_IF) == 1);
    CHECK_ERRNO(set_number(c, SOL_IPV6, IPV6_MULTICAST_IF, 77), ENODEV);
}

TEST(groups_of_ipv6_are_joined_and_left) {
    struct ipv6_mreq m = {.ipv6mr_interface = 1};
    c = socket(AF_INET6, SOCK_DGRAM, 0);
    d = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(inet_pton(AF_INET6, "ff15::77", &m.ipv6mr_multiaddr) == 1 && bind6(d, "::", 0) == 0);
    CHECK(setsockopt(d, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)) == 0);
    CHECK_ERRNO(setsockopt(d, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), EADDRINUSE);
    CHECK(set_number(c, SOL_IPV6, IPV6_MULTICAST_IF, 1) == 0);
    CHECK_ERRNO(send6(c, "ff15::77", port_of(d)), ENETUNREACH); // there is no way to groups on loopback
    CHECK(setsockopt(d, SOL_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)) == 0);
    CHECK_ERRNO(setsockopt(d, SOL_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)), EADDRNOTAVAIL);
    m.ipv6mr_interface = 77;
    CHECK_ERRNO(setsockopt(d, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), ENODEV);
}

TEST(group_with_chosen_sources) {
    struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    struct ip_mreq_source m = {.imr_interface = lo};
    c = socket(AF_INET, SOCK_DGRAM, 0);
    d = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "0.0.0.0", 0) == 0 && bind4(c, "127.0.0.7", 0) == 0 &&
          set_number(d, SOL_IP, IP_MULTICAST_ALL, 0) == 0);
    CHECK(inet_pton(AF_INET, "232.1.2.3", &m.imr_multiaddr) == 1 &&
          inet_pton(AF_INET, "127.0.0.7", &m.imr_sourceaddr) == 1);
    CHECK(setsockopt(d, SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)) == 0);
    CHECK(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) == 0);
    CHECK(send4(c, "232.1.2.3", port_of(d)) == 1 && recv(d, buffer, 1, MSG_DONTWAIT) == 1);
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(setsockopt(other, SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) == 0);
    CHECK(send4(other, "232.1.2.3", port_of(d)) == 1);
    CHECK_ERRNO(recv(d, buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(setsockopt(d, SOL_IP, IP_DROP_SOURCE_MEMBERSHIP, &m, sizeof(m)) == 0);
    CHECK(join4(d, IP_ADD_MEMBERSHIP, "232.1.2.3", "127.0.0.1") == 0);
    CHECK(setsockopt(d, SOL_IP, IP_BLOCK_SOURCE, &m, sizeof(m)) == 0);
    CHECK(send4(c, "232.1.2.3", port_of(d)) == 1 && send4(other, "232.1.2.3", port_of(d)) == 1);
    struct sockaddr_in *a = (void *)&from;
    receive_with(d, MSG_DONTWAIT, 0, 0);
    CHECK(a->sin_addr.s_addr == lo.s_addr);
    CHECK_ERRNO(recv(d, buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(setsockopt(d, SOL_IP, IP_UNBLOCK_SOURCE, &m, sizeof(m)) == 0);
}

// ---- raw sockets

static int ping(int s, int type, void *to, socklen_t len) {
    struct icmphdr h = {.type = type, .un.echo = {.id = htons(0x1234), .sequence = htons(7)}};
    char packet[sizeof(h) + 4];
    memcpy(packet, &h, sizeof(h));
    memcpy(packet + sizeof(h), "data", 4);
    unsigned int sum = 0;
    for (size_t n = 0; n < sizeof(packet); n += 2)
        sum += *(unsigned short *)(packet + n);
    sum = (sum & 0xffff) + (sum >> 16);
    h.checksum = ~(sum + (sum >> 16));
    memcpy(packet, &h, sizeof(h));
    return sendto(s, packet, sizeof(packet), 0, to, len);
}

TEST(raw_socket_hears_the_answer_to_its_ping) {
    struct sockaddr_in a = v4("127.0.0.1", 0);
    c = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    CHECK(c >= 0 && ping(c, ICMP_ECHO, &a, sizeof(a)) == 12);
    for (;;) {
        CHECK(recv(c, buffer, sizeof(buffer), 0) == 32); // with the header, and it hears the question, too
        struct iphdr *ip = (void *)buffer;
        struct icmphdr *h = (void *)(buffer + 20);
        CHECK(ip->version == 4 && ip->protocol == IPPROTO_ICMP && ip->saddr == htonl(INADDR_LOOPBACK));
        if (h->type == ICMP_ECHOREPLY) {
            CHECK(h->un.echo.id == htons(0x1234) && !memcmp(h + 1, "data", 4));
            break;
        }
        CHECK(h->type == ICMP_ECHO);
    }
}

TEST(raw_socket_of_ipv6_hears_the_answer_to_its_ping) {
    struct sockaddr_in6 a = v6("::1", 0);
    c = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    CHECK(c >= 0 && ping(c, ICMP6_ECHO_REQUEST, &a, sizeof(a)) == 12); // the kernel makes the sum
    for (;;) {
        CHECK(recv(c, buffer, sizeof(buffer), 0) == 12);
        if ((unsigned char)buffer[0] == ICMP6_ECHO_REPLY)
            break;
        CHECK((unsigned char)buffer[0] == ICMP6_ECHO_REQUEST);
    }
}

TEST(filter_of_icmp_keeps_out_what_it_names) {
    struct sockaddr_in a = v4("127.0.0.1", 0);
    unsigned int filter = ~(1u << ICMP_ECHOREPLY), got = 0;
    socklen_t len = sizeof(got);
    c = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    CHECK(setsockopt(c, SOL_RAW, 1 /* ICMP_FILTER */, &filter, sizeof(filter)) == 0);
    CHECK(getsockopt(c, SOL_RAW, 1, &got, &len) == 0 && got == filter);
    CHECK(ping(c, ICMP_ECHO, &a, sizeof(a)) == 12 && recv(c, buffer, 100, 0) == 32);
    CHECK(buffer[20] == ICMP_ECHOREPLY);
    CHECK_ERRNO(recv(c, buffer, 100, MSG_DONTWAIT), EAGAIN);
    struct icmp6_filter six;
    ICMP6_FILTER_SETBLOCKALL(&six);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &six);
    struct sockaddr_in6 b = v6("::1", 0);
    c = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    CHECK(setsockopt(c, IPPROTO_ICMPV6, ICMP6_FILTER, &six, sizeof(six)) == 0);
    CHECK(ping(c, ICMP6_ECHO_REQUEST, &b, sizeof(b)) == 12 && recv(c, buffer, 100, 0) == 12);
    CHECK((unsigned char)buffer[0] == ICMP6_ECHO_REPLY);
}

TEST(place_of_the_sum_of_icmp_is_said_as_raw) {
    c = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    CHECK_ERRNO(set_number(c, SOL_IPV6, IPV6_CHECKSUM, 2), EINVAL);
    CHECK(set_number(c, SOL_RAW, IPV6_CHECKSUM, 2) == 0 && number_of(c, SOL_RAW, IPV6_CHECKSUM) == 2);
    CHECK_ERRNO(set_number(c, SOL_RAW, IPV6_CHECKSUM, 3), EINVAL);
}

TEST(raw_socket_of_another_protocol) {
    struct sockaddr_in a = v4("127.0.0.1", 0);
    c = socket(AF_INET, SOCK_RAW, 253);
    CHECK(sendto(c, "hello", 5, 0, (void *)&a, sizeof(a)) == 5 && recv(c, buffer, 100, 0) == 25);
    CHECK(!memcmp(buffer + 20, "hello", 5) && (unsigned char)buffer[9] == 253);
    CHECK(connect4(c, "127.0.0.1", 0) == 0 && send(c, "x", 1, 0) == 1 && recv(c, buffer, 100, 0) == 21);
    CHECK_ERRNO(listen(c, 1), EOPNOTSUPP);
}

TEST(header_of_ones_own) {
    struct sockaddr_in a = v4("127.0.0.1", 0);
    struct {
        struct iphdr ip;
        char data[4];
    } packet = {{.version = 4,
                 .ihl = 5,
                 .ttl = 33,
                 .protocol = 253,
                 .saddr = htonl(0x7f010101),
                 .daddr = htonl(INADDR_LOOPBACK)},
                "abc"};
    c = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    d = socket(AF_INET, SOCK_RAW, 253);
    CHECK(number_of(c, SOL_IP, IP_HDRINCL) == 1 && number_of(d, SOL_IP, IP_HDRINCL) == 0);
    CHECK(sendto(c, &packet, sizeof(packet), 0, (void *)&a, sizeof(a)) == sizeof(packet));
    CHECK(recv(d, buffer, 100, 0) == sizeof(packet));
    struct iphdr *ip = (void *)buffer;
    CHECK(ip->ttl == 33 && ip->saddr == htonl(0x7f010101) && ntohs(ip->tot_len) == sizeof(packet));
    CHECK_ERRNO(sendto(c, &packet, 10, 0, (void *)&a, sizeof(a)), EINVAL);
    c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(set_number(c, SOL_IP, IP_HDRINCL, 1), ENOPROTOOPT);
}

static int open_raw(void *arg) {
    (void)arg;
    CHECK(setuid(1000) == 0);
    CHECK_ERRNO(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
    CHECK_ERRNO(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
    return 0;
}

TEST(raw_sockets_need_the_capability) {
    CHECK(test_wait_exit(test_fork(open_raw, NULL)) == 0);
    CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
}

static void set_ping_range(const char *range) {
    int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
    CHECK(fd >= 0 && write(fd, range, strlen(range)) == (ssize_t)strlen(range));
    close(fd);
}

static int open_ping(void *arg) {
    int allowed = *(int *)arg;
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    CHECK(allowed ? s >= 0 : s == -1 && errno == EACCES);
    return 0;
}

TEST(ping_sockets_are_for_the_groups_in_the_range) {
    int allowed = 0;
    set_ping_range("1 0");
    CHECK(test_wait_exit(test_fork(open_ping, &allowed)) == 0);
    set_ping_range("0 2147483647");
    allowed = 1;
    CHECK(test_wait_exit(test_fork(open_ping, &allowed)) == 0);
}

TEST(ping_socket_hears_the_answer_alone) {
    struct sockaddr_in a = v4("127.0.0.1", 0);
    struct sockaddr_in *b = (void *)&from;
    set_ping_range("0 2147483647");
    c = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    CHECK(c >= 0 && ping(c, ICMP_ECHO, &a, sizeof(a)) == 12);
    receive_with(c, 0, 0, 0);
    struct icmphdr *h = (void *)buffer; // its id is the socket's port
    CHECK(h->type == ICMP_ECHOREPLY && ntohs(h->un.echo.id) == port_of(c) && h->un.echo.sequence == htons(7));
    CHECK(!memcmp(h + 1, "data", 4) && b->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && !b->sin_port);
    CHECK_ERRNO(recv(c, buffer, 100, MSG_DONTWAIT), EAGAIN);
    CHECK_ERRNO(ping(c, ICMP_ECHOREPLY, &a, sizeof(a)), EINVAL);
    CHECK_ERRNO(send4(c, "127.0.0.1", 0), EINVAL); // too short
}

TEST(ping_socket_of_ipv6_hears_the_answer) {
    struct sockaddr_in6 a = v6("::1", 0);
    set_ping_range("0 2147483647");
    c = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
    CHECK(c >= 0 && ping(c, ICMP6_ECHO_REQUEST, &a, sizeof(a)) == 12);
    CHECK(recv(c, buffer, 100, 0) == 12 && (unsigned char)buffer[0] == ICMP6_ECHO_REPLY);
}

TEST(families_that_are_not_there_say_so) {
    CHECK_ERRNO(socket(45 /* the last */, SOCK_DGRAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(46, SOCK_DGRAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_INET, 11, 0), EINVAL);
}

// ---- when it came

static bool is_recent(const struct timespec *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return t->tv_sec >= now.tv_sec - 60 && t->tv_sec <= now.tv_sec && t->tv_nsec >= 0 &&
           t->tv_nsec < 1000000000;
}

TEST(software_stamps_of_what_comes) {
    char control[200], b[10];
    struct iovec iov = {b, sizeof(b)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    int s = socket(AF_INET, SOCK_DGRAM, 0),
        flags = 1 << 3 | 1 << 4; // SOF_TIMESTAMPING_{RX_SOFTWARE,SOFTWARE}
    CHECK(bind4(s, "127.0.0.1", 0) == 0 && connect4(s, "127.0.0.1", port_of(s)) == 0);
    CHECK(number_of(s, SOL_SOCKET, SO_TIMESTAMPING) == 0);
    for (int with_old = 0; with_old < 2; with_old++) {
        struct cmsghdr *c = NULL;
        CHECK(set_number(s, SOL_SOCKET, SO_TIMESTAMPING, flags) == 0);
        CHECK(set_number(s, SOL_SOCKET, SO_TIMESTAMPNS, with_old) == 0);
        for (int tries = 0; !c && tries < 10000; tries++) { // Linux begins a little later
            m.msg_control = control;
            m.msg_controllen = sizeof(control);
            CHECK(send(s, "a", 1, 0) == 1 && recvmsg(s, &m, 0) == 1);
            c = CMSG_FIRSTHDR(&m);
        }
        CHECK(c);
        if (with_old) {
            CHECK(c->cmsg_type == SO_TIMESTAMPNS && is_recent((void *)CMSG_DATA(c)));
            c = CMSG_NXTHDR(&m, c);
        }
        struct timespec *t = (void *)CMSG_DATA(c);
        CHECK(c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING);
        CHECK(c->cmsg_len == CMSG_LEN(3 * sizeof(*t)) && is_recent(t) && !t[1].tv_sec && !t[2].tv_nsec);
        CHECK(!CMSG_NXTHDR(&m, c));
    }
    CHECK(number_of(s, SOL_SOCKET, SO_TIMESTAMPING) == flags);
    CHECK_ERRNO(set_number(s, SOL_SOCKET, SO_TIMESTAMPING, -1), EINVAL);
}

TEST(stamp_of_the_last_one) {
    struct timespec t = {0}, again = {0};
    struct timeval tv;
    char b[10];
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(s, "127.0.0.1", 0) == 0 && connect4(s, "127.0.0.1", port_of(s)) == 0);
    CHECK_ERRNO(ioctl(s, 0x8907, &t), ENOENT); // SIOCGSTAMPNS
    CHECK(send(s, "a", 1, 0) == 1 && recv(s, b, 10, 0) == 1);
    CHECK(ioctl(s, 0x8907, &t) == 0 && is_recent(&t));
    CHECK(ioctl(s, 0x8907, &again) == 0 && !memcmp(&t, &again, sizeof(t)));
    CHECK(ioctl(s, 0x8906, &tv) == 0 && tv.tv_sec == t.tv_sec && tv.tv_usec == t.tv_nsec / 1000);
    CHECK_ERRNO(ioctl(s, 0x8906, (void *)8), EFAULT);
}

// ---- options

TEST(options_that_are_kept) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned long rate = 0;
    socklen_t len = sizeof(rate);
    CHECK(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len) == 0 && len == 8 && rate == ~0ul);
    rate = 10ul << 32;
    CHECK(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)) == 0);
    CHECK(number_of(s, SOL_SOCKET, SO_MAX_PACING_RATE) == -1);
    CHECK(set_number(s, SOL_SOCKET, SO_MAX_PACING_RATE, 100000) == 0);
    CHECK(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len) == 0 && rate == 100000);
    CHECK(number_of(s, SOL_SOCKET, SO_INCOMING_CPU) == -1);
    CHECK(set_number(s, SOL_SOCKET, SO_INCOMING_CPU, 1) == 0 &&
          number_of(s, SOL_SOCKET, SO_INCOMING_CPU) == 1);
    CHECK(bind4(s, "127.0.0.1", 0) == 0 && connect4(s, "127.0.0.1", port_of(s)) == 0 &&
          send(s, "", 0, 0) == 0);
    int cpu = number_of(s, SOL_SOCKET, SO_INCOMING_CPU);
    CHECK(cpu >= 0 && cpu < sysconf(_SC_NPROCESSORS_CONF));
}

TEST(options_are_refused_in_order) {
    int s = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0), n = 1;
    int raw = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    socklen_t less = -1;
    CHECK_ERRNO(setsockopt(s, IPPROTO_IP, 9, (void *)8, 4), ENOPROTOOPT); // nobody's: not even read
    CHECK_ERRNO(setsockopt(six, IPPROTO_IPV6, 10, (void *)8, 4), EFAULT);
    CHECK_ERRNO(setsockopt(six, IPPROTO_IPV6, 10, &n, 1), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(six, IPPROTO_IPV6, IPV6_RECVTCLASS, &n, 1), EINVAL);
    CHECK(set_number(s, IPPROTO_IP, IP_RECVTTL, 1) == 0 &&
          setsockopt(s, IPPROTO_IP, IP_RECVTTL, NULL, 0) == 0);
    CHECK(number_of(s, IPPROTO_IP, IP_RECVTTL) == 0); // nothing at all is 0
    CHECK_ERRNO(getsockopt(s, IPPROTO_IP, 9, &n, &less), EINVAL);
    CHECK_ERRNO(set_number(raw, IPPROTO_IP, IP_TTL, 1), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (void *)8, 4), EFAULT);
    CHECK_ERRNO(set_number(raw, SOL_SOCKET, SO_PEEK_OFF, 1), EOPNOTSUPP);
    CHECK(number_of(raw, SOL_SOCKET, SO_REUSEADDR) == 1 && number_of(six, SOL_SOCKET, SO_REUSEADDR) == 0);
}

// ---- many datagrams in one call

static void arrive_in_segments(int d, const char *sent, int n, int segment) {
    char got[4000];
    for (int at = 0; at < n; at += segment) {
        int part = n - at < segment ? n - at : segment;
        CHECK(recv(d, got, sizeof(got), 0) == part && !memcmp(got, sent + at, part));
    }
    CHECK_ERRNO(recv(d, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
}

TEST(datagrams_of_one_call) {
    enum { UDP_SEGMENT_ = 103, UDP_GRO_ = 104 };
    static char data[20000];
    unsigned short segment = 700;
    char control[CMSG_SPACE(sizeof(segment))] = {0};
    struct iovec iov = {data, 3000};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int d = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(d, "127.0.0.1", 0) == 0 && connect4(s, "127.0.0.1", port_of(d)) == 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + i / 250);
    CHECK(number_of(s, IPPROTO_UDP, UDP_SEGMENT_) == 0 && number_of(s, IPPROTO_UDP, UDP_GRO_) == 0);
    CHECK(set_number(s, IPPROTO_UDP, UDP_GRO_, 1) == 0 && number_of(s, IPPROTO_UDP, UDP_GRO_) == 1);
    *CMSG_FIRSTHDR(&m) = (struct cmsghdr){CMSG_LEN(sizeof(segment)), 0, IPPROTO_UDP, UDP_SEGMENT_};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &segment, sizeof(segment));
    CHECK(sendmsg(s, &m, 0) == 3000);
    arrive_in_segments(d, data, 3000, 700);
    CHECK(set_number(s, IPPROTO_UDP, UDP_SEGMENT_, 100) == 0 &&
          number_of(s, IPPROTO_UDP, UDP_SEGMENT_) == 100);
    CHECK(send(s, data, 1000, 0) == 1000);
    arrive_in_segments(d, data, 1000, 100);
    CHECK(send(s, data, 60, 0) == 60);
    arrive_in_segments(d, data, 60, 100);
    CHECK_ERRNO(send(s, data, 12801, 0), EINVAL); // more than 128
    CHECK_ERRNO(set_number(s, IPPROTO_UDP, UDP_SEGMENT_, 1 << 16), EINVAL);
    CHECK_ERRNO(set_number(s, IPPROTO_UDP, UDP_SEGMENT_, -1), EINVAL);
    CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
    CHECK_ERRNO(sendmsg(s, &m, 0), EINVAL);
}
