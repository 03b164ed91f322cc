// SPDX-License-Identifier: MIT
// Shared by mount.c, which holds the tree of mounts, and mount_change.c, which changes it.
#pragma once
#include "fs/mount.h"

// Those flags of mount(2) that a mount keeps.
#define MOUNT_FLAGS                                                                                          \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME |               \
     MS_STRICTATIME | MS_NOSYMFOLLOW)

// And those that what is mounted keeps. In memory, all that is written is where it is to be: that is said and no more.
#define SUPERBLOCK_FLAGS (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME)

extern struct mutex mount_mutex;    // the topology: changed, and looked through at length, with it only
extern struct spinlock mounts_lock; // [mounts]
extern unsigned int mount_count;    // [t] in the trees of all namespaces
extern const struct namespace_type mount_ns_type;
extern struct mount_ns first_mount_ns;

// A mount that is nowhere. Takes over the reference to root. NULL if no memory.
struct mount *__must_check mount_alloc(struct dentry *root, const char *source, unsigned long flags);
// The same on another user's account than the caller's.
struct mount *__must_check mount_alloc_for(struct user *user, struct dentry *root, const char *source,
                                           unsigned long flags);
// A place that stays hidden.
struct mount_lid {
    struct list_head link; // [mounts]
    struct dentry *place;  // [mounts] referenced
};

// Releases mount_mutex, and the lids of mounts that have gone meanwhile.
void mount_unlock(void);
// Nothing is mounted on d any more: it and those above go out of the tree of dentries again. [t]
void mount_unsettle(struct dentry *d);
// Lays m, which is nowhere, over d in parent. [t]
void mount_attach(struct mount *m, struct mount *parent, struct dentry *d);
// The same with the caller's references to both. [t] and [mounts]
void mount_attach_locked(struct mount *m, struct mount *parent, struct dentry *d);
// Takes m off its place; the references to that are the caller's then. [t] and [mounts]
struct path mount_detach_locked(struct mount *m);
// Lists m in ns, where it gets its number by that, and its reference becomes the list's. [t]
void mount_list(struct mount *m, struct mount_ns *ns);
// The same with the number that it has, by which the list is in order: behind `before`, which is the list itself or one of it that has a smaller one. [t]
void mount_list_behind(struct mount *m, struct mount_ns *ns, struct list_head *before);
// Off the list again; the reference is the caller's. [t] and [mounts]
void mount_unlist_locked(struct mount *m);
struct mount_ns *mount_current_ns(void); // that the current thread sees
// May ns have n more? Root's processes may have all there may be, those of others a half, and of one user an eighth. [t]
bool mount_has_room(const struct mount_ns *ns, unsigned int n);
// The same for another user's than the caller's.
bool mount_has_room_for(const struct mount_ns *ns, struct user *user, unsigned int n);
// The tree of mounts `top` that nobody reaches from now on: taken apart, for mount_release(). [t]
void mount_dissolve(struct mount *top, struct list_head *gone);
void mount_release(struct list_head *gone);
// The namespaces of mounts (mount_ns.c): the first one's root.
void mount_ns_init(struct mount *root);
// What a copy of a mount has of its group.
enum mount_peering {
    PEERS_SAME,     // it is a peer, or a slave, as that is
    PEERS_SLAVE,    // it is a slave where that is a peer
    PEERS_OF_SLAVE, // it is the first peer of a group that is the slave of that one's
};
struct mount_copying {
    const struct mount_ns *from, *to; // NULL: from a mount that is in none
    struct user *user;                // to whom the copies are charged; NULL: the caller
    enum mount_peering peering;
    bool all;           // for a new namespace: with those that cannot be bound
    unsigned int count; // copies so far, which are not listed yet
};
// What is mounted there, or NULL. [t] or [mounts]
struct mount *mount_on(const struct mount *parent, const struct dentry *d);
// The mount behind m in the tree below and with `top`, each before those on it; NULL at the end. [t]
struct mount *mount_next(const struct mount *m, const struct mount *top);

// The same, if it is `recursive`; NULL else: `top` is all there is to it. [t]
static inline struct mount *mount_next_if(bool recursive, const struct mount *m, const struct mount *top) {
    return recursive ? mount_next(m, top) : NULL;
}
// As mount_is_reachable() of m's root, for many in one look, which ends with the mutex's release and is from one place: what lies on the way of
// one is known for the others. [t]
void mount_begin_look(void);
bool mount_is_in_sight(struct mount *m, const struct path *above);
// Does anything in the tree `top` show the file of a mount namespace? [t]
bool mount_has_namespaces(const struct mount *top);

static inline bool path_is_mount_root(const struct path *p) {
    return p->dentry == p->mount->root;
}

// ---- mount_change.c

// True if p is `above` or below it, through mounts. [t]
bool mount_is_reachable(const struct path *p, const struct path *above);
// May the current thread mount m, of that type, in ns? 0 or -EPERM; what m has to keep then is noted. [t]
int __must_check mount_may_show(const struct mount_ns *ns, const struct fs_type *type, struct mount *m);

// ---- mount_clone.c

// A copy of the mount `from`, showing what is at `root`, with all that is mounted below that; while this lasts, m->copy
// of each mount is what it was copied to, NULL where it was left out. ERR_PTR(-ENOMEM, -ENOSPC, -EINTR). [t]
struct mount *__must_check mount_clone_tree(struct mount *from, struct dentry *root, struct mount_copying *c);
// May what is at `from` be bound? 0, -EINVAL, -ENOENT. [t]
int __must_check mount_check_bound(const struct path *from);
// The tree that mount(2) with MS_BIND makes, for somewhere in `to`. ERR_PTR. [t]
struct mount *__must_check mount_clone_bound(const struct path *from, const struct mount_ns *to,
                                             bool recursive);

// ---- mount_peers.c

// What groups without peers had is their masters' from now on: before the mutex is released. [t]
void mount_settle_groups(void);
// m is private from now on. [t]
void mount_leave_peers(struct mount *m);
// One that is shared becomes a slave of the others, or of its group's master if there are none. [t]
void mount_make_slave(struct mount *m);
// All that are not get a group; those have numbers from *first on. 0, or -ENOMEM and nothing has changed. [t]
int __must_check mount_make_shared(struct mount *top, bool recursive, uint64_t *first);
// `copy`, new and private, of m. 0 or -ENOMEM. [t]
int __must_check mount_copy_peers(const struct mount *m, struct mount *copy, enum mount_peering how);
// The tree `top` is to be laid over `at`. Where that is shared, makes top's mounts so, and the copies for all that get what happens
// there, in a list. 0; -EINVAL (it has some that cannot be bound), -ENOMEM, -ENOSPC, -EINTR, and nothing has changed. [t]
int __must_check mount_propagate(struct mount *top, const struct path *at, struct list_head *copies);
void mount_lay_copies(struct list_head *copies, struct dentry *d); // [t]
// Is m's place one where a mount that goes takes others with it, of which one is in use? 0 or -EBUSY. [t]
int __must_check mount_check_idle_copies(const struct mount *m);
// The tree `top` is to go: what goes with it, where its places are shared, but for what has more on it, in a chain. [t]
struct mount *mount_mark_copies(struct mount *top);
void mount_spare_copies(struct mount *top, struct mount *marked);     // nothing of that goes after all [t]
void mount_take_marked(struct mount *marked, struct list_head *gone); // for mount_release() [t]
static inline bool mount_is_shared(const struct mount *m) {
    return m->group && !m->slave;
}

// ---- mount_detached.c

// [t] Is it the root of a tree that a descriptor has?
bool mount_is_detached_root(const struct mount *m);
// That tree is to come into `to`: in a namespace of others it may less from now on. 0, -ELOOP, -ENOMEM. [t]
int __must_check mount_prepare_detached(struct mount *top, const struct mount_ns *to);
// Lays it over `at`. What it leaves is for mount_end_detached(), which may sleep, without the mutex. [t]
struct mount_ns *__must_check mount_lay_detached(struct mount *top, const struct path *at);
void mount_end_detached(struct mount_ns *left); // NULL: nothing

// ---- mount_place.c

struct mount_place {
    struct path at;      // referenced; what lies on top there
    struct inode *names; // whose lock keeps its name
};
// Takes the place where a mount on `at` would go, and the topology's mutex. The directory's lock comes first: its holder may
// wait for a server, however long, and then only who wants that place waits, too, and can be killed. 0, -ENOENT (it is none, has been
// removed, or is not in the tree of mounts), -ENOMEM, -EINTR.
int __must_check mount_place_lock(struct mount_place *p, const struct path *at);
void mount_place_unlock(struct mount_place *p);

// ---- mount_flags.c

// Flags that say something of access times; a remount without any leaves those be.
#define MOUNT_TIME_FLAGS ((unsigned int)(MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME))
// What a mount keeps of mount(2)'s flags: access times are relative to changes unless it is said otherwise.
unsigned int mount_new_flags(unsigned long flags);
// m comes from a namespace with more power: the flags that it has stay, and access times are kept as they are. [t]
void mount_keep_flags(struct mount *m);
// Flags that a namespace with more power set, or left, stay: access times as they are, the others set.
int __must_check mount_check_kept_flags(const struct mount *m, unsigned int now);
// Changes a mount's own flags, or those of what it shows, unless that forbids writing and somebody does. 0 or -EBUSY.
int __must_check mount_set_flags(struct mount *m, bool own, unsigned int now);
