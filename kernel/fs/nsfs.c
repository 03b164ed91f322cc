// SPDX-License-Identifier: MIT
// Files of namespaces. An inode is made at each lookup; its number is the namespace's, so two of one compare equal.
#include "fs/nsfs.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "core/user_ns.h"
#include "fs/dentry.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "lib/string.h"
#include "sched/pid_ns.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>

#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS  _IOR(NSIO, 0x6, int)
#define NS_GET_TGID_FROM_PIDNS _IOR(NSIO, 0x7, int)
#define NS_GET_PID_IN_PIDNS    _IOR(NSIO, 0x8, int)
#define NS_GET_TGID_IN_PIDNS   _IOR(NSIO, 0x9, int)
#endif

static struct mount *mount; // [I] that all are in
static const struct file_ops ops;

static void inode_free(struct inode *inode) {
    namespace_put(inode->private_data);
}

static int statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = NSFS_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static const struct fs_type type = {
    .name = "nsfs", .nodev = true, .statfs = statfs, .inode_free = inode_free};
static const struct inode_ops inode_ops;

int nsfs_path(struct namespace *ns, struct path *out) {
    struct inode *inode = inode_create(mount->sb, S_IFREG | 0444);
    if (!inode)
        return -ENOMEM;
    inode->ino = ns->number;
    inode->ops = &inode_ops;
    inode->fops = &ops;
    inode->private_data = namespace_get(ns);
    struct dentry *d = dentry_alloc(NULL, ns->type->name, strlen(ns->type->name));
    if (!d) {
        inode_put(inode);
        return -ENOMEM;
    }
    d->inode = inode;
    d->pseudo = true;
    mount_get(mount);
    *out = (struct path){mount, d};
    return 0;
}

struct namespace *nsfs_namespace(const struct file *f) {
    return f->ops == &ops ? f->inode->private_data : NULL;
}

bool nsfs_has_mounts(const struct dentry *d) {
    if (d->inode->fops != &ops)
        return false;
    const struct namespace *ns = d->inode->private_data;
    return ns->type->flag == CLONE_NEWNS;
}

bool nsfs_may_bind(const struct dentry *d) {
    if (d->inode->fops != &ops)
        return false;
    const struct namespace *ns = d->inode->private_data;
    return ns->type->flag != CLONE_NEWNS || ns->number > current_namespace(NS_MOUNT)->number;
}

// ---- what can be asked: ioctl_ns(2)

// A descriptor for a namespace that the caller's user namespace is above, or the same.
static long open_ns(struct namespace *ns, const struct user_ns *seen_from) {
    if (!seen_from || !user_ns_is_within(seen_from, current->cred->user_ns))
        return -EPERM;
    return nsfs_open(ns);
}

long nsfs_open(struct namespace *ns) {
    struct path path;
    int err = nsfs_path(ns, &path);
    if (err)
        return err;
    struct file *f = file_open_path(&path, O_RDONLY);
    path_put(&path);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, O_CLOEXEC);
}

static long get_parent(struct namespace *ns) {
    if (!ns->type->parent)
        return -EINVAL;
    struct namespace *parent = ns->type->parent(ns);
    return parent ? open_ns(parent, parent->type->flag == CLONE_NEWUSER ? user_ns_of(parent) : parent->owner)
                  : -EPERM;
}

// What a thread, or its process, is called there whom the caller calls nr, or the other way round.
static long translate(struct namespace *ns, unsigned int cmd, pid_t nr) {
    bool in = cmd == NS_GET_PID_IN_PIDNS || cmd == NS_GET_TGID_IN_PIDNS;
    bool process = cmd == NS_GET_TGID_FROM_PIDNS || cmd == NS_GET_TGID_IN_PIDNS;
    if (ns->type->flag != CLONE_NEWPID)
        return -EINVAL;
    const struct pid_ns *there = pid_ns_of(ns), *from = in ? current->pid_ns : there,
                        *to = in ? there : current->pid_ns;
    pid_t found = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct id *id = id_find_in_locked(from, nr);
    if (id && process && id->thread)
        found = pid_in_locked(id->thread->pid, to);
    else if (id && (id->thread || id->process))
        found = id_in(id, to);
    spin_unlock_irqrestore(&process_lock, flags);
    return found ? found : -ESRCH;
}

static long ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct namespace *ns = f->inode->private_data;
    switch (cmd) {
    case NS_GET_USERNS:
        return ns->owner ? open_ns(&ns->owner->ns, ns->owner) : -EPERM;
    case NS_GET_PARENT:
        return get_parent(ns);
    case NS_GET_NSTYPE:
        return ns->type->flag;
    case NS_GET_OWNER_UID:
        if (ns->type->flag != CLONE_NEWUSER)
            return -EINVAL;
        return put_user(uid_shown(current->cred->user_ns, user_ns_of(ns)->owner), (uid_t __user *)arg);
    case NS_GET_PID_FROM_PIDNS:
    case NS_GET_TGID_FROM_PIDNS:
    case NS_GET_PID_IN_PIDNS:
    case NS_GET_TGID_IN_PIDNS:
        return translate(ns, cmd, (pid_t)arg);
    default:
        return -ENOTTY;
    }
}

static const struct file_ops ops = {.ioctl = ioctl};

void nsfs_init(void) {
    struct superblock *sb = superblock_create(&type);
    struct inode *inode = sb ? inode_create(sb, S_IFDIR) : NULL;
    struct dentry *root = inode ? dentry_create_root(inode) : NULL;
    mount = root ? mount_create_internal(root) : NULL;
    if (!mount)
        panic("no memory for the files of namespaces");
}
