// SPDX-License-Identifier: MIT
// Extended attributes (xattr(7)). No file system here keeps any, and archives carry none: a list of them is
// empty, and getting, setting or removing one fails with EOPNOTSUPP, as in Linux's ramfs. What Linux checks
// before that is checked here too, so that a program's mistakes are told as there.
#include "arch/riscv/uaccess.h"
#include "fs/dentry.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "fs/mount.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#define READ  4
#define WRITE 2

static bool has_prefix(const char *name, const char *prefix) {
    return !strncmp(name, prefix, strlen(prefix));
}

// May an attribute be read or written? 0 or -errno.
static int check_permission(struct inode *inode, const char *name, int mask) {
    int refused = mask == WRITE ? -EPERM : -ENODATA;
    if (has_prefix(name, XATTR_SECURITY_PREFIX) || has_prefix(name, XATTR_SYSTEM_PREFIX))
        return 0;
    if (has_prefix(name, XATTR_TRUSTED_PREFIX))
        return capable(CAP_SYS_ADMIN) ? 0 : refused;
    if (has_prefix(name, XATTR_USER_PREFIX)) {
        if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
            return refused;
        if (S_ISDIR(inode->mode) && inode->mode & S_ISVTX && mask == WRITE && !inode_is_owner(inode))
            return -EPERM;
    }
    return inode_permission(inode, mask);
}

// 0, -EFAULT, -ERANGE for an empty or long one.
static int read_name(char name[XATTR_NAME_MAX + 1], const char __user *user) {
    ssize_t n = strncpy_from_user(name, user, XATTR_NAME_MAX + 1);
    if (n < 0)
        return n == -ENAMETOOLONG ? -ERANGE : n;
    return n ? 0 : -ERANGE;
}

// The file whose attributes are meant, found by name or by descriptor.
struct subject {
    struct path path;
    struct file *file; // NULL: found by name
    struct inode *inode;
};

static int find(struct subject *s, const char __user *path, unsigned int lookup) {
    int err = path_lookup_user(AT_FDCWD, path, lookup, &s->path);
    if (err)
        return err;
    s->file = NULL;
    s->inode = s->path.dentry->inode;
    return 0;
}

static int find_fd(struct subject *s, int fd) {
    s->file = fd_get_io(fd);
    if (!s->file)
        return -EBADF;
    s->path = s->file->path;
    s->inode = s->file->inode;
    return 0;
}

static void put(struct subject *s) {
    if (s->file)
        file_put(s->file);
    else
        path_put(&s->path);
}

// These take what find() or find_fd() returned, and put the subject back.

static long get(int err, struct subject *s, const char __user *user_name) {
    char name[XATTR_NAME_MAX + 1];
    if (err)
        return err;
    err = read_name(name, user_name);
    if (!err)
        err = check_permission(s->inode, name, READ);
    put(s);
    return err ? err : -EOPNOTSUPP;
}

static long list(int err, struct subject *s) {
    if (!err)
        put(s);
    return err;
}

static long change(int err, struct subject *s, const char *name) {
    if (err)
        return err;
    if (s->path.dentry)
        err = mount_check_writable(s->path.mount);
    if (!err)
        err = check_permission(s->inode, name, WRITE);
    put(s);
    return err ? err : -EOPNOTSUPP;
}

// The arguments of a call that sets one, which are looked at before its file.
static int read_new(char name[XATTR_NAME_MAX + 1], const char __user *user_name, size_t n, int flags) {
    if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    int err = read_name(name, user_name);
    return !err && n > XATTR_SIZE_MAX ? -E2BIG : err;
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t n) {
    struct subject s;
    (void)value, (void)n;
    return get(find(&s, path, LOOKUP_FOLLOW), &s, name);
}

long sys_setxattr(const char __user *path, const char __user *user_name, const void __user *value, size_t n,
                  int flags) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_new(name, user_name, n, flags);
    (void)value;
    return err ? err : change(find(&s, path, LOOKUP_FOLLOW), &s, name);
}

long sys_listxattr(const char __user *path, char __user *names, size_t n) {
    struct subject s;
    (void)names, (void)n;
    return list(find(&s, path, LOOKUP_FOLLOW), &s);
}

long sys_removexattr(const char __user *path, const char __user *user_name) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_name(name, user_name);
    return err ? err : change(find(&s, path, LOOKUP_FOLLOW), &s, name);
}

long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value, size_t n) {
    struct subject s;
    (void)value, (void)n;
    return get(find(&s, path, 0), &s, name);
}

long sys_lsetxattr(const char __user *path, const char __user *user_name, const void __user *value, size_t n,
                   int flags) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_new(name, user_name, n, flags);
    (void)value;
    return err ? err : change(find(&s, path, 0), &s, name);
}

long sys_llistxattr(const char __user *path, char __user *names, size_t n) {
    struct subject s;
    (void)names, (void)n;
    return list(find(&s, path, 0), &s);
}

long sys_lremovexattr(const char __user *path, const char __user *user_name) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_name(name, user_name);
    return err ? err : change(find(&s, path, 0), &s, name);
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t n) {
    struct subject s;
    (void)value, (void)n;
    return get(find_fd(&s, fd), &s, name);
}

long sys_fsetxattr(int fd, const char __user *user_name, const void __user *value, size_t n, int flags) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_new(name, user_name, n, flags);
    (void)value;
    return err ? err : change(find_fd(&s, fd), &s, name);
}

long sys_flistxattr(int fd, char __user *names, size_t n) {
    struct subject s;
    (void)names, (void)n;
    return list(find_fd(&s, fd), &s);
}

long sys_fremovexattr(int fd, const char __user *user_name) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_name(name, user_name);
    return err ? err : change(find_fd(&s, fd), &s, name);
}
