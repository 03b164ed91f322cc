// SPDX-License-Identifier: MIT
// Packets of lwIP's on their way out. One for loopback becomes a frame; one for an Ethernet is copied to where the card reads it, behind the
// address of the next hop, or waits in a frame until that is known.
//
// A stream goes one way for thousands of packets: the last way of each family is remembered, until routes or neighbours change.
#include "net/inet_link.h"
#include "net/device.h"
#include "net/ethernet.h"
#include "net/route.h"
#include <linux/rtnetlink.h>

struct hop {
    const struct net_device *device; // NULL: nothing is remembered
    struct net_address to;
    unsigned int routes, neighbours; // rounds in which it was so
    struct net_neighbour *next;
};

static struct hop hops[2] __net_state; // IPv4's, IPv6's

// ---- loopback

static err_t carry(struct net_device *device, struct pbuf *p) {
    struct net_frame *f = net_frame_create(device, p->tot_len);
    if (!f)
        return ERR_MEM;
    pbuf_copy_partial(p, f->data, p->tot_len, 0);
    device->tx_packets++;
    device->tx_bytes += f->len;
    return device->ops->transmit(device, f) ? ERR_BUF : ERR_OK;
}

// ---- Ethernet

static unsigned int type_of(const struct net_address *to) {
    return to->family == AF_INET ? NET_ETHERNET_IP4 : NET_ETHERNET_IP6;
}

// A connection sends again what did not go; what others lose is lost, as on Linux.
static err_t full(const struct pbuf *p, bool six) {
    const struct ip_hdr *four = p->payload;
    const struct ip6_hdr *h = p->payload;
    return (six ? IP6H_NEXTH(h) : IPH_PROTO(four)) == IP_PROTO_TCP ? ERR_BUF : ERR_OK;
}

static err_t send(struct net_device *device, struct pbuf *p, const uint8_t *hardware, unsigned int type) {
    void *room = ethernet_begin_locked(device, p->tot_len);
    if (unlikely(!room))
        return full(p, type == NET_ETHERNET_IP6);
    pbuf_copy_partial(p, room, p->tot_len, 0);
    ethernet_finish_locked(device, room, p->tot_len, hardware, type);
    return ERR_OK;
}

static err_t wait(struct net_device *device, struct pbuf *p, struct net_neighbour *n, unsigned int type) {
    struct net_frame *f = net_frame_create(device, p->tot_len);
    if (!f)
        return ERR_MEM;
    pbuf_copy_partial(p, f->data, p->tot_len, 0);
    net_neighbour_wait_locked(n, f, type);
    return ERR_OK;
}

// The neighbour that is next on the way, NULL: no memory, or (`everybody`) it is for all of the network.
static struct net_neighbour *find_next(struct net_device *device, const struct net_address *to,
                                       bool *everybody) {
    struct hop *h = &hops[to->family == AF_INET6];
    struct net_way way;
    *everybody = false;
    if (likely(h->device == device && net_address_eq(&h->to, to) && h->routes == net_route_round_locked() &&
               h->neighbours == net_neighbour_round_locked()))
        return h->next;
    int err = net_route_find_locked(to, device, &way); // without a route the device was said: it is there
    *everybody = !err && way.route->type == RTN_BROADCAST;
    if (*everybody)
        return NULL;
    const struct net_address *next = !err && way.route->gateway.family ? &way.route->gateway : to;
    struct net_neighbour *n = net_neighbour_get_locked(device, next);
    if (n)
        *h = (struct hop){device, *to, net_route_round_locked(), net_neighbour_round_locked(), n};
    return n;
}

static err_t send_to(struct net_device *device, struct pbuf *p, const struct net_address *to) {
    bool everybody;
    unsigned int type = type_of(to);
    uint8_t group[NET_ETHERNET_ADDRESS];
    if (net_address_is_multicast(to)) {
        ethernet_group_address(to, group);
        return send(device, p, group, type);
    }
    if (to->family == AF_INET && to->word[0] == IPADDR_BROADCAST)
        return send(device, p, device->hardware_broadcast, type);
    struct net_neighbour *n = find_next(device, to, &everybody);
    if (everybody)
        return send(device, p, device->hardware_broadcast, type);
    if (!n)
        return ERR_MEM;
    const uint8_t *hardware = net_neighbour_hardware_locked(n);
    return likely(hardware) ? send(device, p, hardware, type) : wait(device, p, n, type);
}

// ---- what lwIP asks its own nd6.c otherwise

void nd6_restart_netif(struct netif *netif) {
    (void)netif;
}

void nd6_cleanup_netif(struct netif *netif) {
    (void)netif;
}

struct netif *nd6_find_route(const ip6_addr_t *to) {
    (void)to;
    return NULL; // our routes have been asked
}

u16_t nd6_get_destination_mtu(const ip6_addr_t *to, struct netif *netif) {
    (void)to;
    return netif ? netif_mtu6(netif) : IP6_MIN_MTU_LENGTH;
}

// By loopback: nobody there has neighbours.
void nd6_input(struct pbuf *p, struct netif *netif) {
    (void)netif;
    pbuf_free(p);
}

// ---- what lwIP calls

// True: it goes nowhere. It has a route, and so as on Linux nobody is told.
static bool is_dropped(struct net_device *device) {
    if (likely(net_device_is_up(device) && net_device_has_carrier(device)))
        return false;
    device->tx_dropped++;
    return true;
}

err_t inet_output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to) {
    struct net_device *device = netif->state;
    ASSERT_HELD(&inet_mutex);
    if (is_dropped(device))
        return ERR_OK;
    if (device->ops->transmit)
        return carry(device, p);
    struct net_address a = net_address_ip4(ip4_addr_get_u32(to));
    return send_to(device, p, &a);
}

err_t inet_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to) {
    struct net_device *device = netif->state;
    ASSERT_HELD(&inet_mutex);
    if (is_dropped(device))
        return ERR_OK;
    if (device->ops->transmit)
        return carry(device, p);
    struct net_address a = net_address_of(AF_INET6, to->addr);
    return send_to(device, p, &a);
}
