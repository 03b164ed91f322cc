// SPDX-License-Identifier: MIT
// IPv6 without anybody's doing: fe80::/64 with the number that the hardware address makes (EUI-64), the prefixes and the default route that a
// router tells, and their ends. Whether somebody else has such an address is not asked (Linux's accept_dad 0): nothing waits for that.
#include "net/autoconf.h"
#include "lib/string.h"
#include "net/inet_lock.h"
#include "net/interface.h"
#include "net/ndisc.h"
#include "net/neighbour.h"
#include "net/route.h"
#include "sched/clock.h"
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define SECOND        1000000000ll
#define QUESTIONS     3u           // for a router
#define BETWEEN       (4 * SECOND) // them
#define ROUTE_METRIC  1024u        // of a router's, as Linux has it
#define PREFIX_METRIC 256u
#define PREFIX_BITS   64u
#define TWO_HOURS     7200u

#define ON_LINK    0x80u // flags of a prefix
#define AUTONOMOUS 0x40u

#define ROUTES_MOST 16u // that routers' words brought; of more nothing is heard

// A route that ends by itself.
struct lease {
    struct net_route route;
    int64_t until; // 0: there is none
};
static struct lease leases[ROUTES_MOST]; // [n]

// The question for routers that is underway.
static struct {
    int device; // 0: none is
    unsigned int count;
    int64_t due;
} asking; // [n]

static int64_t end_of(uint32_t lifetime) {
    return lifetime == NET_FOREVER ? KTIME_NEVER : clock_monotonic() + lifetime * SECOND;
}

static uint32_t number32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// ---- addresses

static struct net_address address_in(const struct net_device *d, const uint8_t *prefix) {
    struct net_address a = {.family = AF_INET6};
    memcpy(a.bytes, prefix, PREFIX_BITS / 8);
    memcpy(a.bytes + 8, d->hardware, 3);
    a.bytes[8] ^= 2;
    a.bytes[11] = 0xff;
    a.bytes[12] = 0xfe;
    memcpy(a.bytes + 13, d->hardware + 3, 3);
    return a;
}

static struct net_interface_address address_of(struct net_device *device, const uint8_t *prefix) {
    struct net_interface_address a = {.device = device, .prefix = PREFIX_BITS};
    a.local = a.peer = address_in(device, prefix);
    a.protocol = 0;
    return a;
}

static unsigned int scope_of(const struct net_address *a) {
    if (net_address_is_link_local(a))
        return RT_SCOPE_LINK;
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0xc0 ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE;
}

void autoconf_up_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    static const uint8_t link_local[8] = {0xfe, 0x80};
    struct net_interface_address a = address_of(device, link_local);
    a.flags = IFA_F_PERMANENT;
    a.scope = RT_SCOPE_LINK;
    if (!net_interface_find_locked(device, &a.local) && net_interface_add_locked(&a))
        return; // no memory: IPv6 is not there
    asking.device = device->index;
    asking.count = 0;
    asking.due = clock_monotonic();
    inet_stack_kick(inet_net);
}

// RFC 4862, 5.5.3: nobody shortens a lifetime below two hours at once.
static void renew(struct net_interface_address *a, uint32_t valid, uint32_t preferred) {
    int64_t now = clock_monotonic(),
            left = a->valid_until == KTIME_NEVER ? KTIME_NEVER : a->valid_until - now;
    if (valid > TWO_HOURS || valid * SECOND > left)
        a->valid_until = end_of(valid);
    else if (left > TWO_HOURS * SECOND)
        a->valid_until = end_of(TWO_HOURS);
    a->preferred_until = MIN(end_of(preferred), a->valid_until);
    net_interface_changed_locked(a);
}

static void hear_autonomous(struct net_device *device, const uint8_t *option, uint32_t valid,
                            uint32_t preferred) {
    struct net_interface_address a = address_of(device, option + 16), *there;
    if (preferred > valid || option[2] != PREFIX_BITS)
        return;
    there = net_interface_find_locked(device, &a.local);
    if (there) {
        if (!(there->flags & IFA_F_PERMANENT))
            renew(there, valid, preferred);
        return;
    }
    if (!valid)
        return;
    a.scope = (uint8_t)scope_of(&a.local);
    a.flags = IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE;
    a.valid_until = end_of(valid);
    a.preferred_until = end_of(preferred);
    a.protocol = 2;                      // IFAPROT_KERNEL_RA
    (void)!net_interface_add_locked(&a); // no memory: the next advertisement comes
}

// ---- routes

static struct lease *find_lease(const struct net_route *r) {
    for (unsigned int i = 0; i < ROUTES_MOST; i++)
        if (leases[i].until && leases[i].route.device == r->device && leases[i].route.bits == r->bits &&
            net_address_eq(&leases[i].route.to, &r->to) &&
            net_address_eq(&leases[i].route.gateway, &r->gateway))
            return &leases[i];
    return NULL;
}

static struct lease *free_lease(void) {
    for (unsigned int i = 0; i < ROUTES_MOST; i++)
        if (!leases[i].until)
            return &leases[i];
    return NULL;
}

static void lease_route(const struct net_route *route, uint32_t lifetime) {
    struct lease *l = find_lease(route);
    if (!lifetime) {
        if (l) {
            l->until = 0;
            (void)net_route_remove_locked(route);
        }
        return;
    }
    if (!l && !(l = free_lease()))
        return;
    l->route = *route;
    l->until = end_of(lifetime);
    (void)!net_route_add_locked(route,
                                NLM_F_CREATE | NLM_F_EXCL); // it may be there, and by a program's doing
}

static struct net_route route_of(struct net_device *device, unsigned int metric) {
    return (struct net_route){.to = {.family = AF_INET6},
                              .type = RTN_UNICAST,
                              .scope = RT_SCOPE_UNIVERSE,
                              .table = RT_TABLE_MAIN,
                              .protocol = metric == ROUTE_METRIC ? RTPROT_RA : RTPROT_KERNEL,
                              .metric = metric,
                              .device = device};
}

// ---- what a router says

static void hear_prefix(struct net_device *device, const uint8_t *option) {
    uint32_t valid = number32(option + 4), preferred = number32(option + 8);
    struct net_address prefix = net_address_of(AF_INET6, option + 16);
    if (net_address_is_link_local(&prefix) || net_address_is_multicast(&prefix) || option[2] > 128)
        return;
    if (option[3] & ON_LINK) {
        struct net_route r = route_of(device, PREFIX_METRIC);
        r.to = net_address_prefix(&prefix, option[2]);
        r.bits = option[2];
        lease_route(&r, valid);
    }
    if (option[3] & AUTONOMOUS)
        hear_autonomous(device, option, valid, preferred);
}

void autoconf_hear_locked(struct net_device *device, const struct net_address *router, const uint8_t *message,
                          size_t n) {
    ASSERT_HELD(&inet_mutex);
    enum { OPTIONS = 16 };
    if (n < OPTIONS || !net_address_is_link_local(router))
        return;
    if (asking.device == device->index)
        asking.device = 0;
    const uint8_t *options = message + OPTIONS;
    const uint8_t *hardware = ndisc_option(options, n - OPTIONS, NDISC_SOURCE_HARDWARE, 8);
    struct net_neighbour *who = hardware ? net_neighbour_get_locked(device, router) : NULL;
    if (who) {
        who->flags |= NTF_ROUTER;
        net_neighbour_heard_locked(who, hardware + 2, NEIGHBOUR_ASKS);
    }
    struct net_route r = route_of(device, ROUTE_METRIC);
    r.gateway = *router;
    lease_route(&r, (uint32_t)(message[6] << 8 | message[7]));
    for (size_t left = n - OPTIONS; (options = ndisc_option(options, left, NDISC_PREFIX, 32));) {
        hear_prefix(device, options);
        options += options[1] * 8u;
        left = (size_t)(message + n - options);
    }
    inet_stack_kick(inet_net);
}

// ---- time

static int64_t run_question(int64_t now) {
    struct net_device *d = asking.device ? net_device_find_locked(asking.device) : NULL;
    if (!d || !net_device_is_up(d))
        return KTIME_NEVER;
    if (asking.due <= now) {
        ndisc_ask_routers_locked(d);
        asking.due = now + BETWEEN;
        if (++asking.count >= QUESTIONS)
            asking.device = 0;
    }
    return asking.device ? asking.due : KTIME_NEVER;
}

static int64_t run_leases(int64_t now) {
    int64_t next = KTIME_NEVER;
    for (unsigned int i = 0; i < ROUTES_MOST; i++) {
        struct lease *l = &leases[i];
        if (l->until && l->until <= now) {
            l->until = 0;
            (void)net_route_remove_locked(&l->route);
        }
        if (l->until)
            next = MIN(next, l->until);
    }
    return next;
}

int64_t autoconf_run_locked(void) {
    ASSERT_HELD(&inet_mutex);
    int64_t now = clock_monotonic(), next = run_question(now);
    next = MIN(next, run_leases(now));
    return MIN(next, net_interface_run_locked(now));
}
