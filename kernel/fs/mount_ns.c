// SPDX-License-Identifier: MIT
// Mount namespaces (mount_namespaces(7)): a tree of mounts each, copied from the maker's.
#include "core/panic.h"
#include "core/user_ns.h"
#include "fs/dentry.h"
#include "fs/inode.h"
#include "fs/mount_private.h"
#include "fs/path.h"
#include "fs/path_walk.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sched/user.h"
#include <linux/capability.h>

#define USER_SHARE 8 // of all mounts is for one user

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs);
static void destroy(struct namespace *ns);
const struct namespace_type mount_ns_type = {
    .name = "mnt", .flag = CLONE_NEWNS, .create = create, .destroy = destroy};

struct mount_ns first_mount_ns = {
    .ns = {.refs = {1}, .type = &mount_ns_type, .owner = &first_user_ns, .number = NS_FIRST_MOUNT},
    .mounts = LIST_HEAD_INIT(first_mount_ns.mounts),
};

static struct mount_ns *mine(void) {
    return mount_ns_cast(current_namespace(NS_MOUNT));
}

struct mount_ns *mount_current_ns(void) {
    return mine();
}

bool mount_is_mine(const struct mount *m) {
    return READ_ONCE(m->ns) == mine();
}

bool mount_may_change(void) {
    return capable_in(mine()->ns.owner, CAP_SYS_ADMIN);
}

bool mount_may_set_ids(const struct mount *m) {
    return !(READ_ONCE(m->flags) & MS_NOSUID) && mount_is_mine(m) &&
           user_ns_is_within(current->cred->user_ns, m->sb->owner);
}

bool mount_has_devices(const struct mount *m) {
    return !(READ_ONCE(m->flags) & MS_NODEV) && (m->sb->owner == &first_user_ns || m->sb->type->has_devices);
}

bool mount_has_room_for(const struct mount_ns *ns, struct user *user, unsigned int n) {
    unsigned long most = READ_ONCE(limits.mounts_max);
    if (ns->ns.owner == &first_user_ns)
        return mount_count + n <= most;
    long own = user_charge(user, USER_MOUNTS, 0);
    return mount_count + n <= most / 2 && (unsigned long)own <= most / USER_SHARE;
}

bool mount_has_room(const struct mount_ns *ns, unsigned int n) {
    return mount_has_room_for(ns, current->cred->user, n);
}

struct user *mount_reserve(unsigned int n) {
    struct user *user = user_get(current->cred->user);
    (void)user_charge(user, USER_MOUNTS, (long)n);
    mutex_lock(&mount_mutex);
    bool room = mount_has_room(mine(), n);
    mount_unlock();
    if (room)
        return user;
    mount_give_back(user, n);
    return NULL;
}

void mount_give_back(struct user *user, unsigned int n) {
    user_uncharge(user, USER_MOUNTS, (long)n);
    user_put(user);
}

// ---- places

bool mount_is_place_slow(const struct dentry *d) {
    const struct mount_ns *ns = mine();
    const struct mount *m;
    bool found = false;
    spin_lock(&mounts_lock);
    list_for_each_entry (m, &d->inode->sb->mount_list, sb_link)
        found |= m->ns == ns && mount_on(m, d);
    spin_unlock(&mounts_lock);
    return found;
}

static struct mount *add_to(struct mount *chain, struct mount *m) {
    m->next_marked = chain;
    return m;
}

// The mounts on d in a chain; with `below` also those on what is below d. [t]
static struct mount *all_on(const struct dentry *d, bool below) {
    struct mount *parent, *m, *all = NULL;
    spin_lock(&mounts_lock);
    list_for_each_entry (parent, &d->inode->sb->mount_list, sb_link) {
        if (!below && (m = mount_on(parent, d)))
            all = add_to(all, m);
        if (!below)
            continue;
        list_for_each_entry (m, &parent->children, sibling)
            if (dentry_is_below(m->mountpoint, d))
                all = add_to(all, m);
    }
    spin_unlock(&mounts_lock);
    return all;
}

static void forget(struct dentry *d, bool below) {
    struct list_head gone = LIST_HEAD_INIT(gone);
    mutex_lock(&mount_mutex);
    for (struct mount *m = all_on(d, below); m; m = m->next_marked)
        if (m->parent) // not gone with another of them
            mount_dissolve(m, &gone);
    mount_unlock();
    mount_release(&gone);
}

void mount_forget_place(struct dentry *d) {
    forget(d, false);
}

void mount_forget_tree(struct dentry *d) {
    forget(d, true);
    dentry_forget(d); // also where a lid keeps it
}

// ---- making

// `place`, in the tree that was copied, becomes the same in the copy. [t]
static void follow(struct path *place, const struct mount_ns *old) {
    struct mount *m = place->mount;
    if (m->ns != old || !m->copy)
        return;
    mount_get(m->copy);
    place->mount = m->copy;
    mount_put(m); // never the last reference: it is in a tree
}

static int copy_tree(struct mount_ns *to, struct mount_ns *old, struct fs_context *fs) {
    // One that may less gets what is mounted on those that are shared, and gives nothing.
    struct mount_copying c = {.from = old,
                              .to = to,
                              .peering = to->ns.owner == old->ns.owner ? PEERS_SAME : PEERS_SLAVE,
                              .all = true};
    mutex_lock(&mount_mutex);
    struct mount *top = mount_clone_tree(old->root, old->root->root, &c);
    int err = IS_ERR(top) ? PTR_ERR(top) : 0;
    if (!err) {
        for (struct mount *m = top; m; m = mount_next(m, top))
            mount_list(m, to);
        to->root = top;
        spin_lock(&fs->lock);
        follow(&fs->root, old);
        follow(&fs->cwd, old);
        spin_unlock(&fs->lock);
    }
    mount_unlock();
    return err;
}

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs) {
    struct mount_ns *ns = kzalloc(sizeof(*ns));
    int err = ns ? namespace_begin(&ns->ns, &mount_ns_type, owner) : -ENOMEM;
    if (err) {
        kfree(ns);
        return ERR_PTR(err);
    }
    list_init(&ns->mounts);
    err = copy_tree(ns, mount_ns_cast(old), fs);
    if (err) {
        namespace_end(&ns->ns);
        kfree(ns);
        return ERR_PTR(err);
    }
    return &ns->ns;
}

// What is mounted in one may be the last reference to another, and so on: a loop, for the chain is as long as users make it.
static void destroy(struct namespace *ns) {
    struct mount_ns *m = mount_ns_cast(ns), *outer = current->ending_mounts;
    if (outer) { // further down on this stack
        m->end_next = outer->end_next;
        outer->end_next = m;
        return;
    }
    for (m->end_next = NULL; (current->ending_mounts = m);) {
        struct list_head gone = LIST_HEAD_INIT(gone);
        mutex_lock(&mount_mutex);
        mount_dissolve(m->root, &gone);
        mount_unlock();
        mount_release(&gone);
        struct mount_ns *next = m->end_next;
        namespace_end(&m->ns);
        kfree(m);
        m = next;
        cond_resched();
    }
}

// ---- entering

// Its root, with what is mounted on that, referenced.
static struct path root_of(const struct mount_ns *ns) {
    mutex_lock(&mount_mutex);
    struct path at = {ns->root, ns->root->root};
    path_get(&at);
    mount_unlock();
    mount_cross_down(&at);
    return at;
}

bool mount_is_chrooted(void) {
    struct path root = root_of(mine()), own = path_process_root();
    bool differs = root.mount != own.mount || root.dentry != own.dentry;
    path_put(&root);
    path_put(&own);
    return differs;
}

void mount_ns_enter(struct namespace *ns, struct fs_context *fs) {
    struct path at = root_of(mount_ns_cast(ns));
    path_get(&at);
    spin_lock(&fs->lock);
    struct path old_root = fs->root, old_cwd = fs->cwd;
    fs->root = fs->cwd = at;
    spin_unlock(&fs->lock);
    path_put(&old_root);
    path_put(&old_cwd);
}

void mount_ns_init(struct mount *root) {
    first_mount_ns.root = root;
    namespace_register(NS_MOUNT, &mount_ns_type, &first_mount_ns.ns);
}
