// SPDX-License-Identifier: MIT
// The routing tables: one list of all routes, in the order in which they are told: by family, table and prefix. There are few (at most
// ROUTES_MAX), so that looking for one goes through all of its family. What every connection on loopback asks for, whether
// 127.0.0.0/8 is this machine, is known without (`net_ns.loopback_is_plain`: lo is up, all of it is local, but perhaps broadcasts).
//
// Many are dropped one at a time, and between two of them whoever changes things lets go of the lock (net_change_pause()). Whether the next
// one is still the next tells `round_`, which each change makes another; if not, the walk begins again, past none that came meanwhile.
#include "net/route.h"
#include "net/inet_lock.h"
#include "net/inet_memory.h"
#include "net/interface.h"
#include "net/net_ns.h"
#include "net/rtnetlink.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define ROUTES_MAX 4096u

static struct list_head routes __net_state = LIST_HEAD_INIT(routes);
static unsigned int count __net_state;
static unsigned int round_ __net_state;
static uint64_t last_serial __net_state;
// Of 127.0.0.0/8: routes that make all of it local, and others in it.
static unsigned int whole __net_state;
static unsigned int others __net_state;

// ---- order

// As Linux tells them: IPv4's by address and then the longest prefix first; IPv6's a prefix behind all that lies in it.
static int order_of_prefixes(const struct net_route *a, const struct net_route *b) {
    if (a->to.family == AF_INET6 && a->bits != b->bits &&
        net_address_matches(&a->to, &b->to, MIN(a->bits, b->bits)))
        return (int)b->bits - a->bits;
    int order = memcmp(a->to.bytes, b->to.bytes, sizeof(a->to.bytes));
    return order ? order : (int)b->bits - a->bits;
}

static int order_of(const struct net_route *a, const struct net_route *b) {
    if (a->to.family != b->to.family)
        return a->to.family < b->to.family ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    int order = order_of_prefixes(a, b);
    if (order)
        return order;
    if (a->tos != b->tos)
        return (int)b->tos - a->tos;
    return a->metric == b->metric ? 0 : a->metric < b->metric ? -1 : 1;
}

struct net_route *net_route_next_locked(const struct net_route *place) {
    ASSERT_HELD(&inet_mutex);
    struct net_route *r;
    list_for_each_entry (r, &routes, link) {
        int order = place ? order_of(r, place) : 1;
        if (order > 0 || (!order && r->rank > place->rank))
            return r;
    }
    return NULL;
}

struct net_route *net_route_behind_locked(const struct net_route *r) {
    ASSERT_HELD(&inet_mutex);
    return r->link.next == &routes ? NULL : list_entry(r->link.next, struct net_route, link);
}

// ---- finding

static int error_of(const struct net_route *r) {
    switch (r->type) {
    case RTN_BLACKHOLE:
        return -EINVAL;
    case RTN_UNREACHABLE:
        return -EHOSTUNREACH;
    case RTN_PROHIBIT:
        return -EACCES;
    default:
        return 0;
    }
}

// The best of a table that leads somewhere, with at least this scope.
static struct net_route *find_in(uint32_t table, const struct net_address *to,
                                 const struct net_device *device, uint8_t scope) {
    struct net_route *r, *best = NULL;
    list_for_each_entry (r, &routes, link)
        if (r->table == table && net_address_matches(&r->to, to, r->bits) &&
            (!device || r->device == device) && r->scope >= scope && (!best || r->bits > best->bits))
            best = r; // of equal ones the first has the smallest metric
    return best;
}

static const struct net_route *find(const struct net_address *to, const struct net_device *device,
                                    uint8_t scope) {
    static const uint32_t tables[] = {RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        const struct net_route *r = find_in(tables[i], to, device, scope);
        if (r && r->type != RTN_THROW)
            return r;
    }
    return NULL;
}

int net_route_find_locked(const struct net_address *to, const struct net_device *device,
                          struct net_way *way) {
    ASSERT_HELD(&inet_mutex);
    const struct net_route *r = find(to, device, RT_SCOPE_UNIVERSE);
    *way = (struct net_way){.route = r, .device = r ? r->device : NULL};
    int err = r ? error_of(r) : -ENETUNREACH;
    if (err)
        return err;
    way->source = r->source;
    if (way->source.family)
        return 0;
    if (to->family == AF_INET6 && r->type == RTN_LOCAL) {
        way->source = *to;
        return 0;
    }
    // An IPv6 gateway is reached by an address of the link, which means nothing beyond it.
    bool by_gateway = r->gateway.family && to->family == AF_INET;
    const struct net_interface_address *a =
        net_interface_source_locked(r->device, by_gateway ? &r->gateway : to, r->scope);
    if (a)
        way->source = a->local;
    return 0;
}

unsigned int net_route_round_locked(void) {
    ASSERT_HELD(&inet_mutex);
    return round_;
}

bool net_route_is_local_locked(const struct net_address *to) {
    ASSERT_HELD(&inet_mutex);
    if (likely(inet_net->loopback_is_plain && to->family == AF_INET && net_address_is_loopback(to)))
        return true;
    const struct net_route *r = find_in(RT_TABLE_LOCAL, to, NULL, RT_SCOPE_UNIVERSE);
    return r && r->type == RTN_LOCAL;
}

// ---- changing

static void note_change(void) {
    round_++;
    WRITE_ONCE(inet_net->loopback_is_plain, whole && !others && net_device_is_up(&loopback_device));
}

// One of the local table comes (1) or goes (-1).
static void count_in_block(const struct net_route *r, int by) {
    static const struct net_address block = {.family = AF_INET, .bytes = {127}};
    if (r->table != RT_TABLE_LOCAL || r->to.family != AF_INET ||
        !net_address_matches(&r->to, &block, MIN(r->bits, 8)))
        return;
    if (r->bits == 8 && r->type == RTN_LOCAL)
        whole += (unsigned int)by;
    if (r->bits > 8 && r->type != RTN_LOCAL && r->type != RTN_BROADCAST)
        others += (unsigned int)by;
}

static bool leads_to_same(const struct net_route *a, const struct net_route *b) {
    return a->type == b->type && a->scope == b->scope && a->protocol == b->protocol &&
           a->device == b->device && net_address_eq(&a->gateway, &b->gateway) &&
           net_address_eq(&a->source, &b->source);
}

// Where a new one goes.
struct spot {
    struct net_route *first, *last;  // those that it would stand beside
    struct net_route *same;          // the first of these that leads to the same
    struct list_head *before, *past; // the first that is not before these; that is behind them
};

static struct spot find_spot(const struct net_route *route) {
    struct spot s = {.before = &routes, .past = &routes};
    struct net_route *r;
    list_for_each_entry (r, &routes, link) {
        int order = order_of(r, route);
        if (order < 0)
            continue;
        if (s.before == &routes)
            s.before = &r->link;
        if (order > 0) {
            s.past = &r->link;
            break;
        }
        s.first = s.first ? s.first : r;
        s.last = r;
        if (!s.same && leads_to_same(r, route))
            s.same = r;
    }
    return s;
}

static void put(struct net_route *fresh, const struct spot *s, bool behind) {
    fresh->rank = !s->first ? 0 : behind ? s->last->rank + 1 : s->first->rank - 1;
    fresh->serial = ++last_serial;
    list_add_tail(&fresh->link, behind ? s->past : s->before);
    count++;
    count_in_block(fresh, 1);
    note_change();
}

static void drop(struct net_route *r) {
    list_del(&r->link);
    count--;
    count_in_block(r, -1);
    note_change();
    rtnetlink_tell_route(r, RTM_DELROUTE, 0);
    inet_free(r);
}

static int replace(struct net_route *old, const struct net_route *route) {
    struct list_head link = old->link;
    int64_t rank = old->rank;
    count_in_block(old, -1);
    *old = *route;
    old->link = link;
    old->rank = rank;
    old->serial = ++last_serial;
    count_in_block(old, 1);
    note_change();
    rtnetlink_tell_route(old, RTM_NEWROUTE, NLM_F_REPLACE);
    return 0;
}

int net_route_add_locked(const struct net_route *route, unsigned int how) {
    ASSERT_HELD(&inet_mutex);
    const struct spot s = find_spot(route);
    if (s.first && how & NLM_F_EXCL)
        return -EEXIST;
    if (s.first && how & NLM_F_REPLACE)
        return s.same == s.first ? 0 : s.same ? -EEXIST : replace(s.first, route);
    if (s.same)
        return -EEXIST;
    if (!(how & NLM_F_CREATE))
        return -ENOENT;
    if (count >= ROUTES_MAX)
        return -ENOBUFS;
    struct net_route *fresh = inet_malloc(sizeof(*fresh));
    if (!fresh)
        return -ENOBUFS;
    *fresh = *route;
    put(fresh, &s, how & NLM_F_APPEND);
    rtnetlink_tell_route(fresh, RTM_NEWROUTE, how & (NLM_F_CREATE | NLM_F_APPEND));
    return 0;
}

// What leads nowhere.
static bool is_refusal(unsigned int type) {
    return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

// The gateway must be on a network that is reached without another one; it may tell the device.
static int check_gateway(struct net_route *route, const char **why) {
    struct net_way way;
    if (!route->gateway.family)
        return 0;
    int err = net_route_find_locked(&route->gateway, route->device, &way);
    if (!err &&
        (way.route->gateway.family || (way.route->type != RTN_UNICAST && way.route->type != RTN_LOCAL)))
        err = -EINVAL;
    if (err)
        *why = "Nexthop has invalid gateway";
    else if (!route->device)
        route->device = way.device;
    return err;
}

static int check_device(struct net_route *route, const char **why) {
    int err = check_gateway(route, why);
    if (err)
        return err;
    if (!route->device)
        return -ENODEV;
    if (route->to.family == AF_INET && route->device->mtu < NET_MTU4_MIN)
        return -ENODEV;
    if (!net_device_is_up(route->device)) {
        *why = "Device for nexthop is not up";
        return -ENETDOWN;
    }
    if (route->source.family && !net_route_is_local_locked(&route->source) &&
        !(route->type == RTN_LOCAL && net_address_eq(&route->source, &route->to))) {
        *why = "Invalid prefsrc address";
        return -EINVAL;
    }
    return 0;
}

int net_route_check_locked(struct net_route *route, const char **why) {
    ASSERT_HELD(&inet_mutex);
    bool v4 = route->to.family == AF_INET;
    if (v4 && route->scope > RT_SCOPE_HOST) {
        *why = "Invalid scope";
        return -EINVAL;
    }
    if (!is_refusal(route->type))
        return check_device(route, why);
    if (v4 && (route->gateway.family || route->device)) {
        *why = "Gateway, device and multipath can not be specified for this route type";
        return -EINVAL;
    }
    if (!v4) {
        route->device = &loopback_device; // so Linux says of IPv6's
        route->gateway.family = AF_UNSPEC;
    }
    return 0;
}

static bool is_meant(const struct net_route *r, const struct net_route *like) {
    return r->to.family == like->to.family && r->table == like->table && r->bits == like->bits &&
           net_address_eq(&r->to, &like->to) && r->tos == like->tos &&
           (!like->type || r->type == like->type) &&
           (like->scope == RT_SCOPE_NOWHERE || r->scope == like->scope) &&
           (!like->protocol || r->protocol == like->protocol) &&
           (!like->metric || r->metric == like->metric) && (!like->device || r->device == like->device) &&
           (!like->gateway.family || net_address_eq(&r->gateway, &like->gateway)) &&
           (!like->source.family || net_address_eq(&r->source, &like->source));
}

int net_route_remove_locked(const struct net_route *like) {
    ASSERT_HELD(&inet_mutex);
    struct net_route *r;
    list_for_each_entry (r, &routes, link) {
        if (is_meant(r, like)) {
            drop(r);
            return 0;
        }
    }
    return -ESRCH;
}

// Which ones go.
struct choice {
    const struct net_device *device;
    unsigned int family;
    bool all;
    const struct net_address *source; // NULL: by device
};

static bool is_chosen(const struct net_route *r, const struct choice *c) {
    if (c->source)
        return net_address_eq(&r->source, c->source);
    return r->device == c->device && (!c->family || r->to.family == c->family) &&
           (c->all || r->scope < RT_SCOPE_HOST);
}

static void drop_chosen(const struct choice *c) {
    uint64_t newest = last_serial;
    struct list_head *at = routes.next;
    while (at != &routes) {
        struct net_route *r = list_entry(at, struct net_route, link);
        at = at->next;
        if (r->serial > newest || !is_chosen(r, c))
            continue;
        drop(r);
        unsigned int round = round_;
        net_change_pause();
        if (round_ != round)
            at = routes.next;
    }
}

void net_route_drop_device_locked(struct net_device *device, unsigned int family, bool all) {
    ASSERT_HELD(&inet_mutex);
    drop_chosen(&(struct choice){.device = device, .family = family, .all = all});
    note_change();
}

void net_route_drop_source_locked(const struct net_address *source) {
    ASSERT_HELD(&inet_mutex);
    drop_chosen(&(struct choice){.source = source});
}
