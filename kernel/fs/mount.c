// SPDX-License-Identifier: MIT
// The tree of mounts. All are in one list, in order of mounting; of several on one place the last one counts.
// Key: [mounts] mounts_lock.
#include "fs/mount.h"
#include "core/errno.h"
#include "core/panic.h"
#include "fs/file.h"
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/fcntl.h>

#define KEPT_FLAGS                                                                                           \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define MNT_DETACH      2
#define UMOUNT_NOFOLLOW 8
#define MNT_FORCE       1
#define MNT_EXPIRE      4

static struct spinlock mounts_lock = SPINLOCK_INIT;
static struct list_head mounts = LIST_HEAD_INIT(mounts); // [mounts]
static int next_id = 20;                                 // [mounts]
static struct mount *root_mount;                         // [I]

void mount_get(struct mount *m) {
    ref_get(&m->refs);
}

void mount_put(struct mount *m) {
    if (!ref_put(&m->refs))
        return;
    if (m->mountpoint)
        dentry_put(m->mountpoint);
    if (m->parent)
        mount_put(m->parent);
    if (!__atomic_sub_fetch(&m->sb->mounts, 1, __ATOMIC_ACQ_REL) && m->sb->type->unmounted)
        m->sb->type->unmounted(m->root);
    dentry_put(m->root);
    superblock_put(m->sb);
    kfree(m);
}

// Takes over the reference to root.
static struct mount *mount_alloc(struct dentry *root, const char *source, unsigned long flags) {
    struct mount *m = kzalloc(sizeof(*m));
    if (!m) {
        dentry_put(root);
        return NULL;
    }
    ref_init(&m->refs);
    m->root = root;
    m->sb = root->inode->sb;
    ref_get(&m->sb->refs);
    __atomic_fetch_add(&m->sb->mounts, 1, __ATOMIC_RELAXED);
    m->flags = flags & KEPT_FLAGS;
    list_init(&m->link);
    strlcpy(m->source, source && *source ? source : "none", sizeof(m->source));
    return m;
}

struct mount *mount_create_internal(struct dentry *root) {
    dentry_get(root);
    return mount_alloc(root, "none", 0);
}

// The mount on a place, the latest, or NULL. [mounts]
static struct mount *mount_on(const struct mount *parent, const struct dentry *d) {
    struct mount *m, *found = NULL;
    list_for_each_entry (m, &mounts, link)
        if (m->parent == parent && m->mountpoint == d)
            found = m;
    return found;
}

// Any mount on the dentry. [mounts]
static struct mount *mount_on_dentry(const struct dentry *d) {
    struct mount *m;
    list_for_each_entry (m, &mounts, link)
        if (m->mountpoint == d)
            return m;
    return NULL;
}

void mount_cross_down(struct path *p) {
    while (READ_ONCE(p->dentry->mounted)) {
        spin_lock(&mounts_lock);
        struct mount *m = mount_on(p->mount, p->dentry);
        if (m)
            mount_get(m);
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

// Puts m on a place. References to it move into m; m's own becomes the list's.
static void mount_attach(struct mount *m, const struct path *at) {
    path_get((struct path *)at);
    dentry_insert(at->dentry); // names of procfs are not in its tree otherwise
    spin_lock(&mounts_lock);
    m->parent = at->mount;
    m->mountpoint = at->dentry;
    m->id = m->id ? m->id : next_id++;
    m->attached = true;
    list_add_tail(&m->link, &mounts);
    WRITE_ONCE(at->dentry->mounted, m);
    spin_unlock(&mounts_lock);
}

// Takes m off its place; parent and mountpoint are left to the caller to drop. [mounts]
static void mount_detach_locked(struct mount *m) {
    list_del(&m->link);
    m->attached = false;
    WRITE_ONCE(m->mountpoint->mounted, mount_on_dentry(m->mountpoint));
}

static int check_place(const struct path *at, const struct dentry *root) {
    if (at->dentry->dead)
        return -ENOENT;
    if (S_ISDIR(at->dentry->inode->mode) != S_ISDIR(root->inode->mode))
        return -ENOTDIR;
    return 0;
}

int mount_new(const struct path *at, const struct fs_type *type, const char *source, const char *options,
              unsigned long flags) {
    if (!type->mount)
        return -ENODEV;
    struct dentry *root = type->mount(type, source, options);
    if (IS_ERR(root))
        return PTR_ERR(root);
    int err = check_place(at, root);
    if (err) {
        dentry_put(root);
        return err;
    }
    struct mount *m = mount_alloc(root, source, flags);
    if (!m)
        return -ENOMEM;
    mount_attach(m, at);
    return 0;
}

int mount_bind(const struct path *at, const struct path *from, unsigned long flags) {
    int err = check_place(at, from->dentry);
    if (err)
        return err;
    dentry_get(from->dentry);
    struct mount *m =
        mount_alloc(from->dentry, from->mount->source, from->mount->flags | (flags & KEPT_FLAGS));
    if (!m)
        return -ENOMEM;
    mount_attach(m, at);
    return 0;
}

// True if `m` is `above` or lies in the tree of mounts below it. [mounts]
static bool mount_is_below(const struct mount *m, const struct mount *above) {
    while (m && m != above)
        m = m->parent;
    return m != NULL;
}

int mount_move(const struct path *at, const struct path *from) {
    struct mount *m = from->mount;
    struct path old;
    int err = check_place(at, from->dentry);
    if (err)
        return err;
    spin_lock(&mounts_lock);
    if (from->dentry != m->root || !m->parent)
        err = -EINVAL;
    else if (mount_is_below(at->mount, m))
        err = -ELOOP;
    if (!err) {
        old = (struct path){m->parent, m->mountpoint};
        mount_detach_locked(m);
    }
    spin_unlock(&mounts_lock);
    if (err)
        return err;
    mount_attach(m, at);
    path_put(&old);
    return 0;
}

int mount_remount(const struct path *at, const char *options, unsigned long flags) {
    struct superblock *sb = at->mount->sb;
    if (at->dentry != at->mount->root)
        return -EINVAL;
    // With MS_BIND it is about the mount alone, not what is mounted.
    int err = sb->type->remount && !(flags & MS_BIND) ? sb->type->remount(sb, options) : 0;
    if (err)
        return err;
    WRITE_ONCE(at->mount->flags, flags & KEPT_FLAGS);
    return 0;
}

// Mounts below m. [mounts]
static bool mount_has_children(const struct mount *m) {
    const struct mount *child;
    list_for_each_entry (child, &mounts, link)
        if (child->parent == m)
            return true;
    return false;
}

int mount_remove(struct path *at, int flags) {
    struct mount *m = at->mount;
    int err = 0;
    if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
        return -EINVAL;
    if (at->dentry != m->root)
        return -EINVAL;
    spin_lock(&mounts_lock);
    // In use: anybody but the list and the caller refers to it.
    if (!m->parent)
        err = -EINVAL;
    else if (!(flags & MNT_DETACH) && (ref_read(&m->refs) > 2 || mount_has_children(m)))
        err = -EBUSY;
    else
        mount_detach_locked(m);
    spin_unlock(&mounts_lock);
    if (!err)
        mount_put(m);
    return err;
}

void mount_for_each(bool (*fn)(struct mount *m, void *arg), void *arg) {
    struct mount *m;
    bool go_on = true;
    for (int id = 0; go_on;) { // ids only grow, but a move keeps one: each round takes the next higher
        m = NULL;
        spin_lock(&mounts_lock);
        struct mount *each;
        list_for_each_entry (each, &mounts, link)
            if (each->id > id && (!m || each->id < m->id))
                m = each;
        if (m)
            mount_get(m);
        spin_unlock(&mounts_lock);
        if (!m)
            return;
        id = m->id;
        go_on = fn(m, arg);
        mount_put(m);
    }
}

void mount_format_flags(const struct mount *m, char *buf, size_t n) {
    static const struct {
        unsigned int flag;
        const char *name;
    } names[] = {{MS_NOSUID, ",nosuid"},   {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
                 {MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"}, {MS_RELATIME, ",relatime"}};
    size_t len = strlcpy(buf, m->flags & MS_RDONLY ? "ro" : "rw", n);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (m->flags & names[i].flag)
            len += strlcpy(buf + len, names[i].name, n - len);
}

int mount_check_writable(const struct mount *mount) {
    return mount->flags & MS_RDONLY ? -EROFS : 0;
}

struct path mount_root(void) {
    struct path p = {root_mount, root_mount->root};
    path_get(&p);
    return p;
}

void mount_init(void) {
    struct dentry *root = tmpfs_create_root();
    if (IS_ERR(root) || !(root_mount = mount_alloc(root, "rootfs", 0)))
        panic("no memory for the root file system");
    root_mount->id = 1;
    root_mount->attached = true;
    list_add_tail(&root_mount->link, &mounts);
}
