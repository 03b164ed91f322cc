// SPDX-License-Identifier: MIT
// The files of /proc/PID; private to kernel/proc/procfs_*.c.
#pragma once
#include "proc/access.h"
#include "procfs/procfs.h"

// What an inode below /proc/PID is about.
struct pid_node {
    struct proc_node node;
    struct process *process;     // [I] referenced
    pid_t tid;                   // [I] a thread: /proc/PID/task/TID and below; 0: the process
    const struct pid_ns *ns;     // [I] whose numbers are shown: its superblock's
    int fd;                      // [I] below fd/ and fdinfo/
    unsigned long start, end;    // [I] below map_files/
    const struct pid_file *file; // [I]
};
static inline struct pid_node *pid_node(const struct inode *inode) {
    return container_of(proc_node(inode), struct pid_node, node);
}

struct path;
// 0, or -ESRCH if the process has gone.
typedef int pid_show_fn(struct seq_buf *s, struct pid_node *n);

enum pid_where { IN_PROCESS = 1, IN_THREAD = 2, IN_BOTH = 3 };

struct pid_file {
    const char *name;
    mode_t mode; // with the type
    enum pid_where where;
    bool of_memory;                                                      // who may open it: proc/access.h
    pid_show_fn *show;                                                   // regular files
    ssize_t (*store)(struct pid_node *n, const char *text, size_t size); // NULL: not writable
    ssize_t (*store_as)(struct pid_node *n, const char *text, size_t size, const struct cred *opener);
    int (*follow)(struct pid_node *n, struct path *out); // links
    const struct inode_ops *ops;                         // directories
    struct inode *(*make)(struct pid_node *dir,
                          struct superblock *sb); // it is another's directory: an inode of that
    const struct file_ops *fops;
};

#define PID_INO_MAP_FILE 127
#define PID_INO_NS       110 // the first of those in ns/
// An inode of process p, or of its thread tid, for one of its files or, with the descriptor fd, what fd/ and fdinfo/ have of
// it; `which`: its number among p's. ERR_PTR(-ENOMEM).
struct inode *__must_check pid_inode_create(struct superblock *sb, struct process *p, pid_t tid, int fd,
                                            const struct pid_file *file, unsigned int which);

// The number of an inode of p, or of its thread tid: `which` of those it has.
ino_t pid_ino(const struct process *p, pid_t tid, unsigned int which);

pid_show_fn pid_show_stat, pid_show_statm, pid_show_status, pid_show_cmdline, pid_show_environ, pid_show_comm,
    pid_show_maps, pid_show_smaps, pid_show_smaps_rollup, pid_show_limits, pid_show_auxv, pid_show_io,
    pid_show_oom_score_adj, pid_show_fdinfo, pid_show_timer_slack, pid_show_syscall, pid_show_wchan,
    pid_show_stack, pid_show_timers;
ssize_t pid_store_timer_slack(struct pid_node *n, const char *text, size_t size);

// The process of an open directory /proc/PID with a reference; ERR_PTR(-EBADF).
struct process *__must_check pid_dir_process(struct file *f);
// Boot: registers the directories of processes.
void procfs_pid_init(void);

// The thread that the node stands for, or the leader (another if that has ended), referenced; NULL if all
// have gone.
struct thread *pid_node_thread(const struct pid_node *n);
// The table of open files of the node's process, referenced, or NULL.
struct files *pid_node_files(const struct pid_node *n);
// An open file of the node's process, referenced; ERR_PTR(-ENOENT): fd is not open, -EACCES: not for the caller.
struct file *pid_node_file(const struct pid_node *n, int fd);
// The same; and does execve(2) close it?
struct file *pid_node_descriptor(const struct pid_node *n, int fd, bool *cloexec);
// A number of [-limit, limit] alone on its line. 0 or -EINVAL.
int __must_check pid_parse_signed(const char *s, int limit, int *out);
// procfs/pid_oom.c
pid_show_fn pid_show_oom_adj, pid_show_oom_score;
ssize_t pid_store_oom_score_adj(struct pid_node *n, const char *text, size_t size);
ssize_t pid_store_oom_adj(struct pid_node *n, const char *text, size_t size);
// /proc/PID/ns and the maps of its user namespace (procfs/pid_ns.c).
extern const struct inode_ops pid_ns_dir_ops;
extern const struct file_ops pid_ns_dir_fops;
pid_show_fn pid_show_uid_map, pid_show_gid_map, pid_show_setgroups;
ssize_t pid_store_uid_map(struct pid_node *n, const char *text, size_t size, const struct cred *opener);
ssize_t pid_store_gid_map(struct pid_node *n, const char *text, size_t size, const struct cred *opener);
ssize_t pid_store_setgroups(struct pid_node *n, const char *text, size_t size, const struct cred *opener);
// What the node's thread has of a kind of namespace (CLONE_NEW*), referenced; NULL: it has ended.
struct namespace *pid_node_namespace(const struct pid_node *n, int flag);
// /proc/PID/mem (procfs/pid_mem.c).
extern const struct inode_ops pid_mem_inode_ops;
extern const struct file_ops pid_mem_file_ops;
// /proc/PID/map_files (procfs/pid_map_files.c).
extern const struct inode_ops pid_map_files_ops;
extern const struct file_ops pid_map_files_fops;
// /proc/PID/pagemap (procfs/pid_maps.c).
extern const struct inode_ops pid_pagemap_inode_ops;
extern const struct file_ops pid_pagemap_file_ops;

// May the caller look into the node's process? The ticket says into which of its address spaces.
int __must_check pid_node_open(struct proc_node *node, uint64_t *ticket);
// The process's memory for the files whose openers were asked whether they may look into it (seq_buf.ticket); NULL if
// it has another by now or none.
struct vmspace *pid_node_vm(const struct pid_node *n, uint64_t ticket);
