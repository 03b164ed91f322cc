// SPDX-License-Identifier: MIT
// Leases (fcntl(2), F_SETLEASE): who has one on a file is told by a signal when somebody else opens or truncates it, and has a while to
// get ready, for which that one waits.
#pragma once
#include "fs/file_lock.h"
#include "fs/file_lock_list.h"

extern unsigned long lease_break_time; // [a] fs.lease-break-time: seconds; 0: for ever
extern unsigned long leases_enabled;   // [a] fs.leases-enable: 0: no new ones

// F_SETLEASE of descriptor fd: F_RDLCK: nobody has the file open for writing; F_WRLCK: nobody else has it open; F_UNLCK. 0, -EAGAIN,
// -EACCES, -EINVAL, -ENOMEM.
int __must_check lease_set(struct file *f, int fd, int type);
// F_GETLEASE: its type, or what it is to become.
int lease_get(struct file *f);
// f is going.
void lease_forget(struct file *f);

int __must_check lease_break_slow(struct inode *inode, int flags);
// The file is about to be opened with these flags (O_WRONLY: truncated), and is counted as such. Waits until no lease stands against
// that. 0, -ERESTARTSYS, or with O_NONBLOCK -EWOULDBLOCK.
static inline int __must_check lease_break(struct inode *inode, int flags) {
    const struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE);
    if (likely(!list) || READ_ONCE(list->leases.next) == &list->leases)
        return 0;
    return lease_break_slow(inode, flags);
}

// For file_lock_tell.c: calls fn for f's (NULL: for all).
int __must_check lease_tell_locked(const struct file_lock_list *list, const void *f,
                                   int (*fn)(const struct file_lock_info *l, void *arg), void *arg);
