// SPDX-License-Identifier: MIT
// A virtqueue (kernel/drivers/virtio/queue.c) whose device does as the input says: it gives chains back in any order, or writes
// whatever it likes into all the memory that it has. Each chain comes back at most once, as the one that was handed over, with no
// more bytes than there was room for; descriptors are neither lost nor used twice.
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "core/errno.h"
#include "drivers/virtio/queue.h"
#include <linux/virtio_ring.h>

#define SIZE   16u
#define TOKENS 64u

static struct vring shared; // as the device sees it
static unsigned int device_max;

unsigned int virtio_queue_max(struct virtio_device *d, unsigned int index) {
    (void)d, (void)index;
    return device_max;
}
int virtio_queue_set(struct virtio_device *d, unsigned int index, unsigned int size,
                     const struct virtqueue_rings *rings) {
    (void)d, (void)index;
    shared.num = size;
    shared.desc = (void *)rings->descriptors;
    shared.avail = (void *)rings->available;
    shared.used = (void *)rings->used;
    return 0;
}
void virtio_queue_notify(struct virtio_device *d, unsigned int index) {
    (void)d, (void)index;
}

static struct {
    bool underway;
    uint32_t writable, count;
} chains[TOKENS];
static char tokens[TOKENS];

struct input {
    const uint8_t *at, *end;
};
static unsigned int next(struct input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

static unsigned int underway(void) {
    unsigned int n = 0;
    for (unsigned int i = 0; i < TOKENS; i++)
        n += chains[i].underway ? chains[i].count : 0;
    return n;
}

static void add(struct virtqueue *q, struct input *in) {
    struct virtio_piece pieces[6];
    unsigned int out = next(in) % 4, inward = next(in) % 3, i = 0;
    uint32_t writable = 0;
    if (!out && !inward)
        inward = 1;
    while (i < TOKENS && chains[i].underway)
        i++;
    assert(i < TOKENS);
    for (unsigned int p = 0; p < out + inward; p++) {
        pieces[p] = (struct virtio_piece){0x1000 * (p + 1), next(in) * 16 + 1};
        writable += p >= out ? pieces[p].length : 0;
    }
    unsigned int room = virtqueue_size(q) - underway();
    int err = virtqueue_add(q, pieces, out, inward, &tokens[i]);
    assert(err == (virtqueue_is_broken(q) ? -EIO : out + inward > room ? -ENOSPC : 0));
    if (!err) {
        chains[i].underway = true;
        chains[i].writable = writable;
        chains[i].count = out + inward;
    }
}

static void take(struct virtqueue *q) {
    uint32_t n;
    char *token = virtqueue_take(q, &n);
    if (!token)
        return;
    size_t i = (size_t)(token - tokens);
    assert(i < TOKENS && chains[i].underway && n <= chains[i].writable);
    chains[i].underway = false;
}

static void give_back(uint16_t head, uint32_t length) {
    struct vring_used_elem *e = &shared.used->ring[shared.used->idx % shared.num];
    e->id = head;
    e->len = length;
    shared.used->idx++;
}

static void device(struct input *in, uint16_t *seen) {
    unsigned int what = next(in) % 8;
    if (what < 4 && *seen != shared.avail->idx) {
        give_back(shared.avail->ring[(*seen)++ % shared.num], next(in) << 4);
    } else if (what == 4) {
        give_back((uint16_t)(next(in) << 8 | next(in)), UINT32_MAX);
    } else if (what == 5) {
        shared.used->idx = (uint16_t)(next(in) << 8 | next(in));
    } else if (what == 6) {
        memset(shared.desc, (int)next(in), shared.num * sizeof(*shared.desc));
    } else {
        memset(shared.avail, (int)next(in), sizeof(*shared.avail) + shared.num * sizeof(uint16_t));
        shared.used->flags = (uint16_t)next(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    struct virtio_device d = {.features = next(&in) & 1 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0};
    uint16_t seen = 0;
    list_init(&d.queues);
    memset(chains, 0, sizeof(chains));
    device_max = 1u << next(&in) % 6;
    struct virtqueue *q = virtqueue_create(&d, 0, SIZE, NULL, NULL);
    assert(!IS_ERR(q) && virtqueue_size(q) <= device_max && virtqueue_size(q) <= SIZE);
    while (in.at < in.end) {
        switch (next(&in) % 8) {
        case 0:
        case 1:
            add(q, &in);
            break;
        case 2:
            virtqueue_kick(q);
            break;
        case 3:
            take(q);
            break;
        case 4:
            (void)virtqueue_want_interrupt(q);
            break;
        case 5:
            virtqueue_refuse_interrupts(q);
            break;
        default:
            device(&in, &seen);
        }
    }
    virtqueue_free_all(&d);
    return 0;
}
