// SPDX-License-Identifier: MIT
// Inodes: what a name is a name of. Their names are in dentry.h, their file systems in superblock.h.
//
// Locks: inode->lock serialises writers of its content, and in a directory changes of its names; inode->spin guards the
// attributes.
#pragma once
#include "core/spinlock.h"
#include "core/user_ns.h"
#include "vm/vmspace.h"
#include <linux/fs.h>
#include <linux/stat.h>

struct inode;
struct dentry;
struct superblock;
struct path;
struct file;
struct file_ops;
struct iattr;
struct kstat;
struct pipe;
struct slab_cache;
struct file_lock_list;
struct watch;
struct xattrs;

#define MKDEV(major, minor) (((dev_t)(major) << 20) | (minor))
#define DEV_MAJOR(dev)      ((unsigned int)((dev) >> 20))
#define DEV_MINOR(dev)      ((unsigned int)((dev)&0xfffff))
// As struct stat has it (new_encode_dev).
#define DEV_ENCODE(dev)                                                                                      \
    ((DEV_MINOR(dev) & 0xff) | (DEV_MAJOR(dev) << 8) | ((uint64_t)(DEV_MINOR(dev) & ~0xffu) << 12))
#define DEV_DECODE(enc) MKDEV(((enc)&0xfff00) >> 8, ((enc)&0xff) | (((enc) >> 12) & 0xfff00))

struct inode_ops {
    // Looks name up in directory `dir`: fills in d->inode (NULL left: no such name). 0 or -errno. NULL op:
    // the directory tree is all there is (tmpfs).
    int (*lookup)(struct inode *dir, struct dentry *d);
    // Of a file system whose names are a server's, which may change them: names that were found stay in the tree of dentries, and
    // are asked about whenever they are looked up. 1: d still is that, 0: look it up anew, or -errno. `on_way`: as a directory
    // that a path leads through.
    int (*revalidate)(struct dentry *d, bool on_way);
    // Of others, whose names are in that tree as long as something is mounted there: has d lost its meaning? NULL: none ever does.
    bool (*is_gone)(const struct dentry *d);
    bool no_places;                   // nothing can be mounted on what is in the directory
    void (*kept)(struct dentry *d);   // d was found, or has been moved, and is in the tree from now on
    void (*forget)(struct dentry *d); // takes it out again
    int (*create)(struct inode *dir, struct dentry *d, mode_t mode,
                  dev_t rdev); // regular, device, fifo, socket by mode
    int (*mkdir)(struct inode *dir, struct dentry *d, mode_t mode);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target, size_t len);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *d); // also rmdir
    int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new_d,
                  const char *new_name, unsigned int flags);
    // The target: a NUL-terminated string valid while the inode is referenced (inode->size is its length), or
    // put into buf (size 0), or ERR_PTR. For magic links (/proc/PID/exe, fd/N) follow() is used instead.
    const char *(*readlink)(struct inode *inode, char *buf, size_t n);
    int (*follow)(struct inode *inode, struct path *out); // magic link: the place itself, referenced
    int (*open)(struct inode *inode, struct file *f);     // sets ops and private_data; NULL: inode->fops
    int (*setattr)(struct inode *inode, const struct iattr *attr);
    void (*getattr)(struct inode *inode, struct kstat *st); // NULL: from the inode's fields
    // Where mode, ids and capabilities refuse: 0 to allow it all the same, or -EACCES. NULL: that is it.
    int (*permit)(struct inode *inode, int mask);
    // A socket's: what its protocol is called, which is its one extended attribute (system.sockprotoname). NULL: no socket's.
    const char *(*protocol)(const struct inode *inode);
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

// What chattr(1) may say of a file here, and what of it those get that are made in a directory.
#define INODE_FLAGS           (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)
#define INODE_FLAGS_INHERITED (FS_NODUMP_FL | FS_NOATIME_FL)

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
};

struct inode {
    struct refcount refs;
    mode_t mode;                        // [l] type and permissions
    uid_t uid;                          // [l]
    gid_t gid;                          // [l]
    unsigned int flags;                 // [lock] FS_*_FL: INODE_FLAGS. Read without
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
    int readers;                        // [a] files open for reading alone, if it is a regular one
    unsigned int notify;                // [a] NOTIFY_*: who is to be told what happens to it; 0: nobody
    union {
        void *private_data; // the file system's, but of a FIFO
        struct pipe *pipe;  // a FIFO's while it is open
    };
    struct file_lock_list *locks; // fs/file_lock.c: POSIX and flock locks, made on demand
    struct watch *watches;        // fs/event/notify.c
    struct xattrs *xattrs;        // [lock; read without] fs/xattr.h. NULL: it has never had any
};

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
// Does the capability hold for the inode? In a user namespace for those whose owner and group are in its maps.
static inline bool inode_capable(const struct cred *cred, const struct inode *inode, int cap) {
    return cred_capable_within(cred, cap) &&
           (likely(cred->user_ns == &first_user_ns) || cred_maps(cred, inode->uid, inode->gid));
}
// Immutable: its content is opened for writing by nobody, and all else of it stays as it is, its names too; of a directory, that
// what is in it does not come or go. Append-only: it may become longer.
static inline bool inode_is_immutable(const struct inode *inode) {
    return unlikely(READ_ONCE(inode->flags) & FS_IMMUTABLE_FL);
}
static inline bool inode_is_append_only(const struct inode *inode) {
    return unlikely(READ_ONCE(inode->flags) & FS_APPEND_FL);
}
static inline bool inode_is_fixed(const struct inode *inode) {
    return unlikely(READ_ONCE(inode->flags) & (FS_IMMUTABLE_FL | FS_APPEND_FL));
}
// True if the current thread acts as the inode's owner, or as everybody's (CAP_FOWNER).
bool inode_is_owner(const struct inode *inode);
// The mode, with its type, of what is to be made in `dir` for a program: less the umask; and a program in a directory
// that gives its group away does not run as that group unless its maker is in it.
mode_t inode_new_mode(const struct inode *dir, mode_t mode);
// The set-id bits that are not the file's any more when the current credentials give it another owner.
mode_t inode_set_ids(const struct inode *inode);
// They go when its content is changed, unless by somebody with CAP_FSETID; capabilities of the file in any case. inode->lock held.
void inode_drop_set_ids(struct inode *inode);
// The change of attributes that every file system makes, size apart: stores what attr holds. Also ctime. 0.
int inode_setattr(struct inode *inode, const struct iattr *attr);
// RLIMIT_FSIZE: -EFBIG and SIGXFSZ if a file that becomes this long is longer than it was and than the current process may make one.
// inode->lock held.
int __must_check inode_check_size_locked(const struct inode *inode, uint64_t size);
void inode_touch(struct inode *inode, bool modified);      // ctime, and mtime if modified, are now
void inode_getattr(struct inode *inode, struct kstat *st); // by the op, or from the fields
void inode_change_nlink(struct inode *inode, int n);
// One name more, unless the last one has gone: -ENOENT. One of O_TMPFILE may get its first, once. How many there were.
int __must_check inode_add_link(struct inode *inode);
// Boot.
void inode_cache_init(void);
