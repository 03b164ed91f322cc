// SPDX-License-Identifier: MIT
// Places that something is mounted on.
//
// A place is also held as a name: with the lock, taken first, of the directory that it is in, so that it is not removed or
// renamed while something is laid over it. Names that the file system makes at each lookup (/proc) are put into the tree of
// dentries for as long as something is mounted there (settle()), and so are the directories above them.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/mount_private.h"
#include "fs/path_walk.h"
#include "fs/vfs.h"

// The dentry that every lookup of d's place finds from now on, referenced, or ERR_PTR. [t]
static struct dentry *settle(struct dentry *d) {
    struct dentry *parent = d->parent, *found;
    if (parent == d || d->in_tree || !parent->inode->ops->lookup) {
        dentry_get(d);
        return d;
    }
    if (parent->inode->ops
            ->revalidate) { // nobody asks a server with that mutex held: what the walk found is good
        found = dentry_find(parent, d->name, d->name_len);
        if (found)
            return found;
        dentry_insert(d);
        d->inode->ops->kept(d);
        dentry_get(d);
        return d;
    }
    struct dentry *above = settle(parent);
    if (IS_ERR(above))
        return above;
    found = dentry_find(above, d->name, d->name_len);
    if (!found && above == parent) {
        found = d;
        dentry_get(d);
    } else if (!found) {
        found = vfs_lookup(above, d->name, d->name_len);
    }
    if (!IS_ERR(found))
        dentry_insert(found);
    dentry_put(above);
    return found;
}

void mount_unsettle(struct dentry *d) {
    dentry_get(d);
    while (d->parent != d && d->parent->inode->ops->lookup && !d->parent->inode->ops->revalidate &&
           !d->mounted && !d->child_count) {
        struct dentry *parent = dentry_get_parent(d);
        dentry_forget(d);
        dentry_put(d);
        d = parent;
    }
    dentry_put(d);
}

// The directory that d is in, or d itself if it is in none, referenced.
static struct inode *names_of(struct dentry *d) {
    struct dentry *parent = dentry_get_parent(d);
    struct inode *inode = parent->inode;
    inode_get(inode);
    dentry_put(parent);
    return inode;
}

void mount_place_unlock(struct mount_place *p) {
    mount_unlock();
    mutex_unlock(&p->names->lock);
    inode_put(p->names);
    path_put(&p->at);
}

// What lies on top of p->at, by the dentry that others see: if it is in that directory the place is found. 0; -EAGAIN: it is
// elsewhere now; -ENOENT, -ENOMEM. [t], and the lock of p->names
static int settle_place(struct mount_place *p) {
    mount_cross_down(&p->at);
    struct dentry *d = settle(p->at.dentry);
    if (IS_ERR(d))
        return PTR_ERR(d);
    dentry_put(p->at.dentry);
    p->at.dentry = d;
    mount_cross_down(&p->at);
    struct inode *names = names_of(p->at.dentry);
    bool found = names == p->names;
    inode_put(names);
    if (!found)
        return -EAGAIN;
    bool place = !p->names->ops || !p->names->ops->no_places;
    if (place && !p->at.dentry->dead && mount_is_mine(p->at.mount))
        return 0;
    mount_unsettle(p->at.dentry);
    return -ENOENT;
}

// Nothing is going to be mounted there, though it was settled.
static void give_up_place(struct mount_place *p) {
    mutex_lock(&mount_mutex);
    mount_unsettle(p->at.dentry);
    mount_unlock();
}

int mount_place_lock(struct mount_place *p, const struct path *at) {
    int err = 0;
    p->at = *at;
    path_get(&p->at);
    do {
        mount_cross_down(&p->at);
        p->names = names_of(p->at.dentry);
        bool settled = err == -EAGAIN;
        err = mutex_lock_killable(&p->names->lock);
        if (err) {
            inode_put(p->names);
            if (settled)
                give_up_place(p);
            break;
        }
        mutex_lock(&mount_mutex);
        err = settle_place(p);
        if (!err)
            return 0;
        mount_unlock();
        mutex_unlock(&p->names->lock);
        inode_put(p->names);
    } while (err == -EAGAIN);
    path_put(&p->at);
    return err;
}
