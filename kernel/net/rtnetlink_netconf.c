// SPDX-License-Identifier: MIT
// NETLINK_ROUTE: how a device treats packets (RTM_GETNETCONF, as `ip netconf` and network managers ask). Nothing of it can be changed here:
// this machine hands on no packets and takes them as they come.
#include "core/errno.h"
#include "net/rtnetlink_private.h"
#include <linux/netconf.h>

#define ALL     ((uint32_t)NETCONFA_IFINDEX_ALL)
#define DEFAULT ((uint32_t)NETCONFA_IFINDEX_DEFAULT)

static bool put(struct netlink_writer *w, struct netconfmsg *h, unsigned int family, uint32_t device) {
    static const uint8_t all[] = {NETCONFA_FORWARDING,    NETCONFA_RP_FILTER,
                                  NETCONFA_MC_FORWARDING, NETCONFA_BC_FORWARDING,
                                  NETCONFA_PROXY_NEIGH,   NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN};
    if (h)
        h->ncm_family = (uint8_t)family;
    netlink_put_u32(w, NETCONFA_IFINDEX, device);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (family == AF_INET || (all[i] != NETCONFA_RP_FILTER && all[i] != NETCONFA_BC_FORWARDING))
            netlink_put_u32(w, all[i], 0);
    return netlink_end(w);
}

enum { AT_FAMILY = 1, AT_WHICH, AT_DEVICE };

// Behind the devices come two that stand for all, and for those to come. 0: none is left.
static uint32_t next_device(struct net_ns *net, uint32_t after) {
    const struct net_device *d;
    if (after == ALL)
        return DEFAULT;
    if (after == DEFAULT)
        return 0;
    inet_lock(net);
    d = net_device_next_locked((int)after);
    uint32_t index = d ? (uint32_t)d->index : ALL;
    inet_unlock();
    return index;
}

static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (; d->at[AT_WHICH] < ARRAY_SIZE(families); d->at[AT_WHICH]++, d->at[AT_DEVICE] = 0) {
        unsigned int family = families[d->at[AT_WHICH]];
        if (d->at[AT_FAMILY] && d->at[AT_FAMILY] != family)
            continue;
        for (uint32_t next; (next = next_device(d->net, (uint32_t)d->at[AT_DEVICE])); d->at[AT_DEVICE] = next)
            if (!put(w, netlink_dump_begin(w, d, RTM_NEWNETCONF, sizeof(struct netconfmsg)), family, next))
                return 1;
    }
    return 0;
}

static int get_one(struct netlink_request *r) {
    static const struct netlink_rule rules[] = {[NETCONFA_IFINDEX] = {NETLINK_NUMBER, 4}};
    struct netlink_attributes a;
    struct netlink_writer w;
    int err = netlink_parse_message(r->message, sizeof(struct netconfmsg), rules, ARRAY_SIZE(rules) - 1,
                                    false, &a, &r->complaint);
    if (err || !a.at[NETCONFA_IFINDEX])
        return err ? err : -EINVAL;
    uint32_t device = netlink_u32(a.at[NETCONFA_IFINDEX]);
    inet_lock(r->net);
    bool known = device == ALL || device == DEFAULT || net_device_find_locked((int)device);
    inet_unlock();
    if (!known)
        return -ENODEV;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (!p)
        return -ENOBUFS;
    (void)put(&w,
              netlink_begin(&w, RTM_NEWNETCONF, 0, r->message->nlmsg_seq, netlink_port(r),
                            sizeof(struct netconfmsg)),
              rt_family(r), device);
    return netlink_answer(r, p, &w);
}

int rt_netconf_request(struct netlink_request *r) {
    unsigned int family = rt_family(r);
    struct netlink_dump d = {.fill = dump, .at = {[AT_FAMILY] = family}};
    bool known = family == AF_INET || family == AF_INET6;
    if (r->message->nlmsg_type != RTM_GETNETCONF || (!known && !(rt_is_dump(r) && !family)))
        return -EOPNOTSUPP;
    return rt_is_dump(r) ? netlink_dump_start(r, &d) : get_one(r);
}
