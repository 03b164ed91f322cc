// SPDX-License-Identifier: MIT
// seccomp(2), and what prctl(2) and ptrace(2) have of it: arguments. The filters are in proc/seccomp.c.
#include "proc/seccomp.h"
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/ptrace.h"
#include "sys/seccomp.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>

// Those for listeners (USER_NOTIF) are not built.
#define FLAGS_KNOWN                                                                                          \
    (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |                  \
     SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

static long add_filter(unsigned long flags, const void __user *user) {
    struct sock_fprog prog;
    struct sock_filter *code;
    if (flags & ~FLAGS_KNOWN)
        return -EINVAL;
    long err = copy_from_user(&prog, user, sizeof(prog));
    if (err)
        return err;
    if (!prog.len || prog.len > BPF_MAXINSNS)
        return -EINVAL;
    if (!current->no_new_privs && !capable_within(CAP_SYS_ADMIN))
        return -EACCES;
    if (!prog.filter)
        return -EINVAL;
    struct seccomp_filter *f = seccomp_filter_alloc(prog.len, &code);
    if (IS_ERR(f))
        return PTR_ERR(f);
    err = copy_from_user(code, (const void __user *)prog.filter, prog.len * sizeof(*code));
    if (!err)
        err = seccomp_check(f);
    if (err) {
        seccomp_filter_put(f);
        return err;
    }
    return seccomp_add(f, (unsigned int)flags);
}

static long has_action(const void __user *user) {
    uint32_t action;
    long err = get_user(action, (const uint32_t __user *)user);
    if (err)
        return err;
    switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

static long get_sizes(void __user *user) {
    struct seccomp_notif_sizes sizes = {sizeof(struct seccomp_notif), sizeof(struct seccomp_notif_resp),
                                        sizeof(struct seccomp_data)};
    return put_object((struct seccomp_notif_sizes __user *)user, sizes);
}

long sys_seccomp(unsigned int op, unsigned int flags, void __user *args) {
    switch (op) {
    case SECCOMP_SET_MODE_STRICT:
        return flags || args ? -EINVAL : seccomp_set_strict();
    case SECCOMP_SET_MODE_FILTER:
        return add_filter(flags, args);
    case SECCOMP_GET_ACTION_AVAIL:
        return flags ? -EINVAL : has_action(args);
    case SECCOMP_GET_NOTIF_SIZES:
        return flags ? -EINVAL : get_sizes(args);
    default:
        return -EINVAL;
    }
}

long seccomp_prctl(unsigned long mode, unsigned long args) {
    if (mode == SECCOMP_MODE_STRICT)
        return seccomp_set_strict();
    return mode == SECCOMP_MODE_FILTER ? add_filter(0, (const void __user *)args) : -EINVAL;
}

// ---- ptrace

// Who has filters himself, or may not see all of them, does not see those of others.
static long find_filter(struct tracee *x, unsigned long index, struct seccomp_filter **out) {
    unsigned long flags;
    if (!capable(CAP_SYS_ADMIN) || current->seccomp != SECCOMP_MODE_DISABLED)
        return -EACCES;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    bool filtered = x->thread->seccomp == SECCOMP_MODE_FILTER;
    *out = filtered ? seccomp_nth(x->thread, index) : NULL;
    ptrace_release(x, flags);
    return *out ? 0 : filtered ? -ENOENT : -EINVAL;
}

long seccomp_get_filter(struct tracee *x, unsigned long index, unsigned long data) {
    struct seccomp_filter *f;
    unsigned int n;
    long err = find_filter(x, index, &f);
    if (err)
        return err;
    const struct sock_filter *code = seccomp_code(f, &n);
    if (data)
        err = copy_to_user((void __user *)data, code, n * sizeof(*code));
    seccomp_filter_put(f);
    return err ? err : (long)n;
}

long seccomp_get_metadata(struct tracee *x, unsigned long size, unsigned long data) {
    struct seccomp_metadata meta = {0};
    struct seccomp_filter *f;
    if (!capable(CAP_SYS_ADMIN) || current->seccomp != SECCOMP_MODE_DISABLED)
        return -EACCES;
    size = MIN(size, sizeof(meta));
    if (size < sizeof(meta.filter_off))
        return -EINVAL;
    long err = get_user(meta.filter_off, (const uint64_t __user *)data);
    if (!err)
        err = find_filter(x, meta.filter_off, &f);
    if (err)
        return err;
    meta.flags = seccomp_is_logged(f) ? SECCOMP_FILTER_FLAG_LOG : 0;
    seccomp_filter_put(f);
    err = put_object_part((void __user *)data, meta, size);
    return err ? err : (long)size;
}
