// SPDX-License-Identifier: MIT
// Split virtqueues: specification 1.2, section 2.7. A table of descriptors, a ring in which the driver makes chains of them
// available, and a ring in which the device gives them back.
//
// The device can write to all three. So the links between descriptors, the free list and what a chain holds are kept in
// `slots`, which it cannot reach, and its own writes, an index and for each chain a number and a length, are looked at once
// and checked.
#include "arch/riscv/cpu.h"
#include "core/errno.h"
#include "core/printk.h"
#include "drivers/virtio/queue.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

struct slot {
    void *token;       // of the chain that begins here, NULL: none does
    uint32_t writable; // bytes of it that the device may write
    uint16_t count;    // descriptors of it
    uint16_t next;     // in the chain, or in the free list
};

struct virtqueue {
    struct virtio_device *device; // [I]
    struct list_head link;        // [I] in the device's list
    unsigned int index;           // [I] the device's number for it
    void (*used)(struct virtqueue *q);
    void *owner;         // [I] the driver's
    struct vring ring;   // [I] the shared memory
    struct page *memory; // [I] the same
    struct slot *slots;  // one for each descriptor
    uint16_t free, room; // the first free descriptor, and how many are
    uint16_t added;      // chains ever made available
    uint16_t told;       // of which the device has been told
    uint16_t taken;      // chains ever taken back
    bool event_index;    // [I] each side names the chain it wants to be told of
    bool broken;
};

static unsigned int memory_order(unsigned int size) {
    size_t bytes = vring_size(size, VIRTIO_RING_ALIGN);
    unsigned int order = 0;
    while ((size_t)PAGE_SIZE << order < bytes)
        order++;
    return order;
}

static void link_free(struct virtqueue *q) {
    for (unsigned int i = 0; i < q->ring.num; i++)
        q->slots[i] = (struct slot){.next = (uint16_t)(i + 1)};
    q->free = 0;
    q->room = (uint16_t)q->ring.num;
}

static void free_queue(struct virtqueue *q) {
    if (q->memory)
        page_free(q->memory);
    kfree(q->slots);
    kfree(q);
}

static int show_to_device(struct virtqueue *q) {
    paddr_t base = page_to_phys(q->memory);
    const char *start = page_address(q->memory);
    struct virtqueue_rings rings = {base, base + (paddr_t)((const char *)q->ring.avail - start),
                                    base + (paddr_t)((const char *)q->ring.used - start)};
    return virtio_queue_set(q->device, q->index, q->ring.num, &rings);
}

struct virtqueue *virtqueue_create(struct virtio_device *d, unsigned int index, unsigned int size,
                                   void (*used)(struct virtqueue *q), void *owner) {
    unsigned int most = virtio_queue_max(d, index);
    while (size > most)
        size /= 2;
    if (!size)
        return ERR_PTR(-ENODEV);
    struct virtqueue *q = kzalloc(sizeof(*q));
    if (!q)
        return ERR_PTR(-ENOMEM);
    q->device = d;
    q->index = index;
    q->used = used;
    q->owner = owner;
    q->event_index = virtio_has(d, VIRTIO_RING_F_EVENT_IDX);
    q->memory = page_alloc(memory_order(size), ALLOC_ZERO);
    q->slots = kmalloc(size * sizeof(*q->slots));
    if (!q->memory || !q->slots) {
        free_queue(q);
        return ERR_PTR(-ENOMEM);
    }
    vring_init(&q->ring, size, page_address(q->memory), VIRTIO_RING_ALIGN);
    link_free(q);
    virtqueue_refuse_interrupts(q);
    int err = show_to_device(q);
    if (err) {
        free_queue(q);
        return ERR_PTR(err);
    }
    list_add_tail(&q->link, &d->queues);
    return q;
}

void virtqueue_free_all(struct virtio_device *d) {
    struct virtqueue *q, *next;
    list_for_each_entry_safe (q, next, &d->queues, link) {
        list_del(&q->link);
        free_queue(q);
    }
}

void *virtqueue_owner(const struct virtqueue *q) {
    return q->owner;
}

bool virtqueue_is_broken(const struct virtqueue *q) {
    return READ_ONCE(q->broken);
}

unsigned int virtqueue_size(const struct virtqueue *q) {
    return q->ring.num;
}

// ---- to the device

static void fill(struct virtqueue *q, uint16_t at, const struct virtio_piece *piece, bool writable,
                 bool more) {
    q->ring.desc[at] = (struct vring_desc){
        .addr = piece->address,
        .len = piece->length,
        .flags = (uint16_t)((writable ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0)),
        .next = more ? q->slots[at].next : 0,
    };
}

int virtqueue_add(struct virtqueue *q, const struct virtio_piece *pieces, unsigned int out, unsigned int in,
                  void *token) {
    unsigned int count = out + in;
    uint16_t head = q->free, at = head;
    uint32_t writable = 0;
    if (q->broken)
        return -EIO;
    if (count > q->room)
        return -ENOSPC;
    for (unsigned int i = 0; i < count; i++) {
        fill(q, at, &pieces[i], i >= out, i + 1 < count);
        writable += i >= out ? pieces[i].length : 0;
        if (i + 1 < count)
            at = q->slots[at].next;
    }
    q->free = q->slots[at].next;
    q->room -= (uint16_t)count;
    q->slots[head].token = token;
    q->slots[head].writable = writable;
    q->slots[head].count = (uint16_t)count;
    q->ring.avail->ring[q->added % q->ring.num] = head;
    __atomic_store_n(&q->ring.avail->idx, ++q->added, __ATOMIC_RELEASE);
    return 0;
}

static bool wants_to_be_told(const struct virtqueue *q) {
    if (q->event_index)
        return vring_need_event(READ_ONCE(vring_avail_event(&q->ring)), q->added, q->told);
    return !(READ_ONCE(q->ring.used->flags) & VRING_USED_F_NO_NOTIFY);
}

unsigned int virtqueue_untold(const struct virtqueue *q) {
    return (uint16_t)(q->added - q->told);
}

void virtqueue_kick(struct virtqueue *q) {
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); // what was added is seen before we look whether the device asks for it
    bool tell = q->added != q->told && wants_to_be_told(q) && !q->broken;
    q->told = q->added;
    if (tell) {
        fence_io();
        virtio_queue_notify(q->device, q->index);
    }
}

void virtqueue_remind(struct virtqueue *q) {
    if (q->broken)
        return;
    fence_io();
    virtio_queue_notify(q->device, q->index);
}

// ---- from the device

static void *break_queue(struct virtqueue *q, const char *why) {
    pr_err("virtio: queue %u: %s; it is not used any more", q->index, why);
    WRITE_ONCE(q->broken, true);
    return NULL;
}

static void *free_chain(struct virtqueue *q, uint16_t head) {
    struct slot *s = &q->slots[head];
    void *token = s->token;
    uint16_t last = head;
    for (unsigned int i = 1; i < s->count; i++)
        last = q->slots[last].next;
    q->slots[last].next = q->free;
    q->free = head;
    q->room += s->count;
    s->token = NULL;
    return token;
}

void *virtqueue_take(struct virtqueue *q, uint32_t *written) {
    if (q->broken || __atomic_load_n(&q->ring.used->idx, __ATOMIC_ACQUIRE) == q->taken)
        return NULL;
    const struct vring_used_elem *e = &q->ring.used->ring[q->taken % q->ring.num];
    uint32_t head = READ_ONCE(e->id), length = READ_ONCE(e->len);
    if (head >= q->ring.num || !q->slots[head].token)
        return break_queue(q, "the device gave back what it was not given");
    q->taken++;
    *written = MIN(length, q->slots[head].writable);
    return free_chain(q, (uint16_t)head);
}

// ---- interrupts

bool virtqueue_want_interrupt(struct virtqueue *q) {
    WRITE_ONCE(q->ring.avail->flags, 0);
    WRITE_ONCE(vring_used_event(&q->ring), q->taken);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the wish is seen before we look a last time
    return q->broken || READ_ONCE(q->ring.used->idx) != q->taken;
}

// With event indices: the one that is furthest away.
void virtqueue_refuse_interrupts(struct virtqueue *q) {
    WRITE_ONCE(q->ring.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
    WRITE_ONCE(vring_used_event(&q->ring), (uint16_t)(q->taken - 1));
}

void virtqueue_interrupt(struct virtio_device *d) {
    struct virtqueue *q;
    list_for_each_entry (q, &d->queues, link)
        if (q->used && READ_ONCE(q->ring.used->idx) != READ_ONCE(q->taken))
            q->used(q);
}
