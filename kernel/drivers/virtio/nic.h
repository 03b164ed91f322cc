// SPDX-License-Identifier: MIT
// Network cards: what net.c offers those who know of packets. A frame is what is on the wire, from the hardware addresses on.
//
// Of each direction there is one caller at a time; threads only. Nothing here waits.
#pragma once
#include "core/types.h"

#define NIC_ADDRESS    6u    // bytes of a hardware address
#define NIC_MTU        1500u // of what lies behind a frame's header, where the device does not say
#define NIC_HEADER     14u   // of a frame: two addresses and a type
#define NIC_FRAME_MOST (NIC_MTU + NIC_HEADER)

struct virtio_nic {
    uint8_t address[NIC_ADDRESS]; // [I]
    bool has_address;             // [I] else the one above is nothing
    unsigned int mtu;             // [I] that the device asks for, at most NIC_MTU
    // Frames have come that were waited for, or the cable's state has changed. Interrupts disabled.
    void (*work)(struct virtio_nic *nic);
    struct virtio_nic *next; // [I]
    void *owner;             // of the layer above
};

// The first card (NULL), or the one found next. They are found at boot, and stay. NULL: there are no more.
struct virtio_nic *virtio_nic_next(const struct virtio_nic *nic);

// Gives the device memory to receive into: once, and for good. 0, -ENOMEM, -EIO.
int __must_check virtio_nic_open(struct virtio_nic *nic);
bool virtio_nic_has_link(struct virtio_nic *nic);

// The next frame that has come, *n bytes of it, NULL: none now. The device may still write to it: what is looked at twice has to be
// copied. It stays until virtio_nic_release().
const void *virtio_nic_receive(struct virtio_nic *nic, size_t *n);
void virtio_nic_release(struct virtio_nic *nic);
// There is none now, and `work` is called when there is.
bool virtio_nic_rest(struct virtio_nic *nic);
void virtio_nic_wake(struct virtio_nic *nic); // no more calls of `work` than have to be

// Memory for a frame of up to NIC_FRAME_MOST bytes, to be sent or dropped; NULL: the device has all there is.
void *virtio_nic_get_room(struct virtio_nic *nic);
void virtio_nic_send(struct virtio_nic *nic, void *frame, size_t n);
// Tells the device of what was sent.
void virtio_nic_flush(struct virtio_nic *nic);
