// SPDX-License-Identifier: MIT
// Watches on inodes: who wants to know what happens to a file, or to the names and files of a directory. inotify and dnotify are made of
// them. What happens is told by whoever does it: vfs.c about names, the system calls about content and attributes, file.c about
// opening and closing.
//
// An inode that nobody watches costs a look at `notify`, which is 0.
#pragma once
#include "fs/dentry.h"
#include "fs/file.h"
#include "fs/inode.h"
#include <linux/inotify.h>

// inode->notify
#define NOTIFY_SELF     1u // it is watched
#define NOTIFY_CHILDREN 2u // a directory: what happens to the files in it is
#define NOTIFY_PARENT   4u // it has, or had, a name in a directory like that

// What happens to a file in a directory, and is told of that, too.
#define NOTIFY_OF_CHILDREN (IN_ACCESS | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_OPEN)

struct notify_event {
    uint32_t mask;    // IN_*
    uint32_t cookie;  // of IN_MOVED_FROM and IN_MOVED_TO
    const char *name; // in the directory that is watched; NULL: it is about the inode itself
    size_t len;
    bool unlinked; // the name has gone
};

struct watch;
struct watch_ops {
    // Something has happened that it waits for. The lock of the inode's watches is held: nothing sleeps. True: that was its last.
    bool (*tell)(struct watch *w, const struct notify_event *e);
    void (*gone)(struct watch *w); // it is not the inode's any more, which is still there. Once
    void (*free)(struct watch *w); // with the last reference
};

// Key: [n] the lock of its inode's watches (notify.c), [s] the one over file systems' lists.
struct watch {
    struct watch *next, **link;  // [n] in inode->watches; link NULL: not in it
    struct list_head of_sb;      // [s]
    struct inode *inode;         // [I] a reference
    const struct watch_ops *ops; // [I]
    uint32_t mask;               // [n] IN_* that it waits for
    uint32_t flags;              // [n] IN_EXCL_UNLINK; others for its owner
    struct refcount refs;        // one for being the inode's, one for its owner
};

// Sets w up for the inode, to which it takes a reference; it has one itself, its owner's. Then it can be removed and put.
void watch_init(struct watch *w, struct inode *inode, const struct watch_ops *ops, uint32_t mask,
                uint32_t flags);
// Makes w, set up for its inode, one of d's inode's.
void watch_add(struct watch *w, struct dentry *d);
// Changes what it waits for. d is a name of its inode.
void watch_change(struct watch *w, struct dentry *d, uint32_t mask, uint32_t flags);
// Takes it from its inode; gone() is called unless it was not there any more.
void watch_remove(struct watch *w);
void watch_put(struct watch *w);
// The inode's watch for which `is` says yes, with a reference, or NULL.
struct watch *watch_find(struct inode *inode, bool (*is)(const struct watch *w, const void *arg),
                         const void *arg);

// ---- telling. May be called with mutexes held.

void notify_of_inode(struct inode *inode, uint32_t mask);
void notify_of_dentry(struct dentry *d, uint32_t mask);
void notify_of_name(struct inode *dir, uint32_t mask, uint32_t cookie, const char *name, size_t len);
void notify_inode_gone(struct inode *inode);
uint32_t notify_cookie(void);

// About an inode alone.
static inline void notify_inode(struct inode *inode, uint32_t mask) {
    if (unlikely(READ_ONCE(inode->notify)))
        notify_of_inode(inode, mask);
}
// About what d names, which the directory that it is in hears, too.
static inline void notify_dentry(struct dentry *d, uint32_t mask) {
    if (unlikely(READ_ONCE(d->inode->notify)))
        notify_of_dentry(d, mask);
}
// f has a place, as all have that are open.
static inline void notify_file(struct file *f, uint32_t mask) {
    if (unlikely(READ_ONCE(f->inode->notify)))
        notify_of_dentry(f->path.dentry, mask);
}
// About a name in a directory.
static inline void notify_name(struct inode *dir, uint32_t mask, const char *name, size_t len) {
    if (unlikely(READ_ONCE(dir->notify)))
        notify_of_name(dir, mask, 0, name, len);
}
// The inode has no name and no user any more, if that is so.
static inline void notify_last_user(struct inode *inode) {
    if (unlikely(READ_ONCE(inode->notify)) && !READ_ONCE(inode->nlink))
        notify_inode_gone(inode);
}
// d has come into the directory: with that one's children locked, or found there just now.
static inline void notify_new_child(struct inode *dir, struct inode *inode) {
    if (unlikely(READ_ONCE(dir->notify) & NOTIFY_CHILDREN))
        __atomic_fetch_or(&inode->notify, NOTIFY_PARENT, __ATOMIC_RELAXED);
}
// The file system's last mount has gone.
void notify_unmounted(struct superblock *sb);
