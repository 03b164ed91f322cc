// SPDX-License-Identifier: MIT
// Netlink sockets: ports, groups, requests and their ends, sock_diag. The same program passes on Linux.
#include "netlink.h"

// ---- sockets

TEST(netlink_of_a_wrong_type_or_protocol_is_refused) {
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 32), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 29), EPROTONOSUPPORT);
    int p[2];
    CHECK_ERRNO(socketpair(AF_NETLINK, SOCK_RAW, 0, p), EOPNOTSUPP);
    int s = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE), type = 0;
    socklen_t len = sizeof(type);
    CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM);
    CHECK(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &type, &len) == 0 && type == AF_NETLINK);
    CHECK_ERRNO(listen(s, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(s, NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(shutdown(s, SHUT_RD), EOPNOTSUPP);
    CHECK_ERRNO(send(s, "", 0, 0), ENODATA);
    CHECK_ERRNO(send(s, "x", 1, MSG_OOB), EOPNOTSUPP);
    CHECK_ERRNO(recv(s, buffer, 1, MSG_OOB), EOPNOTSUPP);
    CHECK_ERRNO(recv(s, buffer, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(the_first_netlink_socket_has_the_process_id_as_its_port) {
    int a = open_netlink(NETLINK_ROUTE), b = open_netlink(NETLINK_ROUTE), c = open_netlink(NETLINK_USERSOCK);
    CHECK(port_of(a) == 0);
    CHECK(bind(a, (void *)&kernel, sizeof(kernel)) == 0 && port_of(a) == (uint32_t)getpid());
    CHECK(bind(b, (void *)&kernel, sizeof(kernel)) == 0 && port_of(b) != port_of(a) && port_of(b));
    CHECK(bind(c, (void *)&kernel, sizeof(kernel)) == 0 && port_of(c) == (uint32_t)getpid());
    close(a);
    a = open_netlink(NETLINK_ROUTE);
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_pid = port_of(b)}, other = own;
    CHECK_ERRNO(bind(a, (void *)&own, sizeof(own)), EADDRINUSE);
    other.nl_pid = 0x7fff0001;
    CHECK(bind(a, (void *)&other, sizeof(other)) == 0 && port_of(a) == 0x7fff0001);
    CHECK(bind(a, (void *)&other, sizeof(other)) == 0);
    other.nl_pid = 0x7fff0002;
    CHECK_ERRNO(bind(a, (void *)&other, sizeof(other)), EINVAL);
    CHECK_ERRNO(bind(a, (void *)&other, sizeof(other) - 1), EINVAL);
    other.nl_family = AF_UNIX;
    CHECK_ERRNO(bind(a, (void *)&other, sizeof(other)), EINVAL);
}

TEST(groups_are_joined_by_bind_and_by_option) {
    int s = open_netlink(NETLINK_ROUTE), group = RTNLGRP_LINK;
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    uint32_t words[2] = {9, 9};
    socklen_t len = sizeof(a);
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
    CHECK(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
    CHECK(getsockname(s, (void *)&a, &len) == 0 && a.nl_groups == (RTMGRP_IPV4_IFADDR | RTMGRP_LINK));
    len = sizeof(words);
    CHECK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &len) == 0 && len == 8);
    CHECK(words[0] == (RTMGRP_IPV4_IFADDR | RTMGRP_LINK) && words[1] == 0);
    CHECK(setsockopt(s, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)) == 0);
    CHECK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &len) == 0 &&
          words[0] == RTMGRP_IPV4_IFADDR);
    group = 0;
    CHECK_ERRNO(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), EINVAL);
    group = 1000;
    CHECK_ERRNO(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), EINVAL);
}

TEST(options_of_netlink_are_kept) {
    int s = open_netlink(NETLINK_ROUTE), on = 1;
    socklen_t len = sizeof(on);
    static const int options[] = {NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
                                  NETLINK_CAP_ACK, NETLINK_EXT_ACK,         NETLINK_GET_STRICT_CHK};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        CHECK(getsockopt(s, SOL_NETLINK, options[i], &on, &len) == 0 && on == 0 && len == sizeof(on));
        switch_on(s, options[i]);
        CHECK(getsockopt(s, SOL_NETLINK, options[i], &on, &len) == 0 && on == 1);
    }
    CHECK_ERRNO(getsockopt(s, SOL_NETLINK, 99, &on, &len), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(s, SOL_NETLINK, 99, &on, sizeof(on)), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(s, SOL_IP, 1, &on, sizeof(on)), ENOPROTOOPT);
    len = 1;
    CHECK_ERRNO(getsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &on, &len), EINVAL);
}

TEST(programs_send_to_each_other_by_port) {
    int a = open_netlink(NETLINK_USERSOCK), b = open_netlink(NETLINK_USERSOCK), one = 1;
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = 77001}, from;
    struct iovec v = {buffer, sizeof(buffer)};
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    CHECK(bind(b, (void *)&to, sizeof(to)) == 0);
    CHECK(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
    CHECK(sendto(a, "hello", 5, 0, (void *)&to, sizeof(to)) == 5);
    CHECK(port_of(a) == (uint32_t)getpid()); // sending is binding
    CHECK(test_poll(b, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    CHECK(recvmsg(b, &m, 0) == 5 && !memcmp(buffer, "hello", 5) && !m.msg_flags);
    CHECK(from.nl_family == AF_NETLINK && from.nl_pid == port_of(a) && from.nl_groups == 0 &&
          m.msg_namelen == sizeof(from));
    struct ucred *u = (void *)CMSG_DATA(&control.h);
    CHECK(control.h.cmsg_type == SCM_CREDENTIALS && u->pid == getpid() && u->uid == getuid());
    CHECK(sendto(a, "truncated", 9, 0, (void *)&to, sizeof(to)) == 9);
    CHECK(recv(b, buffer, 4, MSG_PEEK) == 4 && recv(b, buffer, 4, MSG_PEEK | MSG_TRUNC) == 9);
    v.iov_len = 4;
    m.msg_controllen = 0;
    CHECK(recvmsg(b, &m, 0) == 4 && m.msg_flags & MSG_TRUNC);
    CHECK_ERRNO(recv(b, buffer, 4, MSG_DONTWAIT), EAGAIN);
    to.nl_pid = 77002;
    CHECK_ERRNO(sendto(a, "x", 1, 0, (void *)&to, sizeof(to)), ECONNREFUSED);
    CHECK_ERRNO(sendto(a, "x", 1, 0, (void *)&kernel, sizeof(kernel)),
                ECONNREFUSED); // nobody is at home there
    CHECK_ERRNO(sendto(a, "x", 1, 0, (void *)&to, sizeof(to) - 1), EINVAL);
}

TEST(a_connected_netlink_socket_takes_from_its_peer_alone) {
    int a = open_netlink(NETLINK_USERSOCK), b = open_netlink(NETLINK_USERSOCK),
        c = open_netlink(NETLINK_USERSOCK);
    struct sockaddr_nl at_a = {.nl_family = AF_NETLINK, .nl_pid = 77010},
                       at_b = {.nl_family = AF_NETLINK, .nl_pid = 77011}, got;
    socklen_t len = sizeof(got);
    CHECK(bind(a, (void *)&at_a, sizeof(at_a)) == 0 && bind(b, (void *)&at_b, sizeof(at_b)) == 0);
    CHECK(getpeername(a, (void *)&got, &len) == 0 && got.nl_pid == 0);
    CHECK(connect(a, (void *)&at_b, sizeof(at_b)) == 0);
    CHECK(getpeername(a, (void *)&got, &len) == 0 && got.nl_pid == 77011);
    CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&at_a, sizeof(at_a)), ECONNREFUSED);
    CHECK(sendto(b, "y", 1, 0, (void *)&at_a, sizeof(at_a)) == 1 && recv(a, buffer, 9, 0) == 1);
    CHECK(send(a, "zz", 2, 0) == 2 && recv(b, buffer, 9, 0) == 2);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(connect(a, &none, sizeof(none)) == 0);
    CHECK(sendto(c, "x", 1, 0, (void *)&at_a, sizeof(at_a)) == 1);
    CHECK_ERRNO(connect(a, (void *)&at_b, sizeof(at_b) - 1), EINVAL);
}

TEST(a_group_hears_what_a_program_sends_to_it) {
    int a = open_netlink(NETLINK_USERSOCK), b = open_netlink(NETLINK_USERSOCK),
        c = open_netlink(NETLINK_USERSOCK), group = 5;
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = 1 << 4}, from;
    socklen_t len = sizeof(from);
    CHECK(setsockopt(b, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
    CHECK(setsockopt(c, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0); // but has no port
    CHECK(bind(b, (void *)&kernel, sizeof(kernel)) == 0);
    group = 5;
    CHECK(setsockopt(b, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
    CHECK(setsockopt(a, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
    sendto(a, "all", 3, 0, (void *)&to,
           sizeof(to)); // ECONNREFUSED by the kernel's end, which is sent to as well
    CHECK(recvfrom(b, buffer, 9, 0, (void *)&from, &len) == 3 && from.nl_groups == 1 << 4 &&
          from.nl_pid == port_of(a));
    CHECK_ERRNO(recv(a, buffer, 9, MSG_DONTWAIT), EAGAIN); // not the sender itself
    CHECK_ERRNO(recv(c, buffer, 9, MSG_DONTWAIT), EAGAIN);
}

TEST(a_full_netlink_socket_makes_programs_wait) {
    int a = open_netlink(NETLINK_USERSOCK), b = open_netlink(NETLINK_USERSOCK), size = 1, n = 0;
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = 77020};
    CHECK(bind(b, (void *)&to, sizeof(to)) == 0 &&
          setsockopt(b, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
    while (sendto(a, buffer, 1000, MSG_DONTWAIT, (void *)&to, sizeof(to)) == 1000)
        n++;
    CHECK(errno == EAGAIN && n >= 1 && n < 10);
    pid_t pid = fork();
    if (!pid)
        _exit(sendto(a, buffer, 1000, 0, (void *)&to, sizeof(to)) == 1000 ? 0 : 1);
    for (int i = 0; i <= n; i++)
        CHECK(recv(b, buffer, sizeof(buffer), 0) == 1000);
    CHECK(test_wait_exit(pid) == 0);
    size = 4000;
    CHECK(setsockopt(a, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
    CHECK_ERRNO(sendto(a, buffer, 8000 - 31, 0, (void *)&to, sizeof(to)), EMSGSIZE);
}

// ---- requests and their ends

TEST(an_unknown_request_is_answered_with_all_of_it) {
    int s = open_netlink(NETLINK_ROUTE);
    struct rtgenmsg g = {AF_UNSPEC};
    struct request r = request(RTM_MAX + 100, 0, &g, sizeof(g));
    post(s, &r);
    ssize_t n = next_packet(s);
    struct nlmsghdr *h = (void *)buffer;
    struct nlmsgerr *e = NLMSG_DATA(h);
    CHECK(h->nlmsg_type == NLMSG_ERROR && e->error == -EOPNOTSUPP && e->msg.nlmsg_seq == r.h.nlmsg_seq);
    CHECK(h->nlmsg_len == NLMSG_LENGTH(sizeof(*e) + NLMSG_ALIGN(sizeof(g))) && n >= (ssize_t)h->nlmsg_len &&
          !(h->nlmsg_flags & NLM_F_CAPPED));
    switch_on(s, NETLINK_CAP_ACK);
    post(s, &r);
    next_packet(s);
    CHECK(h->nlmsg_len == NLMSG_LENGTH(sizeof(*e)) && h->nlmsg_flags & NLM_F_CAPPED);
}

TEST(an_extended_acknowledgement_says_why) {
    int s = open_netlink(NETLINK_ROUTE), strict = 1;
    struct ifinfomsg i = {.ifi_index = 1, .ifi_type = 7};
    struct request r = request(RTM_GETLINK, 0, &i, sizeof(i));
    switch_on(s, NETLINK_EXT_ACK);
    switch_on(s, NETLINK_CAP_ACK);
    CHECK(setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict)) == 0);
    post(s, &r);
    next_packet(s);
    struct nlmsghdr *h = (void *)buffer;
    struct nlmsgerr *e = NLMSG_DATA(h);
    CHECK(h->nlmsg_type == NLMSG_ERROR && e->error == -EINVAL && h->nlmsg_flags & NLM_F_ACK_TLVS);
    const struct rtattr *a = find(h, sizeof(*e), NLMSGERR_ATTR_MSG);
    CHECK(a && !strcmp(RTA_DATA(a), "Invalid values in header for get link request"));
}

TEST(what_is_no_request_is_acknowledged_and_nothing_else) {
    int s = open_netlink(NETLINK_ROUTE);
    struct rtgenmsg g = {AF_UNSPEC};
    struct request r = request(RTM_GETLINK, 0, &g, sizeof(g));
    r.h.nlmsg_flags = NLM_F_ACK;
    post(s, &r);
    next_packet(s);
    struct nlmsghdr *h = (void *)buffer;
    CHECK(h->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(h))->error == 0);
    r.h.nlmsg_flags = 0;
    post(s, &r);
    r.h.nlmsg_type = NLMSG_NOOP;
    r.h.nlmsg_flags = NLM_F_REQUEST;
    post(s, &r);
    CHECK_ERRNO(recv(s, buffer, sizeof(buffer), MSG_DONTWAIT), EAGAIN);
}

TEST(messages_whose_lengths_lie_are_not_answered) {
    int s = open_netlink(NETLINK_ROUTE);
    struct rtgenmsg g = {AF_UNSPEC};
    struct request r = request(RTM_GETLINK, NLM_F_ACK, &g, sizeof(g));
    static const uint32_t lengths[] = {0, 1, 15, 1000, 0xffffffff, 0x80000000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        r.h.nlmsg_len = lengths[i];
        CHECK(send(s, &r, NLMSG_LENGTH(sizeof(g)), 0) == NLMSG_LENGTH(sizeof(g)));
    }
    CHECK(send(s, &r, 3, 0) == 3);
    CHECK_ERRNO(recv(s, buffer, sizeof(buffer), MSG_DONTWAIT), EAGAIN);
}

TEST(several_requests_in_one_packet_are_all_done) {
    int s = open_netlink(NETLINK_ROUTE), n = 0;
    struct ifinfomsg i = {.ifi_index = 1};
    struct request r = request(RTM_GETLINK, NLM_F_ACK, &i, sizeof(i));
    for (n = 0; n < 5; n++)
        memcpy(buffer + n * NLMSG_ALIGN(r.h.nlmsg_len), &r, r.h.nlmsg_len);
    CHECK(send(s, buffer, n * NLMSG_ALIGN(r.h.nlmsg_len), 0) > 0);
    for (n = 0; n < 5; n++) {
        next_packet(s);
        CHECK(((struct nlmsghdr *)buffer)->nlmsg_type == RTM_NEWLINK);
        next_packet(s);
        CHECK(((struct nlmsghdr *)buffer)->nlmsg_type == NLMSG_ERROR);
    }
    CHECK_ERRNO(recv(s, buffer, sizeof(buffer), MSG_DONTWAIT), EAGAIN);
}

// ---- what sockets there are

TEST(sock_diag_tells_of_unix_sockets) {
    struct sockaddr_un a = {AF_UNIX, "\0netlink-diag"};
    int s = open_netlink(NETLINK_SOCK_DIAG), l = socket(AF_UNIX, SOCK_STREAM, 0),
        c = socket(AF_UNIX, SOCK_STREAM, 0), found = 0;
    socklen_t len = sizeof(a.sun_family) + 13;
    struct unix_diag_req q = {.sdiag_family = AF_UNIX,
                              .udiag_states = ~0u,
                              .udiag_show =
                                  UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_ICONS};
    struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q));
    struct stat_ino {
        char text[64];
    } link = {""};
    CHECK(bind(l, (void *)&a, len) == 0 && listen(l, 5) == 0 && connect(c, (void *)&a, len) == 0);
    snprintf(link.text, sizeof(link.text), "/proc/self/fd/%d", l);
    char name[64] = "";
    CHECK(readlink(link.text, name, sizeof(name) - 1) > 0);
    unsigned int ino = 0;
    CHECK(sscanf(name, "socket:[%u]", &ino) == 1);
    post(s, &r);
    ssize_t n = next_packet(s);
    struct nlmsghdr *h = (void *)buffer;
    if (h->nlmsg_type == NLMSG_ERROR)
        return; // Linux, without its module
    for (int done = 0; !done; n = done ? 0 : next_packet(s))
        for (h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            struct unix_diag_msg *m = NLMSG_DATA(h);
            done |= h->nlmsg_type == NLMSG_DONE;
            if (h->nlmsg_type == NLMSG_DONE || m->udiag_ino != ino)
                continue;
            const struct rtattr *name = find(h, sizeof(*m), UNIX_DIAG_NAME);
            CHECK(m->udiag_state == 10 && m->udiag_type == SOCK_STREAM && name && RTA_PAYLOAD(name) == 13 &&
                  !memcmp(RTA_DATA(name), "\0netlink-diag", 13));
            struct unix_diag_rqlen *q = RTA_DATA(find(h, sizeof(*m), UNIX_DIAG_RQLEN));
            CHECK(q->udiag_rqueue == 1 && q->udiag_wqueue == 5);
            found++;
        }
    CHECK(found == 1);
    q = (struct unix_diag_req){.sdiag_family = AF_UNIX, .udiag_ino = ino, .udiag_cookie = {~0u, ~0u}};
    r = request(SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q));
    post(s, &r);
    next_packet(s);
    CHECK(((struct unix_diag_msg *)NLMSG_DATA((struct nlmsghdr *)buffer))->udiag_ino == ino);
    q.udiag_cookie[0] = 0x12345;
    CHECK(answer_of(s, request(SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q))) == -ESTALE);
}

TEST(sock_diag_of_a_family_that_nobody_has_is_refused) {
    int s = open_netlink(NETLINK_SOCK_DIAG);
    struct sock_diag_req q = {.sdiag_family = 44};
    CHECK(answer_of(s, request(SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q))) == -ENOENT);
    q.sdiag_family = 200;
    CHECK(answer_of(s, request(SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q))) == -EINVAL);
    CHECK(answer_of(s, request(SOCK_DIAG_BY_FAMILY, 0, &q, 1)) == -EINVAL);
}
