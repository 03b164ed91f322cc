// SPDX-License-Identifier: MIT
// The machine's name, and that of its NIS domain, in the caller's UTS namespace: uname(2), sethostname(2), /proc/sys/kernel/{hostname,domainname}.
#pragma once
#include "core/types.h"
#include <linux/utsname.h>

#define UTS_NAME_SIZE (__NEW_UTS_LEN + 1)

// `buf`: of UTS_NAME_SIZE bytes, filled up with NULs.
void uts_get_name(bool domain, char *buf);
// The n bytes become the name. -EPERM: for CAP_SYS_ADMIN only; -EINVAL: too long.
int __must_check uts_set_name(bool domain, const char *name, size_t n);
void uts_init(void);
