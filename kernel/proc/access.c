// SPDX-License-Identifier: MIT
// Looking into another process: see access.h.
#include "proc/access.h"
#include "core/errno.h"
#include "vm/vmspace.h"
#include <linux/capability.h>

static bool same_ids(const struct cred *mine, const struct cred *its, enum access_ids ids) {
    uid_t uid = ids == ACCESS_CALL ? mine->uid : mine->fsuid;
    gid_t gid = ids == ACCESS_CALL ? mine->gid : mine->fsgid;
    return uid == its->uid && uid == its->euid && uid == its->suid && gid == its->gid && gid == its->egid &&
           gid == its->sgid;
}

// process_lock held: it keeps p's credentials and memory where they are.
static bool may_locked(struct process *p, enum access_ids ids) {
    ASSERT_HELD(&process_lock);
    const struct cred *mine = current->cred, *its = p->cred;
    uint64_t caps = ids == ACCESS_CALL ? mine->cap_permitted : mine->cap_effective;
    if (p == current->process || cred_capable(mine, CAP_SYS_PTRACE))
        return true;
    const struct vmspace *vm = process_vm_locked(p);
    if (vm && !vm->dumpable) // what it holds may be from outside its user namespace
        return false;
    if (cred_capable_in(mine, its->user_ns, CAP_SYS_PTRACE))
        return true;
    return same_ids(mine, its, ids) && mine->user_ns == its->user_ns && !(its->cap_permitted & ~caps);
}

int process_access_begin(struct process *p, enum access_ids ids) {
    if (p == current->process)
        return 0; // what this thread is, it is until it changes that itself
    mutex_lock(&p->access_lock);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    bool may = may_locked(p, ids);
    spin_unlock_irqrestore(&process_lock, flags);
    if (may)
        return 0;
    mutex_unlock(&p->access_lock);
    return -EACCES;
}

void process_access_end(struct process *p) {
    if (p != current->process)
        mutex_unlock(&p->access_lock);
}

// Between the parts of a change that execve makes nobody looks: it holds the lock.
struct vmspace *process_look(struct process *p, enum access_ids ids, bool *may) {
    bool mine = p == current->process;
    if (!mine)
        mutex_lock(&p->access_lock);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct vmspace *vm = process_vm_locked(p);
    *may = may_locked(p, ids) || (vm && vm == current->vm);
    if (vm)
        vmspace_get(vm);
    spin_unlock_irqrestore(&process_lock, flags);
    if (!mine)
        mutex_unlock(&p->access_lock);
    return vm;
}

struct vmspace *process_access_vm(struct process *p, enum access_ids ids) {
    bool may;
    struct vmspace *vm = process_look(p, ids, &may);
    if (may)
        return vm;
    if (vm)
        vmspace_put(vm);
    return ERR_PTR(-EACCES);
}
