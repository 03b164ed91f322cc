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
// What /proc tells of a lock.
struct file_lock_info {
    const char *kind;  // "POSIX ", "FLOCK ", "OFDLCK", "LEASE "
    const char *state; // "ADVISORY"; of a lease "ACTIVE", "BREAKING"
    short type;        // F_RDLCK, F_WRLCK; what a lease is to become, also F_UNLCK
    pid_t pid;         // who set it; -1: an open file's
    dev_t dev;
    ino_t ino;
    off_t first, last;  // last -1: to the end
    uint64_t serial;    // who came later has a larger one
    unsigned int level; // 0: it is set; else it waits for `behind`, or for one of the level before which does
    uint64_t behind;    // the serial of one that is set
};
// Calls fn for each lock that there is from beginning to end, and maybe for others; and for those that are waited for, with the locks of
// that file held: fn takes none itself. 0, or -EINTR: killed; or what fn returns.
int __must_check file_locks_for_each(int (*fn)(const struct file_lock_info *l, void *arg), void *arg);
// For each that an open file, or a process with this table of files, has on f's inode.
int __must_check file_locks_for_each_of(struct file *f, const void *files,
                                        int (*fn)(const struct file_lock_info *l, void *arg), void *arg);
// The inode goes, without locks on it.
void file_locks_free(struct inode *inode);
