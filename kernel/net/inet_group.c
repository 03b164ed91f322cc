// SPDX-License-Identifier: MIT
// Groups (multicast): who is a member of which, and whose packets are heard (ip(7), ipv6(7)).
//
// A membership is the socket's. What comes in for a group that nobody is a member of is nobody's (inet_group_is_known). A socket that
// is no member itself hears groups all the same unless it has switched off IP_MULTICAST_ALL; one that is hears the sources
// it has chosen, or all but those it has blocked. On loopback groups of IPv6 cannot be reached, as on Linux: their memberships are kept.
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "net/device.h"
#include "net/inet_datagram.h"
#include "net/inet_info.h"

#define MEMBERSHIPS_MOST 20 // of a socket: Linux's net.ipv4.igmp_max_memberships
#define SOURCES_MOST     10 // of one: igmp_max_msf

struct group;

struct membership {
    struct list_head link; // in its socket's
    struct group *of;
    ip_addr_t group;
    int device;         // index
    bool chosen;        // `source` are the only ones that are heard; else those that are not
    unsigned int count; // of them
    uint32_t source[SOURCES_MOST];
};

struct group {
    struct list_head link; // in `groups`
    ip_addr_t address;
    int device;
    unsigned int users; // memberships
    uint64_t serial;    // the later it was made, the higher
};

static struct list_head groups __net_state =
    LIST_HEAD_INIT(groups); // that somebody is a member of, the newest first
static uint64_t last_serial __net_state;

// ---- questions

// `device` 0: on any.
static struct membership *find(const struct inet_socket *i, const ip_addr_t *group, int device) {
    struct membership *m;
    list_for_each_entry (m, &i->groups, link)
        if (ip_addr_eq(&m->group, group) && (!device || m->device == device))
            return m;
    return NULL;
}

static int find_source(const struct membership *m, uint32_t source) {
    for (unsigned int n = 0; n < m->count; n++)
        if (m->source[n] == source)
            return (int)n;
    return -1;
}

bool inet_hears_group(const struct inet_socket *i, const ip_addr_t *group, const ip_addr_t *from) {
    const struct net_device *d = ip_current_input_netif()->state;
    const struct membership *m = find(i, group, d->index);
    if (!m)
        return inet_switch_is_on(i, IP_IS_V4(group) ? IN_MULTICAST_ALL : IN_MULTICAST_ALL6);
    return !IP_IS_V4(from) || m->chosen == (find_source(m, ip4_addr_get_u32(ip_2_ip4(from))) >= 0);
}

static struct group *find_group(const ip_addr_t *address, int device) {
    struct group *g;
    list_for_each_entry (g, &groups, link)
        if (g->device == device && ip_addr_eq(&g->address, address))
            return g;
    return NULL;
}

bool inet_group_is_known(const ip4_addr_t *group, int device) {
    ip_addr_t wanted;
    ASSERT_HELD(&inet_mutex);
    if (group->addr == PP_HTONL(0xe0000001)) // all of this machine are in it
        return true;
    ip_addr_copy_from_ip4(wanted, *group);
    return find_group(&wanted, device);
}

static bool is_of(const struct group *g, int device, unsigned int family) {
    return g->device == device && IP_IS_V4(&g->address) == (family == AF_INET);
}

unsigned int inet_group_count_locked(int device, unsigned int family) {
    ASSERT_HELD(&inet_mutex);
    const struct group *g;
    unsigned int n = 0;
    list_for_each_entry (g, &groups, link)
        n += is_of(g, device, family);
    return n;
}

unsigned int inet_groups_locked(int device, unsigned int family, uint64_t *before, struct inet_group *out,
                                unsigned int most) {
    ASSERT_HELD(&inet_mutex);
    const struct group *g;
    unsigned int n = 0;
    list_for_each_entry (g, &groups, link) {
        const ip_addr_t *a = &g->address;
        if (g->serial >= *before || !is_of(g, device, family))
            continue;
        if (n == most)
            break;
        out[n++] = (struct inet_group){IP_IS_V4(a) ? net_address_ip4(ip4_addr_get_u32(ip_2_ip4(a)))
                                                   : net_address_of(AF_INET6, ip_2_ip6(a)->addr),
                                       g->users};
        *before = g->serial;
    }
    return n;
}

// ---- joining and leaving

static struct group *enter(const ip_addr_t *address, int device) {
    struct group *g = find_group(address, device);
    if (!g && (g = inet_calloc(1, sizeof(*g)))) {
        g->address = *address;
        g->device = device;
        g->serial = ++last_serial;
        list_add(&g->link, &groups);
    }
    if (g)
        g->users++;
    return g;
}

static void quit(struct group *g) {
    if (!--g->users) {
        list_del(&g->link);
        inet_free(g);
    }
}

static int join(struct inet_socket *i, const ip_addr_t *group, int device, struct membership **out) {
    unsigned int n = 0;
    struct membership *m;
    ASSERT_HELD(&inet_mutex);
    list_for_each_entry (m, &i->groups, link)
        n++;
    if (n >= MEMBERSHIPS_MOST || !(m = inet_malloc(sizeof(*m))))
        return -ENOBUFS;
    *m = (struct membership){.group = *group, .device = device, .of = enter(group, device)};
    if (!m->of) {
        inet_free(m);
        return -ENOBUFS;
    }
    list_add_tail(&m->link, &i->groups);
    *out = m;
    return 0;
}

static void leave(struct membership *m) {
    list_del(&m->link);
    quit(m->of);
    inet_free(m);
}

void inet_leave_groups(struct inet_socket *i) {
    ASSERT_HELD(&inet_mutex);
    while (!list_empty(&i->groups))
        leave(list_first_entry(&i->groups, struct membership, link));
}

static int change_locked(struct inet_socket *i, const ip_addr_t *group, int device, bool on) {
    ASSERT_HELD(&inet_mutex);
    struct membership *m = find(i, group, device);
    if (on)
        return m ? -EADDRINUSE : join(i, group, device, &m);
    if (!m)
        return -EADDRNOTAVAIL;
    leave(m);
    return 0;
}

static int change(struct inet_socket *i, const ip_addr_t *group, int device, bool on) {
    inet_lock(i->s.net);
    int err = change_locked(i, group, device, on);
    inet_unlock();
    return err;
}

// The device's index: by that, by an address that it has, or where a route to the group leads. -ENODEV.
static int find_device(struct net_ns *net, int index, uint32_t address, const ip_addr_t *group) {
    ip_addr_t ip;
    memset(&ip, 0, sizeof(ip));
    if (index)
        return inet_has_device(net, index) ? index : -ENODEV;
    ip_addr_set_ip4_u32_val(ip, address);
    if (address && !inet_is_own(net, &ip))
        return -ENODEV;
    inet_lock(net);
    const struct netif *netif = inet_find_netif(group, &ip, 0);
    const struct net_device *d = netif ? netif->state : NULL;
    int found = d ? d->index : -ENODEV;
    inet_unlock();
    return found;
}

static int change4(struct inet_socket *i, bool on, const void __user *value, int len) {
    struct ip_mreqn m = {0};
    ip_addr_t group;
    if (len < (int)sizeof(struct ip_mreq))
        return -EINVAL;
    int err = copy_from_user(&m, value, MIN((size_t)len, sizeof(m)));
    if (err)
        return err;
    memset(&group, 0, sizeof(group));
    ip_addr_set_ip4_u32_val(group, m.imr_multiaddr.s_addr);
    if (!ip_addr_ismulticast(&group))
        return on ? -EINVAL : -EADDRNOTAVAIL;
    int device = on || m.imr_ifindex || m.imr_address.s_addr
                     ? find_device(i->s.net, m.imr_ifindex, m.imr_address.s_addr, &group)
                     : 0;
    return device < 0 ? device : change(i, &group, device, on);
}

static int change6(struct inet_socket *i, bool on, const void __user *value, int len) {
    struct ipv6_mreq m;
    ip_addr_t group;
    if (len < (int)sizeof(m))
        return -EINVAL;
    int err = copy_from_user(&m, value, sizeof(m));
    if (err)
        return err;
    const uint32_t *w = m.ipv6mr_multiaddr.s6_addr32;
    IP_ADDR6(&group, w[0], w[1], w[2], w[3]);
    if (!ip_addr_ismulticast(&group))
        return -EINVAL;
    int device = m.ipv6mr_ifindex || on ? find_device(i->s.net, m.ipv6mr_ifindex, 0, &group) : 0;
    return device < 0 ? device : change(i, &group, device, on);
}

// ---- sources

static int add_source(struct membership *m, uint32_t source) {
    if (find_source(m, source) >= 0)
        return -EADDRNOTAVAIL;
    if (m->count >= SOURCES_MOST)
        return -ENOBUFS;
    m->source[m->count++] = source;
    return 0;
}

static int remove_source(struct membership *m, uint32_t source) {
    int n = find_source(m, source);
    if (n < 0)
        return -EADDRNOTAVAIL;
    m->source[n] = m->source[--m->count];
    return 0;
}

// Among the chosen ones: the first makes the membership, the last one's leaving ends it.
static int choose_locked(struct inet_socket *i, const ip_addr_t *group, int device, uint32_t source,
                         bool on) {
    ASSERT_HELD(&inet_mutex);
    struct membership *m = find(i, group, device);
    if (m && !m->chosen)
        return -EINVAL;
    if (!on) {
        int err = m ? remove_source(m, source) : -EINVAL;
        if (!err && !m->count)
            leave(m);
        return err;
    }
    int err = m ? 0 : join(i, group, device, &m);
    if (err)
        return err;
    m->chosen = true;
    return add_source(m, source);
}

static int block_locked(struct inet_socket *i, const ip_addr_t *group, int device, uint32_t source, bool on) {
    ASSERT_HELD(&inet_mutex);
    struct membership *m = find(i, group, device);
    if (!m || m->chosen)
        return -EINVAL;
    return on ? add_source(m, source) : remove_source(m, source);
}

static int change_source(struct inet_socket *i, int option, const void __user *value, int len) {
    struct ip_mreq_source m;
    ip_addr_t group;
    if (len != (int)sizeof(m))
        return -EINVAL;
    int err = copy_from_user(&m, value, sizeof(m));
    if (err)
        return err;
    memset(&group, 0, sizeof(group));
    ip_addr_set_ip4_u32_val(group, m.imr_multiaddr);
    if (!ip_addr_ismulticast(&group))
        return -EINVAL;
    int device = find_device(i->s.net, 0, m.imr_interface, &group);
    if (device < 0)
        return device;
    bool on = option == IP_ADD_SOURCE_MEMBERSHIP || option == IP_BLOCK_SOURCE;
    bool block = option == IP_BLOCK_SOURCE || option == IP_UNBLOCK_SOURCE;
    inet_lock(i->s.net);
    err = (block ? block_locked : choose_locked)(i, &group, device, m.imr_sourceaddr, on);
    inet_unlock();
    return err;
}

// ---- options

// IP_MULTICAST_IF: by address, or by number.
static int set_interface(struct inet_socket *i, const void __user *value, int len) {
    struct ip_mreqn m = {0};
    static const ip_addr_t any_group = IPADDR4_INIT_BYTES(224, 0, 0, 1);
    int err;
    if (len >= (int)sizeof(struct ip_mreq))
        err = copy_from_user(&m, value, MIN((size_t)len, sizeof(m)));
    else if (len >= (int)sizeof(m.imr_address))
        err = copy_from_user(&m.imr_address, value, sizeof(m.imr_address));
    else
        return -EINVAL;
    if (err)
        return err;
    int device = m.imr_ifindex || m.imr_address.s_addr
                     ? find_device(i->s.net, m.imr_ifindex, m.imr_address.s_addr, &any_group)
                     : 0;
    if (device < 0)
        return -EADDRNOTAVAIL;
    inet_lock(i->s.net);
    i->group_address = m.imr_address.s_addr;
    i->group_device = device;
    inet_unlock();
    return 0;
}

int inet_group_set_option(struct inet_socket *i, int level, int option, const void __user *value, int len) {
    if (level == SOL_IPV6) {
        if (option != IPV6_ADD_MEMBERSHIP && option != IPV6_DROP_MEMBERSHIP)
            return -ENOPROTOOPT;
        return i->s.type == SOCK_STREAM ? -ENOPROTOOPT
                                        : change6(i, option == IPV6_ADD_MEMBERSHIP, value, len);
    }
    switch (option) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
        return i->s.type == SOCK_STREAM ? -EPROTO : change4(i, option == IP_ADD_MEMBERSHIP, value, len);
    case IP_ADD_SOURCE_MEMBERSHIP:
    case IP_DROP_SOURCE_MEMBERSHIP:
    case IP_BLOCK_SOURCE:
    case IP_UNBLOCK_SOURCE:
        return i->s.type == SOCK_STREAM ? -EPROTO : change_source(i, option, value, len);
    case IP_MULTICAST_IF:
        return i->s.type == SOCK_STREAM ? -EINVAL : set_interface(i, value, len);
    default:
        return -ENOPROTOOPT;
    }
}
