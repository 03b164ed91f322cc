// SPDX-License-Identifier: MIT
// The trees of mounts. Each knows its place, a dentry in the mount that it is on, and what is on itself; at most one is
// on a place, for the next goes on the root of that one. All that are in a namespace's tree are in one list of it as well, in
// order of mounting. One that has been taken away is in neither, and lives on as the root of its own as long as it is used.
// Where it was locked, for it hid something from those who see it, a lid is left on its place.
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
#include "sched/thread.h"
#include "sched/user.h"
#include "upcalls.h"

struct mutex mount_mutex = MUTEX_INIT(mount_mutex);
struct spinlock mounts_lock = SPINLOCK_INIT;
unsigned int mount_count;
static uint64_t next_id = 1;                                 // [t]
static uint64_t looks;                                       // [t] how often somebody looked what he sees
static struct list_head old_lids = LIST_HEAD_INIT(old_lids); // [mounts] of mounts that have gone
static struct mount *nowhere;    // [I] what is behind a lid: an empty directory of nobody's
static struct mount *root_mount; // [I]

#define PLACES_LOG2    8
#define LISTED_AT_ONCE ((size_t)256)
static struct list_head places[1 << PLACES_LOG2]; // [t] [mounts] mounts, by what they are on

void mount_get(struct mount *m) {
    ref_get(&m->refs);
}

// One that is on something is referred to by the list, so this is about those that are nowhere.
void mount_put(struct mount *m) {
    if (!ref_put(&m->refs))
        return;
    spin_lock(&mounts_lock);
    list_del(&m->sb_link);
    bool lids = !list_empty(&m->lids);
    list_splice_tail(&m->lids, &old_lids);
    spin_unlock(&mounts_lock);
    if (lids && mutex_trylock(&mount_mutex)) // else whoever has it sees to them
        mount_unlock();
    kfree(m->lid);
    if (!__atomic_sub_fetch(&m->sb->mounts, 1, __ATOMIC_ACQ_REL) && m->sb->type->unmounted) {
        notify_unmounted(m->sb);
        m->sb->type->unmounted(m->root);
    }
    dentry_put(m->root);
    superblock_put(m->sb);
    user_uncharge(m->user, USER_MOUNTS, 1);
    user_put(m->user);
    kfree(m->source);
    kfree(m);
}

struct mount *mount_alloc_for(struct user *user, struct dentry *root, const char *source,
                              unsigned long flags) {
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
    m->user = user_get(user);
    (void)user_charge(m->user, USER_MOUNTS, 1);
    ref_get(&m->sb->refs);
    __atomic_fetch_add(&m->sb->mounts, 1, __ATOMIC_RELAXED);
    m->flags = flags & MOUNT_FLAGS;
    list_init(&m->link);
    list_init(&m->sibling);
    list_init(&m->children);
    list_init(&m->lids);
    spin_lock(&mounts_lock);
    list_add(&m->sb_link, &m->sb->mount_list);
    spin_unlock(&mounts_lock);
    return m;
}

struct mount *mount_alloc(struct dentry *root, const char *source, unsigned long flags) {
    return mount_alloc_for(current->cred ? current->cred->user : &root_user, root, source, flags);
}

struct mount *mount_create_internal(struct dentry *root) {
    dentry_get(root);
    return mount_alloc(root, NULL, 0);
}

// ---- the tree

static struct list_head *places_of(const struct mount *parent, const struct dentry *d) {
    uint64_t sum = (uintptr_t)parent / sizeof(*parent) + (uintptr_t)d / sizeof(*d) * 31;
    return &places[sum * 0x9e3779b97f4a7c15ull >> (64 - PLACES_LOG2)];
}

struct mount *mount_on(const struct mount *parent, const struct dentry *d) {
    struct mount *m;
    list_for_each_entry (m, places_of(parent, d), place)
        if (m->parent == parent && m->mountpoint == d)
            return m;
    return NULL;
}

void mount_attach_locked(struct mount *m, struct mount *parent, struct dentry *d) {
    ASSERT_HELD(&mounts_lock);
    m->parent = parent;
    m->mountpoint = d;
    list_add_tail(&m->sibling, &parent->children);
    list_add(&m->place, places_of(parent, d));
    WRITE_ONCE(d->mounted, d->mounted + 1);
}

void mount_attach(struct mount *m, struct mount *parent, struct dentry *d) {
    mount_get(parent);
    dentry_get(d);
    spin_lock(&mounts_lock);
    mount_attach_locked(m, parent, d);
    spin_unlock(&mounts_lock);
}

// Off its place, the caller's from now on; NULL: there is none.
static struct mount_lid *take_old_lid(void) {
    struct mount_lid *lid = NULL;
    spin_lock(&mounts_lock);
    if (!list_empty(&old_lids)) {
        lid = list_first_entry(&old_lids, struct mount_lid, link);
        list_del(&lid->link);
        WRITE_ONCE(lid->place->mounted, lid->place->mounted - 1);
    }
    spin_unlock(&mounts_lock);
    return lid;
}

// Lids that come when we have looked, but have the mutex still, are seen by the second look.
void mount_unlock(void) {
    struct mount_lid *lid;
    mount_settle_groups();
    do {
        while ((lid = take_old_lid())) {
            mount_unsettle(lid->place);
            dentry_put(lid->place);
            kfree(lid);
        }
        mutex_unlock(&mount_mutex);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (!list_empty(&old_lids) && mutex_trylock(&mount_mutex));
}

struct path mount_detach_locked(struct mount *m) {
    ASSERT_HELD(&mounts_lock);
    struct path place = {m->parent, m->mountpoint};
    if (!place.mount)
        return place;
    list_del(&m->sibling);
    list_del(&m->place);
    WRITE_ONCE(place.dentry->mounted, place.dentry->mounted - 1);
    m->parent = NULL;
    m->mountpoint = NULL;
    return place;
}

void mount_list(struct mount *m, struct mount_ns *ns) {
    m->id = next_id++;
    mount_list_behind(m, ns, ns->mounts.prev);
}

void mount_list_behind(struct mount *m, struct mount_ns *ns, struct list_head *before) {
    spin_lock(&mounts_lock);
    while (before->next != &ns->mounts && list_entry(before->next, struct mount, link)->id < m->id)
        before = before->next;
    m->ns = ns;
    list_add(&m->link, before);
    ns->count++;
    mount_count++;
    spin_unlock(&mounts_lock);
}

void mount_unlist_locked(struct mount *m) {
    ASSERT_HELD(&mounts_lock);
    list_del(&m->link);
    if (m->ns) {
        m->ns->count--;
        mount_count--;
    }
    m->ns = NULL;
}

struct mount *mount_next(const struct mount *m, const struct mount *top) {
    if (!list_empty(&m->children))
        return list_first_entry(&m->children, struct mount, sibling);
    for (; m != top; m = m->parent)
        if (m->sibling.next != &m->parent->children)
            return list_entry(m->sibling.next, struct mount, sibling);
    return NULL;
}

// Is there a lid on that place? [mounts]
static bool is_hidden(const struct path *p) {
    const struct mount_lid *lid;
    list_for_each_entry (lid, &p->mount->lids, link)
        if (lid->place == p->dentry)
            return true;
    return false;
}

void mount_cross_down(struct path *p) {
    while (READ_ONCE(p->dentry->mounted)) {
        spin_lock(&mounts_lock);
        struct mount *m = mount_on(p->mount, p->dentry);
        if (unlikely(!m) && is_hidden(p))
            m = nowhere;
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

// The one behind `last`, which had that number, referenced; NULL: there is none. [mounts]
static struct mount *next_listed(const struct mount_ns *ns, const struct mount *last, uint64_t id) {
    const struct list_head *l = last && last->ns == ns ? &last->link : &ns->mounts;
    struct mount *m;
    while ((l = l->next) != &ns->mounts) {
        m = list_entry(l, struct mount, link);
        if (m->id <= id)
            continue;
        mount_get(m);
        return m;
    }
    return NULL;
}

void mount_for_each(struct mount_ns *ns, bool (*fn)(struct mount *m, void *arg), void *arg) {
    struct mount *m = NULL, *last;
    bool go_on = true;
    uint64_t id = 0; // they only grow, and the list is in their order
    do {
        last = m;
        spin_lock(&mounts_lock);
        m = next_listed(ns, last, id);
        spin_unlock(&mounts_lock);
        if (last)
            mount_put(last);
        if (m) {
            id = m->id;
            go_on = fn(m, arg) && !signal_pending_fatal();
        }
    } while (m && go_on);
    if (m)
        mount_put(m);
}

struct mount *mount_find(uint64_t unique) {
    struct mount *m, *found = NULL;
    spin_lock(&mounts_lock);
    list_for_each_entry (m, &mount_current_ns()->mounts, link)
        if (mount_unique_id(m->id) == unique)
            found = m;
    if (found)
        mount_get(found);
    spin_unlock(&mounts_lock);
    return found;
}

// Does the one with that number come behind `last`?
static bool comes_behind(uint64_t id, uint64_t last, bool reverse) {
    return !last || (reverse ? id < last : id > last);
}

void mount_begin_look(void) {
    ASSERT_HELD(&mount_mutex);
    looks++;
}

bool mount_is_in_sight(struct mount *m, const struct path *above) {
    struct mount *known = m, *next;
    struct dentry *d = m->root;
    ASSERT_HELD(&mount_mutex);
    for (; known != above->mount && known->parent && known->looked != looks; known = known->parent)
        d = known->mountpoint;
    bool seen =
        known == above->mount ? dentry_is_below(d, above->dentry) : known->looked == looks && known->seen;
    for (; m != known; m = next) {
        next = m->parent;
        m->looked = looks;
        m->seen = seen;
    }
    return seen;
}

// A few, with the mutex held for no longer than that takes.
static size_t list_some(const struct path *above, uint64_t but, uint64_t last, bool reverse, uint64_t *ids,
                        size_t n) {
    size_t done = 0;
    mutex_lock(&mount_mutex);
    mount_begin_look();
    const struct list_head *all = &mount_current_ns()->mounts;
    for (const struct list_head *l = reverse ? all->prev : all->next; l != all && done < n;
         l = reverse ? l->prev : l->next) {
        struct mount *m = list_entry(l, struct mount, link);
        uint64_t id = mount_unique_id(m->id);
        if (id != but && comes_behind(id, last, reverse) && mount_is_in_sight(m, above))
            ids[done++] = id;
        cond_resched();
    }
    mount_unlock();
    return done;
}

size_t mount_list_below(const struct path *above, uint64_t but, uint64_t last, bool reverse, uint64_t *ids,
                        size_t n) {
    size_t done = 0, more;
    do {
        more = list_some(above, but, last, reverse, ids + done, MIN(n - done, LISTED_AT_ONCE));
        done += more;
        last = more ? ids[done - 1] : last;
    } while (more == LISTED_AT_ONCE && !signal_pending_fatal());
    return done;
}

uint64_t mount_parent_id(const struct mount *m) {
    spin_lock(&mounts_lock);
    uint64_t id = m->parent ? m->parent->id : m->id;
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
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        list_init(&places[i]);
    struct dentry *root = tmpfs_create_root();
    if (IS_ERR(root) || !(root_mount = mount_alloc(root, "rootfs", 0)))
        panic("no memory for the root file system");
    struct dentry *empty = tmpfs_create_root();
    if (IS_ERR(empty) || !(nowhere = mount_alloc(empty, NULL, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)))
        panic("no memory for the root file system");
    empty->inode->mode = S_IFDIR;
    mount_list(root_mount, &first_mount_ns);
    mount_ns_init(root_mount);
}
