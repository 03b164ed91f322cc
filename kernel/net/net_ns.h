// SPDX-License-Identifier: MIT
// Network namespaces (network_namespaces(7)): devices, addresses, routes, ports, names of UNIX sockets, what may be set of all that.
//
// lwIP has its state in static variables, and so has what is beside it. All of them (lwIP's by the linker's script, ours by
// __net_state) lie side by side: the *state* of one network. Who takes the stack's lock says of which (inet_lock()), and if that
// is not the one which is there, the bytes are exchanged. So with one network nothing is copied, and pointers into the state
// (a list's end, the loopback device) hold good: it has its place whenever anybody looks at it. What may be read without
// the lock is not part of it but here.
//
// Who refers to a network: threads, files of nsfs, what shows /proc/PID/net and /sys, and sockets that have a file, until
// that goes. With the last it ends, and all connections that nobody has any more with it.
#pragma once
#include "core/namespace.h"
#include "lib/list.h"
#include "sched/thread.h"
#include "sched/wait.h"

// Of a variable: each network has its own. [n]
#define __net_state __attribute__((section("net_state")))

// As /proc/sys/net names them. [a]
struct net_settings {
    unsigned long somaxconn;
    unsigned long unix_dgram_qlen; // packets in a queue before who is not its partner must wait
    unsigned long port_range[2];   // ip_local_port_range
    unsigned long unprivileged_port;
    unsigned long default_ttl, nonlocal_bind;
    unsigned long fragment_time, fragment_time6; // seconds that a packet has to become whole
    unsigned long tcp_rmem[3], tcp_wmem[3];      // least, at the start, most
    unsigned long keepalive[3];                  // time, interval, probes
    unsigned long syn_retries, fin_timeout;      // the second in seconds
    unsigned long v6only;                        // bindv6only
    unsigned long ping_groups[2]; // whose groups may have ping sockets, from..to; ids in the kernel
};

#define NET_FAMILIES 46 // AF_MAX, as far as there are any here

// Key: [I] immutable, [a] atomic, [n] the stack's lock, [i] inbox_lock, [w] work_lock (both in net/inet_stack.c), [t] notices_lock in
// net/netlink_notice.c.
struct net_ns {
    struct namespace ns;
    uint64_t cookie; // [I] SO_NETNS_COOKIE
    struct net_settings settings;
    unsigned long sockets[NET_FAMILIES]; // [a] that have a file
    bool started;                        // [n] lwIP has been, read without
    bool loopback_is_plain;              // [n] net/route.c's, read without
    void *state;                         // [n] where its state is while another's is there
    struct list_head inbox;              // [i] frames that have come in
    struct list_head netlink_members;    // sockets_lock in net/netlink.c: those that are in groups
    struct mutex change_mutex;           // who changes it (net/rtnetlink_change.c)
    // What is to be told to those in groups (net/netlink_notice.c):
    struct mutex tell_mutex;   // who does that
    struct list_head notices;  // [t] in order
    unsigned int notice_count; // [t]
    uint64_t missed;           // [t] 1 << group - 1: groups that lose one behind these
    // What the stack's thread does for it:
    bool timers_wanted;         // [n] lwIP's, read without
    bool kicked;                // [a] net_device_tell_carriers() has something to tell, or times have changed
    bool gone;                  // [w] nothing any more
    struct list_head work_link; // [w] in the list of those that it has to look at, or by itself
    ktime_t tick, look;         // the thread's: when it is to run lwIP's timers (0: not), and to look around
};

extern struct net_ns first_net_ns;

// The caller's.
static inline struct net_ns *net_current(void) {
    return container_of(current_namespace(NS_NET), struct net_ns, ns);
}
static inline struct net_ns *net_get(struct net_ns *net) {
    namespace_get(&net->ns);
    return net;
}
// The last one ends it: with no lock held.
static inline void net_put(struct net_ns *net) {
    namespace_put(&net->ns);
}
// Has the caller the capability over it?
bool net_capable(const struct net_ns *net, int capability);
void net_ns_init(void);
