// SPDX-License-Identifier: MIT
// Extended attributes (xattr(7)): what is checked before a file system is asked, in Linux's order, so that a program's mistakes are told as
// there. tmpfs keeps attributes of users, trusted ones, those of security, and access control lists. A socket has one that
// tells its protocol's name. On other file systems a list of them is empty, and all else is EOPNOTSUPP.
#include "arch/riscv/uaccess.h"
#include "fs/acl.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "fs/mount.h"
#include "fs/superblock.h"
#include "fs/vfs.h"
#include "fs/xattr.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#define READ  4
#define WRITE 2

static const char socket_attribute[] = XATTR_SYSTEM_PREFIX "sockprotoname";

static bool has_prefix(const char *name, const char *prefix) {
    return !strncmp(name, prefix, strlen(prefix));
}

// May an attribute be read or written? 0 or -errno.
static int check_permission(struct inode *inode, const char *name, int mask) {
    int refused = mask == WRITE ? -EPERM : -ENODATA;
    if (mask == WRITE && inode_is_fixed(inode))
        return -EPERM;
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

// A value of the caller's, copied in or to be copied out; or names.
struct buffer {
    void *data; // kmalloc'ed; NULL: nothing is wanted but the size
    size_t n;
};

static int buffer_make(struct buffer *b, size_t n) {
    b->n = MIN(n, (size_t)XATTR_SIZE_MAX);
    b->data = b->n ? kmalloc(b->n) : NULL;
    return b->n && !b->data ? -ENOMEM : 0;
}

// What a result of that size leaves in `user`.
static long buffer_give(struct buffer *b, void __user *user, long ret) {
    if (ret > 0 && b->n && copy_to_user(user, b->data, (size_t)ret))
        ret = -EFAULT;
    kfree(b->data);
    return ret;
}

// What Linux asks of who changes security.*.
static int check_security(const char *name) {
    if (!has_prefix(name, XATTR_SECURITY_PREFIX))
        return 0;
    return capable(strcmp(name, XATTR_NAME_CAPS) ? CAP_SYS_ADMIN : CAP_SETFCAP) ? 0 : -EPERM;
}

static bool is_socket(const struct inode *inode) {
    return inode->ops && inode->ops->protocol;
}

// `text` with its NUL, as a result.
static long buffer_put_text(struct buffer *b, const char *text) {
    size_t n = strlen(text) + 1;
    if (b->n && n > b->n)
        return -ERANGE;
    if (b->n)
        memcpy(b->data, text, n);
    return (long)n;
}

// These take what find() or find_fd() returned, and put the subject back.

static long get(int err, struct subject *s, const char __user *user_name, void __user *value, size_t n) {
    char name[XATTR_NAME_MAX + 1];
    struct buffer b = {NULL, 0};
    if (err)
        return err;
    long ret = read_name(name, user_name);
    int kind = ret ? -1 : acl_kind_of(name);
    if (!ret)
        ret = check_permission(s->inode, name, READ);
    bool is_protocol = !ret && is_socket(s->inode) && !strcmp(name, socket_attribute);
    if (!ret && !is_protocol && kind < 0)
        ret = xattr_check_name(s->inode, name);
    if (!ret)
        ret = buffer_make(&b, n);
    if (!ret)
        ret = is_protocol ? buffer_put_text(&b, s->inode->ops->protocol(s->inode))
              : kind >= 0 ? acl_get(s->inode, (enum acl_kind)kind, b.data, b.n)
                          : xattr_get(s->inode, name, b.data, b.n);
    put(s);
    return buffer_give(&b, value, ret);
}

static long list(int err, struct subject *s, char __user *names, size_t n) {
    struct buffer b = {NULL, 0};
    if (err)
        return err;
    bool has_protocol = is_socket(s->inode), has_any = has_protocol || s->inode->sb->type->xattrs;
    long ret = has_any ? buffer_make(&b, n) : 0;
    if (!ret && has_any)
        ret = has_protocol ? buffer_put_text(&b, socket_attribute)
                           : xattr_list(s->inode, b.data, b.n, capable(CAP_SYS_ADMIN));
    put(s);
    if (ret == -ERANGE && n >= XATTR_LIST_MAX)
        ret = -E2BIG;
    return buffer_give(&b, names, ret);
}

static int change_other(struct inode *inode, const char *name, const struct buffer *b, bool takes,
                        int flags) {
    int err = check_permission(inode, name, WRITE);
    if (!err && !takes && !strcmp(name, XATTR_NAME_CAPS) && !file_caps_are_valid(b->data, b->n))
        err = -EINVAL;
    if (!err)
        err = check_security(name);
    if (!err)
        err = xattr_check_name(inode, name);
    if (!err)
        err = xattr_set(inode, name, takes ? NULL : b->data ? b->data : "", takes ? 0 : b->n, flags);
    return err;
}

// The attribute gets the buffer's value; `takes`: it goes.
static long change(int err, struct subject *s, const char *name, const struct buffer *b, bool takes,
                   int flags) {
    int kind = acl_kind_of(name);
    if (err)
        return err;
    if (s->path.dentry)
        err = mount_check_writable(s->path.mount);
    if (!err && kind >= 0) // whether it is there already does not matter
        err = acl_set(s->inode, (enum acl_kind)kind, takes ? NULL : b->data, takes ? 0 : b->n);
    else if (!err)
        err = change_other(s->inode, name, b, takes, flags);
    if (!err && s->path.dentry)
        notify_dentry(s->path.dentry, IN_ATTRIB);
    put(s);
    return err;
}

// What a call that sets one is given, which is looked at before its file.
struct new_value {
    char name[XATTR_NAME_MAX + 1];
    struct buffer value;
};

static int read_new(struct new_value *v, const char __user *user_name, const void __user *value, size_t n,
                    int flags) {
    v->value.data = NULL;
    if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    int err = read_name(v->name, user_name);
    if (!err && n > XATTR_SIZE_MAX)
        err = -E2BIG;
    if (!err)
        err = buffer_make(&v->value, n);
    return !err && n && copy_from_user(v->value.data, value, n) ? -EFAULT : err;
}

static long set_by_name(const char __user *path, unsigned int lookup, const char __user *name,
                        const void __user *value, size_t n, int flags) {
    struct new_value v;
    struct subject s;
    long err = read_new(&v, name, value, n, flags);
    if (!err)
        err = change(find(&s, path, lookup), &s, v.name, &v.value, false, flags);
    kfree(v.value.data);
    return err;
}

static long remove_by_name(const char __user *path, unsigned int lookup, const char __user *user_name) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_name(name, user_name);
    return err ? err : change(find(&s, path, lookup), &s, name, NULL, true, 0);
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t n) {
    struct subject s;
    return get(find(&s, path, LOOKUP_FOLLOW), &s, name, value, n);
}

long sys_setxattr(const char __user *path, const char __user *name, const void __user *value, size_t n,
                  int flags) {
    return set_by_name(path, LOOKUP_FOLLOW, name, value, n, flags);
}

long sys_listxattr(const char __user *path, char __user *names, size_t n) {
    struct subject s;
    return list(find(&s, path, LOOKUP_FOLLOW), &s, names, n);
}

long sys_removexattr(const char __user *path, const char __user *name) {
    return remove_by_name(path, LOOKUP_FOLLOW, name);
}

long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value, size_t n) {
    struct subject s;
    return get(find(&s, path, 0), &s, name, value, n);
}

long sys_lsetxattr(const char __user *path, const char __user *name, const void __user *value, size_t n,
                   int flags) {
    return set_by_name(path, 0, name, value, n, flags);
}

long sys_llistxattr(const char __user *path, char __user *names, size_t n) {
    struct subject s;
    return list(find(&s, path, 0), &s, names, n);
}

long sys_lremovexattr(const char __user *path, const char __user *name) {
    return remove_by_name(path, 0, name);
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t n) {
    struct subject s;
    return get(find_fd(&s, fd), &s, name, value, n);
}

long sys_fsetxattr(int fd, const char __user *name, const void __user *value, size_t n, int flags) {
    struct new_value v;
    struct subject s;
    long err = read_new(&v, name, value, n, flags);
    if (!err)
        err = change(find_fd(&s, fd), &s, v.name, &v.value, false, flags);
    kfree(v.value.data);
    return err;
}

long sys_flistxattr(int fd, char __user *names, size_t n) {
    struct subject s;
    return list(find_fd(&s, fd), &s, names, n);
}

long sys_fremovexattr(int fd, const char __user *user_name) {
    char name[XATTR_NAME_MAX + 1];
    struct subject s;
    int err = read_name(name, user_name);
    return err ? err : change(find_fd(&s, fd), &s, name, NULL, true, 0);
}
