// SPDX-License-Identifier: MIT
// Changes of the tree of names, by directory and name; who may do so has been checked (sys/path.c), or does
// not matter (initrd, devtmpfs). Names are one component, `len` bytes. All take the directory's lock; none
// sleeps otherwise.
#pragma once
#include "fs/dentry.h"
#include "fs/inode.h"
#include "fs/path.h"
#include "fs/superblock.h"

// Makes a regular file, device, FIFO or socket (by mode), directory, symlink, one more name. 0 with *out
// (unless NULL) the new dentry, referenced; with -EEXIST it is the one that is there; -EEXIST, -ENOENT (the
// directory has been removed), -EPERM (not possible there), -ENOSPC, -ENOMEM, -EROFS.
int __must_check vfs_create(struct dentry *dir, const char *name, size_t len, mode_t mode, dev_t rdev,
                            struct dentry **out);
// The same of whatever fn makes in it: 0 with d->inode set, or its error.
int __must_check vfs_make(struct dentry *dir, const char *name, size_t len,
                          int (*fn)(struct inode *dir, struct dentry *d, const void *arg), const void *arg,
                          struct dentry **out);
int __must_check vfs_mkdir(struct dentry *dir, const char *name, size_t len, mode_t mode,
                           struct dentry **out);
int __must_check vfs_symlink(struct dentry *dir, const char *name, size_t len, const char *target,
                             struct dentry **out);
int __must_check vfs_link(struct dentry *dir, const char *name, size_t len, struct inode *target);
// Removes a name: of a directory if `is_dir` (-ENOTDIR, -ENOTEMPTY), else of anything else (-EISDIR). -EBUSY:
// mounted on. `may`, if not NULL, is asked about the victim under the lock and its error returned.
int __must_check vfs_unlink(struct dentry *dir, const char *name, size_t len, bool is_dir,
                            int (*may)(struct inode *dir, struct inode *victim));
// True if nobody can make names in this directory, for the file system knows them all (/proc): then a name that is not
// there is -ENOENT to whoever wants to make it.
static inline bool vfs_has_fixed_names(const struct inode *dir) {
    return dir->ops->lookup && dir->sb->type->fixed_names;
}
// rename(2) within one mount; flags: RENAME_*. Its errors.
int __must_check vfs_rename(struct dentry *old_dir, const char *old_name, size_t old_len,
                            struct dentry *new_dir, const char *new_name, size_t new_len, unsigned int flags,
                            int (*may)(struct inode *dir, struct inode *victim));
// The child of that name, found or looked up, referenced. ERR_PTR(-ENOENT). The directory's lock is not
// needed.
struct dentry *__must_check vfs_lookup(struct dentry *dir, const char *name, size_t len);
// The size of a regular file; the caller has checked that it may be written. 0 or -EINVAL, -EFBIG, ...
int __must_check vfs_truncate(struct inode *inode, off_t size);
// chmod, chown, utimes by the current credentials: checks them, drops set-id bits where a change of owner
// must. attr->valid says what; `now`: the times are "now", for which write permission suffices.
int __must_check vfs_setattr(struct inode *inode, struct iattr *attr, bool now);
// Files and directories of some file systems have flags (chattr(1)).
bool vfs_has_flags(const struct inode *inode);
// The flags become `flags`, but for those in `kept`. `refused`: what else the caller cannot have, which is told behind what he
// may not. -ENOTTY: there are none; -EPERM; -EOPNOTSUPP: others than INODE_FLAGS.
int __must_check vfs_set_flags(struct inode *inode, unsigned int flags, unsigned int kept, int refused);
