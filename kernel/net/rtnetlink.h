// SPDX-License-Identifier: MIT
// NETLINK_ROUTE (rtnetlink(7)), for those who change what it tells of.
#pragma once
#include "net/device.h"

struct net_interface_address;
struct net_route;
struct net_neighbour;

#define NET_ALL_NEW 0xffffffffu // changed flags of a device that is new

// Tells who listens, with the stack's lock. `type`: RTM_NEW..., RTM_DEL...
void rtnetlink_tell_link(const struct net_device *device, unsigned int type, unsigned int changed_flags);
void rtnetlink_tell_address(const struct net_interface_address *a, unsigned int type);
void rtnetlink_tell_route(const struct net_route *r, unsigned int type, unsigned int flags);
void rtnetlink_tell_neighbour(const struct net_neighbour *n, unsigned int type);
