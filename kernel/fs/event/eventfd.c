// SPDX-License-Identifier: MIT
// eventfd(2). The counter lies between 0 and 2^64 - 2. A read takes all of it (or 1, EFD_SEMAPHORE) and waits
// while it is 0; a write adds and waits while the sum would be more than fits.
#include "fs/event/eventfd.h"
#include "fs/event/poll.h"
#include "lib/format.h"
#include "mm/slab.h"
#include <linux/fcntl.h>

struct eventfd {
    struct spinlock lock;
    uint64_t count;  // [lock], read without
    bool semaphore;  // [I]
    unsigned int id; // [I] for people
    struct wait_queue wait;
};

static bool eventfd_take(struct eventfd *e, uint64_t *value) {
    spin_lock(&e->lock);
    *value = e->semaphore && e->count ? 1 : e->count;
    e->count -= *value;
    spin_unlock(&e->lock);
    return *value != 0;
}

static bool eventfd_add(struct eventfd *e, uint64_t value) {
    spin_lock(&e->lock);
    bool fits = UINT64_MAX - 1 - e->count >= value;
    if (fits)
        e->count += value;
    spin_unlock(&e->lock);
    return fits;
}

static ssize_t eventfd_read(struct file *f, struct uio *u, off_t *pos) {
    struct eventfd *e = f->private_data;
    uint64_t value;
    (void)pos;
    if (u->resid < sizeof(value))
        return -EINVAL;
    while (!eventfd_take(e, &value)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = wait_event_interruptible(&e->wait, READ_ONCE(e->count));
        if (err)
            return err;
    }
    wait_wake(&e->wait, 1, POLLOUT | POLLWRNORM);
    return uio_write_to(u, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct uio *u, off_t *pos) {
    struct eventfd *e = f->private_data;
    uint64_t value;
    (void)pos;
    if (u->resid < sizeof(value))
        return -EINVAL;
    if (uio_read_from(u, &value, sizeof(value)) != sizeof(value))
        return -EFAULT;
    if (value == UINT64_MAX)
        return -EINVAL;
    while (!eventfd_add(e, value)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = wait_event_interruptible(&e->wait, UINT64_MAX - 1 - READ_ONCE(e->count) >= value);
        if (err)
            return err;
    }
    wait_wake(&e->wait, 1, POLLIN | POLLRDNORM); // also of 0, as in Linux
    return sizeof(value);
}

static unsigned int eventfd_poll(struct file *f, struct poll_table *table) {
    struct eventfd *e = f->private_data;
    poll_wait(f, &e->wait, table);
    uint64_t count = READ_ONCE(e->count);
    return (count ? POLLIN | POLLRDNORM : 0) | (count < UINT64_MAX - 1 ? POLLOUT | POLLWRNORM : 0);
}

static size_t eventfd_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    struct eventfd *e = f->private_data;
    if ((*at)++)
        return 0;
    return (size_t)lib_snprintf(line, n, "eventfd-count: %16lx\neventfd-id: %u\neventfd-semaphore: %d\n",
                                (unsigned long)READ_ONCE(e->count), e->id, e->semaphore);
}

static void eventfd_release(struct file *f) {
    kfree(f->private_data);
}

static const struct file_ops eventfd_ops = {.read = eventfd_read,
                                            .write = eventfd_write,
                                            .poll = eventfd_poll,
                                            .describe = eventfd_describe,
                                            .release = eventfd_release};

struct file *eventfd_create(unsigned int count, int flags) {
    static unsigned int last_id; // [a]
    struct eventfd *e = kmalloc(sizeof(*e));
    if (!e)
        return ERR_PTR(-ENOMEM);
    spin_init(&e->lock);
    e->count = count;
    e->semaphore = flags & EVENTFD_SEMAPHORE;
    e->id = __atomic_fetch_add(&last_id, 1, __ATOMIC_RELAXED) & INT32_MAX;
    wait_queue_init(&e->wait);
    struct file *f = file_create_anon("[eventfd]", &eventfd_ops, e, O_RDWR | (flags & O_NONBLOCK));
    if (IS_ERR(f))
        kfree(e);
    return f;
}
