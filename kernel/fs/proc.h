// SPDX-License-Identifier: MIT
// procfs's register of files: layers above fs add theirs here (procfs itself knows no process).
#pragma once
#include "fs/file.h"

// A growing text buffer that a proc file is generated into at open or first read.
struct seq_buf {
    char *data;
    size_t len, capacity;
    bool failed; // no memory
};
void seq_printf(struct seq_buf *s, const char *fmt, ...) __printf(2, 3);
void seq_write(struct seq_buf *s, const void *data, size_t n);

struct proc_entry {
    const char *path; // below /proc: "meminfo", "sys/kernel/hostname"
    mode_t mode;
    int (*show)(struct seq_buf *s, void *arg);
    ssize_t (*store)(const char *text, size_t n, void *arg); // for writable ones
    const char *(*link)(char *buf, size_t n, void *arg);  // symlink: its target
    void *arg;
    struct list_head children, link_;
};
int proc_register(struct proc_entry *e);
// The per-process directories: proc/procfs_pid.c registers these ops.
struct proc_pid_ops {
    bool (*exists)(pid_t pid);
    pid_t (*next)(pid_t after);              // readdir
    struct inode *(*inode)(struct superblock *sb, pid_t pid); // directory inode of PID, ERR_PTR
    pid_t (*self)(void);
    pid_t (*thread_self)(void);
};
void proc_register_pids(const struct proc_pid_ops *ops);
