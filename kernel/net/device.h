// SPDX-License-Identifier: MIT
// Network devices: what carries frames. Loopback (loopback.c) is the first.
//
// A frame is one packet as it is on the wire, in memory of its own. It has one owner: the stack hands it to `transmit`, the
// device hands it to net_receive().
#pragma once
#include "core/types.h"
#include "lib/list.h"

// net_device.flags: as Linux's IFF_*, whose header wants a C library.
#define NET_UP       0x1u
#define NET_LOOPBACK 0x8u
#define NET_RUNNING  0x40u

struct net_device;

struct net_frame {
    struct list_head link;     // its owner's
    struct net_device *device; // that it came from or goes to
    uint64_t stack[6];         // the protocol stack's, once it has been received
    uint32_t len;
    uint8_t data[];
};

struct net_device_ops {
    // Takes the frame. Any thread, with the stack's lock held: must not sleep. 0; -ENOBUFS: it was dropped.
    int (*transmit)(struct net_device *device, struct net_frame *frame);
};

struct net_device {
    const struct net_device_ops *ops; // [I]
    const char *name;                 // [I]
    int index;                        // [I] as if_nametoindex(3)
    unsigned int mtu;                 // [I] bytes of a packet
    unsigned int flags;               // [I] NET_*
    // [a] what went out and came in.
    unsigned long tx_packets, tx_bytes, rx_packets, rx_bytes, rx_dropped;
};

// A frame with room for `len` bytes, NULL: no memory.
struct net_frame *__must_check net_frame_create(struct net_device *device, size_t len);
void net_frame_free(struct net_frame *frame);

// A frame has come in: the stack's from now on. Any context.
void net_receive(struct net_frame *frame);

extern struct net_device loopback_device;
