// SPDX-License-Identifier: MIT
// What mmio.c and queue.c share.
#pragma once
#include "drivers/virtio/virtio.h"

#define VIRTIO_RING_ALIGN 4096u // of the used ring, in the layout before 1.0; kept in the other, too

struct virtqueue_rings {
    paddr_t descriptors, available, used;
};

// mmio.c: shows the device where the queue is. -ENODEV, -EINVAL (its memory cannot be named in that layout). Tells how many
// descriptors the device takes, 0: there is no such queue.
unsigned int virtio_queue_max(struct virtio_device *d, unsigned int index);
int __must_check virtio_queue_set(struct virtio_device *d, unsigned int index, unsigned int size,
                                  const struct virtqueue_rings *rings);
void virtio_queue_notify(struct virtio_device *d, unsigned int index);

// queue.c: the device says that it is done with something, maybe in one of its queues. Interrupts disabled.
void virtqueue_interrupt(struct virtio_device *d);
// The device has been reset, and its queues go.
void virtqueue_free_all(struct virtio_device *d);
