// SPDX-License-Identifier: MIT
// ARP (RFC 826): who on the Ethernet has which address of IPv4.
#include "net/ethernet.h"
#include "net/inet_lock.h"
#include "net/interface.h"
#include "net/route.h"
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define ASKS    1u
#define ANSWERS 2u

struct arp {
    uint8_t hardware_type[2], protocol[2], hardware_size, protocol_size, operation[2];
    uint8_t from_hardware[NET_ETHERNET_ADDRESS], from[4], to_hardware[NET_ETHERNET_ADDRESS], to[4];
};
_Static_assert(sizeof(struct arp) == 28, "as on the wire");

static void send(struct net_device *device, unsigned int operation, const uint8_t *link,
                 const uint8_t *to_hardware, const struct net_address *from, const struct net_address *to) {
    struct arp a = {.hardware_type = {0, 1},
                    .protocol = {NET_ETHERNET_IP4 >> 8, NET_ETHERNET_IP4 & 0xff},
                    .hardware_size = NET_ETHERNET_ADDRESS,
                    .protocol_size = 4,
                    .operation = {0, (uint8_t)operation}};
    memcpy(a.from_hardware, device->hardware, NET_ETHERNET_ADDRESS);
    memcpy(a.from, from->bytes, sizeof(a.from));
    if (to_hardware)
        memcpy(a.to_hardware, to_hardware, NET_ETHERNET_ADDRESS);
    memcpy(a.to, to->bytes, sizeof(a.to));
    ethernet_send_locked(device, link, NET_ETHERNET_ARP, &a, sizeof(a));
}

// From the address that the packet is from that waits, if that is this machine's (Linux's arp_announce 0).
void arp_solicit_locked(const struct net_neighbour *n, const uint8_t *to) {
    ASSERT_HELD(&inet_mutex);
    struct net_address from = {.family = AF_INET};
    if (!list_empty(&n->waiting)) {
        const struct net_frame *f = list_first_entry(&n->waiting, struct net_frame, link);
        memcpy(from.bytes, f->data + 12, 4);
    }
    if (net_address_is_any(&from) || !net_route_is_local_locked(&from)) {
        const struct net_interface_address *a =
            net_interface_source_locked(n->device, &n->address, RT_SCOPE_LINK);
        from = a ? a->local : (struct net_address){.family = AF_INET};
    }
    send(n->device, ASKS, to, NULL, &from, &n->address);
}

static bool is_sound(const struct arp *a, const struct net_device *device) {
    return a->hardware_type[0] == 0 && a->hardware_type[1] == 1 && a->protocol[0] == NET_ETHERNET_IP4 >> 8 &&
           a->protocol[1] == (NET_ETHERNET_IP4 & 0xff) && a->hardware_size == NET_ETHERNET_ADDRESS &&
           a->protocol_size == 4 && !a->operation[0] && !(a->from_hardware[0] & 1) &&
           memcmp(a->from_hardware, device->hardware, NET_ETHERNET_ADDRESS);
}

void arp_receive_locked(struct net_device *device, const uint8_t *packet, size_t n) {
    ASSERT_HELD(&inet_mutex);
    struct arp a;
    if (n < sizeof(a) || device->flags & NET_NOARP)
        return;
    memcpy(&a, packet, sizeof(a));
    if (!is_sound(&a, device))
        return;
    struct net_address from = net_address_of(AF_INET, a.from), to = net_address_of(AF_INET, a.to);
    bool for_us = !net_address_is_loopback(&to) && net_route_is_local_locked(&to);
    if (net_address_is_multicast(&from) || net_address_is_loopback(&from) || net_route_is_local_locked(&from))
        return;
    if (a.operation[1] == ASKS && for_us)
        send(device, ANSWERS, a.from_hardware, a.from_hardware, &to, &from);
    if (net_address_is_any(&from)) // it asks whether it may have an address
        return;
    struct net_neighbour *who = a.operation[1] == ASKS && for_us ? net_neighbour_get_locked(device, &from)
                                                                 : net_neighbour_find_locked(device, &from);
    if (who)
        net_neighbour_heard_locked(who, a.from_hardware,
                                   a.operation[1] == ANSWERS && for_us ? NEIGHBOUR_ANSWERS : NEIGHBOUR_ASKS);
}
