// SPDX-License-Identifier: MIT
// The 9P device: a queue to a file server of the host, and the tag by which it is mounted (linux/virtio_9p.h). One exchange is
// one chain: what the server reads, then what it writes.
#include "drivers/virtio/9p.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>

#define QUEUE_SIZE 128u

static struct p9_channel *first; // they are found one after the other, at boot

struct p9_channel *p9_channels(void) {
    return first;
}

bool p9_channel_is_broken(const struct p9_channel *c) {
    return virtqueue_is_broken(c->queue);
}

// Takes what is done, and asks to be told of the next.
static void take_all_locked(struct p9_channel *c) {
    ASSERT_HELD(&c->lock);
    bool any = false;
    do {
        uint32_t written;
        for (struct p9_exchange *x; (x = virtqueue_take(c->queue, &written)); any = true)
            x->done(x, written);
    } while (virtqueue_want_interrupt(c->queue) && !virtqueue_is_broken(c->queue));
    if (any || virtqueue_is_broken(c->queue))
        wake_all(&c->wait);
}

static void used(struct virtqueue *q) {
    struct p9_channel *c = virtqueue_owner(q);
    unsigned long flags = spin_lock_irqsave(&c->lock);
    take_all_locked(c);
    spin_unlock_irqrestore(&c->lock, flags);
}

int p9_channel_send(struct p9_channel *c, struct p9_exchange *x) {
    unsigned long flags = spin_lock_irqsave(&c->lock);
    int err = virtqueue_add(c->queue, x->pieces, x->out, x->in, x);
    if (!err)
        virtqueue_kick(c->queue);
    if (err != -EIO)
        take_all_locked(c);
    spin_unlock_irqrestore(&c->lock, flags);
    return err;
}

// The device says how long its tag is, and may not mean it.
static char *read_tag(struct virtio_device *d) {
    uint16_t length = 0;
    virtio_config_read(d, offsetof(struct virtio_9p_config, tag_len), &length, sizeof(length));
    if (!length || length >= P9_TAG)
        return NULL;
    char *tag = kzalloc(P9_TAG);
    for (unsigned int i = 0; tag && i < length; i++)
        virtio_config_read(d, offsetof(struct virtio_9p_config, tag) + i, &tag[i], 1);
    return tag;
}

static int probe(struct virtio_device *d) {
    if (!virtio_has(d, VIRTIO_9P_MOUNT_TAG))
        return -ENODEV;
    struct p9_channel *c = kzalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    spin_init(&c->lock);
    wait_queue_init(&c->wait);
    c->tag = read_tag(d);
    if (!c->tag) {
        kfree(c);
        return -EINVAL;
    }
    c->queue = virtqueue_create(d, 0, QUEUE_SIZE, used, c);
    if (IS_ERR(c->queue)) {
        int err = PTR_ERR(c->queue);
        kfree((char *)c->tag);
        kfree(c);
        return err;
    }
    c->most_pieces = MIN(P9_PIECES, virtqueue_size(c->queue));
    virtio_start(d);
    struct p9_channel **end = &first;
    while (*end)
        end = &(*end)->next;
    *end = c;
    return 0;
}

const struct virtio_driver virtio_9p_driver = {
    .name = "9p", .id = VIRTIO_ID_9P, .features = 1ull << VIRTIO_9P_MOUNT_TAG, .probe = probe};
