// SPDX-License-Identifier: MIT
// RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE: routes, and the one that a packet would take (ip-route(8)).
#include "core/errno.h"
#include "mm/slab.h"
#include "net/interface.h"
#include "net/route.h"
#include "net/rtnetlink_private.h"
#include "sched/thread.h"
#include <linux/icmpv6.h>

#define RTCF_LOCAL      0x80000000u // as Linux's, whose header is about other things
#define METRIC6_DEFAULT 1024u       // of routes that programs make without

// ---- what is told

static void put_address(struct netlink_writer *w, uint16_t type, const struct net_address *a) {
    if (a->family)
        netlink_put(w, type, a->bytes, net_address_size(a->family));
}

static bool put(struct netlink_writer *w, struct rtmsg *h, const struct net_route *r) {
    bool v6 = r->to.family == AF_INET6;
    struct rta_cacheinfo times = {0};
    if (h)
        *h = (struct rtmsg){.rtm_family = (uint8_t)r->to.family,
                            .rtm_dst_len = r->bits,
                            .rtm_tos = r->tos,
                            .rtm_table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_COMPAT,
                            .rtm_protocol = r->protocol,
                            .rtm_scope = r->scope,
                            .rtm_type = r->type,
                            .rtm_flags = r->flags};
    netlink_put_u32(w, RTA_TABLE, r->table);
    if (r->bits)
        put_address(w, RTA_DST, &r->to);
    if (r->metric || v6)
        netlink_put_u32(w, RTA_PRIORITY, r->metric);
    put_address(w, RTA_PREFSRC, &r->source);
    put_address(w, RTA_GATEWAY, &r->gateway);
    if (r->device)
        netlink_put_u32(w, RTA_OIF, (uint32_t)r->device->index);
    if (v6) {
        netlink_put(w, RTA_CACHEINFO, &times, sizeof(times));
        netlink_put_u8(w, RTA_PREF, ICMPV6_ROUTER_PREF_MEDIUM);
    }
    return netlink_end(w);
}

static bool put_notice(struct netlink_writer *w, const void *route, unsigned int type, unsigned int flags) {
    return put(w, netlink_begin(w, type, flags, rt_origin.sequence, rt_origin.port, sizeof(struct rtmsg)),
               route);
}

void rtnetlink_tell_route(const struct net_route *r, unsigned int type, unsigned int flags) {
    rt_tell(r->to.family == AF_INET ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE, put_notice, r, type, flags);
}

// ---- requests

static const struct netlink_rule rules[] = {
    [RTA_DST] = {NETLINK_BYTES, 4},       [RTA_SRC] = {NETLINK_BYTES, 4},
    [RTA_IIF] = {NETLINK_NUMBER, 4},      [RTA_OIF] = {NETLINK_NUMBER, 4},
    [RTA_GATEWAY] = {NETLINK_BYTES, 4},   [RTA_PRIORITY] = {NETLINK_NUMBER, 4},
    [RTA_PREFSRC] = {NETLINK_BYTES, 4},   [RTA_METRICS] = {NETLINK_BYTES, 0},
    [RTA_MULTIPATH] = {NETLINK_BYTES, 0}, [RTA_FLOW] = {NETLINK_NUMBER, 4},
    [RTA_CACHEINFO] = {NETLINK_BYTES, 0}, [RTA_TABLE] = {NETLINK_NUMBER, 4},
    [RTA_MARK] = {NETLINK_NUMBER, 4},     [RTA_VIA] = {NETLINK_BYTES, 2},
    [RTA_PREF] = {NETLINK_NUMBER, 1},     [RTA_ENCAP_TYPE] = {NETLINK_NUMBER, 2},
    [RTA_ENCAP] = {NETLINK_BYTES, 0},     [RTA_EXPIRES] = {NETLINK_NUMBER, 4},
    [RTA_UID] = {NETLINK_NUMBER, 4},      [RTA_TTL_PROPAGATE] = {NETLINK_NUMBER, 1},
    [RTA_IP_PROTO] = {NETLINK_NUMBER, 1}, [RTA_SPORT] = {NETLINK_NUMBER, 2},
    [RTA_DPORT] = {NETLINK_NUMBER, 2},    [RTA_NH_ID] = {NETLINK_NUMBER, 4},
};
#define RULES_MOST (ARRAY_SIZE(rules) - 1)

// 0: there is none. -EINVAL: it is shorter than one of the family.
static int read_address(struct netlink_request *r, unsigned int family, const struct nlattr *a,
                        struct net_address *out) {
    *out = (struct net_address){.family = AF_UNSPEC};
    if (!a)
        return 0;
    if (netlink_value_length(a) < net_address_size(family))
        return netlink_complain(r, a, "Invalid address length", -EINVAL);
    *out = net_address_of(family, netlink_value(a));
    return 0;
}

// ---- getting all

enum { AT_FAMILY = 1, AT_SPLIT, AT_TABLE, AT_DEVICE, AT_PROTOCOL, AT_TYPE, AT_PLACE };

// Where the last route that was told stands; fill's own (netlink_dump.data).
struct place {
    bool begun;
    struct net_route last;
};

static bool is_asked_for(const struct netlink_dump *d, const struct net_route *r) {
    return (!d->at[AT_FAMILY] || d->at[AT_FAMILY] == r->to.family) &&
           (!d->at[AT_TABLE] || d->at[AT_TABLE] == r->table) &&
           (!d->at[AT_DEVICE] || (r->device && d->at[AT_DEVICE] == (uint64_t)r->device->index)) &&
           (!d->at[AT_PROTOCOL] || d->at[AT_PROTOCOL] == r->protocol) &&
           (!d->at[AT_TYPE] || d->at[AT_TYPE] == r->type);
}

static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    struct place *place = d->data;
    const struct net_route *r, *last = NULL;
    int more = 0;
    inet_lock(d->net);
    rt_dump_check(d);
    for (r = net_route_next_locked(place->begun ? &place->last : NULL); r; r = net_route_behind_locked(r)) {
        more = is_asked_for(d, r) && !put(w, netlink_dump_begin(w, d, RTM_NEWROUTE, sizeof(struct rtmsg)), r);
        if (more)
            break;
        last = r;
    }
    if (last)
        *place = (struct place){true, *last};
    inet_unlock();
    return more;
}

static int dump_nothing(struct netlink_writer *w, struct netlink_dump *d) {
    (void)w, (void)d;
    return 0;
}

static void dump_end(struct netlink_dump *d) {
    kfree(d->data);
}

// A strict reader may ask for those of a table, a device, a protocol, a type.
static int read_filter(struct netlink_request *r, struct netlink_dump *d) {
    const struct rtmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    if (netlink_length(r->message) < sizeof(*h))
        return netlink_complain(r, NULL, "Invalid header for FIB dump request", -EINVAL);
    if (h->rtm_dst_len || h->rtm_src_len || h->rtm_tos || h->rtm_scope)
        return netlink_complain(r, NULL, "Invalid values in header for FIB dump request", -EINVAL);
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, true, &a, &r->complaint);
    for (unsigned int i = 0; !err && i < NETLINK_ATTRIBUTES; i++)
        if (a.at[i] && i != RTA_TABLE && i != RTA_OIF)
            err = netlink_complain(r, a.at[i], "Unsupported attribute in dump request", -EINVAL);
    if (err)
        return err;
    d->at[AT_TABLE] = a.at[RTA_TABLE] ? netlink_u32(a.at[RTA_TABLE]) : h->rtm_table;
    d->at[AT_DEVICE] = a.at[RTA_OIF] ? netlink_u32(a.at[RTA_OIF]) : 0;
    d->at[AT_PROTOCOL] = h->rtm_protocol;
    d->at[AT_TYPE] = h->rtm_type;
    if (d->at[AT_TABLE] || d->at[AT_DEVICE] || d->at[AT_PROTOCOL] || d->at[AT_TYPE])
        d->flags = NLM_F_DUMP_FILTERED;
    if (h->rtm_flags & RTM_F_CLONED)
        d->fill = dump_nothing; // the routes of single packets, which are not kept
    return 0;
}

static int get_all(struct netlink_request *r) {
    unsigned int family = rt_family(r);
    struct netlink_dump d = {.fill = dump, .end = dump_end, .at = {[AT_FAMILY] = family}};
    if (family && family != AF_INET && family != AF_INET6)
        return -EOPNOTSUPP;
    const struct rtmsg *h = netlink_data(r->message);
    if (!r->strict && netlink_length(r->message) >= sizeof(*h) && h->rtm_flags & RTM_F_CLONED)
        d.fill = dump_nothing;
    int err = r->strict ? read_filter(r, &d) : 0;
    if (err)
        return netlink_dump_refuse(r, err);
    d.data = kzalloc(sizeof(struct place));
    return d.data ? netlink_dump_start(r, &d) : -ENOBUFS;
}

// ---- getting one

struct question {
    struct net_address to, from;
    uint32_t device, uid;
    bool has_uid;
};

static void put_way(struct netlink_writer *w, struct netlink_request *r, const struct question *q,
                    const struct net_way *way) {
    const struct net_route *route = way->route;
    struct rta_cacheinfo times = {0};
    bool v4 = q->to.family == AF_INET, local = route->type == RTN_LOCAL;
    struct rtmsg *h = netlink_begin(w, RTM_NEWROUTE, 0, r->message->nlmsg_seq, netlink_port(r), sizeof(*h));
    if (!h)
        return;
    *h = (struct rtmsg){.rtm_family = (uint8_t)q->to.family,
                        .rtm_dst_len = v4      ? 32
                                       : local ? 128
                                               : route->bits,
                        .rtm_table = v4 ? RT_TABLE_MAIN : (uint8_t)route->table,
                        .rtm_protocol = v4 ? RTPROT_UNSPEC : route->protocol,
                        .rtm_type = route->type};
    if (v4)
        h->rtm_flags = RTM_F_CLONED | (route->device->flags & NET_LOOPBACK ? RTCF_LOCAL : 0);
    put_address(w, RTA_DST, &q->to);
    netlink_put_u32(w, RTA_TABLE, v4 ? RT_TABLE_MAIN : route->table);
    if (q->from.family || !v4) {
        h->rtm_src_len = net_address_bits(q->to.family);
        netlink_put(w, RTA_SRC, q->from.bytes, net_address_size(q->to.family));
    }
    netlink_put_u32(w, RTA_OIF, (uint32_t)way->device->index);
    put_address(w, RTA_PREFSRC, q->from.family ? &q->from : &way->source);
    if (!v4 || !(route->device->flags & NET_LOOPBACK))
        put_address(w, RTA_GATEWAY, &route->gateway);
    if (!v4) {
        netlink_put_u32(w, RTA_PRIORITY, route->metric);
        netlink_put_u8(w, RTA_PREF, ICMPV6_ROUTER_PREF_MEDIUM);
    } else {
        netlink_put_u32(w, RTA_UID, q->has_uid ? q->uid : current->cred->uid);
    }
    netlink_put(w, RTA_CACHEINFO, &times, sizeof(times));
    netlink_end(w);
}

static int read_question(struct netlink_request *r, struct question *q) {
    const struct rtmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    unsigned int family = rt_family(r);
    *q = (struct question){.device = 0};
    if (family != AF_INET && family != AF_INET6)
        return -EOPNOTSUPP;
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, r->strict, &a, &r->complaint);
    if (err)
        return err;
    if (r->strict && (h->rtm_table || h->rtm_protocol || h->rtm_scope || h->rtm_type))
        return netlink_complain(r, NULL, "Invalid values in header for route get request", -EINVAL);
    err = read_address(r, family, a.at[RTA_DST], &q->to);
    if (!err)
        err = read_address(r, family, a.at[RTA_SRC], &q->from);
    if (err)
        return err;
    if (!q->to.family)
        q->to.family = (uint16_t)family;
    q->device = a.at[RTA_OIF] ? netlink_u32(a.at[RTA_OIF]) : 0;
    q->has_uid = a.at[RTA_UID];
    q->uid = q->has_uid ? netlink_u32(a.at[RTA_UID]) : 0;
    return a.at[RTA_IIF] && netlink_u32(a.at[RTA_IIF]) ? -EOPNOTSUPP : 0; // nothing is forwarded
}

static int find_way(const struct question *q, struct net_way *way) {
    struct net_address to = q->to;
    const struct net_device *device = q->device ? net_device_find_locked((int)q->device) : NULL;
    if (q->device && !device)
        return -ENODEV;
    if (net_address_is_any(&to)) // this machine
        to = to.family == AF_INET ? net_address_ip4(0x0100007f)
                                  : (struct net_address){.family = AF_INET6, .bytes = {[15] = 1}};
    return net_route_find_locked(&to, device, way);
}

static int get_one(struct netlink_request *r) {
    struct netlink_writer w;
    struct question q;
    struct net_way way;
    int err = read_question(r, &q);
    if (err)
        return err;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (!p)
        return -ENOBUFS;
    inet_lock(r->net);
    err = q.from.family && !net_route_is_local_locked(&q.from) && !net_address_is_any(&q.from)
              ? -EINVAL
              : find_way(&q, &way);
    if (!err)
        put_way(&w, r, &q, &way);
    inet_unlock();
    if (!err)
        return netlink_answer(r, p, &w);
    netlink_packet_free(p);
    return err;
}

// ---- changing

// Attributes that would be told back and do nothing are refused.
static const struct nlattr *find_unsupported(const struct netlink_attributes *a) {
    static const uint8_t unsupported[] = {RTA_MULTIPATH, RTA_VIA,     RTA_ENCAP,        RTA_NH_ID,
                                          RTA_FLOW,      RTA_EXPIRES, RTA_TTL_PROPAGATE};
    for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
        if (a->at[unsupported[i]])
            return a->at[unsupported[i]];
    const struct nlattr *metrics = a->at[RTA_METRICS];
    return metrics && netlink_value_length(metrics) ? metrics : NULL;
}

static int read_numbers(struct netlink_request *r, const struct netlink_attributes *a,
                        struct net_route *route) {
    const struct rtmsg *h = netlink_data(r->message);
    bool v4 = h->rtm_family == AF_INET;
    unsigned int bits = net_address_bits(h->rtm_family);
    if (h->rtm_dst_len > bits)
        return netlink_complain(r, NULL, "Invalid prefix length", -EINVAL);
    if (h->rtm_src_len)
        return netlink_complain(r, NULL, "Routes by source are not supported", -EOPNOTSUPP);
    if (h->rtm_type > RTN_MAX || h->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
        return netlink_complain(r, NULL, "Invalid route type", -EINVAL);
    route->bits = h->rtm_dst_len;
    route->tos = v4 ? h->rtm_tos : 0;
    route->table = a->at[RTA_TABLE] ? netlink_u32(a->at[RTA_TABLE]) : h->rtm_table;
    route->table = route->table ? route->table : RT_TABLE_MAIN;
    route->protocol = h->rtm_protocol;
    route->scope = v4 ? h->rtm_scope : RT_SCOPE_UNIVERSE;
    route->type = h->rtm_type;
    route->metric = a->at[RTA_PRIORITY] ? netlink_u32(a->at[RTA_PRIORITY]) : 0;
    return 0;
}

static int read(struct netlink_request *r, struct net_route *route, uint32_t *device) {
    const struct rtmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, false, &a, &r->complaint);
    if (err)
        return err;
    if (h->rtm_family != AF_INET && h->rtm_family != AF_INET6)
        return -EOPNOTSUPP;
    const struct nlattr *other = find_unsupported(&a);
    if (other)
        return netlink_complain(r, other, "Attribute is not supported", -EOPNOTSUPP);
    err = read_address(r, h->rtm_family, a.at[RTA_DST], &route->to);
    if (!err)
        err = read_address(r, h->rtm_family, a.at[RTA_GATEWAY], &route->gateway);
    if (!err)
        err = read_address(r, h->rtm_family, a.at[RTA_PREFSRC], &route->source);
    if (!err)
        err = read_numbers(r, &a, route);
    if (err)
        return err;
    route->to.family = h->rtm_family;
    struct net_address prefix = net_address_prefix(&route->to, route->bits);
    if (h->rtm_family == AF_INET && !net_address_eq(&prefix, &route->to))
        return netlink_complain(r, NULL, "Invalid prefix for given prefix length", -EINVAL);
    route->to = prefix;
    if (net_address_is_any(&route->gateway))
        route->gateway.family = AF_UNSPEC;
    *device = a.at[RTA_OIF] ? netlink_u32(a.at[RTA_OIF]) : 0;
    return 0;
}

static int add(struct netlink_request *r, struct net_route *route, uint32_t index) {
    const char *why = NULL;
    route->device = index ? net_device_find_locked((int)index) : NULL;
    if (index && !route->device)
        return -ENODEV;
    if (!route->type)
        route->type = RTN_UNICAST;
    if (route->to.family == AF_INET6 && !route->metric)
        route->metric = METRIC6_DEFAULT;
    int err = net_route_check_locked(route, &why);
    if (err)
        return why ? netlink_complain(r, NULL, why, err) : err;
    return net_route_add_locked(route, r->message->nlmsg_flags);
}

static int remove(struct net_route *route, uint32_t index) {
    route->device = index ? net_device_find_locked((int)index) : NULL;
    if (index && !route->device)
        return -ESRCH;
    if (route->to.family == AF_INET6)
        route->scope = RT_SCOPE_NOWHERE;
    return net_route_remove_locked(route);
}

static int change(struct netlink_request *r) {
    struct net_route route = {.bits = 0};
    uint32_t device = 0;
    int err = read(r, &route, &device);
    if (err)
        return err;
    rt_begin(r);
    err = r->message->nlmsg_type == RTM_NEWROUTE ? add(r, &route, device) : remove(&route, device);
    rt_end();
    return err;
}

int rt_route_request(struct netlink_request *r) {
    if (r->message->nlmsg_type != RTM_GETROUTE)
        return change(r);
    return rt_is_dump(r) ? get_all(r) : get_one(r);
}
