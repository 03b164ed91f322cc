// SPDX-License-Identifier: MIT
// Character devices: numbers, operations, names in /dev.
#pragma once
#include "fs/file.h"

struct chrdev {
    dev_t dev;
    const char *name; // in devtmpfs, NULL: none
    mode_t mode;      // permissions there
    // Called at open with f->inode set; may change f->ops and private_data. NULL: nothing to do.
    int (*open)(struct chrdev *c, struct file *f);
    const struct file_ops *ops;
    struct list_head link;
};
// Makes it openable through any node of its number and shows it in devtmpfs.
void chrdev_register(struct chrdev *c);
int chrdev_open(struct inode *inode, struct file *f); // -ENXIO if there is none
