// SPDX-License-Identifier: MIT
// Inodes, dentries, mounts, file systems.
//
// All file systems live in memory, so lookup never waits for a device. A dentry is a name in a directory and holds its inode; the dentries of tmpfs are the
// directory itself (pinned as long as the name exists), those of procfs are made at lookup and dropped with the last reference.
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
struct file_lock_list;

#define MKDEV(major, minor) (((dev_t)(major) << 20) | (minor))
#define DEV_MAJOR(dev)      ((unsigned int)((dev) >> 20))
#define DEV_MINOR(dev)      ((unsigned int)((dev) & 0xfffff))
// As struct stat has it (new_encode_dev).
#define DEV_ENCODE(dev) ((DEV_MINOR(dev) & 0xff) | (DEV_MAJOR(dev) << 8) | ((uint64_t)(DEV_MINOR(dev) & ~0xffu) << 12))
#define DEV_DECODE(enc) MKDEV(((enc) & 0xfff00) >> 8, ((enc) & 0xff) | (((enc) >> 12) & 0xfff00))

struct path {
    struct mount *mount;
    struct dentry *dentry;
};

struct dir_context {
    off_t pos; // of the next entry; 0 and 1 are "." and ".."
    // Returns false when there is no more room.
    bool (*emit)(struct dir_context *ctx, const char *name, size_t len, off_t next_pos, ino_t ino, unsigned int d_type);
};

struct inode_ops {
    // Looks name up in directory `dir`: fills in d->inode (NULL left: no such name). 0 or -errno. NULL op: the directory tree is all there is (tmpfs).
    int (*lookup)(struct inode *dir, struct dentry *d);
    int (*create)(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev); // regular, device, fifo, socket by mode
    int (*mkdir)(struct inode *dir, struct dentry *d, mode_t mode);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target, size_t len);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *d); // also rmdir
    int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new_d, unsigned int flags);
    // The target: a NUL-terminated string valid while the inode is referenced, or ERR_PTR. For magic links (/proc/PID/exe, fd/N) follow() is used instead.
    const char *(*readlink)(struct inode *inode, char *buf, size_t n);
    int (*follow)(struct inode *inode, struct path *out); // magic link: the place itself, referenced
    int (*open)(struct inode *inode, struct file *f);     // sets ops and private_data; NULL: inode->fops
    int (*setattr)(struct inode *inode, const struct iattr *attr);
    void (*getattr)(struct inode *inode, struct kstat *st); // NULL: from the inode's fields
    int (*permission)(struct inode *inode, int mask);       // NULL: by mode and ids
};

struct iattr {
    unsigned int valid; // ATTR_*
    mode_t mode;
    uid_t uid;
    gid_t gid;
    off_t size;
    ktime_t atime, mtime;
};
#define ATTR_MODE  (1u << 0)
#define ATTR_UID   (1u << 1)
#define ATTR_GID   (1u << 2)
#define ATTR_SIZE  (1u << 3)
#define ATTR_ATIME (1u << 4)
#define ATTR_MTIME (1u << 5)

struct kstat {
    dev_t dev, rdev;
    ino_t ino;
    mode_t mode;
    unsigned int nlink, blksize;
    uid_t uid;
    gid_t gid;
    uint64_t size, blocks; // blocks of 512 bytes
    ktime_t atime, mtime, ctime, btime;
    uint64_t mount_id;
};

struct inode {
    struct refcount refs;
    mode_t mode;                  // [l] type and permissions
    uid_t uid;                    // [l]
    gid_t gid;                    // [l]
    unsigned int nlink;           // [l]
    dev_t rdev;                   // [I]
    ino_t ino;                    // [I]
    uint64_t size;                // [l] read without
    ktime_t atime, mtime, ctime, btime; // [l]
    struct superblock *sb;        // [I]
    const struct inode_ops *ops;  // [I]
    const struct file_ops *fops;  // [I] of open files
    struct vm_backing backing;    // content as pages, ops NULL if none
    struct mutex lock;            // content: writers, truncation
    struct spinlock spin;         // [l] attributes
    void *private_data;
    struct pipe *pipe;            // FIFO: its pipe while open
    struct file_lock_list *locks; // fs/lock.c: POSIX and flock locks, made on demand
};

struct dentry {
    RB_ENTRY(dentry) node;     // in parent's children [parent->lock]
    uint64_t key;              // hash of the name << 8 | a number that keeps equal hashes apart: order of the tree and of readdir
    struct refcount refs;
    struct dentry *parent;     // referenced; root: itself
    struct inode *inode;       // referenced; NULL: negative (being created)
    RB_HEAD(dentry_tree, dentry) children; // [lock]
    struct spinlock lock;
    unsigned int child_count;  // [lock] directories among them count for nlink elsewhere
    struct mount *mounted;     // [a] the mount on top of it, if any
    bool dead;                 // unlinked
    uint8_t name_len;
    char name[];               // NUL-terminated, at most NAME_MAX
};

struct superblock {
    const struct fs_type *type;
    dev_t dev;               // anonymous number
    uint64_t max_pages, used_pages, max_inodes, used_inodes; // [a] limits, 0: none
    ino_t next_ino;          // [a]
    void *private_data;
    struct refcount refs;
};

struct fs_type {
    const char *name; // as in mount(2) and /proc/filesystems
    bool nodev;
    // A root dentry (referenced) on a new or shared superblock. `options`: as the mount call's data, may be NULL.
    struct dentry *(*mount)(const struct fs_type *type, const char *source, const char *options);
    int (*statfs)(struct superblock *sb, struct kstatfs *out);
    void (*destroy)(struct superblock *sb);
    void (*inode_free)(struct inode *inode); // with the last reference
    int (*show_options)(struct superblock *sb, char *buf, size_t n);
    struct list_head link;
};
struct kstatfs {
    uint64_t type, bsize, blocks, bfree, files, ffree, flags;
};

struct mount {
    struct list_head link;    // all mounts, in order of mounting
    struct refcount refs;
    struct mount *parent;     // NULL: the root
    struct dentry *mountpoint; // in parent
    struct dentry *root;
    struct superblock *sb;
    unsigned int flags;       // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, ...
    int id;
    char source[64];
};

void fs_type_register(struct fs_type *type);
