// SPDX-License-Identifier: MIT
// /dev/hwrng: what the entropy device makes, as it is. Reading waits for it; /dev/random does not.
#include "core/errno.h"
#include "drivers/virtio/rng.h"
#include "fs/dev/chrdev.h"
#include "lib/string.h"
#include "sched/wait.h"
#include <linux/fcntl.h>

#define MISC_MAJOR  10
#define HWRNG_MINOR 183

static struct mutex hwrng_mutex; // one reader at a time

// Up to what the device gives at once. Bytes, or -errno.
static ssize_t read_some(struct uio *u, bool wait) {
    uint8_t bytes[RNG_BYTES];
    ssize_t n = mutex_lock_killable(&hwrng_mutex);
    if (n)
        return n;
    n = virtio_rng_read(bytes, wait);
    mutex_unlock(&hwrng_mutex);
    if (n <= 0)
        return n;
    size_t copied = uio_write_to(u, bytes, MIN((size_t)n, u->resid));
    memset(bytes, 0, sizeof(bytes));
    __asm__ volatile("" ::"r"(bytes) : "memory"); // the clearing is not left out
    return copied ? (ssize_t)copied : -EFAULT;
}

static ssize_t hwrng_read(struct file *f, struct uio *u, off_t *pos) {
    ssize_t done = 0, n = 0;
    (void)pos;
    while (u->resid && (n = read_some(u, !(f->flags & O_NONBLOCK))) > 0) {
        done += n;
        if (u->resid && signal_pending())
            break;
        cond_resched();
    }
    return done ? done : n;
}

static const struct file_ops ops = {.read = hwrng_read};

static void found(void) {
    static struct chrdev device = {
        .dev = MKDEV(MISC_MAJOR, HWRNG_MINOR), .name = "hwrng", .driver = "misc", .mode = 0600, .ops = &ops};
    mutex_init(&hwrng_mutex);
    chrdev_register(&device);
}

void hwrng_init(void) {
    virtio_rng_found = found;
}
