// SPDX-License-Identifier: MIT
// Character devices, and block devices, which have numbers of their own: numbers, operations, names in /dev.
#pragma once
#include "fs/file.h"

struct chrdev {
    dev_t dev;           // the first number
    unsigned int minors; // how many from there on; 0: one
    const char *name;    // in devtmpfs (one minor only), NULL: none
    const char *driver;  // in /proc/devices, NULL: not listed
    mode_t mode;         // permissions in devtmpfs
    bool block;          // it is a block device
    // Called at open with f->inode set and f->ops == ops; may change f->ops and private_data. NULL: nothing
    // to do.
    int (*open)(struct chrdev *c, struct file *f);
    const struct file_ops *ops;
    struct list_head link;
};
// Makes it openable through any node of its number and shows it in devtmpfs. For good.
void chrdev_register(struct chrdev *c);
// The open of a device node. Sets f->ops. -ENXIO if there is no such device.
int __must_check chrdev_open(struct inode *inode, struct file *f);
// Calls fn for every device registered, in order of registration, until it returns false.
void chrdev_for_each(bool (*fn)(struct chrdev *c, void *arg), void *arg);

void memdev_init(void); // null, zero, full, random, urandom
void kmsg_init(void);
void vport_init(void); // /dev/vport0p1 and on, as the host has them
// What the host calls such a port, "" until it says so; NULL: it is none.
const char *vport_label(const struct chrdev *c);
void disk_init(void);  // /dev/vda, /dev/vda1 and on
void rtc_init(void);   // /dev/rtc0, if there is a clock
void hwrng_init(void); // /dev/hwrng, if there is an entropy device
#ifdef CONFIG_DEBUG
void late_init(void);
#else
static inline void late_init(void) {}
#endif
