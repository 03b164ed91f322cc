// SPDX-License-Identifier: MIT
// The directories /proc/PID and /proc/PID/task/TID: what is in them, and the links to files. The texts are in
// procfs/pid_text.c and procfs/pid_maps.c, the links to mapped files in procfs/pid_map_files.c.
//
// An inode here refers to a struct process, which stays until the last reference, though the process it stood
// for may have been reaped (process->id is NULL then): its files are empty or say -ESRCH.
#include "proc/coredump.h"
#include "net/net_ns.h"
#include "procfs/pid.h"
#include "procfs/private.h"
#include "core/errno.h"
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

static const struct pid_file files[];
static const unsigned int file_count;
static const struct inode_ops pid_dir_ops, link_ops, fd_dir_ops, fdinfo_dir_ops, task_dir_ops;
static const struct file_ops pid_dir_fops, fd_dir_fops, task_dir_fops;

// ---- nodes

struct thread *pid_node_thread(const struct pid_node *n) {
    struct thread *t = NULL, *each;
    struct process *p = n->process;
    if (!n->tid)
        return process_get_thread(p);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (each, &p->threads, process_link) {
        if (each->tid == n->tid) {
            t = each;
            thread_get(t);
            break;
        }
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return t;
}

struct files *pid_node_files(const struct pid_node *n) {
    struct thread *t = pid_node_thread(n);
    if (!t)
        return NULL;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct files *files = t->files;
    if (files)
        ref_get(&files->refs);
    spin_unlock_irqrestore(&process_lock, flags);
    thread_put(t);
    return files;
}

struct file *pid_node_descriptor(const struct pid_node *n, int fd, bool *cloexec) {
    int err = process_access_begin(n->process, ACCESS_FILE);
    if (err)
        return ERR_PTR(err);
    struct files *files = pid_node_files(n);
    struct file *f = NULL;
    if (files) {
        spin_lock(&files->lock);
        if (fd >= 0 && (unsigned int)fd < files->size)
            f = files->fd[fd];
        *cloexec = f && files->cloexec[fd / 64] >> fd % 64 & 1;
        if (f)
            file_get(f);
        spin_unlock(&files->lock);
    }
    process_access_end(n->process);
    if (files)
        files_put(files);
    return f ? f : ERR_PTR(-ENOENT);
}

struct file *pid_node_file(const struct pid_node *n, int fd) {
    bool cloexec;
    return pid_node_descriptor(n, fd, &cloexec);
}

static void free_node(struct proc_node *node) {
    struct pid_node *n = container_of(node, struct pid_node, node);
    process_put(n->process);
    kfree(n);
}

// The ticket is the number of the address space that the opener may look into. What is read later is of that one or
// of none: a descriptor that a stranger is given, or one kept over an execve, shows no other.
int pid_node_open(struct proc_node *node, uint64_t *ticket) {
    struct pid_node *n = container_of(node, struct pid_node, node);
    struct vmspace *vm = process_access_vm(n->process, ACCESS_FILE);
    if (IS_ERR(vm))
        return PTR_ERR(vm);
    *ticket = vm ? vm->id : 0;
    vmspace_put(vm);
    return 0;
}

struct vmspace *pid_node_vm(const struct pid_node *n, uint64_t ticket) {
    struct vmspace *vm = process_get_vm(n->process);
    if (!vm || vm->id == ticket)
        return vm;
    vmspace_put(vm);
    return NULL;
}

static int node_show(struct seq_buf *s, struct proc_node *node) {
    struct pid_node *n = container_of(node, struct pid_node, node);
    return n->file->show(s, n);
}

static ssize_t node_store(struct proc_node *node, const char *text, size_t size) {
    struct pid_node *n = container_of(node, struct pid_node, node);
    return n->file->store(n, text, size);
}

static ssize_t node_store_as(struct proc_node *node, const char *text, size_t size, const struct file *f) {
    struct pid_node *n = container_of(node, struct pid_node, node);
    return n->file->store_as(n, text, size, f->cred);
}

ino_t pid_ino(const struct process *p, pid_t tid, unsigned int which) {
    return 1ull << 40 | (ino_t)(tid ? tid : p->pid) << 20 | (tid ? 1u << 19 : 0) | which;
}

#define INO_FD 128 // `which` of descriptor 0 in fd/; entries of `files` come before
_Static_assert(PID_INO_MAP_FILE < INO_FD, "before");

struct inode *pid_inode_create(struct superblock *sb, struct process *p, pid_t tid, int fd,
                               const struct pid_file *file, unsigned int which) {
    struct pid_node *n = kzalloc(sizeof(*n));
    if (!n)
        return ERR_PTR(-ENOMEM);
    n->node.free = free_node;
    n->node.show = file->show ? node_show : NULL;
    n->node.store = file->store ? node_store : NULL;
    n->node.store_as = file->store_as ? node_store_as : NULL;
    n->node.whole = file->store_as;
    n->node.open = file->of_memory ? pid_node_open : NULL;
    n->tid = tid;
    n->fd = fd;
    n->file = file;
    n->process = p;
    n->ns = ((const struct proc_tree *)sb->private_data)->pids;
    struct inode *inode =
        proc_inode_create(sb, file->mode, &n->node, file->follow ? &link_ops : file->ops, file->fops);
    if (IS_ERR(inode)) {
        kfree(n);
        return inode;
    }
    process_get(p);
    inode->ino = pid_ino(p, tid, which);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct vmspace *vm = process_vm_locked(p);
    if ((vm && vm->dumpable) || file->mode == (S_IFDIR | 0555)) { // else root's
        inode->uid = p->cred->euid;
        inode->gid = p->cred->egid;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return inode;
}

static int give(struct dentry *d, struct inode *inode) {
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    d->inode = inode;
    return 0;
}

static bool is_gone(const struct pid_node *n) {
    return !READ_ONCE(n->process->id);
}

// ---- /proc/PID and /proc/PID/task/TID

static bool belongs(const struct pid_file *f, const struct pid_node *dir) {
    return f->where & (dir->tid ? IN_THREAD : IN_PROCESS);
}

static int pid_dir_lookup(struct inode *inode, struct dentry *d) {
    struct pid_node *dir = pid_node(inode);
    if (is_gone(dir))
        return -ENOENT;
    for (unsigned int i = 0; i < file_count; i++) {
        if (belongs(&files[i], dir) && !strcmp(files[i].name, d->name))
            return give(d, files[i].make
                               ? files[i].make(dir, inode->sb)
                               : pid_inode_create(inode->sb, dir->process, dir->tid, 0, &files[i], i + 1));
    }
    return 0;
}

static int pid_dir_readdir(struct file *f, struct dir_context *ctx) {
    struct pid_node *dir = pid_node(f->inode);
    for (off_t i = ctx->pos - 2; i < file_count; i++) {
        ctx->pos = i + 2;
        if (!belongs(&files[i], dir))
            continue;
        if (!ctx->emit(ctx, files[i].name, strlen(files[i].name), i + 3,
                       pid_ino(dir->process, dir->tid, i + 1), (files[i].mode & S_IFMT) >> 12))
            return 0;
    }
    ctx->pos = file_count + 2;
    return 0;
}

// ---- links

static int follow_exe(struct pid_node *n, struct path *out) {
    struct vmspace *vm = process_access_vm(n->process, ACCESS_FILE);
    int err = -ENOENT;
    if (!vm || IS_ERR(vm))
        return vm ? PTR_ERR(vm) : err;
    mutex_lock(&vm->lock);
    if (vm->exe_file && vm->exe_file->path.dentry) {
        *out = vm->exe_file->path;
        path_get(out);
        err = 0;
    }
    mutex_unlock(&vm->lock);
    vmspace_put(vm);
    return err;
}

// The place in the tree of the node's thread, referenced, or NULL.
static struct fs_context *node_fs(const struct pid_node *n) {
    struct thread *t = pid_node_thread(n);
    if (!t)
        return NULL;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct fs_context *fs = t->fs;
    if (fs)
        ref_get(&fs->refs);
    spin_unlock_irqrestore(&process_lock, flags);
    thread_put(t);
    return fs;
}

static int follow_fs(struct pid_node *n, struct path *out, bool root) {
    int err = process_access_begin(n->process, ACCESS_FILE);
    if (err)
        return err;
    struct fs_context *fs = node_fs(n);
    if (fs) {
        spin_lock(&fs->lock);
        *out = root ? fs->root : fs->cwd;
        path_get(out);
        spin_unlock(&fs->lock);
    }
    process_access_end(n->process);
    if (fs)
        fs_context_put(fs);
    return fs ? 0 : -ENOENT;
}

static int follow_cwd(struct pid_node *n, struct path *out) {
    return follow_fs(n, out, false);
}

static int follow_root(struct pid_node *n, struct path *out) {
    return follow_fs(n, out, true);
}

static int follow_fd(struct pid_node *n, struct path *out) {
    struct file *f = pid_node_file(n, n->fd);
    if (IS_ERR(f))
        return PTR_ERR(f);
    *out = f->path;
    if (out->dentry)
        path_get(out);
    int err = out->dentry ? 0 : -ENXIO;
    file_put(f);
    return err;
}

static int link_follow(struct inode *inode, struct path *out) {
    struct pid_node *n = pid_node(inode);
    return n->file->follow(n, out);
}

static const char *link_readlink(struct inode *inode, char *buf, size_t size) {
    struct path path;
    int err = link_follow(inode, &path);
    if (err)
        return ERR_PTR(err);
    const char *name = path_name(&path, buf, size);
    path_put(&path);
    return name;
}

// ---- fd and fdinfo

static const struct pid_file fd_link = {.mode = S_IFLNK | 0700, .follow = follow_fd};
static const struct pid_file fdinfo_file = {.mode = S_IFREG | 0444, .show = pid_show_fdinfo};

// The owner's bits of the link say how the file is open.
static mode_t open_bits(const struct file *f) {
    static const mode_t bits[] = {[O_RDONLY] = 0500, [O_WRONLY] = 0300, [O_RDWR] = 0700, [O_ACCMODE] = 0};
    return f->flags & O_PATH ? 0 : bits[f->flags & O_ACCMODE];
}

static int lookup_fd(struct inode *inode, struct dentry *d, const struct pid_file *file) {
    struct pid_node *dir = pid_node(inode);
    int fd = (int)number_of_name(d->name, 9999999);
    struct file *f = pid_node_file(dir, fd);
    if (IS_ERR(f))
        return PTR_ERR(f) == -ENOENT ? 0 : PTR_ERR(f);
    struct inode *made = pid_inode_create(inode->sb, dir->process, dir->tid, fd, file, INO_FD + fd);
    if (!IS_ERR(made) && file == &fd_link)
        made->mode = S_IFLNK | open_bits(f);
    file_put(f);
    return give(d, made);
}

// A process sees its own descriptors, though it is not dumpable and the directory is root's.
static int fd_permit(struct inode *inode, int mask) {
    (void)mask;
    return pid_node(inode)->process == current->process ? 0 : -EACCES;
}

static int fd_lookup(struct inode *inode, struct dentry *d) {
    return lookup_fd(inode, d, &fd_link);
}

static int fdinfo_lookup(struct inode *inode, struct dentry *d) {
    return lookup_fd(inode, d, &fdinfo_file);
}

static int fd_readdir(struct file *file, struct dir_context *ctx) {
    struct pid_node *dir = pid_node(file->inode);
    int err = process_access_begin(dir->process, ACCESS_FILE);
    if (err)
        return err;
    struct files *files = pid_node_files(dir);
    process_access_end(dir->process);
    char name[16];
    if (!files)
        return 0;
    for (int fd = ctx->pos - 2; (unsigned int)fd < READ_ONCE(files->size); fd++) {
        struct file *f = pid_node_file(dir, fd);
        ctx->pos = fd + 2;
        if (IS_ERR(f) && cond_resched_killable())
            break;
        if (IS_ERR(f))
            continue;
        file_put(f);
        int n = lib_snprintf(name, sizeof(name), "%d", fd);
        if (!ctx->emit(ctx, name, n, fd + 3, pid_ino(dir->process, dir->tid, INO_FD + fd),
                       (fd_link.mode & S_IFMT) >> 12))
            break;
        ctx->pos = fd + 3;
    }
    files_put(files);
    return 0;
}

// ---- task

static const struct pid_file thread_dir = {
    .mode = S_IFDIR | 0555, .ops = &pid_dir_ops, .fops = &pid_dir_fops};

// The tid of p's thread that ns calls nr, or 0.
static pid_t find_tid(struct process *p, const struct pid_ns *ns, pid_t nr) {
    struct thread *t;
    pid_t found = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (t, &p->threads, process_link) {
        if (thread_number_locked(t, ns) == nr) {
            found = t->tid;
            break;
        }
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return found;
}

static int task_lookup(struct inode *inode, struct dentry *d) {
    struct pid_node *dir = pid_node(inode);
    int nr = (int)number_of_name(d->name, 9999999);
    pid_t tid = nr > 0 ? find_tid(dir->process, dir->ns, nr) : 0;
    return tid ? give(d, pid_inode_create(inode->sb, dir->process, tid, 0, &thread_dir, 0)) : 0;
}

// What the dir's namespace calls the thread with the smallest number above `after`, or 0.
static pid_t next_tid(const struct pid_node *dir, pid_t after) {
    struct thread *t;
    pid_t best = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (t, &dir->process->threads, process_link) {
        pid_t nr = thread_number_locked(t, dir->ns);
        if (nr > after && (!best || nr < best))
            best = nr;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return best;
}

static int task_readdir(struct file *file, struct dir_context *ctx) {
    struct pid_node *dir = pid_node(file->inode);
    char name[16];
    pid_t tid = ctx->pos > 2 ? ctx->pos - 2 : 0;
    while ((tid = next_tid(dir, tid))) {
        int n = lib_snprintf(name, sizeof(name), "%d", tid);
        if (!ctx->emit(ctx, name, n, tid + 2, pid_ino(dir->process, tid, 0), S_IFDIR >> 12))
            break;
        ctx->pos = tid + 2;
    }
    return 0;
}

// ---- the files

static int show_mounts_of(struct seq_buf *s, struct pid_node *n,
                          int (*show)(struct seq_buf *s, struct namespace *ns, const struct path *root)) {
    struct namespace *ns = pid_node_namespace(n, CLONE_NEWNS);
    struct fs_context *fs = ns ? node_fs(n) : NULL;
    if (!fs) {
        namespace_put(ns);
        return -EINVAL;
    }
    spin_lock(&fs->lock);
    struct path root = fs->root;
    path_get(&root);
    spin_unlock(&fs->lock);
    int err = show(s, ns, &root);
    path_put(&root);
    fs_context_put(fs);
    namespace_put(ns);
    return err;
}

static int show_mounts(struct seq_buf *s, struct pid_node *n) {
    return show_mounts_of(s, n, proc_show_mounts);
}

static int show_mountinfo(struct seq_buf *s, struct pid_node *n) {
    return show_mounts_of(s, n, proc_show_mountinfo);
}

static ssize_t store_comm(struct pid_node *n, const char *text, size_t size) {
    char name[16] = {0};
    struct thread *t = pid_node_thread(n);
    if (!t)
        return -ESRCH;
    bool mine = t->process == current->process;
    memcpy(name, text, MIN(size, sizeof(name) - 1));
    if (mine)
        thread_set_name(t, name);
    thread_put(t);
    return mine ? (ssize_t)size : -EINVAL;
}

static int show_core_filter(struct seq_buf *s, struct pid_node *n) {
    seq_printf(s, "%08x\n", READ_ONCE(n->process->core_filter));
    return 0;
}

static ssize_t store_core_filter(struct pid_node *n, const char *text, size_t size) {
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    uint64_t value;
    const char *end = number_read(digits, hex ? 16 : 10, UINT32_MAX, &value);
    if (end == digits || (*end && *end != '\n'))
        return -EINVAL;
    WRITE_ONCE(n->process->core_filter, value & CORE_FILTER_ALL);
    return (ssize_t)size;
}

static int show_personality(struct seq_buf *s, struct pid_node *n) {
    if (process_access_begin(n->process, ACCESS_FILE))
        return -EPERM;
    unsigned int personality = READ_ONCE(n->process->personality);
    process_access_end(n->process);
    seq_printf(s, "%08x\n", personality);
    return 0;
}

#ifdef CONFIG_DEBUG
static int show_fail_nth(struct seq_buf *s, struct pid_node *n) {
    struct thread *t = pid_node_thread(n);
    if (!t)
        return -ESRCH;
    seq_printf(s, "%u\n", t->arch.fail_nth);
    thread_put(t);
    return 0;
}

// Its own alone: nobody else counts it down.
static ssize_t store_fail_nth(struct pid_node *n, const char *text, size_t size) {
    struct thread *t = pid_node_thread(n);
    int value, err = pid_parse_signed(text, INT32_MAX / 16, &value);
    if (!err && value < 0)
        err = -EINVAL;
    if (!err && t != current)
        err = -EPERM;
    if (!err)
        current->arch.fail_nth = value;
    if (t)
        thread_put(t);
    return err ? err : (ssize_t)size;
}
#endif

#define FILE_(name_, permissions, show_)                                                                     \
    { .name = name_, .mode = S_IFREG | permissions, .where = IN_BOTH, .show = show_ }
#define MEMORY_(name_, permissions, show_)                                                                   \
    { .name = name_, .mode = S_IFREG | permissions, .where = IN_BOTH, .show = show_, .of_memory = true }
#define ID_MAP_(name_, show_, store_)                                                                        \
    { .name = name_, .mode = S_IFREG | 0644, .where = IN_PROCESS, .show = show_, .store_as = store_ }
#define LINK_(name_, follow_)                                                                                \
    { .name = name_, .mode = S_IFLNK | 0777, .where = IN_BOTH, .follow = follow_ }

static struct inode *make_net(struct pid_node *dir, struct superblock *sb) {
    struct namespace *ns = pid_node_namespace(dir, CLONE_NEWNET);
    if (!ns)
        return ERR_PTR(-ENOENT);
    struct inode *inode = proc_net_inode(sb, container_of(ns, struct net_ns, ns));
    namespace_put(ns);
    return inode;
}

static const struct pid_file files[] = {
    {.name = "task",
     .mode = S_IFDIR | 0555,
     .where = IN_PROCESS,
     .ops = &task_dir_ops,
     .fops = &task_dir_fops},
    {.name = "fd", .mode = S_IFDIR | 0500, .where = IN_BOTH, .ops = &fd_dir_ops, .fops = &fd_dir_fops},
    {.name = "fdinfo",
     .mode = S_IFDIR | 0555,
     .where = IN_BOTH,
     .ops = &fdinfo_dir_ops,
     .fops = &fd_dir_fops},
    {.name = "net", .mode = S_IFDIR | 0555, .where = IN_BOTH, .make = make_net},
    MEMORY_("environ", 0400, pid_show_environ),
    MEMORY_("auxv", 0400, pid_show_auxv),
    FILE_("status", 0444, pid_show_status),
    FILE_("limits", 0444, pid_show_limits),
    {.name = "comm", .mode = S_IFREG | 0644, .where = IN_BOTH, .show = pid_show_comm, .store = store_comm},
    FILE_("cmdline", 0444, pid_show_cmdline),
    FILE_("stat", 0444, pid_show_stat),
    FILE_("personality", 0400, show_personality),
    FILE_("statm", 0444, pid_show_statm),
    FILE_("io", 0400, pid_show_io),
    MEMORY_("maps", 0444, pid_show_maps),
    {.name = "map_files",
     .mode = S_IFDIR | 0500,
     .where = IN_PROCESS,
     .ops = &pid_map_files_ops,
     .fops = &pid_map_files_fops},
    MEMORY_("smaps", 0444, pid_show_smaps),
    MEMORY_("smaps_rollup", 0444, pid_show_smaps_rollup),
    {.name = "pagemap",
     .mode = S_IFREG | 0400,
     .where = IN_BOTH,
     .ops = &pid_pagemap_inode_ops,
     .fops = &pid_pagemap_file_ops},
    {.name = "mem",
     .mode = S_IFREG | 0600,
     .where = IN_BOTH,
     .ops = &pid_mem_inode_ops,
     .fops = &pid_mem_file_ops},
    {.name = "ns",
     .mode = S_IFDIR | 0511,
     .where = IN_BOTH,
     .ops = &pid_ns_dir_ops,
     .fops = &pid_ns_dir_fops},
    ID_MAP_("uid_map", pid_show_uid_map, pid_store_uid_map),
    ID_MAP_("gid_map", pid_show_gid_map, pid_store_gid_map),
    ID_MAP_("setgroups", pid_show_setgroups, pid_store_setgroups),
    LINK_("cwd", follow_cwd),
    LINK_("root", follow_root),
    LINK_("exe", follow_exe),
    FILE_("mounts", 0444, show_mounts),
    FILE_("mountinfo", 0444, show_mountinfo),
    FILE_("syscall", 0400, pid_show_syscall),
    FILE_("wchan", 0444, pid_show_wchan),
    FILE_("stack", 0400, pid_show_stack),
    {.name = "timers", .mode = S_IFREG | 0444, .where = IN_PROCESS, .show = pid_show_timers},
    FILE_("oom_score", 0444, pid_show_oom_score),
    {.name = "timerslack_ns",
     .mode = S_IFREG | 0666,
     .where = IN_PROCESS,
     .show = pid_show_timer_slack,
     .store = pid_store_timer_slack},
    {.name = "coredump_filter",
     .mode = S_IFREG | 0644,
     .where = IN_BOTH,
     .show = show_core_filter,
     .store = store_core_filter},
    {.name = "oom_adj",
     .mode = S_IFREG | 0644,
     .where = IN_BOTH,
     .show = pid_show_oom_adj,
     .store = pid_store_oom_adj},
    {.name = "oom_score_adj",
     .mode = S_IFREG | 0644,
     .where = IN_BOTH,
     .show = pid_show_oom_score_adj,
     .store = pid_store_oom_score_adj},
#ifdef CONFIG_DEBUG
    {.name = "fail-nth",
     .mode = S_IFREG | 0644,
     .where = IN_BOTH,
     .show = show_fail_nth,
     .store = store_fail_nth},
#endif
};
static const unsigned int file_count = ARRAY_SIZE(files);

static const struct inode_ops pid_dir_ops = {.lookup = pid_dir_lookup};
static const struct inode_ops fd_dir_ops = {.lookup = fd_lookup, .permit = fd_permit, .no_places = true};
static const struct inode_ops fdinfo_dir_ops = {.lookup = fdinfo_lookup, .no_places = true};
static const struct inode_ops task_dir_ops = {.lookup = task_lookup};
static const struct inode_ops link_ops = {.readlink = link_readlink, .follow = link_follow};
static const struct file_ops pid_dir_fops = {.readdir = pid_dir_readdir, .lseek = proc_lseek};
static const struct file_ops fd_dir_fops = {.readdir = fd_readdir, .lseek = proc_lseek};
static const struct file_ops task_dir_fops = {.readdir = task_readdir, .lseek = proc_lseek};

// ---- for the root of procfs

static const struct pid_file process_dir = {
    .mode = S_IFDIR | 0555, .ops = &pid_dir_ops, .fops = &pid_dir_fops};

struct process *pid_dir_process(struct file *f) {
    if (f->inode->ops != &pid_dir_ops)
        return ERR_PTR(-EBADF);
    struct pid_node *n = container_of(proc_node(f->inode), struct pid_node, node);
    if (n->file != &process_dir)
        return ERR_PTR(-EBADF);
    process_get(n->process);
    return n->process;
}

// A process or a thread that ns calls nr: the process, referenced, or NULL.
static struct process *find(const struct pid_ns *ns, pid_t nr) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct id *id = id_find_in_locked(ns, nr);
    struct process *p = !id ? NULL : id->process ? id->process : id->thread ? id->thread->process : NULL;
    if (p)
        process_get(p);
    spin_unlock_irqrestore(&process_lock, flags);
    return p;
}

static const struct pid_ns *shown_in(const struct superblock *sb) {
    return ((const struct proc_tree *)sb->private_data)->pids;
}

static pid_t pid_next(const struct pid_ns *ns, pid_t after) {
    struct process *p = process_after(ns, &after);
    if (p)
        process_put(p);
    return p ? after : 0;
}

static struct inode *pid_inode(struct superblock *sb, pid_t nr) {
    struct process *p = find(shown_in(sb), nr);
    if (!p)
        return ERR_PTR(-ENOENT);
    struct inode *inode = pid_inode_create(sb, p, 0, 0, &process_dir, 0);
    process_put(p);
    return inode;
}

static bool pid_is_gone(struct inode *inode, pid_t nr) {
    struct process *p = find(shown_in(inode->sb), nr);
    if (p)
        process_put(p);
    return inode->ops == &pid_dir_ops && pid_node(inode)->process != p;
}

static pid_t self(const struct pid_ns *ns) {
    return current->process ? process_number(current->process, ns) : 0;
}

static pid_t thread_self(const struct pid_ns *ns) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    pid_t nr = thread_number_locked(current, ns);
    spin_unlock_irqrestore(&process_lock, flags);
    return nr;
}

static void count(struct proc_counts *out) {
    *out =
        (struct proc_counts){process_counts.forks, process_counts.threads, READ_ONCE(current->pid_ns->last)};
}

void procfs_pid_init(void) {
    static const struct proc_pid_ops ops = {
        .count = count,
        .next = pid_next,
        .inode = pid_inode,
        .is_gone = pid_is_gone,
        .self = self,
        .thread_self = thread_self,
    };
    proc_register_pids(&ops);
}
