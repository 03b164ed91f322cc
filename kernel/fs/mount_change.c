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
#include "fs/nsfs.h"
#include "fs/path_walk.h"
#include "fs/superblock.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "sched/user.h"
#include "upcalls.h"
#include <linux/capability.h>
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
    mount_unlock();
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
    if (!p->at.dentry->dead && mount_is_mine(p->at.mount))
        return 0;
    mount_unsettle(p->at.dentry);
    return -ENOENT;
}

// Nothing is going to be mounted there, though it was settled.
static void give_up_place(struct place *p) {
    mutex_lock(&mount_mutex);
    mount_unsettle(p->at.dentry);
    mount_unlock();
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
        mount_unlock();
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
        mount_list(m, at->mount->ns);
}

// What a mount keeps of mount(2)'s flags: access times are relative to changes unless it is said otherwise.
static unsigned int new_flags(unsigned long flags) {
    unsigned long times = flags & MS_STRICTATIME ? MS_STRICTATIME
                          : flags & MS_NOATIME   ? MS_NOATIME
                                                 : MS_RELATIME;
    return (flags & MOUNT_FLAGS & ~(unsigned long)(MS_STRICTATIME | MS_NOATIME | MS_RELATIME)) | times;
}

// Flags that say something of access times; a remount without any leaves those be.
#define TIME_FLAGS ((unsigned int)(MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME))

// Flags that a namespace with more power set, or left, stay: access times as they are, the others set.
static int check_kept_flags(const struct mount *m, unsigned int now) {
    unsigned int kept = m->kept_flags & m->flags & ~TIME_FLAGS;
    if (m->kept_flags && ((m->flags ^ now) & TIME_FLAGS))
        return -EPERM;
    return kept & ~now ? -EPERM : 0;
}

// Does all of that file system show already in the namespace, as it would through a mount with these flags? [t]
// Then *kept has the flags that the new mount must keep as that one does.
static bool is_seen(const struct mount_ns *ns, const struct fs_type *type, unsigned int flags,
                    unsigned int *kept) {
    const struct mount *m, *child;
    list_for_each_entry (m, &ns->mounts, link) {
        bool whole = m->sb->type == type && m->root->parent == m->root && list_empty(&m->lids);
        if (!whole || check_kept_flags(m, flags | (m->flags & ~(unsigned int)(MS_RDONLY | TIME_FLAGS))))
            continue;
        list_for_each_entry (child, &m->children, sibling)
            whole &= !child->locked;
        *kept = m->kept_flags & (MS_RDONLY | TIME_FLAGS);
        if (whole)
            return true;
    }
    return false;
}

// May the current thread mount m, of that type, there? [t]
static int may_mount_type(const struct mount_ns *ns, const struct fs_type *type, struct mount *m) {
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
        else if (!mount_has_room(p.at.mount->ns, 1))
            err = -ENOSPC;
        if (!err)
            err = may_mount_type(p.at.mount->ns, type, m);
        if (!err)
            lay(m, &p.at);
        else
            mount_unsettle(p.at.dentry);
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
    struct mount *m;
    for (struct mount *m = top, *next; m; m = next) {
        next = mount_next(m, top);
        spin_lock(&mounts_lock);
        mount_unlist_locked(m);
        spin_unlock(&mounts_lock);
        list_add_tail(&m->link, gone);
    }
    list_for_each_entry (m, gone, link)
        leave_place(m, m->locked && m != top);
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
        return set_flags(m, false, m->sb->flags | MS_RDONLY); // it cannot go
    if (!(flags & MNT_DETACH)) {
        spin_lock(&mounts_lock);
        bool idle = is_idle(m);
        struct path place = {NULL, NULL};
        if (idle) { // and stays so: off its place at once
            place = mount_detach_locked(m);
            mount_unlist_locked(m);
        }
        spin_unlock(&mounts_lock);
        if (!idle)
            return -EBUSY;
        list_add_tail(&m->link, gone);
        mount_unsettle(place.dentry);
        path_put(&place);
        return 0;
    }
    mount_dissolve(m, gone);
    return 0;
}

int mount_remove(const struct path *at, int flags) {
    if (!is_mount_root(at))
        return -EINVAL;
    struct list_head gone = LIST_HEAD_INIT(gone);
    mutex_lock(&mount_mutex);
    int err = remove_locked(at->mount, flags, &gone);
    mount_unlock();
    mount_release(&gone);
    return err;
}

// ---- binding

static struct mount *clone(const struct mount *m, struct dentry *root) {
    dentry_get(root);
    return mount_alloc(root, m->source, m->flags);
}

// What m must be copied as: in a namespace of others who may less, what is hidden there stays hidden, and what is forbidden
// stays forbidden. 0 or -ENOMEM.
static int restrict_copy(const struct mount *m, struct mount *copy, const struct mount_ns *to) {
    copy->locked = m->locked;
    copy->kept_flags = m->kept_flags;
    if (m->ns && to->ns.owner != m->ns->ns.owner) {
        copy->locked = true;
        copy->kept_flags = MOUNT_FLAGS;
    }
    if (!copy->locked)
        return 0;
    copy->lid = kmalloc(sizeof(*copy->lid));
    return copy->lid ? 0 : -ENOMEM;
}

static struct mount *clone_for(const struct mount *m, struct dentry *root, const struct mount_ns *to) {
    struct mount *copy = clone(m, root);
    if (copy && restrict_copy(m, copy, to)) {
        mount_put(copy);
        return NULL;
    }
    return copy;
}

struct mount *mount_clone_tree(struct mount *from, struct dentry *root, const struct mount_ns *to, bool all) {
    struct mount *top = clone_for(from, root, to), *copy;
    unsigned int count = 1;
    int err = 0;
    if (!top)
        return ERR_PTR(-ENOMEM);
    from->copy = top;
    for (struct mount *m = mount_next(from, from); m && !err; m = mount_next(m, from)) {
        bool shown = m->parent != from || dentry_is_below(m->mountpoint, root);
        m->copy = NULL;
        // A namespace that had the file of an older one could be in that one's tree itself: neither would ever go.
        bool left_out = all ? nsfs_has_mounts(m->root) : m->unbindable;
        if (!shown || left_out || !m->parent->copy)
            continue;
        copy = clone_for(m, m->root, to);
        if (!copy) {
            err = -ENOMEM;
            break;
        }
        copy->unbindable = m->unbindable;
        m->copy = copy;
        mount_attach(copy, m->parent->copy, m->mountpoint);
        if (!mount_has_room(to, ++count))
            err = -ENOSPC;
        cond_resched();
        if (!err && signal_pending_fatal())
            err = -EINTR;
    }
    if (!err)
        return top;
    struct list_head gone = LIST_HEAD_INIT(gone);
    mount_dissolve(top, &gone);
    mount_release(&gone); // what they showed is mounted elsewhere
    return ERR_PTR(err);
}

// Would a copy of what is at `at` alone show what locked mounts hide there? [t]
static bool hides_something(const struct path *at) {
    const struct mount *m;
    list_for_each_entry (m, &at->mount->children, sibling)
        if (m->locked && dentry_is_below(m->mountpoint, at->dentry))
            return true;
    return !list_empty(&at->mount->lids);
}

// The tree that mount(2) with MS_BIND makes, for somewhere in `to`. [t]
static struct mount *clone_bound(const struct path *from, const struct mount_ns *to, bool recursive) {
    if (!recursive && hides_something(from))
        return ERR_PTR(-EINVAL);
    struct mount *m = recursive ? mount_clone_tree(from->mount, from->dentry, to, false)
                                : clone_for(from->mount, from->dentry, to);
    if (!m)
        return ERR_PTR(-ENOMEM);
    if (!IS_ERR(m))
        m->locked = false; // it hides nothing where it goes
    return m;
}

int mount_bind(const struct path *at, const struct path *from, unsigned long flags) {
    struct place p;
    int err = place_lock(&p, at);
    if (err)
        return err;
    if ((!mount_is_mine(from->mount) && !nsfs_may_bind(from->dentry)) || from->mount->unbindable)
        err = -EINVAL;
    else if (from->dentry->dead)
        err = -ENOENT;
    else if (!same_kind(p.at.dentry, from->dentry))
        err = -ENOTDIR;
    else if (!mount_has_room(p.at.mount->ns, 1))
        err = -ENOSPC;
    if (!err) {
        struct mount *m = clone_bound(from, p.at.mount->ns, flags & MS_REC);
        err = IS_ERR(m) ? PTR_ERR(m) : 0;
        if (!err)
            lay(m, &p.at);
    }
    if (err)
        mount_unsettle(p.at.dentry);
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
    mount_unsettle(place->dentry);
    path_put(place);
}

static int check_move(const struct path *at, const struct path *from) {
    struct mount *m = from->mount;
    if (!mount_is_mine(m) || !m->parent || m->locked || !is_mount_root(from) ||
        !same_kind(at->dentry, from->dentry))
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
        mount_unsettle(p.at.dentry);
    }
    place_unlock(&p);
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
    if (m == root->mount || put_old->mount == root->mount)
        return -EBUSY;
    if (!is_mount_root(root) || is_fixed_root(root->mount) || !is_mount_root(new_root) || !m->parent)
        return -EINVAL;
    return is_reachable(put_old, new_root) && is_reachable(new_root, root) ? 0 : -EINVAL;
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
    struct place p;
    int err = place_lock(&p, put_old);
    if (!err) {
        err = check_pivot(new_root, &p.at, &root);
        if (!err) {
            exchange_roots(new_root->mount, root.mount, &p.at);
            fs_context_replace(&root, new_root);
        } else {
            mount_unsettle(p.at.dentry);
        }
        place_unlock(&p);
    }
    path_put(&root);
    return err;
}

// ---- changing

static unsigned int flags_for(const struct mount *m, unsigned long flags) {
    if (flags & TIME_FLAGS)
        return new_flags(flags);
    return (flags & MOUNT_FLAGS) | (READ_ONCE(m->flags) & TIME_FLAGS);
}

static int remount_locked(struct mount *m, const char *options, unsigned long flags) {
    ASSERT_HELD(&mount_mutex);
    struct superblock *sb = m->sb;
    int err = check_kept_flags(m, flags_for(m, flags));
    if (err)
        return err;
    if (flags & MS_BIND)
        return set_flags(m, true, flags_for(m, flags));
    if (options && *options && !sb->type->remount)
        return -EINVAL;
    if (!capable_in(sb->owner, CAP_SYS_ADMIN))
        return -EPERM;
    bool own = sb->type->shared; // then that it is read-only is the mount's own
    unsigned int *changed = own ? &m->flags : &sb->flags, before = READ_ONCE(*changed);
    err = set_flags(m, own, own ? flags_for(m, flags) : flags & SUPERBLOCK_FLAGS);
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
    int err = mount_is_mine(at->mount) ? remount_locked(at->mount, options, flags) : -EINVAL;
    mount_unlock();
    return err;
}

int mount_set_type(const struct path *at, unsigned long flags) {
    unsigned long type = flags & ~(unsigned long)(MS_REC | MS_SILENT);
    // One kind at a time; to share is not possible.
    if (!is_mount_root(at) || (type != MS_PRIVATE && type != MS_SLAVE && type != MS_UNBINDABLE))
        return -EINVAL;
    mutex_lock(&mount_mutex);
    int err = mount_is_mine(at->mount) ? 0 : -EINVAL;
    for (struct mount *m = at->mount; !err && m; m = flags & MS_REC ? mount_next(m, at->mount) : NULL)
        if (type != MS_SLAVE)
            m->unbindable = type == MS_UNBINDABLE;
    mount_unlock();
    return err;
}
