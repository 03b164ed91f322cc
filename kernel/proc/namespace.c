// SPDX-License-Identifier: MIT
// Other namespaces for threads: all is made and checked first, then the thread gets it, which cannot fail.
#include "proc/namespace.h"
#include "arch/riscv/cpu.h"
#include "core/errno.h"
#include "core/user_ns.h"
#include "fs/file.h"
#include "fs/mount.h"
#include "fs/nsfs.h"
#include "fs/path.h"
#include "ipc/sem.h"
#include "proc/access.h"
#include "proc/pidfd.h"
#include "proc/process.h"
#include "proc/uts.h"
#include <linux/capability.h>

#define ALL_FLAGS                                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET | CLONE_NEWTIME)

static int kind_of(int flag) {
    for (int i = 0; i < NS_KINDS; i++)
        if (namespace_type_of(i) && namespace_type_of(i)->flag == flag)
            return i;
    return -1;
}

bool namespace_flags_are_known(unsigned long flags) {
    unsigned long known = CLONE_NEWUSER;
    for (int i = 0; i < NS_KINDS; i++)
        known |= namespace_type_of(i) ? (unsigned long)namespace_type_of(i)->flag : 0;
    return !(flags & ALL_FLAGS & ~known);
}

static struct namespaces *current_set(void) {
    return current->namespaces ? current->namespaces : &first_namespaces;
}

// ---- making

int namespace_change_make(struct namespace_change *c, unsigned long flags, struct fs_context *fs) {
    int err = 0;
    *c = (struct namespace_change){NULL, NULL};
    if (!(flags & ALL_FLAGS))
        return 0;
    if (!namespace_flags_are_known(flags))
        return flags & CLONE_NEWUSER || capable_within(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
    if (flags & CLONE_NEWUSER) {
        c->cred = cred_copy(current->cred);
        err = c->cred ? user_ns_create(c->cred, mount_is_chrooted()) : -ENOMEM;
    }
    const struct cred *cred = c->cred ? c->cred : current->cred;
    flags &= ALL_FLAGS & ~(unsigned long)CLONE_NEWUSER;
    if (!err && flags && !cred_capable_within(cred, CAP_SYS_ADMIN))
        err = -EPERM;
    if (!err && flags) {
        c->set = namespaces_create(current_set(), flags, cred->user_ns, fs);
        if (IS_ERR(c->set)) {
            err = PTR_ERR(c->set);
            c->set = NULL;
        }
    }
    if (err)
        namespace_change_drop(c);
    return err;
}

void namespace_change_drop(struct namespace_change *c) {
    cred_put(c->cred);
    namespaces_put(c->set);
    *c = (struct namespace_change){NULL, NULL};
}

void namespace_change_commit(struct namespace_change *c) {
    struct namespaces *old = c->set;
    if (c->set) {
        unsigned long flags = spin_lock_irqsave(&process_lock); // others look at them
        old = current->namespaces;
        current->namespaces = c->set;
        spin_unlock_irqrestore(&process_lock, flags);
    }
    if (c->cred)
        thread_set_cred(c->cred);
    namespaces_put(old);
    *c = (struct namespace_change){NULL, NULL};
}

void namespaces_leave(struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct namespaces *old = t->namespaces;
    t->namespaces = NULL;
    spin_unlock_irqrestore(&process_lock, flags);
    namespaces_put(old);
}

// ---- entering

// May the thread enter ns? `cred`: as which it would be then.
static int check_entry(const struct namespace *ns, const struct cred *cred) {
    const struct process *p = current->process;
    if (ns->type->flag == CLONE_NEWUSER) {
        const struct user_ns *u = container_of(ns, struct user_ns, ns);
        if (u == current->cred->user_ns || READ_ONCE(p->thread_count) > 1 ||
            READ_ONCE(current->fs->users) > 1)
            return -EINVAL;
        return capable_in(u, CAP_SYS_ADMIN) ? 0 : -EPERM;
    }
    if (!cred_capable_in(cred, ns->owner, CAP_SYS_ADMIN) || !cred_capable_within(cred, CAP_SYS_ADMIN))
        return -EPERM;
    if (ns->type->flag == CLONE_NEWNS && !cred_capable_within(cred, CAP_SYS_CHROOT))
        return -EPERM;
    if (ns->type->flag == CLONE_NEWNS && READ_ONCE(current->fs->users) > 1)
        return -EINVAL;
    return ns->type->check_entry ? ns->type->check_entry(ns) : 0;
}

static int add(struct namespace_change *c, struct namespace *ns) {
    int err = check_entry(ns, c->cred ? c->cred : current->cred);
    if (err)
        return err;
    if (ns->type->flag == CLONE_NEWUSER) {
        c->cred = cred_copy(current->cred);
        if (!c->cred)
            return -ENOMEM;
        user_ns_enter(c->cred, user_ns_of(ns));
        return 0;
    }
    struct namespaces *old = c->set, *set = namespaces_with(old ? old : current_set(), ns);
    if (!set)
        return -ENOMEM;
    c->set = set;
    namespaces_put(old);
    return 0;
}

// `flags`: what is entered (CLONE_NEW*).
static void commit_entry(struct namespace_change *c, int flags) {
    if (flags & CLONE_NEWIPC)
        sem_leave_undos(current);
    if (flags & CLONE_NEWNS && c->set)
        mount_ns_enter(c->set->of[NS_MOUNT], current->fs);
    namespace_change_commit(c);
}

static long enter_one(struct namespace *ns, int flag) {
    struct namespace_change c = {NULL, NULL};
    if (flag && ns->type->flag != flag)
        return -EINVAL;
    int err = add(&c, ns);
    if (err)
        namespace_change_drop(&c);
    else
        commit_entry(&c, ns->type->flag);
    return err;
}

struct namespace *thread_get_namespace(struct thread *t, int flag) {
    struct namespace *ns = NULL;
    int kind = flag == CLONE_NEWUSER ? 0 : kind_of(flag);
    unsigned long irq = spin_lock_irqsave(&process_lock);
    if (t->real_cred && flag == CLONE_NEWUSER)
        ns = namespace_get(&t->real_cred->user_ns->ns);
    else if (t->real_cred && flag == CLONE_NEWPID)
        ns = namespace_get(&t->pid_ns->ns);
    else if (t->namespaces && kind >= 0)
        ns = namespace_get(t->namespaces->of[kind]);
    spin_unlock_irqrestore(&process_lock, irq);
    return ns;
}

struct namespace *thread_get_children_ns(struct thread *t) {
    struct namespace *ns = NULL;
    unsigned long irq = spin_lock_irqsave(&process_lock);
    struct pid_ns *children = t->namespaces ? pid_ns_of(t->namespaces->of[NS_PID]) : NULL;
    if (children && (children->init || children->ended))
        ns = namespace_get(&children->ns);
    spin_unlock_irqrestore(&process_lock, irq);
    return ns;
}

// Those of a thread that `flags` name, the user namespace first: what may be done with the others follows from it.
static void collect(struct thread *t, int flags, struct namespace *found[NS_KINDS + 1]) {
    for (int i = 0; i <= NS_KINDS; i++) {
        const struct namespace_type *type = i ? namespace_type_of(i - 1) : NULL;
        int flag = !i ? CLONE_NEWUSER : type ? type->flag : 0;
        found[i] = flags & flag ? thread_get_namespace(t, flag) : NULL;
    }
}

// Who it is and what it has stay together while they are looked at. -EPERM, -ESRCH.
static int collect_of(struct process *p, int flags, struct namespace *found[NS_KINDS + 1]) {
    int err = process_access_begin(p, ACCESS_CALL);
    if (err)
        return -EPERM;
    struct thread *t = process_get_thread(p);
    if (t)
        collect(t, flags, found);
    process_access_end(p);
    if (t)
        thread_put(t);
    return t ? 0 : -ESRCH;
}

static long enter_those_of(struct process *p, int flags) {
    struct namespace_change c = {NULL, NULL};
    struct namespace *found[NS_KINDS + 1] = {NULL};
    if (!flags || (unsigned long)(unsigned int)flags & ~(unsigned long)ALL_FLAGS ||
        !namespace_flags_are_known((unsigned int)flags))
        return -EINVAL;
    int err = collect_of(p, flags, found);
    for (int i = 0; i <= NS_KINDS; i++) {
        if (!err && found[i])
            err = add(&c, found[i]);
        namespace_put(found[i]);
    }
    if (err)
        namespace_change_drop(&c);
    else
        commit_entry(&c, flags);
    return err;
}

long namespace_enter(struct file *f, int flags) {
    struct namespace *ns = nsfs_namespace(f);
    if (ns)
        return enter_one(ns, flags);
    struct process *p = pidfd_process(f);
    if (IS_ERR(p))
        return -EINVAL;
    long ret = enter_those_of(p, flags);
    process_put(p);
    return ret;
}

void namespace_init(void) {
    uts_init();
    nsfs_init();
}
