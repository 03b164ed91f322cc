// SPDX-License-Identifier: MIT
// The stops of tracees: see proc/ptrace.h.
#include "core/errno.h"
#include "proc/process.h"
#include "proc/ptrace.h"
#include "upcalls.h"

// ---- telling the tracer

static void tell_stop_locked(struct thread *t, int why) {
    ASSERT_HELD(&process_lock);
    struct process *tracer = t->ptrace.tracer->process, *p = t->process;
    if (signal_notifies_stops(tracer) && !signal_is_set_to_ignore(tracer, SIGCHLD)) {
        siginfo_t info;
        signal_info_clear(&info);
        info.si_signo = SIGCHLD;
        info.si_code = why;
        info.si_pid = thread_number_locked(t, tracer->pid_ns);
        info.si_uid = t->real_cred->uid;
        info.si_status = (why == CLD_STOPPED ? p->stop_signal : t->ptrace.code) & 0x7f;
        (void)signal_send_process_info(tracer, &info);
    }
    wake_all(&tracer->wait);
}

static void tell_end_locked(struct thread *t, int sig, int status) {
    ASSERT_HELD(&process_lock);
    struct process *tracer = t->ptrace.tracer->process;
    siginfo_t info;
    signal_info_clear(&info);
    info.si_signo = sig;
    info.si_code = status & 0x80 ? CLD_DUMPED : status & 0x7f ? CLD_KILLED : CLD_EXITED;
    info.si_status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
    info.si_pid = thread_number_locked(t, tracer->pid_ns);
    info.si_uid = t->ptrace.process->cred->uid;
    if (sig)
        (void)signal_send_process_info(tracer, &info);
    wake_all(&tracer->wait);
}

bool ptrace_left_locked(struct process *p, struct thread *t, struct user *user) {
    ASSERT_HELD(&process_lock);
    struct ptrace *pt = &t->ptrace;
    pt->dead = true;
    if (!pt->tracer || t->tid == p->pid)
        return false;
    pt->user = user_get(user);
    user_charge(user, USER_THREADS, 1);
    process_counts.zombies++;
    tell_end_locked(t, SIGCHLD, pt->exit_status);
    return true;
}

void ptrace_notify_zombie_locked(struct process *p) {
    ASSERT_HELD(&process_lock);
    bool by_parent = p->tracee->ptrace.tracer->process == p->parent;
    tell_end_locked(p->tracee, by_parent ? p->exit_signal : SIGCHLD, p->exit_status);
}

// ---- stopping

struct stop {
    int code;              // as wait4 shows it
    int why;               // CLD_TRAPPED, CLD_STOPPED: as waitid of siginfo shows it
    unsigned long message; // PTRACE_GETEVENTMSG
    siginfo_t *info;       // NULL: a stop of all threads, for who did not seize
    int unanswered;        // the answer if nobody traces any more
    sigset_bits *spared;   // a SIGKILL that came before the stop goes there; NULL: there is no stop after one
};

static bool begin_locked(struct process *p, struct thread *t, const struct stop *s) {
    ASSERT_HELD(&p->sig_lock);
    struct ptrace *pt = &t->ptrace;
    pt->stopped = true;
    pt->reported = pt->listening = pt->trap = false;
    if (s->code >> 8 == PTRACE_EVENT_STOP)
        pt->notice = false;
    pt->code = s->code;
    pt->message = s->message;
    pt->info = s->info;
    pt->answer = 0;
    thread_set_state(THREAD_STOPPED);
    return s->why == CLD_STOPPED && p->group_stop && signal_join_stop_locked(p, t);
}

// Until there is an answer, which is the result; or the thread is being killed; or something came that shows while it listens.
static int rest(struct process *p, struct thread *t) {
    struct ptrace *pt = &t->ptrace;
    schedule();
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    while (pt->stopped && !(t->sig_pending & SIGNAL_BIT(SIGKILL)) &&
           !(pt->listening && (pt->trap || pt->notice))) {
        thread_set_state(THREAD_STOPPED);
        spin_unlock_irqrestore(&p->sig_lock, flags);
        schedule();
        flags = spin_lock_irqsave(&p->sig_lock);
    }
    int answer = pt->stopped ? 0 : pt->answer;
    pt->stopped = pt->listening = false;
    pt->info = NULL;
    pt->code = pt->answer = 0;
    signal_look_again_locked(t);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return answer;
}

static int stop(const struct stop *s) {
    struct thread *t = current;
    struct process *p = t->process;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    spin_lock(&p->sig_lock);
    sigset_bits killed = t->sig_pending & SIGNAL_BIT(SIGKILL);
    bool stops = t->ptrace.tracer && (!killed || s->spared);
    if (stops && s->spared) {
        *s->spared = killed;
        t->sig_pending &= ~killed;
    }
    bool last = stops && begin_locked(p, t, s);
    spin_unlock(&p->sig_lock);
    if (stops) {
        sched_defer_interrupts();
        tell_stop_locked(t, s->why);
        if (last && t->ptrace.tracer->process != p->parent)
            signal_notify_parent_locked(p, CLD_STOPPED);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    if (!stops)
        return s->unanswered;
    sched_undefer_interrupts();
    return rest(p, t);
}

// A stop with a siginfo that tells of nothing but itself.
static int report(int sig, int code, int why, unsigned long message, sigset_bits *spared) {
    siginfo_t info;
    signal_info_clear(&info);
    info.si_signo = sig;
    info.si_code = code;
    info.si_pid = current->own_tid;
    info.si_uid = current->cred->uid;
    return stop(
        &(struct stop){.code = code, .why = why, .message = message, .info = &info, .spared = spared});
}

// ---- signals

// The tracer chose another signal: it is as if it had sent it.
static void info_of_tracer(siginfo_t *info, int sig) {
    signal_info_clear(info);
    info->si_signo = sig;
    info->si_code = SI_USER;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct thread *tracer = current->ptrace.tracer;
    if (tracer) {
        info->si_pid = thread_number_locked(tracer, current->pid_ns);
        info->si_uid = tracer->real_cred->uid;
    }
    spin_unlock_irqrestore(&process_lock, flags);
}

int ptrace_signal(int sig, siginfo_t *info) {
    int answer = stop(&(struct stop){.code = sig, .why = CLD_TRAPPED, .info = info, .unanswered = sig});
    if (answer && answer != info->si_signo)
        info_of_tracer(info, answer);
    if (answer && current->sig_blocked & SIGNAL_BIT(answer)) {
        (void)signal_send_thread_info(current, info);
        return 0;
    }
    return answer;
}

// ---- stops of all threads, interruptions

bool ptrace_must_trap_locked(const struct process *p, const struct thread *t) {
    ASSERT_HELD(&p->sig_lock);
    return t->ptrace.trap || t->ptrace.notice || (p->group_stop && !t->sig_stopped);
}

void ptrace_notice_locked(struct thread *t) {
    ASSERT_HELD(&t->process->sig_lock);
    t->ptrace.notice = true;
    signal_wake_locked(t, t->ptrace.listening);
}

void ptrace_trap(void) {
    struct process *p = current->process;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    bool seized = current->ptrace.seized;
    int sig = seized && !p->group_stop ? SIGTRAP : p->stop_signal;
    spin_unlock_irqrestore(&p->sig_lock, flags);
    if (seized)
        (void)report(sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0, NULL);
    else
        (void)stop(&(struct stop){.code = sig, .why = CLD_STOPPED});
}

// ---- events

void ptrace_event(int event, unsigned long message) {
    if (ptrace_wants_event(event))
        (void)report(SIGTRAP, SIGTRAP | event << 8, CLD_TRAPPED, message, NULL);
}

void ptrace_event_number(int event, pid_t nr, pid_t own) {
    if (likely(!ptrace_wants_event(event)))
        return;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct thread *tracer = current->ptrace.tracer;
    const struct pid_ns *ns = tracer ? tracer->pid_ns : current->pid_ns;
    pid_t shown = ns == current->pid_ns ? own : pid_in_locked(nr, ns);
    spin_unlock_irqrestore(&process_lock, flags);
    ptrace_event(event, (unsigned long)shown);
}

// Who is being killed stops here all the same, until it is killed again.
void ptrace_event_exit(int status) {
    struct thread *t = current;
    struct process *p = t->process;
    sigset_bits killed = 0;
    if (!ptrace_wants_event(PTRACE_EVENT_EXIT))
        return;
    (void)report(SIGTRAP, SIGTRAP | PTRACE_EVENT_EXIT << 8, CLD_TRAPPED, status, &killed);
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    t->sig_pending |= killed;
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

void ptrace_event_exec(pid_t old_tid, pid_t own) {
    siginfo_t info;
    if (ptrace_wants_event(PTRACE_EVENT_EXEC)) {
        ptrace_event_number(PTRACE_EVENT_EXEC, old_tid, own);
    } else if (ptrace_is_traced(current) && !current->ptrace.seized) {
        signal_info_user(&info, SIGTRAP, SI_USER);
        (void)signal_send_thread_info(current, &info);
    }
}

bool ptrace_call(unsigned long message) {
    int good = current->ptrace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0;
    int answer = report(SIGTRAP, SIGTRAP | good, CLD_TRAPPED, message, NULL);
    if (answer)
        signal_send_thread(current, answer);
    return signal_pending_fatal();
}
