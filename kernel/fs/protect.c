// SPDX-License-Identifier: MIT
#include "fs/protect.h"
#include "core/cred.h"
#include "core/errno.h"
#include "fs/path.h"
#include "sched/thread.h"
#include <linux/stat.h>

// As Debian's kernels have them.
unsigned long protected_symlinks = 1, protected_hardlinks = 1, protected_fifos, protected_regular;

#define STICKY_FOR_ALL   (S_ISVTX | S_IWOTH)
#define STICKY_FOR_GROUP (S_ISVTX | S_IWGRP)

static bool has_all(const struct inode *inode, mode_t bits) {
    return (READ_ONCE(inode->mode) & bits) == bits;
}

// The thread's own, or the directory's owner's, who can do there what he likes anyway.
static bool is_trusted(const struct inode *dir, const struct inode *inode) {
    uid_t owner = READ_ONCE(inode->uid);
    return owner == current->cred->fsuid || owner == READ_ONCE(dir->uid);
}

int protect_follow(const struct inode *dir, const struct inode *link) {
    bool exposed = READ_ONCE(protected_symlinks) && has_all(dir, STICKY_FOR_ALL);
    return unlikely(exposed) && !is_trusted(dir, link) ? -EACCES : 0;
}

// One that whoever gives it a name could change as well, and that gives nobody rights.
static bool is_harmless(struct inode *inode) {
    return S_ISREG(inode->mode) && !has_all(inode, S_ISUID) && !has_all(inode, S_ISGID | S_IXGRP) &&
           !inode_permission(inode, 4 | 2);
}

int protect_link(struct inode *inode) {
    bool may = !READ_ONCE(protected_hardlinks) || inode_is_owner(inode) || is_harmless(inode);
    return may ? 0 : -EPERM;
}

int protect_open(const struct inode *dir, const struct inode *inode) {
    unsigned long level = S_ISFIFO(inode->mode)  ? READ_ONCE(protected_fifos)
                          : S_ISREG(inode->mode) ? READ_ONCE(protected_regular)
                                                 : 0;
    bool exposed = level && (has_all(dir, STICKY_FOR_ALL) || (level > 1 && has_all(dir, STICKY_FOR_GROUP)));
    return unlikely(exposed) && !is_trusted(dir, inode) ? -EACCES : 0;
}
