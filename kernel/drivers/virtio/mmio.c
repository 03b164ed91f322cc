// SPDX-License-Identifier: MIT
// Virtio devices behind memory-mapped registers, `virtio,mmio` in the device tree: specification 1.2, section 4.2.2, and
// 4.2.4 for the layout before 1.0. Both sides are little-endian.
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "core/errno.h"
#include "core/fdt.h"
#include "core/irq.h"
#include "core/printk.h"
#include "drivers/virtio/queue.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#define MAGIC          0x74726976u // "virt"
#define LEGACY_VERSION 1
#define VERSION        2
#define CONFIG_TRIES   16

static const struct virtio_driver *const drivers[] = {
    &virtio_rng_driver, &virtio_console_driver, &virtio_net_driver, &virtio_blk_driver, &virtio_9p_driver};

static uint32_t get(const struct virtio_device *d, unsigned int reg) {
    return *(volatile uint32_t *)(d->base + reg);
}

static void set(struct virtio_device *d, unsigned int reg, uint32_t v) {
    *(volatile uint32_t *)(d->base + reg) = v;
}

static void set_pair(struct virtio_device *d, unsigned int low, paddr_t v) {
    set(d, low, (uint32_t)v);
    set(d, low + 4, (uint32_t)(v >> 32));
}

// ---- queues

unsigned int virtio_queue_max(struct virtio_device *d, unsigned int index) {
    set(d, VIRTIO_MMIO_QUEUE_SEL, index);
    return get(d, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

int virtio_queue_set(struct virtio_device *d, unsigned int index, unsigned int size,
                     const struct virtqueue_rings *rings) {
    set(d, VIRTIO_MMIO_QUEUE_SEL, index);
    set(d, VIRTIO_MMIO_QUEUE_NUM, size);
    if (d->legacy) {
        if (rings->descriptors >> PAGE_SHIFT > UINT32_MAX)
            return -EINVAL;
        set(d, VIRTIO_MMIO_QUEUE_ALIGN, VIRTIO_RING_ALIGN);
        set(d, VIRTIO_MMIO_QUEUE_PFN, (uint32_t)(rings->descriptors >> PAGE_SHIFT));
        return 0;
    }
    set_pair(d, VIRTIO_MMIO_QUEUE_DESC_LOW, rings->descriptors);
    set_pair(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, rings->available);
    set_pair(d, VIRTIO_MMIO_QUEUE_USED_LOW, rings->used);
    set(d, VIRTIO_MMIO_QUEUE_READY, 1);
    return 0;
}

void virtio_queue_notify(struct virtio_device *d, unsigned int index) {
    set(d, VIRTIO_MMIO_QUEUE_NOTIFY, index);
}

// ---- the configuration space

static void config_copy(const struct virtio_device *d, unsigned int offset, void *to, size_t n) {
    const volatile uint8_t *from = d->base + VIRTIO_MMIO_CONFIG + offset;
    if (n == sizeof(uint32_t))
        *(uint32_t *)to = *(const volatile uint32_t *)from;
    else if (n == sizeof(uint16_t))
        *(uint16_t *)to = *(const volatile uint16_t *)from;
    else
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)to)[i] = from[i];
}

// A device that changes it all the time gets what it deserves after a few tries.
void virtio_config_read(struct virtio_device *d, unsigned int offset, void *to, size_t n) {
    for (int tries = 0; tries < CONFIG_TRIES; tries++) {
        uint32_t generation = d->legacy ? 0 : get(d, VIRTIO_MMIO_CONFIG_GENERATION);
        config_copy(d, offset, to, n);
        if (d->legacy || get(d, VIRTIO_MMIO_CONFIG_GENERATION) == generation)
            return;
    }
}

// ---- life

static void add_status(struct virtio_device *d, uint32_t bit) {
    set(d, VIRTIO_MMIO_STATUS, get(d, VIRTIO_MMIO_STATUS) | bit);
}

static uint32_t offered(struct virtio_device *d, uint32_t half) {
    set(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
    return get(d, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void accept(struct virtio_device *d, uint32_t half) {
    set(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
    set(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(d->features >> 32 * half));
}

static int agree_on_features(struct virtio_device *d, uint64_t known) {
    const uint64_t version_1 = 1ull << VIRTIO_F_VERSION_1;
    known |= 1ull << VIRTIO_RING_F_EVENT_IDX;
    d->features = offered(d, 0) & known;
    if (!d->legacy)
        d->features |= ((uint64_t)offered(d, 1) << 32) & (known | version_1);
    accept(d, 0);
    if (d->legacy)
        return 0;
    accept(d, 1);
    add_status(d, VIRTIO_CONFIG_S_FEATURES_OK);
    return (d->features & version_1) && (get(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK) ? 0
                                                                                                   : -ENODEV;
}

static void interrupt(void *arg) {
    struct virtio_device *d = arg;
    uint32_t why = get(d, VIRTIO_MMIO_INTERRUPT_STATUS);
    set(d, VIRTIO_MMIO_INTERRUPT_ACK, why);
    if (!__atomic_load_n(&d->started, __ATOMIC_ACQUIRE))
        return;
    if (why & VIRTIO_MMIO_INT_VRING)
        virtqueue_interrupt(d);
    if ((why & VIRTIO_MMIO_INT_CONFIG) && d->config_changed)
        d->config_changed(d);
}

void virtio_start(struct virtio_device *d) {
    __atomic_store_n(&d->started, true, __ATOMIC_RELEASE);
    add_status(d, VIRTIO_CONFIG_S_DRIVER_OK);
}

static int take_into_use(struct virtio_device *d, const struct virtio_driver *driver, unsigned int irq) {
    set(d, VIRTIO_MMIO_STATUS, 0);
    add_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    add_status(d, VIRTIO_CONFIG_S_DRIVER);
    if (d->legacy)
        set(d, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
    int err = agree_on_features(d, driver->features);
    if (!err)
        err = irq_register(irq, interrupt, d);
    return err ? err : driver->probe(d);
}

static void add(const struct virtio_device *found, size_t kind, unsigned int irq) {
    static unsigned int counts[ARRAY_SIZE(drivers)];
    const struct virtio_driver *driver = drivers[kind];
    struct virtio_device *d = kmalloc(sizeof(*d));
    if (!d) {
        pr_err("virtio-%s: no memory for it", driver->name);
        return;
    }
    *d = *found;
    d->index = counts[kind]++;
    list_init(&d->queues);
    int err = take_into_use(d, driver, irq);
    if (!err)
        return;
    pr_err("virtio-%s: not taken into use: error %d", driver->name, err);
    __atomic_store_n(&d->started, false, __ATOMIC_RELEASE);
    set(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FAILED);
    set(d, VIRTIO_MMIO_STATUS, 0); // it touches no memory of ours from here on
    virtqueue_free_all(d);         // `d` stays: its interrupt is registered for good
}

// QEMU shows eight places for devices, most of them empty (id 0).
static void look_at(int node) {
    struct fdt_range range;
    struct virtio_device d = {0};
    if (!fdt_reg(node, &range) || range.size < VIRTIO_MMIO_CONFIG ||
        !(d.base = arch_ioremap(range.base, range.size)) || get(&d, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC)
        return;
    uint32_t version = get(&d, VIRTIO_MMIO_VERSION);
    d.id = get(&d, VIRTIO_MMIO_DEVICE_ID);
    d.legacy = version == LEGACY_VERSION;
    if (!d.id || (!d.legacy && version != VERSION))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (drivers[i]->id == d.id)
            add(&d, i, fdt_u32(node, "interrupts", 0));
}

void virtio_init(void) {
    for (int node = -1; (node = fdt_next_compatible(node, "virtio,mmio")) >= 0;)
        look_at(node);
}
