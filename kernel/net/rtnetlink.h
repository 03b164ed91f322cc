// SPDX-License-Identifier: MIT
// NETLINK_ROUTE (rtnetlink(7)), for those who change what it tells of.
#pragma once
#include "net/device.h"

struct net_interface_address;
struct net_route;
struct net_neighbour;
struct net_ns;

#define NET_ALL_NEW 0xffffffffu // changed flags of a device that is new

// Changes for a program, and their end (rtnetlink_change.c). The first takes the stack's lock, the last lets go of it and has told who listens
// when it comes back. Any lock that comes before the stack's may be held; it takes net_ns.change_mutex before that.
void net_change_begin(struct net_ns *net);
void net_change_end(void);
// Between the two: others get the stack's lock, and who listens is told. What the caller holds but IPv4's addresses and devices may be another
// one then. Nothing, if it is a packet or a timer that changes something.
void net_change_pause(void);
// The network ends: who has begun a change only lets go of the stack's lock next.
void net_change_leave_locked(void);

// Tells who listens, with the stack's lock. `type`: RTM_NEW..., RTM_DEL...
void rtnetlink_tell_link(const struct net_device *device, unsigned int type, unsigned int changed_flags);
void rtnetlink_tell_address(const struct net_interface_address *a, unsigned int type);
void rtnetlink_tell_route(const struct net_route *r, unsigned int type, unsigned int flags);
void rtnetlink_tell_neighbour(const struct net_neighbour *n, unsigned int type);
