// SPDX-License-Identifier: MIT
// The register of character and block devices. Devices come at boot and stay.
#include "fs/dev/chrdev.h"
#include "fs/dev/devtmpfs.h"

static struct spinlock chrdev_lock = SPINLOCK_INIT;
static struct list_head chrdevs = LIST_HEAD_INIT(chrdevs); // [chrdev_lock] added to only

static bool chrdev_covers(const struct chrdev *c, dev_t dev) {
    return dev >= c->dev && dev - c->dev < (c->minors ? c->minors : 1);
}

void chrdev_register(struct chrdev *c) {
    spin_lock(&chrdev_lock);
    list_add_tail(&c->link, &chrdevs);
    spin_unlock(&chrdev_lock);
    devtmpfs_add(c);
}

static struct chrdev *chrdev_find(dev_t dev, bool block) {
    struct chrdev *c, *found = NULL;
    spin_lock(&chrdev_lock);
    list_for_each_entry (c, &chrdevs, link)
        if (c->block == block && chrdev_covers(c, dev)) {
            found = c;
            break;
        }
    spin_unlock(&chrdev_lock);
    return found;
}

int chrdev_open(struct inode *inode, struct file *f) {
    struct chrdev *c = chrdev_find(inode->rdev, S_ISBLK(inode->mode));
    if (!c)
        return -ENXIO;
    f->ops = c->ops;
    return c->open ? c->open(c, f) : 0;
}

// Entries never leave the list, so it can be walked without the lock once its next element is known.
void chrdev_for_each(bool (*fn)(struct chrdev *c, void *arg), void *arg) {
    struct list_head *at = &chrdevs;
    for (;;) {
        spin_lock(&chrdev_lock);
        at = at->next;
        spin_unlock(&chrdev_lock);
        if (at == &chrdevs || !fn(list_entry(at, struct chrdev, link), arg))
            return;
    }
}
