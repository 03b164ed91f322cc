// SPDX-License-Identifier: MIT
// What AF_INET and AF_INET6 tell of their sockets and packets: /proc/net, and NETLINK_SOCK_DIAG.
//
// A snapshot is taken in one piece under the stack's lock, which lwIP takes as long for to look for one connection among all; so nobody is
// missing and nobody is there twice. Its memory counts on the caller's account until it is let go of.
#pragma once
#include "net/address.h"

struct socket;

struct inet_info {
    struct net_address local, remote; // of the socket's family: IPv4's as mapped addresses on sockets of IPv6
    uint16_t local_port, remote_port; // host byte order
    uint8_t protocol, state;          // IPPROTO_*; as Linux numbers TCP's
    uint8_t timer; // 0: none; 1: sends again; 2: keep-alive; 3: TIME_WAIT; 4: looks for a window
    uint8_t shutdown, retransmits;
    bool v6only;
    int device;       // that it is bound to, 0: none
    uint32_t expires; // of the timer: ms
    uint32_t rx,
        tx; // bytes to read, and not acknowledged; of a listener connections to accept, and the backlog
    uint32_t uid, refs, drops;
    uint32_t rcvbuf, sndbuf, wmem;
    uint32_t rto, rtt, mss, cwnd, ssthresh, window; // ms, ms, bytes, segments, segments, bytes
    uint8_t snd_scale, rcv_scale;
    uint64_t ino, cookie; // 0: nobody has it any more, or yet
};

#define INET_RAW 255 // instead of a protocol: sockets of SOCK_RAW

struct net_ns;
struct inet_snapshot;
// Of all sockets of a protocol that are bound. ERR_PTR(-ENOMEM).
struct inet_snapshot *__must_check inet_snapshot_create(struct net_ns *net, int protocol);
void inet_snapshot_free(struct inet_snapshot *s); // NULL is fine
// The one of this number, NULL: there are not so many.
const struct inet_info *inet_snapshot_at(const struct inet_snapshot *s, unsigned long i);

// Sockets of a protocol and family that there are, bound or not.
struct inet_counts {
    unsigned long tcp, tcp6, tcp_orphans, tcp_time_wait, udp, udp6, raw, raw6;
};
void inet_count(struct net_ns *net, struct inet_counts *out);
extern const unsigned int inet_socket_size; // bytes

// Groups that sockets are members of.
struct inet_group {
    struct net_address address;
    unsigned int users; // memberships
};
// With the stack's lock: how many a device (its index) has, and the next `most` of them, the newest first. *before is UINT64_MAX at first, and tells
// where the next call goes on. How many were put.
unsigned int inet_group_count_locked(int device, unsigned int family);
unsigned int inet_groups_locked(int device, unsigned int family, uint64_t *before, struct inet_group *out,
                                unsigned int most);

// What packets were (RFC 4293, 4022, 4113), as far as lwIP counts them.
struct inet_statistics {
    uint32_t ip_in, ip_header_errors, ip_address_errors, ip_unknown_protocols, ip_discarded, ip_delivered,
        ip_out, ip_out_discarded, ip_no_route;
    uint32_t icmp_in, icmp_in_errors, icmp_in_unreachable, icmp_in_echo, icmp_in_echo_reply, icmp_out,
        icmp_out_errors, icmp_out_unreachable, icmp_out_echo, icmp_out_echo_reply;
    uint32_t tcp_active, tcp_passive, tcp_failed, tcp_reset, tcp_in, tcp_out, tcp_again, tcp_errors,
        tcp_resets_sent, tcp_established;
    uint32_t udp_in, udp_no_port, udp_errors, udp_out;
    uint32_t ip6_in, ip6_out, ip6_dropped;
};
void inet_statistics(struct net_ns *net, struct inet_statistics *out);
