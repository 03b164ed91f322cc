// SPDX-License-Identifier: MIT
// /proc/net: devices, addresses, routes and neighbours, in Linux's columns. Each text is made under the stack's lock, of tables that are
// bounded; nothing is copied to a user meanwhile.
#include "lib/format.h"
#include "net/inet_info.h"
#include "net/inet_lock.h"
#include "net/interface.h"
#include "net/neighbour.h"
#include "net/net_ns.h"
#include "net/route.h"
#include "procfs/private.h"
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define ROUTE_WIDTH 127 // of a line of /proc/net/route

// Blanks up to the width, and the line's end.
static void end_line(struct seq_buf *s, size_t start, size_t width) {
    while (!s->failed && s->len - start < width)
        seq_puts(s, " ");
    seq_puts(s, "\n");
}

static int show_devices(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast"
                "|bytes    packets errs drop fifo colls carrier compressed\n");
    inet_lock(s->net);
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index))
        seq_printf(s,
                   "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu %8lu %7lu %4lu %4lu %4lu %5lu %7lu %10lu\n",
                   d->name, READ_ONCE(d->rx_bytes), READ_ONCE(d->rx_packets), 0ul, READ_ONCE(d->rx_dropped),
                   0ul, 0ul, 0ul, 0ul, READ_ONCE(d->tx_bytes), READ_ONCE(d->tx_packets), 0ul,
                   READ_ONCE(d->tx_dropped), 0ul, 0ul, 0ul, 0ul);
    inet_unlock();
    return 0;
}

// ---- routes

#define RTF_UP        0x0001u
#define RTF_GATEWAY   0x0002u
#define RTF_HOST      0x0004u
#define RTF_REJECT    0x0200u
#define RTF_NONEXTHOP 0x00200000u
#define RTF_LOCAL     0x80000000u

static bool leads_nowhere(const struct net_route *r) {
    return r->type == RTN_BLACKHOLE || r->type == RTN_UNREACHABLE || r->type == RTN_PROHIBIT;
}

static void show_route4(struct seq_buf *s, const struct net_route *r) {
    static const struct net_address ones = {.family = AF_INET, .word = {~0u}};
    struct net_address mask = net_address_prefix(&ones, r->bits);
    unsigned int flags = RTF_UP | (r->type == RTN_UNREACHABLE || r->type == RTN_PROHIBIT ? RTF_REJECT : 0) |
                         (r->gateway.family ? RTF_GATEWAY : 0) | (r->bits == 32 ? RTF_HOST : 0);
    size_t start = s->len;
    seq_printf(s, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t%u\t%u", r->device ? r->device->name : "*",
               r->to.word[0], r->gateway.word[0], flags, 0, 0, r->metric, mask.word[0], 0, 0, 0);
    end_line(s, start, ROUTE_WIDTH);
}

static int show_routes4(struct seq_buf *s, void *arg) {
    const struct net_route *r = NULL;
    (void)arg;
    seq_puts(s, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    end_line(s, 0, ROUTE_WIDTH);
    inet_lock(s->net);
    while ((r = net_route_next_locked(r)))
        if (r->to.family == AF_INET && r->table == RT_TABLE_MAIN)
            show_route4(s, r);
    inet_unlock();
    return 0;
}

static void show_bytes(struct seq_buf *s, const struct net_address *a) {
    for (int i = 0; i < 16; i++)
        seq_printf(s, "%02x", a->bytes[i]);
}

static void show_route6(struct seq_buf *s, const struct net_route *r) {
    static const struct net_address any = {.family = AF_INET6};
    bool refused =
        leads_nowhere(r) || (r->type == RTN_UNICAST && r->device && r->device->flags & NET_LOOPBACK);
    unsigned int flags = r->type == RTN_LOCAL ? RTF_LOCAL | RTF_NONEXTHOP | RTF_UP
                         : refused            ? RTF_REJECT | RTF_NONEXTHOP
                                              : RTF_UP | (r->gateway.family ? RTF_GATEWAY : 0);
    show_bytes(s, &r->to);
    seq_printf(s, " %02x ", r->bits);
    show_bytes(s, &any);
    seq_puts(s, " 00 ");
    show_bytes(s, r->gateway.family ? &r->gateway : &any);
    seq_printf(s, " %08x %08x %08x %08x %8s\n", r->metric, 1, 0, flags, r->device ? r->device->name : "lo");
}

// Behind the routes of each table stands Linux's own that leads nowhere.
static void show_null_route6(struct seq_buf *s) {
    struct net_route r = {
        .to = {.family = AF_INET6}, .metric = ~0u, .type = RTN_UNREACHABLE, .device = &loopback_device};
    show_route6(s, &r);
}

static int show_routes6(struct seq_buf *s, void *arg) {
    static const uint32_t tables[] = {RT_TABLE_MAIN, RT_TABLE_LOCAL};
    (void)arg;
    inet_lock(s->net);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        const struct net_route *r = NULL;
        while ((r = net_route_next_locked(r)))
            if (r->to.family == AF_INET6 && r->table == tables[i])
                show_route6(s, r);
        show_null_route6(s);
    }
    inet_unlock();
    return 0;
}

// ---- addresses and neighbours

#define SCOPE6_LOOPBACK 0x10u
#define SCOPE6_LINK     0x20u

static int show_addresses6(struct seq_buf *s, void *arg) {
    (void)arg;
    inet_lock(s->net);
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index)) {
        const struct net_interface_address *a;
        list_for_each_entry (a, &d->addresses, link) {
            if (a->local.family != AF_INET6)
                continue;
            show_bytes(s, &a->local);
            seq_printf(s, " %02x %02x %02x %02x %8s\n", d->index, a->prefix,
                       a->scope == RT_SCOPE_HOST   ? SCOPE6_LOOPBACK
                       : a->scope == RT_SCOPE_LINK ? SCOPE6_LINK
                                                   : 0,
                       a->flags & 0xff, d->name);
        }
    }
    inet_unlock();
    return 0;
}

#define ATF_COM  0x2
#define ATF_PERM 0x4

static void show_neighbour(struct seq_buf *s, const struct net_neighbour *n) {
    const uint8_t *a = n->address.bytes;
    char ip[16], hardware[3 * NET_HARDWARE_MAX] = "";
    size_t len = 0;
    lib_snprintf(ip, sizeof(ip), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    for (unsigned int i = 0; i < n->device->hardware_len; i++)
        len += lib_snprintf(hardware + len, sizeof(hardware) - len, i ? ":%02x" : "%02x", n->hardware[i]);
    seq_printf(s, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", ip, n->device->type,
               n->state & NUD_PERMANENT ? ATF_PERM | ATF_COM
               : n->state               ? ATF_COM
                                        : 0,
               hardware, n->device->name);
}

static int show_arp(struct seq_buf *s, void *arg) {
    const struct net_neighbour *n = NULL;
    (void)arg;
    seq_puts(s, "IP address       HW type     Flags       HW address            Mask     Device\n");
    inet_lock(s->net);
    while ((n = net_neighbour_next_locked(n ? n->serial : 0)))
        if (n->address.family == AF_INET && n->state != NUD_NOARP)
            show_neighbour(s, n);
    inet_unlock();
    return 0;
}

static int show_text(struct seq_buf *s, void *arg) {
    seq_puts(s, arg);
    return 0;
}

// ---- groups: those that sockets are members of, and those that every device with addresses is in

struct group_view {
    struct seq_buf *s; // NULL: they are only counted
    int family, device, count;
    const char *name;
};

static void show_group(const struct inet_group *g, void *arg) {
    struct group_view *l = arg;
    if (g->device != l->device || g->address.family != l->family)
        return;
    l->count++;
    if (l->s && l->family == AF_INET)
        seq_printf(l->s, "\t\t\t\t%08X %5u 0:00000000\t\t0\n", g->address.word[0], g->users);
    if (!l->s || l->family == AF_INET)
        return;
    seq_printf(l->s, "%-4d %-15s ", l->device, l->name);
    show_bytes(l->s, &g->address);
    seq_printf(l->s, " %5u 00000004 0\n", g->users);
}

static int show_groups4(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
    inet_lock(s->net);
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index)) {
        struct group_view l = {NULL, AF_INET, d->index, 0, d->name};
        if (!net_device_is_up(d))
            continue;
        inet_for_each_group(show_group, &l);
        seq_printf(s, "%d\t%-10s: %5d %7s\n", d->index, d->name, l.count + 1, "V3");
        l.s = s;
        inet_for_each_group(show_group, &l);
        seq_puts(s, "\t\t\t\t010000E0     1 0:00000000\t\t0\n");
    }
    inet_unlock();
    return 0;
}

static int show_groups6(struct seq_buf *s, void *arg) {
    (void)arg;
    inet_lock(s->net);
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index)) {
        struct group_view l = {s, AF_INET6, d->index, 0, d->name};
        if (!net_device_is_up(d))
            continue;
        inet_for_each_group(show_group, &l);
        seq_printf(s, "%-4d %-15s ff020000000000000000000000000001     1 0000000C 0\n", d->index, d->name);
        seq_printf(s, "%-4d %-15s ff010000000000000000000000000001     1 00000008 0\n", d->index, d->name);
    }
    inet_unlock();
    return 0;
}

static const struct proc_entry entries[] = {
    {.path = "arp", .show = show_arp},
    {.path = "dev", .show = show_devices},
    {.path = "dev_mcast", .show = show_text, .arg = ""},
    {.path = "if_inet6", .show = show_addresses6},
    {.path = "igmp", .show = show_groups4},
    {.path = "igmp6", .show = show_groups6},
    {.path = "ipv6_route", .show = show_routes6},
    {.path = "packet",
     .show = show_text,
     .arg = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"},
    {.path = "psched", .show = show_text, .arg = "000003e8 00000040 000f4240 3b9aca00\n"},
    {.path = "ptype",
     .show = show_text,
     .arg = "Type Device      Function\n0800          ip_rcv\n86dd          ipv6_rcv\n"},
    {.path = "route", .show = show_routes4},
};

void proc_net_devices_init(void) {
    proc_net_add(entries, ARRAY_SIZE(entries));
}
