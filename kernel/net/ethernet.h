// SPDX-License-Identifier: MIT
// Ethernet: frames between the stack and network cards (drivers/virtio/nic.h). All under the stack's lock.
#pragma once
#include "net/device.h"
#include "net/neighbour.h"

#define NET_ETHERNET_ADDRESS 6
#define NET_ETHERNET_HEADER  14

// What a frame carries, as Linux's ETH_P_*.
#define NET_ETHERNET_IP4 0x0800u
#define NET_ETHERNET_ARP 0x0806u
#define NET_ETHERNET_IP6 0x86ddu

// Memory for a packet of up to n bytes that is to be sent, behind the room for its header; NULL: the device is full, or has no cable:
// it is counted as dropped. ethernet_finish_locked() sends it.
void *ethernet_begin_locked(struct net_device *device, size_t n);
void ethernet_finish_locked(struct net_device *device, void *packet, size_t n, const uint8_t *to,
                            unsigned int type);
// Sends a copy.
void ethernet_send_locked(struct net_device *device, const uint8_t *to, unsigned int type, const void *packet,
                          size_t n);
// Asks for the neighbour's address: everybody, or itself.
void ethernet_solicit_locked(const struct net_neighbour *n, bool everybody);
// The address that a group is sent to.
void ethernet_group_address(const struct net_address *group, uint8_t out[NET_ETHERNET_ADDRESS]);

// The stack's thread: takes what has come; true: there may be more.
bool ethernet_poll(void);
// Tells devices of what was sent, before the lock is let go of.
void ethernet_flush_locked(void);
extern bool ethernet_unflushed; // [n] there is something to tell

// Boot: makes devices of the cards that were found.
void ethernet_init(void);

// ---- arp.c, ndisc.c: what came, a copy of it, behind the frame's header.

void arp_receive_locked(struct net_device *device, const uint8_t *packet, size_t n);
void arp_solicit_locked(const struct net_neighbour *n, const uint8_t *to);
// True: a packet of IPv6 that was for neighbours or routers to hear.
bool ndisc_receive_locked(struct net_device *device, const uint8_t *packet, size_t n);
void ndisc_solicit_locked(const struct net_neighbour *n, const uint8_t *to);
