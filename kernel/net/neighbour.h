// SPDX-License-Identifier: MIT
// Neighbours: link-layer addresses of what is on the same network (ip-neighbour(8), arp(7)), as far as programs have told them. All under the
// stack's lock. A device that looks for them itself would add what it finds.
#pragma once
#include "net/device.h"

struct net_neighbour {
    struct list_head link; // in the order of `serial`
    struct net_device *device;
    struct net_address address;
    uint8_t hardware[NET_HARDWARE_MAX];
    uint16_t state;  // NUD_*
    uint8_t flags;   // NTF_*
    uint64_t serial; // of all that ever were
};

// The one with the smallest serial number > `after`, or NULL.
struct net_neighbour *net_neighbour_next_locked(uint64_t after);
struct net_neighbour *net_neighbour_find_locked(const struct net_device *device, const struct net_address *a);
// Adds a copy, or changes the one that is there; `how`: NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE. -EEXIST, -ENOENT, -ENOBUFS.
int __must_check net_neighbour_set_locked(const struct net_neighbour *n, unsigned int how);
void net_neighbour_remove_locked(struct net_neighbour *n);
void net_neighbour_drop_device_locked(const struct net_device *device); // it goes down
