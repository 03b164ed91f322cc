// SPDX-License-Identifier: MIT
// What rtnetlink, and ioctl(2), tell and change of links, addresses and routes. The same program passes on Linux.
#include "netlink.h"

// ---- links

static int is_lo(const struct nlmsghdr *h, const void *arg) {
    const struct ifinfomsg *i = NLMSG_DATA(h);
    (void)arg;
    if (i->ifi_index != 1)
        return 0;
    CHECK(i->ifi_type == 772 &&
          (i->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING)) == (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
    CHECK(!strcmp(RTA_DATA(find(h, sizeof(*i), IFLA_IFNAME)), "lo") &&
          number(h, sizeof(*i), IFLA_MTU) == 65536);
    CHECK(RTA_PAYLOAD(find(h, sizeof(*i), IFLA_ADDRESS)) == 6 && find(h, sizeof(*i), IFLA_STATS64) &&
          find(h, sizeof(*i), IFLA_QDISC));
    return 1;
}

TEST(the_dump_of_links_has_loopback) {
    CHECK(count_of(RTM_GETLINK, AF_UNSPEC, RTM_NEWLINK, is_lo, NULL) == 1);
}

TEST(a_link_is_found_by_index_and_by_name) {
    int s = open_netlink(NETLINK_ROUTE);
    struct ifinfomsg i = {.ifi_index = 1}, none = {0}, far = {.ifi_index = 99};
    CHECK(answer_of(s, request(RTM_GETLINK, 0, &far, sizeof(far))) == -ENODEV);
    CHECK(answer_of(s, request(RTM_GETLINK, 0, &none, sizeof(none))) == -EINVAL);
    struct request r = request(RTM_GETLINK, 0, &none, sizeof(none));
    attribute(&r, IFLA_IFNAME, "lo", 3);
    post(s, &r);
    next_packet(s);
    CHECK(is_lo((void *)buffer, NULL));
    r = request(RTM_GETLINK, 0, &i, sizeof(i));
    post(s, &r);
    next_packet(s);
    CHECK(is_lo((void *)buffer, NULL) && !(((struct nlmsghdr *)buffer)->nlmsg_flags & NLM_F_MULTI));
    CHECK(if_nametoindex("lo") == 1);
    struct if_nameindex *names = if_nameindex();
    CHECK(names && names[0].if_index == 1 && !strcmp(names[0].if_name, "lo"));
}

TEST(a_strict_reader_wants_nothing_in_headers_that_means_nothing) {
    int s = open_netlink(NETLINK_ROUTE);
    struct ifinfomsg i = {.ifi_type = 1};
    struct ifaddrmsg a = {.ifa_prefixlen = 3};
    struct rtgenmsg g = {AF_UNSPEC};
    struct request r = request(RTM_GETLINK, NLM_F_DUMP, &i, sizeof(i));
    CHECK(count_dump(s, &r, RTM_NEWLINK, NULL, NULL) >= 1);
    switch_on(s, NETLINK_GET_STRICT_CHK);
    r = request(RTM_GETLINK, NLM_F_DUMP, &i, sizeof(i));
    CHECK(count_dump(s, &r, RTM_NEWLINK, NULL, NULL) == -EINVAL);
    r = request(RTM_GETLINK, NLM_F_DUMP, &g, sizeof(g));
    CHECK(count_dump(s, &r, RTM_NEWLINK, NULL, NULL) == -EINVAL);
    r = request(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
    CHECK(count_dump(s, &r, RTM_NEWADDR, NULL, NULL) == -EINVAL);
    a = (struct ifaddrmsg){.ifa_index = 99};
    r = request(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
    CHECK(count_dump(s, &r, RTM_NEWADDR, NULL, NULL) == -ENODEV);
}

static void change_mtu(uint32_t mtu, int expected) {
    struct ifinfomsg i = {.ifi_index = 1};
    struct request r = request(RTM_NEWLINK, 0, &i, sizeof(i));
    attribute_u32(&r, IFLA_MTU, mtu);
    CHECK(do_request(r) == expected);
}

TEST(the_mtu_is_changed_and_told) {
    int s = open_netlink(NETLINK_ROUTE);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
    change_mtu(9000, 0);
    next_packet(s);
    struct nlmsghdr *h = (void *)buffer;
    CHECK(h->nlmsg_type == RTM_NEWLINK && number(h, sizeof(struct ifinfomsg), IFLA_MTU) == 9000);
    struct ifreq q = {.ifr_name = "lo"};
    CHECK(ioctl(s, SIOCGIFMTU, &q) == 0 && q.ifr_mtu == 9000);
    change_mtu(65536, 0);
    change_mtu(0xffffffff, -EINVAL);
}

static int without_rights(void *arg) {
    (void)arg;
    struct ifinfomsg i = {.ifi_index = 1, .ifi_change = IFF_UP};
    struct ifreq q = {.ifr_name = "lo"};
    int before = open_netlink(NETLINK_ROUTE), group = 3;
    CHECK(setuid(1234) == 0);
    struct request r = request(RTM_NEWLINK, 0, &i, sizeof(i));
    CHECK(do_request(r) == -EPERM && answer_of(before, r) == -EPERM);
    CHECK(count_of(RTM_GETLINK, AF_UNSPEC, RTM_NEWLINK, is_lo, NULL) == 1);
    int s = open_netlink(NETLINK_ROUTE), u = open_netlink(NETLINK_USERSOCK);
    CHECK_ERRNO(ioctl(s, SIOCSIFFLAGS, &q), EPERM);
    CHECK(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
    CHECK_ERRNO(setsockopt(u, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), EPERM);
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = 4711};
    CHECK_ERRNO(sendto(s, "x", 1, 0, (void *)&to, sizeof(to)), EPERM);
    CHECK_ERRNO(sendto(u, "x", 1, 0, (void *)&to, sizeof(to)), ECONNREFUSED);
    CHECK_ERRNO(connect(s, (void *)&to, sizeof(to)), EPERM);
    return 0;
}

TEST(changes_need_the_capability) {
    CHECK(test_wait_exit(test_fork(without_rights, NULL)) == 0);
}

// ---- addresses

static int is_address(const struct nlmsghdr *h, const void *ip) {
    return is_ip(h, sizeof(struct ifaddrmsg), IFA_ADDRESS, ip);
}

static struct request address_request(int type, int flags, const char *ip, int bits) {
    int v6 = strchr(ip, ':') != NULL;
    struct ifaddrmsg a = {.ifa_family = v6 ? AF_INET6 : AF_INET, .ifa_prefixlen = bits, .ifa_index = 1};
    struct request r = request(type, flags, &a, sizeof(a));
    attribute_ip(&r, IFA_LOCAL, ip);
    attribute_ip(&r, IFA_ADDRESS, ip);
    return r;
}

static int change_address(int type, const char *ip, int bits) {
    return do_request(address_request(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0, ip, bits));
}

// Can a socket of IPv4 be bound to it?
static int is_own(const char *ip) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(inet_pton(AF_INET, ip, &a.sin_addr) == 1);
    int ret = bind(s, (void *)&a, sizeof(a));
    CHECK(ret == 0 || errno == EADDRNOTAVAIL);
    close(s);
    return ret == 0;
}

TEST(loopback_has_its_addresses) {
    CHECK(count_of(RTM_GETADDR, AF_INET, RTM_NEWADDR, is_address, "127.0.0.1") == 1);
    CHECK(count_of(RTM_GETADDR, AF_INET6, RTM_NEWADDR, is_address, "::1") == 1);
    CHECK(count_of(RTM_GETADDR, AF_UNSPEC, RTM_NEWADDR, is_address, "127.0.0.1") == 1);
    CHECK(count_of(RTM_GETADDR, AF_UNSPEC, RTM_NEWADDR, is_address, "::1") == 1);
}

TEST(getifaddrs_finds_them) {
    struct ifaddrs *all, *i;
    int v4 = 0, v6 = 0, packet = 0;
    CHECK(getifaddrs(&all) == 0);
    for (i = all; i; i = i->ifa_next) {
        if (strcmp(i->ifa_name, "lo") || !i->ifa_addr)
            continue;
        CHECK(i->ifa_flags & IFF_LOOPBACK);
        if (i->ifa_addr->sa_family == AF_INET &&
            ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
            v4 += ((struct sockaddr_in *)i->ifa_netmask)->sin_addr.s_addr == htonl(0xff000000);
        v6 += i->ifa_addr->sa_family == AF_INET6;
        packet += i->ifa_addr->sa_family == AF_PACKET;
    }
    CHECK(v4 == 1 && v6 == 1 && packet == 1);
}

TEST(an_address_that_is_added_is_this_machines) {
    int s = open_netlink(NETLINK_ROUTE);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    struct nlmsghdr *h = (void *)buffer;
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
    CHECK(!is_own("10.9.8.7"));
    CHECK(change_address(RTM_NEWADDR, "10.9.8.7", 32) == 0 && is_own("10.9.8.7"));
    next_packet(s);
    CHECK(h->nlmsg_type == RTM_NEWADDR && is_address(h, "10.9.8.7"));
    CHECK(change_address(RTM_NEWADDR, "10.9.8.7", 32) == -EEXIST);
    CHECK(count_of(RTM_GETADDR, AF_INET, RTM_NEWADDR, is_address, "10.9.8.7") == 1);
    CHECK(change_address(RTM_DELADDR, "10.9.8.7", 32) == 0 && !is_own("10.9.8.7"));
    next_packet(s);
    CHECK(h->nlmsg_type == RTM_DELADDR && is_address(h, "10.9.8.7"));
    CHECK(change_address(RTM_DELADDR, "10.9.8.7", 32) == -EADDRNOTAVAIL);
    CHECK(change_address(RTM_NEWADDR, "10.9.8.7", 33) == -EINVAL);
}

TEST(on_loopback_all_of_a_prefix_is_this_machine) {
    CHECK(change_address(RTM_NEWADDR, "10.7.0.1", 24) == 0);
    CHECK(is_own("10.7.0.77") && !is_own("10.7.1.1"));
    CHECK(change_address(RTM_NEWADDR, "10.7.0.2", 24) == 0); // secondary
    CHECK(change_address(RTM_DELADDR, "10.7.0.1", 24) == 0); // takes that one along
    CHECK(!is_own("10.7.0.2") && !is_own("10.7.0.77"));
    CHECK(count_of(RTM_GETADDR, AF_INET, RTM_NEWADDR, is_address, "10.7.0.2") == 0);
}

TEST(data_goes_through_an_address_that_was_added) {
    struct sockaddr_in a = {.sin_family = AF_INET}, from;
    socklen_t len = sizeof(a);
    CHECK(change_address(RTM_NEWADDR, "10.6.0.1", 32) == 0);
    CHECK(inet_pton(AF_INET, "10.6.0.1", &a.sin_addr) == 1);
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0),
        u = socket(AF_INET, SOCK_DGRAM, 0), v = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0 && getsockname(l, (void *)&a, &len) == 0);
    CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
    int s = accept(l, (void *)&from, &len);
    CHECK(s >= 0 && from.sin_addr.s_addr == a.sin_addr.s_addr); // a local address is reached from itself
    CHECK(send(c, "tcp", 3, 0) == 3 && recv(s, buffer, 9, 0) == 3);
    a.sin_port = 0;
    CHECK(bind(u, (void *)&a, sizeof(a)) == 0 && getsockname(u, (void *)&a, &len) == 0);
    CHECK(sendto(v, "udp", 3, 0, (void *)&a, sizeof(a)) == 3);
    CHECK(recvfrom(u, buffer, 9, 0, (void *)&from, &len) == 3 && from.sin_addr.s_addr == a.sin_addr.s_addr);
    close(l), close(c), close(s), close(u), close(v);
    CHECK(change_address(RTM_DELADDR, "10.6.0.1", 32) == 0);
}

TEST(an_address_of_ipv6_is_added_and_taken_away) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    int s = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(inet_pton(AF_INET6, "2001:db8::77", &a.sin6_addr) == 1);
    CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), EADDRNOTAVAIL);
    CHECK(change_address(RTM_NEWADDR, "2001:db8::77", 64) == 0 &&
          change_address(RTM_NEWADDR, "2001:db8::77", 64) == -EEXIST);
    for (int i = 0; i < 5000 && bind(s, (void *)&a, sizeof(a)); i++)
        usleep(1000); // Linux looks whether anybody else has it
    socklen_t len = sizeof(a);
    CHECK(getsockname(s, (void *)&a, &len) == 0 && sendto(t, "six", 3, 0, (void *)&a, len) == 3 &&
          recv(s, buffer, 9, 0) == 3);
    close(s), close(t);
    CHECK(change_address(RTM_DELADDR, "2001:db8::77", 64) == 0);
    CHECK(change_address(RTM_DELADDR, "2001:db8::77", 64) == -EADDRNOTAVAIL);
    CHECK(change_address(RTM_NEWADDR, "ff02::1", 64) == -EADDRNOTAVAIL);
}

TEST(a_dump_of_many_addresses_has_each_once) {
    char ip[32];
    int small[] = {1, 1000, 4000, 60000};
    for (int i = 0; i < 100; i++) {
        snprintf(ip, sizeof(ip), "10.200.%d.1", i);
        CHECK(change_address(RTM_NEWADDR, ip, 32) == 0);
    }
    for (size_t k = 0; k < 4; k++) {
        struct ifaddrmsg a = {.ifa_family = AF_INET};
        struct request r = request(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
        int s = open_netlink(NETLINK_ROUTE), seen = 0, packets = 0, done = 0;
        CHECK(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &small[k], sizeof(int)) == 0);
        post(s, &r);
        while (!done) {
            ssize_t n = recv(s, buffer, 4096, 0);
            CHECK(n > 0 && n <= 4096);
            packets++;
            for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
                done |= h->nlmsg_type == NLMSG_DONE;
                snprintf(ip, sizeof(ip), "10.200.%d.1", seen);
                seen += h->nlmsg_type == RTM_NEWADDR && is_address(h, ip);
            }
        }
        CHECK(seen == 100 && packets > 1);
        close(s);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(ip, sizeof(ip), "10.200.%d.1", i);
        CHECK(change_address(RTM_DELADDR, ip, 32) == 0);
    }
}

TEST(a_second_dump_waits_for_the_first) {
    char ip[32];
    struct ifaddrmsg a = {.ifa_family = AF_INET};
    struct request r = request(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
    for (int i = 0; i < 60; i++) {
        snprintf(ip, sizeof(ip), "10.201.%d.1", i);
        CHECK(change_address(RTM_NEWADDR, ip, 32) == 0);
    }
    int s = open_netlink(NETLINK_ROUTE), busy = 0;
    post(s, &r);
    post(s, &r);
    for (int done = 0; !done;) {
        ssize_t n = next_packet(s);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            done |= h->nlmsg_type == NLMSG_DONE;
            busy += h->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(h))->error == -EBUSY;
        }
    }
    CHECK(busy == 1);
    post(s, &r); // and is left in the middle
    close(s);
    for (int i = 0; i < 60; i++) {
        snprintf(ip, sizeof(ip), "10.201.%d.1", i);
        CHECK(change_address(RTM_DELADDR, ip, 32) == 0);
    }
}

TEST(who_does_not_read_what_it_is_told_hears_of_it_once) {
    int s = open_netlink(NETLINK_ROUTE), size = 1, got = 0, error = 0;
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    socklen_t len = sizeof(error);
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0 &&
          setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
    for (int i = 0; i < 10; i++) {
        CHECK(change_address(RTM_NEWADDR, "10.5.5.5", 32) == 0);
        CHECK(change_address(RTM_DELADDR, "10.5.5.5", 32) == 0);
    }
    CHECK(test_poll(s, POLLIN) == (POLLIN | POLLERR));
    CHECK_ERRNO(recv(s, buffer, sizeof(buffer), 0), ENOBUFS);
    while (recv(s, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
        got++;
    CHECK(errno == EAGAIN && got >= 1 && got < 20);
    switch_on(s, NETLINK_NO_ENOBUFS);
    for (int i = 0; i < 10; i++) {
        CHECK(change_address(RTM_NEWADDR, "10.5.5.5", 32) == 0);
        CHECK(change_address(RTM_DELADDR, "10.5.5.5", 32) == 0);
    }
    CHECK(test_poll(s, POLLIN) == POLLIN);
    CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
}

TEST(packet_information_tells_the_group) {
    int s = open_netlink(NETLINK_ROUTE);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR}, from;
    struct iovec v = {buffer, sizeof(buffer)};
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(struct nl_pktinfo))];
    } control;
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
    switch_on(s, NETLINK_PKTINFO);
    CHECK(change_address(RTM_NEWADDR, "10.5.5.6", 32) == 0 &&
          change_address(RTM_DELADDR, "10.5.5.6", 32) == 0);
    CHECK(recvmsg(s, &m, 0) > 0 && control.h.cmsg_level == SOL_NETLINK &&
          control.h.cmsg_type == NETLINK_PKTINFO);
    CHECK(((struct nl_pktinfo *)CMSG_DATA(&control.h))->group == RTNLGRP_IPV4_IFADDR);
    CHECK(from.nl_pid == 0 && from.nl_groups == RTMGRP_IPV4_IFADDR);
}

// ---- routes

struct route_claim {
    const char *to, *gateway;
    int bits, table, type;
};

static int is_route(const struct nlmsghdr *h, const void *arg) {
    const struct route_claim *c = arg;
    const struct rtmsg *m = NLMSG_DATA(h);
    return m->rtm_dst_len == c->bits && is_ip(h, sizeof(*m), RTA_DST, c->to) &&
           number(h, sizeof(*m), RTA_TABLE) == (uint32_t)c->table && m->rtm_type == c->type &&
           (!c->gateway || is_ip(h, sizeof(*m), RTA_GATEWAY, c->gateway));
}

static struct request route_request(int type, int flags, const char *to, int bits, int kind) {
    int v6 = strchr(to, ':') != NULL;
    struct rtmsg m = {.rtm_family = v6 ? AF_INET6 : AF_INET,
                      .rtm_dst_len = bits,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_protocol = RTPROT_STATIC,
                      .rtm_type = kind,
                      .rtm_scope = type == RTM_DELROUTE  ? RT_SCOPE_NOWHERE
                                   : kind == RTN_UNICAST ? RT_SCOPE_LINK
                                                         : RT_SCOPE_UNIVERSE};
    struct request r = request(type, flags, &m, sizeof(m));
    attribute_ip(&r, RTA_DST, to);
    return r;
}

TEST(the_routes_of_loopback_are_there) {
    struct route_claim block = {"127.0.0.0", NULL, 8, RT_TABLE_LOCAL, RTN_LOCAL},
                       one = {"127.0.0.1", NULL, 32, RT_TABLE_LOCAL, RTN_LOCAL};
    struct route_claim last = {"127.255.255.255", NULL, 32, RT_TABLE_LOCAL, RTN_BROADCAST},
                       six = {"::1", NULL, 128, RT_TABLE_LOCAL, RTN_LOCAL};
    CHECK(count_of(RTM_GETROUTE, AF_INET, RTM_NEWROUTE, is_route, &block) == 1 &&
          count_of(RTM_GETROUTE, AF_INET, RTM_NEWROUTE, is_route, &one) == 1);
    CHECK(count_of(RTM_GETROUTE, AF_INET, RTM_NEWROUTE, is_route, &last) == 1 &&
          count_of(RTM_GETROUTE, AF_INET6, RTM_NEWROUTE, is_route, &six) == 1);
    CHECK(count_of(RTM_GETRULE, AF_INET, RTM_NEWRULE, NULL, NULL) == 3 &&
          count_of(RTM_GETRULE, AF_INET6, RTM_NEWRULE, NULL, NULL) == 2);
}

static int way_to(const char *ip, struct nlmsghdr **told) {
    int s = open_netlink(NETLINK_ROUTE);
    int v6 = strchr(ip, ':') != NULL;
    struct rtmsg m = {.rtm_family = v6 ? AF_INET6 : AF_INET, .rtm_dst_len = v6 ? 128 : 32};
    struct request r = request(RTM_GETROUTE, 0, &m, sizeof(m));
    attribute_ip(&r, RTA_DST, ip);
    post(s, &r);
    next_packet(s);
    close(s);
    *told = (void *)buffer;
    return (*told)->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(*told))->error : 0;
}

TEST(the_way_that_a_packet_would_take_is_told) {
    struct nlmsghdr *h;
    CHECK(way_to("127.0.0.9", &h) == 0 && h->nlmsg_type == RTM_NEWROUTE);
    struct rtmsg *m = NLMSG_DATA(h);
    CHECK(m->rtm_type == RTN_LOCAL && m->rtm_dst_len == 32 && number(h, sizeof(*m), RTA_OIF) == 1);
    CHECK(is_ip(h, sizeof(*m), RTA_DST, "127.0.0.9") && is_ip(h, sizeof(*m), RTA_PREFSRC, "127.0.0.1"));
    CHECK(way_to("::1", &h) == 0 && is_ip(h, sizeof(*m), RTA_PREFSRC, "::1"));
    CHECK(way_to("10.1.2.3", &h) == -ENETUNREACH && way_to("2001:db8::9", &h) == -ENETUNREACH);
}

static int send_to(const char *ip) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(inet_pton(AF_INET, ip, &a.sin_addr) == 1);
    int err = sendto(s, "x", 1, 0, (void *)&a, sizeof(a)) == 1 ? 0 : errno;
    close(s);
    return err;
}

TEST(routes_are_added_found_and_removed) {
    struct nlmsghdr *h;
    struct route_claim c = {"10.44.0.0", NULL, 16, RT_TABLE_MAIN, RTN_UNICAST};
    CHECK(send_to("10.44.1.1") == ENETUNREACH);
    struct request r = route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.44.0.0", 16, RTN_UNICAST);
    attribute_u32(&r, RTA_OIF, 1);
    CHECK(do_request(r) == 0 && do_request(r) == -EEXIST);
    CHECK(count_of(RTM_GETROUTE, AF_INET, RTM_NEWROUTE, is_route, &c) == 1 && way_to("10.44.1.1", &h) == 0);
    r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.44.7.0", 24, RTN_UNREACHABLE);
    CHECK(do_request(r) == 0 && send_to("10.44.7.1") == EHOSTUNREACH);
    r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.44.8.0", 24, RTN_BLACKHOLE);
    CHECK(do_request(r) == 0 && send_to("10.44.8.1") == EINVAL);
    r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.44.9.0", 24, RTN_PROHIBIT);
    CHECK(do_request(r) == 0 && send_to("10.44.9.1") == EACCES);
    CHECK(do_request(route_request(RTM_DELROUTE, 0, "10.44.7.0", 24, 0)) == 0 &&
          do_request(route_request(RTM_DELROUTE, 0, "10.44.8.0", 24, 0)) == 0);
    CHECK(do_request(route_request(RTM_DELROUTE, 0, "10.44.9.0", 24, 0)) == 0 &&
          do_request(route_request(RTM_DELROUTE, 0, "10.44.0.0", 16, 0)) == 0);
    CHECK(do_request(route_request(RTM_DELROUTE, 0, "10.44.0.0", 16, 0)) == -ESRCH &&
          way_to("10.44.1.1", &h) == -ENETUNREACH);
}

TEST(routes_that_cannot_be_are_refused) {
    struct request r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.45.0.1", 16, RTN_UNICAST);
    attribute_u32(&r, RTA_OIF, 1);
    CHECK(do_request(r) == -EINVAL); // bits behind the prefix
    r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.45.0.0", 33, RTN_UNICAST);
    CHECK(do_request(r) == -EINVAL);
    r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.45.0.0", 16, RTN_UNICAST);
    attribute_u32(&r, RTA_OIF, 99);
    CHECK(do_request(r) == -ENODEV);
    r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.45.0.0", 16, RTN_UNICAST);
    attribute_ip(&r, RTA_GATEWAY, "10.46.0.1");
    CHECK(do_request(r) == -ENETUNREACH); // nobody knows the way there
    r = route_request(RTM_NEWROUTE, 0, "10.45.0.0", 16, RTN_UNICAST);
    attribute_u32(&r, RTA_OIF, 1);
    CHECK(do_request(r) == -ENOENT); // without NLM_F_CREATE
    r.h.nlmsg_flags |= NLM_F_CREATE;
    attribute_ip(&r, RTA_PREFSRC, "10.46.0.1");
    CHECK(do_request(r) == -EINVAL); // not ours
}

TEST(routes_are_told_to_who_listens) {
    int s = open_netlink(NETLINK_ROUTE);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    struct route_claim c = {"10.47.0.0", NULL, 16, RT_TABLE_MAIN, RTN_UNICAST};
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
    struct request r = route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.47.0.0", 16, RTN_UNICAST);
    attribute_u32(&r, RTA_OIF, 1);
    CHECK(do_request(r) == 0 && do_request(route_request(RTM_DELROUTE, 0, "10.47.0.0", 16, 0)) == 0);
    next_packet(s);
    CHECK(((struct nlmsghdr *)buffer)->nlmsg_type == RTM_NEWROUTE && is_route((void *)buffer, &c));
    next_packet(s);
    CHECK(((struct nlmsghdr *)buffer)->nlmsg_type == RTM_DELROUTE && is_route((void *)buffer, &c));
}

TEST(loopback_goes_down_and_up_again) {
    struct ifinfomsg down = {.ifi_index = 1, .ifi_change = IFF_UP},
                     up = {.ifi_index = 1, .ifi_change = IFF_UP, .ifi_flags = IFF_UP};
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    CHECK(do_request(request(RTM_NEWLINK, 0, &down, sizeof(down))) == 0);
    struct ifreq q = {.ifr_name = "lo"};
    int s = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(ioctl(s, SIOCGIFFLAGS, &q) == 0 && !(q.ifr_flags & (IFF_UP | IFF_RUNNING)));
    CHECK(count_of(RTM_GETADDR, AF_INET6, RTM_NEWADDR, is_address, "::1") == 0);
    CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), EADDRNOTAVAIL);
    CHECK(send_to("127.0.0.1") == 0); // there is a route: it is lost
    CHECK(do_request(request(RTM_NEWLINK, 0, &up, sizeof(up))) == 0);
    CHECK(count_of(RTM_GETADDR, AF_INET6, RTM_NEWADDR, is_address, "::1") == 1 &&
          bind(s, (void *)&a, sizeof(a)) == 0);
    CHECK(send_to("127.0.0.1") == 0);
}

TEST(links_that_there_are_not_can_be_neither_made_nor_unmade) {
    struct ifinfomsg none = {0}, lo = {.ifi_index = 1}, far = {.ifi_index = 99};
    struct request r = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &none, sizeof(none));
    attribute(&r, IFLA_IFNAME, "nosuch7", 8);
    CHECK(do_request(r) == -EOPNOTSUPP);
    CHECK(do_request(request(RTM_DELLINK, 0, &lo, sizeof(lo))) == -EOPNOTSUPP);
    CHECK(do_request(request(RTM_DELLINK, 0, &far, sizeof(far))) == -ENODEV);
    CHECK(do_request(request(RTM_NEWLINK, 0, &far, sizeof(far))) == -ENODEV);
    CHECK(do_request(request(RTM_SETLINK, 0, &far, sizeof(far))) == -ENODEV);
}

// ---- the older way

TEST(ioctls_tell_of_loopback) {
    struct ifreq r = {.ifr_name = "lo"}, list[8];
    struct ifconf c = {.ifc_len = sizeof(list), .ifc_req = list};
    int s = socket(AF_INET, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(ioctl(u, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex == 1); // on any socket
    memset(r.ifr_name, 0, sizeof(r.ifr_name));
    CHECK(ioctl(s, SIOCGIFNAME, &r) == 0 && !strcmp(r.ifr_name, "lo"));
    CHECK(ioctl(s, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & 0xffff) == (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
    CHECK(ioctl(s, SIOCGIFADDR, &r) == 0 &&
          ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(ioctl(s, SIOCGIFNETMASK, &r) == 0 &&
          ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(0xff000000));
    CHECK(ioctl(s, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_family == 772);
    CHECK(ioctl(s, SIOCGIFMETRIC, &r) == 0 && r.ifr_metric == 0 && ioctl(s, SIOCGIFTXQLEN, &r) == 0 &&
          r.ifr_qlen == 1000);
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_len == sizeof(list[0]) && !strcmp(list[0].ifr_name, "lo"));
    c = (struct ifconf){.ifc_len = 0};
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_len == sizeof(list[0]));
    strcpy(r.ifr_name, "nosuch");
    CHECK_ERRNO(ioctl(s, SIOCGIFFLAGS, &r), ENODEV);
    CHECK_ERRNO(ioctl(s, SIOCGIFADDR, &r), ENODEV);
    r.ifr_ifindex = 99;
    CHECK_ERRNO(ioctl(s, SIOCGIFNAME, &r), ENODEV);
    CHECK_ERRNO(ioctl(u, SIOCGIFADDR, &r), ENOTTY);
}

TEST(ioctls_give_a_second_address_by_its_label) {
    struct ifreq r = {.ifr_name = "lo:7"};
    struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(ioctl(s, SIOCGIFADDR, &r), EADDRNOTAVAIL);
    *a = (struct sockaddr_in){.sin_family = AF_INET};
    CHECK(inet_pton(AF_INET, "10.3.2.1", &a->sin_addr) == 1 && ioctl(s, SIOCSIFADDR, &r) == 0);
    a->sin_addr.s_addr = htonl(0xffffff00);
    CHECK(ioctl(s, SIOCSIFNETMASK, &r) == 0 && is_own("10.3.2.99") && !is_own("10.3.3.1"));
    a->sin_addr.s_addr = htonl(0xff00ff00);
    CHECK_ERRNO(ioctl(s, SIOCSIFNETMASK, &r), EINVAL);
    CHECK(ioctl(s, SIOCGIFADDR, &r) == 0 && a->sin_addr.s_addr == htonl(0x0a030201));
    r.ifr_flags = 0;
    CHECK(ioctl(s, SIOCSIFFLAGS, &r) == 0 && !is_own("10.3.2.1"));
    CHECK(is_own("127.0.0.1"));
}

// ---- who is told of nothing keeps nobody waiting

#define OTHERS 3000 // sockets, in processes of 1,000

static double seconds_of_a_change(void) {
    struct timespec from, to;
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < 400; i++) {
        r.ifr_flags = i & 1 ? IFF_UP : 0;
        CHECK(ioctl(s, SIOCSIFFLAGS, &r) == 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    CHECK(close(s) == 0);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

TEST(sockets_in_no_group_cost_no_time_when_groups_are_told) {
    int ready[2];
    char byte;
    pid_t others[OTHERS / 1000];
    double before = seconds_of_a_change();
    CHECK(pipe(ready) == 0);
    for (int i = 0; i < OTHERS / 1000; i++) {
        if (!(others[i] = fork())) {
            for (int n = 0; n < 1000; n++)
                (void)open_netlink(NETLINK_ROUTE);
            CHECK(write(ready[1], "", 1) == 1);
            pause();
        }
        CHECK(others[i] > 0 && read(ready[0], &byte, 1) == 1);
    }
    double with = seconds_of_a_change();
    for (int i = 0; i < OTHERS / 1000; i++)
        CHECK(kill(others[i], SIGKILL) == 0 && waitpid(others[i], NULL, 0) == others[i]);
    CHECK(with < 4 * before + 0.2);
}
