// SPDX-License-Identifier: MIT
// sysfs: what programs look for under /sys, as far as there is such a thing here: which terminal the console is, and
// the processors and memory (sysfs_cpu.c), network devices (sysfs_net.c), disks and ports (sysfs_devices.c), both of sysfs_file.c, and the device tree (sysfs_devicetree.c). A tree of fixed entries (tree.c), made when it is first mounted.
#include "fs/superblock.h"
#include "lib/format.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "procfs/private.h"
#include "sched/thread.h"
#include "tty/tty.h"
#include <linux/capability.h>
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
    {.path = "firmware/devicetree/base", .directory = &sysfs_devicetree_ops, .fops = &sysfs_devicetree_fops},
};

// ---- the file system

// Nobody writes to what cannot be stored, whatever his capabilities.
static int attribute_open(struct inode *inode, struct file *f) {
    if ((f->flags & O_ACCMODE) != O_RDONLY && !(inode->mode & 0222))
        return -EACCES;
    return proc_text_open(inode, f);
}

static int attribute_permit(struct inode *inode, int mask) {
    return proc_node(inode)->of_net ? proc_net_permit(inode, mask) : -EACCES;
}

static const struct inode_ops attribute_ops = {
    .open = attribute_open, .setattr = proc_text_setattr, .permit = attribute_permit};

// Of the first network, and of the others, which have fewer devices.
enum { FIRST, OTHERS, TREES };
#define TREE_                                                                                                \
    { .dir_mode = 0755, .file_inode_ops = &attribute_ops, .file_size = PAGE_SIZE }

static struct mutex tree_lock = MUTEX_INIT(tree_lock);
static bool complete[TREES]; // [tree_lock]
static struct proc_tree trees[TREES] = {TREE_, TREE_};

// What was there from an attempt before stays. [tree_lock]
static int fill_tree(struct proc_tree *tree, const struct fs_type *type) {
    int err = tree->root ? 0 : proc_tree_create(tree, type);
    for (size_t i = 0; !err && i < ARRAY_SIZE(entries); i++)
        err = proc_tree_add(tree, entries[i].path, &entries[i]);
    if (!err)
        err = sysfs_cpu_fill(tree);
    if (!err)
        err = sysfs_net_fill(tree, tree == &trees[FIRST]);
    return err ? err : sysfs_devices_fill(tree);
}

static int make_tree(int which, const struct fs_type *type) {
    mutex_lock(&tree_lock);
    int err = complete[which] ? 0 : fill_tree(&trees[which], type);
    complete[which] = !err;
    mutex_unlock(&tree_lock);
    return err;
}

// There are no options.
static int sysfs_option(const char *key, const char *value, void *arg) {
    (void)key, (void)value, (void)arg;
    return -EINVAL;
}

// Mounted by who is in another network it shows that, on a superblock of its own.
static struct dentry *mount_of(struct net_ns *net, const struct fs_type *type) {
    struct proc_tree *tree = kmalloc(sizeof(*tree));
    if (!tree || proc_tree_copy(tree, &trees[OTHERS], type)) {
        kfree(tree);
        return ERR_PTR(-ENOMEM);
    }
    tree->net = net_get(net);
    struct superblock *sb = tree->sb;
    struct dentry *root = proc_tree_mount(tree, NULL, NULL);
    superblock_put(sb); // the root's inode has it
    return root;
}

static struct dentry *sysfs_mount(const struct fs_type *type, const char *source, const char *options) {
    struct net_ns *net = net_current();
    int which = net == &first_net_ns ? FIRST : OTHERS;
    (void)source;
    int err =
        capable_in(net->ns.owner, CAP_SYS_ADMIN) ? fs_options_for_each(options, sysfs_option, NULL) : -EPERM;
    if (!err)
        err = make_tree(which, type);
    if (err)
        return ERR_PTR(err);
    return which == FIRST ? proc_tree_mount(&trees[FIRST], NULL, NULL) : mount_of(net, type);
}

static void sysfs_destroy(struct superblock *sb) {
    struct proc_tree *tree = sb->private_data;
    if (!tree || !tree->net) // one of those that stay, or it has just been begun
        return;
    net_put(tree->net);
    kfree(tree);
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
                                    .destroy = sysfs_destroy,
                                    .inode_free = proc_inode_free};

void sysfs_init(void) {
    fs_type_register(&sysfs_type);
}
