// SPDX-License-Identifier: MIT
// Files and links of devices in sysfs, which are made for each device there is when sysfs is first mounted and kept for good.
#pragma once
#include "procfs/private.h"

#define SYSFS_PATH 96 // bytes of a path or a target, with the NUL

struct sysfs_file {
    struct proc_entry entry; // its show and store get the file
    void *device;
    const void *attribute; // what it is of the device; its kind's
    char path[];           // and a link's target behind it
};

struct sysfs_filling {
    struct proc_tree *tree;
    int err; // once set, nothing more is added
};

typedef int sysfs_show(struct seq_buf *s, void *file);
typedef ssize_t sysfs_store(const char *text, size_t n, void *file);

// At directory/name. Without `store` it is not writable.
void sysfs_add_file(struct sysfs_filling *t, const char *directory, const char *name, sysfs_show *show,
                    sysfs_store *store, void *device, const void *attribute);
// The same, of a device of a network's (proc_entry.store_net).
typedef ssize_t sysfs_store_net(struct net_ns *net, const char *text, size_t n, void *file);
void sysfs_add_file_of_net(struct sysfs_filling *t, const char *directory, const char *name, sysfs_show *show,
                           sysfs_store_net *store, void *device, const void *attribute);
// One that always says the same.
void sysfs_add_text(struct sysfs_filling *t, const char *directory, const char *name, const char *text);
// A link to `up` and `to`, the place of the link being formatted.
void __printf(4, 5)
    sysfs_add_link(struct sysfs_filling *t, const char *up, const char *to, const char *path, ...);
