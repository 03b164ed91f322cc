// SPDX-License-Identifier: MIT
// Changes of the tree of mounts: mount(2), umount2(2), pivot_root(2). Each takes the topology's mutex, checks all and
// then changes; what it lets go of is put when the locks are released.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/mount_private.h"
#include "fs/path_walk.h"
#include "fs/superblock.h"
#include "fs/vfs.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

static bool same_kind(const struct dentry *a, const struct dentry *b) {
    return S_ISDIR(a->inode->mode) == S_ISDIR(b->inode->mode);
}

bool mount_is_reachable(const struct path *p, const struct path *above) {
    const struct mount *m = p->mount;
    struct dentry *d = p->dentry;
    while (m != above->mount && m->parent) {
        d = m->mountpoint;
        m = m->parent;
    }
    return m == above->mount && dentry_is_below(d, above->dentry);
}

// ---- making

// Lays the tree `top` over the place and wherever that is shared, and lists its mounts. 0, or mount_propagate()'s errors. [t]
static int lay(struct mount *top, const struct path *at) {
    struct list_head copies = LIST_HEAD_INIT(copies);
    int err = mount_propagate(top, at, &copies);
    if (err)
        return err;
    mount_attach(top, at->mount, at->dentry);
    for (struct mount *m = top; m; m = mount_next(m, top))
        mount_list(m, at->mount->ns);
    mount_lay_copies(&copies, at->dentry);
    return 0;
}

// Does all of that file system show already in the namespace, as it would through a mount with these flags? [t]
// Then *kept has the flags that the new mount must keep as that one does.
static bool is_seen(const struct mount_ns *ns, const struct fs_type *type, unsigned int flags,
                    unsigned int *kept) {
    const struct mount *m, *child;
    list_for_each_entry (m, &ns->mounts, link) {
        bool whole = m->sb->type == type && m->root->parent == m->root && list_empty(&m->lids);
        if (!whole ||
            mount_check_kept_flags(m, flags | (m->flags & ~(unsigned int)(MS_RDONLY | MOUNT_TIME_FLAGS))))
            continue;
        list_for_each_entry (child, &m->children, sibling)
            whole &= !child->locked;
        *kept = m->kept_flags & (MS_RDONLY | MOUNT_TIME_FLAGS);
        if (whole)
            return true;
    }
    return false;
}

int mount_may_show(const struct mount_ns *ns, const struct fs_type *type, struct mount *m) {
    if (capable(CAP_SYS_ADMIN) || type->for_users)
        return 0;
    return type->for_seers && is_seen(ns, type, m->flags, &m->kept_flags) ? 0 : -EPERM;
}

int mount_new(const struct path *at, const struct fs_type *type, const char *source, const char *options,
              unsigned long flags) {
    if (!type->for_users && !type->for_seers && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (!type->mount) // for the kernel's own use
        return -EINVAL;
    struct dentry *root = type->mount(type, source, options);
    if (IS_ERR(root))
        return PTR_ERR(root);
    struct mount *m = mount_alloc(root, source, mount_new_flags(flags));
    if (!m)
        return -ENOMEM;
    if (!type->shared)
        m->sb->flags = flags & SUPERBLOCK_FLAGS;
    struct mount_place p;
    int err = mount_place_lock(&p, at);
    if (!err) {
        if (p.at.mount->sb == m->sb && path_is_mount_root(&p.at) && type->once)
            err = -EBUSY;
        else if (!same_kind(p.at.dentry, m->root))
            err = -ENOTDIR;
        else if (!mount_has_room(p.at.mount->ns, 1))
            err = -ENOSPC;
        if (!err)
            err = mount_may_show(p.at.mount->ns, type, m);
        if (!err)
            err = lay(m, &p.at);
        if (err)
            mount_unsettle(p.at.dentry);
        mount_place_unlock(&p);
    }
    if (err)
        mount_put(m);
    return err;
}

// ---- taking away

// Takes m off its place. A lid stays there if `covered`, for what is underneath was not to be seen. [t]
static void leave_place(struct mount *m, bool covered) {
    spin_lock(&mounts_lock);
    struct path place = mount_detach_locked(m);
    struct mount_lid *lid = place.mount && covered ? m->lid : NULL;
    if (lid) {
        m->lid = NULL;
        lid->place = place.dentry;
        WRITE_ONCE(place.dentry->mounted, place.dentry->mounted + 1);
        list_add(&lid->link, &place.mount->lids);
    }
    spin_unlock(&mounts_lock);
    if (!place.mount)
        return;
    if (!lid) {
        mount_unsettle(place.dentry);
        dentry_put(place.dentry);
    }
    mount_put(place.mount);
}

// Takes the mounts of the tree `top` apart and off the list, if they are on it, into the list `gone`. [t]
void mount_dissolve(struct mount *top, struct list_head *gone) {
    struct list_head apart = LIST_HEAD_INIT(apart);
    struct mount *m;
    for (struct mount *m = top, *next; m; m = next) {
        next = mount_next(m, top);
        spin_lock(&mounts_lock);
        mount_unlist_locked(m);
        spin_unlock(&mounts_lock);
        mount_leave_peers(m);
        list_add_tail(&m->link, &apart);
        cond_resched();
    }
    list_for_each_entry (m, &apart, link) {
        leave_place(m, m->locked && m != top);
        cond_resched();
    }
    list_splice_tail(&apart, gone);
}

// Lets go of those taken apart. What was only mounted there goes, however much it is: without the topology's mutex, for
// whom it does not concern goes on meanwhile.
void mount_release(struct list_head *gone) {
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

// 0: `gone` has what mount_release() is to let go of. [t]
static int remove_locked(struct mount *m, int flags, struct list_head *gone) {
    ASSERT_HELD(&mount_mutex);
    bool own_root = m == current->fs->root.mount;
    if (!mount_is_mine(m) || !m->parent || m->locked) // gone already, or the root of all
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
    if (own_root && !(flags & MNT_DETACH) && !capable_in(m->sb->owner, CAP_SYS_ADMIN))
        return -EPERM;
    if (own_root && !(flags & MNT_DETACH))
        return mount_set_flags(m, false, m->sb->flags | MS_RDONLY); // it cannot go
    if (!(flags & MNT_DETACH)) {
        int err = mount_check_idle_copies(m);
        if (err)
            return err;
        struct mount *marked = mount_mark_copies(m);
        spin_lock(&mounts_lock);
        bool idle = is_idle(m);
        struct path place = {NULL, NULL};
        if (idle) { // and stays so: off its place at once
            place = mount_detach_locked(m);
            mount_unlist_locked(m);
        }
        spin_unlock(&mounts_lock);
        if (!idle) {
            mount_spare_copies(m, marked);
            return -EBUSY;
        }
        mount_leave_peers(m);
        list_add_tail(&m->link, gone);
        mount_take_marked(marked, gone);
        mount_unsettle(place.dentry);
        path_put(&place);
        return 0;
    }
    struct mount *marked = mount_mark_copies(m);
    mount_dissolve(m, gone);
    mount_take_marked(marked, gone);
    return 0;
}

int mount_remove(const struct path *at, int flags) {
    if (!path_is_mount_root(at))
        return -EINVAL;
    struct list_head gone = LIST_HEAD_INIT(gone);
    mutex_lock(&mount_mutex);
    int err = remove_locked(at->mount, flags, &gone);
    mount_unlock();
    mount_release(&gone);
    return err;
}

// ---- binding

int mount_bind(const struct path *at, const struct path *from, unsigned long flags) {
    struct list_head gone = LIST_HEAD_INIT(gone);
    struct mount_place p;
    int err = mount_place_lock(&p, at);
    if (err)
        return err;
    err = mount_check_bound(from);
    if (!err && !same_kind(p.at.dentry, from->dentry))
        err = -ENOTDIR;
    else if (!err && !mount_has_room(p.at.mount->ns, 1))
        err = -ENOSPC;
    if (!err) {
        struct mount *m = mount_clone_bound(from, p.at.mount->ns, flags & MS_REC);
        err = IS_ERR(m) ? PTR_ERR(m) : 0;
        if (!err && (err = lay(m, &p.at)))
            mount_dissolve(m, &gone);
    }
    if (err)
        mount_unsettle(p.at.dentry);
    mount_place_unlock(&p);
    mount_release(&gone);
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
    mount_unsettle(place->dentry);
    path_put(place);
}

static int check_move(const struct path *at, const struct path *from) {
    struct mount *m = from->mount;
    if (!path_is_mount_root(from) || !same_kind(at->dentry, from->dentry))
        return -EINVAL;
    if (mount_is_detached_root(m))
        return 0;
    // From a shared one it would have to go elsewhere, too.
    if (!mount_is_mine(m) || !m->parent || m->locked || mount_is_shared(m->parent))
        return -EINVAL;
    for (const struct mount *above = at->mount; above; above = above->parent)
        if (above == m)
            return -ELOOP;
    return 0;
}

int mount_move(const struct path *at, const struct path *from) {
    struct mount_ns *left = NULL;
    struct mount_place p;
    int err = mount_place_lock(&p, at);
    if (err)
        return err;
    err = check_move(&p.at, from);
    bool detached = !err && mount_is_detached_root(from->mount);
    struct list_head copies = LIST_HEAD_INIT(copies);
    if (detached)
        err = mount_prepare_detached(from->mount, p.at.mount->ns);
    if (!err)
        err = mount_propagate(from->mount, &p.at, &copies);
    if (!err && detached) {
        left = mount_lay_detached(from->mount, &p.at);
    } else if (!err) {
        struct path old = take_off(from->mount);
        mount_attach(from->mount, p.at.mount, p.at.dentry);
        let_go(&old);
    }
    if (!err)
        mount_lay_copies(&copies, p.at.dentry);
    else
        mount_unsettle(p.at.dentry);
    mount_place_unlock(&p);
    mount_end_detached(left);
    return err;
}

// The first namespace's root stays what it is: all that is in the image.
static bool is_fixed_root(const struct mount *m) {
    return !m->parent && m->ns == &first_mount_ns;
}

static int check_pivot(const struct path *new_root, const struct path *put_old, const struct path *root) {
    struct mount *m = new_root->mount;
    if (!mount_is_mine(root->mount) || !mount_is_mine(m) || m->locked)
        return -EINVAL;
    if (new_root->dentry->dead)
        return -ENOENT;
    // On shared ones it would have to happen elsewhere, too.
    if (mount_is_shared(put_old->mount) || (m->parent && mount_is_shared(m->parent)) ||
        (root->mount->parent && mount_is_shared(root->mount->parent)))
        return -EINVAL;
    if (m == root->mount || put_old->mount == root->mount)
        return -EBUSY;
    if (!path_is_mount_root(root) || is_fixed_root(root->mount) || !path_is_mount_root(new_root) ||
        !m->parent)
        return -EINVAL;
    return mount_is_reachable(put_old, new_root) && mount_is_reachable(new_root, root) ? 0 : -EINVAL;
}

// The new root hides what the old one did on that place. [t]
static void pass_lock(struct mount *from, struct mount *to) {
    if (!from->locked)
        return;
    to->locked = true;
    to->lid = from->lid;
    from->locked = false;
    from->lid = NULL;
}

// Puts m where `old` was: on a place, or at the root of its namespace; and `old` on `place`. [t]
static void exchange_roots(struct mount *m, struct mount *old, const struct path *place) {
    struct path m_place = take_off(m), old_place = take_off(old);
    if (old_place.mount) {
        mount_attach(m, old_place.mount, old_place.dentry);
        path_put(&old_place);
    } else {
        m->ns->root = m;
    }
    mount_attach(old, place->mount, place->dentry);
    pass_lock(old, m);
    let_go(&m_place);
}

int mount_pivot(const struct path *new_root, const struct path *put_old) {
    struct path root = path_process_root();
    struct mount_place p;
    int err = mount_place_lock(&p, put_old);
    if (!err) {
        err = check_pivot(new_root, &p.at, &root);
        if (!err) {
            exchange_roots(new_root->mount, root.mount, &p.at);
            fs_context_replace(&root, new_root);
        } else {
            mount_unsettle(p.at.dentry);
        }
        mount_place_unlock(&p);
    }
    path_put(&root);
    return err;
}
