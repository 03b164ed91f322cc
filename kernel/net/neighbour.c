// SPDX-License-Identifier: MIT
// Neighbours, and RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH.
#include "net/neighbour.h"
#include "core/errno.h"
#include "net/inet_memory.h"
#include "net/net_ns.h"
#include "net/rtnetlink_private.h"
#include "sched/clock.h"
#include <linux/neighbour.h>

#define HUNDREDTH      10000000
#define NEIGHBOURS_MAX 1024u // as Linux's gc_thresh3

static struct list_head neighbours __net_state = LIST_HEAD_INIT(neighbours);
static unsigned int count __net_state;
static uint64_t last_serial __net_state;
static unsigned int round_ __net_state;

// ---- the table

struct net_neighbour *net_neighbour_next_locked(uint64_t after) {
    ASSERT_HELD(&inet_mutex);
    struct net_neighbour *n;
    list_for_each_entry (n, &neighbours, link)
        if (n->serial > after)
            return n;
    return NULL;
}

struct net_neighbour *net_neighbour_behind_locked(const struct net_neighbour *n) {
    ASSERT_HELD(&inet_mutex);
    return n->link.next == &neighbours ? NULL : list_entry(n->link.next, struct net_neighbour, link);
}

void net_neighbour_for_each_locked(void (*fn)(struct net_neighbour *n, void *arg), void *arg) {
    ASSERT_HELD(&inet_mutex);
    struct net_neighbour *n;
    list_for_each_entry (n, &neighbours, link)
        fn(n, arg);
}

struct net_neighbour *net_neighbour_find_locked(const struct net_device *device,
                                                const struct net_address *a) {
    ASSERT_HELD(&inet_mutex);
    struct net_neighbour *n;
    list_for_each_entry (n, &neighbours, link)
        if (n->device == device && net_address_eq(&n->address, a))
            return n;
    return NULL;
}

unsigned int net_neighbour_round_locked(void) {
    ASSERT_HELD(&inet_mutex);
    return round_;
}

// Room for one more: one that nobody uses goes, if there are too many.
static bool make_room(void) {
    struct net_neighbour *n, *oldest = NULL;
    if (count < NEIGHBOURS_MAX)
        return true;
    list_for_each_entry (n, &neighbours, link)
        if (!(n->state & (NUD_PERMANENT | NUD_INCOMPLETE)) && (!oldest || n->used < oldest->used))
            oldest = n;
    if (oldest)
        net_neighbour_remove_locked(oldest);
    return oldest;
}

static struct net_neighbour *add_copy(const struct net_neighbour *like) {
    struct net_neighbour *n = make_room() ? inet_malloc(sizeof(*n)) : NULL;
    if (!n)
        return NULL;
    *n = *like;
    list_init(&n->waiting);
    n->waiting_count = 0;
    n->due = KTIME_NEVER;
    n->confirmed = n->used = n->update = clock_monotonic();
    n->serial = ++last_serial;
    list_add_tail(&n->link, &neighbours);
    count++;
    return n;
}

struct net_neighbour *net_neighbour_get_locked(struct net_device *device, const struct net_address *a) {
    ASSERT_HELD(&inet_mutex);
    struct net_neighbour *n = net_neighbour_find_locked(device, a);
    const struct net_neighbour fresh = {.device = device, .address = *a, .state = NUD_NONE};
    return n ? n : add_copy(&fresh);
}

int net_neighbour_set_locked(const struct net_neighbour *like, unsigned int how) {
    ASSERT_HELD(&inet_mutex);
    struct net_neighbour *n = net_neighbour_find_locked(like->device, &like->address);
    if (n && how & NLM_F_EXCL)
        return -EEXIST;
    if (!n && !(how & NLM_F_CREATE))
        return -ENOENT;
    if (!n) {
        n = add_copy(like);
        if (!n)
            return -ENOBUFS;
    } else {
        memcpy(n->hardware, like->hardware, sizeof(n->hardware));
        n->state = like->state;
        n->flags = like->flags;
        round_++;
    }
    net_neighbour_settle_locked(n);
    rtnetlink_tell_neighbour(n, RTM_NEWNEIGH);
    return 0;
}

void net_neighbour_remove_locked(struct net_neighbour *n) {
    ASSERT_HELD(&inet_mutex);
    list_del(&n->link);
    count--;
    round_++;
    n->state = NUD_FAILED;
    net_neighbour_settle_locked(n);
    rtnetlink_tell_neighbour(n, RTM_DELNEIGH);
    inet_free(n);
}

void net_neighbour_drop_device_locked(const struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    struct net_neighbour *n;
    uint64_t newest = last_serial;
    for (uint64_t at = 0; at < newest && (n = net_neighbour_next_locked(at)) && n->serial <= newest;) {
        at = n->serial;
        if (n->device != device)
            continue;
        net_neighbour_remove_locked(n);
        net_change_pause();
    }
}

// ---- what is told

static bool put(struct netlink_writer *w, struct ndmsg *h, const struct net_neighbour *n) {
    int64_t now = clock_monotonic();
    struct nda_cacheinfo times = {.ndm_confirmed = (uint32_t)((now - n->confirmed) / HUNDREDTH),
                                  .ndm_used = (uint32_t)((now - n->used) / HUNDREDTH),
                                  .ndm_updated = (uint32_t)((now - n->update) / HUNDREDTH)};
    if (h)
        *h = (struct ndmsg){.ndm_family = (uint8_t)n->address.family,
                            .ndm_ifindex = n->device->index,
                            .ndm_state = n->state,
                            .ndm_flags = n->flags,
                            .ndm_type = RTN_UNICAST};
    netlink_put(w, NDA_DST, n->address.bytes, net_address_size(n->address.family));
    if (n->state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE))
        netlink_put(w, NDA_LLADDR, n->hardware, n->device->hardware_len);
    netlink_put_u32(w, NDA_PROBES, n->probes);
    netlink_put(w, NDA_CACHEINFO, &times, sizeof(times));
    return netlink_end(w);
}

static bool put_notice(struct netlink_writer *w, const void *n, unsigned int type, unsigned int flags) {
    return put(w, netlink_begin(w, type, flags, 0, rt_origin.port, sizeof(struct ndmsg)), n);
}

void rtnetlink_tell_neighbour(const struct net_neighbour *n, unsigned int type) {
    rt_tell(RTNLGRP_NEIGH, put_notice, n, type, 0);
}

// ---- requests

static const struct netlink_rule rules[] = {
    [NDA_DST] = {NETLINK_AT_MOST, 32},     [NDA_LLADDR] = {NETLINK_AT_MOST, 32},
    [NDA_CACHEINFO] = {NETLINK_BYTES, 0},  [NDA_PROBES] = {NETLINK_NUMBER, 4},
    [NDA_VLAN] = {NETLINK_NUMBER, 2},      [NDA_IFINDEX] = {NETLINK_NUMBER, 4},
    [NDA_MASTER] = {NETLINK_NUMBER, 4},    [NDA_PROTOCOL] = {NETLINK_NUMBER, 1},
    [NDA_FLAGS_EXT] = {NETLINK_NUMBER, 4},
};
#define RULES_MOST (ARRAY_SIZE(rules) - 1)

// at[1]: the family, 0: all; at[2]: the last that was told; at[3]: the only device, 0: all.
static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    const struct net_neighbour *n;
    int more = 0;
    inet_lock(d->net);
    rt_dump_check(d);
    for (n = net_neighbour_next_locked(d->at[2]); n && !more; n = net_neighbour_behind_locked(n)) {
        if ((!d->at[1] || d->at[1] == n->address.family) &&
            (!d->at[3] || d->at[3] == (uint64_t)n->device->index))
            more = !put(w, netlink_dump_begin(w, d, RTM_NEWNEIGH, sizeof(struct ndmsg)), n);
        if (!more)
            d->at[2] = n->serial;
    }
    inet_unlock();
    return more;
}

// What stands for others (proxies), and tables of other families, are empty.
static int dump_nothing(struct netlink_writer *w, struct netlink_dump *d) {
    (void)w, (void)d;
    return 0;
}

static int read_filter(struct netlink_request *r, struct netlink_dump *d) {
    const struct ndmsg *h = netlink_data(r->message);
    struct netlink_attributes a = {{0}};
    bool whole = netlink_length(r->message) >= sizeof(*h);
    if (r->strict && !whole)
        return netlink_complain(r, NULL, "Invalid header for neighbor dump request", -EINVAL);
    if (r->strict && (h->ndm_ifindex || h->ndm_state || h->ndm_type || h->ndm_flags & ~NTF_PROXY))
        return netlink_complain(r, NULL, "Invalid values in header for neighbor dump request", -EINVAL);
    int err =
        whole ? netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, r->strict, &a, &r->complaint)
              : 0;
    if (err)
        return err;
    if (a.at[NDA_IFINDEX])
        d->at[3] = netlink_u32(a.at[NDA_IFINDEX]);
    if ((whole && h->ndm_flags & NTF_PROXY) || (a.at[NDA_MASTER] && netlink_u32(a.at[NDA_MASTER])) ||
        (d->at[1] && d->at[1] != AF_INET && d->at[1] != AF_INET6))
        d->fill = dump_nothing;
    if (d->at[3])
        d->flags = NLM_F_DUMP_FILTERED;
    return 0;
}

static int get_all(struct netlink_request *r) {
    struct netlink_dump d = {.fill = dump, .at = {[1] = rt_family(r)}};
    int err = read_filter(r, &d);
    return err ? netlink_dump_refuse(r, err) : netlink_dump_start(r, &d);
}

// The neighbour that a request names. [n]
static int read(struct netlink_request *r, struct net_neighbour *n, struct netlink_attributes *a) {
    const struct ndmsg *h = netlink_data(r->message);
    int err = netlink_parse_message(r->message, sizeof(*h), rules, RULES_MOST, false, a, &r->complaint);
    if (err)
        return err;
    if (!a->at[NDA_DST])
        return netlink_complain(r, NULL, "Network address not specified", -EINVAL);
    if (h->ndm_family != AF_INET && h->ndm_family != AF_INET6)
        return -EAFNOSUPPORT;
    if (netlink_value_length(a->at[NDA_DST]) < net_address_size(h->ndm_family))
        return netlink_complain(r, NULL, "Invalid network address", -EINVAL);
    *n = (struct net_neighbour){.address = net_address_of(h->ndm_family, netlink_value(a->at[NDA_DST])),
                                .state = h->ndm_state,
                                .flags = h->ndm_flags};
    return 0;
}

static int get_one(struct netlink_request *r) {
    const struct ndmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    struct net_neighbour like = {0};
    struct netlink_writer w;
    int err = read(r, &like, &a);
    if (err)
        return err;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (!p)
        return -ENOBUFS;
    inet_lock(r->net);
    const struct net_device *device = net_device_find_locked(h->ndm_ifindex);
    const struct net_neighbour *n = device ? net_neighbour_find_locked(device, &like.address) : NULL;
    if (n)
        put(&w, netlink_begin(&w, RTM_NEWNEIGH, 0, r->message->nlmsg_seq, netlink_port(r), sizeof(*h)), n);
    inet_unlock();
    if (n)
        return netlink_answer(r, p, &w);
    netlink_packet_free(p);
    return device ? netlink_complain(r, NULL, "Neighbour entry not found", -ENOENT) : -ENODEV;
}

static int add(struct netlink_request *r, struct net_neighbour *n, const struct netlink_attributes *a) {
    const struct nlattr *hardware = a->at[NDA_LLADDR];
    if (n->flags & NTF_PROXY)
        return -EOPNOTSUPP;
    if (hardware && netlink_value_length(hardware) < n->device->hardware_len)
        return netlink_complain(r, NULL, "Invalid link address", -EINVAL);
    if (hardware)
        memcpy(n->hardware, netlink_value(hardware), n->device->hardware_len);
    unsigned int how = r->message->nlmsg_flags;
    if (n->device->flags & NET_LOOPBACK && n->address.family == AF_INET) {
        n->address.word[0] = 0; // as Linux has it, all of IPv4 is one neighbour there
        how &= ~NLM_F_EXCL;
    }
    return net_neighbour_set_locked(n, how);
}

static int remove(const struct net_neighbour *like) {
    struct net_neighbour *n = net_neighbour_find_locked(like->device, &like->address);
    if (!n)
        return -ENOENT;
    net_neighbour_remove_locked(n);
    return 0;
}

static int change(struct netlink_request *r) {
    const struct ndmsg *h = netlink_data(r->message);
    struct netlink_attributes a;
    struct net_neighbour n = {0};
    int err = read(r, &n, &a);
    if (err)
        return err;
    rt_begin(r);
    n.device = net_device_find_locked(h->ndm_ifindex);
    if (!n.device)
        err = h->ndm_ifindex ? -ENODEV : -EINVAL;
    else
        err = r->message->nlmsg_type == RTM_NEWNEIGH ? add(r, &n, &a) : remove(&n);
    rt_end();
    return err;
}

int rt_neighbour_request(struct netlink_request *r) {
    if (r->message->nlmsg_type != RTM_GETNEIGH)
        return change(r);
    return rt_is_dump(r) ? get_all(r) : get_one(r);
}
