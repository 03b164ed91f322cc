// SPDX-License-Identifier: MIT
// Changes of names. The lock of the directory is held.
#include "core/errno.h"
#include "fs/9p/private.h"
#include "lib/string.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define SET_IDS ((mode_t)(S_ISUID | S_ISGID))

static gid_t new_gid(const struct inode *dir) {
    return dir->mode & S_ISGID ? dir->gid : current->cred->fsgid;
}

// What was made is whose thread made it, if the server lets us say so; else it is the server's.
static int give_to_maker(struct inode *inode, struct p9_fid *fid, gid_t gid) {
    struct p9_mount *m = p9_mount_of(inode);
    uid_t uid = current->cred->fsuid;
    if (!READ_ONCE(m->keeps_owners) || (inode->uid == uid && inode->gid == gid))
        return 0;
    struct p9_setattr set = {.valid = P9_SET_UID | P9_SET_GID, .uid = uid, .gid = gid};
    int err = p9_setattr(fid, &set);
    if (err == -EPERM || err == -EOPNOTSUPP) {
        WRITE_ONCE(m->keeps_owners, false);
        return 0;
    }
    if (err == -EINVAL) // the server's system does not know this user, as in a container
        return 0;
    return err ? err : p9_refresh(inode);
}

// A file is made without set-id bits, which would be the server's, and are lost when it is given away: it gets them when it is its
// maker's, and never if it can not be; that of a directory's group only if the maker is in it.
static int give_set_ids(struct inode *inode, struct p9_fid *fid, gid_t gid, mode_t mode) {
    const struct cred *cred = current->cred;
    bool group = inode->gid == gid && (!(mode & S_IXGRP) || cred_in_group(cred, gid) || capable(CAP_FSETID));
    mode &= (inode->uid == cred->fsuid ? S_ISUID : 0) | (group ? S_ISGID : 0);
    if (!mode)
        return 0;
    struct p9_setattr set = {.valid = P9_SET_MODE, .mode = (inode->mode | mode) & 07777};
    int err = p9_setattr(fid, &set);
    return err ? err : p9_refresh(inode);
}

// Finds what was just made; the mode tells which set-id bits it is to get yet. What cannot become its maker's is taken away again,
// unless the maker has been killed.
static int found(struct p9_fid *from, struct inode *dir, struct dentry *d, mode_t set_ids) {
    struct p9_fid *fid = p9_walk_name(from, dir, d->name, d->name_len);
    if (IS_ERR(fid))
        return PTR_ERR(fid);
    p9_fid_get(fid);
    struct inode *inode = p9_inode_get(p9_mount_of(dir), fid);
    int err = IS_ERR(inode) ? PTR_ERR(inode) : give_to_maker(inode, fid, new_gid(dir));
    if (!err)
        err = give_set_ids(inode, fid, new_gid(dir), set_ids);
    p9_fid_put(fid);
    if (IS_ERR(inode))
        return err;
    if (err) {
        if (err != -EINTR)
            (void)!p9_unlinkat(from, d->name, d->name_len, S_ISDIR(inode->mode));
        inode_put(inode);
        return err;
    }
    d->inode = inode;
    p9_name_made(d);
    return 0;
}

static int create_regular(struct p9_fid *from, struct inode *dir, struct dentry *d, mode_t mode) {
    struct p9_mount *m = p9_mount_of(dir);
    struct p9_fid *opened = p9_walk(from, NULL, 0);
    if (IS_ERR(opened))
        return PTR_ERR(opened);
    int err = p9_lcreate(opened, d->name, d->name_len, O_RDWR | O_CREAT | O_EXCL | O_LARGEFILE,
                         mode & ~SET_IDS & 07777, new_gid(dir));
    if (!err)
        err = found(from, dir, d, mode);
    if (err || !S_ISREG(d->inode->mode)) {
        p9_fid_put(opened);
        return err;
    }
    struct p9_inode *p = p9_inode_of(d->inode);
    spin_lock(&m->lock);
    struct p9_fid *old = p->created;
    p->created = opened;
    spin_unlock(&m->lock);
    if (old)
        p9_fid_put(old);
    return 0;
}

static int create(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev) {
    struct p9_fid *from = p9_fid_of(dir);
    if (IS_ERR(from))
        return PTR_ERR(from);
    int err;
    if (S_ISREG(mode)) {
        err = create_regular(from, dir, d, mode);
    } else {
        err = p9_mknod(from, d->name, d->name_len, mode & ~SET_IDS, DEV_MAJOR(rdev), DEV_MINOR(rdev),
                       new_gid(dir));
        if (!err)
            err = found(from, dir, d, mode);
    }
    p9_fid_put(from);
    return err;
}

static int make_dir(struct inode *dir, struct dentry *d, mode_t mode) {
    struct p9_fid *from = p9_fid_of(dir);
    if (IS_ERR(from))
        return PTR_ERR(from);
    mode |= dir->mode & S_ISGID;
    int err = p9_mkdir(from, d->name, d->name_len, mode & 07777, new_gid(dir));
    if (!err)
        err = found(from, dir, d, 0);
    p9_fid_put(from);
    return err;
}

static int make_symlink(struct inode *dir, struct dentry *d, const char *target, size_t len) {
    struct p9_fid *from = p9_fid_of(dir);
    if (IS_ERR(from))
        return PTR_ERR(from);
    int err = p9_symlink(from, d->name, d->name_len, target, len, new_gid(dir));
    if (!err)
        err = found(from, dir, d, 0);
    p9_fid_put(from);
    return err;
}

static int make_link(struct inode *dir, struct dentry *d, struct inode *target) {
    struct p9_fid *from = p9_fid_of(dir), *fid = p9_fid_of(target);
    int err = IS_ERR(from) ? PTR_ERR(from) : IS_ERR(fid) ? PTR_ERR(fid) : 0;
    if (!err)
        err = p9_link(from, fid, d->name, d->name_len);
    struct p9_fid *by_name = err ? NULL : p9_walk_name(from, dir, d->name, d->name_len);
    if (!IS_ERR(from))
        p9_fid_put(from);
    if (!IS_ERR(fid))
        p9_fid_put(fid);
    if (!by_name || IS_ERR(by_name))
        return err ? err : PTR_ERR(by_name);
    struct inode *inode = p9_inode_get(p9_mount_of(dir), by_name);
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    d->inode = inode;
    p9_name_made(d);
    return 0;
}

// The name d in that directory has gone.
static void lost(const struct inode *dir, struct dentry *d) {
    struct inode *inode = d->inode;
    bool is_dir = S_ISDIR(inode->mode), last = is_dir || inode->nlink <= 1;
    if (inode->nlink)
        inode_change_nlink(inode, last ? -(int)inode->nlink : -1);
    p9_name_lost(dir, d, last);
}

static int unlink(struct inode *dir, struct dentry *d) {
    struct p9_fid *from = p9_fid_of(dir);
    if (IS_ERR(from))
        return PTR_ERR(from);
    int err = p9_unlinkat(from, d->name, d->name_len, S_ISDIR(d->inode->mode));
    p9_fid_put(from);
    if (!err)
        lost(dir, d);
    return err;
}

static int rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new_d,
                  const char *name, unsigned int flags) {
    if (flags) // the protocol has no such renames
        return -EINVAL;
    struct p9_fid *from = p9_fid_of(old_dir), *to = p9_fid_of(new_dir);
    int err = IS_ERR(from) ? PTR_ERR(from) : IS_ERR(to) ? PTR_ERR(to) : 0;
    if (!err)
        err = p9_renameat(from, old->name, old->name_len, to, name, strlen(name));
    if (!IS_ERR(from))
        p9_fid_put(from);
    if (!IS_ERR(to))
        p9_fid_put(to);
    if (!err && new_d)
        lost(new_dir, new_d);
    if (!err)
        p9_name_changed(old->inode, old_dir, old, new_dir, name);
    return err;
}

#define COMMON                                                                                               \
    .setattr = p9_inode_setattr, .getattr = p9_inode_getattr, .revalidate = p9_revalidate, .kept = p9_kept,  \
    .forget = p9_forget
const struct inode_ops p9_dir_ops = {COMMON,
                                     .lookup = p9_lookup,
                                     .open = p9_dir_open,
                                     .create = create,
                                     .mkdir = make_dir,
                                     .symlink = make_symlink,
                                     .link = make_link,
                                     .unlink = unlink,
                                     .rename = rename};
const struct inode_ops p9_file_iops = {COMMON, .open = p9_file_open};
const struct inode_ops p9_link_ops = {COMMON, .readlink = p9_inode_readlink};
const struct inode_ops p9_special_ops = {COMMON};
