// SPDX-License-Identifier: MIT
// Routes: where packets go (rtnetlink(7), ip-route(8)). All under the stack's lock.
//
// Tables "local", "main" and "default" are looked at in this order (for IPv6 the first two); in a table the longest prefix wins,
// then the smallest metric. Others are kept and told, and no rule leads to them.
#pragma once
#include "net/device.h"

struct net_route {
    struct list_head link; // in the order that is told
    struct net_address to; // prefix; its family
    uint8_t bits, tos;
    uint8_t type, scope, protocol; // RTN_*, RT_SCOPE_*, RTPROT_*
    uint32_t table, metric;        // RT_TABLE_*
    uint32_t flags;                // RTNH_F_ONLINK
    struct net_device *device;     // NULL: it leads nowhere
    struct net_address gateway;    // AF_UNSPEC: none
    struct net_address source;     // that is preferred; AF_UNSPEC: none
    int64_t rank;                  // among those that differ in nothing but where they lead
    uint64_t serial;               // the later it came or was replaced, the higher
};

// What a packet would take.
struct net_way {
    const struct net_route *route; // as long as the lock is held
    struct net_device *device;
    struct net_address source; // AF_UNSPEC: the device has none
};

// Makes a route that a program wants whole: its device, if the gateway tells that. 0, or -errno and perhaps why.
int __must_check net_route_check_locked(struct net_route *route, const char **why);
// How new routes go with those that are there: NLM_F_CREATE, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_APPEND.
int __must_check net_route_add_locked(const struct net_route *route, unsigned int how);
// The first that is as `route` where that says something (0, AF_UNSPEC: nothing). -ESRCH.
int net_route_remove_locked(const struct net_route *route);
// Those that go through a device that went down; `all`: also what is of scope host. Family 0: both. This and the next may let go of the lock
// meanwhile (net_change_pause()).
void net_route_drop_device_locked(struct net_device *device, unsigned int family, bool all);
// Those that prefer an address which is no more.
void net_route_drop_source_locked(const struct net_address *source);
// 0, or why there is no way: -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL. `device`: through this one, NULL: any.
int __must_check net_route_find_locked(const struct net_address *to, const struct net_device *device,
                                       struct net_way *way);
// Grows whenever a route comes, goes or changes: what was remembered of a way is nothing then.
unsigned int net_route_round_locked(void);
// All of 127.0.0.0/8 is this machine: so it is told without looking.
bool net_route_loopback_is_plain(void);
// Is this an address of this machine?
bool net_route_is_local_locked(const struct net_address *to);
// The first route that comes after one of this place (NULL: the first of all). NULL: there is none.
struct net_route *net_route_next_locked(const struct net_route *place);
// The one behind r, which is there: without looking for it. NULL: there is none.
struct net_route *net_route_behind_locked(const struct net_route *r);
