// SPDX-License-Identifier: MIT
// Flags of files (chattr(1)), for ioctl(2).
#pragma once
#include "fs/file.h"

// FS_IOC_GETFLAGS, _SETFLAGS, _FSGETXATTR, _FSSETXATTR. -ENOTTY: the file's file system has none.
long file_flags_ioctl(struct file *f, unsigned int cmd, void __user *user);
