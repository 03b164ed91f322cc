// SPDX-License-Identifier: MIT
// sysfs: what programs look for under /sys, as far as there is such a thing here: which terminal the console is, and
// the processors, network devices (sysfs_net.c). A tree of fixed entries (tree.c), made when it is first mounted.
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

// The bits that are set: "0-2,5".
static void show_bits(struct seq_buf *s, uint64_t bits) {
    const char *comma = "";
    for (unsigned int first = 0, last; bits; bits &= ~0ull << last << 1, comma = ",") {
        first = last = __builtin_ctzll(bits);
        while (last < 63 && bits >> (last + 1) & 1)
            last++;
        seq_printf(s, first == last ? "%s%u" : "%s%u-%u", comma, first, last);
    }
    seq_puts(s, "\n");
}

static uint64_t all_harts(void) {
    return ~0ull >> (64 - hart_count);
}

static int show_online(struct seq_buf *s, void *arg) {
    (void)arg;
    show_bits(s, sched_online_mask());
    return 0;
}

static int show_present(struct seq_buf *s, void *arg) {
    (void)arg;
    show_bits(s, all_harts());
    return 0;
}

static int show_kernel_max(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%d\n", MAX_HARTS - 1);
    return 0;
}

// Memory is one node, and that of all processors.
static int show_nodes(struct seq_buf *s, void *arg) {
    (void)arg;
    show_bits(s, 1);
    return 0;
}

static const char *console_link(char *buf, size_t n, void *arg) {
    (void)buf, (void)n, (void)arg;
    return "../../devices/virtual/tty/console";
}

#define CPU  "devices/system/cpu/"
#define NODE "devices/system/node/"

static const struct proc_entry entries[] = {
    {.path = "class/tty/console", .link = console_link},
    {.path = "devices/virtual/tty/console/active", .show = show_active},
    {.path = CPU "kernel_max", .show = show_kernel_max},
    {.path = CPU "online", .show = show_online},
    {.path = CPU "possible", .show = show_present},
    {.path = CPU "present", .show = show_present},
    {.path = NODE "online", .show = show_nodes},
    {.path = NODE "possible", .show = show_nodes},
    {.path = NODE "node0/cpulist", .show = show_online},
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
    char name[sizeof(CPU "cpu") + 10];
    int err = tree.root ? 0 : proc_tree_create(&tree, type);
    if (!err)
        err = proc_tree_add(&tree, "kernel", NULL);
    for (size_t i = 0; !err && i < ARRAY_SIZE(entries); i++)
        err = proc_tree_add(&tree, entries[i].path, &entries[i]);
    for (unsigned int i = 0; !err && i < hart_count; i++) {
        lib_snprintf(name, sizeof(name), CPU "cpu%u", i);
        err = proc_tree_add(&tree, name, NULL);
    }
    return err ? err : sysfs_net_fill(&tree);
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
                                    .mount = sysfs_mount,
                                    .statfs = sysfs_statfs,
                                    .inode_free = proc_inode_free};

void sysfs_init(void) {
    fs_type_register(&sysfs_type);
}
