// SPDX-License-Identifier: MIT
// procfs (and sysfs, which is made of the same) for the layers above: how to add a file to /proc, and how the per-process directories plug in.
// procfs itself knows no process.
//
// An inode of procfs stands for a `struct proc_node`, which says where its text comes from. Nodes are static,
// or embedded in something that `free` releases with the inode.
#pragma once
#include "fs/file.h"

struct net_ns;

// A growing text buffer. A regular file of procfs is generated into one at the first read and can then be
// read at any offset; reading at 0 again generates it anew.
struct seq_buf {
    char *data; // kmalloc
    size_t len, capacity;
    bool failed;        // no memory: the read returns -ENOMEM
    uint64_t ticket;    // [I] what proc_node.open() gave
    struct net_ns *net; // of files below /proc/PID/net and /sys: whose they are
};
void seq_printf(struct seq_buf *s, const char *fmt, ...) __printf(2, 3);
void seq_write(struct seq_buf *s, const void *data, size_t n);
static inline void seq_puts(struct seq_buf *s, const char *text) {
    seq_write(s, text, __builtin_strlen(text));
}
static inline void seq_char(struct seq_buf *s, char c) {
    seq_write(s, &c, 1);
}
// "%0*lx" and "%lu", for texts of many numbers.
void seq_hex(struct seq_buf *s, unsigned long value, unsigned int least_digits);
void seq_number(struct seq_buf *s, unsigned long value);
// "MemFree:         123 kB", as in /proc/meminfo.
void seq_memory(struct seq_buf *s, const char *name, uint64_t pages);
// The harts of a mask, "0-3,5"; and in hexadecimal, in words of 32 bits, for all harts there are.
void seq_harts(struct seq_buf *s, uint64_t mask);
void seq_hart_mask(struct seq_buf *s, uint64_t mask);
// A name with blanks, tabs, newlines, backslashes and the characters of `more` as \ooo (mounts, maps).
void seq_escape(struct seq_buf *s, const char *text, const char *more);

struct pid_ns;
struct proc_tree;

struct proc_node {
    // Regular files: may the caller open it? NULL: who has the permissions. *ticket is kept for show().
    int (*open)(struct proc_node *node, uint64_t *ticket);
    // Regular files. 0 or -errno. May sleep.
    int (*show)(struct seq_buf *s, struct proc_node *node);
    // A write of at most a page, NUL-terminated behind `n`. Bytes taken or -errno. NULL: not writable.
    ssize_t (*store)(struct proc_node *node, const char *text, size_t n);
    // Instead, where it matters who opened it, or which inode.
    ssize_t (*store_as)(struct proc_node *node, const char *text, size_t n, const struct file *f);
    void (*free)(struct proc_node *node); // with the last reference; NULL: nothing to do
    bool of_net;                          // proc_entry.store_net says who may write
    bool whole;                           // what is written counts as a whole: one write, less than a page
};

// A new inode of procfs, owned by root, one reference, ERR_PTR(-ENOMEM): then node->free is not called.
// `mode` with the type: regular files read node->show; directories and symlinks bring ops (lookup; readlink
// or follow), directories also fops (readdir).
struct inode *__must_check proc_inode_create(struct superblock *sb, mode_t mode, struct proc_node *node,
                                             const struct inode_ops *ops, const struct file_ops *fops);
off_t proc_lseek(struct file *f, off_t offset, int whence); // for directories
// For regular files that bring their own inode_ops: to open one with O_TRUNC does nothing.
int proc_text_setattr(struct inode *inode, const struct iattr *attr);
static inline struct proc_node *proc_node(const struct inode *inode) {
    return inode->private_data;
}

// A file or symlink at a fixed place. Directories above it appear as needed.
struct proc_entry {
    const char *path; // below /proc: "meminfo", "sys/kernel/hostname"
    mode_t mode;      // permissions; 0: 0444, or 0777 for a symlink
    int (*show)(struct seq_buf *s, void *arg);
    ssize_t (*store)(const char *text, size_t n, void *arg); // NULL: not writable
    // Instead, of a network: whose capability CAP_NET_ADMIN is over it, or who is root there, may write.
    ssize_t (*store_net)(struct net_ns *net, const char *text, size_t n, void *arg);
    // A symlink: its target, written to buf or constant; or ERR_PTR.
    const char *(*link)(char *buf, size_t n, const struct proc_tree *tree, void *arg);
    const struct inode_ops *directory; // a directory, whose names these operations and `fops` find
    const struct file_ops *fops;       // instead of show and store; NULL: none
    void *arg;
};
int proc_register(const struct proc_entry *e); // -ENOMEM

// For /proc/stat and /proc/loadavg.
struct proc_counts {
    unsigned long forks;  // processes and threads made since boot
    unsigned int threads; // alive
    pid_t last_pid;       // given out
};

// The per-process directories; procfs/pid.c registers them. All look at the pids of now, as the namespace has them that the tree is
// of, or (self) as that has the caller: 0 if it has not.
struct proc_pid_ops {
    void (*count)(struct proc_counts *out);
    // The smallest process id > after, or 0: for readdir.
    pid_t (*next)(const struct pid_ns *ns, pid_t after);
    // The directory of PID, a process or a thread (/proc/TID is found, though not listed): an inode of proc_inode_create(),
    // ERR_PTR(-ENOENT).
    struct inode *(*inode)(struct superblock *sb, pid_t pid);
    bool (*is_gone)(struct inode *inode, pid_t pid); // is that not the directory of PID any more?
    pid_t (*self)(const struct pid_ns *ns);          // process id of the caller
    pid_t (*thread_self)(const struct pid_ns *ns);   // thread id of the caller
};
void proc_register_pids(const struct proc_pid_ops *ops);

// The directory "net" of a process whose network this is: an inode. ERR_PTR.
struct inode *proc_net_inode(struct superblock *sb, struct net_ns *net);

// /proc/PID/mounts, mountinfo: the mounts of a namespace below `root`, a process's.
struct namespace;
int proc_show_mounts(struct seq_buf *s, struct namespace *ns, const struct path *root);
int proc_show_mountinfo(struct seq_buf *s, struct namespace *ns, const struct path *root);

// Registers the file system and the files that are about no process.
void procfs_init(void);
// Registers the file system; what is in it is made when it is first mounted.
void sysfs_init(void);
