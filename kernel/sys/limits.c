// SPDX-License-Identifier: MIT
// Limits, usage, priorities: getrlimit(2), getrusage(2), getpriority(2).
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "core/user_ns.h"
#include "proc/process.h"
#include "proc/usage.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/resource.h>

// ---- limits

// May the current thread look at and change p's limits? process_lock held.
static bool may_limit(const struct process *p) {
    ASSERT_HELD(&process_lock);
    const struct cred *mine = current->cred, *its = p->cred;
    return p == current->process || cred_capable_in(mine, its->user_ns, CAP_SYS_RESOURCE) ||
           (mine->uid == its->uid && mine->uid == its->euid && mine->uid == its->suid &&
            mine->gid == its->gid && mine->gid == its->egid && mine->gid == its->sgid);
}

static int check_limit(const struct rlimit64 *old, unsigned int resource, const struct rlimit64 *new) {
    if (new->rlim_cur > new->rlim_max)
        return -EINVAL;
    bool raises = new->rlim_max > old->rlim_max;
    if (raises && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    return resource == RLIMIT_NOFILE && new->rlim_max > 1024 * 1024 ? -EPERM : 0; // fs.nr_open
}

static int change_limit(struct process *p, unsigned int resource, const struct rlimit64 *new,
                        struct rlimit64 *old) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct rlimit64 *limit = &p->limits[resource];
    *old = *limit;
    int err = may_limit(p) ? 0 : -EPERM;
    if (!err && new) {
        err = check_limit(limit, resource, new);
        if (!err)
            *limit = *new;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

long sys_prlimit64(pid_t pid, unsigned int resource, const void __user *new_limit, void __user *old_limit) {
    struct rlimit64 new, old;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    int err = new_limit ? copy_from_user(&new, new_limit, sizeof(new)) : 0;
    if (err)
        return err;
    struct process *p = process_named(pid);
    if (!p)
        return -ESRCH;
    err = change_limit(p, resource, new_limit ? &new : NULL, &old);
    if (!err && new_limit && resource == RLIMIT_STACK && p == current->process)
        WRITE_ONCE(current->vm->stack_limit, new.rlim_cur);
    if (!err && new_limit && resource == RLIMIT_CPU && p == current->process)
        sched_sample_now();
    process_put(p);
    return err || !old_limit ? err : put_object(old_limit, old);
}

// struct rlimit has the layout of struct rlimit64 here.
long sys_getrlimit(unsigned int resource, void __user *limit) {
    return limit ? sys_prlimit64(0, resource, NULL, limit) : -EFAULT;
}

long sys_setrlimit(unsigned int resource, const void __user *limit) {
    return limit ? sys_prlimit64(0, resource, limit, NULL) : -EFAULT;
}

long sys_getrusage(int who, void __user *usage) {
    struct rusage r;
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    process_usage(current->process, who, &r);
    return put_object(usage, r);
}

// ---- priorities: getpriority(2). Values are 20 - nice, so that they are never negative.

struct priority_search {
    int which;
    pid_t group;
    uid_t uid;
    int nice; // to set
    bool set;
    long result; // best found, or the error
};

static void visit_thread_locked(struct thread *t, struct priority_search *s) {
    ASSERT_HELD(&process_lock);
    const struct cred *mine = current->cred, *its = t->real_cred;
    bool master = cred_capable(mine, CAP_SYS_NICE),
         over_it = cred_capable_in(mine, its->user_ns, CAP_SYS_NICE);
    uint64_t floor = t->process->limits[RLIMIT_NICE].rlim_cur;
    if (!s->set) {
        s->result = MAX(s->result, 20l - t->nice);
    } else if (mine->euid != its->uid && mine->euid != its->euid && !over_it) {
        s->result = -EPERM;
    } else if (s->nice < t->nice && (uint64_t)(20 - s->nice) > floor && !master) {
        s->result = -EACCES;
    } else {
        if (s->result == -ESRCH)
            s->result = 0;
        sched_set_nice(t, s->nice);
    }
}

static void visit_thread(pid_t tid, struct priority_search *s) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = tid ? id_named_locked(tid) : NULL;
    struct thread *t = tid ? (id ? id->thread : NULL) : current;
    if (t)
        visit_thread_locked(t, s);
    spin_unlock_irqrestore(&process_lock, flags);
}

static bool visit_if_wanted(struct process *p, void *arg) {
    struct priority_search *s = arg;
    struct thread *t;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (t, &p->threads, process_link) {
        if (s->which == PRIO_PGRP ? p->pgrp == s->group : t->real_cred->uid == s->uid)
            visit_thread_locked(t, s);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return true;
}

static long search_priority(int which, int who, struct priority_search *s) {
    s->which = which;
    s->result = -ESRCH;
    if (which == PRIO_PROCESS) {
        visit_thread(who, s);
    } else if (which == PRIO_PGRP || which == PRIO_USER) {
        s->group = who ? pid_from_user(who) : current->process->pgrp;
        s->uid = who ? uid_from_user(current->cred->user_ns, (uid_t)who) : current->cred->uid;
        process_for_each_in(current->pid_ns, visit_if_wanted, s);
    } else {
        return -EINVAL;
    }
    return s->result;
}

long sys_getpriority(int which, int who) {
    struct priority_search s = {0};
    return search_priority(which, who, &s);
}

long sys_setpriority(int which, int who, int nice) {
    struct priority_search s = {.set = true, .nice = MAX(-20, MIN(nice, 19))};
    return search_priority(which, who, &s);
}
