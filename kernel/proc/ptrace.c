// SPDX-License-Identifier: MIT
// Who traces whom: how that begins, what the tracer does to its tracee, and how it ends. proc/ptrace.h has the overview,
// proc/ptrace_stop.c the stops.
#include "proc/ptrace.h"
#include "core/errno.h"
#include "proc/access.h"
#include "proc/exit.h"
#include "upcalls.h"
#include <linux/capability.h>

// Whoever waits until an execve that gains privileges is over.
static struct wait_queue exec_done = WAIT_QUEUE_INIT(exec_done);

// ---- beginning

// Both tables of entries, made by sys/dispatch.c.
void thread_look_at_calls(struct thread *t) {
    bool looks = t->ptrace.tracer || t->seccomp;
    __atomic_store_n(&t->arch.syscalls, looks ? syscall_entries_traced : syscall_entries, __ATOMIC_RELAXED);
}

// Nobody has seen t yet, or sig_lock is held, too.
static void link_locked(struct thread *t, struct process *p, struct thread *tracer) {
    ASSERT_HELD(&process_lock);
    struct ptrace *pt = &t->ptrace;
    pt->tracer = tracer;
    pt->process = p;
    pt->trap = pt->notice = pt->calls = false;
    process_get(p);
    thread_get(t);
    list_add_tail(&pt->link, &tracer->ptrace.tracees);
    tracer->process->tracees++;
    if (t->tid == p->pid)
        p->tracee = t;
    thread_look_at_calls(t);
}

// Process_lock held. *settles: it rests in a stop of all threads, and has to come over into one for its tracer.
static int attach_locked(struct thread *t, struct process *p, bool seize, uint32_t options, bool *settles) {
    ASSERT_HELD(&process_lock);
    if (list_empty(&t->process_link) || t->exiting || t->ptrace.tracer)
        return -EPERM;
    spin_lock(&p->sig_lock);
    link_locked(t, p, current);
    t->ptrace.seized = seize;
    t->ptrace.options = options;
    t->ptrace.privileged = capable(CAP_SYS_PTRACE);
    *settles = t->sig_stopped;
    if (*settles) {
        t->ptrace.trap = true;
        signal_wake_locked(t, true);
    }
    spin_unlock(&p->sig_lock);
    if (!seize)
        signal_send_thread(t, SIGSTOP);
    return 0;
}

static bool has_settled(struct thread *t) {
    return READ_ONCE(t->ptrace.stopped) || READ_ONCE(t->exiting) || READ_ONCE(t->ptrace.tracer) != current;
}

static int attach(struct thread *t, struct process *p, bool seize, uint32_t options) {
    bool settles = false;
    int err;
    while (!(err = process_access_begin(p, ACCESS_CALL)) && p->gaining) {
        process_access_end(p);
        if (wait_event_interruptible(&exec_done, !READ_ONCE(p->gaining)))
            return -ERESTARTNOINTR;
    }
    if (err)
        return -EPERM;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    err = attach_locked(t, p, seize, options, &settles);
    spin_unlock_irqrestore(&process_lock, flags);
    process_access_end(p);
    if (!err && settles)
        (void)wait_event_killable(&current->process->wait, has_settled(t));
    return err;
}

int ptrace_attach(pid_t tid, bool seize, uint32_t options) {
    struct thread *t = thread_find(tid);
    struct process *p = t ? thread_get_process(t) : process_find(tid);
    int err = !p ? -ESRCH : !t || p == current->process ? -EPERM : attach(t, p, seize, options);
    if (p)
        process_put(p);
    if (t)
        thread_put(t);
    return err;
}

// The thread that made p, or another of its parent's.
static struct thread *maker_of(struct process *p) {
    ASSERT_HELD(&process_lock);
    struct id *id = p->maker ? id_find_locked(p->maker) : NULL;
    struct thread *t = id && id->thread && id->thread->process == p->parent ? id->thread : p->parent->leader;
    if (!t && !list_empty(&p->parent->threads))
        t = list_first_entry(&p->parent->threads, struct thread, process_link);
    return t;
}

int ptrace_traceme(void) {
    struct thread *t = current, *tracer;
    struct process *p = t->process;
    int err = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct cred *its = p->parent ? p->parent->cred : NULL;
    if (t->ptrace.tracer || !its ||
        (t->cred->cap_permitted & ~its->cap_permitted &&
         !cred_capable_in(its, t->cred->user_ns, CAP_SYS_PTRACE))) {
        err = -EPERM;
    } else if ((tracer = maker_of(p)) && !tracer->exiting) {
        spin_lock(&p->sig_lock);
        link_locked(t, p, tracer);
        t->ptrace.privileged = capable(CAP_SYS_PTRACE);
        spin_unlock(&p->sig_lock);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

void ptrace_inherit_locked(struct thread *t, struct process *p) {
    ASSERT_HELD(&process_lock);
    const struct ptrace *mine = &current->ptrace;
    if (!mine->tracer)
        return;
    link_locked(t, p, mine->tracer);
    t->ptrace.seized = mine->seized;
    t->ptrace.options = mine->options;
    t->ptrace.privileged = mine->privileged;
    if (mine->seized)
        t->ptrace.trap = true;
    else
        t->sig_pending |= SIGNAL_BIT(SIGSTOP);
    __atomic_fetch_or(&t->arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
}

// ---- ending

// A thread that has ended and was kept for its tracer.
static void forget_dead_locked(struct thread *t) {
    ASSERT_HELD(&process_lock);
    struct user *user = t->ptrace.user;
    if (!user) // a leader: its process is kept
        return;
    t->ptrace.user = NULL;
    process_counts.zombies--;
    user_uncharge(user, USER_THREADS, 1);
    user_put(user);
    id_release_locked(id_find_locked(t->tid));
}

#define UNANSWERED (-1)

// What the stop of a tracee whose tracer ends without an answer is about: a signal that nobody waited for has its effect.
static int signal_of_stop_locked(const struct ptrace *pt) {
    ASSERT_HELD(&pt->process->sig_lock);
    bool signal = pt->stopped && !pt->reported && pt->info && pt->code == pt->info->si_signo &&
                  pt->info->si_code != pt->code;
    return signal ? pt->code : 0;
}

// t is its own master again; if it was stopped it goes on, with signal `sig`, or as UNANSWERED.
static void unlink_locked(struct thread *t, int sig) {
    ASSERT_HELD(&process_lock);
    struct ptrace *pt = &t->ptrace;
    struct process *p = pt->process;
    spin_lock(&p->sig_lock);
    bool rested = pt->stopped;
    pt->answer = sig == UNANSWERED ? signal_of_stop_locked(pt) : sig;
    list_del(&pt->link);
    pt->tracer->process->tracees--;
    pt->tracer = NULL;
    pt->options = 0;
    pt->seized = pt->privileged = pt->calls = pt->trap = pt->notice = pt->stopped = pt->listening = false;
    thread_look_at_calls(t);
    if (!pt->dead && (rested || p->group_stop)) // which may be waiting for it
        signal_wake_locked(t, rested);
    spin_unlock(&p->sig_lock);
    if (p->tracee == t)
        p->tracee = NULL;
    pt->process = NULL;
    forget_dead_locked(t);
    process_put(p);
    thread_put(t);
}

// The tracer lets go of t. Its process, if it is a zombie, is its parent's now.
static void detach_locked(struct thread *t, int sig) {
    ASSERT_HELD(&process_lock);
    struct process *p = t->ptrace.process, *tracer = t->ptrace.tracer->process;
    bool zombie = p->tracee == t && p->zombie, by_parent = tracer == p->parent;
    unlink_locked(t, sig);
    if (zombie && !by_parent) {
        process_notify_exit_locked(p);
    } else if (zombie) {
        if (signal_reaps_children(tracer))
            process_reap_locked(p, false);
        wake_all(&tracer->wait); // who did not see it, as another thread's tracee
    }
}

void ptrace_reap_locked(struct thread *t) {
    ASSERT_HELD(&process_lock);
    struct process *p = t->ptrace.process;
    bool leader = p->tracee == t, by_parent = t->ptrace.tracer->process == p->parent;
    unlink_locked(t, 0);
    if (leader && by_parent)
        process_reap_locked(p, true);
    else if (leader)
        process_notify_exit_locked(p);
}

void ptrace_exit_tracer(void) {
    struct list_head *tracees = &current->ptrace.tracees;
    // From an empty list none can come: tracees of ours are what could get others.
    for (; !list_empty(tracees); cond_resched()) {
        unsigned long flags = spin_lock_irqsave(&process_lock);
        if (!list_empty(tracees)) { // another thread may have waited for the last
            struct thread *t = list_first_entry(tracees, struct thread, ptrace.link);
            if (t->ptrace.options & PTRACE_O_EXITKILL)
                (void)signal_send_process(t->ptrace.process, SIGKILL);
            detach_locked(t, UNANSWERED);
        }
        spin_unlock_irqrestore(&process_lock, flags);
    }
}

void ptrace_new_leader_locked(struct process *p, struct thread *t) {
    ASSERT_HELD(&process_lock);
    struct thread *old = p->tracee;
    if (old && old != t) {
        wake_all(&old->ptrace.tracer->process->wait);
        unlink_locked(old, 0);
    }
    if (t->ptrace.tracer)
        p->tracee = t;
}

// ---- what a tracer does

int ptrace_find(pid_t tid, struct tracee *out) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_named_locked(tid);
    struct thread *t = id ? id->thread : NULL;
    bool mine = t && t->ptrace.tracer == current;
    if (mine) {
        thread_get(t);
        process_get(t->ptrace.process);
        *out = (struct tracee){t, t->ptrace.process};
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return mine ? 0 : -ESRCH;
}

void ptrace_put(struct tracee *x) {
    thread_put(x->thread);
    process_put(x->process);
}

// It may have told that it is stopped and not yet have left its hart, to which its registers belong until then.
bool ptrace_hold(struct tracee *x, unsigned long *flags) {
    struct thread *t = x->thread;
    for (;;) {
        *flags = spin_lock_irqsave(&x->process->sig_lock);
        if (t->ptrace.tracer != current || !t->ptrace.stopped || t->ptrace.listening ||
            t->sig_pending & SIGNAL_BIT(SIGKILL)) {
            spin_unlock_irqrestore(&x->process->sig_lock, *flags);
            return false;
        }
        if (!__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE))
            return true;
        spin_unlock_irqrestore(&x->process->sig_lock, *flags);
        cpu_relax();
        cond_resched();
    }
}

void ptrace_release(struct tracee *x, unsigned long flags) {
    spin_unlock_irqrestore(&x->process->sig_lock, flags);
}

void ptrace_resume_locked(struct tracee *x, int sig, bool calls) {
    ASSERT_HELD(&x->process->sig_lock);
    struct ptrace *pt = &x->thread->ptrace;
    pt->answer = sig;
    pt->calls = calls;
    pt->stopped = false;
    thread_wake(x->thread);
}

int ptrace_detach(struct tracee *x, int sig) {
    unsigned long flags;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    ptrace_release(x, flags);
    // Only we could let it go on; if it was killed meanwhile it ends, and if it was waited for it is not ours any more.
    flags = spin_lock_irqsave(&process_lock);
    bool mine = x->thread->ptrace.tracer == current;
    if (mine)
        detach_locked(x->thread, sig);
    spin_unlock_irqrestore(&process_lock, flags);
    return mine ? 0 : -ESRCH;
}

int ptrace_interrupt(struct tracee *x) {
    struct thread *t = x->thread;
    int err = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock); // as it leaves its process
    spin_lock(&x->process->sig_lock);
    if (t->ptrace.tracer != current || t->ptrace.dead) {
        err = -ESRCH;
    } else if (!t->ptrace.seized) {
        err = -EIO;
    } else {
        t->ptrace.trap = true;
        signal_wake_locked(t, t->ptrace.listening);
    }
    spin_unlock(&x->process->sig_lock);
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

// ---- execve

int ptrace_exec_hold(void) {
    struct process *p = current->process;
    for (;;) {
        mutex_lock(&p->access_lock);
        if (!p->gaining)
            return 0;
        mutex_unlock(&p->access_lock);
        if (wait_event_interruptible(&exec_done, !READ_ONCE(p->gaining)))
            return -ERESTARTNOINTR;
    }
}

void ptrace_exec_release(void) {
    mutex_unlock(&current->process->access_lock);
}

bool ptrace_exec_begin(void) {
    struct process *p = current->process;
    mutex_lock(&p->access_lock);
    p->gaining++;
    mutex_unlock(&p->access_lock);
    return ptrace_exec_limits();
}

bool ptrace_exec_limits(void) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    bool limits = current->ptrace.tracer && !current->ptrace.privileged;
    spin_unlock_irqrestore(&process_lock, flags);
    return limits;
}

void ptrace_exec_end(void) {
    struct process *p = current->process;
    mutex_lock(&p->access_lock);
    p->gaining--;
    mutex_unlock(&p->access_lock);
    wake_all(&exec_done);
}
