// SPDX-License-Identifier: MIT
// What chattr(1) says of a file: ioctl_iflags(2), and the same in the words that other file systems' tools have (struct fsxattr), of which
// only what both have is known here.
#include "sys/file_flags.h"
#include "arch/riscv/uaccess.h"
#include "fs/mount.h"
#include "fs/vfs.h"
#include "sched/thread.h"
#include <linux/fs.h>

static const struct {
    unsigned int flag, xflag;
} words[] = {
    {FS_SYNC_FL, FS_XFLAG_SYNC},
    {FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
    {FS_APPEND_FL, FS_XFLAG_APPEND},
    {FS_NODUMP_FL, FS_XFLAG_NODUMP},
    {FS_NOATIME_FL, FS_XFLAG_NOATIME},
    {FS_DAX_FL, FS_XFLAG_DAX},
    {FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT},
};

static unsigned int xflags_of(unsigned int flags) {
    unsigned int xflags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        xflags |= flags & words[i].flag ? words[i].xflag : 0;
    return xflags;
}

// *rest: those that both have not.
static unsigned int flags_of(unsigned int xflags, unsigned int *rest) {
    unsigned int flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        flags |= xflags & words[i].xflag ? words[i].flag : 0;
        xflags &= ~words[i].xflag;
    }
    *rest = xflags;
    return flags;
}

// What else struct fsxattr asks for, which no file system here has: 0, -EINVAL where it could not be, or -EOPNOTSUPP.
static int check_rest(const struct inode *inode, const struct fsxattr *x, unsigned int rest) {
    if ((rest & FS_XFLAG_EXTSIZE && !S_ISREG(inode->mode)) ||
        (rest & FS_XFLAG_EXTSZINHERIT && !S_ISDIR(inode->mode)))
        return -EINVAL;
    if (x->fsx_projid && current->cred->user_ns != &first_user_ns)
        return -EINVAL;
    if (!x->fsx_extsize)
        rest &= ~(unsigned int)(FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT);
    if (!x->fsx_cowextsize)
        rest &= ~(unsigned int)FS_XFLAG_COWEXTSIZE;
    return rest || x->fsx_extsize || x->fsx_projid || x->fsx_cowextsize ? -EOPNOTSUPP : 0;
}

static long set_flags(struct file *f, const void __user *user) {
    unsigned int flags;
    int err = copy_from_user(&flags, user, sizeof(flags));
    if (!err && f->path.mount)
        err = mount_check_writable(f->path.mount);
    return err ? err : vfs_set_flags(f->inode, flags, 0, 0);
}

static long set_xattr(struct file *f, const void __user *user) {
    struct fsxattr x;
    unsigned int rest;
    int err = copy_from_user(&x, user, sizeof(x));
    if (!err && f->path.mount)
        err = mount_check_writable(f->path.mount);
    if (err)
        return err;
    unsigned int flags = flags_of(x.fsx_xflags, &rest);
    return vfs_set_flags(f->inode, flags, ~flags_of(~0u, &(unsigned int){0}), check_rest(f->inode, &x, rest));
}

long file_flags_ioctl(struct file *f, unsigned int cmd, void __user *user) {
    if (!f->inode || !vfs_has_flags(f->inode))
        return -ENOTTY;
    unsigned int flags = READ_ONCE(f->inode->flags);
    switch (cmd) {
    case FS_IOC_GETFLAGS:
        return put_user(flags, (unsigned int __user *)user);
    case FS_IOC_SETFLAGS:
        return set_flags(f, user);
    case FS_IOC_FSGETXATTR:
        return put_object(user, ((struct fsxattr){.fsx_xflags = xflags_of(flags)}));
    default:
        return set_xattr(f, user);
    }
}
