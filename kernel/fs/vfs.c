// SPDX-License-Identifier: MIT
// Changes of the tree of names. A directory's inode->lock is held while its names change; a rename takes both
// directories' in an order that no two renames disagree about, with `rename_lock` held, which also keeps
// directories from moving meanwhile.
#include "fs/vfs.h"
#include "core/cred.h"
#include "core/errno.h"
#include "fs/file.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/limits.h>

static struct mutex rename_lock = MUTEX_INIT(rename_lock);

// ---- making

typedef int make_fn(struct inode *dir, struct dentry *d, const void *arg);

// The new name in the directory, if it is not there yet.
static int make_name(struct dentry *dir, const char *name, size_t len, make_fn *make, const void *arg,
                     struct dentry **out) {
    struct inode *inode = dir->inode;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    mutex_lock(&inode->lock);
    int err = -EEXIST;
    struct dentry *d = vfs_lookup(dir, name, len);
    if (IS_ERR(d)) {
        err = dir->dead ? -ENOENT : PTR_ERR(d) == -ENOENT ? 0 : PTR_ERR(d);
        d = err ? NULL : dentry_alloc(dir, name, len);
        if (!err && !d)
            err = -ENOMEM;
        if (!err)
            err = make(inode, d, arg);
        if (!err) {
            dentry_insert(d);
            inode_touch(inode, true);
        }
    }
    mutex_unlock(&inode->lock);
    if ((!err || err == -EEXIST) && out)
        *out = d;
    else if (d)
        dentry_put(d);
    return err;
}

struct node_args {
    mode_t mode;
    dev_t rdev;
};

static int make_node(struct inode *dir, struct dentry *d, const void *arg) {
    const struct node_args *a = arg;
    return dir->ops->create ? dir->ops->create(dir, d, a->mode, a->rdev) : -EPERM;
}

static int make_directory(struct inode *dir, struct dentry *d, const void *arg) {
    return dir->ops->mkdir ? dir->ops->mkdir(dir, d, *(const mode_t *)arg) : -EPERM;
}

static int make_symlink(struct inode *dir, struct dentry *d, const void *target) {
    return dir->ops->symlink ? dir->ops->symlink(dir, d, target, strlen(target)) : -EPERM;
}

static int make_link(struct inode *dir, struct dentry *d, const void *target) {
    return dir->ops->link ? dir->ops->link(dir, d, (struct inode *)target) : -EPERM;
}

int vfs_create(struct dentry *dir, const char *name, size_t len, mode_t mode, dev_t rdev,
               struct dentry **out) {
    struct node_args args = {mode, rdev};
    return make_name(dir, name, len, make_node, &args, out);
}

int vfs_mkdir(struct dentry *dir, const char *name, size_t len, mode_t mode, struct dentry **out) {
    return make_name(dir, name, len, make_directory, &mode, out);
}

int vfs_symlink(struct dentry *dir, const char *name, size_t len, const char *target, struct dentry **out) {
    return make_name(dir, name, len, make_symlink, target, out);
}

int vfs_link(struct dentry *dir, const char *name, size_t len, struct inode *target) {
    return make_name(dir, name, len, make_link, target, NULL);
}

// ---- removing

// May the victim's name go? `is_dir`: as a directory. [victim's lock, if it is a directory]
static int check_victim(const struct dentry *d, bool is_dir) {
    bool dir = S_ISDIR(d->inode->mode);
    if (READ_ONCE(d->mounted))
        return -EBUSY;
    if (is_dir != dir)
        return is_dir ? -ENOTDIR : -EISDIR;
    return dir && d->child_count ? -ENOTEMPTY : 0;
}

int vfs_unlink(struct dentry *dir, const char *name, size_t len, bool is_dir,
               int (*may)(struct inode *dir, struct inode *victim)) {
    struct inode *inode = dir->inode;
    mutex_lock(&inode->lock);
    struct dentry *d = vfs_lookup(dir, name, len);
    int err = IS_ERR(d) ? PTR_ERR(d) : 0;
    if (err) {
        mutex_unlock(&inode->lock);
        return err;
    }
    struct inode *victim = d->inode;
    bool locked = S_ISDIR(victim->mode); // nobody makes names in it meanwhile
    if (locked)
        mutex_lock(&victim->lock);
    err = may ? may(inode, victim) : 0;
    if (!err)
        err = inode->ops->unlink ? check_victim(d, is_dir) : -EPERM;
    if (!err)
        err = inode->ops->unlink(inode, d);
    if (!err) {
        dentry_remove(d);
        inode_touch(inode, true);
    }
    if (locked)
        mutex_unlock(&victim->lock);
    mutex_unlock(&inode->lock);
    dentry_put(d);
    return err;
}

// ---- renaming

static bool is_ancestor(const struct dentry *above, const struct dentry *d) {
    while (d != above && d != d->parent)
        d = d->parent;
    return d == above;
}

static void lock_two(struct inode *a, struct inode *b) {
    if (a == b) {
        mutex_lock(&a->lock);
        return;
    }
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct inode *a, struct inode *b) {
    mutex_unlock(&a->lock);
    if (a != b)
        mutex_unlock(&b->lock);
}

static int check_rename(struct dentry *old_dir, struct dentry *old, struct dentry *new_dir,
                        struct dentry *new_d, unsigned int flags) {
    bool exchange = flags & RENAME_EXCHANGE, old_is_dir = S_ISDIR(old->inode->mode);
    if (new_dir->dead)
        return -ENOENT;
    if (exchange && !new_d)
        return -ENOENT;
    if ((flags & RENAME_NOREPLACE) && new_d)
        return -EEXIST;
    if (READ_ONCE(old->mounted) || (new_d && READ_ONCE(new_d->mounted)))
        return -EBUSY;
    if (is_ancestor(old, new_dir) || (exchange && is_ancestor(new_d, old_dir)))
        return -EINVAL;
    if (!new_d || exchange)
        return 0;
    if (is_ancestor(new_d, old_dir))
        return -ENOTEMPTY;
    bool new_is_dir = S_ISDIR(new_d->inode->mode);
    if (old_is_dir != new_is_dir)
        return new_is_dir ? -EISDIR : -ENOTDIR;
    return new_is_dir && new_d->child_count ? -ENOTEMPTY : 0;
}

static int rename_locked(struct dentry *old_dir, struct dentry *old, struct dentry *new_dir,
                         struct dentry *new_d, const char *new_name, size_t new_len, unsigned int flags) {
    struct inode *from = old_dir->inode, *to = new_dir->inode;
    bool exchange = flags & RENAME_EXCHANGE;
    char *name = kstrndup(new_name, new_len), *other = exchange ? kstrndup(old->name, old->name_len) : NULL;
    int err = name && (other || !exchange) ? from->ops->rename(from, old, to, new_d, flags) : -ENOMEM;
    if (err) {
        kfree(name);
        kfree(other);
        return err;
    }
    dentry_move(old, new_dir, name, new_d, other);
    inode_touch(from, true);
    inode_touch(to, true);
    return 0;
}

int vfs_rename(struct dentry *old_dir, const char *old_name, size_t old_len, struct dentry *new_dir,
               const char *new_name, size_t new_len, unsigned int flags,
               int (*may)(struct inode *dir, struct inode *victim)) {
    struct inode *from = old_dir->inode, *to = new_dir->inode;
    if (new_len > NAME_MAX)
        return -ENAMETOOLONG;
    if (!from->ops->rename)
        return -EPERM;
    mutex_lock(&rename_lock);
    lock_two(from, to);
    struct dentry *old = vfs_lookup(old_dir, old_name, old_len), *new_d = NULL;
    int err = IS_ERR(old) ? PTR_ERR(old) : 0;
    if (!err) {
        new_d = vfs_lookup(new_dir, new_name, new_len);
        if (IS_ERR(new_d)) {
            err = PTR_ERR(new_d) == -ENOENT ? 0 : PTR_ERR(new_d);
            new_d = NULL;
        }
    }
    if (!err && new_d && new_d->inode == old->inode && !(flags & RENAME_NOREPLACE))
        goto out; // two names of one file: nothing happens
    if (!err && may)
        err = may(from, old->inode);
    if (!err && may && new_d)
        err = may(to, new_d->inode);
    if (!err)
        err = check_rename(old_dir, old, new_dir, new_d, flags);
    if (!err)
        err = rename_locked(old_dir, old, new_dir, new_d, new_name, new_len, flags);
out:
    if (new_d)
        dentry_put(new_d);
    if (!IS_ERR(old))
        dentry_put(old);
    unlock_two(from, to);
    mutex_unlock(&rename_lock);
    return err;
}

// ---- attributes

int vfs_truncate(struct inode *inode, off_t size) {
    if (S_ISDIR(inode->mode))
        return -EISDIR;
    if (!inode->ops || !inode->ops->setattr || size < 0)
        return -EINVAL;
    ktime_t now = clock_realtime();
    struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME, .size = size, .mtime = now};
    mutex_lock(&inode->lock);
    int err = inode->ops->setattr(inode, &attr);
    if (!err)
        inode_drop_set_ids(inode);
    mutex_unlock(&inode->lock);
    return err;
}

static int check_setattr(struct inode *inode, struct iattr *attr, bool now) {
    const struct cred *cred = current->cred;
    bool owner = cred->fsuid == inode->uid || cred_capable(cred, CAP_FOWNER);
    if ((attr->valid & ATTR_UID) && attr->uid != inode->uid && !cred_capable(cred, CAP_CHOWN))
        return -EPERM;
    if ((attr->valid & (ATTR_UID | ATTR_GID)) && !cred_capable(cred, CAP_CHOWN)) {
        if (cred->fsuid != inode->uid)
            return -EPERM;
        if ((attr->valid & ATTR_GID) && attr->gid != inode->gid && !cred_in_group(cred, attr->gid))
            return -EPERM;
    }
    if (attr->valid & ATTR_MODE) {
        if (!owner)
            return -EPERM;
        if (!cred_in_group(cred, attr->valid & ATTR_GID ? attr->gid : inode->gid) &&
            !cred_capable(cred, CAP_FSETID))
            attr->mode &= ~S_ISGID;
    }
    if ((attr->valid & (ATTR_ATIME | ATTR_MTIME)) && !owner)
        return now ? inode_permission(inode, 2) : -EPERM;
    return 0;
}

int vfs_setattr(struct inode *inode, struct iattr *attr, bool now) {
    if (!inode->ops || !inode->ops->setattr)
        return -EPERM;
    mutex_lock(&inode->lock);
    mode_t drop = attr->valid & ATTR_CHOWN && !S_ISDIR(inode->mode) ? inode_set_ids(inode) : 0;
    if (drop) {
        attr->valid |= ATTR_MODE;
        attr->mode = inode->mode & ~drop;
    }
    int err = check_setattr(inode, attr, now);
    if (!err)
        err = inode->ops->setattr(inode, attr);
    mutex_unlock(&inode->lock);
    return err;
}
