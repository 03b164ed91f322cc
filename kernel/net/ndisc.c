// SPDX-License-Identifier: MIT
// Neighbours of IPv6 (RFC 4861): who has which address, as ARP does for IPv4, by messages of ICMPv6. What routers say is
// autoconf.c's. Only what came from the same network is heard: nobody else can send a hop limit of 255 here.
#include "net/autoconf.h"
#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/inet_lock.h"
#include "net/interface.h"
#include "net/ndisc.h"
#include "net/route.h"
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define ICMP6          58u
#define IP6_HEADER     40u
#define FROM_SAME_LINK 255u

#define SOLICITED 0x40u // flags of an advertisement
#define OVERRIDE  0x20u

struct message {
    uint8_t version, flow[3];
    uint8_t length[2], next, hops;
    uint8_t from[16], to[16];
    uint8_t type, code;
    uint16_t sum;
    uint8_t flags, reserved[3];
    uint8_t target[16];
    uint8_t option, option_length, hardware[NET_ETHERNET_ADDRESS];
};
_Static_assert(sizeof(struct message) == 72, "as on the wire");

#define WITHOUT_TARGET offsetof(struct message, target)
#define ICMP_AT        offsetof(struct message, type)

static void complete(struct message *m, size_t n) {
    m->version = 0x60;
    m->length[1] = (uint8_t)(n - IP6_HEADER);
    m->next = ICMP6;
    m->hops = FROM_SAME_LINK;
    m->sum = 0;
    m->sum = net_sum_ip6(m->from, ICMP6, &m->type, n - IP6_HEADER);
}

// ---- sending

static struct net_address own_address(struct net_device *device, const struct net_address *to) {
    const struct net_interface_address *a = net_interface_source_locked(device, to, RT_SCOPE_HOST);
    return a ? a->local : (struct net_address){.family = AF_INET6};
}

void ndisc_solicit_locked(const struct net_neighbour *n, const uint8_t *to) {
    ASSERT_HELD(&inet_mutex);
    struct net_address group = {.family = AF_INET6, .bytes = {0xff, 2, [11] = 1, [12] = 0xff}};
    struct net_address from = own_address(n->device, &n->address);
    struct message m = {.type = NDISC_SOLICITATION, .option = NDISC_SOURCE_HARDWARE, .option_length = 1};
    uint8_t link[NET_ETHERNET_ADDRESS];
    if (!list_empty(&n->waiting)) {
        const struct net_frame *f = list_first_entry(&n->waiting, struct net_frame, link);
        struct net_address sender = net_address_of(AF_INET6, f->data + 8);
        from = net_route_is_local_locked(&sender) ? sender : from;
    }
    if (net_address_is_any(&from))
        return;
    memcpy(group.bytes + 13, n->address.bytes + 13, 3);
    memcpy(m.from, from.bytes, sizeof(m.from));
    memcpy(m.to, to ? n->address.bytes : group.bytes, sizeof(m.to));
    memcpy(m.target, n->address.bytes, sizeof(m.target));
    memcpy(m.hardware, n->device->hardware, sizeof(m.hardware));
    complete(&m, sizeof(m));
    if (!to)
        ethernet_group_address(&group, link);
    ethernet_send_locked(n->device, to ? to : link, NET_ETHERNET_IP6, &m, sizeof(m));
}

static const struct net_address all_nodes = {.family = AF_INET6, .bytes = {0xff, 2, [15] = 1}},
                                all_routers = {.family = AF_INET6, .bytes = {0xff, 2, [15] = 2}};

static void advertise(struct net_device *device, const struct net_address *target,
                      const struct net_address *to, const uint8_t *link) {
    bool asked = !net_address_is_any(to);
    struct message m = {.type = NDISC_ADVERTISEMENT,
                        .flags = asked ? SOLICITED | OVERRIDE : OVERRIDE,
                        .option = NDISC_TARGET_HARDWARE,
                        .option_length = 1};
    uint8_t group[NET_ETHERNET_ADDRESS];
    memcpy(m.from, target->bytes, sizeof(m.from));
    memcpy(m.to, asked ? to->bytes : all_nodes.bytes, sizeof(m.to));
    memcpy(m.target, target->bytes, sizeof(m.target));
    memcpy(m.hardware, device->hardware, sizeof(m.hardware));
    complete(&m, sizeof(m));
    ethernet_group_address(&all_nodes, group);
    ethernet_send_locked(device, asked ? link : group, NET_ETHERNET_IP6, &m, sizeof(m));
}

// "Is there a router?": the option lies where a target would.
void ndisc_ask_routers_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    struct message m = {.type = NDISC_ROUTER_SOLICITATION};
    struct net_address from = own_address(device, &all_routers);
    uint8_t link[NET_ETHERNET_ADDRESS], *option = m.target;
    size_t n = WITHOUT_TARGET + 8;
    if (net_address_is_any(&from))
        return;
    option[0] = NDISC_SOURCE_HARDWARE;
    option[1] = 1;
    memcpy(option + 2, device->hardware, NET_ETHERNET_ADDRESS);
    memcpy(m.from, from.bytes, sizeof(m.from));
    memcpy(m.to, all_routers.bytes, sizeof(m.to));
    complete(&m, n);
    ethernet_group_address(&all_routers, link);
    ethernet_send_locked(device, link, NET_ETHERNET_IP6, &m, n);
}

// ---- hearing

const uint8_t *ndisc_option(const uint8_t *options, size_t n, unsigned int type, size_t least) {
    for (size_t at = 0; at + 8 <= n && options[at + 1]; at += options[at + 1] * 8u) {
        size_t size = options[at + 1] * 8u;
        if (size > n - at)
            return NULL;
        if (options[at] == type && size >= least)
            return options + at;
    }
    return NULL;
}

static void hear_solicitation(struct net_device *device, const struct message *m, const uint8_t *options,
                              size_t n) {
    struct net_address target = net_address_of(AF_INET6, m->target), from = net_address_of(AF_INET6, m->from);
    const uint8_t *option = ndisc_option(options, n, NDISC_SOURCE_HARDWARE, 8);
    if (net_address_is_loopback(&target) || !net_route_is_local_locked(&target))
        return;
    if (net_address_is_any(&from)) { // it asks whether it may have the address
        advertise(device, &target, &from, NULL);
        return;
    }
    struct net_neighbour *who =
        option ? net_neighbour_get_locked(device, &from) : net_neighbour_find_locked(device, &from);
    if (who && option)
        net_neighbour_heard_locked(who, option + 2, NEIGHBOUR_ASKS);
    const uint8_t *link = option ? option + 2 : who ? net_neighbour_hardware_locked(who) : NULL;
    if (link)
        advertise(device, &target, &from, link);
}

static void hear_advertisement(struct net_device *device, const struct message *m, const uint8_t *options,
                               size_t n) {
    struct net_address target = net_address_of(AF_INET6, m->target);
    struct net_neighbour *who = net_neighbour_find_locked(device, &target);
    const uint8_t *option = ndisc_option(options, n, NDISC_TARGET_HARDWARE, 8);
    if (!who || net_route_is_local_locked(&target))
        return;
    const uint8_t *hardware = option ? option + 2 : net_neighbour_hardware_locked(who);
    if (!hardware || hardware[0] & 1)
        return;
    net_neighbour_heard_locked(who, hardware,
                               !(m->flags & SOLICITED) ? NEIGHBOUR_ASKS
                               : (m->flags & OVERRIDE) ? NEIGHBOUR_ANSWERS
                                                       : NEIGHBOUR_CONFIRMED);
}

static void hear(struct net_device *device, const struct message *m, const uint8_t *options, size_t n) {
    struct net_address target = net_address_of(AF_INET6, m->target);
    if (net_address_is_multicast(&target))
        return;
    if (m->type == NDISC_SOLICITATION)
        hear_solicitation(device, m, options, n);
    else
        hear_advertisement(device, m, options, n);
}

bool ndisc_receive_locked(struct net_device *device, const uint8_t *packet, size_t n) {
    ASSERT_HELD(&inet_mutex);
    struct message m;
    if (n < WITHOUT_TARGET || packet[offsetof(struct message, next)] != ICMP6)
        return false;
    uint8_t type = packet[ICMP_AT];
    if (type < NDISC_ROUTER_SOLICITATION || type > NDISC_REDIRECT)
        return false;
    size_t length = packet[4] << 8 | packet[5];
    memset(&m, 0, sizeof(m));
    memcpy(&m, packet, MIN(n, sizeof(m)));
    struct net_address from = net_address_of(AF_INET6, m.from);
    if (length > n - IP6_HEADER || length < WITHOUT_TARGET - IP6_HEADER || m.hops != FROM_SAME_LINK ||
        m.code || net_address_is_multicast(&from) || net_route_is_local_locked(&from) ||
        net_sum_ip6(m.from, ICMP6, packet + IP6_HEADER, length))
        return true;
    n = IP6_HEADER + length;
    if (type == NDISC_ROUTER_ADVERTISEMENT)
        autoconf_hear_locked(device, &from, packet + IP6_HEADER, length);
    else if ((type == NDISC_SOLICITATION || type == NDISC_ADVERTISEMENT) && n >= WITHOUT_TARGET + 16)
        hear(device, &m, packet + WITHOUT_TARGET + 16, n - WITHOUT_TARGET - 16);
    return true;
}
