// SPDX-License-Identifier: MIT
// Waiting for children: wait4(2), waitid(2). And for tracees, which are threads: those of all threads of the process, or
// (__WNOTHREAD) of the current one. A child that is traced by somebody else is as it always was, but that it ends only when
// its tracer has seen that; one that its parent traces is seen as a tracee.
#include "proc/wait.h"
#include "core/errno.h"
#include "proc/process.h"
#include "proc/ptrace.h"
#include "proc/usage.h"
#include <linux/wait.h>

enum outcome { NO_CHILD, NOT_YET, FOUND };
#define STATUS_CONTINUED 0xffff

static bool is_wanted(const struct process *child, const struct wait_request *w) {
    if (w->type == P_PID && child->pid != w->id)
        return false;
    if (w->type == P_PIDFD && child != w->process)
        return false;
    if (w->type == P_PGID && child->pgrp != w->id)
        return false;
    if (w->options & __WNOTHREAD && child->maker != current->tid)
        return false;
    bool clone_child = child->exit_signal != SIGCHLD;
    return w->options & __WALL || clone_child == !!(w->options & __WCLONE);
}

static void report(struct process *child, struct wait_request *w, int code, int status, int wait_status) {
    w->pid = process_number_locked(child, current->pid_ns);
    w->uid = child->cred->uid;
    w->code = code;
    w->status = status;
    w->wait_status = wait_status;
    process_usage_both_locked(child, &w->usage);
}

static void report_end(struct process *child, struct wait_request *w, int status) {
    int sig = status & 0x7f;
    report(child, w,
           status & 0x80 ? CLD_DUMPED
           : sig         ? CLD_KILLED
                         : CLD_EXITED,
           sig ? sig : status >> 8 & 0xff, status);
}

static void take_zombie(struct process *child, struct wait_request *w) {
    report_end(child, w, child->exit_status);
    if (!(w->options & WNOWAIT))
        process_reap_locked(child, true);
}

static bool take_stopped(struct process *child, struct wait_request *w) {
    spin_lock(&child->sig_lock);
    bool found = child->stopped && child->stop_report;
    if (found && !(w->options & WNOWAIT))
        child->stop_report = false;
    spin_unlock(&child->sig_lock);
    if (found)
        report(child, w, CLD_STOPPED, child->stop_signal, child->stop_signal << 8 | 0x7f);
    return found;
}

static bool take_continued(struct process *child, struct wait_request *w) {
    spin_lock(&child->sig_lock);
    bool found = child->continue_report;
    if (found && !(w->options & WNOWAIT))
        child->continue_report = false;
    spin_unlock(&child->sig_lock);
    if (found)
        report(child, w, CLD_CONTINUED, SIGCONT, STATUS_CONTINUED);
    return found;
}

// ---- tracees

static bool is_wanted_tracee(const struct thread *t, const struct wait_request *w) {
    const struct process *p = t->ptrace.process;
    switch (w->type) {
    case P_PID:
        return t->tid == w->id;
    case P_PIDFD:
        return p == w->process && t->tid == p->pid;
    case P_PGID:
        return p->pgrp == w->id;
    default:
        return true;
    }
}

static bool take_dead_tracee(struct thread *t, struct wait_request *w) {
    struct process *p = t->ptrace.process;
    bool leader = p->tracee == t;
    if (!(w->options & WEXITED) || (leader && !p->zombie))
        return false;
    report_end(p, w, leader ? p->exit_status : t->ptrace.exit_status);
    w->pid = thread_number_locked(t, current->pid_ns);
    if (!(w->options & WNOWAIT))
        ptrace_reap_locked(t);
    return true;
}

static bool take_stopped_tracee(struct thread *t, struct wait_request *w) {
    struct process *p = t->ptrace.process;
    struct ptrace *pt = &t->ptrace;
    spin_lock(&p->sig_lock);
    bool found = pt->stopped && !pt->reported && !pt->listening;
    int code = pt->code;
    if (found && !(w->options & WNOWAIT))
        pt->reported = true;
    spin_unlock(&p->sig_lock);
    if (found) {
        report(p, w, CLD_TRAPPED, code, code << 8 | 0x7f);
        w->pid = thread_number_locked(t, current->pid_ns);
    }
    return found;
}

static bool take_tracee(struct thread *t, struct wait_request *w) {
    struct process *p = t->ptrace.process;
    if (t->ptrace.dead)
        return take_dead_tracee(t, w);
    if (READ_ONCE(t->ptrace.stopped) && take_stopped_tracee(t, w))
        return true;
    if (!(w->options & WCONTINUED) || !READ_ONCE(p->continue_report) || !take_continued(p, w))
        return false;
    w->pid = thread_number_locked(t, current->pid_ns);
    return true;
}

static enum outcome look_at_tracees(struct thread *tracer, struct wait_request *w) {
    ASSERT_HELD(&process_lock);
    struct thread *t;
    enum outcome outcome = NO_CHILD;
    list_for_each_entry (t, &tracer->ptrace.tracees, ptrace.link) {
        if (!is_wanted_tracee(t, w))
            continue;
        if (take_tracee(t, w))
            return FOUND;
        outcome = NOT_YET;
    }
    return outcome;
}

static enum outcome look_at_all_tracees(struct process *me, struct wait_request *w) {
    ASSERT_HELD(&process_lock);
    struct thread *t;
    enum outcome outcome = NO_CHILD;
    if (!me->tracees)
        return NO_CHILD;
    if (w->options & __WNOTHREAD)
        return look_at_tracees(current, w);
    list_for_each_entry (t, &me->threads, process_link) {
        enum outcome one = look_at_tracees(t, w);
        if (one == FOUND)
            return FOUND;
        outcome = MAX(outcome, one);
    }
    return outcome;
}

// ---- children

static bool take(struct process *child, struct wait_request *w) {
    struct thread *tracee = child->tracee;
    if (unlikely(tracee) && (child->zombie || tracee->ptrace.tracer->process == child->parent))
        return false; // its tracer sees it, which may be ourselves
    if (child->zombie) {
        if (!(w->options & WEXITED))
            return false;
        take_zombie(child, w);
        return true;
    }
    return (w->options & WSTOPPED && READ_ONCE(child->stop_report) && take_stopped(child, w)) ||
           (w->options & WCONTINUED && READ_ONCE(child->continue_report) && take_continued(child, w));
}

static struct process *process_of(pid_t nr) {
    ASSERT_HELD(&process_lock);
    struct id *id = id_find_locked(nr);
    return id ? id->process : NULL;
}

static enum outcome look_at_children(struct process *me, struct wait_request *w) {
    ASSERT_HELD(&process_lock);
    struct process *child;
    enum outcome outcome = NO_CHILD;
    if (w->type == P_PID || w->type == P_PIDFD) {
        child = w->type == P_PID ? process_of(w->id) : w->process->id ? w->process : NULL;
        if (!child || child->parent != me || !is_wanted(child, w))
            return NO_CHILD;
        return take(child, w) ? FOUND : NOT_YET;
    }
    list_for_each_entry (child, &me->children, sibling) {
        if (!is_wanted(child, w))
            continue;
        if (take(child, w))
            return FOUND;
        outcome = NOT_YET;
    }
    return outcome;
}

static enum outcome look_locked(struct process *me, struct wait_request *w) {
    ASSERT_HELD(&process_lock);
    enum outcome children = look_at_children(me, w);
    if (children == FOUND)
        return FOUND;
    return MAX(children, look_at_all_tracees(me, w));
}

static enum outcome look(struct process *me, struct wait_request *w) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    enum outcome outcome = look_locked(me, w);
    spin_unlock_irqrestore(&process_lock, flags);
    return outcome;
}

int process_wait(struct wait_request *w) {
    struct process *me = current->process;
    enum outcome outcome;
    w->pid = 0;
    if (w->options & WNOHANG) {
        outcome = look(me, w);
    } else {
        int err = wait_event_interruptible(&me->wait, (outcome = look(me, w)) != NOT_YET);
        if (err)
            return err;
    }
    return outcome == NO_CHILD ? -ECHILD : 0;
}
