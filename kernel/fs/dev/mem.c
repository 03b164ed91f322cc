// SPDX-License-Identifier: MIT
// The devices of major number 1: null(4), full(4), random(4). /dev/kmsg is kmsg.c's.
#include "arch/riscv/layout.h"
#include "core/random.h"
#include "fs/dev/chrdev.h"
#include "fs/event/poll.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/string.h"
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/mman.h>

static ssize_t null_read(struct file *f, struct uio *u, off_t *pos) {
    (void)f, (void)u, (void)pos;
    return 0;
}

static ssize_t null_write(struct file *f, struct uio *u, off_t *pos) {
    (void)f, (void)pos;
    return u->resid;
}

static off_t null_lseek(struct file *f, off_t offset, int whence) {
    (void)offset, (void)whence;
    return f->pos = 0;
}

static ssize_t zero_read(struct file *f, struct uio *u, off_t *pos) {
    size_t done = 0;
    (void)f, (void)pos;
    while (u->resid) {
        size_t n = MIN(u->resid, (size_t)16 * PAGE_SIZE), copied = uio_zero(u, n);
        done += copied;
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
        if (!u->resid)
            break;
        if (signal_pending())
            return done;
        cond_resched();
    }
    return done;
}

// Private: anonymous memory. Shared: anonymous memory that is shared.
static int zero_mmap(struct file *f, struct vm_map_args *args) {
    (void)f;
    args->backing = NULL;
    if (!(args->flags & MAP_SHARED))
        return 0;
    struct file *shared = tmpfs_create_anon("dev/zero", ALIGN_UP(args->length, (unsigned long)PAGE_SIZE), 0);
    if (IS_ERR(shared))
        return PTR_ERR(shared);
    args->file = shared;
    args->backing = shared->backing;
    args->pgoff = 0;
    return 0;
}

static ssize_t full_write(struct file *f, struct uio *u, off_t *pos) {
    (void)f, (void)u, (void)pos;
    return -ENOSPC;
}

static ssize_t random_read(struct file *f, struct uio *u, off_t *pos) {
    uint8_t chunk[256];
    size_t done = 0;
    (void)f, (void)pos;
    while (u->resid) {
        size_t n = MIN(u->resid, sizeof(chunk));
        random_bytes(chunk, n);
        size_t copied = uio_write_to(u, chunk, n);
        done += copied;
        if (copied < n) {
            if (!done)
                return -EFAULT;
            break;
        }
        if (u->resid && signal_pending())
            break;
        cond_resched();
    }
    memset(chunk, 0, sizeof(chunk));
    __asm__ volatile("" ::"r"(chunk) : "memory"); // the clearing is not left out
    return done;
}

static ssize_t random_write(struct file *f, struct uio *u, off_t *pos) {
    uint8_t chunk[256];
    size_t done = 0;
    (void)f, (void)pos;
    while (u->resid) {
        size_t n = MIN(u->resid, sizeof(chunk)), copied = uio_read_from(u, chunk, n);
        random_add(chunk, copied);
        done += copied;
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
        if (cond_resched_killable())
            break;
    }
    return done;
}

// ---- the table

static const struct file_ops null_ops = {.read = null_read, .write = null_write, .lseek = null_lseek};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = null_write, .lseek = null_lseek, .mmap = zero_mmap};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .lseek = null_lseek};
// random(4) is readable once it has enough to start from, which it has from the beginning; urandom(4) has no readiness to wait for.
static unsigned int random_poll(struct file *f, struct poll_table *table) {
    (void)f, (void)table;
    return POLLIN | POLLRDNORM;
}

static const struct file_ops random_ops = {
    .read = random_read, .write = random_write, .lseek = null_lseek, .poll = random_poll};
static const struct file_ops urandom_ops = {.read = random_read, .write = random_write, .lseek = null_lseek};

static struct chrdev memory_devices[] = {
    {.dev = MKDEV(MEM_MAJOR, 3), .name = "null", .mode = 0666, .ops = &null_ops, .driver = "mem"},
    {.dev = MKDEV(MEM_MAJOR, 5), .name = "zero", .mode = 0666, .ops = &zero_ops},
    {.dev = MKDEV(MEM_MAJOR, 7), .name = "full", .mode = 0666, .ops = &full_ops},
    {.dev = MKDEV(MEM_MAJOR, 8), .name = "random", .mode = 0666, .ops = &random_ops},
    {.dev = MKDEV(MEM_MAJOR, 9), .name = "urandom", .mode = 0666, .ops = &urandom_ops},
};

void memdev_init(void) {
    for (size_t i = 0; i < ARRAY_SIZE(memory_devices); i++)
        chrdev_register(&memory_devices[i]);
}
