// SPDX-License-Identifier: MIT
// Network devices: what carries frames. Loopback (loopback.c) is the first; network cards are Ethernets (ethernet.c).
//
// A frame is one packet without what the link has in front of it, in memory of its own. It has one owner: the stack hands it to `transmit`, the
// device hands it to net_receive(). A device that is registered stays.
//
// Key: [I] immutable once registered, [n] the stack's lock (net/inet_lock.h), [a] atomic or read without.
#pragma once
#include "core/types.h"
#include "lib/list.h"
#include "net/address.h"

// net_device.flags: as Linux's IFF_*, whose header wants a C library.
#define NET_UP          0x1u
#define NET_BROADCAST   0x2u
#define NET_DEBUG       0x4u
#define NET_LOOPBACK    0x8u
#define NET_POINTOPOINT 0x10u
#define NET_NOTRAILERS  0x20u
#define NET_RUNNING     0x40u // up, and there is a carrier: told, not kept
#define NET_NOARP       0x80u
#define NET_PROMISC     0x100u
#define NET_ALLMULTI    0x200u
#define NET_MULTICAST   0x1000u
#define NET_PORTSEL     0x2000u
#define NET_AUTOMEDIA   0x4000u
#define NET_DYNAMIC     0x8000u
#define NET_LOWER_UP    0x10000u // there is a carrier: told, not kept
// net_device.type: as Linux's ARPHRD_*.
#define NET_TYPE_ETHERNET 1
#define NET_TYPE_LOOPBACK 772
#define NET_TYPE_NONE     0xfffe // there is nothing in front of packets

#define NET_NAME_SIZE    16
#define NET_HARDWARE_MAX 8 // bytes of a link-layer address
#define NET_ALIAS_SIZE   256

struct net_device;

struct net_frame {
    struct list_head link;     // its owner's
    struct net_device *device; // that it came from or goes to
    uint64_t stack[6];         // the protocol stack's, once it has been received
    uint32_t len;
    uint8_t data[] __attribute__((aligned(8))); // so is TCP's data behind 40 bytes of headers
};

struct net_device_ops {
    // Takes the frame. Any thread, with the stack's lock held: must not sleep. 0; -ENOBUFS: it was dropped. NULL: it is an Ethernet
    // (net/ethernet.h).
    int (*transmit)(struct net_device *device, struct net_frame *frame);
    // It is to go up, or has gone down. With the stack's lock. NULL: nothing to do. 0 or -errno, which keeps it down.
    int (*set_up)(struct net_device *device, bool up);
};

#define NET_MTU4_MIN 68u // bytes; a device for smaller packets is not fit for IPv4

struct net_device {
    const struct net_device_ops *ops; // [I]
    char name[NET_NAME_SIZE];         // [n]
    int index;                        // [I] as if_nametoindex(3); 0: net_device_register() gives one
    unsigned short type;              // [I] NET_TYPE_*
    unsigned int mtu;                 // [n] bytes of a packet; read without
    unsigned int mtu_min, mtu_max;    // [I] 0: none
    unsigned int flags;               // [n] NET_*, but for those that are told; read without
    unsigned int hardware_len;        // [I]
    uint8_t hardware[NET_HARDWARE_MAX], hardware_broadcast[NET_HARDWARE_MAX]; // [n]
    unsigned int queue_len, group;                                            // [n]
    char alias[NET_ALIAS_SIZE];                                               // [n]
    unsigned int no_carrier;                                                  // [a]
    unsigned int carrier_is_news;                                             // [a] nobody has been told
    unsigned int carrier_ups, carrier_downs;                                  // [n]
    // [a] what went out and came in.
    unsigned long tx_packets, tx_bytes, rx_packets, rx_bytes, rx_dropped, tx_dropped;
    struct list_head link; // [n] of all devices, by index
    struct list_head
        addresses; // [n] struct net_interface_address (net/interface.h), in the order that is told
    void *stack;   // [n] the protocol stack's
};

// Makes the device known, down unless its flags say NET_UP, and tells who listens. The device is the caller's, and stays. Its name may hold
// "%d": the first number that is free. -EEXIST: the name is taken; -EINVAL: it is not a name; -ENOMEM.
int __must_check net_device_register(struct net_device *device);
// The carrier has come or gone. Any context.
void net_device_set_carrier(struct net_device *device, bool on);

// A frame with room for `len` bytes, NULL: no memory.
struct net_frame *__must_check net_frame_create(struct net_device *device, size_t len);
void net_frame_free(struct net_frame *frame);

// A frame has come in: the stack's from now on. Any context.
void net_receive(struct net_frame *frame);
// The same with the stack's lock, at once, and counted already.
void net_receive_locked(struct net_frame *frame);

extern struct net_device loopback_device;

// ---- asking and changing (device.c), with the stack's lock

// The device with the smallest index > `after`, NULL: there is none.
struct net_device *net_device_next_locked(int after);
struct net_device *net_device_find_locked(int index);
struct net_device *net_device_named_locked(const char *name);
// Flags as programs see them.
unsigned int net_device_flags(const struct net_device *device);
static inline bool net_device_is_up(const struct net_device *device) {
    return READ_ONCE(device->flags) & NET_UP;
}
// As Linux's IF_OPER_*.
#define NET_STATE_UNKNOWN 0
#define NET_STATE_DOWN    2
#define NET_STATE_UP      6
uint8_t net_device_state(const struct net_device *device);
static inline bool net_device_has_carrier(const struct net_device *device) {
    return !READ_ONCE(device->no_carrier);
}
// Is this what a device may be called?
bool net_name_is_valid(const char *name);

// Each tells who listens. 0 or -errno.
int __must_check net_device_set_flags_locked(struct net_device *device, unsigned int flags);
int __must_check net_device_set_mtu_locked(struct net_device *device, unsigned int mtu);
int __must_check net_device_rename_locked(struct net_device *device, const char *name);
// Something else about it has changed.
void net_device_changed_locked(struct net_device *device);
// What the stack's thread does when it was kicked: tells of carriers that came or went.
void net_device_tell_carriers(void);

struct socket;
// SIOCGIF... and their like, on any socket (device_ioctl.c); -ENOTTY: it is none of them.
long net_device_ioctl(struct socket *s, unsigned int cmd, unsigned long arg);

// A new network: its loopback device, down, is all it has.
struct net_ns;
void net_device_begin(struct net_ns *net);
// [n] The network that is there ends: what there is of devices, addresses, routes and neighbours goes.
void net_device_end_locked(void);
// Boot.
void net_device_init(void);
