// SPDX-License-Identifier: MIT
// Access control lists (acl(5)) of inodes whose file system keeps extended attributes (xattr.h): the attributes system.posix_acl_access,
// by which it is told who may, and system.posix_acl_default of a directory, which what is made in it gets.
//
// The mode's bits are a part of the first: the owner's and the others' entries, and in place of the group's the mask, so that chmod(2)
// changes those. What does not fit into a mode is kept apart, unchanged for its lifetime; a file that gets its directory's default list
// shares it. They count as other attributes do.
#pragma once
#include "fs/xattr.h"

// In inode_new_mode()'s: there may be a list in place of the umask, which is taken off where there is none after all.
#define MODE_LESS_UMASK (1u << 20)

// The kind of list that the attribute is; -1: it is none.
int acl_kind_of(const char *name);
// The attribute's size, and its value if n is not 0, with the ids of the caller's user namespace. -ENODATA, -ERANGE, -EOPNOTSUPP.
ssize_t __must_check acl_get(struct inode *inode, enum acl_kind kind, void *value, size_t n);
// Sets the attribute, as who may (inode_is_owner()), by the ids of the caller's user namespace; of size 0 it goes. Its errors.
int __must_check acl_set(struct inode *inode, enum acl_kind kind, const void *value, size_t size);
// As inode_permission(), by mode and list alone, of an inode that has inode->xattrs. 0 or -EACCES.
int __must_check acl_permission(struct inode *inode, int mask);
// A directory whose default list takes the umask's place.
bool acl_replaces_umask(const struct inode *dir);
// The inode, which nobody has yet and is no symlink, is made in `dir` with this mode: its lists, and what of the mode they leave. 0,
// -ENOMEM, -ENOSPC.
int __must_check acl_inherit(struct inode *inode, struct inode *dir, mode_t mode);
void acl_free(struct inode *inode); // of one that has inode->xattrs, and that nobody has any more
