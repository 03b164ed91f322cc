// SPDX-License-Identifier: MIT
// Virtio devices: what their drivers see of a device and of its queues (Virtual I/O Device specification 1.2; the
// layout before 1.0 too, which QEMU shows unless told otherwise). mmio.c finds the devices and knows their registers,
// queue.c the rings.
//
// A device is outside: nothing that it writes is believed. What a driver has to remember of a buffer stays in the
// driver's own memory; what comes back is checked against it, and a queue whose device breaks the rules is `broken`:
// no buffer goes in or comes out any more.
#pragma once
#include "core/types.h"
#include "lib/list.h"

struct virtio_device {
    volatile uint8_t *base;                          // [I] registers
    uint32_t id;                                     // [I] what it is: linux/virtio_ids.h
    unsigned int index;                              // [I] how many of its kind came before
    bool legacy;                                     // [I] the register layout before 1.0
    uint64_t features;                               // [I] bit n: feature n was agreed on
    bool started;                                    // [a] its interrupts mean something
    struct list_head queues;                         // [I] once it is started
    void (*config_changed)(struct virtio_device *d); // interrupts disabled; NULL: of no interest
    void *owner;                                     // the driver's
};

struct virtio_driver {
    const char *name;
    uint32_t id;
    uint64_t features; // that it knows
    // Takes a device into use whose features are agreed on: makes its queues, then calls virtio_start(). 0 or -errno;
    // the queues that were made are freed by the caller then. May sleep.
    int (*probe)(struct virtio_device *d);
};
extern const struct virtio_driver virtio_rng_driver, virtio_console_driver, virtio_net_driver,
    virtio_blk_driver, virtio_9p_driver;

// Looks for devices and starts their drivers. May sleep.
void virtio_init(void);
// The device may use its queues from here on.
void virtio_start(struct virtio_device *d);
static inline bool virtio_has(const struct virtio_device *d, unsigned int feature) {
    return d->features >> feature & 1;
}
// Copies n bytes of the device's configuration space, which the device may change at any time: consistent where the
// layout lets one know. n of 1, 2, 4 is one access.
void virtio_config_read(struct virtio_device *d, unsigned int offset, void *to, size_t n);

// A piece of contiguous memory for the device to read or to write.
struct virtio_piece {
    paddr_t address;
    uint32_t length; // bytes, not 0
};

struct virtqueue;
// Queue `index` of the device with at most `size` descriptors (a power of 2; the device may have fewer), before
// virtio_start(). `used` is called from the interrupt, interrupts disabled; NULL: nobody ever asks for interrupts.
// ERR_PTR: -ENODEV (the device has no such queue), -ENOMEM.
struct virtqueue *__must_check virtqueue_create(struct virtio_device *d, unsigned int index,
                                                unsigned int size, void (*used)(struct virtqueue *q),
                                                void *owner);
void *virtqueue_owner(const struct virtqueue *q);
// The device has broken the rules, or does not answer; told once in the log.
bool virtqueue_is_broken(const struct virtqueue *q);

// What follows is for one caller at a time for each queue. Any context.

// Hands a chain of pieces to the device: it reads the first `out`, then writes the next `in`. `token` comes back with it,
// and is not NULL. 0, -ENOSPC (nothing has changed), -EIO: the queue is broken.
int __must_check virtqueue_add(struct virtqueue *q, const struct virtio_piece *pieces, unsigned int out,
                               unsigned int in, void *token);
// How many were added since the device was told last.
unsigned int virtqueue_untold(const struct virtqueue *q);
// Tells the device of what was added, unless it does not want to be told.
void virtqueue_kick(struct virtqueue *q);
// The same, whether or not the device wants to be told.
void virtqueue_remind(struct virtqueue *q);
// A chain that the device is done with, and how many bytes it says it wrote, never more than there was room for. NULL:
// none. The queue has room for it again.
void *virtqueue_take(struct virtqueue *q, uint32_t *written);
// Asks for an interrupt with the next chain that the device is done with. True: there is one already, and the
// interrupt may not come.
bool virtqueue_want_interrupt(struct virtqueue *q);
void virtqueue_refuse_interrupts(struct virtqueue *q);
unsigned int virtqueue_size(const struct virtqueue *q);
