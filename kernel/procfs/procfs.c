// SPDX-License-Identifier: MIT
// procfs: the tree under /proc.
//
// Fixed entries form a tree (tree.c). The root directory has, besides them, the directories of processes, which
// the layer above makes at each lookup (procfs.h) with inode numbers from 2 on, and "self" and "thread-self".
#include "procfs/procfs.h"
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/superblock.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "procfs/private.h"
#include "sched/pid_ns.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>

struct proc_tree proc_tree = {
    .dir_mode = 0555, .file_inode_ops = &proc_file_inode_ops, .pids = &first_pid_ns}; // [I] after start
static const struct proc_pid_ops *pids;                                               // [I] once set

int proc_register(const struct proc_entry *e) {
    return proc_tree_add(&proc_tree, e->path, e);
}

void proc_register_pids(const struct proc_pid_ops *ops) {
    pids = ops;
}

struct proc_counts proc_get_counts(void) {
    struct proc_counts c = {0, 0, 0};
    if (pids)
        pids->count(&c);
    return c;
}

// ---- the root: fixed entries, then the processes

#define PID_POSITIONS (1l << 20) // position of process p in readdir: this + p

static const struct pid_ns *pids_of(const struct superblock *sb) {
    return ((const struct proc_tree *)sb->private_data)->pids;
}

static int root_lookup(struct inode *dir, struct dentry *d) {
    int64_t pid = number_of_name(d->name, INT32_MAX);
    if (pid <= 0)
        return proc_tree_lookup(dir, d);
    if (!pids)
        return 0;
    struct inode *inode = pids->inode(dir->sb, pid);
    if (PTR_ERR(inode) == -ENOENT)
        return 0;
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    d->inode = inode;
    return 0;
}

static int root_readdir(struct file *f, struct dir_context *ctx) {
    char name[16];
    if (!proc_tree_emit(f->inode, ctx) || !pids)
        return 0;
    pid_t pid = ctx->pos > PID_POSITIONS ? (pid_t)(ctx->pos - PID_POSITIONS) : 0;
    const struct pid_ns *ns = pids_of(f->inode->sb);
    while ((pid = pids->next(ns, pid))) {
        int len = lib_snprintf(name, sizeof(name), "%d", pid);
        if (!ctx->emit(ctx, name, len, PID_POSITIONS + pid, PROC_ROOT_INO + pid, proc_dirent_type(S_IFDIR)))
            return 0;
        ctx->pos = PID_POSITIONS + pid;
    }
    return 0;
}

static bool root_is_gone(const struct dentry *d) {
    int64_t pid = number_of_name(d->name, INT32_MAX);
    return pid > 0 && pids && pids->is_gone(d->inode, pid);
}

static const struct inode_ops root_ops = {.lookup = root_lookup, .is_gone = root_is_gone};
static const struct file_ops root_fops = {.readdir = root_readdir, .lseek = proc_lseek};

static const char *self_link(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    pid_t self = pids ? pids->self(tree->pids) : 0;
    (void)arg;
    if (!self)
        return ERR_PTR(-ENOENT);
    lib_snprintf(buf, n, "%d", self);
    return buf;
}

static const char *thread_self_link(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    pid_t self = pids ? pids->self(tree->pids) : 0;
    (void)arg;
    if (!self)
        return ERR_PTR(-ENOENT);
    lib_snprintf(buf, n, "%d/task/%d", self, pids->thread_self(tree->pids));
    return buf;
}

static const char *mounts_link(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    (void)buf, (void)n, (void)tree, (void)arg;
    return "self/mounts";
}

static const char *net_link(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    (void)buf, (void)n, (void)tree, (void)arg;
    return "self/net";
}

static const char *device_tree_link(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    (void)buf, (void)n, (void)tree, (void)arg;
    return "/sys/firmware/devicetree/base";
}

static const struct proc_entry root_links[] = {
    {.path = "self", .link = self_link},
    {.path = "thread-self", .link = thread_self_link},
    {.path = "mounts", .link = mounts_link},
    {.path = "net", .link = net_link},
    {.path = "device-tree", .link = device_tree_link},
};

// ---- the file system type

// Nothing is hidden here: only what asks for that is possible. `gid` says who would see it all the same.
static int proc_option(const char *key, const char *value, void *arg) {
    uint64_t gid;
    (void)arg;
    if (!strcmp(key, "hidepid"))
        return value && (!strcmp(value, "0") || !strcmp(value, "off")) ? 0 : -EINVAL;
    return strcmp(key, "gid") ? -EINVAL : fs_option_number(value, 10, UINT32_MAX - 1, &gid);
}

static int proc_remount(struct superblock *sb, const char *options) {
    (void)sb;
    return fs_options_for_each(options, proc_option, NULL);
}

// Mounted by who is in another pid namespace it shows what is in that, on a superblock of its own.
static struct dentry *mount_of(struct pid_ns *ns, const struct fs_type *type) {
    struct proc_tree *tree = kmalloc(sizeof(*tree));
    if (!tree || proc_tree_copy(tree, &proc_tree, type)) {
        kfree(tree);
        return ERR_PTR(-ENOMEM);
    }
    tree->pids = pid_ns_get(ns);
    struct superblock *sb = tree->sb;
    struct dentry *root = proc_tree_mount(tree, &root_ops, &root_fops);
    superblock_put(sb); // the root's inode has it
    return root;
}

static struct dentry *proc_mount(const struct fs_type *type, const char *source, const char *options) {
    struct pid_ns *ns = current->pid_ns;
    (void)source;
    int err = capable_in(ns->ns.owner, CAP_SYS_ADMIN) ? proc_remount(NULL, options) : -EPERM;
    if (err)
        return ERR_PTR(err);
    return ns->level ? mount_of(ns, type) : proc_tree_mount(&proc_tree, &root_ops, &root_fops);
}

static void proc_destroy(struct superblock *sb) {
    struct proc_tree *tree = sb->private_data;
    if (tree == &proc_tree || !tree) // or it has just been begun
        return;
    pid_ns_put(tree->pids);
    kfree(tree);
}

static int proc_statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = PROC_SUPER_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static struct fs_type proc_type = {.name = "proc",
                                   .nodev = true,
                                   .shared = true,
                                   .for_seers = true,
                                   .fixed_names = true,
                                   .mount = proc_mount,
                                   .remount = proc_remount,
                                   .statfs = proc_statfs,
                                   .destroy = proc_destroy,
                                   .inode_free = proc_inode_free};

void procfs_init(void) {
    if (proc_tree_create(&proc_tree, &proc_type))
        panic("no memory for /proc");
    proc_register_all(root_links, ARRAY_SIZE(root_links));
    proc_files_init();
    fs_type_register(&proc_type);
}
