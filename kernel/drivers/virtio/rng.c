// SPDX-License-Identifier: MIT
// The entropy device (specification 1.2, section 5.4): what it gives at boot is stirred into the kernel's random
// numbers. It alone does not make them: it is outside. Programs may ask it for more (/dev/hwrng).
//
// One request is underway at most. Its buffer is looked at when the device has given it back, by the interrupt for the first, which
// nobody waits for, and by the reader for the others.
#include "drivers/virtio/rng.h"
#include "arch/riscv/layout.h"
#include "core/errno.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "drivers/virtio/virtio.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/wait.h"
#include <linux/virtio_ids.h>

static struct rng {
    struct virtqueue *queue; // [I] NULL: there is no such device
    struct spinlock lock;    // taken with interrupts disabled
    struct wait_queue wait;
    bool seeding;   // [l] the first request is underway, or has come back just now
    bool underway;  // [l]
    uint32_t ready; // [l] bytes that have come
    uint8_t *bytes; // [I] RNG_BYTES of them
} rng;

void (*virtio_rng_found)(void);

static void take_locked(void) {
    ASSERT_HELD(&rng.lock);
    uint32_t n;
    if (!rng.underway || !virtqueue_take(rng.queue, &n))
        return;
    rng.underway = false;
    if (!rng.seeding) {
        rng.ready = n;
        return;
    }
    rng.seeding = false;
    random_add(rng.bytes, n);
    memset(rng.bytes, 0, RNG_BYTES);
}

static void used(struct virtqueue *q) {
    (void)q;
    unsigned long flags = spin_lock_irqsave(&rng.lock);
    take_locked();
    spin_unlock_irqrestore(&rng.lock, flags);
    wake_all(&rng.wait);
}

static int ask_locked(void) {
    ASSERT_HELD(&rng.lock);
    const struct virtio_piece piece = {virt_to_phys(rng.bytes), RNG_BYTES};
    int err = virtqueue_add(rng.queue, &piece, 0, 1, rng.bytes);
    if (err)
        return -EIO;
    rng.underway = true;
    (void)virtqueue_want_interrupt(rng.queue); // nothing is there before the device is told
    virtqueue_kick(rng.queue);
    return 0;
}

// Sees to it that a request is underway unless there are bytes. 0, -EAGAIN, -EIO.
static int look(void *to, ssize_t *n) {
    int err = 0;
    unsigned long flags = spin_lock_irqsave(&rng.lock);
    take_locked();
    *n = rng.ready;
    memcpy(to, rng.bytes, rng.ready);
    memset(rng.bytes, 0, rng.ready);
    rng.ready = 0;
    if (!*n)
        err = virtqueue_is_broken(rng.queue) ? -EIO : rng.underway ? 0 : ask_locked();
    spin_unlock_irqrestore(&rng.lock, flags);
    return err ? err : *n ? 0 : -EAGAIN;
}

ssize_t virtio_rng_read(void *to, bool wait) {
    for (;;) {
        ssize_t n;
        int err = look(to, &n);
        if (!err)
            return n;
        if (err != -EAGAIN || !wait)
            return err;
        err = wait_event_interruptible(&rng.wait, !READ_ONCE(rng.underway) || virtqueue_is_broken(rng.queue));
        if (err)
            return err;
        err = cond_resched_killable(); // a device may give nothing again and again
        if (err)
            return err;
    }
}

static int probe(struct virtio_device *d) {
    if (rng.queue)
        return 0; // a second one is not needed
    struct virtqueue *q = virtqueue_create(d, 0, 1, used, NULL);
    if (IS_ERR(q))
        return PTR_ERR(q);
    uint8_t *bytes = kmalloc(RNG_BYTES);
    if (!bytes)
        return -ENOMEM;
    spin_init(&rng.lock);
    wait_queue_init(&rng.wait);
    rng.bytes = bytes;
    rng.queue = q;
    rng.seeding = true;
    virtio_start(d);
    unsigned long flags = spin_lock_irqsave(&rng.lock);
    int err = ask_locked();
    spin_unlock_irqrestore(&rng.lock, flags);
    if (!err && virtio_rng_found)
        virtio_rng_found();
    return 0;
}

const struct virtio_driver virtio_rng_driver = {.name = "rng", .id = VIRTIO_ID_RNG, .probe = probe};
