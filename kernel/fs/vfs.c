// SPDX-License-Identifier: MIT
// Changes of the tree of names. A directory's inode->lock is held while its names change, and while it is itself
// taken away: so whoever holds it and finds the directory not `dead` may make names in it. Locks are taken downward:
// a directory's before those of what lies in it. A rename takes both directories' so (lock_parents()), with
// `rename_lock` of the file system held, which keeps directories from moving meanwhile, and then that of a directory that it
// replaces. Where names are a server's, whoever waits for such a lock can be killed: its holder may be waiting for the server.
//
// A server may also show one directory in two places, one of them in the other: then an inode has several dentries, one above the other,
// and is not locked for the second time.
#include "fs/vfs.h"
#include "core/cred.h"
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/event/notify.h"
#include "fs/file.h"
#include "fs/xattr.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/limits.h>

// 0 or -EINTR.
static inline int lock_names(struct inode *dir, enum lock_rank rank) {
    if (unlikely(dir->ops->lookup))
        return mutex_lock_killable_nested(&dir->lock, rank);
    mutex_lock_nested(&dir->lock, rank);
    return 0;
}

static uint32_t kind_of(const struct dentry *d) {
    return S_ISDIR(d->inode->mode) ? IN_ISDIR : 0;
}

// ---- making

typedef int make_fn(struct inode *dir, struct dentry *d, const void *arg);

// The one of that name, NULL or ERR_PTR(-ENOENT) if there is none. A server is asked about names that are known only: it tells of
// the others when it is to make one.
static inline struct dentry *find_name(struct dentry *dir, const char *name, size_t len, uint64_t key) {
    const struct inode_ops *ops = dir->inode->ops;
    struct dentry *d = NULL;
    if (likely(!ops->lookup) || ops->revalidate)
        d = dentry_find_keyed(dir, name, len, key);
    if (likely(!ops->lookup) || (ops->revalidate && !d))
        return d;
    if (d)
        dentry_put(d);
    return vfs_lookup(dir, name, len);
}

// The new name in the directory, if it is not there yet.
static int make_name(struct dentry *dir, const char *name, size_t len, make_fn *make, const void *arg,
                     struct dentry **out) {
    struct inode *inode = dir->inode;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    uint64_t key = dentry_key(name, len);
    int err = lock_names(inode, LOCK_FIRST);
    if (err)
        return err;
    err = -EEXIST;
    struct dentry *d = find_name(dir, name, len, key);
    if (!d || IS_ERR(d)) {
        err = dir->dead || vfs_has_fixed_names(inode) ? -ENOENT
              : !d || PTR_ERR(d) == -ENOENT           ? 0
                                                      : PTR_ERR(d);
        d = err ? NULL : dentry_alloc_keyed(dir, name, len, key);
        if (!err && !d)
            err = -ENOMEM;
        if (!err)
            err = make(inode, d, arg);
        if (err && d) {
            dentry_put(d);
            d = NULL;
        }
        if (!err) {
            if (likely(!inode->ops->revalidate)) // else it is already, and may have been forgotten since
                dentry_insert(d);
            inode_touch(inode, true);
            notify_name(inode, IN_CREATE | kind_of(d), name, len);
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
    int err = dir->ops->link ? dir->ops->link(dir, d, (struct inode *)target) : -EPERM;
    if (!err)
        notify_inode(d->inode, IN_ATTRIB);
    return err;
}

int vfs_create(struct dentry *dir, const char *name, size_t len, mode_t mode, dev_t rdev,
               struct dentry **out) {
    struct node_args args = {mode, rdev};
    return make_name(dir, name, len, make_node, &args, out);
}

int vfs_make(struct dentry *dir, const char *name, size_t len, make_fn *fn, const void *arg,
             struct dentry **out) {
    return make_name(dir, name, len, fn, arg, out);
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

// Where names are a server's, that says so.
static bool has_names(const struct dentry *d) {
    return d->child_count && !d->inode->ops->revalidate;
}

// May the victim's name go? `is_dir`: as a directory. [victim's lock, if it is a directory]
static int check_victim(const struct dentry *d, bool is_dir) {
    bool dir = S_ISDIR(d->inode->mode);
    if (mount_is_place(d))
        return -EBUSY;
    if (is_dir != dir)
        return is_dir ? -ENOTDIR : -EISDIR;
    return dir && has_names(d) ? -ENOTEMPTY : 0;
}

// d, which is the caller's, was a name in the directory.
static void tell_of_removal(struct inode *dir, struct dentry *d) {
    if (!kind_of(d))
        notify_inode(d->inode, IN_ATTRIB); // its number of names
    if (ref_read(&d->refs) == 1)
        notify_last_user(d->inode);
    notify_name(dir, IN_DELETE | kind_of(d), d->name, d->name_len);
}

int vfs_unlink(struct dentry *dir, const char *name, size_t len, bool is_dir,
               int (*may)(struct inode *dir, struct inode *victim)) {
    struct inode *inode = dir->inode;
    int err = lock_names(inode, LOCK_FIRST);
    if (err)
        return err;
    struct dentry *d = vfs_lookup(dir, name, len);
    err = IS_ERR(d) ? PTR_ERR(d) : 0;
    if (err) {
        mutex_unlock(&inode->lock);
        return err;
    }
    struct inode *victim = d->inode;
    bool locked = false;
    if (unlikely(victim == inode))
        err = -ELOOP;
    else if (S_ISDIR(victim->mode) && !(err = lock_names(victim, LOCK_CHILD)))
        locked = true; // nobody makes names in it meanwhile
    if (!err && may)
        err = may(inode, victim);
    if (!err)
        err = inode->ops->unlink ? check_victim(d, is_dir) : -EPERM;
    if (!err)
        err = inode->ops->unlink(inode, d);
    if (!err) {
        dentry_remove(d);
        inode_touch(inode, true);
        tell_of_removal(inode, d);
    }
    if (locked)
        mutex_unlock(&victim->lock);
    mutex_unlock(&inode->lock);
    if (!err && unlikely(READ_ONCE(d->mounted)))
        mount_forget_place(d);
    dentry_put(d);
    return err;
}

// ---- renaming

static bool is_ancestor(const struct dentry *above, const struct dentry *d) {
    while (d != above && d != d->parent)
        d = d->parent;
    return d == above;
}

// rename_lock is held. 0 or -EINTR.
static int lock_parents(const struct dentry *a, const struct dentry *b) {
    ASSERT_HELD(&a->inode->sb->rename_lock);
    struct inode *first = a->inode, *second = b->inode;
    if (first != second && (is_ancestor(b, a) || (!is_ancestor(a, b) && b < a))) {
        first = b->inode;
        second = a->inode;
    }
    int err = lock_names(first, LOCK_FIRST);
    if (err || second == first)
        return err;
    err = lock_names(second, LOCK_SECOND_PARENT);
    if (err)
        mutex_unlock(&first->lock);
    return err;
}

static void unlock_parents(const struct dentry *a, const struct dentry *b) {
    mutex_unlock(&a->inode->lock);
    if (a->inode != b->inode)
        mutex_unlock(&b->inode->lock);
}

// A rename: the names as they were found, with both directories' locks held.
struct rename {
    struct dentry *old_dir, *old, *new_dir, *new_d; // new_d: NULL if there is none
    unsigned int flags;
    int (*may)(struct inode *dir, struct inode *victim);
};

// A directory that gets another parent is written to: its "..".
static int check_new_parent(const struct rename *r, const struct dentry *d) {
    if (r->old_dir == r->new_dir || !S_ISDIR(d->inode->mode) || !r->may)
        return 0;
    return inode_permission(d->inode, 2);
}

static int check_kinds(const struct rename *r) {
    bool old_is_dir = S_ISDIR(r->old->inode->mode), new_is_dir = S_ISDIR(r->new_d->inode->mode);
    return old_is_dir == new_is_dir ? 0 : new_is_dir ? -EISDIR : -ENOTDIR;
}

// Whether it may be: in the order of Linux. 1: there is nothing to do.
static int check_rename(const struct rename *r) {
    ASSERT_HELD(&r->old_dir->inode->sb->rename_lock);
    struct dentry *new_d = r->new_d;
    bool exchange = r->flags & RENAME_EXCHANGE;
    int err = 0;
    if ((r->flags & RENAME_NOREPLACE) && new_d)
        return -EEXIST;
    if (exchange && !new_d)
        return -ENOENT;
    if (is_ancestor(r->old, r->new_dir) || r->old->inode == r->new_dir->inode)
        return -EINVAL;
    if (new_d && (is_ancestor(new_d, r->old_dir) || new_d->inode == r->old_dir->inode ||
                  new_d->inode == r->new_dir->inode))
        return exchange ? -EINVAL : -ENOTEMPTY;
    if (new_d && new_d->inode == r->old->inode)
        return 1; // two names of one file
    if (r->may)
        err = r->may(r->old_dir->inode, r->old->inode);
    if (!err && r->may && new_d)
        err = r->may(r->new_dir->inode, new_d->inode);
    if (!err && new_d && !exchange)
        err = check_kinds(r);
    if (!err && r->new_dir->dead)
        err = -ENOENT;
    if (!err && !r->old_dir->inode->ops->rename)
        err = -EPERM;
    if (!err)
        err = check_new_parent(r, r->old);
    if (!err && exchange)
        err = check_new_parent(r, new_d);
    if (!err && (mount_is_place(r->old) || (new_d && mount_is_place(new_d))))
        err = -EBUSY;
    return err;
}

// What stays in the old place with RENAME_WHITEOUT: NULL without; ERR_PTR.
static struct dentry *make_whiteout(const struct rename *r) {
    if (!(r->flags & RENAME_WHITEOUT))
        return NULL;
    struct dentry *d = dentry_alloc(r->old_dir, r->old->name, r->old->name_len);
    int err = !d ? -ENOMEM : r->old_dir->inode->ops->create(r->old_dir->inode, d, S_IFCHR, 0);
    if (err && d)
        dentry_put(d);
    return err ? ERR_PTR(err) : d;
}

// d, which was `name` in a directory, has got its place.
static void tell_of_move(const struct dentry *d, struct inode *from, const char *name, size_t len,
                         struct inode *to) {
    uint32_t cookie = notify_cookie();
    notify_of_name(from, IN_MOVED_FROM | kind_of(d), cookie, name, len);
    notify_of_name(to, IN_MOVED_TO | kind_of(d), cookie, d->name, d->name_len);
}

static bool is_watched(const struct dentry *d) {
    return d && READ_ONCE(d->inode->notify);
}

struct old_name {
    bool wanted;
    size_t len;
    char text[NAME_MAX + 1];
};

static void keep_old_name(const struct rename *r, struct old_name *old) {
    old->wanted =
        is_watched(r->old_dir) || is_watched(r->new_dir) || is_watched(r->old) || is_watched(r->new_d);
    if (unlikely(old->wanted))
        old->len = dentry_copy_name(r->old, old->text);
}

// Names stay: both directories' locks are held.
static void tell_of_rename(const struct rename *r, const struct old_name *old, const char *new_name,
                           size_t new_len) {
    bool exchange = r->flags & RENAME_EXCHANGE;
    struct inode *from = r->old_dir->inode, *to = r->new_dir->inode;
    tell_of_move(r->old, from, old->text, old->len, to);
    if (r->new_d && !exchange)
        notify_inode(r->new_d->inode, IN_ATTRIB);
    notify_inode(r->old->inode, IN_MOVE_SELF);
    if (!exchange)
        return;
    tell_of_move(r->new_d, to, new_name, new_len, from);
    notify_inode(r->new_d->inode, IN_MOVE_SELF);
}

// The whole change. What may fail comes first.
static int rename_locked(const struct rename *r, const char *new_name, size_t new_len) {
    ASSERT_HELD(&r->old_dir->inode->sb->rename_lock);
    struct inode *from = r->old_dir->inode, *to = r->new_dir->inode;
    bool exchange = r->flags & RENAME_EXCHANGE;
    struct old_name was;
    struct dentry *whiteout = make_whiteout(r);
    if (IS_ERR(whiteout))
        return PTR_ERR(whiteout);
    char *name = kstrndup(new_name, new_len);
    char *other = exchange ? kstrndup(r->old->name, r->old->name_len) : NULL;
    int err = name && (other || !exchange) ? from->ops->rename(from, r->old, to, r->new_d, name, r->flags)
                                           : -ENOMEM;
    if (err) {
        kfree(name);
        kfree(other);
    } else {
        keep_old_name(r, &was);
        dentry_move(r->old, r->new_dir, name, r->new_d, other);
        if (unlikely(r->old->inode->ops->kept))
            r->old->inode->ops->kept(r->old);
        if (whiteout)
            dentry_insert(whiteout);
        inode_touch(from, true);
        inode_touch(to, true);
        if (unlikely(was.wanted))
            tell_of_rename(r, &was, new_name, new_len);
    }
    if (whiteout)
        dentry_put(whiteout);
    return err;
}

// A directory that goes must be empty, and stay so until it is dead.
static int rename_replacing(const struct rename *r, const char *new_name, size_t new_len) {
    struct dentry *victim = r->new_d && S_ISDIR(r->new_d->inode->mode) ? r->new_d : NULL;
    if (!victim || (r->flags & RENAME_EXCHANGE))
        return rename_locked(r, new_name, new_len);
    int err = lock_names(victim->inode, LOCK_CHILD);
    if (err)
        return err;
    err = has_names(victim) ? -ENOTEMPTY : rename_locked(r, new_name, new_len);
    mutex_unlock(&victim->inode->lock);
    return err;
}

int vfs_rename(struct dentry *old_dir, const char *old_name, size_t old_len, struct dentry *new_dir,
               const char *new_name, size_t new_len, unsigned int flags,
               int (*may)(struct inode *dir, struct inode *victim)) {
    struct rename r = {.old_dir = old_dir, .new_dir = new_dir, .flags = flags, .may = may};
    struct superblock *sb = old_dir->inode->sb;
    if (new_len > NAME_MAX)
        return -ENAMETOOLONG;
    if (flags &&
        old_dir->inode->ops->revalidate) // servers do not know them, and a whiteout would be made first
        return -EINVAL;
    int err = mutex_lock_killable(&sb->rename_lock);
    if (err)
        return err;
    err = lock_parents(old_dir, new_dir);
    if (err) {
        mutex_unlock(&sb->rename_lock);
        return err;
    }
    r.old = vfs_lookup(old_dir, old_name, old_len);
    err = IS_ERR(r.old) ? PTR_ERR(r.old) : 0;
    if (!err) {
        r.new_d = vfs_lookup(new_dir, new_name, new_len);
        if (IS_ERR(r.new_d)) {
            err = PTR_ERR(r.new_d) == -ENOENT && !vfs_has_fixed_names(new_dir->inode) ? 0 : PTR_ERR(r.new_d);
            r.new_d = NULL;
        }
    }
    if (!err)
        err = check_rename(&r);
    if (!err)
        err = rename_replacing(&r, new_name, new_len);
    if (!IS_ERR(r.old))
        dentry_put(r.old);
    unlock_parents(old_dir, new_dir);
    mutex_unlock(&sb->rename_lock);
    if (!err && r.new_d && !(flags & RENAME_EXCHANGE) && unlikely(READ_ONCE(r.new_d->mounted)))
        mount_forget_place(r.new_d);
    if (r.new_d)
        dentry_put(r.new_d);
    return MIN(err, 0);
}

// ---- attributes

int vfs_truncate(struct inode *inode, off_t size) {
    if (S_ISDIR(inode->mode))
        return -EISDIR;
    if (!inode->ops || !inode->ops->setattr || size < 0)
        return -EINVAL;
    ktime_t now = clock_realtime();
    struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME, .size = size, .mtime = now};
    int err = mutex_lock_killable(&inode->lock);
    if (err)
        return err;
    err = inode_check_size_locked(inode, size);
    if (!err)
        err = inode->ops->setattr(inode, &attr);
    if (!err)
        inode_drop_set_ids(inode);
    mutex_unlock(&inode->lock);
    return err;
}

// What chattr(1) has fixed keeps its attributes; only the times of what only grows may be set to now.
static int check_fixed(const struct inode *inode, unsigned int valid, bool now) {
    if (likely(!inode_is_fixed(inode)))
        return 0;
    bool times = valid & (ATTR_ATIME | ATTR_MTIME) && (!now || inode_is_immutable(inode));
    return times || valid & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

static int check_setattr(struct inode *inode, struct iattr *attr, bool now) {
    const struct cred *cred = current->cred;
    bool owner = inode_is_owner(inode);
    if ((attr->valid & ATTR_UID) && attr->uid != inode->uid && !inode_capable(cred, inode, CAP_CHOWN))
        return -EPERM;
    if ((attr->valid & (ATTR_UID | ATTR_GID)) && !inode_capable(cred, inode, CAP_CHOWN)) {
        if (cred->fsuid != inode->uid)
            return -EPERM;
        if ((attr->valid & ATTR_GID) && attr->gid != inode->gid && !cred_in_group(cred, attr->gid))
            return -EPERM;
    }
    if (attr->valid & ATTR_MODE) {
        if (!owner)
            return -EPERM;
        if (!cred_in_group(cred, attr->valid & ATTR_GID ? attr->gid : inode->gid) &&
            !inode_capable(cred, inode, CAP_FSETID))
            attr->mode &= ~S_ISGID;
    }
    if ((attr->valid & (ATTR_ATIME | ATTR_MTIME)) && !owner)
        return now ? inode_permission(inode, 2) : -EPERM;
    return 0;
}

int vfs_setattr(struct inode *inode, struct iattr *attr, bool now) {
    if (!inode->ops || !inode->ops->setattr)
        return -EPERM;
    int err = mutex_lock_killable(&inode->lock);
    if (err)
        return err;
    unsigned int asked = attr->valid;
    mode_t drop = attr->valid & ATTR_CHOWN && !S_ISDIR(inode->mode) ? inode_set_ids(inode) : 0;
    if (drop) {
        attr->valid |= ATTR_MODE;
        attr->mode = inode->mode & ~drop;
    }
    err = check_fixed(inode, asked, now);
    if (!err)
        err = check_setattr(inode, attr, now);
    if (!err)
        err = inode->ops->setattr(inode, attr);
    if (!err && attr->valid & ATTR_CHOWN && !S_ISDIR(inode->mode) && inode->xattrs)
        xattr_drop_caps_locked(inode);
    mutex_unlock(&inode->lock);
    return err;
}

bool vfs_has_flags(const struct inode *inode) {
    return inode->sb && inode->sb->type->has_flags && (S_ISREG(inode->mode) || S_ISDIR(inode->mode));
}

int vfs_set_flags(struct inode *inode, unsigned int flags, unsigned int kept, int refused) {
    if (!vfs_has_flags(inode))
        return -ENOTTY;
    if (!inode_is_owner(inode))
        return -EPERM;
    int err = mutex_lock_killable(&inode->lock);
    if (err)
        return err;
    flags |= inode->flags & kept;
    if ((flags ^ inode->flags) & (FS_IMMUTABLE_FL | FS_APPEND_FL) && !capable(CAP_LINUX_IMMUTABLE))
        err = -EPERM;
    else if (refused || flags & ~INODE_FLAGS)
        err = refused ? refused : -EOPNOTSUPP;
    else
        WRITE_ONCE(inode->flags, flags);
    mutex_unlock(&inode->lock);
    if (!err)
        inode_touch(inode, false);
    return err;
}
