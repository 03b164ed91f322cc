// SPDX-License-Identifier: MIT
// sysfs: what programs look for under /sys, as far as there is such a thing here: which terminal the console is, and
// the processors and memory (sysfs_cpu.c), network devices (sysfs_net.c), disks and ports (sysfs_devices.c), both of sysfs_file.c. A tree of fixed entries (tree.c), made when it is first mounted.
#include "fs/superblock.h"
#include "lib/format.h"
#include "procfs/private.h"
#include "sched/thread.h"
#include "tty/tty.h"
#include <linux/fcntl.h>
#include <linux/magic.h>

// ---- what the files say

// /dev/console as one of the terminals.
static int show_active(struct seq_buf *s, void *arg) {
    const char *name = tty_console_name();
    (void)arg;
    if (name)
        seq_printf(s, "%s\n", name);
    return 0;
}

static const char *console_link(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    (void)buf, (void)n, (void)tree, (void)arg;
    return "../../devices/virtual/tty/console";
}

static const struct proc_entry entries[] = {
    {.path = "kernel/cpu_byteorder", .show = proc_show_text, .arg = "little"},
    {.path = "kernel/address_bits", .show = proc_show_text, .arg = "64"},
    {.path = "class/tty/console", .link = console_link},
    {.path = "devices/virtual/tty/console/active", .show = show_active},
};

// ---- the file system

// Nobody writes to what cannot be stored, whatever his capabilities.
static int attribute_open(struct inode *inode, struct file *f) {
    if ((f->flags & O_ACCMODE) != O_RDONLY && !(inode->mode & 0222))
        return -EACCES;
    return proc_text_open(inode, f);
}

static const struct inode_ops attribute_ops = {.open = attribute_open, .setattr = proc_text_setattr};

static struct mutex tree_lock = MUTEX_INIT(tree_lock);
static bool complete; // [tree_lock]
static struct proc_tree tree = {.dir_mode = 0755, .file_inode_ops = &attribute_ops, .file_size = PAGE_SIZE};

// What was there from an attempt before stays. [tree_lock]
static int fill_tree(const struct fs_type *type) {
    int err = tree.root ? 0 : proc_tree_create(&tree, type);
    for (size_t i = 0; !err && i < ARRAY_SIZE(entries); i++)
        err = proc_tree_add(&tree, entries[i].path, &entries[i]);
    if (!err)
        err = sysfs_cpu_fill(&tree);
    if (!err)
        err = sysfs_net_fill(&tree);
    return err ? err : sysfs_devices_fill(&tree);
}

// There are no options.
static int sysfs_option(const char *key, const char *value, void *arg) {
    (void)key, (void)value, (void)arg;
    return -EINVAL;
}

static struct dentry *sysfs_mount(const struct fs_type *type, const char *source, const char *options) {
    (void)source;
    int err = fs_options_for_each(options, sysfs_option, NULL);
    if (err)
        return ERR_PTR(err);
    mutex_lock(&tree_lock);
    err = complete ? 0 : fill_tree(type);
    complete = !err;
    mutex_unlock(&tree_lock);
    return err ? ERR_PTR(err) : proc_tree_mount(&tree, NULL, NULL);
}

static int sysfs_statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = SYSFS_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static struct fs_type sysfs_type = {.name = "sysfs",
                                    .nodev = true,
                                    .shared = true,
                                    .for_seers = true,
                                    .mount = sysfs_mount,
                                    .statfs = sysfs_statfs,
                                    .inode_free = proc_inode_free};

void sysfs_init(void) {
    fs_type_register(&sysfs_type);
}
