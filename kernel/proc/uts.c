// SPDX-License-Identifier: MIT
// The machine's names.
#include "proc/uts.h"
#include "core/cred.h"
#include "core/errno.h"
#include "lib/string.h"
#include "sched/wait.h"
#include <linux/capability.h>

static struct mutex names_lock = MUTEX_INIT(names_lock);
static char host_name[UTS_NAME_SIZE] = "drupe";    // [names_lock]
static char domain_name[UTS_NAME_SIZE] = "(none)"; // [names_lock]

void uts_get_name(bool domain, char *buf) {
    mutex_lock(&names_lock);
    memcpy(buf, domain ? domain_name : host_name, UTS_NAME_SIZE);
    mutex_unlock(&names_lock);
}

int uts_set_name(bool domain, const char *name, size_t n) {
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (n >= UTS_NAME_SIZE)
        return -EINVAL;
    char *target = domain ? domain_name : host_name;
    mutex_lock(&names_lock);
    memset(target, 0, UTS_NAME_SIZE);
    memcpy(target, name, n);
    mutex_unlock(&names_lock);
    return 0;
}
