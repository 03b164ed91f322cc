// SPDX-License-Identifier: MIT
// devtmpfs: see devtmpfs.h.
#include "fs/dev/devtmpfs.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/dentry.h"
#include "fs/superblock.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/string.h"

static struct dentry *devtmpfs_root; // [I] once made

void devtmpfs_add(struct chrdev *c) {
    if (!devtmpfs_root || !c->name)
        return;
    int err = vfs_create(devtmpfs_root, c->name, strlen(c->name), (c->block ? S_IFBLK : S_IFCHR) | c->mode,
                         c->dev, NULL);
    if (err)
        pr_err("devtmpfs: cannot make the node of %s: error %d", c->name, err);
}

static bool add_known(struct chrdev *c, void *arg) {
    (void)arg;
    devtmpfs_add(c);
    return true;
}

static struct dentry *devtmpfs_mount(const struct fs_type *type, const char *source, const char *options) {
    (void)type, (void)source;
    int err = tmpfs_check_options(options);
    if (err)
        return ERR_PTR(err);
    dentry_get(devtmpfs_root);
    return devtmpfs_root;
}

static struct fs_type devtmpfs_type = {.name = "devtmpfs",
                                       .nodev = true,
                                       .shared = true,
                                       .once = true,
                                       .has_flags = true,
                                       .handles = true,
                                       .mount = devtmpfs_mount,
                                       .statfs = tmpfs_statfs,
                                       .destroy = tmpfs_destroy,
                                       .inode_free = tmpfs_inode_free,
                                       .show_options = tmpfs_show_options,
                                       .remount = tmpfs_remount};

void devtmpfs_init(void) {
    devtmpfs_root = tmpfs_create_instance(&devtmpfs_type, "mode=0755");
    if (IS_ERR(devtmpfs_root))
        panic("no memory for /dev");
    fs_type_register(&devtmpfs_type);
    chrdev_for_each(add_known, NULL);
}
