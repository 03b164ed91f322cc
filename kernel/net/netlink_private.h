// SPDX-License-Identifier: MIT
// AF_NETLINK among its files (netlink.c tells more).
//
// Key: [I] immutable once others know the socket, [l] s.lock, [t] sockets_lock, [d] dump_mutex, [a] atomic or read without.
#pragma once
#include "lib/list.h"
#include "net/netlink.h"
#include "net/scm.h"

struct netlink_packet {
    struct list_head link;   // [its queue's lock]
    struct credentials from; // [I] once queued; the kernel: no process and ids of 0
    uint32_t port, group;    // [I] the sender's; where it went
    uint32_t charge;         // [I]
    uint32_t size, len;      // [I] bytes there is room for; that are used
    char data[] __aligned_to(8);
};

struct netlink_socket {
    struct socket s;                         // first
    const struct netlink_protocol *protocol; // [I]
    struct list_head all_link;               // [t] of its protocol, from its creation to its end
    struct list_head port_link;              // [t] with its port's hash, once it has one
    struct list_head member_link;            // [t] of its network, while it is in a group
    uint64_t member_serial;                  // [t] the later it came into that, the higher
    uint32_t port;                           // [t] changes once, read without
    bool bound;                              // [t] it has a port, read without
    uint64_t groups;                         // [t] read without: bit n - 1 is group n
    uint32_t peer_port, peer_group;          // [l] of connect(2)
    struct list_head queue;                  // [l] packets to read, taken out with read_mutex as well
    unsigned long rmem;                      // [l] the charges of these, read without
    bool congested;            // [l] a packet was lost, and the queue has not been empty since; read without
    unsigned int switches;     // [a] 1 << NETLINK_PKTINFO, ...
    unsigned long drops;       // [a]
    size_t largest;            // [a] buffer that was read into
    struct mutex dump_mutex;   // before the stack's lock
    struct netlink_dump *dump; // [d] that goes on, NULL: none. Read without
    struct wait_queue room_wait; // programs that wait for room in `queue`
};

static inline struct netlink_socket *to_netlink(struct socket *s) {
    return container_of(s, struct netlink_socket, s);
}
static inline bool netlink_has(const struct netlink_socket *n, unsigned int option) {
    return READ_ONCE(n->switches) >> option & 1;
}

// netlink_queue.c: packets and who gets them
struct netlink_packet *__must_check netlink_packet_alloc(size_t size);
struct netlink_packet *__must_check netlink_packet_copy(const struct netlink_packet *p);
// The same with no more memory than it needs.
struct netlink_packet *netlink_packet_trim(struct netlink_packet *p, const struct netlink_writer *w);
// 0; -EAGAIN: there is no room, and that is noted (`lost`); -ECONNREFUSED: it has ended. The packet stays the caller's unless 0.
int __must_check netlink_enqueue(struct netlink_socket *to, struct netlink_packet *p, bool lost);
bool netlink_has_room(const struct netlink_socket *n);
void netlink_drop_queue(struct netlink_socket *n);
ssize_t netlink_recv(struct socket *s, struct message *m);
unsigned int netlink_poll(struct socket *s);
// Copies of p to all of a network and a protocol who listen to its group, but `except` and whoever has the port `except_port`: 0 is of those who
// have none yet, who as on Linux hear nothing.
// The number of those who got one; -ENOBUFS: of those who would have got one none did.
int netlink_broadcast(const struct net_ns *net, int protocol, const struct netlink_packet *p,
                      const struct netlink_socket *except, uint32_t except_port);
// Those who listen to one of these groups (1 << group - 1) have lost something.
void netlink_miss(const struct net_ns *net, int protocol, uint64_t groups);

// netlink.c: the table of sockets
struct netlink_socket *netlink_find(const struct net_ns *net, int protocol,
                                    uint32_t port); // referenced, or NULL
// The next after n (NULL: the first) of a protocol, in any network, referenced; the reference to n goes.
struct netlink_socket *netlink_next_socket(int protocol, struct netlink_socket *n);
// The same of those of one network, of any protocol, that are in groups; *serial is 0 at first. Others' sockets, which may be
// many, cost nothing.
struct netlink_socket *netlink_next_member(const struct net_ns *net, struct netlink_socket *n,
                                           uint64_t *serial);
#define NETLINK_PROTOCOLS 32

// netlink_kernel.c: requests
void netlink_to_kernel(struct netlink_socket *n, const void *data, size_t len);
void netlink_dump_continue(struct netlink_socket *n);
void netlink_dump_stop(struct netlink_socket *n);
