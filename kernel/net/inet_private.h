// SPDX-License-Identifier: MIT
// AF_INET and AF_INET6 among their files (inet.c tells more).
//
// Key: [n] the stack's lock (net/inet_stack.h), [r] s.read_mutex, [l] s.lock, [a] atomic or read without.
#pragma once
#include "lib/list.h"
#include "net/inet_stack.h"
#include "net/socket.h"
#include <linux/in.h>
#include <linux/in6.h>

// The user's two flags beside lwIP's own in so_options. lwIP's SOF_REUSEADDR is always set, so that lwIP has no rules of
// its own about who may bind what.
#define SOF_USER_REUSEADDR 0x40u
#define SOF_USER_REUSEPORT 0x80u

struct tcp_options {                          // [n]
    int keep_idle, keep_interval, keep_count; // seconds, seconds, probes
    bool nodelay, cork, quickack, inq;
    int max_segment, syn_count, defer; // 0: not said; bytes, tries, tries
    int linger2;                       // seconds, 0: not said, -1: none
    unsigned int user_timeout;         // ms, 0: none
    unsigned int unsent_low;           // TCP_NOTSENT_LOWAT, 0: none
};

struct inet_socket {
    struct socket s;
    union { // [n] NULL: lwIP has none (any more)
        struct tcp_pcb *tcp;
        struct udp_pcb *udp;
        struct raw_pcb *raw;
        void *pcb;
    };
    ip_addr_t local, remote;          // [n] what getsockname(2) and getpeername(2) tell
    uint16_t local_port, remote_port; // [n] host byte order
    bool v6only;                      // [n]
    bool explicit_port;               // [n] bound by bind(2) to a port of the caller's choice
    bool bound_address;        // [n] bound by bind(2) to an address without a port (IP_BIND_ADDRESS_NO_PORT)
    uint8_t tos, ttl;          // [n] ttl 0: the default
    uint8_t min_ttl, min_hops; // [n] IP_MINTTL, IPV6_MINHOPCOUNT: what comes with less is not heard (TCP)
    uint8_t mtu_discover[2];   // [n] IPv4's, IPv6's
    uint8_t hops;              // [n] IPV6_UNICAST_HOPS, 0: the default
    uint8_t tclass;            // [n]
    uint64_t switches;         // [a] 1 << IN_*
    int device;                // [a] SO_BINDTODEVICE: its number; 0: none
    uint8_t group_ttl;         // [n] IP_MULTICAST_TTL
    uint8_t group_hops;        // [n] IPV6_MULTICAST_HOPS
    int group_device, group_device6; // [n] where packets to groups go; 0: not said
    uint32_t group_address;          // [n] the same as an address
    struct list_head groups;         // [n] memberships: inet_group.c
    // Bytes or datagrams that have come in.
    unsigned long rx_bytes; // [a] readable
    // TCP
    struct pbuf *arrived, *arrived_last; // [n] a chain, in order
    struct pbuf *reading, *reading_last; // [r] what the reader took of it
    size_t offset;                       // [r] of reading that has been read
    struct mutex write_mutex;            // one writer at a time, before vmspace.lock
    bool writable;                       // [a] there is room to send
    bool done;                           // [n] it was connected once
    bool crossed;                  // [n] the other end's SYN came while it waited for an answer to its own
    struct list_head accept_queue; // [n] connections nobody has accepted
    struct list_head accept_link;  // [n] in it
    unsigned int accept_count;     // [n] read without
    struct tcp_options tcp_options;
    struct list_head
        deferred_queue; // [n] of a listener: connections that nothing has come on yet, by accept_link
    unsigned int deferred_count;     // [n]
    struct inet_socket *deferred_by; // [n] the listener in whose such queue it is
    ktime_t deferred_until;          // [n]
    uint32_t rx_seq;                 // [n] sequence number of the next byte to come
    uint32_t read_seq;               // [r] and of the next to be read
    struct {
        uint32_t seq;
        uint8_t state, byte; // URGENT_*
    } urgent;                // [n] read without
    size_t window_debt;      // [n] bytes that the window is to shrink by as they are read
    size_t window_cut;       // [n] what it is smaller than lwIP's
    struct inet_socket
        *peer; // [n] read without: the other end, if it is a socket of this machine (inet_tcp_direct.c)
    unsigned int looked_in; // [n] net_route_round_locked() when it was looked for,
    bool looked;            // [n] if it was
    size_t ahead; // [n] read without: bytes in `arrived` and `reading` that the window has no room for yet
    ktime_t held_since;      // [n] when a piece was held back (TCP_CORK, MSG_MORE); 0: none is
    uint64_t bytes_sent;     // [n]
    uint64_t bytes_received; // [n]
    uint32_t last_ack;       // [n] TCP_USER_TIMEOUT: what had been acknowledged,
    ktime_t ack_time;        // [n] and since when no more; 0: nothing is underway
    // UDP, raw and ping sockets
    struct inet_cork *cork;     // [write_mutex] read without: a datagram that is not complete
    struct list_head datagrams; // [l]
    struct list_head errors;    // [l] IP_RECVERR
    unsigned long error_bytes;  // [l] read without
    unsigned int drops;         // [l] SO_RXQ_OVFL
    uint16_t segment;           // [a] UDP_SEGMENT
    ktime_t stamp;              // [a] SIOCGSTAMP: of the last datagram that was read; 0: it was not stamped
    struct list_head raw_link;  // [n] in all raw and ping sockets
    uint32_t icmp_filter[8];    // [n]
};

#define LO_INDEX      1      // of the loopback device
#define INET_NO_STAMP (-1ll) // inet_socket.stamp: none has been read

// What is on or off of levels IP and IPv6.
enum inet_switch {
    IN_PKTINFO, // control data that recvmsg(2) gives
    IN_TTL,
    IN_TOS,
    IN_ORIGDST,
    IN_PKTINFO6,
    IN_PKTINFO6_OLD,
    IN_HOPS,
    IN_HOPS_OLD,
    IN_TCLASS,
    IN_ORIGDST6,
    IN_RECVERR,
    IN_RECVERR6,
    IN_CORK,     // UDP_CORK
    IN_GRO,      // UDP_GRO: a hint
    IN_NO_PORT,  // IP_BIND_ADDRESS_NO_PORT
    IN_FREEBIND, // addresses that are not this machine's can be bound to
    IN_TRANSPARENT,
    IN_FREEBIND6,
    IN_TRANSPARENT6,
    IN_HDRINCL,
    IN_MULTICAST_ALL,
    IN_MULTICAST_ALL6,
    IN_MULTICAST_LOOP, // of these on loopback nobody can tell
    IN_MULTICAST_LOOP6,
    IN_RECVOPTS, // what never comes on loopback
    IN_RETOPTS,
    IN_PASSSEC,
    IN_CHECKSUM,
    IN_FRAGSIZE,
    IN_HOPOPTS,
    IN_HOPOPTS_OLD,
    IN_RTHDR,
    IN_RTHDR_OLD,
    IN_DSTOPTS,
    IN_DSTOPTS_OLD,
    IN_PATHMTU,
    IN_FRAGSIZE6,
    IN_DONTFRAG,
};

static inline struct inet_socket *to_inet(struct socket *s) {
    return (struct inet_socket *)s;
}

static inline bool inet_switch_is_on(const struct inet_socket *i, enum inet_switch which) {
    return READ_ONCE(i->switches) >> which & 1;
}
static inline void inet_put_switch(struct inet_socket *i, enum inet_switch which, bool on) {
    if (on)
        __atomic_fetch_or(&i->switches, 1ull << which, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&i->switches, ~(1ull << which), __ATOMIC_RELAXED);
}

extern const struct socket_ops inet_tcp_ops, inet_udp_ops;

// inet.c
// One that `user` pays for. NULL: no memory, or the user has its share.
struct inet_socket *inet_alloc(struct net_ns *net, int family, int type, int protocol,
                               const struct socket_ops *ops, struct user *user);
void inet_free_socket(struct socket *s);
// An address as a program wrote it. `ip` has the type of what it is: a mapped address is one of IPv4.
// -EINVAL, -EAFNOSUPPORT.
int __must_check inet_read_address(const struct inet_socket *i, const struct socket_address *a, ip_addr_t *ip,
                                   uint16_t *port);
void inet_write_address(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port,
                        struct socket_address *out);
int inet_name(struct socket *s, struct socket_address *out, bool peer);
// Can a packet to `ip` go? 0, -ENETUNREACH, -EACCES (broadcast). "Any" becomes this machine. `way_is_known`: the device or the
// source was said, so that groups can be reached.
int __must_check inet_route(const struct inet_socket *i, ip_addr_t *ip, bool way_is_known);
bool inet_is_own(struct net_ns *net, const ip_addr_t *ip);
bool inet_address_is_mapped(const struct in6_addr *a); // IPv4's in IPv6's form
// The type of an lwIP pcb for it.
static inline u8_t inet_pcb_type(const struct inet_socket *i) {
    return i->s.family == AF_INET ? IPADDR_TYPE_V4 : i->v6only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
}
// so_options of a pcb of its.
u8_t inet_pcb_options(const struct inet_socket *i);

// inet_bind.c
// [n] True if another socket that listens forbids i to do so at this address and port.
bool inet_listener_conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port);
// "Any" of its family, IPv4's, too, where it takes both.
ip_addr_t inet_any(const struct inet_socket *i);
// [n] tcp_bind() and udp_remove(), with a note of which ports are in use. The second clears i->udp.
int __must_check inet_tcp_bind_pcb(struct tcp_pcb *p, const ip_addr_t *ip, uint16_t port);
void inet_udp_remove_pcb(struct inet_socket *i);
// [n] Notes the port of a pcb that came to it in another way.
void inet_tcp_note_port(struct tcp_pcb *p);
// [n] A free port of those for everybody, or 0: all are taken.
uint16_t inet_pick_port(const struct inet_socket *i, const ip_addr_t *ip);
// Gives its pcb, which has no name yet, this address and port (0: any). -EADDRINUSE.
int __must_check inet_bind_locked(struct inet_socket *i, const ip_addr_t *ip, uint16_t port);
// bind(2): checks the address and calls the protocol's `locked`, which looks whether the socket may have a name now.
int __must_check inet_bind(struct inet_socket *i, const struct socket_address *a,
                           int (*locked)(struct inet_socket *i, const ip_addr_t *ip, uint16_t port));

// inet_options.c
int inet_set_option(struct socket *s, int level, int option, const void __user *value, int len);
int inet_get_option(struct socket *s, int level, int option, void __user *value, int __user *len);
int inet_tcp_set_option(struct inet_socket *i, int option, const void __user *value, int len);
int inet_tcp_get_option(struct inet_socket *i, int option, void __user *value, int __user *len);
void inet_option_changed(struct socket *s, int option);
void inet_apply_options(struct inet_socket *i); // [n] to its pcb
long inet_ioctl(struct socket *s, unsigned int cmd, unsigned long arg);

// inet_group.c
int inet_group_set_option(struct inet_socket *i, int level, int option, const void __user *value, int len);
void inet_leave_groups(struct inet_socket *i); // [n] all

// inet_datagram.c
void inet_errors_drop(struct inet_socket *i);                      // those in the queue of errors
size_t inet_first_datagram(struct inet_socket *i);                 // its bytes, 0: there is none
ssize_t inet_recv_error(struct inet_socket *i, struct message *m); // MSG_ERRQUEUE

// inet_tcp.c, inet_udp.c
int __must_check inet_tcp_create(struct inet_socket *i);
int __must_check inet_udp_create(struct inet_socket *i);
// Of UDP-Lite: how much of a datagram its checksum is over (udplite(7)).
int __must_check inet_lite_set_option(struct inet_socket *i, int option, const void __user *value, int len);
// Level SOL_UDP.
int __must_check inet_udp_set_option(struct inet_socket *i, int option, const void __user *value, int len);
int inet_udp_get_option(struct inet_socket *i, int option, void __user *value, int __user *len);
int __must_check inet_lite_get_option(struct inet_socket *i, int option, void __user *value, int __user *len);
