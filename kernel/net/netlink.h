// SPDX-License-Identifier: MIT
// AF_NETLINK: what its protocols (rtnetlink, sock_diag) have of the family, and the layers above.
//
// A program sends requests to the kernel's port, 0, and is answered in its own socket's queue. A question that has a long answer is a
// *dump*: as many messages as fit into one packet are written when it is asked for and each time that the program reads and
// has room, so that nothing is longer than a packet and nobody is waited for.
#pragma once
#include "lib/netlink.h"
#include "net/socket.h"

struct netlink_socket;
struct netlink_dump;

// A request that is being answered. The sender's thread runs.
struct netlink_request {
    struct netlink_socket *from;
    struct net_ns *net;             // the socket's
    const struct nlmsghdr *message; // whole, as its header says
    bool strict;                    // NETLINK_GET_STRICT_CHK
    struct netlink_complaint complaint;
};

#define NETLINK_ANSWERED 1 // what a request that has begun a dump returns: there is no acknowledgement

struct netlink_protocol {
    int number; // NETLINK_*
    unsigned int groups;
    bool anyone_sends, anyone_listens; // to other programs, to groups, without CAP_NET_ADMIN
    // Type NLMSG_MIN_TYPE and up. 0 or -errno: it is acknowledged if that was asked for, or is an error; or NETLINK_ANSWERED.
    // NULL: nobody is at home.
    int (*request)(struct netlink_request *r);
};
void netlink_register(const struct netlink_protocol *protocol);

// Who sent it, and the one who opened its socket, both have the capability.
bool netlink_capable(const struct netlink_request *r, int capability);
// Sets the complaint, and is `err`.
int netlink_complain(struct netlink_request *r, const void *where, const char *text, int err);

#define NETLINK_DUMP_WORDS 12

struct netlink_dump {
    // Writes on from where it was. 1: there is more, the packet is full; 0: that was all; -errno.
    int (*fill)(struct netlink_writer *w, struct netlink_dump *d);
    void (*end)(struct netlink_dump *d); // NULL: nothing to do
    struct net_ns *net;                  // the socket's
    uint32_t sequence, port;
    uint16_t flags;                  // for each message, beside NLM_F_MULTI
    void *data;                      // fill's own, to be freed by `end`
    uint64_t at[NETLINK_DUMP_WORDS]; // fill's own, all 0 at first
};
// Begins one with a copy of `d`, of which `fill`, `end`, `data` and `at` have been set. NETLINK_ANSWERED, or -EBUSY, -ENOBUFS: then `end` has been called.
int __must_check netlink_dump_start(struct netlink_request *r, const struct netlink_dump *d);
// A dump that ends at once with an error: what asks for it is wrong. NETLINK_ANSWERED, or -ENOBUFS.
int __must_check netlink_dump_refuse(struct netlink_request *r, int err);
// Begins a message of a dump.
void *netlink_dump_begin(struct netlink_writer *w, const struct netlink_dump *d, uint16_t type,
                         size_t header);

// A packet to write one answer or notice into; w->data is NULL if there is no memory.
#define NETLINK_PACKET 3776u // as in Linux: a page, without what goes before and behind
struct netlink_packet;
struct netlink_packet *__must_check netlink_packet_create(size_t size, struct netlink_writer *w);
void netlink_packet_free(struct netlink_packet *p);
// Gives what was written to the sender. 0 or -ENOBUFS.
int __must_check netlink_answer(struct netlink_request *r, struct netlink_packet *p,
                                const struct netlink_writer *w);
// Notices to those of a network who listen to groups of NETLINK_ROUTE (netlink_notice.c). Puts one, which is the network's then, behind those
// that are to be told; p NULL: there was no memory for it, and its listeners hear that. Any context.
void netlink_tell(struct net_ns *net, unsigned int group, struct netlink_packet *p,
                  const struct netlink_writer *w);
// Gives all that are to be told to who listens. With no lock but net_ns.change_mutex.
void netlink_tell_all(struct net_ns *net);
// For the stack's thread: gives one, if nobody else does so already, and has the thread called again for the others.
void netlink_tell_one(struct net_ns *net);
bool netlink_has_notices(const struct net_ns *net);
// The network ends.
void netlink_forget_notices(struct net_ns *net);
bool netlink_has_listeners(const struct net_ns *net, int protocol, unsigned int group);
uint32_t netlink_port(const struct netlink_request *r);

// One socket as /proc/net/netlink has it.
struct netlink_info {
    int protocol, type, state, refs;
    uint32_t port, peer_port, peer_group;
    uint64_t groups;
    unsigned long rmem, wmem, drops, rcvbuf, sndbuf;
    bool dumping;
    ino_t ino;
};
// Calls fn for each socket of a network, without locks, until it returns false. May sleep.
void netlink_for_each(const struct net_ns *net, bool (*fn)(const struct netlink_info *info, void *arg),
                      void *arg);

// Boot.
// For who is told by a socket of his own, not by name: mq_notify(2). What finds no room is lost.
bool netlink_is(const struct file *f);
void netlink_deliver(struct file *f, const void *data, size_t n);

void netlink_init(void);
void rtnetlink_init(void);
void sock_diag_init(void);
