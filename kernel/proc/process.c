// SPDX-License-Identifier: MIT
// The table of processes; who they are. Locks: proc/process.h.
#include "proc/process.h"
#include "arch/riscv/layout.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/fdtable.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/coredump.h"
#include "proc/init.h"
#include "proc/namespace.h"
#include "proc/oom.h"
#include "proc/owner.h"
#include "proc/pidfd.h"
#include "proc/usage.h"
#include "vm/vmspace.h"
#include <asm/signal.h>

struct process *init_process;
struct process_counts process_counts;

static struct slab_cache *process_cache;

// ---- finding

struct process *process_find_locked(pid_t pid) {
    ASSERT_HELD(&process_lock);
    struct id *id = id_named_locked(pid);
    return id ? id->process : NULL;
}

static struct process *find_and_get(pid_t nr, struct process *(*find_locked)(pid_t nr)) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = find_locked(nr);
    if (p)
        process_get(p);
    spin_unlock_irqrestore(&process_lock, flags);
    return p;
}

struct process *process_find(pid_t pid) {
    return find_and_get(pid, process_find_locked);
}

struct process *process_find_any_locked(pid_t nr) {
    ASSERT_HELD(&process_lock);
    struct id *id = id_named_locked(nr);
    return !id ? NULL : id->process ? id->process : id->thread ? id->thread->process : NULL;
}

struct process *process_find_any(pid_t nr) {
    return find_and_get(nr, process_find_any_locked);
}

struct process *process_named_locked(pid_t nr) {
    ASSERT_HELD(&process_lock);
    return nr ? process_find_any_locked(nr) : current->process;
}

struct process *process_named(pid_t nr) {
    return find_and_get(nr, process_named_locked);
}

struct thread *thread_find(pid_t tid) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_named_locked(tid);
    struct thread *t = id ? id->thread : NULL;
    if (t)
        thread_get(t);
    spin_unlock_irqrestore(&process_lock, flags);
    return t;
}

struct process *thread_get_process(struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = list_empty(&t->process_link) ? NULL : t->process;
    if (p)
        process_get(p);
    spin_unlock_irqrestore(&process_lock, flags);
    return p;
}

struct thread *process_get_thread(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct thread *t = p->leader;
    if (!t && !list_empty(&p->threads))
        t = list_first_entry(&p->threads, struct thread, process_link);
    if (t)
        thread_get(t);
    spin_unlock_irqrestore(&process_lock, flags);
    return t;
}

struct vmspace *process_vm_locked(struct process *p) {
    ASSERT_HELD(&process_lock);
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_link) {
        if (t->vm) // changes under process_lock (exec, exit)
            return t->vm;
    }
    return NULL;
}

struct vmspace *process_get_vm(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct vmspace *vm = process_vm_locked(p);
    if (vm)
        vmspace_get(vm);
    spin_unlock_irqrestore(&process_lock, flags);
    return vm;
}

struct process *process_after(const struct pid_ns *ns, pid_t *nr) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_after_locked(ns, *nr);
    while (id && !id->process)
        id = id_after_locked(ns, id_in(id, ns));
    struct process *p = id ? id->process : NULL;
    if (p) {
        *nr = id_in(id, ns);
        process_get(p);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return p;
}

void process_for_each_in(const struct pid_ns *ns, bool (*fn)(struct process *p, void *arg), void *arg) {
    struct process *p;
    bool more = true;
    for (pid_t nr = 0; more && (p = process_after(ns, &nr));) {
        more = fn(p, arg);
        process_put(p);
    }
}

// ---- numbers

pid_t process_number_locked(const struct process *p, const struct pid_ns *ns) {
    ASSERT_HELD(&process_lock);
    return !ns->level ? p->pid : p->pid_ns == ns ? p->own_pid : p->id ? id_in(p->id, ns) : 0;
}

pid_t process_number(const struct process *p, const struct pid_ns *ns) {
    if (likely(!ns->level))
        return p->pid;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    pid_t nr = process_number_locked(p, ns);
    spin_unlock_irqrestore(&process_lock, flags);
    return nr;
}

pid_t thread_number_locked(const struct thread *t, const struct pid_ns *ns) {
    ASSERT_HELD(&process_lock);
    return t->pid_ns == ns ? t->own_tid : pid_in_locked(t->tid, ns);
}

void process_set_parent_locked(struct process *p, struct process *parent) {
    ASSERT_HELD(&process_lock);
    p->parent = parent;
    p->ppid = parent->pid;
    p->own_ppid = process_number_locked(parent, p->pid_ns);
}

// ---- birth and end of the structure

struct process *process_alloc(void) {
    struct process *p = slab_zalloc(process_cache);
    if (!p)
        return NULL;
    ref_init(&p->refs);
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->threads);
    list_init(&p->group_link);
    list_init(&p->session_link);
    list_init(&p->sig_queue);
    list_init(&p->signal_watches);
    list_init(&p->late_link);
    spin_init(&p->sig_lock);
    mutex_init(&p->access_lock);
    p->core_filter = CORE_FILTER_DEFAULT;
    wait_queue_init(&p->wait);
    wait_queue_init(&p->exited);
    return p;
}

void process_get(struct process *p) {
    ref_get(&p->refs);
}

void process_put(struct process *p) {
    if (!ref_put(&p->refs))
        return;
    cred_put(p->cred);
    if (p->user)
        user_put(p->user);
    if (p->pid_ns)
        pid_ns_put(p->pid_ns);
    slab_free(process_cache, p);
}

void process_reap_locked(struct process *p, bool waited) {
    ASSERT_HELD(&process_lock);
    p->zombie = false;
    process_counts.zombies--;
    user_uncharge(p->user, USER_THREADS, 1);
    if (waited)
        process_add_child_usage_locked(p->parent, p);
    list_del(&p->sibling);
    list_del(&p->group_link);
    list_del(&p->session_link);
    id_release_locked(p->group_id);
    id_release_locked(p->session_id);
    p->id->process = NULL;
    id_release_locked(p->id);
    p->id = NULL;
    process_put(p);
}

// ---- identity

// In a user namespace that the old identity made it has no more than it could give itself there.
static bool gains_caps(const struct cred *old, const struct cred *new) {
    if (old->user_ns == new->user_ns)
        return new->cap_permitted & ~old->cap_permitted;
    for (const struct user_ns *u = new->user_ns; u->parent; u = u->parent)
        if (u->parent == old->user_ns && u->owner == old->euid)
            return false;
    return true;
}

static bool is_other_identity(const struct cred *old, const struct cred *new) {
    return old->euid != new->euid || old->egid != new->egid || old->fsuid != new->fsuid ||
           old->fsgid != new->fsgid || gains_caps(old, new);
}

void thread_set_cred(struct cred *cred) {
    struct process *p = current->process;
    struct cred *old = current->real_cred, *old_leader = NULL;
    struct user *old_user;
    DEBUG_ASSERT(current->cred == old);
    cred_settle_user(cred);
    if (is_other_identity(old, cred))
        current->parent_death_signal = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    if (is_other_identity(old, cred) && current->vm)
        current->vm->dumpable = false;
    current->cred = current->real_cred = cred;
    user_uncharge(old->user, USER_THREADS, 1);
    user_charge(cred->user, USER_THREADS, 1);
    if (p->leader == current || !p->leader) {
        old_leader = p->cred;
        p->cred = cred_get(cred);
        spin_lock(&p->sig_lock);
        old_user = p->user;
        p->user = user_get(cred->user);
        spin_unlock(&p->sig_lock);
        user_put(old_user);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    sched_set_user(cred->user);
    cred_put(old);
    cred_put(old_leader);
}

bool process_user_is_over(struct user *user) {
    return user != &root_user && (uint64_t)user_charge(user, USER_THREADS, 0) > current_rlimit(RLIMIT_NPROC);
}

struct cred *thread_get_cred(struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct cred *cred = t->real_cred ? cred_get(t->real_cred) : NULL;
    spin_unlock_irqrestore(&process_lock, flags);
    return cred;
}

void thread_set_name(struct thread *t, const char *name) {
    size_t n = strnlen(name, sizeof(t->name) - 1);
    char copy[sizeof(t->name)] = {0};
    memcpy(copy, name, n);
    memcpy(t->name, copy, sizeof(copy)); // always ends with a NUL, whoever reads it meanwhile
}

void process_describe(char *buf, size_t n) {
    struct process *p = current ? current->process : NULL;
    if (!current)
        lib_snprintf(buf, n, "?");
    else if (p && p->pid != current->tid)
        lib_snprintf(buf, n, "%s[%d, thread %d]", current->name, p->pid, current->tid);
    else
        lib_snprintf(buf, n, "%s[%d]", current->name, current->tid);
}

void process_init(void) {
    id_init();
    pid_ns_init();
    process_cache = slab_create("process", sizeof(struct process), 0);
    if (!process_cache)
        panic("process: no memory for the tables");
    panic_describe = process_describe;
    namespace_init();
    oom_init();
    signal_init();
    pidfd_init();
    owner_init();
}
