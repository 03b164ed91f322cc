// SPDX-License-Identifier: MIT
// What the files of procfs share: tree.c (fixed entries) and text.c (files of generated text), of which
// sysfs.c is made as well; procfs.c (the root), machine.c and sysctl.c (the files about the machine).
#pragma once
#include "fs/superblock.h"
#include "procfs/procfs.h"

// text.c: the ops of regular files whose inode stands for a proc_node.
extern const struct inode_ops proc_file_inode_ops;
extern const struct file_ops proc_file_ops;
// Of regular files that bring their own file_ops.
extern const struct inode_ops proc_raw_inode_ops;
// The same by themselves, for a file system that asks more.
int proc_text_open(struct inode *inode, struct file *f);

#define PROC_ROOT_INO 1

// A file system of fixed entries. Its superblock's private_data is the tree.
struct proc_tree {
    struct superblock *sb;
    struct proc_item *root;
    mode_t dir_mode;                        // of directories below the root
    const struct inode_ops *file_inode_ops; // of files of generated text
    off_t file_size;                        // what stat(2) says of them
    struct pid_ns *pids;                    // procfs: whose processes are shown; a reference
    struct net_ns
        *net; // sysfs: whose devices are shown; a reference. NULL: the first's; procfs: the reader's
};
// Makes the superblock and the root (0555) of a tree whose other fields are set. -ENOMEM.
int __must_check proc_tree_create(struct proc_tree *tree, const struct fs_type *type);
// The entry e, or a directory (NULL), at `path` and the directories above it. `e` is kept. -ENOMEM; -EEXIST: what is there, another
// entry, stays.
int __must_check proc_tree_add(struct proc_tree *tree, const char *path, const struct proc_entry *e);
// Another superblock that shows the same; *copy is the tree's for it. -ENOMEM.
int __must_check proc_tree_copy(struct proc_tree *copy, const struct proc_tree *of,
                                const struct fs_type *type);
// A root dentry, whose inode has these operations instead of a directory's own (NULL: not).
struct dentry *__must_check proc_tree_mount(struct proc_tree *tree, const struct inode_ops *ops,
                                            const struct file_ops *fops);
// A directory's own operations. Emit is false when there is no more room.
int proc_tree_lookup(struct inode *dir, struct dentry *d);
bool proc_tree_emit(const struct inode *dir, struct dir_context *ctx);
void proc_inode_free(struct inode *inode); // of the fs_type
// Whose network a file of the tree is about, where it is about one.
struct net_ns *proc_inode_net(const struct inode *inode);
// inode_ops.permit: of a file with store_net.
int proc_net_permit(struct inode *inode, int mask);
static inline unsigned int proc_dirent_type(mode_t mode) {
    return (mode & S_IFMT) >> 12;
}

// Registers each of the n entries; panics without memory (boot).
void proc_register_all(const struct proc_entry *entries, size_t n);
// Zeros until the layer above has registered the processes.
struct proc_counts proc_get_counts(void);
void proc_files_init(void);
void proc_sys_init(void);
void proc_events_init(void);
void proc_tty_init(void);
// procfs's own, once it has been made.
extern struct proc_tree proc_tree;
void proc_net_init(void);
void proc_ipc_init(void);
void proc_keys_init(void);
// Harts and memory, network devices, in sysfs's tree. -ENOMEM.
int __must_check sysfs_cpu_fill(struct proc_tree *tree);
int __must_check sysfs_net_fill(struct proc_tree *tree, bool all); // not all: loopback alone
// Disks and partitions, and the ports of virtio console devices. -ENOMEM.
int __must_check sysfs_devices_fill(struct proc_tree *tree);
// The root of the device tree as a directory.
extern const struct inode_ops sysfs_devicetree_ops;
extern const struct file_ops sysfs_devicetree_fops;
// The 17 numbers and the end of a line of diskstats.
struct disk_counts;
void proc_disk_counts(struct seq_buf *s, const struct disk_counts *counts);
void proc_net_add(const struct proc_entry *entries, size_t n); // as proc_register_all(), in /proc/PID/net
void proc_net_devices_init(void);
void proc_net_inet_init(void);
void proc_sys_net_init(void);

// A line of /proc/locks.
struct file_lock_info;
void file_lock_show(struct seq_buf *s, unsigned long number, const struct file_lock_info *l);

// ---- /proc/sys: fixed text, and numbers that can be stored (sysctl.c)

struct proc_number {
    unsigned long *at;
    unsigned long low, high; // what may be stored
};
int proc_show_text(struct seq_buf *s, void *text);
int proc_show_number(struct seq_buf *s, void *number);
ssize_t proc_store_number(const char *text, size_t n, void *number);
// The number at the start of `text`; -EINVAL if there is none or something else follows it on the line.
long proc_parse_number(const char *text, unsigned long *out);
// Up to `most` of them, with blanks between, each at most INT32_MAX. How many there are; -EINVAL: none.
int proc_parse_numbers(const char *text, unsigned long *out, int most);

#define PROC_NUMBER(path_, at_, low_, high_)                                                                 \
    {                                                                                                        \
        .path = "sys/" path_, .mode = 0644, .show = proc_show_number, .store = proc_store_number,            \
        .arg = &(struct proc_number) {                                                                       \
            at_, low_, high_                                                                                 \
        }                                                                                                    \
    }
#define PROC_TEXT(path_, text_)                                                                              \
    { .path = "sys/" path_, .show = proc_show_text, .arg = (void *)(text_) }
