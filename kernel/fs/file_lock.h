// SPDX-License-Identifier: MIT
// Locks that programs take on files: flock(2) and fcntl(2)'s (POSIX, by process; "open file description", by
// file).
#pragma once
#include "fs/file.h"
#include <linux/fcntl.h>

// flock(2). 0, -EWOULDBLOCK, -ERESTARTSYS, -EINVAL, -ENOLCK.
int __must_check file_flock(struct file *f, unsigned int op);
// fcntl(2): F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms; `lock` in and out, its l_whence SEEK_SET
// afterwards.
int __must_check file_fcntl_lock(struct file *f, unsigned int cmd, struct flock *lock);
// A close(2) of f by a process with this table of files: its POSIX locks on the file go.
void file_locks_close(struct file *f, const void *files);
// The last reference to f goes: its own locks go.
void file_locks_release(struct file *f);
// The inode goes, without locks on it.
void file_locks_free(struct inode *inode);
