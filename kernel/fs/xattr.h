// SPDX-License-Identifier: MIT
// Extended attributes (xattr(7)) of inodes whose file system keeps them in memory (fs_type.xattrs). Who may is the caller's matter.
// They count as inodes of their file system, by the size. Access control lists are told of as attributes, too (acl.h).
#pragma once
#include "core/errno.h"
#include "fs/inode.h"

enum acl_kind { ACL_OF_ACCESS, ACL_OF_NEW, ACL_KINDS };

// inode->xattrs: made with the first attribute, and there as long as the inode.
struct xattrs {
    struct xattr *list;          // [inode->lock]
    struct acl *acls[ACL_KINDS]; // [inode->lock and spin], each a reference
};

// Room for attributes, of which the inode has had none. inode->lock held, or nobody has the inode yet. 0 or -ENOMEM.
int __must_check xattrs_make(struct inode *inode);
// An attribute of so many bytes. 0 or -ENOSPC.
int __must_check xattr_charge(struct superblock *sb, size_t bytes);
void xattr_uncharge(struct superblock *sb, size_t bytes);

// Whether there is such an attribute on its file system. 0; -EOPNOTSUPP; -EINVAL: `name` is a prefix alone.
int __must_check xattr_check_name(const struct inode *inode, const char *name);
// Its size, and the value if `n` is not 0; -ENODATA, -ERANGE; -EINTR.
ssize_t __must_check xattr_get(struct inode *inode, const char *name, void *value, size_t n);
// `value` NULL: takes it away. `flags`: XATTR_CREATE, XATTR_REPLACE. 0; -EEXIST, -ENODATA, -ENOSPC, -ENOMEM, -EINTR.
int __must_check xattr_set(struct inode *inode, const char *name, const void *value, size_t size, int flags);
// The names, each with its NUL, in order, if `n` is not 0. Their length; -ERANGE, -EINTR. `all`: trusted ones, too.
ssize_t __must_check xattr_list(struct inode *inode, char *names, size_t n, bool all);
void xattr_free(struct inode *inode); // of an inode that nobody has any more

// Capabilities of a program's file: security.capability, which goes when the content or the owner changes (inode->lock held).
struct file_caps {
    uint64_t permitted, inheritable;
    bool effective;
};
#define FILE_CAPS_MAX 24 // bytes
bool file_caps_are_valid(const void *value, size_t size);
bool file_caps_get(struct inode *inode, struct file_caps *out); // false: it has none that count
void xattr_drop_caps_locked(struct inode *inode);
