// SPDX-License-Identifier: MIT
// Addresses of interfaces (rtnetlink(7), netdevice(7)). All under the stack's lock.
#pragma once
#include "net/device.h"

#define NET_FOREVER 0xffffffffu // a lifetime

struct net_interface_address {
    struct list_head link;
    struct net_device *device;
    struct net_address local;
    struct net_address peer;      // the other end; of others the same as `local`
    struct net_address broadcast; // AF_UNSPEC: none
    uint8_t prefix, scope, protocol;
    uint32_t flags, metric;    // IFA_F_*
    char label[NET_NAME_SIZE]; // IPv4
    uint32_t created, changed; // hundredths of a second since boot
    // When it ends, and when others are preferred, of one that is not IFA_F_PERMANENT; KTIME_NEVER: not.
    int64_t valid_until, preferred_until;
    uint64_t pass; // net_interface_up_locked()'s
};

// What takes away or adds more than one may let go of the lock meanwhile (net_change_pause()).

// Adds a copy, and the routes that it brings. -EEXIST, -ENOBUFS, -EINVAL.
int __must_check net_interface_add_locked(const struct net_interface_address *address);
// Takes it away, its routes, and those that were secondary to it.
void net_interface_remove_locked(struct net_interface_address *address);
// The address of the device that is this one (its `local`), NULL: none.
struct net_interface_address *net_interface_find_locked(struct net_device *device,
                                                        const struct net_address *local);
// The best address of the device to send from with this scope at most, or NULL.
struct net_interface_address *net_interface_source_locked(struct net_device *device,
                                                          const struct net_address *to, uint8_t scope);
// The device has gone up or down, or is not fit for a family any more.
void net_interface_up_locked(struct net_device *device);
void net_interface_down_locked(struct net_device *device);
void net_interface_drop_locked(struct net_device *device, unsigned int family);
// Its lifetimes are others: tells who listens.
void net_interface_changed_locked(struct net_interface_address *address);
// Takes away those that have ended by `now`. When the next one does, KTIME_NEVER: none.
int64_t net_interface_run_locked(int64_t now);
// It has another name: labels follow.
void net_interface_renamed_locked(struct net_device *device);
