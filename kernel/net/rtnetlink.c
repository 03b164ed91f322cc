// SPDX-License-Identifier: MIT
// NETLINK_ROUTE (rtnetlink(7)): links, addresses, routes, neighbours and rules, asked and changed by messages.
//
//   rtnetlink_link, _address, _route, _neighbour   one kind each: reading a request, writing what is told of one
//   rtnetlink_netconf                          what holds for all of a device's packets
//   rtnetlink_change                           one change at a time, and who is told of it
//   device, interface, route, neighbour            what they stand for
//
// A request is read and checked without locks and done with the stack's lock; those who listen are told in the order in which things came to be so
// (netlink_notice.c). Nothing here touches user memory.
#include "core/errno.h"
#include "net/net_ns.h"
#include "net/rtnetlink_private.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fib_rules.h>

static uint64_t changes __net_state;

// ---- for the kinds

void rt_note_change(void) {
    ASSERT_HELD(&inet_mutex);
    changes++;
}

void rt_dump_check(struct netlink_dump *d) {
    ASSERT_HELD(&inet_mutex);
    if (d->at[0] && d->at[0] != changes + 1)
        d->flags |= NLM_F_DUMP_INTR;
    d->at[0] = changes + 1;
}

// ---- rules: those that Linux begins with, which cannot be changed here

static const struct {
    uint32_t priority;
    uint8_t table;
} rules[] = {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}};

static bool put_rule(struct netlink_writer *w, const struct netlink_dump *d, unsigned int family, size_t i) {
    struct fib_rule_hdr *h = netlink_dump_begin(w, d, RTM_NEWRULE, sizeof(*h));
    if (h)
        *h = (struct fib_rule_hdr){.family = family, .table = rules[i].table, .action = FR_ACT_TO_TBL};
    netlink_put_u32(w, FRA_TABLE, rules[i].table);
    netlink_put_u32(w, FRA_SUPPRESS_PREFIXLEN, ~0u);
    netlink_put_u8(w, FRA_PROTOCOL, RTPROT_KERNEL);
    if (rules[i].priority)
        netlink_put_u32(w, FRA_PRIORITY, rules[i].priority);
    return netlink_end(w);
}

// at[1]: the family, 0: both; at[2]: the next. IPv6 has the first two.
static int dump_rules(struct netlink_writer *w, struct netlink_dump *d) {
    static const uint8_t families[] = {AF_INET, AF_INET, AF_INET, AF_INET6, AF_INET6};
    for (; d->at[2] < ARRAY_SIZE(families); d->at[2]++) {
        unsigned int family = families[d->at[2]];
        if ((!d->at[1] || d->at[1] == family) && !put_rule(w, d, family, d->at[2] % ARRAY_SIZE(rules)))
            return 1;
    }
    return 0;
}

static int rule_request(struct netlink_request *r) {
    struct netlink_dump d = {.fill = dump_rules, .at = {[1] = rt_family(r)}};
    if (r->message->nlmsg_type != RTM_GETRULE || !rt_is_dump(r))
        return -EOPNOTSUPP;
    if (rt_family(r) && rt_family(r) != AF_INET && rt_family(r) != AF_INET6)
        return -EAFNOSUPPORT;
    return netlink_dump_start(r, &d);
}

// ---- requests

// Of four types in a row three are NEW, DEL and GET.
#define KIND_OF(type) (((type)-RTM_BASE) & ~3u)
#define IS_GET(type)  ((((type)-RTM_BASE) & 3u) == 2)

static int rt_request(struct netlink_request *r) {
    unsigned int type = r->message->nlmsg_type;
    if (type > RTM_MAX)
        return -EOPNOTSUPP;
    if (netlink_length(r->message) < sizeof(struct rtgenmsg))
        return 0;
    if (!IS_GET(type) && !netlink_capable(r, CAP_NET_ADMIN))
        return -EPERM;
    switch (KIND_OF(type)) {
    case KIND_OF(RTM_NEWLINK): // and RTM_SETLINK
        return rt_link_request(r);
    case KIND_OF(RTM_NEWADDR):
        return rt_address_request(r);
    case KIND_OF(RTM_NEWROUTE):
        return rt_route_request(r);
    case KIND_OF(RTM_NEWNEIGH):
        return rt_neighbour_request(r);
    case KIND_OF(RTM_NEWRULE):
        return rule_request(r);
    case KIND_OF(RTM_NEWNETCONF):
        return rt_netconf_request(r);
    default:
        return -EOPNOTSUPP;
    }
}

void rtnetlink_init(void) {
    static const struct netlink_protocol protocol = {
        .number = NETLINK_ROUTE, .groups = RTNLGRP_MAX, .anyone_listens = true, .request = rt_request};
    netlink_register(&protocol);
}
