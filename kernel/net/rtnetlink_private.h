// SPDX-License-Identifier: MIT
// NETLINK_ROUTE among its files (rtnetlink.c tells more).
#pragma once
#include "net/device.h"
#include "net/inet_lock.h"
#include "net/net_ns.h"
#include "net/netlink.h"
#include "net/rtnetlink.h"
#include <linux/rtnetlink.h>

// The family that a request begins with.
static inline unsigned int rt_family(const struct netlink_request *r) {
    return *(const uint8_t *)netlink_data(r->message);
}
static inline bool rt_is_dump(const struct netlink_request *r) {
    return r->message->nlmsg_flags & NLM_F_DUMP;
}

// Where a message that is told to a group comes from: the request that is being done, or nobody's. [n]
struct rt_origin {
    uint32_t sequence, port;
};
extern struct rt_origin rt_origin;
// Takes the lock for a request that changes something; and lets go of it.
void rt_begin(const struct netlink_request *r);
void rt_end(void);
// Counts changes, so that a dump that was overtaken by one says so (NLM_F_DUMP_INTR). [n]
void rt_note_change(void);
// With the lock, before a dump goes on: `at[0]` is its own.
void rt_dump_check(struct netlink_dump *d);

// A packet with one message that `put` writes, to the group. [n]
void rt_tell(unsigned int group,
             bool (*put)(struct netlink_writer *w, const void *what, unsigned int type, unsigned int flags),
             const void *what, unsigned int type, unsigned int flags);

// One for each group of requests: RTM_NEW..., DEL, GET. What rt_request() returns.
int rt_link_request(struct netlink_request *r);
int rt_address_request(struct netlink_request *r);
int rt_route_request(struct netlink_request *r);
int rt_netconf_request(struct netlink_request *r);
int rt_neighbour_request(struct netlink_request *r);
