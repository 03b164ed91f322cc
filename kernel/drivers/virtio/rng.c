// SPDX-License-Identifier: MIT
// The entropy device (specification 1.2, section 5.4): what it gives at boot is stirred into the kernel's random
// numbers. It alone does not make them: it is outside.
#include "arch/riscv/layout.h"
#include "core/errno.h"
#include "core/random.h"
#include "drivers/virtio/virtio.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/virtio_ids.h>

#define SEED_SIZE 64

static void seeded(struct virtqueue *q) {
    uint32_t n;
    uint8_t *seed = virtqueue_take(q, &n);
    if (!seed)
        return;
    random_add(seed, n);
    memset(seed, 0, SEED_SIZE);
    kfree(seed);
}

static int probe(struct virtio_device *d) {
    struct virtqueue *q = virtqueue_create(d, 0, 1, seeded, NULL);
    if (IS_ERR(q))
        return PTR_ERR(q);
    uint8_t *seed = kmalloc(SEED_SIZE);
    if (!seed)
        return -ENOMEM;
    const struct virtio_piece piece = {virt_to_phys(seed), SEED_SIZE};
    int err = virtqueue_add(q, &piece, 0, 1, seed);
    if (err) {
        kfree(seed);
        return err;
    }
    virtqueue_want_interrupt(q);
    virtio_start(d);
    virtqueue_kick(q);
    return 0;
}

const struct virtio_driver virtio_rng_driver = {.name = "rng", .id = VIRTIO_ID_RNG, .probe = probe};
