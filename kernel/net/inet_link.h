// SPDX-License-Identifier: MIT
// From lwIP to the devices: where a packet goes next, and how it gets there. With the stack's lock.
#pragma once
#include "net/inet_stack.h"

struct net_device;

// netif.output, netif.output_ip6
err_t inet_output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to);
err_t inet_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to);
