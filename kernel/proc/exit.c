// SPDX-License-Identifier: MIT
// The end of threads and processes.
//
// A thread that exits first stops taking signals, then lets go of memory, files and the rest, and at last
// leaves its process. The one that leaves last makes the process a zombie: its children get a new parent, its
// own parent is told.
#include "proc/exit.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "ipc/sem.h"
#include "keys/key.h"
#include "lib/string.h"
#include "proc/accounting.h"
#include "proc/coredump.h"
#include "proc/fork.h"
#include "proc/futex.h"
#include "proc/namespace.h"
#include "proc/oom.h"
#include "proc/posix_timer.h"
#include "proc/process.h"
#include "proc/ptrace.h"
#include "proc/seccomp.h"
#include "proc/signalfd.h"
#include "proc/usage.h"
#include "upcalls.h"
#include "vm/vmspace.h"
#include <linux/poll.h>

// ---- letting go

void process_vfork_done(void) {
    struct thread *t = current, *parent = t->vfork_parent;
    if (!parent)
        return;
    t->vfork_parent = NULL;
    __atomic_store_n(&t->vfork_done, true, __ATOMIC_RELEASE);
    thread_wake(parent);
    thread_put(parent);
}

void process_leave_memory(struct thread *t) {
    futex_exit_robust(t);
    // Nobody waits for the word if nobody shares the memory.
    if (t->clear_child_tid && ref_read(&t->vm->refs) > 1 && !put_user(0, t->clear_child_tid))
        (void)futex_wake_user((uint32_t __user *)t->clear_child_tid, 1);
    t->clear_child_tid = NULL;
}

static void drop_memory(struct thread *t) {
    struct process *p = t->process;
    struct vmspace *vm = t->vm;
    process_leave_memory(t);
    long peak = MAX(vm->rss_peak, vm->rss_anon + vm->rss_file);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    p->peak_rss = MAX(p->peak_rss, peak);
    vmspace_switch(NULL);
    spin_unlock_irqrestore(&process_lock, flags);
    vmspace_leave(vm);
    process_vfork_done();
}

static void drop_files(struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock); // /proc looks at them
    struct files *files = t->files;
    struct fs_context *fs = t->fs;
    t->files = NULL;
    t->fs = NULL;
    fs_context_leave(fs);
    spin_unlock_irqrestore(&process_lock, flags);
    files_leave(files);
    fs_context_put(fs);
    namespaces_leave(t);
}

// ---- children

// Whoever is in the namespace and has asked for them, or its init.
static struct process *find_reaper(struct process *p) {
    for (struct process *a = p->parent; a && a->pid_ns == p->pid_ns; a = a->parent) {
        if (a->child_subreaper && a->live_threads)
            return a;
    }
    return p->pid_ns->init;
}

static void send_parent_death(struct process *child) {
    struct thread *t;
    list_for_each_entry (t, &child->threads, process_link) {
        if (t->parent_death_signal)
            signal_send_thread(t, t->parent_death_signal);
    }
}

static void give_children_away(struct process *p) {
    struct process *reaper = find_reaper(p), *child, *next;
    list_for_each_entry_safe (child, next, &p->children, sibling) {
        process_set_parent_locked(child, reaper);
        child->maker = 0;
        child->exit_signal = SIGCHLD;
        list_del(&child->sibling);
        list_add_tail(&child->sibling, &reaper->children);
        send_parent_death(child);
        if (child->zombie && !child->tracee)
            process_notify_exit_locked(child);
    }
}

// ---- the parent

static void exit_info(struct process *p, siginfo_t *info) {
    signal_info_clear(info);
    int status = p->exit_status;
    info->si_signo = p->exit_signal;
    info->si_code = status & 0x80 ? CLD_DUMPED : status & 0x7f ? CLD_KILLED : CLD_EXITED;
    info->si_status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
    info->si_pid = process_number_locked(p, p->parent->pid_ns);
    info->si_uid = p->cred->uid;
    info->si_utime = p->dead_user / (NSEC_PER_SEC / 100);
    info->si_stime = p->dead_system / (NSEC_PER_SEC / 100);
}

void process_notify_exit_locked(struct process *p) {
    ASSERT_HELD(&process_lock);
    struct process *parent = p->parent;
    bool reap = p->exit_signal == SIGCHLD && signal_reaps_children(parent);
    if (unlikely(parent->pid_ns->ended && parent->pid_ns->init == parent))
        reap = true; // it asks for nobody any more
    // Though it is ignored it may be blocked and waited for (sigwait), or shown to a tracer.
    struct thread *t = parent->leader;
    if (p->exit_signal && (!signal_ignored_by(parent, p->exit_signal) ||
                           (t && (ptrace_is_traced(t) || t->sig_blocked & SIGNAL_BIT(p->exit_signal))))) {
        siginfo_t info;
        exit_info(p, &info);
        (void)signal_send_process_info(parent, &info);
    }
    if (!wait_queue_empty(&parent->wait))
        wake_all(&parent->wait);
    if (reap)
        process_reap_locked(p, false);
}

// ---- leaving

// Its last thread has left p.
static void die_locked(struct process *p) {
    ASSERT_HELD(&process_lock);
    spin_lock(&p->sig_lock);
    struct signal_handlers *handlers = p->handlers;
    p->handlers = NULL;
    spin_unlock(&p->sig_lock);
    signal_handlers_put(handlers);
    pgrp_check_orphans_locked(p, p->parent);
    if (unlikely(p->pid_ns->init == p))
        p->pid_ns->init = NULL; // it has no children any more
    give_children_away(p);
    p->zombie = true;
    if (!wait_queue_empty(&p->exited))
        wake_poll(&p->exited, POLLIN);
    if (unlikely(p->tracee))
        ptrace_notify_zombie_locked(p);
    else
        process_notify_exit_locked(p);
}

static void add_accounts(struct process *p, struct thread *t) {
    thread_add_times(t, &p->dead_user, &p->dead_system);
    p->dead_faults += t->min_faults;
    io_usage_add(&p->dead_io, &t->io);
    p->dead_switches[0] += t->switches_voluntary;
    p->dead_switches[1] += t->switches_involuntary;
}

// Who it was, a reference.
static struct cred *leave_process(struct thread *t) {
    struct process *p = t->process;
    signal_flush_thread(t);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    add_accounts(p, t);
    memcpy(p->last_name, t->name, sizeof(p->last_name));
    struct id *id = id_find_locked(t->tid);
    id->thread = NULL;
    struct cred *cred = t->real_cred;
    t->real_cred = NULL;
    spin_lock(&p->sig_lock);
    list_del(&t->process_link);
    p->thread_count--;
    process_counts.threads--;
    if (!p->thread_count) { // a zombie counts until it is reaped
        user_charge(p->user, USER_THREADS, 1);
        process_counts.zombies++;
    }
    user_uncharge(cred->user, USER_THREADS, 1);
    if (p->leader == t)
        p->leader = NULL;
    struct thread *exec_thread = p->exec_thread;
    if (exec_thread && p->thread_count == 1)
        thread_wake(exec_thread);
    spin_unlock(&p->sig_lock);
    if (!ptrace_left_locked(p, t, cred->user) && t->tid != p->pid)
        id_release_locked(id);
    if (!p->thread_count)
        die_locked(p);
    spin_unlock_irqrestore(&process_lock, flags);
    return cred;
}

// No more signals from here on. True if t is the last of its process to begin.
static bool begin_exit(struct process *p, struct thread *t, int status) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    spin_lock(&p->sig_lock);
    t->exiting = true;
    p->used_privilege |= t->used_privilege;
    if (!p->killed)
        t->sig_pending &= ~SIGNAL_BIT(SIGKILL);
    bool last = --p->live_threads == 0;
    coredump_thread_leaves_locked(p);
    t->ptrace.exit_status = p->group_exit ? p->exit_status : status;
    if (!p->group_exit && p->leader == t)
        p->exit_status = status;
    if (last)
        p->group_exit = true;
    bool stops = signal_thread_leaves_locked(p, t);
    spin_unlock(&p->sig_lock);
    if (stops)
        signal_notify_parent_locked(p, CLD_STOPPED);
    spin_unlock_irqrestore(&process_lock, flags);
    return last;
}

// ---- the end of a namespace's init: pid_namespaces(7)

static void begin_end(struct pid_ns *ns, struct process *init) {
    struct process *child, *next;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    ns->ended = true;
    ns->emptied = &init->wait;
    list_for_each_entry_safe (child, next, &init->children, sibling)
        if (child->zombie && !child->tracee)
            process_reap_locked(child, true);
    if (id_in(init->group_id, ns)) { // whose number it would keep, and wait for
        pgrp_check_orphans_locked(init, init->parent);
        process_set_group_locked(init, init->id);
    }
    spin_unlock_irqrestore(&process_lock, flags);
}

static void kill_all(struct pid_ns *ns, struct process *init) {
    struct process *p;
    for (pid_t nr = 0; (p = process_after(ns, &nr)); cond_resched()) {
        unsigned long flags = spin_lock_irqsave(&process_lock);
        if (p != init)
            (void)signal_send_process(p, SIGKILL);
        spin_unlock_irqrestore(&process_lock, flags);
        process_put(p);
    }
}

// All others go first, also those whom a parent or a tracer outside has to ask for. No new ones come: see fork.c's commit(). What
// dies from now on as a child of the init is waited for by nobody (process_notify_exit_locked()).
static void end_namespace(struct process *init) {
    struct pid_ns *ns = init->pid_ns;
    unsigned int own = current->tid == init->pid ? 1 : 2; // numbers: of the process, of its last thread
    begin_end(ns, init);
    kill_all(ns, init);
    wait_event(&init->wait, READ_ONCE(ns->count) <= own);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    ns->emptied = NULL;
    spin_lock(&init->sig_lock);
    if (ns->reboot_signal)
        init->exit_status = ns->reboot_signal;
    spin_unlock(&init->sig_lock);
    spin_unlock_irqrestore(&process_lock, flags);
    accounting_end(ns);
}

void process_exit_thread(int status) {
    struct thread *t = current;
    struct process *p = t->process;
    coredump_rest();
    ptrace_event_exit(status);
    bool last = begin_exit(p, t, status);
    if (last && p == init_process)
        panic("Attempted to kill init! exitcode=0x%08x", p->exit_status);
    if (last) {
        posix_timers_exit(p);
        accounting_of_end(p);
    }
    ptrace_exit_tracer();
    drop_memory(t);
    sem_leave_undos(t);
    drop_files(t);
    seccomp_exit();
    keys_exit_thread(t);
    if (last) {
        keys_exit_process(&p->keys);
        if (p->tty)
            process_leave_tty();
        signal_flush_process(p);
        signalfd_exit(p);
        if (unlikely(p->pid_ns->init == p)) // the machine's does not get here
            end_namespace(p);
    }
    struct cred *cred = leave_process(t);
    oom_process_left(p);
    irq_disable(); // interrupts look at these
    t->process = NULL;
    t->pid_ns = &first_pid_ns;
    t->limits = NULL;
    t->cred = NULL;
    irq_enable();
    cred_put(cred);
    process_put(p);
    thread_exit();
}

void process_exit_group(int status) {
    struct process *p = current->process;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    signal_group_exit_locked(p, status);
    status = p->exit_status;
    spin_unlock_irqrestore(&p->sig_lock, flags);
    process_exit_thread(status);
}
