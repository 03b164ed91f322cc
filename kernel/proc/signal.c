// SPDX-License-Identifier: MIT
// Sending signals: what is ignored, the queues, and which thread is to take them. proc/signal.h has the
// overview.
#include "proc/signal.h"
#include "core/errno.h"
#include "core/panic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/posix_timer.h"
#include "proc/process.h"
#include "proc/ptrace.h"
#include "proc/signalfd.h"
#include "upcalls.h"
#include <linux/capability.h>

static struct slab_cache *entry_cache, *handlers_cache;

// ---- handlers

struct signal_handlers *signal_handlers_copy(struct signal_handlers *old, bool defaults) {
    struct signal_handlers *h = slab_alloc(handlers_cache);
    if (!h)
        return NULL;
    ref_init(&h->refs);
    spin_init(&h->lock);
    if (!old) {
        memset(h->action, 0, sizeof(h->action));
        return h;
    }
    unsigned long flags = spin_lock_irqsave(&old->lock);
    memcpy(h->action, old->action, sizeof(h->action));
    spin_unlock_irqrestore(&old->lock, flags);
    for (int i = 0; defaults && i < SIGNAL_COUNT; i++) {
        if (h->action[i].handler != (unsigned long)SIG_IGN)
            h->action[i] = (struct signal_action){0};
    }
    return h;
}

void signal_handlers_put(struct signal_handlers *h) {
    if (ref_put(&h->refs))
        slab_free(handlers_cache, h);
}

void signal_exec(struct process *p) {
    struct signal_handlers *h = p->handlers;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        struct signal_action *a = &h->action[i];
        if (a->handler == (unsigned long)SIG_IGN)
            *a = (struct signal_action){.handler = (unsigned long)SIG_IGN};
        else if (a->handler != (unsigned long)SIG_DFL || a->flags)
            *a = (struct signal_action){0};
    }
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

static unsigned long handler_of(struct process *p, int sig) {
    return READ_ONCE(p->handlers->action[sig - 1].handler);
}

bool signal_has_default(struct process *p, int sig) {
    return handler_of(p, sig) == (unsigned long)SIG_DFL;
}

bool signal_ignored_by(struct process *p, int sig) {
    unsigned long handler = handler_of(p, sig);
    if (handler == (unsigned long)SIG_IGN)
        return true;
    return handler == (unsigned long)SIG_DFL && (SIGNAL_BIT(sig) & SIGNALS_NOTHING || p->unkillable);
}

bool signal_is_set_to_ignore(struct process *p, int sig) {
    return handler_of(p, sig) == (unsigned long)SIG_IGN;
}

bool signal_reaps_children(struct process *p) {
    const struct signal_action *a = &p->handlers->action[SIGCHLD - 1];
    return a->handler == (unsigned long)SIG_IGN || a->flags & SA_NOCLDWAIT;
}

bool signal_notifies_stops(struct process *p) {
    return !(p->handlers->action[SIGCHLD - 1].flags & SA_NOCLDSTOP);
}

// ---- queues

static void destroy_entry(struct signal_entry *e) {
    user_uncharge(e->user, USER_SIGNALS, 1);
    user_put(e->user);
    slab_free(entry_cache, e);
}

static void drop_entry(struct process *p, struct signal_entry *e) {
    list_del(&e->link);
    if (!e->owned)
        destroy_entry(e);
}

static void flush_queue(struct process *p, struct list_head *queue, sigset_bits *pending, sigset_bits set) {
    ASSERT_HELD(&p->sig_lock);
    struct signal_entry *e, *next;
    if (!(*pending & set))
        return;
    *pending &= ~set;
    list_for_each_entry_safe (e, next, queue, link) {
        if (SIGNAL_BIT(e->info.si_signo) & set)
            drop_entry(p, e);
    }
}

// From all queues of the process.
static void flush_everywhere(struct process *p, sigset_bits set) {
    struct thread *t;
    flush_queue(p, &p->sig_queue, &p->sig_pending, set);
    list_for_each_entry (t, &p->threads, process_link)
        flush_queue(p, &t->sig_queue, &t->sig_pending, set);
}

void signal_flush_thread(struct thread *t) {
    struct process *p = t->process;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    flush_queue(p, &t->sig_queue, &t->sig_pending, ~0ull);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

void signal_flush_process(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    flush_queue(p, &p->sig_queue, &p->sig_pending, ~0ull);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

// Pending with nothing known about it: the queue was full.
static void forget_info(int sig, siginfo_t *info) {
    signal_info_clear(info);
    info->si_signo = sig;
    info->si_code = SI_USER;
}

static void take_entry(struct process *p, struct list_head *queue, sigset_bits *pending, int sig,
                       siginfo_t *info) {
    struct signal_entry *e, *next, *first = NULL;
    bool more = false;
    list_for_each_entry_safe (e, next, queue, link) {
        if (e->info.si_signo != sig)
            continue;
        if (first) {
            more = true;
            break;
        }
        first = e;
    }
    if (!more)
        *pending &= ~SIGNAL_BIT(sig);
    if (!first) {
        forget_info(sig, info);
        return;
    }
    signal_info_copy(info, &first->info);
    if (info->si_code == SI_TIMER) // also what a program made up with rt_sigqueueinfo(2)
        info->si_sys_private = first->owned;
    drop_entry(p, first);
}

#define SYNCHRONOUS                                                                                          \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) |                   \
     SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

static int first_of(sigset_bits set) {
    sigset_bits urgent = set & SYNCHRONOUS;
    return __builtin_ctzll(urgent ? urgent : set) + 1;
}

int signal_dequeue_locked(struct process *p, struct thread *t, sigset_bits set, siginfo_t *info) {
    ASSERT_HELD(&p->sig_lock);
    int sig = 0;
    if (t->sig_pending & set) {
        sig = first_of(t->sig_pending & set);
        take_entry(p, &t->sig_queue, &t->sig_pending, sig, info);
    } else if (p->sig_pending & set) {
        sig = first_of(p->sig_pending & set);
        take_entry(p, &p->sig_queue, &p->sig_pending, sig, info);
    }
    return sig;
}

void signal_taken(siginfo_t *info) {
    if (info->si_code == SI_TIMER && info->si_sys_private) {
        info->si_sys_private = 0;
        info->si_overrun = posix_timer_dequeued(info->si_tid, info->si_overrun);
    } else if (info->si_signo == SIGALRM) {
        itimer_real_dequeued();
    }
}

// ---- choosing and waking threads

static bool has_something(const struct thread *t) {
    const struct process *p = t->process;
    sigset_bits open = ~(t->sig_blocked & ~t->sig_wait);
    bool stops = ptrace_is_traced(t) ? ptrace_must_trap_locked(p, t) : p->group_stop;
    return (t->sig_pending | p->sig_pending) & open || stops || p->continue_notify;
}

void signal_look_again_locked(struct thread *t) {
    ASSERT_HELD(&t->process->sig_lock);
    if (has_something(t))
        __atomic_fetch_or(&t->arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
}

void signal_recalculate_locked(struct thread *t) {
    ASSERT_HELD(&t->process->sig_lock);
    if (has_something(t))
        __atomic_fetch_or(&t->arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
    else if (READ_ONCE(t->arch.work) & WORK_SIGNAL)
        __atomic_fetch_and(&t->arch.work, ~WORK_SIGNAL, __ATOMIC_RELAXED);
}

void signal_wake_locked(struct thread *t, bool fatal) {
    ASSERT_HELD(&t->process->sig_lock);
    __atomic_fetch_or(&t->arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
    thread_wake_for_signal(
        t, fatal); // also the current thread: an interrupt may send it, and it be about to sleep
}

static bool wants(const struct thread *t, int sig) {
    return !t->exiting && !(t->sig_blocked & ~t->sig_wait & SIGNAL_BIT(sig)) && !ptrace_rests(t);
}

// Who takes a signal to the process: the running thread, the leader, anybody. NULL: all block it.
static struct thread *choose(struct process *p, int sig) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    if (current->process == p && wants(current, sig))
        return current;
    if (p->leader && wants(p->leader, sig))
        return p->leader;
    list_for_each_entry (t, &p->threads, process_link) {
        if (wants(t, sig))
            return t;
    }
    return NULL;
}

void signal_group_exit_locked(struct process *p, int status) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    bool first = !p->group_exit, kills = status == SIGKILL && !p->killed;
    if (!first && !kills)
        return;
    p->killed |= kills;
    if (first) {
        p->group_exit = true;
        p->exit_status = status;
        p->group_stop = p->stopped = p->continue_notify = false;
    }
    list_for_each_entry (t, &p->threads, process_link) {
        if (first)
            t->sig_stopped = false;
        if (t->exiting && !kills)
            continue;
        t->sig_pending |= SIGNAL_BIT(SIGKILL);
        signal_wake_locked(t, true);
    }
}

bool signal_join_stop_locked(struct process *p, struct thread *t) {
    ASSERT_HELD(&p->sig_lock);
    if (t->sig_stopped)
        return false;
    t->sig_stopped = true;
    if (!p->stop_left || --p->stop_left || p->stopped)
        return false;
    return p->stopped = p->stop_report = true;
}

void signal_new_thread_locked(struct process *p, struct thread *t) {
    ASSERT_HELD(&p->sig_lock);
    if (likely(!p->group_stop))
        return;
    p->stop_left += !p->stopped;
    __atomic_fetch_or(&t->arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
}

// SIGCONT takes effect when it is sent, whether it is blocked, caught or ignored. Who is traced rests until the tracer says
// otherwise.
static void continue_locked(struct process *p) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    bool stops = p->group_stop;
    flush_everywhere(p, SIGNALS_STOP);
    if (p->stopped)
        p->continue_report = p->continue_notify = true;
    p->group_stop = p->stopped = p->stop_report = false;
    list_for_each_entry (t, &p->threads, process_link) {
        t->sig_stopped = t->stop_taken = false;
        if (t->exiting)
            continue;
        if (t->ptrace.seized)
            ptrace_notice_locked(t);
        else if (stops && !ptrace_is_traced(t))
            signal_wake_locked(t, true);
    }
}

// The process is ending, and yet somebody kills it: threads that rest at their end for a tracer, or write a core file, go on.
static void kill_again_locked(struct process *p) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_link) {
        if (t->ptrace.stopped || t == p->core_writer) {
            t->sig_pending |= SIGNAL_BIT(SIGKILL);
            signal_wake_locked(t, true);
        }
    }
}

// ---- sending

// Whose mask and tracer count for a signal to t, or (NULL) to p.
static struct thread *main_target(struct process *p, struct thread *t) {
    return t ? t : p->leader ? p->leader : list_first_entry(&p->threads, struct thread, process_link);
}

// A signal that p ignores is still kept for who blocks it, and for a tracer, which sees them all.
static bool is_kept(struct process *p, struct thread *t, int sig) {
    t = main_target(p, t);
    return sig != SIGKILL && ((t->sig_blocked | t->sig_wait) & SIGNAL_BIT(sig) || ptrace_is_traced(t));
}

// Charged to the user of p, within RLIMIT_SIGPENDING unless it `must` be. NULL: no memory, or too many.
static struct signal_entry *make_entry(struct process *p, const siginfo_t *info, bool must) {
    struct user *user = p->user;
    uint64_t queued = user_charge(user, USER_SIGNALS, 1);
    struct signal_entry *e = NULL;
    if (queued <= p->limits[RLIMIT_SIGPENDING].rlim_cur || must)
        e = slab_alloc(entry_cache);
    if (!e) {
        user_uncharge(user, USER_SIGNALS, 1);
        return NULL;
    }
    e->user = user_get(user);
    list_init(&e->link);
    e->owned = false;
    signal_info_copy(&e->info, info);
    return e;
}

// An owned entry is queued beside others of its signal.
static void enqueue_owned(struct signal_entry *e, struct list_head *queue, sigset_bits *pending) {
    if (!list_empty(&e->link)) {
        e->info.si_overrun++;
        return;
    }
    e->info.si_overrun = 0;
    list_add_tail(&e->link, queue);
    *pending |= SIGNAL_BIT(e->info.si_signo);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // as in enqueue()
}

static int enqueue(struct process *p, struct thread *t, const siginfo_t *info, struct signal_entry *owned) {
    ASSERT_HELD(&p->sig_lock);
    int sig = info->si_signo;
    struct list_head *queue = t ? &t->sig_queue : &p->sig_queue;
    sigset_bits *pending = t ? &t->sig_pending : &p->sig_pending;
    if (owned) {
        enqueue_owned(owned, queue, pending);
        signalfd_wake_locked(p, sig);
        return 0;
    }
    if (sig < SIGRTMIN && *pending & SIGNAL_BIT(sig))
        return 1;
    struct signal_entry *e = make_entry(p, info, sig < SIGRTMIN && info->si_code >= 0);
    if (e) {
        list_add_tail(&e->link, queue);
    } else if (sig >= SIGRTMIN && info->si_code != SI_USER) {
        return -EAGAIN;
    }
    *pending |= SIGNAL_BIT(sig);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // before looking who blocks it: see signal_set_blocked()
    signalfd_wake_locked(p, sig);
    return 0;
}

// Was it sent by a call of the current process, which it tells of? Others that say so come from timers and files.
static bool tells_of_current(const siginfo_t *info) {
    return info->si_code <= 0 && info->si_code != SI_TIMER && info->si_code != SI_SIGIO;
}

// The number that p has for the current process; 0: it does not see it.
static pid_t sender_as_seen_by(const struct process *p) {
    const struct id *id = current->process ? current->process->id : NULL;
    return id ? id_in(id, p->pid_ns) : 0;
}

// What the init of a namespace cannot refuse: SIGKILL and SIGSTOP from outside, or from the kernel.
static bool __attribute__((noinline)) is_forced(const struct process *p, const siginfo_t *info) {
    return p->pid_ns->level && SIGNAL_BIT(info->si_signo) & SIGNALS_KILL_STOP &&
           (info->si_code == SI_KERNEL || (tells_of_current(info) && !sender_as_seen_by(p)));
}

// t NULL: to the process. `owned`: the entry that carries `info`, or NULL. sig_lock held.
static int send_locked(struct process *p, struct thread *t, const siginfo_t *info,
                       struct signal_entry *owned) {
    ASSERT_HELD(&p->sig_lock);
    int sig = info->si_signo;
    bool ends = !p->live_threads || (t && t->exiting); // with that it waits for nothing
    if (!p->thread_count || (ends && sig != SIGKILL))
        return -ESRCH;
    if (SIGNAL_BIT(sig) & SIGNALS_STOP)
        flush_everywhere(p, SIGNAL_BIT(SIGCONT));
    else if (sig == SIGCONT)
        continue_locked(p);
    if (signal_ignored_by(p, sig) && !is_kept(p, t, sig) && (!p->unkillable || owned || !is_forced(p, info)))
        return 1;
    if (sig == SIGKILL) {
        if (p->group_exit)
            kill_again_locked(p);
        signal_group_exit_locked(p, SIGKILL);
        return 0;
    }
    int ret = enqueue(p, t, info, owned);
    if (ret)
        return ret;
    struct thread *target = t ? (wants(t, sig) ? t : NULL) : choose(p, sig);
    if (!target)
        return 0;
    bool fatal = !p->unkillable && !(SIGNAL_BIT(sig) & (SIGNALS_STOP | SIGNALS_NOTHING | SIGNALS_CORE)) &&
                 !(target->sig_blocked & SIGNAL_BIT(sig)) && signal_has_default(p, sig) &&
                 !ptrace_is_traced(main_target(p, t));
    if (fatal)
        signal_group_exit_locked(p, sig);
    else
        signal_wake_locked(target, false);
    return 0;
}

static int send_here(struct process *p, struct thread *t, const siginfo_t *info) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    int ret = send_locked(p, t, info, NULL);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return ret;
}

// To a process of another namespace: whom it is from is what that calls it.
static int __attribute__((noinline))
send_elsewhere(struct process *p, struct thread *t, const siginfo_t *info) {
    siginfo_t told;
    signal_info_copy(&told, info);
    told.si_pid = sender_as_seen_by(p);
    return send_here(p, t, &told);
}

static int send(struct process *p, struct thread *t, const siginfo_t *info) {
    if (unlikely(p->pid_ns != current->pid_ns) && tells_of_current(info))
        return send_elsewhere(p, t, info);
    return send_here(p, t, info);
}

int signal_entry_send(struct process *p, struct thread *t, struct signal_entry *e) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    int ret = send_locked(p, t, &e->info, e);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return ret;
}

bool signal_entry_pending(struct process *p, const struct signal_entry *e) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    bool pending = !list_empty(&e->link);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return pending;
}

struct signal_entry *signal_entry_create(struct process *p, const siginfo_t *info) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    struct signal_entry *e = make_entry(p, info, false);
    if (e)
        e->owned = true;
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return e;
}

void signal_entry_release(struct process *p, struct signal_entry *e) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    e->owned = false;
    if (list_empty(&e->link))
        destroy_entry(e);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

static void kernel_info(siginfo_t *info, int sig) {
    signal_info_clear(info);
    info->si_signo = sig;
    info->si_code = SI_KERNEL;
}

int signal_send_process(struct process *p, int sig) {
    siginfo_t info;
    kernel_info(&info, sig);
    return send(p, NULL, &info);
}

int signal_send_process_info(struct process *p, const siginfo_t *info) {
    return send(p, NULL, info);
}

int signal_send_thread_info(struct thread *t, const siginfo_t *info) {
    return send(t->process, t, info);
}

void signal_send_thread(struct thread *t, int sig) {
    siginfo_t info;
    kernel_info(&info, sig);
    if (t->process)
        (void)send(t->process, t, &info);
}

static int send_members_locked(struct id *id, const siginfo_t *info) {
    ASSERT_HELD(&process_lock);
    struct process *p;
    list_for_each_entry (p, &id->group, group_link)
        (void)send(p, NULL, info);
    return list_empty(&id->group) ? -ESRCH : 0;
}

int signal_send_pgrp_info(pid_t pgrp, const siginfo_t *info) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_find_locked(pgrp);
    int ret = id ? send_members_locked(id, info) : -ESRCH;
    spin_unlock_irqrestore(&process_lock, flags);
    return ret;
}

int signal_send_pgrp(pid_t pgrp, int sig) {
    siginfo_t info;
    kernel_info(&info, sig);
    return signal_send_pgrp_info(pgrp, &info);
}

void signal_send_group(const struct group_ref *group, int sig) {
    siginfo_t info;
    kernel_info(&info, sig);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = group->nr ? id_find_locked(group->nr) : NULL;
    if (id && id->serial == group->serial)
        (void)send_members_locked(id, &info);
    spin_unlock_irqrestore(&process_lock, flags);
}

void signal_force(const siginfo_t *info) {
    struct thread *t = current;
    struct process *p = t->process;
    int sig = info->si_signo;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    struct signal_action *a = &p->handlers->action[sig - 1];
    if (t->sig_blocked & SIGNAL_BIT(sig) || a->handler == (unsigned long)SIG_IGN) {
        *a = (struct signal_action){0};
        t->sig_blocked &= ~SIGNAL_BIT(sig);
    }
    if (a->handler == (unsigned long)SIG_DFL && !ptrace_is_traced(t))
        p->unkillable = false;
    (void)send_locked(p, t, info, NULL);
    signal_recalculate_locked(t);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

void signal_info_user(siginfo_t *info, int sig, int code) {
    signal_info_clear(info);
    info->si_signo = sig;
    info->si_code = code;
    info->si_pid = current->own_pid;
    info->si_uid = current->cred->uid;
}

int signal_check_permission_locked(struct process *p, int sig) {
    ASSERT_HELD(&process_lock);
    const struct cred *mine = current->cred, *its = p->cred;
    if (p == current->process || mine->euid == its->suid || mine->euid == its->uid ||
        mine->uid == its->suid || mine->uid == its->uid || cred_capable_in(mine, its->user_ns, CAP_KILL))
        return 0;
    return sig == SIGCONT && p->session == current->process->session ? 0 : -EPERM;
}

void signal_init(void) {
    entry_cache = slab_create("signal", sizeof(struct signal_entry), 0);
    handlers_cache = slab_create("handlers", sizeof(struct signal_handlers), 0);
    if (!entry_cache || !handlers_cache)
        panic("signal: no memory");
}

// ---- the current thread's sets and actions

// Signals for the process that t will not take any more: others may.
static void pass_on(struct process *p, struct thread *t, sigset_bits set) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *other;
    set &= p->sig_pending;
    if (!set)
        return;
    list_for_each_entry (other, &p->threads, process_link) {
        if (other != t && !other->exiting && set & ~(other->sig_blocked & ~other->sig_wait))
            signal_wake_locked(other, false);
    }
}

// Something is pending while the set of blocked signals changes by `added`.
static void __attribute__((noinline)) settle_blocked(struct process *p, struct thread *t, sigset_bits added) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    if (p->live_threads > 1)
        pass_on(p, t, added);
    signal_recalculate_locked(t);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

// Usually nothing is pending and no lock is needed: the new set is stored before looking whether something
// is, and a sender makes a signal pending before it looks at the set. So either we see the signal, or the
// sender sees the set.
void signal_set_blocked(sigset_bits set) {
    struct thread *t = current;
    struct process *p = t->process;
    sigset_bits added = set & ~t->sig_blocked;
    WRITE_ONCE(t->sig_blocked, set & ~SIGNALS_KILL_STOP);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (unlikely(READ_ONCE(t->sig_pending) | READ_ONCE(p->sig_pending) || signal_pending()))
        settle_blocked(p, t, added);
}

sigset_bits signal_pending_set(void) {
    return current->sig_pending | current->process->sig_pending;
}

int signal_set_action(int sig, const struct signal_action *new_action, struct signal_action *old) {
    struct process *p = current->process;
    struct signal_handlers *h = p->handlers;
    if (sig < 1 || sig > SIGNAL_COUNT || (new_action && SIGNAL_BIT(sig) & SIGNALS_KILL_STOP))
        return -EINVAL;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    spin_lock(&h->lock);
    struct signal_action *a = &h->action[sig - 1];
    *old = *a;
    if (new_action) {
        *a = *new_action;
        a->mask &= ~SIGNALS_KILL_STOP;
        // What is pending and would be ignored now is forgotten.
        if (a->handler == (unsigned long)SIG_IGN ||
            (a->handler == (unsigned long)SIG_DFL && SIGNAL_BIT(sig) & SIGNALS_NOTHING))
            flush_everywhere(p, SIGNAL_BIT(sig));
    }
    spin_unlock(&h->lock);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    if (new_action && p->timers && !signal_ignored_by(p, sig))
        posix_timers_resume(sig);
    return 0;
}

bool signal_is_ignored(int sig) {
    return current->sig_blocked & SIGNAL_BIT(sig) ||
           (current->process && handler_of(current->process, sig) == (unsigned long)SIG_IGN);
}

bool signal_pending_fatal(void) {
    return READ_ONCE(current->sig_pending) & SIGNAL_BIT(SIGKILL);
}

bool signal_thread_leaves_locked(struct process *p, struct thread *t) {
    ASSERT_HELD(&p->sig_lock);
    bool stops = false;
    if (p->group_stop && !t->sig_stopped && p->stop_left && --p->stop_left == 0 && p->live_threads &&
        !p->stopped)
        stops = p->stopped = p->stop_report = true;
    if (p->live_threads && !p->group_exit)
        pass_on(p, t, ~0ull);
    return stops;
}

void signal_notify_parent_locked(struct process *p, int code) {
    ASSERT_HELD(&process_lock);
    struct process *parent = p->parent;
    if (!parent)
        return;
    if (signal_notifies_stops(parent) && handler_of(parent, SIGCHLD) != (unsigned long)SIG_IGN) {
        siginfo_t info;
        signal_info_clear(&info);
        info.si_signo = SIGCHLD;
        info.si_code = code;
        info.si_pid = process_number_locked(p, parent->pid_ns);
        info.si_uid = p->cred->uid;
        info.si_status = code == CLD_CONTINUED ? SIGCONT : p->stop_signal;
        (void)send(parent, NULL, &info);
    }
    wake_all(&parent->wait);
}
