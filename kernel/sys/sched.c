// SPDX-License-Identifier: MIT
// Scheduling parameters: sched(7). The scheduler is in sched/.
#include "sys/syscalls.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "proc/process.h"
#include "sched/thread.h"
#include "sys/timespec.h"
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#define RT_PRIORITY_MAX 99

// The kernel's struct sched_param.
struct sched_priority {
    int32_t value;
};

// The thread of a tid (0: the current) with a reference. NULL if there is none.
static struct thread *get_thread(pid_t tid) {
    if (tid == 0) {
        thread_get(current);
        return current;
    }
    return tid > 0 ? thread_find(tid) : NULL;
}

static bool may_change(struct thread *t) {
    const struct cred *mine = current->cred;
    if (t == current || cred_capable(mine, CAP_SYS_NICE))
        return true;
    struct cred *its = thread_get_cred(t);
    bool may = its && (mine->euid == its->euid || mine->euid == its->uid);
    cred_put(its);
    return may;
}

long sys_sched_yield(void) {
    thread_yield();
    return 0;
}

// The kernel's mask has 64 bits; a program's may be longer, in units of 8 bytes.
long sys_sched_getaffinity(pid_t tid, unsigned int size, void __user *mask) {
    if (size < sizeof(uint64_t) || size % sizeof(uint64_t))
        return -EINVAL;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    uint64_t bits = READ_ONCE(t->affinity) & sched_online_mask();
    thread_put(t);
    int err = put_user(bits, (uint64_t __user *)mask);
    return err ? err : (long)sizeof(bits);
}

long sys_sched_setaffinity(pid_t tid, unsigned int size, const void __user *mask) {
    uint64_t bits = 0;
    int err = copy_from_user(&bits, mask, MIN(size, sizeof(bits)));
    if (err)
        return err;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    err = may_change(t) ? sched_set_affinity(t, bits) : -EPERM;
    thread_put(t);
    return err;
}

long sys_sched_getscheduler(pid_t tid) {
    if (tid < 0)
        return -EINVAL;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    int policy = t->policy | (t->reset_on_fork ? SCHED_RESET_ON_FORK : 0);
    thread_put(t);
    return policy;
}

// Without CAP_SYS_NICE a thread may lower its real-time priority or leave the real-time policies, and with RLIMIT_RTPRIO have
// another of these and raise the priority up to that; leaves SCHED_IDLE, which is as a nice value of its own, as RLIMIT_NICE has
// it; and cannot have its children have what was not to be theirs.
static bool may_set_policy(struct thread *t, int policy, int priority, bool reset) {
    bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
    uint64_t limit = current_rlimit(RLIMIT_RTPRIO);
    bool more = (real_time && policy != t->policy && !limit) ||
                (real_time && priority > t->base_priority && (uint64_t)priority > limit) ||
                (t->policy == SCHED_IDLE && policy != SCHED_IDLE &&
                 (uint64_t)(20 - t->nice) > current_rlimit(RLIMIT_NICE)) ||
                (t->reset_on_fork && !reset);
    return may_change(t) && (!more || capable(CAP_SYS_NICE));
}

// policy -1: keep it.
static long set_scheduler(pid_t tid, int policy, const void __user *param) {
    struct sched_priority priority;
    if (tid < 0 || !param)
        return -EINVAL;
    int err = copy_from_user(&priority, param, sizeof(priority));
    if (err)
        return err;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    bool reset = policy < 0 ? t->reset_on_fork : policy & SCHED_RESET_ON_FORK;
    policy = policy < 0 ? t->policy : policy & ~SCHED_RESET_ON_FORK;
    err = may_set_policy(t, policy, priority.value, reset) ? sched_set_policy(t, policy, priority.value)
                                                           : -EPERM;
    if (!err)
        t->reset_on_fork = reset;
    thread_put(t);
    return err;
}

long sys_sched_setscheduler(pid_t tid, int policy, const void __user *param) {
    return policy < 0 ? -EINVAL : set_scheduler(tid, policy, param);
}

long sys_sched_setparam(pid_t tid, const void __user *param) {
    return set_scheduler(tid, -1, param);
}

long sys_sched_getparam(pid_t tid, void __user *param) {
    if (tid < 0 || !param)
        return -EINVAL;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    struct sched_priority priority = {t->base_priority};
    thread_put(t);
    return put_object(param, priority);
}

// Who asks for more than we know is told how much that is (sched_setattr(2)).
static int read_attr(void __user *user, struct sched_attr *attr) {
    uint32_t size;
    int err = get_user(size, (const uint32_t __user *)user);
    if (err)
        return err;
    if (!size)
        size = SCHED_ATTR_SIZE_VER0;
    err = copy_struct_from_user(attr, sizeof(*attr), SCHED_ATTR_SIZE_VER0, user, size);
    if (err != -EINVAL && err != -E2BIG)
        return err;
    err = put_user((uint32_t)sizeof(*attr), (uint32_t __user *)user);
    return err ? err : -E2BIG;
}

static int apply_attr(struct thread *t, const struct sched_attr *attr) {
    bool keep = attr->sched_flags & SCHED_FLAG_KEEP_PARAMS;
    int policy = attr->sched_flags & SCHED_FLAG_KEEP_POLICY ? t->policy : (int)attr->sched_policy;
    int priority = keep ? t->base_priority : (int)attr->sched_priority;
    int nice = MAX(-20, MIN(attr->sched_nice, 19));
    bool fair = policy == SCHED_NORMAL || policy == SCHED_BATCH;
    if (!may_set_policy(t, policy, priority, attr->sched_flags & SCHED_FLAG_RESET_ON_FORK))
        return -EPERM;
    if (fair && !keep && nice < t->nice && !capable(CAP_SYS_NICE) &&
        (uint64_t)(20 - nice) > current_rlimit(RLIMIT_NICE))
        return -EPERM;
    if (attr->sched_flags & SCHED_FLAG_UTIL_CLAMP)
        return -EOPNOTSUPP; // harts have one speed
    int err = sched_set_policy(t, policy, priority);
    if (err)
        return err;
    if (fair && !keep) {
        sched_set_nice(t, nice);
        sched_set_slice(t, attr->sched_runtime);
    }
    t->reset_on_fork = attr->sched_flags & SCHED_FLAG_RESET_ON_FORK;
    return 0;
}

long sys_sched_setattr(pid_t tid, void __user *user, unsigned int flags) {
    struct sched_attr attr;
    const uint64_t known = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_ALL | SCHED_FLAG_UTIL_CLAMP;
    if (!user || tid < 0 || flags)
        return -EINVAL;
    int err = read_attr(user, &attr);
    if (err)
        return err;
    if (attr.sched_flags & ~known || (int)attr.sched_policy < 0 || attr.sched_priority > RT_PRIORITY_MAX)
        return -EINVAL;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    err = apply_attr(t, &attr);
    thread_put(t);
    return err;
}

long sys_sched_getattr(pid_t tid, void __user *user, unsigned int size, unsigned int flags) {
    if (!user || tid < 0 || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE || flags)
        return -EINVAL;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    struct sched_attr attr = {
        .size = MIN(size, (unsigned int)sizeof(attr)),
        .sched_policy = t->policy,
        .sched_flags = t->reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
        .sched_priority = t->base_priority,
    };
    if (!t->base_priority) { // the share of the time that it gets counts
        attr.sched_nice = t->nice;
        attr.sched_runtime = (uint64_t)sched_get_slice(t);
    }
    thread_put(t);
    return put_object_part(user, attr, attr.size);
}

static long priority_bound(int policy, int real_time) {
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return real_time;
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_sched_get_priority_max(int policy) {
    return priority_bound(policy, RT_PRIORITY_MAX);
}

long sys_sched_get_priority_min(int policy) {
    return priority_bound(policy, 1);
}

long sys_sched_rr_get_interval(pid_t tid, void __user *interval) {
    if (tid < 0)
        return -EINVAL;
    struct thread *t = get_thread(tid);
    if (!t)
        return -ESRCH;
    ktime_t slice = sched_rr_interval(t);
    thread_put(t);
    return timespec_write(interval, slice);
}

long sys_getcpu(unsigned int __user *cpu, unsigned int __user *node) {
    int err = cpu ? put_user(this_hart_id(), cpu) : 0;
    return !err && node ? put_user(0u, node) : err;
}
