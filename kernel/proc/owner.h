// SPDX-License-Identifier: MIT
// Whom signals of files are for (fs/async.h): F_SETOWN, F_SETOWN_EX.
#pragma once
#include "fs/async.h"

// A thread, process or group, as the current thread names it; nr 0: nobody. 0, or -ESRCH: nobody has the number.
int __must_check owner_find(struct file_owner *owner, int type, int nr);
// Is it still there, as what it was named as?
bool owner_is_there(const struct file_owner *owner);
// Boot.
void owner_init(void);
