// SPDX-License-Identifier: MIT
// execve(2): another program for the current process.
//
// The new address space is built whole, with the new program's stack, before anything of the old program is
// given up; so whatever goes wrong is an error that the caller sees. Then come the point of no return and
// steps that cannot fail.
#include "proc/rseq.h"
#include "proc/exec.h"
#include "fs/mount.h"
#include "proc/exec_private.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "core/cmdline.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "fs/xattr.h"
#include "keys/key.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exit.h"
#include "proc/fork.h"
#include "proc/posix_timer.h"
#include "proc/ptrace.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <linux/stat.h>

#define SECURE_STACK_LIMIT                                                                                   \
    (8ull << 20) // bytes, of a program with privileges that its caller lacks, unless it is lower
#define MAY_READ 4

// ---- credentials: capabilities(7), "Transformation of capabilities during execve()"

// The mode and the owner are read together: chown(2) changes them in one moment.
static void apply_set_ids(struct cred *new, struct exec *e) {
    struct inode *inode = e->program.file->inode;
    if (READ_ONCE(current->no_new_privs) || !mount_may_set_ids(e->program.file->path.mount))
        return;
    spin_lock(&inode->spin);
    mode_t mode = inode->mode;
    uid_t uid = inode->uid;
    gid_t gid = inode->gid;
    spin_unlock(&inode->spin);
    bool set_gid = (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
    if (!cred_maps(new, uid, gid))
        return;
    e->set_ids = mode & S_ISUID || set_gid;
    if (mode & S_ISUID)
        new->euid = uid;
    if (set_gid)
        new->egid = gid;
}

// -EPERM: it has to have more than the bounding set lets it.
static int apply_file_caps(struct cred *new, struct exec *e, bool *has_caps, bool *effective) {
    struct file_caps caps = {0};
    *has_caps =
        mount_may_set_ids(e->program.file->path.mount) && file_caps_get(e->program.file->inode, &caps);
    *effective = caps.effective;
    new->cap_permitted = (new->cap_bounding &caps.permitted) | (new->cap_inheritable &caps.inheritable);
    return *effective && caps.permitted & ~new->cap_permitted ? -EPERM : 0;
}

// Does a process besides this one have our root and working directory, which it could change under a program with
// privileges? Until release() none gets them from us (`in_exec`).
static bool shares_place(struct exec *e) {
    struct fs_context *fs = current->fs;
    struct thread *t;
    unsigned int mine = 0;
    if (!fs)
        return false;
    __atomic_fetch_add(&fs->in_exec, 1, __ATOMIC_SEQ_CST);
    e->fs = fs;
    unsigned long flags = spin_lock_irqsave(&process_lock); // a thread that exits leaves it under this
    unsigned int users = __atomic_load_n(&fs->users, __ATOMIC_SEQ_CST);
    list_for_each_entry (t, &current->process->threads, process_link)
        mine += t->fs == fs;
    spin_unlock_irqrestore(&process_lock, flags);
    return users > mine;
}

// For the new program: may it have what the file gives? If not, it has what the old one had, at most.
static void limit_gain(struct exec *e, const struct cred *old, struct cred *new) {
    e->gaining = true;
    bool traced = ptrace_exec_begin();
    bool never = READ_ONCE(current->no_new_privs); // from here on no other thread changes it (seccomp_add())
    e->gains = !never && !shares_place(e) && !traced;
    if (e->gains)
        return;
    if (never || !cred_capable_within(old, CAP_SETUID)) {
        new->euid = new->uid;
        new->egid = new->gid;
    }
    new->cap_permitted &= old->cap_permitted;
}

static int compute_cred(struct exec *e) {
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    apply_set_ids(new, e);
    bool root = !(new->securebits &SECBIT_NOROOT), has_caps, effective;
    int err = apply_file_caps(new, e, &has_caps, &effective);
    if (err) {
        cred_put(new);
        return err;
    }
    // A set-user-id program of root's that has capabilities of its own has those.
    bool as_root = uid_is_root_in(new->user_ns, new->euid), is_root = uid_is_root_in(new->user_ns, new->uid);
    if (root && !(has_caps && !is_root && as_root)) {
        if (as_root || is_root)
            new->cap_permitted = old->cap_inheritable | old->cap_bounding;
        effective |= as_root;
    }
    bool set_ids = new->euid != old->uid || new->egid != old->gid;
    if (set_ids || new->cap_permitted & ~old->cap_permitted)
        limit_gain(e, old, new);
    new->suid = new->fsuid = new->euid;
    new->sgid = new->fsgid = new->egid;
    if (set_ids || has_caps)
        new->cap_ambient = 0;
    new->cap_permitted |= new->cap_ambient;
    new->cap_effective = effective ? new->cap_permitted : new->cap_ambient;
    new->securebits &= ~SECBIT_KEEP_CAPS;
    e->secure = set_ids || (!is_root && (effective || new->cap_permitted & ~new->cap_ambient));
    e->cred = new;
    return 0;
}

// May others with the same identity look into the new program? Not if its user may not read it, or acted as another.
static bool is_dumpable(const struct exec *e) {
    const struct cred *old = current->cred;
    if (old->uid != old->euid || old->gid != old->egid || inode_permission(e->program.file->inode, MAY_READ))
        return false;
    return !e->interpreter.file || !inode_permission(e->interpreter.file->inode, MAY_READ);
}

// ---- the only thread

// Ends the other threads of the process and takes over the process's number. -EAGAIN: the process is being
// ended itself.
static int become_single(struct process *p, struct thread *t) {
    struct thread *other;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    if (p->group_exit || p->exec_thread) {
        spin_unlock_irqrestore(&p->sig_lock, flags);
        return -EAGAIN;
    }
    p->exec_thread = t;
    list_for_each_entry (other, &p->threads, process_link) {
        if (other == t || other->exiting)
            continue;
        other->sig_pending |= SIGNAL_BIT(SIGKILL);
        signal_wake_locked(other, true);
    }
    bool killed = false;
    while (p->thread_count > 1 && !(killed = p->group_exit)) {
        thread_set_state(THREAD_KILLABLE);
        spin_unlock_irqrestore(&p->sig_lock, flags);
        schedule();
        flags = spin_lock_irqsave(&p->sig_lock);
    }
    p->exec_thread = NULL;
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return killed ? -EAGAIN : 0;
}

static void take_over_number(struct process *p, struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    if (p->leader != t)
        ptrace_new_leader_locked(p, t);
    spin_lock(&p->sig_lock);
    if (p->leader != t) {
        struct id *id = id_find_locked(t->tid);
        id->thread = NULL;
        id_release_locked(id);
        t->tid = p->pid;
        t->own_tid = p->own_pid;
        p->id->thread = t;
        p->leader = t;
    }
    p->exit_signal = SIGCHLD;
    spin_unlock(&p->sig_lock);
    spin_unlock_irqrestore(&process_lock, flags);
}

// ---- unsharing: what other processes share and this program is to have for itself

struct unshared {
    struct signal_handlers *handlers;
    struct files *files;
};

// With the other threads gone: what they shared is ours alone then, and POSIX locks, which belong to the table of
// files, stay.
static int prepare_unshare(struct process *p, struct unshared *u) {
    *u = (struct unshared){0};
    if (ref_read(&p->handlers->refs) > 1) {
        u->handlers = signal_handlers_copy(p->handlers, true);
        if (!u->handlers)
            return -ENOMEM;
    }
    if (files_are_shared(current->files)) {
        u->files = files_copy(current->files);
        if (!u->files)
            return -ENOMEM;
    }
    return 0;
}

static void discard_unshare(struct unshared *u) {
    if (u->handlers)
        signal_handlers_put(u->handlers);
    if (u->files)
        files_leave(u->files);
}

static void commit_unshare(struct process *p, struct unshared *u) {
    if (u->handlers) {
        struct signal_handlers *old = p->handlers;
        unsigned long flags = spin_lock_irqsave(&p->sig_lock);
        p->handlers = u->handlers;
        spin_unlock_irqrestore(&p->sig_lock, flags);
        signal_handlers_put(old);
    }
    if (u->files) {
        struct files *old = current->files;
        unsigned long flags = spin_lock_irqsave(&process_lock); // /proc looks at other threads' files
        current->files = u->files;
        spin_unlock_irqrestore(&process_lock, flags);
        files_leave(old);
    }
}

// ---- the point of no return, and what follows

// The old program's memory and identity go together: whoever looks in (proc/access.h) finds both of the one program
// or both of the other.
static void switch_memory_and_identity(struct exec *e) {
    struct thread *t = current;
    struct process *p = t->process;
    struct vmspace *old = t->vm;
    if (old) {
        process_leave_memory(t);
        p->peak_rss = MAX(p->peak_rss, MAX(old->rss_peak, old->rss_anon + old->rss_file));
    }
    mutex_lock(&p->access_lock);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    vmspace_switch(e->vm);
    WRITE_ONCE(p->execs, p->execs + 1);
    spin_unlock_irqrestore(&process_lock, flags);
    thread_set_cred(e->cred);
    mutex_unlock(&p->access_lock);
    keys_exec();
    e->vm = NULL;
    e->cred = NULL;
    process_vfork_done();
    if (old)
        vmspace_leave(old);
}

static void reset_thread(struct thread *t) {
    t->robust_list = NULL;
    rseq_forget(t);
    t->clear_child_tid = NULL;
    t->altstack_sp = t->altstack_size = 0;
    t->altstack_flags = 0;
    t->restart.fn = restart_nothing;
    fpu_reset();
}

static void set_registers(const struct exec *e) {
    struct trap_frame *f = arch_user_frame(current);
    unsigned long status = f->status;
    memset(f, 0, sizeof(*f));
    f->status = status;
    f->pc = e->entry;
    f->sp = e->stack_pointer;
    arch_frame_changed();
}

static const char *base_name(const char *path) {
    const char *name = path;
    for (; *path; path++) {
        if (*path == '/')
            name = path + 1;
    }
    return name;
}

static void commit(struct exec *e, struct unshared *u) {
    struct thread *t = current;
    struct process *p = t->process;
    e->old_tid = t->tid;
    e->old_own_tid = t->own_tid;
    // ---- The point of no return: nothing below fails.
    take_over_number(p, t);
    commit_unshare(p, u);
    signal_exec(p);
    posix_timers_exec(p);
    files_close_on_exec(t->files);
    if (e->set_ids)
        p->personality &= ~PER_CLEAR_ON_SETID;
    if (e->secure) {
        t->parent_death_signal = 0;
        p->limits[RLIMIT_STACK].rlim_cur = MIN(p->limits[RLIMIT_STACK].rlim_cur, SECURE_STACK_LIMIT);
    }
    switch_memory_and_identity(e);
    reset_thread(t);
    thread_set_name(t, base_name(e->name));
    set_registers(e);
}

// ---- the call

static size_t strings_limit(void) {
    uint64_t limit = MIN(current_rlimit(RLIMIT_STACK) / 4, (uint64_t)EXEC_TOTAL_MAX);
    return MAX(limit, (uint64_t)EXEC_STRING_MAX);
}

static int gather_strings(struct exec *e, const struct exec_strings *argv, const struct exec_strings *envp,
                          bool skip_first) {
    int err = exec_add_strings(e, argv, skip_first, &e->argc);
    if (!err && !e->argc) { // as Linux: programs rely on argv[0]
        e->argc = 1;
        err = exec_add_kernel_string(e, "");
    }
    e->env_offset = e->strings_size;
    return err ? err : exec_add_strings(e, envp, false, &e->envc);
}

static int prepare(struct exec *e, int dfd, const char *path, unsigned int lookup,
                   const struct exec_strings *argv, const struct exec_strings *envp) {
    bool skip_first;
    int err = exec_open(dfd, path, lookup, &e->program);
    if (!err)
        err = exec_resolve_scripts(e, &skip_first);
    if (!err)
        err = gather_strings(e, argv, envp, skip_first);
    if (!err)
        err = compute_cred(e);
    if (!err)
        err = exec_load(e);
    if (!err)
        e->vm->dumpable = is_dumpable(e);
    return err;
}

static void release(struct exec *e) {
    if (e->gaining)
        ptrace_exec_end();
    if (e->fs)
        __atomic_fetch_sub(&e->fs->in_exec, 1, __ATOMIC_SEQ_CST);
    exec_close(&e->program);
    exec_close(&e->interpreter);
    if (e->vm)
        vmspace_put(e->vm);
    cred_put(e->cred);
    kfree(e->strings);
}

// What the program is told its name was: for a descriptor's file, a name in /dev/fd that an interpreter can
// open. NULL: no memory.
static char *descriptor_name(int dfd, const char *path) {
    size_t size = strlen(path) + 32;
    char *name = kmalloc(size);
    if (name)
        lib_snprintf(name, size, *path ? "/dev/fd/%d/%s" : "/dev/fd/%d", dfd, path);
    return name;
}

long process_exec(int dfd, const char *path, const struct exec_strings *argv, const struct exec_strings *envp,
                  int flags) {
    struct exec e = {.name = path, .strings_limit = strings_limit()};
    struct process *p = current->process;
    unsigned int lookup =
        (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    char *made_name = NULL;
    struct unshared u = {0};
    if (unlikely(current->too_many_threads) && process_user_is_over(current->real_cred->user))
        return -EAGAIN;
    current->too_many_threads = false;
    if (dfd != AT_FDCWD && *path != '/') {
        made_name = descriptor_name(dfd, path);
        if (!made_name)
            return -ENOMEM;
        e.name = made_name;
        e.name_closes = fd_get_cloexec(dfd) == 1;
    }
    int err = prepare(&e, dfd, path, lookup, argv, envp);
    if (!err)
        err = become_single(p, current);
    if (!err && e.gains && ptrace_exec_limits())
        err = -EPERM; // the last word: nothing changes who traces us any more
    if (!err)
        err = prepare_unshare(p, &u);
    if (err)
        discard_unshare(&u);
    else
        commit(&e, &u);
    release(&e);
    kfree(made_name);
    if (!err)
        ptrace_event_exec(e.old_tid, e.old_own_tid);
    return err;
}
