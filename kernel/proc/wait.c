// SPDX-License-Identifier: MIT
// Waiting for children: wait4(2), waitid(2).
#include "proc/wait.h"
#include "core/errno.h"
#include "proc/process.h"
#include "proc/usage.h"
#include <linux/wait.h>

enum outcome { NO_CHILD, NOT_YET, FOUND };

static bool is_wanted(const struct process *child, const struct wait_request *w) {
    if (w->type == P_PID && child->pid != w->id)
        return false;
    if (w->type == P_PIDFD && child != w->process)
        return false;
    if (w->type == P_PGID && child->pgrp != w->id)
        return false;
    bool clone_child = child->exit_signal != SIGCHLD;
    return w->options & __WALL || clone_child == !!(w->options & __WCLONE);
}

static void report(struct process *child, struct wait_request *w, int code, int status, int wait_status) {
    w->pid = child->pid;
    w->uid = child->cred->uid;
    w->code = code;
    w->status = status;
    w->wait_status = wait_status;
    process_usage_both_locked(child, &w->usage);
}

static void take_zombie(struct process *child, struct wait_request *w) {
    int status = child->exit_status, sig = status & 0x7f;
    report(child, w, sig ? CLD_KILLED : CLD_EXITED, sig ? sig : status >> 8 & 0xff, status);
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
        report(child, w, CLD_CONTINUED, SIGCONT, 0xffff);
    return found;
}

static bool take(struct process *child, struct wait_request *w) {
    if (child->zombie) {
        if (!(w->options & WEXITED))
            return false;
        take_zombie(child, w);
        return true;
    }
    return (w->options & WSTOPPED && READ_ONCE(child->stop_report) && take_stopped(child, w)) ||
           (w->options & WCONTINUED && READ_ONCE(child->continue_report) && take_continued(child, w));
}

static enum outcome look_locked(struct process *me, struct wait_request *w) {
    ASSERT_HELD(&process_lock);
    struct process *child;
    enum outcome outcome = NO_CHILD;
    if (w->type == P_PID || w->type == P_PIDFD) {
        child = w->type == P_PID ? process_find_locked(w->id) : w->process->id ? w->process : NULL;
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
