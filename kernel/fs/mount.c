// SPDX-License-Identifier: MIT
// The tree of mounts. Each knows its place, a dentry in the mount that it is on, and what is on itself; at most one is
// on a place, for the next goes on the root of that one. All that are in the tree are in one list as well, in order of
// mounting. One that has been taken away is in neither, and lives on as the root of its own as long as it is used.
//
// Locks: `mount_mutex` is the one lock over the topology: whoever changes it decides and acts with it held. The
// spinlock lets paths be walked meanwhile. A directory's inode->lock keeps the names in it, so the place itself.
// Key: [t] mount_mutex, [mounts] mounts_lock; fields that both name are changed with both and read with either.
#include "fs/mount.h"
#include "core/errno.h"
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/file.h"
#include "fs/mount_private.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"

struct mutex mount_mutex = MUTEX_INIT(mount_mutex);
struct spinlock mounts_lock = SPINLOCK_INIT;
unsigned int mount_count;
static struct list_head mounts = LIST_HEAD_INIT(mounts); // [t] [mounts]
static int next_id = 1;                                  // [t]
static struct mount *root_mount;                         // [I]

void mount_get(struct mount *m) {
    ref_get(&m->refs);
}

// One that is on something is referred to by the list, so this is about those that are nowhere.
void mount_put(struct mount *m) {
    if (!ref_put(&m->refs))
        return;
    spin_lock(&mounts_lock);
    list_del(&m->sb_link);
    spin_unlock(&mounts_lock);
    if (!__atomic_sub_fetch(&m->sb->mounts, 1, __ATOMIC_ACQ_REL) && m->sb->type->unmounted) {
        notify_unmounted(m->sb);
        m->sb->type->unmounted(m->root);
    }
    dentry_put(m->root);
    superblock_put(m->sb);
    kfree(m->source);
    kfree(m);
}

struct mount *mount_alloc(struct dentry *root, const char *source, unsigned long flags) {
    struct mount *m = kzalloc(sizeof(*m));
    const char *word = source ? source : "none";
    if (!m || !(m->source = kstrndup(word, strlen(word)))) {
        dentry_put(root);
        kfree(m);
        return NULL;
    }
    ref_init(&m->refs);
    m->root = root;
    m->sb = root->inode->sb;
    ref_get(&m->sb->refs);
    __atomic_fetch_add(&m->sb->mounts, 1, __ATOMIC_RELAXED);
    m->flags = flags & MOUNT_FLAGS;
    list_init(&m->link);
    list_init(&m->sibling);
    list_init(&m->children);
    spin_lock(&mounts_lock);
    list_add(&m->sb_link, &m->sb->mount_list);
    spin_unlock(&mounts_lock);
    return m;
}

struct mount *mount_create_internal(struct dentry *root) {
    dentry_get(root);
    return mount_alloc(root, NULL, 0);
}

// ---- the tree

struct mount *mount_on(const struct mount *parent, const struct dentry *d) {
    struct mount *m;
    list_for_each_entry (m, &parent->children, sibling)
        if (m->mountpoint == d)
            return m;
    return NULL;
}

void mount_attach(struct mount *m, struct mount *parent, struct dentry *d) {
    mount_get(parent);
    dentry_get(d);
    spin_lock(&mounts_lock);
    m->parent = parent;
    m->mountpoint = d;
    list_add_tail(&m->sibling, &parent->children);
    WRITE_ONCE(d->mounted, d->mounted + 1);
    spin_unlock(&mounts_lock);
}

struct path mount_detach_locked(struct mount *m) {
    ASSERT_HELD(&mounts_lock);
    struct path place = {m->parent, m->mountpoint};
    if (!place.mount)
        return place;
    list_del(&m->sibling);
    WRITE_ONCE(place.dentry->mounted, place.dentry->mounted - 1);
    m->parent = NULL;
    m->mountpoint = NULL;
    return place;
}

void mount_list(struct mount *m) {
    spin_lock(&mounts_lock);
    m->id = next_id++;
    m->attached = true;
    list_add_tail(&m->link, &mounts);
    mount_count++;
    spin_unlock(&mounts_lock);
}

struct mount *mount_next(const struct mount *m, const struct mount *top) {
    if (!list_empty(&m->children))
        return list_first_entry(&m->children, struct mount, sibling);
    for (; m != top; m = m->parent)
        if (m->sibling.next != &m->parent->children)
            return list_entry(m->sibling.next, struct mount, sibling);
    return NULL;
}

void mount_cross_down(struct path *p) {
    while (READ_ONCE(p->dentry->mounted)) {
        spin_lock(&mounts_lock);
        struct mount *m = mount_on(p->mount, p->dentry);
        if (m) {
            mount_get(m);
            m->visits++;
        }
        spin_unlock(&mounts_lock);
        if (!m)
            return;
        dentry_get(m->root);
        struct path below = *p;
        *p = (struct path){m, m->root};
        path_put(&below);
    }
}

bool mount_cross_up(struct path *p) {
    struct path up = {NULL, NULL};
    spin_lock(&mounts_lock);
    if (p->dentry == p->mount->root && p->mount->parent) {
        up = (struct path){p->mount->parent, p->mount->mountpoint};
        path_get(&up);
    }
    spin_unlock(&mounts_lock);
    if (!up.mount)
        return false;
    struct path old = *p;
    *p = up;
    path_put(&old);
    return true;
}

// ---- the list

void mount_for_each(bool (*fn)(struct mount *m, void *arg), void *arg) {
    struct mount *m, *each;
    bool go_on = true;
    for (int id = 0; go_on;) { // ids only grow, and the list is in their order
        m = NULL;
        spin_lock(&mounts_lock);
        list_for_each_entry (each, &mounts, link) {
            if (each->id <= id)
                continue;
            m = each;
            mount_get(m);
            break;
        }
        spin_unlock(&mounts_lock);
        if (!m)
            return;
        id = m->id;
        go_on = fn(m, arg);
        mount_put(m);
    }
}

int mount_parent_id(const struct mount *m) {
    spin_lock(&mounts_lock);
    int id = m->parent ? m->parent->id : m->id;
    spin_unlock(&mounts_lock);
    return id;
}

void mount_format_flags(const struct mount *m, char *buf, size_t n) {
    static const struct {
        unsigned int flag;
        const char *name;
    } names[] = {{MS_NOSUID, ",nosuid"},          {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
                 {MS_NOATIME, ",noatime"},        {MS_NODIRATIME, ",nodiratime"}, {MS_RELATIME, ",relatime"},
                 {MS_NOSYMFOLLOW, ",nosymfollow"}};
    size_t len = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (m->flags & names[i].flag)
            len += strlcpy(buf + len, names[i].name, n - len);
}

// ---- start

struct path mount_root(void) {
    struct path p = {root_mount, root_mount->root};
    path_get(&p);
    return p;
}

void mount_init(void) {
    struct dentry *root = tmpfs_create_root();
    if (IS_ERR(root) || !(root_mount = mount_alloc(root, "rootfs", 0)))
        panic("no memory for the root file system");
    mount_list(root_mount);
}
