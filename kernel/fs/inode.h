// SPDX-License-Identifier: MIT
// Inodes, dentries, mounts, file systems.
//
// Locks: a directory's inode->lock serialises changes of its names; a dentry's spinlock guards its tree of
// children; [tree] is the one spinlock over all parent links (dentry.c), [mounts] the one over mounts
// (mount.c).
//
// All file systems live in memory, so lookup never waits for a device. A dentry is a name in a directory and
// holds its inode; the dentries of tmpfs are the directory itself (pinned as long as the name exists), those
// of procfs are made at lookup and dropped with the last reference.
#pragma once
#include <linux/stat.h>
#include "core/spinlock.h"
#include "lib/tree.h"
#include "vm/vmspace.h"

struct inode;
struct dentry;
struct mount;
struct superblock;
struct file;
struct file_ops;
struct vm_map_args;
struct iattr;
struct kstat;
struct kstatfs;
struct dir_context;
struct fs_type;
struct pipe;
struct slab_cache;
struct file_lock_list;

#define MKDEV(major, minor) (((dev_t)(major) << 20) | (minor))
#define DEV_MAJOR(dev)      ((unsigned int)((dev) >> 20))
#define DEV_MINOR(dev)      ((unsigned int)((dev)&0xfffff))
// As struct stat has it (new_encode_dev).
#define DEV_ENCODE(dev)                                                                                      \
    ((DEV_MINOR(dev) & 0xff) | (DEV_MAJOR(dev) << 8) | ((uint64_t)(DEV_MINOR(dev) & ~0xffu) << 12))
#define DEV_DECODE(enc) MKDEV(((enc)&0xfff00) >> 8, ((enc)&0xff) | (((enc) >> 12) & 0xfff00))

struct path {
    struct mount *mount;
    struct dentry *dentry;
};

struct dir_context {
    off_t pos; // of the next entry; 0 and 1 are "." and ".."
    // Returns false when there is no more room.
    bool (*emit)(struct dir_context *ctx, const char *name, size_t len, off_t next_pos, ino_t ino,
                 unsigned int d_type);
};

struct inode_ops {
    // Looks name up in directory `dir`: fills in d->inode (NULL left: no such name). 0 or -errno. NULL op:
    // the directory tree is all there is (tmpfs).
    int (*lookup)(struct inode *dir, struct dentry *d);
    int (*create)(struct inode *dir, struct dentry *d, mode_t mode,
                  dev_t rdev); // regular, device, fifo, socket by mode
    int (*mkdir)(struct inode *dir, struct dentry *d, mode_t mode);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target, size_t len);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *d); // also rmdir
    int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new_d,
                  unsigned int flags);
    // The target: a NUL-terminated string valid while the inode is referenced (inode->size is its length), or
    // put into buf (size 0), or ERR_PTR. For magic links (/proc/PID/exe, fd/N) follow() is used instead.
    const char *(*readlink)(struct inode *inode, char *buf, size_t n);
    int (*follow)(struct inode *inode, struct path *out); // magic link: the place itself, referenced
    int (*open)(struct inode *inode, struct file *f);     // sets ops and private_data; NULL: inode->fops
    int (*setattr)(struct inode *inode, const struct iattr *attr);
    void (*getattr)(struct inode *inode, struct kstat *st); // NULL: from the inode's fields
    // Where mode, ids and capabilities refuse: 0 to allow it all the same, or -EACCES. NULL: that is it.
    int (*permit)(struct inode *inode, int mask);
};

// ns since 1970 of any second that utimensat(2) may name; and how it is kept: the upper bits are only not the sign of the lower
// 64 before 1678 and after 2262.
typedef __int128 filetime_t;
struct far_times {
    int32_t atime, mtime; // bits 64 and up
};
static inline filetime_t filetime(ktime_t low, int32_t high) {
    return (filetime_t)((unsigned __int128)high << 64 | (uint64_t)low);
}

struct iattr {
    unsigned int valid; // ATTR_*
    mode_t mode;
    uid_t uid;
    gid_t gid;
    off_t size;
    filetime_t atime, mtime;
};
#define ATTR_MODE  (1u << 0)
#define ATTR_UID   (1u << 1)
#define ATTR_GID   (1u << 2)
#define ATTR_SIZE  (1u << 3)
#define ATTR_ATIME (1u << 4)
#define ATTR_MTIME (1u << 5)
#define ATTR_CHOWN (1u << 6) // set-id bits go, even if uid and gid stay

struct kstat {
    dev_t dev, rdev;
    ino_t ino;
    mode_t mode;
    unsigned int nlink, blksize;
    uid_t uid;
    gid_t gid;
    uint64_t size, blocks; // blocks of 512 bytes
    ktime_t atime, mtime, ctime, btime;
    struct far_times far;
    uint64_t mount_id;
};

struct inode {
    struct refcount refs;
    mode_t mode;                        // [l] type and permissions
    uid_t uid;                          // [l]
    gid_t gid;                          // [l]
    unsigned int nlink;                 // [l]
    bool linkable;                      // O_TMPFILE: it may still get its first name
    dev_t rdev;                         // [I]
    ino_t ino;                          // [I]
    uint64_t size;                      // [l] read without
    ktime_t atime, mtime, ctime, btime; // [l]
    struct far_times far;               // [l]
    struct superblock *sb;              // [I]
    const struct inode_ops *ops;        // [I]
    const struct file_ops *fops;        // [I] of open files
    struct vm_backing backing;          // content as pages, ops NULL if none
    struct mutex lock;                  // content: writers, truncation
    struct spinlock spin;               // [l] attributes
    int writers;                        // [a] > 0: files open for writing; < 0: programs that run from it
    void *private_data;
    struct pipe *pipe;            // FIFO: its pipe while open
    struct file_lock_list *locks; // fs/file_lock.c: POSIX and flock locks, made on demand
};

RB_HEAD(dentry_tree, dentry);
struct dentry {
    RB_ENTRY(dentry) node; // in parent's children [parent->lock]
    uint64_t key; // [I] dentry_key() and a number that keeps equal names' hashes apart: order of readdir
    struct refcount refs;        // 1 for being in the parent's tree
    struct dentry *parent;       // [tree] referenced; root: itself, without a reference
    struct inode *inode;         // [I] once found or made; referenced
    struct dentry_tree children; // [lock]
    struct spinlock lock;
    unsigned int child_count; // [lock]
    unsigned int mounted;     // [mounts] mounts on top of it, in whatever mount. Read without.
    bool dead;                // [parent->lock] its name has gone
    bool in_tree;             // [parent->lock] in parent's children
    bool pseudo;      // [I] of a pipe or another file that never had a place: path_name() gives a word
    uint8_t name_len; // [tree] of `name`; changed by a rename only while d is in no tree of children
    const char *name; // [tree] NUL-terminated, at most NAME_MAX; `inline_name`, or kmalloc'ed by a rename
    char inline_name[];
};

struct superblock {
    const struct fs_type *type;
    dev_t dev;                                               // anonymous number
    uint64_t max_pages, used_pages, max_inodes, used_inodes; // [a] limits, 0: none (tmpfs)
    uint64_t archive_pages;      // [a] of files that borrow from an archive (tmpfs)
    ino_t next_ino;              // [a]
    unsigned int flags;          // mount_mutex: MS_RDONLY. Read without.
    struct list_head mount_list; // [mounts] all that show it
    void *private_data;
    unsigned int mounts; // [a] of it
    struct refcount refs;
};

struct fs_type {
    const char *name; // as in mount(2) and /proc/filesystems
    bool nodev;
    bool fixed_names; // see vfs_has_fixed_names()
    bool shared;      // all mounts show one superblock; whether it is read-only is then each mount's own
    bool once;        // it is not laid over itself: -EBUSY
    // A root dentry (referenced) on a new or shared superblock. `options`: as the mount call's data, may be
    // NULL.
    struct dentry *(*mount)(const struct fs_type *type, const char *source, const char *options);
    int (*statfs)(struct superblock *sb, struct kstatfs *out);
    void (*destroy)(struct superblock *sb);
    void (*inode_free)(struct inode *inode); // with the last reference
    // Its last mount goes, which showed `root`: nobody can reach any of its names any more. May sleep. NULL: they stay.
    void (*unmounted)(struct dentry *root);
    int (*show_options)(struct superblock *sb, char *buf, size_t n);
    // mount(2) with MS_REMOUNT: changes what `options` (may be NULL) name, all or nothing. NULL: none can be.
    int (*remount)(struct superblock *sb, const char *options);
    struct list_head link;
};
struct kstatfs {
    uint64_t type, bsize, blocks, bfree, files, ffree, flags;
};

// Locks: see mount.c.
struct mount {
    struct list_head link;     // [t] [mounts] all mounts, in order of mounting
    struct list_head children; // [t] [mounts] what is mounted on places in this one
    struct list_head sibling;  // [t] [mounts] in the parent's children
    struct refcount refs;
    struct mount *parent;      // [t] [mounts] referenced; NULL: the root of all, or taken away
    struct dentry *mountpoint; // [t] [mounts] in parent; referenced
    struct dentry *root;       // [I]
    struct superblock *sb;     // [I]
    struct list_head sb_link;  // [mounts] in sb->mount_list
    char *source;              // [I] kmalloc'ed
    unsigned int flags;        // [t] MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, ...; read without
    unsigned int writers;      // [a] files open for writing
    unsigned int visits;       // [mounts] how often a walk came here from its place
    unsigned int expires; // [t] not 0: MNT_EXPIRE was asked for, and `visits` at the next time if nobody came
    int id;               // [I] once listed
    bool attached;        // [t] [mounts] in the list
    bool unbindable;      // [t]
    struct mount *copy;   // [t] mount_change.c
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

// A cleared inode, one reference: owner root, the next number of sb, times now, nlink 1 (directory: 2). It
// holds sb. NULL if no memory.
struct inode *__must_check inode_create(struct superblock *sb, mode_t mode);
// The same in a cache of the caller's, whose objects begin with a struct inode and are freed with it.
struct inode *__must_check inode_create_in(struct slab_cache *cache, struct superblock *sb, mode_t mode);
static inline void inode_get(struct inode *inode) {
    ref_get(&inode->refs);
}
// What is executed is not written, and the other way round: -ETXTBSY. Each that succeeds is to be ended.
int __must_check inode_begin_writing(struct inode *inode);
int __must_check inode_begin_executing(struct inode *inode);
static inline void inode_end_writing(struct inode *inode) {
    __atomic_fetch_sub(&inode->writers, 1, __ATOMIC_RELEASE);
}
static inline void inode_end_executing(struct inode *inode) {
    __atomic_fetch_add(&inode->writers, 1, __ATOMIC_RELEASE);
}
void inode_put(struct inode *inode); // the last one: type->inode_free
// Owner by the current credentials and the directory (set-group-id is inherited).
void inode_init_owner(struct inode *inode, const struct inode *dir);
// The mode, with its type, of what is to be made in `dir` for a program: less the umask; and a program in a directory
// that gives its group away does not run as that group unless its maker is in it.
mode_t inode_new_mode(const struct inode *dir, mode_t mode);
// The set-id bits that are not the file's any more when the current credentials give it another owner.
mode_t inode_set_ids(const struct inode *inode);
// They go when its content is changed, unless by somebody with CAP_FSETID. inode->lock held.
void inode_drop_set_ids(struct inode *inode);
// The change of attributes that every file system makes, size apart: stores what attr holds. Also ctime. 0.
int inode_setattr(struct inode *inode, const struct iattr *attr);
void inode_touch(struct inode *inode, bool modified);      // ctime, and mtime if modified, are now
void inode_getattr(struct inode *inode, struct kstat *st); // by the op, or from the fields
void inode_change_nlink(struct inode *inode, int n);
// One name more, unless the last one has gone: -ENOENT. One of O_TMPFILE may get its first, once. How many there were.
int __must_check inode_add_link(struct inode *inode);

// A dentry for a name, not in the tree, without inode; it references parent (NULL: it is a root). NULL if no
// memory.
struct dentry *__must_check dentry_alloc(struct dentry *parent, const char *name, size_t len);
// For who looks for a name and makes it then: dentry_alloc() and dentry_find() with the name's key.
uint64_t dentry_key(const char *name, size_t len);
struct dentry *__must_check dentry_alloc_keyed(struct dentry *parent, const char *name, size_t len,
                                               uint64_t key);
struct dentry *dentry_find_keyed(struct dentry *parent, const char *name, size_t len, uint64_t key);
// The root dentry of a file system; takes a reference of its own to the inode.
struct dentry *__must_check dentry_create_root(struct inode *inode);
static inline void dentry_get(struct dentry *d) {
    ref_get(&d->refs);
}
void dentry_put(struct dentry *d);
// Puts d into its parent's tree, which takes a reference; and out again: then it is dead.
void dentry_insert(struct dentry *d);
// The same with the caller's own reference, unless the name is taken: then false, and nothing has changed.
bool dentry_insert_new(struct dentry *d);
void dentry_remove(struct dentry *d);
// Takes all names out of the tree that d, which nobody can reach any more, is in.
void dentry_drop_tree(struct dentry *d);
// Takes d out of the tree, if it is there, without a word about its name: of a file system that makes names at need.
void dentry_forget(struct dentry *d);
// True if d is `above` or below it, in one file system.
bool dentry_is_below(const struct dentry *d, const struct dentry *above);
// Gives d, in the tree, the place of `name` (kmalloc'ed, taken over) in `dir`. What `victim` (NULL: nothing)
// names there goes; or, with `other_name`, it takes d's old place under that name (taken over, too).
// rename_lock and both directories' locks are held.
void dentry_move(struct dentry *d, struct dentry *dir, const char *name, struct dentry *victim,
                 const char *other_name);
// Copies d's name, which may change.
size_t dentry_copy_name(struct dentry *d, char buf[256]);
// The child of that name in the tree, referenced, or NULL.
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len);
// The parent with a reference.
struct dentry *dentry_get_parent(struct dentry *d);
// readdir of a directory whose tree is all there is (tmpfs).
int dentry_readdir(struct file *f, struct dir_context *ctx);
off_t dentry_lseek_dir(struct file *f, off_t offset, int whence);
