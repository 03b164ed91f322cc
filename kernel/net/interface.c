// SPDX-License-Identifier: MIT
// Addresses of interfaces, and the routes that come and go with them (ip-address(8)).
//
// An address of IPv4 brings a route to itself, one to its prefix and one to the prefix's last address, which is for broadcasts; one of
// IPv6 the first two. On loopback all of an IPv4 prefix is this machine. An address whose prefix another one of the device has is
// *secondary* to that, and goes with it.
//
// Where many go or come, whoever changes things for a program lets go of the lock between two of them (net_change_pause()). IPv4's addresses
// are changed for programs alone, so they are as they were then; of IPv6's the walk begins again.
#include "net/interface.h"
#include "core/printk.h"
#include "lib/format.h"
#include "net/inet_memory.h"
#include "net/autoconf.h"
#include "net/inet_lock.h"
#include "net/neighbour.h"
#include "net/net_ns.h"
#include "net/route.h"
#include "net/rtnetlink.h"
#include "sched/clock.h"
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define ADDRESSES_MAX 1024u
#define METRIC6       256u // of a prefix
#define PROTOCOL_LO   1u   // IFAPROT_KERNEL_LO: of ::1, which is there because loopback is
#define HUNDREDTH     10000000

static unsigned int count __net_state;
static uint64_t last_pass __net_state; // of net_interface_up_locked()

// ---- finding

struct net_interface_address *net_interface_find_locked(struct net_device *device,
                                                        const struct net_address *local) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address *a;
    list_for_each_entry (a, &device->addresses, link)
        if (net_address_eq(&a->local, local))
            return a;
    return NULL;
}

static bool has_prefix(const struct net_interface_address *a, const struct net_address *of,
                       unsigned int bits) {
    return a->prefix == bits && net_address_matches(&a->peer, of, bits);
}

static struct net_interface_address *best_of(struct net_device *device, const struct net_address *to,
                                             uint8_t scope) {
    struct net_interface_address *a, *best = NULL;
    list_for_each_entry (a, &device->addresses, link) {
        if (a->local.family != to->family || a->flags & IFA_F_SECONDARY || a->scope > scope)
            continue;
        if (net_address_matches(&a->peer, to, a->prefix))
            return a;
        best = best ? best : a;
    }
    return best;
}

struct net_interface_address *net_interface_source_locked(struct net_device *device,
                                                          const struct net_address *to, uint8_t scope) {
    ASSERT_HELD(&inet_mutex);
    if (to->family == AF_INET6)
        scope = RT_SCOPE_HOST;
    struct net_interface_address *a = device ? best_of(device, to, scope) : NULL;
    for (struct net_device *d = net_device_next_locked(0); d && !a; d = net_device_next_locked(d->index))
        a = best_of(d, to, MIN(scope, (uint8_t)(RT_SCOPE_LINK - 1)));
    return a;
}

// ---- their routes

#define ROUTES_OF_ONE 4

static struct net_route route_of(const struct net_interface_address *a, const struct net_address *source,
                                 struct net_address to, unsigned int bits, unsigned int type) {
    bool main = type == RTN_UNICAST, v4 = to.family == AF_INET;
    struct net_route r = {
        .to = to, .bits = bits, .type = type, .device = a->device, .protocol = RTPROT_KERNEL};
    r.table = main ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
    r.scope = !v4 ? RT_SCOPE_UNIVERSE : type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK;
    r.metric = bits == net_address_bits(to.family) && type != RTN_UNICAST ? 0
               : a->metric                                                ? a->metric
               : v4                                                       ? 0
                                                                          : METRIC6;
    if (source)
        r.source = *source;
    return r;
}

static unsigned int routes_of6(const struct net_interface_address *a, struct net_route *out) {
    unsigned int n = 0;
    if (!net_device_is_up(a->device))
        return 0;
    out[n++] = route_of(a, NULL, a->local, 128, RTN_LOCAL);
    if (!(a->flags & IFA_F_NOPREFIXROUTE) && a->protocol != PROTOCOL_LO)
        out[n++] = route_of(a, NULL, net_address_prefix(&a->peer, a->prefix), a->prefix, RTN_UNICAST);
    return n;
}

// The address that what goes by a's routes is from.
static const struct net_address *source_of(const struct net_interface_address *a) {
    const struct net_interface_address *primary;
    if (a->local.family == AF_INET && a->flags & IFA_F_SECONDARY)
        list_for_each_entry (primary, &a->device->addresses, link)
            if (!(primary->flags & IFA_F_SECONDARY) && has_prefix(primary, &a->peer, a->prefix))
                return &primary->local;
    return &a->local;
}

// The routes that an address brings.
static unsigned int routes_of(const struct net_interface_address *a, const struct net_address *source,
                              struct net_route out[ROUTES_OF_ONE]) {
    unsigned int n = 0;
    if (a->local.family == AF_INET6)
        return routes_of6(a, out);
    out[n++] = route_of(a, source, a->local, 32, RTN_LOCAL);
    if (!net_device_is_up(a->device))
        return n;
    struct net_address prefix = net_address_prefix(&a->peer, a->prefix);
    if (a->broadcast.family && a->broadcast.word[0] != ~0u)
        out[n++] = route_of(a, source, a->broadcast, 32, RTN_BROADCAST);
    if (!prefix.bytes[0] || a->flags & IFA_F_SECONDARY ||
        (a->prefix == 32 && net_address_eq(&prefix, &a->local)))
        return n;
    if (!(a->flags & IFA_F_NOPREFIXROUTE))
        out[n++] =
            route_of(a, source, prefix, a->prefix, a->device->flags & NET_LOOPBACK ? RTN_LOCAL : RTN_UNICAST);
    if (a->prefix < 31)
        out[n++] = route_of(a, source, net_address_last(&prefix, a->prefix), 32, RTN_BROADCAST);
    return n;
}

static int add_routes(const struct net_interface_address *a) {
    struct net_route r[ROUTES_OF_ONE];
    unsigned int n = routes_of(a, source_of(a), r);
    for (unsigned int i = 0; i < n; i++) {
        int err = net_route_add_locked(&r[i], NLM_F_CREATE | NLM_F_EXCL);
        if (err && err != -EEXIST)
            return err;
    }
    return 0;
}

// Which of n routes of one family other addresses of the device bring, too: a bit for each.
static unsigned int find_wanted(const struct net_device *device, const struct net_route *routes,
                                unsigned int n) {
    struct net_route r[ROUTES_OF_ONE];
    const struct net_interface_address *a;
    unsigned int wanted = 0, whole = (1u << n) - 1;
    list_for_each_entry (a, &device->addresses, link) {
        unsigned int all = n && a->local.family == routes->to.family ? routes_of(a, &a->local, r) : 0;
        for (unsigned int i = 0; i < all; i++)
            for (unsigned int k = 0; k < n; k++)
                if (r[i].bits == routes[k].bits && r[i].type == routes[k].type &&
                    net_address_eq(&r[i].to, &routes[k].to))
                    wanted |= 1u << k;
        if (wanted == whole)
            break;
    }
    return wanted;
}

static bool is_still_ours(const struct net_address *local) {
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index))
        if (net_interface_find_locked(d, local))
            return true;
    return false;
}

// a has left its device's list.
static void remove_routes(const struct net_interface_address *a) {
    struct net_route r[ROUTES_OF_ONE];
    unsigned int n = routes_of(a, source_of(a), r), wanted = find_wanted(a->device, r, n);
    for (unsigned int i = 0; i < n; i++)
        if (!(wanted >> i & 1))
            (void)net_route_remove_locked(&r[i]); // somebody may have done so before
    if (!is_still_ours(&a->local))
        net_route_drop_source_locked(&a->local);
}

// ---- changing

// IPv4: behind the last primary whose scope is as narrow; a secondary last.
static struct list_head *place4(const struct net_interface_address *a) {
    struct list_head *after = &a->device->addresses;
    struct net_interface_address *other;
    list_for_each_entry (other, &a->device->addresses, link)
        if (other->local.family == AF_INET &&
            (a->flags & IFA_F_SECONDARY || (!(other->flags & IFA_F_SECONDARY) && a->scope <= other->scope)))
            after = &other->link;
    return after;
}

// IPv6, behind IPv4's: the widest scope first.
static struct list_head *place6(const struct net_interface_address *a) {
    struct list_head *after = &a->device->addresses;
    struct net_interface_address *other;
    list_for_each_entry (other, &a->device->addresses, link)
        if (other->local.family == AF_INET || other->scope < a->scope)
            after = &other->link;
    return after;
}

static void put(struct net_interface_address *a) {
    list_add(&a->link, a->local.family == AF_INET ? place4(a) : place6(a));
    count++;
}

// 0, with IFA_F_SECONDARY if it is.
static int check(struct net_interface_address *a) {
    const struct net_interface_address *other;
    if (a->local.family == AF_INET && a->device->mtu < NET_MTU4_MIN)
        return -ENOBUFS;
    list_for_each_entry (other, &a->device->addresses, link) {
        if (other->local.family != a->local.family)
            continue;
        if (a->local.family == AF_INET6) {
            if (net_address_eq(&other->local, &a->local))
                return -EEXIST;
        } else if (has_prefix(other, &a->peer, a->prefix)) {
            if (net_address_eq(&other->local, &a->local))
                return -EEXIST;
            if (other->scope != a->scope)
                return -EINVAL;
            a->flags |= IFA_F_SECONDARY;
        }
    }
    return 0;
}

int net_interface_add_locked(const struct net_interface_address *address) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address *a = count < ADDRESSES_MAX ? inet_malloc(sizeof(*a)) : NULL;
    if (!a)
        return -ENOBUFS;
    *a = *address;
    int err = check(a);
    if (err) {
        inet_free(a);
        return err;
    }
    a->created = a->changed = (uint32_t)(clock_monotonic() / HUNDREDTH);
    if (a->flags & IFA_F_PERMANENT)
        a->valid_until = a->preferred_until = KTIME_NEVER;
    put(a);
    rtnetlink_tell_address(a, RTM_NEWADDR);
    err = add_routes(a);
    if (err)
        net_interface_remove_locked(a);
    return err;
}

static void remove_one(struct net_interface_address *a) {
    list_del(&a->link);
    count--;
    remove_routes(a);
    rtnetlink_tell_address(a, RTM_DELADDR);
    inet_free(a);
}

static struct net_interface_address *find_secondary(const struct net_interface_address *primary) {
    struct net_interface_address *a;
    list_for_each_entry (a, &primary->device->addresses, link)
        if (a->local.family == AF_INET && a->flags & IFA_F_SECONDARY &&
            has_prefix(a, &primary->peer, primary->prefix))
            return a;
    return NULL;
}

void net_interface_remove_locked(struct net_interface_address *address) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address *a;
    bool primary = !(address->flags & IFA_F_SECONDARY) && address->local.family == AF_INET;
    while (primary && (a = find_secondary(address))) {
        remove_one(a);
        net_change_pause();
    }
    remove_one(address);
}

// ---- ends

void net_interface_changed_locked(struct net_interface_address *a) {
    ASSERT_HELD(&inet_mutex);
    a->changed = (uint32_t)(clock_monotonic() / HUNDREDTH);
    a->flags &= ~IFA_F_DEPRECATED;
    rtnetlink_tell_address(a, RTM_NEWADDR);
}

static void run_one(struct net_interface_address *a, int64_t now, int64_t *next) {
    if (a->valid_until <= now) {
        net_interface_remove_locked(a);
        return;
    }
    if (a->preferred_until > now) {
        *next = MIN(*next, a->preferred_until);
    } else if (!(a->flags & IFA_F_DEPRECATED)) {
        a->flags |= IFA_F_DEPRECATED;
        rtnetlink_tell_address(a, RTM_NEWADDR);
    }
    *next = MIN(*next, a->valid_until);
}

int64_t net_interface_run_locked(int64_t now) {
    ASSERT_HELD(&inet_mutex);
    int64_t next = KTIME_NEVER;
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index)) {
        struct net_interface_address *a, *after;
        list_for_each_entry_safe (a, after, &d->addresses, link)
            if (!(a->flags & IFA_F_PERMANENT) && a->local.family == AF_INET6)
                run_one(a, now, &next);
    }
    return next;
}

// ---- the device's ups and downs

static void add_loopback6(struct net_device *device) {
    struct net_interface_address a = {
        .device = device, .prefix = 128, .scope = RT_SCOPE_HOST, .flags = IFA_F_PERMANENT};
    a.local = a.peer = (struct net_address){.family = AF_INET6, .bytes = {[15] = 1}};
    a.protocol = PROTOCOL_LO;
    if (!net_interface_find_locked(device, &a.local) && net_interface_add_locked(&a))
        pr_warn("%s: no memory for ::1\n", device->name);
}

static struct net_interface_address *find_of(struct net_device *device, unsigned int family) {
    struct net_interface_address *a;
    list_for_each_entry (a, &device->addresses, link)
        if (a->local.family == family)
            return a;
    return NULL;
}

static void add_loopback4(struct net_device *device) {
    struct net_interface_address a = {
        .device = device, .prefix = 8, .scope = RT_SCOPE_HOST, .flags = IFA_F_PERMANENT};
    a.local = a.peer = net_address_ip4(0x0100007f); // 127.0.0.1
    memcpy(a.label, device->name, sizeof(a.label));
    if (net_interface_add_locked(&a))
        pr_warn("%s: no memory for 127.0.0.1\n", device->name);
}

static struct net_interface_address *find_not_in(struct net_device *device, uint64_t pass) {
    struct net_interface_address *a;
    list_for_each_entry (a, &device->addresses, link)
        if (a->pass < pass)
            return a;
    return NULL;
}

void net_interface_up_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address *a;
    uint64_t pass = ++last_pass;
    if (device->flags & NET_LOOPBACK && device->mtu >= NET_MTU4_MIN && !find_of(device, AF_INET))
        add_loopback4(device);
    while ((a = find_not_in(device, pass))) {
        a->pass = pass;
        if (add_routes(a))
            pr_warn("%s: no memory for routes\n", device->name);
        net_change_pause();
    }
    if (device->flags & NET_LOOPBACK && device->mtu >= 1280)
        add_loopback6(device);
    else if (device->type == NET_TYPE_ETHERNET && device->mtu >= 1280)
        autoconf_up_locked(device);
}

void net_interface_drop_locked(struct net_device *device, unsigned int family) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address *a;
    // Not those that come while others have the lock: so never more than there can be.
    for (unsigned int n = 0; n < ADDRESSES_MAX && (a = find_of(device, family)); n++) {
        remove_one(a);
        net_change_pause();
    }
    net_route_drop_device_locked(device, family, true);
}

void net_interface_down_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    net_interface_drop_locked(device, AF_INET6);
    net_route_drop_device_locked(device, AF_INET, false);
    net_neighbour_drop_device_locked(device);
}

void net_interface_renamed_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address *a;
    unsigned int n = 0;
    list_for_each_entry (a, &device->addresses, link) {
        char number[NET_NAME_SIZE] = "";
        if (a->local.family != AF_INET)
            continue;
        const char *colon = strchr(a->label, ':');
        if (n++ && colon)
            memcpy(number, colon, strlen(colon) + 1);
        else if (n > 1)
            lib_snprintf(number, sizeof(number), ":%u", n);
        size_t room = sizeof(a->label) - strlen(number);
        lib_snprintf(a->label, room, "%s", device->name);
        memcpy(a->label + strlen(a->label), number, strlen(number) + 1);
        rtnetlink_tell_address(a, RTM_NEWADDR);
        net_change_pause();
    }
}
