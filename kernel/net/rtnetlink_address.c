// SPDX-License-Identifier: MIT
// RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR: addresses of interfaces (ip-address(8)).
#include "core/errno.h"
#include "net/interface.h"
#include "net/rtnetlink_private.h"
#include "sched/clock.h"

// ---- what is told

static uint32_t seconds_left(int64_t until) {
    int64_t left = until - clock_monotonic();
    return until == KTIME_NEVER ? NET_FOREVER : left < 0 ? 0 : (uint32_t)(left / 1000000000);
}

static bool put(struct netlink_writer *w, struct ifaddrmsg *h, const struct net_interface_address *a) {
    unsigned int size = net_address_size(a->local.family);
    bool v4 = a->local.family == AF_INET, pair = !net_address_eq(&a->local, &a->peer);
    struct ifa_cacheinfo times = {.ifa_prefered = seconds_left(a->preferred_until),
                                  .ifa_valid = seconds_left(a->valid_until),
                                  .cstamp = a->created,
                                  .tstamp = a->changed};
    if (h)
        *h = (struct ifaddrmsg){.ifa_family = (uint8_t)a->local.family,
                                .ifa_prefixlen = a->prefix,
                                .ifa_flags = (uint8_t)a->flags,
                                .ifa_scope = a->scope,
                                .ifa_index = (uint32_t)a->device->index};
    netlink_put(w, IFA_ADDRESS, a->peer.bytes, size);
    if (v4 || pair)
        netlink_put(w, IFA_LOCAL, a->local.bytes, size);
    if (a->broadcast.family)
        netlink_put(w, IFA_BROADCAST, a->broadcast.bytes, size);
    if (v4)
        netlink_put_text(w, IFA_LABEL, a->label);
    if (a->protocol)
        netlink_put_u8(w, IFA_PROTO, a->protocol);
    netlink_put_u32(w, IFA_FLAGS, a->flags);
    if (a->metric)
        netlink_put_u32(w, IFA_RT_PRIORITY, a->metric);
    netlink_put(w, IFA_CACHEINFO, &times, sizeof(times));
    return netlink_end(w);
}

static bool put_notice(struct netlink_writer *w, const void *address, unsigned int type, unsigned int flags) {
    return put(w, netlink_begin(w, type, flags, rt_origin.sequence, rt_origin.port, sizeof(struct ifaddrmsg)),
               address);
}

void rtnetlink_tell_address(const struct net_interface_address *a, unsigned int type) {
    rt_tell(a->local.family == AF_INET ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR, put_notice, a, type, 0);
}

// ---- requests

static const struct netlink_rule rules[] = {
    [IFA_ADDRESS] = {NETLINK_BYTES, 4},
    [IFA_LOCAL] = {NETLINK_BYTES, 4},
    [IFA_LABEL] = {NETLINK_STRING, NET_NAME_SIZE - 1},
    [IFA_BROADCAST] = {NETLINK_BYTES, 4},
    [IFA_CACHEINFO] = {NETLINK_BYTES, sizeof(struct ifa_cacheinfo)},
    [IFA_FLAGS] = {NETLINK_NUMBER, 4},
    [IFA_RT_PRIORITY] = {NETLINK_NUMBER, 4},
    [IFA_TARGET_NETNSID] = {NETLINK_NUMBER, 4},
    [IFA_PROTO] = {NETLINK_NUMBER, 1},
};
#define RULES_MOST (ARRAY_SIZE(rules) - 1)

// ---- getting

// at[1]: the family, 0: both; at[2]: the index of the device that is told of, 0: none yet; at[3]: how many of its addresses have been;
// at[4]: the only device, 0: all; at[5]: which of the families.
static int dump_device(struct netlink_writer *w, struct netlink_dump *d, const struct net_device *device) {
    const struct net_interface_address *a;
    unsigned int family = d->at[5] ? AF_INET6 : AF_INET;
    uint64_t n = 0;
    list_for_each_entry (a, &device->addresses, link) {
        if (a->local.family != family || n++ < d->at[3])
            continue;
        if (!put(w, netlink_dump_begin(w, d, RTM_NEWADDR, sizeof(struct ifaddrmsg)), a))
            return 1;
        d->at[3]++;
    }
    return 0;
}

static int dump_family(struct netlink_writer *w, struct netlink_dump *d) {
    struct net_device *device;
    while ((device = net_device_next_locked((int)d->at[2] - 1))) {
        if (d->at[2] != (uint64_t)device->index)
            d->at[3] = 0;
        d->at[2] = (uint64_t)device->index;
        if ((!d->at[4] || d->at[4] == d->at[2]) && dump_device(w, d, device))
            return 1;
        d->at[2]++;
        d->at[3] = 0;
    }
    return 0;
}

static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    int more = 0;
    inet_lock(d->net);
    rt_dump_check(d);
    while (!more && d->at[5] < 2) {
        unsigned int family = d->at[5] ? AF_INET6 : AF_INET;
        if (!d->at[1] || d->at[1] == family)
            more = dump_family(w, d);
        if (!more) {
            d->at[5]++;
            d->at[2] = d->at[3] = 0;
        }
    }
    inet_unlock();
    return more;
}

// A strict reader may ask for those of one device.
static int check_dump(struct netlink_request *r, struct netlink_dump *d) {
    const struct ifaddrmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    if (!r->strict)
        return 0;
    if (netlink_length(r->message) < sizeof(*h))
        return netlink_complain(r, NULL, "Invalid header for address dump request", -EINVAL);
    if (h->ifa_prefixlen || h->ifa_flags || h->ifa_scope)
        return netlink_complain(r, NULL, "Invalid values in header for address dump request", -EINVAL);
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, true, &a, &r->complaint);
    for (unsigned int i = 0; !err && i < NETLINK_ATTRIBUTES; i++)
        if (a.at[i])
            err = netlink_complain(r, a.at[i], "Unsupported attribute in dump request", -EINVAL);
    if (err || !h->ifa_index)
        return err;
    inet_lock(r->net);
    bool there = net_device_find_locked((int)h->ifa_index);
    inet_unlock();
    d->at[4] = h->ifa_index;
    d->flags = NLM_F_DUMP_FILTERED;
    return there ? 0 : -ENODEV;
}

static struct net_address read_address(unsigned int family, const struct nlattr *a) {
    if (!a || netlink_value_length(a) < net_address_size(family))
        return (struct net_address){.family = AF_UNSPEC};
    return net_address_of(family, netlink_value(a));
}

static struct net_interface_address *find(struct net_device *only, const struct net_address *local) {
    struct net_interface_address *found = only ? net_interface_find_locked(only, local) : NULL;
    for (struct net_device *d = net_device_next_locked(0); !only && d && !found;
         d = net_device_next_locked(d->index))
        found = net_interface_find_locked(d, local);
    return found;
}

// One of IPv6.
static int answer(struct netlink_request *r) {
    const struct ifaddrmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    struct netlink_writer w;
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, r->strict, &a, &r->complaint);
    if (err)
        return err;
    struct net_address address = read_address(AF_INET6, a.at[a.at[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS]);
    if (!address.family)
        return -EINVAL;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (!p)
        return -ENOBUFS;
    inet_lock(r->net);
    const struct net_interface_address *found =
        find(h->ifa_index ? net_device_find_locked((int)h->ifa_index) : NULL, &address);
    if (found)
        put(&w, netlink_begin(&w, RTM_NEWADDR, 0, r->message->nlmsg_seq, netlink_port(r), sizeof(*h)), found);
    inet_unlock();
    if (found)
        return netlink_answer(r, p, &w);
    netlink_packet_free(p);
    return -EADDRNOTAVAIL;
}

static int get(struct netlink_request *r) {
    unsigned int family = rt_family(r);
    if (!rt_is_dump(r))
        return family == AF_INET6 ? answer(r) : -EOPNOTSUPP;
    struct netlink_dump d = {.fill = dump,
                             .at = {[1] = family == AF_INET || family == AF_INET6 ? family : 0}};
    int err = check_dump(r, &d);
    return err ? netlink_dump_refuse(r, err) : netlink_dump_start(r, &d);
}

// ---- changing

// What a request says of an address, but for its device's own.
static int read(struct netlink_request *r, struct netlink_attributes *attributes,
                struct net_interface_address *a) {
    const struct ifaddrmsg *h = netlink_data(r->message);
    struct netlink_attributes *t = attributes;
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, false, t, &r->complaint);
    if (err)
        return err;
    if (h->ifa_family != AF_INET && h->ifa_family != AF_INET6)
        return -EOPNOTSUPP;
    *a = (struct net_interface_address){.prefix = h->ifa_prefixlen, .scope = h->ifa_scope};
    a->flags = t->at[IFA_FLAGS] ? netlink_u32(t->at[IFA_FLAGS]) : h->ifa_flags;
    a->peer = read_address(h->ifa_family, t->at[t->at[IFA_ADDRESS] ? IFA_ADDRESS : IFA_LOCAL]);
    a->local = read_address(h->ifa_family, t->at[t->at[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS]);
    a->broadcast = read_address(h->ifa_family, t->at[IFA_BROADCAST]);
    if (t->at[IFA_RT_PRIORITY])
        a->metric = netlink_u32(t->at[IFA_RT_PRIORITY]);
    if (t->at[IFA_PROTO])
        a->protocol = netlink_u8(t->at[IFA_PROTO]);
    if (t->at[IFA_LABEL])
        netlink_text(t->at[IFA_LABEL], a->label, sizeof(a->label));
    return 0;
}

#define FLAGS_OF_PROGRAMS (IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

// Lifetimes that end would want somebody to end them.
static int check_times(struct netlink_request *r, const struct nlattr *a) {
    struct ifa_cacheinfo times;
    if (!a)
        return 0;
    memcpy(&times, netlink_value(a), sizeof(times));
    if (!times.ifa_valid)
        return netlink_complain(r, a, "ipv4: address lifetime invalid", -EINVAL);
    if (times.ifa_prefered > times.ifa_valid)
        return netlink_complain(r, a, "ipv4: preferred lifetime is greater than valid one", -EINVAL);
    return times.ifa_valid == NET_FOREVER && times.ifa_prefered == NET_FOREVER
               ? 0
               : netlink_complain(r, a, "Addresses that end are not supported", -EOPNOTSUPP);
}

static int check_new(struct netlink_request *r, const struct netlink_attributes *t,
                     struct net_interface_address *a) {
    bool v4 = a->local.family == AF_INET;
    if (!a->local.family || !a->peer.family || (v4 && !t->at[IFA_LOCAL]))
        return v4 || !a->local.family
                   ? netlink_complain(r, NULL, "ipv4: Local address is not supplied", -EINVAL)
                   : -EINVAL;
    if (a->prefix > net_address_bits(a->local.family))
        return netlink_complain(r, NULL, v4 ? "ipv4: Prefix length not valid" : "ipv6: Invalid prefix length",
                                -EINVAL);
    int err = check_times(r, t->at[IFA_CACHEINFO]);
    if (err)
        return err;
    if (!v4 && (net_address_is_any(&a->local) || net_address_is_multicast(&a->local)))
        return -EADDRNOTAVAIL;
    a->flags = (a->flags & FLAGS_OF_PROGRAMS) | IFA_F_PERMANENT;
    if (!v4)
        a->scope = net_address_is_loopback(&a->local)     ? RT_SCOPE_HOST
                   : net_address_is_link_local(&a->local) ? RT_SCOPE_LINK
                                                          : RT_SCOPE_UNIVERSE;
    if (!v4)
        a->broadcast.family = AF_UNSPEC;
    return 0;
}

static int add(struct netlink_request *r, const struct netlink_attributes *t,
               struct net_interface_address *a) {
    const struct ifaddrmsg *h = netlink_data(r->message);
    bool v4 = a->local.family == AF_INET;
    a->device = net_device_find_locked((int)h->ifa_index);
    if (!a->device)
        return netlink_complain(r, NULL, v4 ? "ipv4: Device not found" : "ipv6: Unable to find the interface",
                                -ENODEV);
    if (!v4 && a->device->mtu < 1280)
        return netlink_complain(r, NULL, "ipv6: IPv6 is disabled on this device", -EACCES);
    if (!a->label[0])
        memcpy(a->label, a->device->name, sizeof(a->label));
    struct net_interface_address *old = net_interface_find_locked(a->device, &a->local);
    if (old && old->prefix == a->prefix && r->message->nlmsg_flags & NLM_F_REPLACE &&
        !(r->message->nlmsg_flags & NLM_F_EXCL)) {
        if (t->at[IFA_PROTO])
            old->protocol = a->protocol;
        rtnetlink_tell_address(old, RTM_NEWADDR);
        return 0;
    }
    int err = net_interface_add_locked(a);
    if (err == -EEXIST)
        return netlink_complain(
            r, NULL, v4 ? "ipv4: Address already assigned" : "ipv6: address already assigned", err);
    return err == -EINVAL ? netlink_complain(r, NULL, "ipv4: Invalid scope value", err) : err;
}

static bool is_meant(const struct net_interface_address *a, const struct netlink_attributes *t,
                     const struct net_interface_address *like) {
    if (a->local.family != like->local.family ||
        (t->at[IFA_LOCAL] && !net_address_eq(&a->local, &like->local)))
        return false;
    if (a->local.family == AF_INET6)
        return net_address_eq(&a->local, &like->local) && (!like->prefix || a->prefix == like->prefix);
    if (t->at[IFA_LABEL] && strcmp(a->label, like->label))
        return false;
    return !t->at[IFA_ADDRESS] ||
           (a->prefix == like->prefix && net_address_matches(&a->peer, &like->peer, a->prefix));
}

static int remove(struct netlink_request *r, const struct netlink_attributes *t,
                  const struct net_interface_address *like) {
    const struct ifaddrmsg *h = netlink_data(r->message);
    struct net_device *device = net_device_find_locked((int)h->ifa_index);
    struct net_interface_address *a;
    bool v4 = h->ifa_family == AF_INET;
    if (!device)
        return netlink_complain(r, NULL, v4 ? "ipv4: Device not found" : "ipv6: Unable to find the interface",
                                -ENODEV);
    list_for_each_entry (a, &device->addresses, link) {
        if (a->local.family == h->ifa_family && is_meant(a, t, like)) {
            net_interface_remove_locked(a);
            return 0;
        }
    }
    return netlink_complain(r, NULL, v4 ? "ipv4: Address not found" : "ipv6: address not found",
                            -EADDRNOTAVAIL);
}

static int change(struct netlink_request *r) {
    bool new = r->message->nlmsg_type == RTM_NEWADDR;
    struct net_interface_address a;
    struct netlink_attributes t;
    int err = read(r, &t, &a);
    if (!err && new)
        err = check_new(r, &t, &a);
    if (!err && !new &&rt_family(r) == AF_INET6 && !a.local.family)
        err = -EINVAL;
    if (err)
        return err;
    rt_begin(r);
    err = new ? add(r, &t, &a) : remove(r, &t, &a);
    rt_end();
    return err;
}

int rt_address_request(struct netlink_request *r) {
    return r->message->nlmsg_type == RTM_GETADDR ? get(r) : change(r);
}
