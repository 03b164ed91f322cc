// SPDX-License-Identifier: MIT
// Changes of the tree of mounts: mount(2), umount2(2), pivot_root(2). Each takes the topology's mutex, checks all and
// then changes; what it lets go of is put when the locks are released.
//
// A place is also held as a name: with the lock, taken first, of the directory that it is in, so that it is not removed or
// renamed while something is laid over it. Names that the file system makes at each lookup (/proc) are put into the tree of
// dentries for as long as something is mounted there (settle()), and so are the directories above them.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/mount_private.h"
#include "fs/path_walk.h"
#include "fs/superblock.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "sched/user.h"
#include "upcalls.h"
#include <linux/fcntl.h>

// ---- places

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

// Nothing is mounted on d any more: it and those above go out of the tree of dentries again. [t]
static void unsettle(struct dentry *d) {
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

struct place {
    struct path at;      // referenced; what lies on top there
    struct inode *names; // whose lock keeps its name
};

// The directory that d is in, or d itself if it is in none, referenced.
static struct inode *names_of(struct dentry *d) {
    struct dentry *parent = dentry_get_parent(d);
    struct inode *inode = parent->inode;
    inode_get(inode);
    dentry_put(parent);
    return inode;
}

static void place_unlock(struct place *p) {
    mutex_unlock(&mount_mutex);
    mutex_unlock(&p->names->lock);
    inode_put(p->names);
    path_put(&p->at);
}

// What lies on top of p->at, by the dentry that others see: if it is in that directory the place is found. 0; -EAGAIN: it is
// elsewhere now; -ENOENT, -ENOMEM. [t], and the lock of p->names
static int settle_place(struct place *p) {
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
    if (!p->at.dentry->dead && p->at.mount->attached)
        return 0;
    unsettle(p->at.dentry);
    return -ENOENT;
}

// Nothing is going to be mounted there, though it was settled.
static void give_up_place(struct place *p) {
    mutex_lock(&mount_mutex);
    unsettle(p->at.dentry);
    mutex_unlock(&mount_mutex);
}

// Takes the place where a mount on `at` would go, and the topology's mutex. The directory's lock comes first: its holder may
// wait for a server, however long, and then only who wants that place waits, too, and can be killed. 0, -ENOENT (it has been
// removed, or is not in the tree of mounts), -ENOMEM, -EINTR.
static int place_lock(struct place *p, const struct path *at) {
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
        mutex_unlock(&mount_mutex);
        mutex_unlock(&p->names->lock);
        inode_put(p->names);
    } while (err == -EAGAIN);
    path_put(&p->at);
    return err;
}

static bool same_kind(const struct dentry *a, const struct dentry *b) {
    return S_ISDIR(a->inode->mode) == S_ISDIR(b->inode->mode);
}

static bool is_mount_root(const struct path *p) {
    return p->dentry == p->mount->root;
}

// True if p is `above` or below it, through mounts. [t]
static bool is_reachable(const struct path *p, const struct path *above) {
    const struct mount *m = p->mount;
    struct dentry *d = p->dentry;
    while (m != above->mount && m->parent) {
        d = m->mountpoint;
        m = m->parent;
    }
    return m == above->mount && dentry_is_below(d, above->dentry);
}

// ---- making

// Lays the tree `top` over the place, and lists its mounts. [t]
static void lay(struct mount *top, const struct path *at) {
    mount_attach(top, at->mount, at->dentry);
    for (struct mount *m = top; m; m = mount_next(m, top))
        mount_list(m);
}

// What a mount keeps of mount(2)'s flags: access times are relative to changes unless it is said otherwise.
static unsigned int new_flags(unsigned long flags) {
    unsigned long times = flags & MS_STRICTATIME ? MS_STRICTATIME
                          : flags & MS_NOATIME   ? MS_NOATIME
                                                 : MS_RELATIME;
    return (flags & MOUNT_FLAGS & ~(unsigned long)(MS_STRICTATIME | MS_NOATIME | MS_RELATIME)) | times;
}

int mount_new(const struct path *at, const struct fs_type *type, const char *source, const char *options,
              unsigned long flags) {
    if (!type->mount) // for the kernel's own use
        return -EINVAL;
    struct dentry *root = type->mount(type, source, options);
    if (IS_ERR(root))
        return PTR_ERR(root);
    struct mount *m = mount_alloc(root, source, new_flags(flags));
    if (!m)
        return -ENOMEM;
    if (!type->shared)
        m->sb->flags = flags & SUPERBLOCK_FLAGS;
    struct place p;
    int err = place_lock(&p, at);
    if (!err) {
        if (p.at.mount->sb == m->sb && is_mount_root(&p.at) && type->once)
            err = -EBUSY;
        else if (!same_kind(p.at.dentry, m->root))
            err = -ENOTDIR;
        else if (mount_count >= READ_ONCE(limits.mounts_max))
            err = -ENOSPC;
        if (!err)
            lay(m, &p.at);
        else
            unsettle(p.at.dentry);
        place_unlock(&p);
    }
    if (err)
        mount_put(m);
    return err;
}

// ---- forbidding to write

// Does anybody write there, through whatever mount, also one that has been taken away?
static bool has_writers(const struct superblock *sb) {
    const struct mount *m;
    bool found = false;
    spin_lock(&mounts_lock);
    list_for_each_entry (m, &sb->mount_list, sb_link)
        found |= READ_ONCE(m->writers) != 0;
    spin_unlock(&mounts_lock);
    return found;
}

// Changes a mount's own flags, or those of what it shows, unless that forbids writing and somebody does. 0 or -EBUSY.
static int set_flags(struct mount *m, bool own, unsigned int now) {
    unsigned int *flags = own ? &m->flags : &m->sb->flags, before = READ_ONCE(*flags);
    WRITE_ONCE(*flags, now);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(now & ~before & MS_RDONLY) || !(own ? READ_ONCE(m->writers) != 0 : has_writers(m->sb)))
        return 0;
    WRITE_ONCE(*flags, before);
    return -EBUSY;
}

// ---- taking away

// Takes the mounts of the tree `top` apart and off the list, if they are on it, into the list `gone`. [t]
static void dissolve(struct mount *top, struct list_head *gone) {
    struct mount *m;
    for (struct mount *m = top, *next; m; m = next) {
        next = mount_next(m, top);
        spin_lock(&mounts_lock);
        list_del(&m->link);
        mount_count -= m->attached;
        m->attached = false;
        spin_unlock(&mounts_lock);
        list_add_tail(&m->link, gone);
    }
    list_for_each_entry (m, gone, link) {
        spin_lock(&mounts_lock);
        struct path place = mount_detach_locked(m);
        spin_unlock(&mounts_lock);
        if (place.mount) {
            unsettle(place.dentry);
            path_put(&place);
        }
    }
}

// Lets go of those taken apart. What was only mounted there goes, however much it is: without the topology's mutex, for
// whom it does not concern goes on meanwhile.
static void release(struct list_head *gone) {
    while (!list_empty(gone)) {
        struct mount *m = list_first_entry(gone, struct mount, link);
        list_del(&m->link);
        mount_put(m);
    }
}

// Nobody but the list and the caller refers to it, and nothing is mounted on it; nobody can come then. [mounts]
static bool is_idle(const struct mount *m) {
    return ref_read(&m->refs) == 2 && list_empty(&m->children);
}

// 0: `gone` has what release() is to let go of. [t]
static int remove_locked(struct mount *m, int flags, struct list_head *gone) {
    ASSERT_HELD(&mount_mutex);
    bool own_root = m == current->fs->root.mount;
    if (!m->attached || !m->parent) // gone already, or the root of all
        return -EINVAL;
    if (flags & MNT_EXPIRE) {
        if (own_root || (flags & (MNT_FORCE | MNT_DETACH)))
            return -EINVAL;
        if (ref_read(&m->refs) != 2)
            return -EBUSY;
        if (m->expires != m->visits || !m->expires) { // the next time, if only that call has come here
            m->expires = m->visits + 1;
            return -EAGAIN;
        }
    }
    if (own_root && !(flags & MNT_DETACH))
        return set_flags(m, false, m->sb->flags | MS_RDONLY); // it cannot go
    if (!(flags & MNT_DETACH)) {
        spin_lock(&mounts_lock);
        bool idle = is_idle(m);
        struct path place = {NULL, NULL};
        if (idle) { // and stays so: off its place at once
            place = mount_detach_locked(m);
            list_del(&m->link);
            m->attached = false;
            mount_count--;
        }
        spin_unlock(&mounts_lock);
        if (!idle)
            return -EBUSY;
        list_add_tail(&m->link, gone);
        unsettle(place.dentry);
        path_put(&place);
        return 0;
    }
    dissolve(m, gone);
    return 0;
}

int mount_remove(const struct path *at, int flags) {
    if (!is_mount_root(at))
        return -EINVAL;
    struct list_head gone = LIST_HEAD_INIT(gone);
    mutex_lock(&mount_mutex);
    int err = remove_locked(at->mount, flags, &gone);
    mutex_unlock(&mount_mutex);
    release(&gone);
    return err;
}

// ---- binding

static struct mount *clone(const struct mount *m, struct dentry *root) {
    dentry_get(root);
    return mount_alloc(root, m->source, m->flags);
}

// A copy of the mount `from`, showing what is at `root`, with all that is mounted below that. While this lasts,
// m->copy of each mount is what it was copied to, NULL where it was left out. ERR_PTR(-ENOMEM, -ENOSPC, -EINTR). [t]
static struct mount *clone_tree(struct mount *from, struct dentry *root) {
    struct mount *top = clone(from, root), *copy;
    unsigned int count = 1;
    int err = 0;
    if (!top)
        return ERR_PTR(-ENOMEM);
    from->copy = top;
    for (struct mount *m = mount_next(from, from); m && !err; m = mount_next(m, from)) {
        bool shown = m->parent != from || dentry_is_below(m->mountpoint, root);
        m->copy = NULL;
        if (!shown || m->unbindable || !m->parent->copy)
            continue;
        copy = clone(m, m->root);
        if (!copy) {
            err = -ENOMEM;
            break;
        }
        m->copy = copy;
        mount_attach(copy, m->parent->copy, m->mountpoint);
        if (++count + mount_count > READ_ONCE(limits.mounts_max))
            err = -ENOSPC;
        cond_resched();
        if (!err && signal_pending_fatal())
            err = -EINTR;
    }
    if (!err)
        return top;
    struct list_head gone = LIST_HEAD_INIT(gone);
    dissolve(top, &gone);
    release(&gone); // what they showed is mounted elsewhere
    return ERR_PTR(err);
}

int mount_bind(const struct path *at, const struct path *from, unsigned long flags) {
    struct place p;
    int err = place_lock(&p, at);
    if (err)
        return err;
    if (!from->mount->attached || from->mount->unbindable)
        err = -EINVAL;
    else if (from->dentry->dead)
        err = -ENOENT;
    else if (!same_kind(p.at.dentry, from->dentry))
        err = -ENOTDIR;
    else if (mount_count >= READ_ONCE(limits.mounts_max))
        err = -ENOSPC;
    if (!err) {
        struct mount *m =
            flags & MS_REC ? clone_tree(from->mount, from->dentry) : clone(from->mount, from->dentry);
        err = !m ? -ENOMEM : IS_ERR(m) ? PTR_ERR(m) : 0;
        if (!err)
            lay(m, &p.at);
    }
    if (err)
        unsettle(p.at.dentry);
    place_unlock(&p);
    return err;
}

// ---- moving

// Takes m off its place. [t]
static struct path take_off(struct mount *m) {
    spin_lock(&mounts_lock);
    struct path place = mount_detach_locked(m);
    spin_unlock(&mounts_lock);
    return place;
}

static void let_go(struct path *place) {
    unsettle(place->dentry);
    path_put(place);
}

static int check_move(const struct path *at, const struct path *from) {
    struct mount *m = from->mount;
    if (!m->attached || !m->parent || !is_mount_root(from) || !same_kind(at->dentry, from->dentry))
        return -EINVAL;
    for (const struct mount *above = at->mount; above; above = above->parent)
        if (above == m)
            return -ELOOP;
    return 0;
}

int mount_move(const struct path *at, const struct path *from) {
    struct place p;
    int err = place_lock(&p, at);
    if (err)
        return err;
    err = check_move(&p.at, from);
    if (!err) {
        struct path old = take_off(from->mount);
        mount_attach(from->mount, p.at.mount, p.at.dentry);
        let_go(&old);
    } else {
        unsettle(p.at.dentry);
    }
    place_unlock(&p);
    return err;
}

static int check_pivot(const struct path *new_root, const struct path *put_old, const struct path *root) {
    struct mount *m = new_root->mount;
    if (!root->mount->attached || !m->attached)
        return -EINVAL;
    if (new_root->dentry->dead)
        return -ENOENT;
    if (m == root->mount || put_old->mount == root->mount)
        return -EBUSY;
    if (!is_mount_root(root) || !root->mount->parent || !is_mount_root(new_root) || !m->parent)
        return -EINVAL;
    return is_reachable(put_old, new_root) && is_reachable(new_root, root) ? 0 : -EINVAL;
}

int mount_pivot(const struct path *new_root, const struct path *put_old) {
    struct path root = path_process_root();
    struct place p;
    int err = place_lock(&p, put_old);
    if (!err) {
        err = check_pivot(new_root, &p.at, &root);
        if (!err) {
            struct path old_place = take_off(new_root->mount), root_place = take_off(root.mount);
            mount_attach(new_root->mount, root_place.mount, root_place.dentry);
            mount_attach(root.mount, p.at.mount, p.at.dentry);
            fs_context_replace(&root, new_root);
            let_go(&old_place);
            path_put(&root_place);
        } else {
            unsettle(p.at.dentry);
        }
        place_unlock(&p);
    }
    path_put(&root);
    return err;
}

// ---- changing

// Flags that say something of access times; a remount without any leaves those be.
#define TIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)

static unsigned int flags_for(const struct mount *m, unsigned long flags) {
    if (flags & TIME_FLAGS)
        return new_flags(flags);
    return (flags & MOUNT_FLAGS) | (READ_ONCE(m->flags) & TIME_FLAGS);
}

static int remount_locked(struct mount *m, const char *options, unsigned long flags) {
    ASSERT_HELD(&mount_mutex);
    struct superblock *sb = m->sb;
    if (flags & MS_BIND)
        return set_flags(m, true, flags_for(m, flags));
    if (options && *options && !sb->type->remount)
        return -EINVAL;
    bool own = sb->type->shared; // then that it is read-only is the mount's own
    unsigned int *changed = own ? &m->flags : &sb->flags, before = READ_ONCE(*changed);
    int err = set_flags(m, own, own ? flags_for(m, flags) : flags & SUPERBLOCK_FLAGS);
    if (!err && sb->type->remount && (err = sb->type->remount(sb, options)))
        WRITE_ONCE(*changed, before);
    if (!err)
        WRITE_ONCE(m->flags, flags_for(m, flags)); // who writes there has been counted
    return err;
}

int mount_remount(const struct path *at, const char *options, unsigned long flags) {
    if (!is_mount_root(at))
        return -EINVAL;
    mutex_lock(&mount_mutex);
    int err = at->mount->attached ? remount_locked(at->mount, options, flags) : -EINVAL;
    mutex_unlock(&mount_mutex);
    return err;
}

int mount_set_type(const struct path *at, unsigned long flags) {
    unsigned long type = flags & ~(unsigned long)(MS_REC | MS_SILENT);
    // One kind at a time; to share is not possible.
    if (!is_mount_root(at) || (type != MS_PRIVATE && type != MS_SLAVE && type != MS_UNBINDABLE))
        return -EINVAL;
    mutex_lock(&mount_mutex);
    int err = at->mount->attached ? 0 : -EINVAL;
    for (struct mount *m = at->mount; !err && m; m = flags & MS_REC ? mount_next(m, at->mount) : NULL)
        if (type != MS_SLAVE)
            m->unbindable = type == MS_UNBINDABLE;
    mutex_unlock(&mount_mutex);
    return err;
}
