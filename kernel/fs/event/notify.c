// SPDX-License-Identifier: MIT
// Watches on inodes.
//
// An inode's watches are a list, which one of a few locks guards, by the inode's address. What happens is told with it held: so a watch
// that has been taken out of the list hears nothing more. `inode->notify` says whether there is anything to look for. A directory's
// interest in the files in it is written into their inodes (NOTIFY_PARENT): those that are there when the watch comes are
// visited, those that come later ask the directory when they get their name in it (dentry.c). So either side sees the other. The
// bit stays when the watch has gone: it only says that the directory is to be asked.
//
// A watch keeps its inode, but the inode's end is told all the same: when its last dentry goes and it has no name left.
#include "fs/event/notify.h"
#include "fs/superblock.h"
#include "sched/thread.h"
#include <linux/limits.h>

#define LOCKS 64

static struct spinlock watch_locks[LOCKS]; // by the inode
static struct spinlock sb_watches_lock = SPINLOCK_INIT;
static uint32_t last_cookie; // [a]

static struct spinlock *lock_of(const struct inode *inode) {
    return &watch_locks[(unsigned long)inode / sizeof(*inode) % LOCKS];
}

uint32_t notify_cookie(void) {
    return __atomic_add_fetch(&last_cookie, 1, __ATOMIC_RELAXED);
}

// ---- lists

static void note_interest_locked(struct inode *inode) {
    ASSERT_HELD(lock_of(inode));
    unsigned int notify = 0;
    for (const struct watch *w = inode->watches; w; w = w->next)
        notify |= NOTIFY_SELF | (S_ISDIR(inode->mode) && w->mask & NOTIFY_OF_CHILDREN ? NOTIFY_CHILDREN : 0);
    unsigned int old = READ_ONCE(inode->notify), new;
    do {
        new = (old & NOTIFY_PARENT) | notify;
    } while (
        !__atomic_compare_exchange_n(&inode->notify, &old, new, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

// False: it was not there.
static bool unlist_locked(struct watch *w) {
    ASSERT_HELD(lock_of(w->inode));
    if (!w->link)
        return false;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->link = NULL;
    w->next = NULL;
    note_interest_locked(w->inode);
    return true;
}

// What has just been taken from its inode; the list's reference goes.
static void end(struct watch *w) {
    spin_lock(&sb_watches_lock);
    list_del(&w->of_sb);
    spin_unlock(&sb_watches_lock);
    w->ops->gone(w);
    watch_put(w);
}

void watch_remove(struct watch *w) {
    spin_lock(lock_of(w->inode));
    bool was = unlist_locked(w);
    spin_unlock(lock_of(w->inode));
    if (was)
        end(w);
}

// One who is killed meanwhile leaves no watch: not all of the children would be heard of.
static void visit_children(struct watch *w, struct dentry *d) {
    if (READ_ONCE(d->inode->notify) & NOTIFY_CHILDREN && dentry_for_each_child(d, notify_new_child))
        watch_remove(w);
}

void watch_init(struct watch *w, struct inode *inode, const struct watch_ops *ops, uint32_t mask,
                uint32_t flags) {
    inode_get(inode);
    *w = (struct watch){.inode = inode, .ops = ops, .mask = mask, .flags = flags};
    ref_init(&w->refs);
    list_init(&w->of_sb);
}

void watch_add(struct watch *w, struct dentry *d) {
    struct inode *inode = d->inode;
    ref_get(&w->refs);
    spin_lock(&sb_watches_lock);
    list_add_tail(&w->of_sb, &inode->sb->watches);
    spin_unlock(&sb_watches_lock);
    spin_lock(lock_of(inode));
    w->next = inode->watches;
    w->link = &inode->watches;
    if (w->next)
        w->next->link = &w->next;
    inode->watches = w;
    note_interest_locked(inode);
    ref_get(&w->refs); // it may go at once
    spin_unlock(lock_of(inode));
    visit_children(w, d);
    watch_put(w);
}

void watch_change(struct watch *w, struct dentry *d, uint32_t mask, uint32_t flags) {
    spin_lock(lock_of(w->inode));
    w->mask = mask;
    w->flags = flags;
    note_interest_locked(w->inode);
    spin_unlock(lock_of(w->inode));
    visit_children(w, d);
}

void watch_put(struct watch *w) {
    if (!ref_put(&w->refs))
        return;
    struct inode *inode = w->inode;
    w->ops->free(w);
    inode_put(inode);
}

struct watch *watch_find(struct inode *inode, bool (*is)(const struct watch *w, const void *arg),
                         const void *arg) {
    spin_lock(lock_of(inode));
    struct watch *w = inode->watches;
    while (w && !is(w, arg))
        w = w->next;
    if (w)
        ref_get(&w->refs);
    spin_unlock(lock_of(inode));
    return w;
}

// ---- telling

// There are at most as many watches as instances that may be made.
static void tell(struct inode *inode, const struct notify_event *e) {
    struct watch *done = NULL, *next;
    spin_lock(lock_of(inode));
    for (struct watch *w = inode->watches; w; w = next) {
        next = w->next;
        if (!(w->mask & e->mask & IN_ALL_EVENTS) || (w->flags & IN_EXCL_UNLINK && e->unlinked))
            continue;
        if (w->ops->tell(w, e)) {
            unlist_locked(w);
            w->next = done;
            done = w;
        }
    }
    spin_unlock(lock_of(inode));
    for (; done; done = next) {
        next = done->next;
        end(done);
    }
}

// An inode's own end and its moving do not say what it is.
static uint32_t with_kind(const struct inode *inode, uint32_t mask) {
    return S_ISDIR(inode->mode) && !(mask & (IN_DELETE_SELF | IN_MOVE_SELF)) ? mask | IN_ISDIR : mask;
}

void notify_of_inode(struct inode *inode, uint32_t mask) {
    tell(inode, &(struct notify_event){.mask = with_kind(inode, mask)});
}

void notify_of_name(struct inode *dir, uint32_t mask, uint32_t cookie, const char *name, size_t len) {
    tell(dir, &(struct notify_event){.mask = mask, .cookie = cookie, .name = name, .len = len});
}

void notify_of_dentry(struct dentry *d, uint32_t mask) {
    struct notify_event e = {.mask = with_kind(d->inode, mask),
                             .unlinked = !(mask & IN_ATTRIB) && READ_ONCE(d->dead)};
    char name[NAME_MAX + 1];
    if (READ_ONCE(d->inode->notify) & NOTIFY_PARENT) {
        struct dentry *parent = dentry_copy_place(d, name, &e.len);
        e.name = name;
        if (parent != d && READ_ONCE(parent->inode->notify) & NOTIFY_CHILDREN)
            tell(parent->inode, &e);
        dentry_put(parent);
        e.name = NULL;
        e.len = 0;
    }
    if (READ_ONCE(d->inode->notify) & NOTIFY_SELF)
        tell(d->inode, &e);
}

static bool is_any(const struct watch *w, const void *arg) {
    (void)w, (void)arg;
    return true;
}

void notify_inode_gone(struct inode *inode) {
    struct watch *w;
    inode_get(inode); // whose last reference may be a watch's
    notify_of_inode(inode, IN_DELETE_SELF);
    while ((w = watch_find(inode, is_any, NULL))) {
        watch_remove(w);
        watch_put(w);
        cond_resched();
    }
    inode_put(inode);
}

// Being in the file system's list is a reference, which end() gives back after it has taken the watch out of that; so it is taken out
// here, too, for there may be somebody who is about to do that.
static struct watch *next_of_sb(struct superblock *sb) {
    struct watch *w = NULL;
    spin_lock(&sb_watches_lock);
    if (!list_empty(&sb->watches)) {
        w = list_first_entry(&sb->watches, struct watch, of_sb);
        ref_get(&w->refs);
        list_del(&w->of_sb);
    }
    spin_unlock(&sb_watches_lock);
    return w;
}

void notify_unmounted(struct superblock *sb) {
    struct watch *w;
    while ((w = next_of_sb(sb))) {
        spin_lock(lock_of(w->inode));
        bool was = unlist_locked(w);
        if (was)
            (void)w->ops->tell(w, &(struct notify_event){.mask = with_kind(w->inode, IN_UNMOUNT)});
        spin_unlock(lock_of(w->inode));
        if (was)
            end(w);
        watch_put(w);
        cond_resched();
    }
}
