// SPDX-License-Identifier: MIT
// What others have put into a directory that everybody may write to does not mislead, and nobody gives names to files that he could not write:
// fs.protected_* of proc_sys_fs(5).
#pragma once
#include "fs/inode.h"

extern unsigned long protected_symlinks, protected_hardlinks; // [a] 0 or 1
extern unsigned long protected_fifos, protected_regular;      // [a] 0 to 2

// May the thread follow the link, the last component of a name, in this directory? 0, -EACCES.
int __must_check protect_follow(const struct inode *dir, const struct inode *link);
// May it give the file another name? 0, -EPERM.
int __must_check protect_link(struct inode *inode);
// May it open with O_CREAT what is there already? 0, -EACCES.
int __must_check protect_open(const struct inode *dir, const struct inode *inode);
