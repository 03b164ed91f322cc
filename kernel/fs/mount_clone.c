// SPDX-License-Identifier: MIT
// Copies of mounts and of trees of them, as binds, new namespaces and shared mounts want them.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/mount_private.h"
#include "fs/nsfs.h"
#include "fs/path_walk.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "upcalls.h"

static struct mount *clone(const struct mount *m, struct dentry *root, struct user *user) {
    dentry_get(root);
    return user ? mount_alloc_for(user, root, m->source, m->flags) : mount_alloc(root, m->source, m->flags);
}

// What m must be copied as: in a namespace of others who may less, what is hidden there stays hidden, and what is forbidden
// stays forbidden. 0 or -ENOMEM.
static int restrict_copy(const struct mount *m, struct mount *copy, const struct mount_copying *c) {
    copy->locked = m->locked;
    copy->kept_flags = m->kept_flags;
    if (c->from && c->to->ns.owner != c->from->ns.owner) {
        copy->locked = true;
        mount_keep_flags(copy);
    }
    if (!copy->locked)
        return 0;
    copy->lid = kmalloc(sizeof(*copy->lid));
    return copy->lid ? 0 : -ENOMEM;
}

static struct mount *clone_for(const struct mount *m, struct dentry *root, struct mount_copying *c) {
    struct mount *copy = clone(m, root, c->user);
    int err = copy ? restrict_copy(m, copy, c) : -ENOMEM;
    if (!err)
        err = mount_copy_peers(m, copy, c->peering);
    if (!err)
        return copy;
    if (copy)
        mount_put(copy);
    return NULL;
}

static bool has_room(const struct mount_copying *c) {
    return c->user ? mount_has_room_for(c->to, c->user, c->count) : mount_has_room(c->to, c->count);
}

struct mount *mount_clone_tree(struct mount *from, struct dentry *root, struct mount_copying *c) {
    struct mount *top = clone_for(from, root, c), *copy;
    if (!top)
        return ERR_PTR(-ENOMEM);
    from->copy = top;
    c->count++;
    int err = c->user && !has_room(c) ? -ENOSPC
                                      : 0; // who copies for himself has looked whether there is room for one
    for (struct mount *m = mount_next(from, from); m && !err; m = mount_next(m, from)) {
        bool shown = m->parent != from || dentry_is_below(m->mountpoint, root);
        m->copy = NULL;
        // A namespace that had the file of an older one could be in that one's tree itself: neither would ever go.
        bool left_out = c->all ? nsfs_has_mounts(m->root) : m->unbindable;
        if (!shown || left_out || !m->parent->copy)
            continue;
        copy = clone_for(m, m->root, c);
        if (!copy) {
            err = -ENOMEM;
            break;
        }
        copy->unbindable = m->unbindable;
        m->copy = copy;
        mount_attach(copy, m->parent->copy, m->mountpoint);
        c->count++;
        if (!has_room(c))
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

int mount_check_bound(const struct path *from) {
    if ((!mount_is_mine(from->mount) && !nsfs_may_bind(from->dentry)) || from->mount->unbindable)
        return -EINVAL;
    return from->dentry->dead ? -ENOENT : 0;
}

struct mount *mount_clone_bound(const struct path *from, const struct mount_ns *to, bool recursive) {
    if (!recursive && hides_something(from))
        return ERR_PTR(-EINVAL);
    struct mount_copying c = {.from = from->mount->ns, .to = to};
    struct mount *m = recursive ? mount_clone_tree(from->mount, from->dentry, &c)
                                : clone_for(from->mount, from->dentry, &c);
    if (!m)
        return ERR_PTR(-ENOMEM);
    if (!IS_ERR(m))
        m->locked = false; // it hides nothing where it goes
    return m;
}
