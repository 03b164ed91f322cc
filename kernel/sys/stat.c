// SPDX-License-Identifier: MIT
// System calls about the attributes of files and file systems.
#include "arch/riscv/uaccess.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sys/syscalls.h"
#include "sys/timespec.h"
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/time_types.h>

#define UTIME_NOW     ((1l << 30) - 1) // tv_nsec of utimensat(2)
#define UTIME_OMIT    ((1l << 30) - 2)
#define ST_VALID      0x20    // statfs.f_flags: the others are filled in
#define MNT_ID_UNIQUE 0x4000u // STATX_MNT_ID_UNIQUE, which headers since Linux 6.8 have

// ---- the file that a call is about

// By path and AT_* flags; an empty path with AT_EMPTY_PATH, or none, means dfd itself.
static int find(int dfd, const char __user *name, int flags, struct path *out) {
    unsigned int lookup =
        (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    return path_lookup_user(dfd, name, lookup, out);
}

// `usable`: not of an O_PATH descriptor, which is named by a path only (AT_EMPTY_PATH).
static int find_fd(int fd, bool usable, struct path *out) {
    struct file *f = usable ? fd_get_io(fd) : fd_get(fd);
    if (!f)
        return -EBADF;
    *out = f->path;
    path_get(out);
    file_put(f);
    return out->dentry ? 0 : -EBADF;
}

// An empty name with AT_EMPTY_PATH is common (fstat by way of newfstatat) and needs no walk.
static int find_for_stat(int dfd, const char __user *name, int flags, struct path *out) {
    char first;
    if ((flags & AT_EMPTY_PATH) && dfd >= 0 && (!name || (!get_user(first, name) && !first)))
        return find_fd(dfd, false, out);
    return find(dfd, name, flags, out);
}

// ---- stat

static __attribute__((noinline)) struct __kernel_timespec far_time(filetime_t t) {
    bool before = t < 0;
    unsigned __int128 ns = before ? -(unsigned __int128)t : (unsigned __int128)t, sec = ns / NSEC_PER_SEC;
    struct __kernel_timespec ts = {.tv_sec = (int64_t)sec,
                                   .tv_nsec = (long)((uint64_t)ns - (uint64_t)sec * NSEC_PER_SEC)};
    if (before) {
        ts.tv_sec = -ts.tv_sec - (ts.tv_nsec != 0);
        ts.tv_nsec = ts.tv_nsec ? NSEC_PER_SEC - ts.tv_nsec : 0;
    }
    return ts;
}

// The time of a file; times before 1970 have positive nanoseconds, too.
static inline struct __kernel_timespec file_time(ktime_t low, int32_t high) {
    if (unlikely(high != (int32_t)(low >> 63)))
        return far_time(filetime(low, high));
    return ktime_to_timespec(low);
}

// Member by member: all of them, as there is no clearing before.
static void fill_stat(struct stat *out, const struct kstat *st) {
    struct __kernel_timespec atime = file_time(st->atime, st->far.atime),
                             mtime = file_time(st->mtime, st->far.mtime),
                             ctime = ktime_to_timespec(st->ctime);
    out->st_dev = DEV_ENCODE(st->dev);
    out->st_ino = st->ino;
    out->st_mode = st->mode;
    out->st_nlink = st->nlink;
    out->st_uid = uid_shown(current->cred->user_ns, st->uid);
    out->st_gid = gid_shown(current->cred->user_ns, st->gid);
    out->st_rdev = DEV_ENCODE(st->rdev);
    out->st_size = st->size;
    out->st_blksize = st->blksize;
    out->st_blocks = st->blocks;
    out->st_atime = atime.tv_sec;
    out->st_atime_nsec = atime.tv_nsec;
    out->st_mtime = mtime.tv_sec;
    out->st_mtime_nsec = mtime.tv_nsec;
    out->st_ctime = ctime.tv_sec;
    out->st_ctime_nsec = ctime.tv_nsec;
    out->__pad1 = out->__pad2 = out->__unused4 = out->__unused5 = 0;
}

static long stat_inode(struct inode *inode, void __user *user) {
    struct kstat st;
    struct stat out;
    inode_getattr(inode, &st);
    fill_stat(&out, &st);
    return put_object(user, out);
}

long sys_newfstatat(int dfd, const char __user *path, void __user *st, int flags) {
    struct path p;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    int err = find_for_stat(dfd, path, flags, &p);
    if (err)
        return err;
    long ret = stat_inode(p.dentry->inode, st);
    path_put(&p);
    return ret;
}

long sys_fstat(int fd, void __user *st) {
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    long ret = stat_inode(f->inode, st);
    file_put(f);
    return ret;
}

static struct statx_timestamp statx_time(ktime_t low, int32_t high) {
    struct __kernel_timespec ts = file_time(low, high);
    return (struct statx_timestamp){.tv_sec = ts.tv_sec, .tv_nsec = (uint32_t)ts.tv_nsec};
}

#define STATX_FLAGS (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP)
_Static_assert(STATX_ATTR_IMMUTABLE == FS_IMMUTABLE_FL && STATX_ATTR_APPEND == FS_APPEND_FL &&
                   STATX_ATTR_NODUMP == FS_NODUMP_FL,
               "numbers of chattr(1)");

static unsigned int attributes(const struct inode *inode) {
    return READ_ONCE(inode->flags) & STATX_FLAGS;
}

static unsigned int known_attributes(const struct inode *inode) {
    return inode->sb->type->has_flags ? STATX_FLAGS : 0;
}

long sys_statx(int dfd, const char __user *path, int flags, unsigned int mask, void __user *user) {
    struct kstat st;
    struct path p;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) ||
        (mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    int err = find_for_stat(dfd, path, flags, &p);
    if (err)
        return err;
    inode_getattr(p.dentry->inode, &st);
    unsigned int id = mask & MNT_ID_UNIQUE ? MNT_ID_UNIQUE : STATX_MNT_ID;
    struct statx out = {.stx_mask = STATX_BASIC_STATS | STATX_BTIME | id,
                        .stx_blksize = st.blksize,
                        .stx_nlink = st.nlink,
                        .stx_uid = uid_shown(current->cred->user_ns, st.uid),
                        .stx_gid = gid_shown(current->cred->user_ns, st.gid),
                        .stx_mode = st.mode,
                        .stx_ino = st.ino,
                        .stx_size = st.size,
                        .stx_blocks = st.blocks,
                        .stx_atime = statx_time(st.atime, st.far.atime),
                        .stx_btime = statx_time(st.btime, 0),
                        .stx_ctime = statx_time(st.ctime, 0),
                        .stx_mtime = statx_time(st.mtime, st.far.mtime),
                        .stx_rdev_major = DEV_MAJOR(st.rdev),
                        .stx_rdev_minor = DEV_MINOR(st.rdev),
                        .stx_dev_major = DEV_MAJOR(st.dev),
                        .stx_dev_minor = DEV_MINOR(st.dev),
                        .stx_mnt_id = mask & MNT_ID_UNIQUE ? mount_unique_id(p.mount->id)
                                                           : (uint64_t)mount_short_id(p.mount->id),
                        .stx_attributes_mask = STATX_ATTR_MOUNT_ROOT | known_attributes(p.dentry->inode),
                        .stx_attributes = (p.dentry == p.mount->root ? STATX_ATTR_MOUNT_ROOT : 0) |
                                          attributes(p.dentry->inode)};
    path_put(&p);
    return put_object(user, out);
}

// ---- file systems

static long statfs_path(const struct path *p, void __user *user) {
    struct kstatfs s = {.bsize = PAGE_SIZE};
    if (p->mount->sb->type->statfs) {
        int err = p->mount->sb->type->statfs(p->dentry->inode->sb, &s);
        if (err)
            return err;
    }
    // ST_*: those of mount(2) have the same numbers up to MS_NODIRATIME.
    unsigned long own = p->mount->flags, flags = own & (0xf | MS_NOATIME | MS_NODIRATIME);
    flags |= (p->mount->sb->flags & MS_RDONLY) | (own & MS_RELATIME ? 0x1000 : 0) |
             (own & MS_NOSYMFOLLOW ? 0x2000 : 0);
    struct statfs out = {.f_type = s.type,
                         .f_bsize = s.bsize,
                         .f_blocks = s.blocks,
                         .f_bfree = s.bfree,
                         .f_bavail = s.bfree,
                         .f_files = s.files,
                         .f_ffree = s.ffree,
                         .f_fsid.val = {(int)DEV_ENCODE(p->mount->sb->dev), 0},
                         .f_namelen = NAME_MAX,
                         .f_frsize = s.bsize,
                         .f_flags = ST_VALID | flags};
    return put_object(user, out);
}

long sys_statfs(const char __user *path, void __user *st) {
    struct path p;
    int err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    long ret = statfs_path(&p, st);
    path_put(&p);
    return ret;
}

long sys_fstatfs(int fd, void __user *st) {
    struct path p;
    int err = find_fd(fd, false, &p);
    if (err)
        return err;
    long ret = statfs_path(&p, st);
    path_put(&p);
    return ret;
}

// ---- access

// Credentials with the real ids in place of the effective ones. NULL: they are the same; ERR_PTR.
static struct cred *with_real_ids(void) {
    const struct cred *mine = current->cred;
    bool root = uid_is_root_in(mine->user_ns, mine->uid);
    uint64_t caps = root ? mine->cap_permitted : 0;
    if (mine->fsuid == mine->uid && mine->fsgid == mine->gid && (mine->cap_effective == caps || !root))
        return NULL;
    struct cred *c = cred_copy(mine);
    if (!c)
        return ERR_PTR(-ENOMEM);
    c->fsuid = mine->uid;
    c->fsgid = mine->gid;
    c->cap_effective = caps;
    return c;
}

static int check_access(const struct path *p, int mode) {
    struct inode *inode = p->dentry->inode;
    if ((mode & 1) && S_ISREG(inode->mode) && (p->mount->flags & MS_NOEXEC))
        return -EACCES;
    int err = mode ? inode_permission(inode, mode) : 0;
    if (!err && (mode & 2) && (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
        err = mount_check_writable(p->mount);
    return err;
}

long sys_faccessat2(int dfd, const char __user *path, int mode, int flags) {
    struct path p;
    if ((mode & ~7) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    struct cred *real = flags & AT_EACCESS ? NULL : with_real_ids(), *mine = current->cred;
    if (IS_ERR(real))
        return PTR_ERR(real);
    if (real)
        current->cred = real;
    int err = find(dfd, path, flags, &p);
    if (!err) {
        err = check_access(&p, mode);
        path_put(&p);
    }
    current->cred = mine;
    if (real)
        cred_put(real);
    return err;
}

long sys_faccessat(int dfd, const char __user *path, int mode) {
    return sys_faccessat2(dfd, path, mode, 0);
}

// ---- changing attributes

// What a change of attributes is told as. Both times together are attributes; one of them is what reading or writing does.
static uint32_t event_of(const struct iattr *attr) {
    unsigned int times = attr->valid & (ATTR_ATIME | ATTR_MTIME);
    if (attr->valid & (ATTR_UID | ATTR_GID | ATTR_MODE) || times == (ATTR_ATIME | ATTR_MTIME))
        return IN_ATTRIB | (times == ATTR_ATIME ? IN_ACCESS : times == ATTR_MTIME ? IN_MODIFY : 0);
    return times == ATTR_ATIME ? IN_ACCESS : times ? IN_MODIFY : 0;
}

// p's reference is given back.
static long set_attributes(struct path *p, struct iattr *attr, bool now) {
    int err = mount_check_writable(p->mount);
    if (!err)
        err = vfs_setattr(p->dentry->inode, attr, now);
    if (!err)
        notify_dentry(p->dentry, event_of(attr));
    path_put(p);
    return err;
}

long sys_fchmodat2(int dfd, const char __user *path, mode_t mode, unsigned int flags) {
    struct path p;
    struct iattr attr = {.valid = ATTR_MODE, .mode = mode & 07777};
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int err = find(dfd, path, flags, &p);
    if (err)
        return err;
    if (S_ISLNK(p.dentry->inode->mode)) {
        path_put(&p);
        return -EOPNOTSUPP; // a symlink's mode means nothing
    }
    return set_attributes(&p, &attr, false);
}

long sys_fchmodat(int dfd, const char __user *path, mode_t mode) {
    return sys_fchmodat2(dfd, path, mode, 0);
}

long sys_fchmod(int fd, mode_t mode) {
    struct path p;
    struct iattr attr = {.valid = ATTR_MODE, .mode = mode & 07777};
    int err = find_fd(fd, true, &p);
    return err ? err : set_attributes(&p, &attr, false);
}

// -EINVAL: an id that is in no map of the caller's user namespace.
static int owner_attr(uid_t uid, gid_t gid, struct iattr *attr) {
    const struct user_ns *u = current->cred->user_ns;
    *attr = (struct iattr){.valid = ATTR_CHOWN | (uid != (uid_t)-1 ? ATTR_UID : 0) |
                                    (gid != (gid_t)-1 ? ATTR_GID : 0),
                           .uid = uid_from_user(u, uid),
                           .gid = gid_from_user(u, gid)};
    return (attr->valid & ATTR_UID && attr->uid == ID_NONE) ||
                   (attr->valid & ATTR_GID && attr->gid == ID_NONE)
               ? -EINVAL
               : 0;
}

// Takes over p, which was found if !err.
static long change_owner(int err, struct path *p, uid_t uid, gid_t gid) {
    struct iattr attr;
    if (err)
        return err;
    err = owner_attr(uid, gid, &attr);
    if (!err)
        return set_attributes(p, &attr, false);
    path_put(p);
    return err;
}

long sys_fchownat(int dfd, const char __user *path, uid_t uid, gid_t gid, int flags) {
    struct path p;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return change_owner(find(dfd, path, flags, &p), &p, uid, gid);
}

long sys_fchown(int fd, uid_t uid, gid_t gid) {
    struct path p;
    return change_owner(find_fd(fd, true, &p), &p, uid, gid);
}

// One of the two times. -EINVAL.
static int read_time(const struct __kernel_timespec *ts, unsigned int bit, struct iattr *attr,
                     filetime_t *out) {
    if (ts->tv_nsec == UTIME_OMIT)
        return 0;
    attr->valid |= bit;
    if (ts->tv_nsec == UTIME_NOW)
        *out = clock_realtime();
    else if ((unsigned long)ts->tv_nsec >= (unsigned long)NSEC_PER_SEC)
        return -EINVAL;
    else
        *out = (filetime_t)ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
    return 0;
}

long sys_utimensat(int dfd, const char __user *path, const void __user *times, int flags) {
    struct __kernel_timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    struct iattr attr = {.valid = 0};
    struct path p;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (times && copy_from_user(ts, times, sizeof(ts)))
        return -EFAULT;
    int err = read_time(&ts[0], ATTR_ATIME, &attr, &attr.atime);
    if (!err)
        err = read_time(&ts[1], ATTR_MTIME, &attr, &attr.mtime);
    if (err || !attr.valid)
        return err;
    if (!path && dfd == AT_FDCWD)
        return -EFAULT; // a NULL is no name; with a descriptor it means that itself
    if (!path && flags)
        return -EINVAL;
    err = path ? find(dfd, path, flags, &p) : find_fd(dfd, true, &p);
    bool now = ts[0].tv_nsec == UTIME_NOW && ts[1].tv_nsec == UTIME_NOW;
    return err ? err : set_attributes(&p, &attr, now);
}
