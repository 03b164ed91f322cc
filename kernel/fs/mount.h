// SPDX-License-Identifier: MIT
// Mounts: file systems and parts of them laid over directories. A mount namespace is a tree of them (mount_namespaces(7)).
// All are private at first: what is mounted below one of two that show the same directory is seen below the other only if they share.
#pragma once
#include "core/errno.h"
#include "core/namespace.h"
#include "fs/dentry.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include <linux/mount.h>

// umount2(2)
#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8

struct mount_ns {
    struct namespace ns;
    struct list_head mounts;   // [t] [mounts] all of the tree, in order of mounting
    struct mount *root;        // [t] [mounts] one of them, which has no parent
    unsigned int count;        // [t] of `mounts`
    bool detached;             // [I] of a tree that a descriptor has (mount_detached.c): nobody is in it
    struct mount_ns *end_next; // which the thread that ends it ends then
};

// Locks: see mount.c.
struct mount {
    struct list_head link;     // [t] [mounts] in ns->mounts
    struct list_head children; // [t] [mounts] what is mounted on places in this one
    struct list_head sibling;  // [t] [mounts] in the parent's children
    struct list_head place;    // [t] [mounts] with others that are found where this one is
    struct refcount refs;
    struct mount *parent;      // [t] [mounts] referenced; NULL: the root of all, or taken away
    struct dentry *mountpoint; // [t] [mounts] in parent; referenced
    struct dentry *root;       // [I]
    struct superblock *sb;     // [I]
    struct user *user;         // [I] to whom it is charged, a reference
    struct list_head sb_link;  // [mounts] in sb->mount_list
    char *source;              // [I] kmalloc'ed
    unsigned int flags;        // [t] MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, ...; read without
    unsigned int writers;      // [a] files open for writing
    unsigned int visits;       // [mounts] how often a walk came here from its place
    unsigned int expires; // [t] not 0: MNT_EXPIRE was asked for, and `visits` at the next time if nobody came
    uint64_t id;          // [I] once listed; no other mount has it, ever
    struct mount_ns *ns;  // [t] [mounts] in whose tree it is; NULL: in none
    struct peer_group *group;  // [t] mount_peers.c: whose peer, or slave, it is; NULL: it is private
    struct list_head peer;     // [t] in it
    bool slave;                // [t] it gets what happens on the peers, and gives nothing
    struct mount *receiver;    // [t] of a copy that is to be laid: on which mount
    bool going;                // [t] it is being taken away
    struct mount *next_marked; // [t] of those that go with another
    uint64_t looked;           // [t] the number of the last look for what is to be seen,
    bool seen;                 // [t] and what came of it
    bool unbindable;           // [t]
    bool locked;           // [t] it hides what a namespace with more power had hidden: it stays where it is
    struct mount_lid *lid; // [t] of a locked one: stays on its place when it is taken away with its parent
    struct list_head
        lids; // [mounts] places in this one that are hidden though nothing is mounted there any more
    unsigned int kept_flags; // [t] those of its flags that the same namespace had set: they stay
    struct mount *copy;      // [t] mount_clone.c
};

// mount(2)'s ways, with the place looked up; `flags` as there. 0 or -errno. -EINVAL: the place, or what is to be bound,
// moved or changed, is not in the tree, or not the root of a mount.
int __must_check mount_new(const struct path *at, const struct fs_type *type, const char *source,
                           const char *options, unsigned long flags);
// With MS_REC all that is mounted below `from` comes along.
int __must_check mount_bind(const struct path *at, const struct path *from, unsigned long flags);
// Also of a tree that is nowhere yet, whose root `from` is.
int __must_check mount_move(const struct path *at, const struct path *from);
// open_tree(2) with OPEN_TREE_CLONE: a file without I/O (O_PATH) that has a copy of what is at `from`, as mount_bind() makes it.
// ERR_PTR(-EINVAL, -ENOENT, -ENOSPC, -ENOMEM, -EINTR).
struct file *__must_check mount_open_copy(const struct path *from, bool recursive);
// fsmount(2): the same of a new mount of `root`, whose reference it takes over, with MS_* in `flags`. Also -EPERM.
struct file *__must_check mount_open_new(struct dentry *root, const char *source, unsigned long flags);
// mount_setattr(2): MS_* flags that go and that come, in this order, and whether it can be bound; all or nothing.
struct mount_change {
    unsigned int clear, set;
    unsigned int propagation; // 0, MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE
};
// Of the mount whose root `at` is; `recursive`: of all below, too. -EINVAL, -EPERM, -EBUSY (see mount_remount()), -ENOMEM.
int __must_check mount_change_flags(const struct path *at, const struct mount_change *change, bool recursive);
// fsconfig(2)'s FSCONFIG_CMD_RECONFIGURE: what is mounted changes, not the mounts. As mount_remount().
int __must_check mount_reconfigure(struct superblock *sb, const char *options, unsigned int clear,
                                   unsigned int set);
// Changes what is mounted, options included, and the mount; with MS_BIND the mount alone. -EBUSY: it shall be read-only
// and a file is open for writing.
int __must_check mount_remount(const struct path *at, const char *options, unsigned long flags);
// MS_SHARED, MS_PRIVATE, MS_SLAVE (which a private mount is already), MS_UNBINDABLE; with MS_REC for all below, too. -EINVAL, -ENOMEM.
int __must_check mount_set_type(const struct path *at, unsigned long flags);
// umount2(2) of the mount whose root `at` is; at's own reference is the caller's still. -EINVAL, -EBUSY, -EAGAIN.
int __must_check mount_remove(const struct path *at, int flags);
// pivot_root(2). Its errors.
int __must_check mount_pivot(const struct path *new_root, const struct path *put_old);

// Is something mounted on d in the tree that the current thread sees? Others' mounts keep no name from going.
bool mount_is_place_slow(const struct dentry *d);
static inline bool mount_is_place(const struct dentry *d) {
    return unlikely(READ_ONCE(d->mounted)) && mount_is_place_slow(d);
}
// d's name has gone for good: what others had mounted on it is taken away. May sleep.
void mount_forget_place(struct dentry *d);
// d, of a file system that makes its names at each lookup, means nothing any more: the same for what is below, too, and d is out of
// the tree of dentries.
void mount_forget_tree(struct dentry *d);
// Do set-id bits and capabilities of files in m count for the current thread?
bool mount_may_set_ids(const struct mount *m);
// Are device nodes in m devices?
bool mount_has_devices(const struct mount *m);
// Does m belong to the tree that the current thread sees? Read without a lock it may have changed.
bool mount_is_mine(const struct mount *m);
// May the current thread change the tree that it sees?
bool mount_may_change(void);
// How m shares what is mounted on it, by the numbers of groups; 0: it does not. As the current thread sees it. May sleep.
struct mount_peers {
    uint64_t group, master; // whose peer it is; whose slave, or that group is
    uint64_t from;          // the nearest of those above it that is to be seen
    bool unbindable;
};
void mount_get_peers(const struct mount *m, struct mount_peers *out);
// Room for n mounts, for what is to become one: whose account it is on, or NULL (too many). For mount_give_back().
struct user *__must_check mount_reserve(unsigned int n);
void mount_give_back(struct user *user, unsigned int n);
// Is the current thread's root another than that of the tree?
bool mount_is_chrooted(void);
// fs, the caller's alone, is at the root of ns from now on.
struct fs_context;
void mount_ns_enter(struct namespace *ns, struct fs_context *fs);

void mount_get(struct mount *m);
void mount_put(struct mount *m);
// A mount that is nowhere in the tree, for files without a place. NULL if no memory.
struct mount *__must_check mount_create_internal(struct dentry *root);
// If something is mounted on p: p becomes its root, as often as needed.
void mount_cross_down(struct path *p);
// If p is the root of a mount: p becomes the place it is mounted on. False at the root of all, and of a mount that has
// been taken away.
bool mount_cross_up(struct path *p);
// -EROFS if the mount or what is mounted may not be written.
static inline int __must_check mount_check_writable(const struct mount *m) {
    return (READ_ONCE(m->flags) | READ_ONCE(m->sb->flags)) & MS_RDONLY ? -EROFS : 0;
}
static inline void mount_end_writing(struct mount *m) {
    __atomic_fetch_sub(&m->writers, 1, __ATOMIC_RELEASE);
}
// A file is opened for writing there: as above, and until mount_end_writing() it does not become read-only. This counts
// first and looks then; who makes it read-only does so first and looks at the counts then.
static inline int __must_check mount_begin_writing(struct mount *m) {
    __atomic_fetch_add(&m->writers, 1, __ATOMIC_SEQ_CST);
    int err = mount_check_writable(m);
    if (unlikely(err))
        mount_end_writing(m);
    return err;
}
// The number of the mount that m is on, or its own.
uint64_t mount_parent_id(const struct mount *m);
// As programs know a mount's number that is not said to be unique: one of 31 bits.
static inline int mount_short_id(uint64_t id) {
    return (int)(id & 0x7fffffff);
}
// Its number that no other mount ever has, told apart from the short one by its size (STATX_MNT_ID_UNIQUE).
static inline uint64_t mount_unique_id(uint64_t id) {
    return id + (1ull << 31);
}
// The mount of the current thread's tree with that number, referenced; NULL: there is none.
struct mount *mount_find(uint64_t unique);
// The numbers of mounts on or below `above`, but `but`, in their order from `last` on (0: from the beginning; from the end, if `reverse`), at most n. How
// many. May sleep.
size_t mount_list_below(const struct path *above, uint64_t but, uint64_t last, bool reverse, uint64_t *ids,
                        size_t n);
// Calls fn for each mount of a namespace in order, with a reference, until it returns false.
void mount_for_each(struct mount_ns *ns, bool (*fn)(struct mount *m, void *arg), void *arg);
static inline struct mount_ns *mount_ns_cast(struct namespace *ns) {
    return container_of(ns, struct mount_ns, ns);
}
// The names of a mount's flags as in /proc/mounts: ",nosuid".
void mount_format_flags(const struct mount *m, char *buf, size_t n);

// The root of all: a tmpfs, mounted at start. Referenced.
struct path mount_root(void);
void mount_init(void);
