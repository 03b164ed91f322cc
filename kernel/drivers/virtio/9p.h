// SPDX-License-Identifier: MIT
// Channels to file servers of the host, each with a tag by which it is mounted: requests go out, each with room for its
// reply, and come back in any order. What is in them is fs/9p's matter.
#pragma once
#include "drivers/virtio/virtio.h"
#include "sched/wait.h"

#define P9_PIECES 100u // of one exchange, at most; a device with a shorter queue takes fewer
#define P9_TAG    64u  // bytes of a tag, with the NUL

// One request and the room for its reply. All of its memory stays as it is until done() is called.
struct p9_exchange {
    struct virtio_piece pieces[P9_PIECES];
    unsigned int out, in; // the request's pieces, then the reply's
    // The device has given it back, and says that it wrote so many bytes. With the channel's lock held and interrupts disabled.
    void (*done)(struct p9_exchange *x, uint32_t written);
};

struct p9_channel {
    const char *tag;          // [I]
    unsigned int most_pieces; // [I] that one exchange may have
    struct wait_queue wait;   // woken when an exchange is done, and when the channel breaks
    unsigned int in_use;      // [a] 0 or 1: one who mounts it at a time
    struct p9_channel *next;  // [I] of p9_channels()
    struct virtqueue *queue;  // [I] the driver's own, as what follows
    struct spinlock lock;     // of the queue; taken with interrupts disabled
};

// All channels, from the first; they stay for good.
struct p9_channel *p9_channels(void);
// 0; -ENOSPC: too many are under way (`wait` tells when that changes); -EIO: the device has broken the rules, and nothing will
// come back any more.
int __must_check p9_channel_send(struct p9_channel *c, struct p9_exchange *x);
bool p9_channel_is_broken(const struct p9_channel *c);
