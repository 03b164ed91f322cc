// SPDX-License-Identifier: MIT
// File systems: their types, and each one that is in use.
#pragma once
#include "core/spinlock.h"
#include "lib/list.h"
#include "sched/wait.h"

struct dentry;
struct inode;
struct user_ns;

struct superblock {
    const struct fs_type *type;
    dev_t dev;                                               // anonymous number
    uint64_t max_pages, used_pages, max_inodes, used_inodes; // [a] limits, 0: none (tmpfs)
    uint64_t archive_pages;      // [a] of files that borrow from an archive (tmpfs)
    ino_t next_ino;              // [a]
    unsigned int flags;          // mount_mutex: MS_RDONLY. Read without.
    struct list_head mount_list; // [mounts] all that show it
    struct list_head watches;    // fs/event/notify.c: on inodes of it
    struct list_head link;       // [superblocks_lock of inode.c] all that are in use
    struct user_ns *owner; // [I] core/user_ns.h: in which a capability over it has to be held; a reference
    void *private_data;
    unsigned int mounts; // [a] of it
    bool has_moves;      // [a] a directory of it has got another parent
    struct refcount refs;
    struct mutex rename_lock; // the shape of the tree against moving directories
};

struct kstatfs {
    uint64_t type, bsize, blocks, bfree, files, ffree, flags;
};

struct fs_type {
    const char *name; // as in mount(2) and /proc/filesystems
    bool nodev;
    bool fixed_names; // see vfs_has_fixed_names()
    bool shared;      // all mounts show one superblock; whether it is read-only is then each mount's own
    bool xattrs;      // inodes keep extended attributes (fs/xattr.c) and access control lists (fs/acl.c)
    bool no_leases;   // on its files (fs/lease.h)
    bool handles;     // its files have handles (fs/handle.h)
    bool has_flags;   // those of chattr(1): INODE_FLAGS
    bool once;        // it is not laid over itself: -EBUSY
    bool for_users;   // who has CAP_SYS_ADMIN in a user namespace may mount it in a mount namespace of that
    bool for_seers;   // the same, where one that shows all of it is mounted already
    bool has_devices; // device nodes in it count, whoever mounted it
    // A root dentry (referenced) on a new or shared superblock. `options`: as the mount call's data, may be
    // NULL.
    struct dentry *(*mount)(const struct fs_type *type, const char *source, const char *options);
    int (*statfs)(struct superblock *sb, struct kstatfs *out);
    void (*sync)(
        struct superblock *sb); // what was written goes where it is to be; NULL: it is there. May sleep
    void (*destroy)(struct superblock *sb);
    void (*inode_free)(struct inode *inode); // with the last reference
    // Its last mount goes, which showed `root`: nobody can reach any of its names any more. May sleep. NULL: they stay.
    void (*unmounted)(struct dentry *root);
    int (*show_options)(struct superblock *sb, char *buf, size_t n);
    // mount(2) with MS_REMOUNT: changes what `options` (may be NULL) name, all or nothing. NULL: none can be.
    int (*remount)(struct superblock *sb, const char *options);
    struct list_head link;
};

void fs_type_register(struct fs_type *type);
// Goes through a mount's options, `key` or `key=value` with commas between, NULL for none: calls fn with each key and its
// value (NULL: without one) until it returns an error. That, or 0, or -ENOMEM.
int __must_check fs_options_for_each(const char *options,
                                     int (*fn)(const char *key, const char *value, void *arg), void *arg);
// A number of `base` in digits alone, up to `max`. 0 or -EINVAL.
int __must_check fs_option_number(const char *value, unsigned int base, uint64_t max, uint64_t *out);
const struct fs_type *fs_type_find(const char *name); // NULL if there is none
void fs_type_for_each(bool (*fn)(const struct fs_type *type, void *arg), void *arg);

// A superblock with one reference and an anonymous device number. NULL if no memory.
struct superblock *__must_check superblock_create(const struct fs_type *type);
void superblock_put(struct superblock *sb); // the last one: type->destroy
// What was written to any of them goes where it is to be, unless the thread is killed meanwhile. May sleep.
void superblocks_sync(void);
