// SPDX-License-Identifier: MIT
// Trees of mounts that are nowhere yet (open_tree(2), fsmount(2)): a descriptor has each, until move_mount(2) lays it somewhere. Such a tree is
// in a namespace of its own, in which nobody is. What was not laid anywhere goes with the last descriptor.
#include "core/errno.h"
#include "core/user_ns.h"
#include "fs/dentry.h"
#include "fs/file.h"
#include "fs/mount_private.h"
#include "fs/nsfs.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

// ---- the namespace of such a tree

static struct mount_ns *detached_create(void) {
    struct mount_ns *ns = kzalloc(sizeof(*ns));
    if (!ns)
        return NULL;
    ns->detached = true;
    ns->ns.type = &mount_ns_type;
    ns->ns.owner = user_ns_get(mount_current_ns()->ns.owner);
    list_init(&ns->mounts);
    return ns;
}

static void detached_free(struct mount_ns *ns) {
    user_ns_put(ns->ns.owner);
    kfree(ns);
}

bool mount_is_detached_root(const struct mount *m) {
    return m->ns && m->ns->detached && m->ns->root == m;
}

// ---- files

static void detached_release(struct file *f) {
    struct list_head gone = LIST_HEAD_INIT(gone);
    struct mount *m = f->path.mount;
    mutex_lock(&mount_mutex);
    struct mount_ns *ns = mount_is_detached_root(m) ? m->ns : NULL;
    if (ns)
        mount_dissolve(m, &gone);
    mount_unlock();
    mount_release(&gone);
    if (ns)
        detached_free(ns);
}

static const struct file_ops detached_ops = {.release = detached_release};

// A file of the tree `top`, which ns has, or neither is any more. ERR_PTR(-ENOMEM, -ENFILE).
static struct file *open_detached(struct mount *top, struct mount_ns *ns) {
    struct list_head gone = LIST_HEAD_INIT(gone);
    struct path at = {top, top->root};
    struct file *f = file_open_path(&at, O_PATH);
    if (!IS_ERR(f)) {
        f->ops = &detached_ops;
        return f;
    }
    mutex_lock(&mount_mutex);
    mount_dissolve(top, &gone);
    mount_unlock();
    mount_release(&gone);
    detached_free(ns);
    return f;
}

// Lists the tree `top` in ns, as its root. [t]
static void enter(struct mount_ns *ns, struct mount *top) {
    ns->root = top;
    for (struct mount *m = top; m; m = mount_next(m, top))
        mount_list(m, ns);
}

struct file *mount_open_copy(const struct path *from, bool recursive) {
    struct mount_ns *ns = detached_create();
    if (!ns)
        return ERR_PTR(-ENOMEM);
    mutex_lock(&mount_mutex);
    int err = mount_check_bound(from);
    if (!err && !mount_has_room(ns, 1))
        err = -ENOSPC;
    struct mount *m = err ? ERR_PTR(err) : mount_clone_bound(from, ns, recursive);
    if (!IS_ERR(m))
        enter(ns, m);
    mount_unlock();
    if (!IS_ERR(m))
        return open_detached(m, ns);
    detached_free(ns);
    return (struct file *)m;
}

struct file *mount_open_new(struct dentry *root, const char *source, unsigned long flags) {
    struct mount *m = mount_alloc(root, source, mount_new_flags(flags));
    if (!m)
        return ERR_PTR(-ENOMEM);
    struct mount_ns *ns = detached_create();
    int err = ns ? 0 : -ENOMEM;
    mutex_lock(&mount_mutex);
    if (!err && !mount_has_room(ns, 1))
        err = -ENOSPC;
    if (!err)
        err = mount_may_show(mount_current_ns(), m->sb->type, m);
    if (!err)
        enter(ns, m);
    mount_unlock();
    if (!err)
        return open_detached(m, ns);
    mount_put(m);
    if (ns)
        detached_free(ns);
    return ERR_PTR(err);
}

// ---- laying it somewhere

// In a namespace of others, who may less, flags stay as they are, and what lies on something there stays on it. 0 or -ENOMEM. [t]
static int restrict_tree(struct mount *top) {
    struct mount *m;
    for (m = mount_next(top, top); m; m = mount_next(m, top))
        if (!m->lid && !(m->lid = kmalloc(sizeof(*m->lid))))
            return -ENOMEM;
    for (m = top; m; m = mount_next(m, top)) {
        mount_keep_flags(m);
        m->locked = m != top;
        mount_make_slave(m);
    }
    return 0;
}

int mount_prepare_detached(struct mount *top, const struct mount_ns *to) {
    ASSERT_HELD(&mount_mutex);
    if (mount_has_namespaces(top)) // one may keep `to`, or one that keeps that
        return -ELOOP;
    return top->ns->ns.owner == to->ns.owner ? 0 : restrict_tree(top);
}

struct mount_ns *mount_lay_detached(struct mount *top, const struct path *at) {
    ASSERT_HELD(&mount_mutex);
    struct mount_ns *from = top->ns, *to = at->mount->ns;
    struct mount *m;
    struct list_head *before = &to->mounts;
    for (m = top; m; m = mount_next(m, top)) { // in the order of their numbers
        spin_lock(&mounts_lock);
        mount_unlist_locked(m);
        spin_unlock(&mounts_lock);
        mount_list_behind(m, to, before);
        before = &m->link;
    }
    mount_attach(top, at->mount, at->dentry);
    return from;
}

void mount_end_detached(struct mount_ns *left) {
    if (left)
        detached_free(left);
}
