// SPDX-License-Identifier: MIT
// The block device (specification 1.2, section 5.2): one request at a time, from and to one buffer.
//
// Who waits for the device can be killed; the request stays the device's then, buffer and all, and the next caller waits for its end first.
#include "arch/riscv/layout.h"
#include "core/errno.h"
#include "core/printk.h"
#include "drivers/virtio/disk.h"
#include "drivers/virtio/virtio.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/wait.h"
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#define DESCRIPTORS 4u // of a request: head, data, status; a power of 2

struct disk {
    struct virtio_disk public;
    struct virtio_device *device; // [I]
    struct virtqueue *queue;      // [I]
    struct wait_queue done;
    bool underway; // the one caller's
    char *buffer;  // [I] DISK_BUFFER bytes
    struct request {
        struct virtio_blk_outhdr head;
        uint8_t status;
    } * request; // [I] memory that the device reads and writes
};

void (*virtio_disk_found)(struct virtio_disk *disk);

static struct disk *of(struct virtio_disk *disk) {
    return container_of(disk, struct disk, public);
}

static void used(struct virtqueue *q) {
    struct disk *d = virtqueue_owner(q);
    wake_all(&d->done);
}

// Waits until the device has nothing of ours. 0, -EIO, -EINTR.
static int settle(struct disk *d) {
    uint32_t n;
    while (d->underway) {
        int err = wait_event_killable(&d->done, virtqueue_want_interrupt(d->queue));
        if (err)
            return -EINTR;
        if (virtqueue_take(d->queue, &n))
            d->underway = false;
        else if (virtqueue_is_broken(d->queue))
            return -EIO;
    }
    virtqueue_refuse_interrupts(d->queue);
    return 0;
}

void *virtio_disk_buffer(struct virtio_disk *disk, int *err) {
    struct disk *d = of(disk);
    *err = settle(d);
    return *err ? NULL : d->buffer;
}

static int perform(struct disk *d, uint32_t type, uint64_t sector, size_t n) {
    bool in = type == VIRTIO_BLK_T_IN;
    struct virtio_piece pieces[3] = {{virt_to_phys(&d->request->head), sizeof(d->request->head)}};
    unsigned int count = 1;
    int err = settle(d);
    if (err)
        return err;
    if (n)
        pieces[count++] = (struct virtio_piece){virt_to_phys(d->buffer), (uint32_t)n};
    pieces[count++] = (struct virtio_piece){virt_to_phys(&d->request->status), 1};
    d->request->head = (struct virtio_blk_outhdr){.type = type, .sector = sector};
    d->request->status = 0xff;
    unsigned int out = in ? 1 : count - 1;
    err = virtqueue_add(d->queue, pieces, out, count - out, d->request);
    if (err)
        return -EIO;
    d->underway = true;
    virtqueue_kick(d->queue);
    err = settle(d);
    return err ? err : READ_ONCE(d->request->status) == VIRTIO_BLK_S_OK ? 0 : -EIO;
}

int virtio_disk_transfer(struct virtio_disk *disk, bool write, uint64_t sector, size_t n) {
    return perform(of(disk), write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, sector, n);
}

// Without the feature what was written is on the medium at once.
int virtio_disk_flush(struct virtio_disk *disk) {
    struct disk *d = of(disk);
    return disk->write_back ? perform(d, VIRTIO_BLK_T_FLUSH, 0, 0) : settle(d);
}

// ---- finding it

static void read_config(struct disk *d) {
    uint64_t sectors = 0;
    uint32_t size = DISK_SECTOR;
    virtio_config_read(d->device, offsetof(struct virtio_blk_config, capacity), &sectors, sizeof(sectors));
    if (virtio_has(d->device, VIRTIO_BLK_F_BLK_SIZE))
        virtio_config_read(d->device, offsetof(struct virtio_blk_config, blk_size), &size, sizeof(size));
    if (size < DISK_SECTOR || size > PAGE_SIZE || size & (size - 1))
        size = DISK_SECTOR;
    d->public.block_size = size;
    d->public.sectors = MIN(sectors, (uint64_t)INT64_MAX / DISK_SECTOR) & ~(uint64_t)(size / DISK_SECTOR - 1);
    d->public.read_only = virtio_has(d->device, VIRTIO_BLK_F_RO);
    d->public.write_back = virtio_has(d->device, VIRTIO_BLK_F_FLUSH);
    d->public.index = d->device->index;
}

static int probe(struct virtio_device *device) {
    struct disk *d = kzalloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->device = device;
    wait_queue_init(&d->done);
    read_config(d);
    d->buffer = kmalloc(DISK_BUFFER);
    d->request = kmalloc(sizeof(*d->request));
    d->queue = d->buffer && d->request ? virtqueue_create(device, 0, DESCRIPTORS, used, d) : ERR_PTR(-ENOMEM);
    if (!IS_ERR(d->queue) && virtqueue_size(d->queue) < DESCRIPTORS)
        d->queue = ERR_PTR(-ENODEV);
    if (IS_ERR(d->queue)) {
        int err = PTR_ERR(d->queue);
        kfree(d->buffer);
        kfree(d->request);
        kfree(d);
        return err;
    }
    virtio_start(device);
    if (virtio_disk_found)
        virtio_disk_found(&d->public);
    return 0;
}

const struct virtio_driver virtio_blk_driver = {
    .name = "blk",
    .id = VIRTIO_ID_BLOCK,
    .features = 1ull << VIRTIO_BLK_F_RO | 1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_FLUSH,
    .probe = probe};
