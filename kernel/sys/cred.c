// SPDX-License-Identifier: MIT
// Users, groups, capabilities; limits, usage, priorities: credentials(7), capabilities(7), getrlimit(2).
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "proc/process.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/securebits.h>
#include <linux/resource.h>

#define KEEP ((uint32_t)-1) // an id that is to stay as it is

// ---- reading

long sys_getuid(void) {
    return current->cred->uid;
}

long sys_geteuid(void) {
    return current->cred->euid;
}

long sys_getgid(void) {
    return current->cred->gid;
}

long sys_getegid(void) {
    return current->cred->egid;
}

static long put_three(const uint32_t ids[3], uint32_t __user *r, uint32_t __user *e, uint32_t __user *s) {
    int err = put_user(ids[0], r);
    if (!err)
        err = put_user(ids[1], e);
    return err ? err : put_user(ids[2], s);
}

long sys_getresuid(uid_t __user *r, uid_t __user *e, uid_t __user *s) {
    const struct cred *c = current->cred;
    return put_three((const uint32_t[]){c->uid, c->euid, c->suid}, r, e, s);
}

long sys_getresgid(gid_t __user *r, gid_t __user *e, gid_t __user *s) {
    const struct cred *c = current->cred;
    return put_three((const uint32_t[]){c->gid, c->egid, c->sgid}, r, e, s);
}

// ---- users

#define FS_CAPS                                                                                              \
    (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER |       \
     1ull << CAP_FSETID | 1ull << CAP_LINUX_IMMUTABLE | 1ull << CAP_MKNOD | 1ull << CAP_MAC_OVERRIDE)

// The effect of changed user ids on the capabilities.
static void adjust_caps(const struct cred *old, struct cred *new) {
    bool was_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
    bool is_root = new->uid == 0 || new->euid == 0 || new->suid == 0;
    if (old->securebits & SECBIT_NO_SETUID_FIXUP)
        return;
    if (was_root && !is_root) {
        if (!(old->securebits & SECBIT_KEEP_CAPS))
            new->cap_permitted = new->cap_effective = 0;
        new->cap_ambient = 0;
    }
    if (old->euid == 0 && new->euid != 0)
        new->cap_effective = 0;
    if (old->euid != 0 && new->euid == 0)
        new->cap_effective = new->cap_permitted;
}

// Ends in the new credentials being used, unless err says that they are not allowed.
static long commit_cred(struct cred *new, int err) {
    if (err) {
        cred_put(new);
        return err;
    }
    thread_set_cred(new);
    return 0;
}

static long commit_users(struct cred *new, int err) {
    new->fsuid = new->euid;
    adjust_caps(current->cred, new);
    return commit_cred(new, err);
}

long sys_setuid(uid_t uid) {
    const struct cred *old = current->cred;
    struct cred *new = uid == KEEP ? NULL : cred_copy(old);
    if (!new)
        return uid == KEEP ? -EINVAL : -ENOMEM;
    new->euid = uid;
    if (cred_capable(old, CAP_SETUID))
        new->uid = new->suid = uid;
    else if (uid != old->uid && uid != old->suid)
        return commit_users(new, -EPERM);
    return commit_users(new, 0);
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c) {
    return id == KEEP || id == a || id == b || id == c;
}

long sys_setreuid(uid_t r, uid_t e) {
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable(old, CAP_SETUID) ||
                   (one_of(r, old->uid, old->euid, old->uid) && one_of(e, old->uid, old->euid, old->suid));
    new->uid = r == KEEP ? old->uid : r;
    new->euid = e == KEEP ? old->euid : e;
    if (r != KEEP || (e != KEEP && e != old->uid))
        new->suid = new->euid;
    return commit_users(new, allowed ? 0 : -EPERM);
}

long sys_setresuid(uid_t r, uid_t e, uid_t s) {
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable(old, CAP_SETUID) ||
                   (one_of(r, old->uid, old->euid, old->suid) && one_of(e, old->uid, old->euid, old->suid) &&
                    one_of(s, old->uid, old->euid, old->suid));
    new->uid = r == KEEP ? old->uid : r;
    new->euid = e == KEEP ? old->euid : e;
    new->suid = s == KEEP ? old->suid : s;
    return commit_users(new, allowed ? 0 : -EPERM);
}

// Returns the old id, whether it was changed or not.
long sys_setfsuid(uid_t uid) {
    const struct cred *old = current->cred;
    uid_t was = old->fsuid;
    if (!one_of(uid, old->uid, old->euid, old->suid) && uid != was && !cred_capable(old, CAP_SETUID))
        return was;
    struct cred *new = uid == KEEP ? NULL : cred_copy(old);
    if (!new)
        return was;
    new->fsuid = uid;
    if (!(old->securebits & SECBIT_NO_SETUID_FIXUP)) {
        if (was == 0 && uid != 0)
            new->cap_effective &= ~FS_CAPS;
        if (was != 0 && uid == 0)
            new->cap_effective |= new->cap_permitted &FS_CAPS;
    }
    (void)commit_cred(new, 0);
    return was;
}

// ---- groups

static long commit_groups(struct cred *new, int err) {
    new->fsgid = new->egid;
    return commit_cred(new, err);
}

long sys_setgid(gid_t gid) {
    const struct cred *old = current->cred;
    struct cred *new = gid == KEEP ? NULL : cred_copy(old);
    if (!new)
        return gid == KEEP ? -EINVAL : -ENOMEM;
    new->egid = gid;
    if (cred_capable(old, CAP_SETGID))
        new->gid = new->sgid = gid;
    else if (gid != old->gid && gid != old->sgid)
        return commit_groups(new, -EPERM);
    return commit_groups(new, 0);
}

long sys_setregid(gid_t r, gid_t e) {
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable(old, CAP_SETGID) ||
                   (one_of(r, old->gid, old->egid, old->gid) && one_of(e, old->gid, old->egid, old->sgid));
    new->gid = r == KEEP ? old->gid : r;
    new->egid = e == KEEP ? old->egid : e;
    if (r != KEEP || (e != KEEP && e != old->gid))
        new->sgid = new->egid;
    return commit_groups(new, allowed ? 0 : -EPERM);
}

long sys_setresgid(gid_t r, gid_t e, gid_t s) {
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable(old, CAP_SETGID) ||
                   (one_of(r, old->gid, old->egid, old->sgid) && one_of(e, old->gid, old->egid, old->sgid) &&
                    one_of(s, old->gid, old->egid, old->sgid));
    new->gid = r == KEEP ? old->gid : r;
    new->egid = e == KEEP ? old->egid : e;
    new->sgid = s == KEEP ? old->sgid : s;
    return commit_groups(new, allowed ? 0 : -EPERM);
}

long sys_setfsgid(gid_t gid) {
    const struct cred *old = current->cred;
    gid_t was = old->fsgid;
    if (!one_of(gid, old->gid, old->egid, old->sgid) && gid != was && !cred_capable(old, CAP_SETGID))
        return was;
    struct cred *new = gid == KEEP ? NULL : cred_copy(old);
    if (!new)
        return was;
    new->fsgid = gid;
    (void)commit_cred(new, 0);
    return was;
}

long sys_getgroups(int n, gid_t __user *groups) {
    const struct group_list *list = current->cred->groups;
    unsigned int count = list ? list->count : 0;
    if (n < 0 || (n && (unsigned int)n < count))
        return -EINVAL;
    int err = n && count ? copy_to_user(groups, list->gid, count * sizeof(gid_t)) : 0;
    return err ? err : (long)count;
}

long sys_setgroups(int n, const gid_t __user *groups) {
    if (!cred_capable(current->cred, CAP_SETGID))
        return -EPERM;
    if (n < 0 || n > NGROUPS_MAX)
        return -EINVAL;
    struct cred *new = cred_copy(current->cred);
    struct group_list *list = new ? group_list_alloc(n) : NULL;
    if (!list) {
        cred_put(new);
        return -ENOMEM;
    }
    cred_set_groups(new, list);
    int err = copy_from_user(list->gid, groups, n * sizeof(gid_t));
    if (!err)
        group_list_sort(list);
    return commit_cred(new, err);
}

// ---- capabilities

// Words of 32 bits that a version of the interface has; 0: not known.
static unsigned int cap_words(uint32_t version) {
    switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
        return _LINUX_CAPABILITY_U32S_1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
        return _LINUX_CAPABILITY_U32S_3;
    default:
        return 0;
    }
}

// The header; an unknown version is answered with the newest.
static int read_cap_header(void __user *user, struct __user_cap_header_struct *h, unsigned int *words) {
    int err = copy_from_user(h, user, sizeof(*h));
    if (err)
        return err;
    *words = cap_words(h->version);
    if (*words)
        return h->pid < 0 ? -EINVAL : 0;
    h->version = _LINUX_CAPABILITY_VERSION_3;
    err = put_object(user, *h);
    return err ? err : -EINVAL;
}

long sys_capget(void __user *header, void __user *data) {
    struct __user_cap_header_struct h;
    unsigned int words;
    int err = read_cap_header(header, &h, &words);
    if (err)
        return err == -EINVAL && !data ? 0 : err; // a question for the version only
    uint64_t sets[3] = {0};
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = h.pid ? process_find_locked(h.pid) : NULL;
    const struct cred *c = h.pid ? (p ? p->cred : NULL) : current->cred;
    if (c) {
        sets[0] = c->cap_effective;
        sets[1] = c->cap_permitted;
        sets[2] = c->cap_inheritable;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    if (!c)
        return -ESRCH;
    struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
    for (unsigned int i = 0; i < words; i++)
        d[i] = (struct __user_cap_data_struct){sets[0] >> 32 * i, sets[1] >> 32 * i, sets[2] >> 32 * i};
    return put_object_part(data, d, words * sizeof(d[0]));
}

long sys_capset(void __user *header, const void __user *data) {
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};
    unsigned int words;
    const struct cred *old = current->cred;
    int err = read_cap_header(header, &h, &words);
    if (err)
        return err;
    if (h.pid && h.pid != current->tid)
        return -EPERM;
    err = copy_from_user(d, data, words * sizeof(d[0]));
    if (err)
        return err;
    uint64_t effective = (d[0].effective | (uint64_t)d[1].effective << 32) & cred_all_caps;
    uint64_t permitted = (d[0].permitted | (uint64_t)d[1].permitted << 32) & cred_all_caps;
    uint64_t inheritable = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & cred_all_caps;
    if (permitted & ~old->cap_permitted || effective & ~permitted ||
        inheritable & ~(old->cap_inheritable | old->cap_bounding) ||
        (!cred_capable(old, CAP_SETPCAP) && inheritable & ~(old->cap_inheritable | old->cap_permitted)))
        return -EPERM;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->cap_effective = effective;
    new->cap_permitted = permitted;
    new->cap_inheritable = inheritable;
    new->cap_ambient &= permitted &inheritable;
    thread_set_cred(new);
    return 0;
}

// ---- limits

// May the current thread look at and change p's limits? process_lock held.
static bool may_limit(const struct process *p) {
    const struct cred *mine = current->cred, *its = p->cred;
    return p == current->process || cred_capable(mine, CAP_SYS_RESOURCE) ||
           (mine->uid == its->uid && mine->uid == its->euid && mine->uid == its->suid &&
            mine->gid == its->gid && mine->gid == its->egid && mine->gid == its->sgid);
}

static int check_limit(const struct rlimit64 *old, unsigned int resource, const struct rlimit64 *new) {
    if (new->rlim_cur > new->rlim_max)
        return -EINVAL;
    bool raises = new->rlim_max > old->rlim_max;
    if (raises && !cred_capable(current->cred, CAP_SYS_RESOURCE))
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
    struct process *p = pid ? process_find(pid) : current->process;
    if (!p)
        return -ESRCH;
    err = change_limit(p, resource, new_limit ? &new : NULL, &old);
    if (!err && new_limit && resource == RLIMIT_STACK && p == current->process)
        WRITE_ONCE(current->vm->stack_limit, new.rlim_cur);
    if (!err && new_limit && resource == RLIMIT_CPU && p == current->process)
        sched_sample_now();
    if (pid)
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
    const struct cred *mine = current->cred, *its = t->real_cred;
    bool master = cred_capable(mine, CAP_SYS_NICE);
    uint64_t floor = t->process->limits[RLIMIT_NICE].rlim_cur;
    if (!s->set) {
        s->result = MAX(s->result, 20l - t->nice);
    } else if (mine->euid != its->uid && mine->euid != its->euid && !master) {
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
    struct id *id = tid ? id_find_locked(tid) : NULL;
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
        s->group = who ? who : current->process->pgrp;
        s->uid = who ? (uid_t)who : current->cred->uid;
        process_for_each(visit_if_wanted, s);
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
