// SPDX-License-Identifier: MIT
// RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK: devices (ip-link(8)).
#include "core/errno.h"
#include "net/rtnetlink_private.h"
#include <linux/if_link.h>

// ---- what is told

static void put_stats(struct netlink_writer *w, const struct net_device *d) {
    struct rtnl_link_stats64 s = {.rx_packets = READ_ONCE(d->rx_packets),
                                  .tx_packets = READ_ONCE(d->tx_packets),
                                  .rx_bytes = READ_ONCE(d->rx_bytes),
                                  .tx_bytes = READ_ONCE(d->tx_bytes),
                                  .rx_dropped = READ_ONCE(d->rx_dropped),
                                  .tx_dropped = READ_ONCE(d->tx_dropped)};
    struct rtnl_link_stats old = {.rx_packets = (uint32_t)s.rx_packets,
                                  .tx_packets = (uint32_t)s.tx_packets,
                                  .rx_bytes = (uint32_t)s.rx_bytes,
                                  .tx_bytes = (uint32_t)s.tx_bytes,
                                  .rx_dropped = (uint32_t)s.rx_dropped,
                                  .tx_dropped = (uint32_t)s.tx_dropped};
    netlink_put(w, IFLA_STATS64, &s, sizeof(s));
    netlink_put(w, IFLA_STATS, &old, sizeof(old));
}

static void put_numbers(struct netlink_writer *w, const struct net_device *d) {
    struct rtnl_link_ifmap map = {0};
    netlink_put_u32(w, IFLA_TXQLEN, d->queue_len);
    netlink_put_u8(w, IFLA_OPERSTATE, net_device_state(d));
    netlink_put_u8(w, IFLA_LINKMODE, 0);
    netlink_put_u32(w, IFLA_MTU, d->mtu);
    netlink_put_u32(w, IFLA_MIN_MTU, d->mtu_min);
    netlink_put_u32(w, IFLA_MAX_MTU, d->mtu_max);
    netlink_put_u32(w, IFLA_GROUP, d->group);
    netlink_put_u32(w, IFLA_PROMISCUITY, !!(d->flags & NET_PROMISC));
    netlink_put_u32(w, IFLA_ALLMULTI, !!(d->flags & NET_ALLMULTI));
    netlink_put_u32(w, IFLA_NUM_TX_QUEUES, 1);
    netlink_put_u32(w, IFLA_NUM_RX_QUEUES, 1);
    netlink_put_u8(w, IFLA_CARRIER, net_device_has_carrier(d));
    netlink_put_u32(w, IFLA_CARRIER_CHANGES, d->carrier_ups + d->carrier_downs);
    netlink_put_u32(w, IFLA_CARRIER_UP_COUNT, d->carrier_ups);
    netlink_put_u32(w, IFLA_CARRIER_DOWN_COUNT, d->carrier_downs);
    netlink_put_u8(w, IFLA_PROTO_DOWN, 0);
    netlink_put(w, IFLA_MAP, &map, sizeof(map));
}

// The attributes of a link behind its header.
static bool put_attributes(struct netlink_writer *w, struct ifinfomsg *h, const struct net_device *d,
                           unsigned int changed) {
    if (h)
        *h = (struct ifinfomsg){.ifi_family = AF_UNSPEC,
                                .ifi_type = d->type,
                                .ifi_index = d->index,
                                .ifi_flags = net_device_flags(d),
                                .ifi_change = changed};
    netlink_put_text(w, IFLA_IFNAME, d->name);
    put_numbers(w, d);
    netlink_put_text(w, IFLA_QDISC, "noqueue");
    if (d->alias[0])
        netlink_put(w, IFLA_IFALIAS, d->alias, strlen(d->alias));
    if (d->hardware_len) {
        netlink_put(w, IFLA_ADDRESS, d->hardware, d->hardware_len);
        netlink_put(w, IFLA_BROADCAST, d->hardware_broadcast, d->hardware_len);
    }
    put_stats(w, d);
    return netlink_end(w);
}

static bool put_notice(struct netlink_writer *w, const void *device, unsigned int type,
                       unsigned int changed) {
    return put_attributes(
        w, netlink_begin(w, type, 0, rt_origin.sequence, rt_origin.port, sizeof(struct ifinfomsg)), device,
        changed);
}

void rtnetlink_tell_link(const struct net_device *device, unsigned int type, unsigned int changed_flags) {
    rt_tell(RTNLGRP_LINK, put_notice, device, type, changed_flags);
}

// ---- requests

static const struct netlink_rule rules[] = {
    [IFLA_IFNAME] = {NETLINK_STRING, NET_NAME_SIZE - 1},
    [IFLA_ADDRESS] = {NETLINK_AT_MOST, 32},
    [IFLA_BROADCAST] = {NETLINK_AT_MOST, 32},
    [IFLA_MAP] = {NETLINK_BYTES, sizeof(struct rtnl_link_ifmap)},
    [IFLA_MTU] = {NETLINK_NUMBER, 4},
    [IFLA_LINK] = {NETLINK_NUMBER, 4},
    [IFLA_MASTER] = {NETLINK_NUMBER, 4},
    [IFLA_CARRIER] = {NETLINK_NUMBER, 1},
    [IFLA_TXQLEN] = {NETLINK_NUMBER, 4},
    [IFLA_OPERSTATE] = {NETLINK_NUMBER, 1},
    [IFLA_LINKMODE] = {NETLINK_NUMBER, 1},
    [IFLA_LINKINFO] = {NETLINK_BYTES, 0},
    [IFLA_NET_NS_PID] = {NETLINK_NUMBER, 4},
    [IFLA_NET_NS_FD] = {NETLINK_NUMBER, 4},
    [IFLA_IFALIAS] = {NETLINK_AT_MOST, NET_ALIAS_SIZE - 1},
    [IFLA_VFINFO_LIST] = {NETLINK_BYTES, 0},
    [IFLA_VF_PORTS] = {NETLINK_BYTES, 0},
    [IFLA_PORT_SELF] = {NETLINK_BYTES, 0},
    [IFLA_AF_SPEC] = {NETLINK_BYTES, 0},
    [IFLA_EXT_MASK] = {NETLINK_NUMBER, 4},
    [IFLA_PROMISCUITY] = {NETLINK_NUMBER, 4},
    [IFLA_NUM_TX_QUEUES] = {NETLINK_NUMBER, 4},
    [IFLA_NUM_RX_QUEUES] = {NETLINK_NUMBER, 4},
    [IFLA_GROUP] = {NETLINK_NUMBER, 4},
    [IFLA_TARGET_NETNSID] = {NETLINK_NUMBER, 4},
    [IFLA_PROTO_DOWN] = {NETLINK_NUMBER, 1},
    [IFLA_XDP] = {NETLINK_BYTES, 0},
    [IFLA_ALT_IFNAME] = {NETLINK_STRING, 127},
};
#define RULES_MOST (ARRAY_SIZE(rules) - 1)

// What a change may hold; and what it may hold that makes no difference.
static const uint8_t changeable[] = {IFLA_IFNAME, IFLA_ADDRESS, IFLA_BROADCAST, IFLA_MTU,
                                     IFLA_TXQLEN, IFLA_IFALIAS, IFLA_GROUP,     IFLA_EXT_MASK};

static bool is_in(const uint8_t *list, size_t n, unsigned int type) {
    for (size_t i = 0; i < n; i++)
        if (list[i] == type)
            return true;
    return false;
}

// The first attribute whose type is not in the list, or NULL.
static const struct nlattr *find_other(const struct netlink_attributes *a, const uint8_t *list, size_t n) {
    for (unsigned int type = 1; type < NETLINK_ATTRIBUTES; type++)
        if (a->at[type] && !is_in(list, n, type))
            return a->at[type];
    return NULL;
}

// The device that a request means: by index, or by name. [n] ERR_PTR.
static struct net_device *find_device(const struct ifinfomsg *h, const struct netlink_attributes *a) {
    char name[NET_NAME_SIZE];
    struct net_device *d = NULL;
    if (h->ifi_index < 0 || (!h->ifi_index && !a->at[IFLA_IFNAME] && !a->at[IFLA_ALT_IFNAME]))
        return ERR_PTR(-EINVAL);
    if (h->ifi_index) {
        d = net_device_find_locked(h->ifi_index);
    } else {
        netlink_text(a->at[a->at[IFLA_IFNAME] ? IFLA_IFNAME : IFLA_ALT_IFNAME], name, sizeof(name));
        d = net_device_named_locked(name);
    }
    return d ? d : ERR_PTR(-ENODEV);
}

// ---- getting

static int check_get(struct netlink_request *r, const struct ifinfomsg *h,
                     const struct netlink_attributes *a) {
    static const uint8_t known[] = {IFLA_IFNAME, IFLA_ALT_IFNAME, IFLA_EXT_MASK};
    if (!r->strict)
        return 0;
    if (h->__ifi_pad || h->ifi_type || h->ifi_flags || h->ifi_change)
        return netlink_complain(r, NULL, "Invalid values in header for get link request", -EINVAL);
    const struct nlattr *other = find_other(a, known, ARRAY_SIZE(known));
    return other ? netlink_complain(r, other, "Unsupported attribute in get link request", -EINVAL) : 0;
}

static int answer(struct netlink_request *r, const struct ifinfomsg *h, const struct netlink_attributes *a) {
    struct netlink_writer w;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (!p)
        return -ENOBUFS;
    inet_lock(r->net);
    struct net_device *d = find_device(h, a);
    if (!IS_ERR(d))
        put_attributes(&w,
                       netlink_begin(&w, RTM_NEWLINK, 0, r->message->nlmsg_seq, netlink_port(r),
                                     sizeof(struct ifinfomsg)),
                       d, 0);
    inet_unlock();
    if (!IS_ERR(d))
        return netlink_answer(r, p, &w);
    netlink_packet_free(p);
    return PTR_ERR(d);
}

// at[1]: the index of the last that was told.
static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    struct net_device *device;
    int more = 0;
    inet_lock(d->net);
    rt_dump_check(d);
    while (!more && (device = net_device_next_locked((int)d->at[1]))) {
        more = !put_attributes(w, netlink_dump_begin(w, d, RTM_NEWLINK, sizeof(struct ifinfomsg)), device, 0);
        if (!more)
            d->at[1] = device->index;
    }
    inet_unlock();
    return more;
}

static int no_dump(struct netlink_writer *w, struct netlink_dump *d) {
    (void)w, (void)d;
    return 0;
}

static int check_dump(struct netlink_request *r) {
    static const uint8_t known[] = {IFLA_EXT_MASK};
    const struct ifinfomsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    if (!r->strict)
        return 0;
    if (netlink_length(r->message) < sizeof(*h))
        return netlink_complain(r, NULL, "Invalid header for link dump", -EINVAL);
    if (h->__ifi_pad || h->ifi_type || h->ifi_flags || h->ifi_change)
        return netlink_complain(r, NULL, "Invalid values in header for link dump request", -EINVAL);
    if (h->ifi_index)
        return netlink_complain(r, NULL, "Filter by device index not supported for link dumps", -EINVAL);
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, true, &a, &r->complaint);
    if (err)
        return err;
    if (a.at[IFLA_MASTER] || a.at[IFLA_LINKINFO])
        return 0; // a device has neither: see start_dump()
    const struct nlattr *other = find_other(&a, known, ARRAY_SIZE(known));
    return other ? netlink_complain(r, other, "Unsupported attribute in link dump request", -EINVAL) : 0;
}

// Of those that have a master, or are of a kind, there are none.
static bool asks_for_others(struct netlink_request *r) {
    struct netlink_complaint ignored = {0};
    struct netlink_attributes a;
    if (rt_family(r) == AF_BRIDGE)
        return true;
    return netlink_length(r->message) >= sizeof(struct ifinfomsg) &&
           !netlink_parse_message(r->message, sizeof(struct ifinfomsg), rules, RULES_MOST, false, &a,
                                  &ignored) &&
           ((a.at[IFLA_MASTER] && netlink_u32(a.at[IFLA_MASTER])) || a.at[IFLA_LINKINFO]);
}

static int get(struct netlink_request *r) {
    struct netlink_attributes a;
    if (rt_is_dump(r)) {
        struct netlink_dump d = {.fill = asks_for_others(r) ? no_dump : dump};
        int err = check_dump(r);
        return err ? netlink_dump_refuse(r, err) : netlink_dump_start(r, &d);
    }
    int err = netlink_parse_message(r->message, sizeof(struct ifinfomsg), rules, RULES_MOST, r->strict, &a,
                                    &r->complaint);
    if (!err)
        err = check_get(r, netlink_data(r->message), &a);
    return err ? err : answer(r, netlink_data(r->message), &a);
}

// ---- changing

static int change_hardware(struct net_device *d, const struct nlattr *a, uint8_t *what) {
    if (netlink_value_length(a) < d->hardware_len || !d->hardware_len)
        return -EINVAL;
    if (what == d->hardware && netlink_u8(a) & 1)
        return -EADDRNOTAVAIL; // a group's
    memcpy(what, netlink_value(a), d->hardware_len);
    return 0;
}

static void change_alias(struct net_device *d, const struct nlattr *a) {
    netlink_text(a, d->alias, sizeof(d->alias));
}

// What has no notice of its own. [n]
static int change_rest(struct net_device *d, const struct netlink_attributes *a) {
    int err = 0;
    if (a->at[IFLA_ADDRESS])
        err = change_hardware(d, a->at[IFLA_ADDRESS], d->hardware);
    if (!err && a->at[IFLA_BROADCAST])
        err = change_hardware(d, a->at[IFLA_BROADCAST], d->hardware_broadcast);
    if (err)
        return err;
    if (a->at[IFLA_TXQLEN])
        d->queue_len = netlink_u32(a->at[IFLA_TXQLEN]);
    if (a->at[IFLA_GROUP])
        d->group = netlink_u32(a->at[IFLA_GROUP]);
    if (a->at[IFLA_IFALIAS])
        change_alias(d, a->at[IFLA_IFALIAS]);
    if (a->at[IFLA_ADDRESS] || a->at[IFLA_BROADCAST] || a->at[IFLA_TXQLEN] || a->at[IFLA_GROUP] ||
        a->at[IFLA_IFALIAS])
        net_device_changed_locked(d);
    return 0;
}

static int change_locked(struct netlink_request *r, const struct ifinfomsg *h,
                         const struct netlink_attributes *a) {
    ASSERT_HELD(&inet_mutex);
    char name[NET_NAME_SIZE];
    struct net_device *d = find_device(h, a);
    if (IS_ERR(d))
        return PTR_ERR(d);
    int err = change_rest(d, a);
    if (!err && a->at[IFLA_MTU]) {
        err = net_device_set_mtu_locked(d, netlink_u32(a->at[IFLA_MTU]));
        if (err)
            return netlink_complain(r, a->at[IFLA_MTU], "mtu less than device minimum", err);
    }
    if (!err && h->ifi_index && a->at[IFLA_IFNAME]) {
        netlink_text(a->at[IFLA_IFNAME], name, sizeof(name));
        err = name[0] ? net_device_rename_locked(d, name) : 0;
    }
    unsigned int mask = h->ifi_change ? h->ifi_change : ~0u;
    if (!err && (h->ifi_flags || h->ifi_change))
        err = net_device_set_flags_locked(d, (d->flags & ~mask) | (h->ifi_flags & mask));
    return err;
}

static int set(struct netlink_request *r) {
    const struct ifinfomsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, false, &a, &r->complaint);
    if (err)
        return err;
    rt_begin(r);
    struct net_device *there = find_device(h, &a);
    bool makes = r->message->nlmsg_type == RTM_NEWLINK && IS_ERR(there);
    const struct nlattr *other = find_other(&a, changeable, ARRAY_SIZE(changeable));
    if (makes && r->message->nlmsg_flags & NLM_F_CREATE)
        err = netlink_complain(r, NULL, "Unknown device type", -EOPNOTSUPP);
    else if (IS_ERR(there))
        err = makes ? -ENODEV : PTR_ERR(there);
    else if (r->message->nlmsg_type == RTM_NEWLINK && r->message->nlmsg_flags & NLM_F_EXCL)
        err = -EEXIST;
    else if (other || (r->message->nlmsg_type == RTM_NEWLINK && r->message->nlmsg_flags & NLM_F_REPLACE))
        err = other ? netlink_complain(r, other, "Attribute cannot be changed", -EOPNOTSUPP) : -EOPNOTSUPP;
    else
        err = change_locked(r, h, &a);
    rt_end();
    return err;
}

// No device here can be taken away.
static int delete (struct netlink_request *r) {
    struct netlink_attributes a;
    int err = netlink_parse_message(r->message, sizeof(struct ifinfomsg), rules, RULES_MOST, false, &a,
                                    &r->complaint);
    if (err)
        return err;
    inet_lock(r->net);
    struct net_device *d = find_device(netlink_data(r->message), &a);
    inet_unlock();
    return IS_ERR(d) ? PTR_ERR(d) : -EOPNOTSUPP;
}

int rt_link_request(struct netlink_request *r) {
    switch (r->message->nlmsg_type) {
    case RTM_GETLINK:
        return get(r);
    case RTM_DELLINK:
        return delete (r);
    default:
        return set(r);
    }
}
