// SPDX-License-Identifier: MIT
// /proc/net: devices, addresses, routes and neighbours, in Linux's columns. Each text is made under the stack's lock, which is let go of
// every so many lines: of the next one its place is known, or its number. Nothing is copied to a user meanwhile.
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

#define AT_ONCE 32u // lines, before others get the lock

// After another one of `n` lines. Not 0: the reader has been killed. The lock has been let go of if *n is 0.
static int let_others(struct seq_buf *s, unsigned int *n) {
    if (++*n < AT_ONCE)
        return 0;
    *n = 0;
    inet_unlock();
    int err = cond_resched_killable();
    inet_lock(s->net);
    return err;
}

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

// Those of one family and table.
static int show_table(struct seq_buf *s, unsigned int family, uint32_t table,
                      void (*show)(struct seq_buf *s, const struct net_route *r)) {
    const struct net_route *r;
    struct net_route place;
    unsigned int n = 0;
    int err = 0;
    inet_lock(s->net);
    for (r = net_route_next_locked(NULL); r && !err;) {
        bool is_shown = r->to.family == family && r->table == table;
        if (is_shown) {
            place = *r;
            show(s, r);
            err = let_others(s, &n);
        }
        r = is_shown && !n ? net_route_next_locked(&place) : net_route_behind_locked(r);
    }
    inet_unlock();
    return err;
}

static int show_routes4(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    end_line(s, 0, ROUTE_WIDTH);
    return show_table(s, AF_INET, RT_TABLE_MAIN, show_route4);
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
    int err = 0;
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(tables) && !err; i++) {
        err = show_table(s, AF_INET6, tables[i], show_route6);
        show_null_route6(s);
    }
    return err;
}

// ---- addresses and neighbours

#define SCOPE6_LOOPBACK 0x10u
#define SCOPE6_LINK     0x20u

static void show_address6(struct seq_buf *s, const struct net_interface_address *a) {
    show_bytes(s, &a->local);
    seq_printf(s, " %02x %02x %02x %02x %8s\n", a->device->index, a->prefix,
               a->scope == RT_SCOPE_HOST   ? SCOPE6_LOOPBACK
               : a->scope == RT_SCOPE_LINK ? SCOPE6_LINK
                                           : 0,
               a->flags & 0xff, a->device->name);
}

// The first of the device's that none before `skip` is; NULL: there are no more.
static const struct net_interface_address *find_address6(const struct net_device *d, unsigned int skip) {
    const struct net_interface_address *a;
    list_for_each_entry (a, &d->addresses, link)
        if (a->local.family == AF_INET6 && !skip--)
            return a;
    return NULL;
}

static int show_addresses6(struct seq_buf *s, void *arg) {
    unsigned int n = 0;
    int err = 0;
    (void)arg;
    inet_lock(s->net);
    for (const struct net_device *d = net_device_next_locked(0); d && !err;
         d = net_device_next_locked(d->index)) {
        const struct net_interface_address *a;
        for (unsigned int k = 0; !err && (a = find_address6(d, k)); k++) {
            show_address6(s, a);
            err = let_others(s, &n);
        }
    }
    inet_unlock();
    return err;
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
    const struct net_neighbour *n;
    unsigned int lines = 0;
    int err = 0;
    (void)arg;
    seq_puts(s, "IP address       HW type     Flags       HW address            Mask     Device\n");
    inet_lock(s->net);
    for (uint64_t at = 0; !err && (n = net_neighbour_next_locked(at));) {
        at = n->serial;
        if (n->address.family != AF_INET || n->state == NUD_NOARP)
            continue;
        show_neighbour(s, n);
        err = let_others(s, &lines);
    }
    inet_unlock();
    return err;
}

static int show_text(struct seq_buf *s, void *arg) {
    seq_puts(s, arg);
    return 0;
}

// ---- groups: those that sockets are members of, and those that every device with addresses is in

static void show_group(struct seq_buf *s, const struct net_device *d, const struct inet_group *g) {
    if (g->address.family == AF_INET) {
        seq_printf(s, "\t\t\t\t%08X %5u 0:00000000\t\t0\n", g->address.word[0], g->users);
        return;
    }
    seq_printf(s, "%-4d %-15s ", d->index, d->name);
    show_bytes(s, &g->address);
    seq_printf(s, " %5u 00000004 0\n", g->users);
}

// The groups of a device, the newest first. The lock is let go of meanwhile.
static int show_groups(struct seq_buf *s, const struct net_device *d, unsigned int family) {
    struct inet_group some[AT_ONCE];
    uint64_t before = UINT64_MAX;
    unsigned int count, n = AT_ONCE - 1;
    int err = 0;
    while (!err && (count = inet_groups_locked(d->index, family, &before, some, AT_ONCE))) {
        for (unsigned int i = 0; i < count; i++)
            show_group(s, d, &some[i]);
        err = let_others(s, &n);
        n = AT_ONCE - 1;
    }
    return err;
}

static int show_groups4(struct seq_buf *s, void *arg) {
    int err = 0;
    (void)arg;
    seq_puts(s, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
    inet_lock(s->net);
    for (struct net_device *d = net_device_next_locked(0); d && !err; d = net_device_next_locked(d->index)) {
        if (!net_device_is_up(d))
            continue;
        seq_printf(s, "%d\t%-10s: %5u %7s\n", d->index, d->name,
                   inet_group_count_locked(d->index, AF_INET) + 1, "V3");
        err = show_groups(s, d, AF_INET);
        seq_puts(s, "\t\t\t\t010000E0     1 0:00000000\t\t0\n");
    }
    inet_unlock();
    return err;
}

static int show_groups6(struct seq_buf *s, void *arg) {
    int err = 0;
    (void)arg;
    inet_lock(s->net);
    for (struct net_device *d = net_device_next_locked(0); d && !err; d = net_device_next_locked(d->index)) {
        if (!net_device_is_up(d))
            continue;
        err = show_groups(s, d, AF_INET6);
        seq_printf(s, "%-4d %-15s ff020000000000000000000000000001     1 0000000C 0\n", d->index, d->name);
        seq_printf(s, "%-4d %-15s ff010000000000000000000000000001     1 00000008 0\n", d->index, d->name);
    }
    inet_unlock();
    return err;
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
