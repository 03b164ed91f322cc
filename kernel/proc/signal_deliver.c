// SPDX-License-Identifier: MIT
// Taking signals: on the way to user mode, and in rt_sigtimedwait(2). Default actions, job control, and what
// becomes of the system call that a signal interrupted.
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/async.h"
#include "fs/dentry.h"
#include "fs/file.h"
#include "proc/rseq.h"
#include "proc/coredump.h"
#include "proc/exit.h"
#include "proc/posix_timer.h"
#include "proc/oom.h"
#include "proc/process.h"
#include "proc/ptrace.h"
#include "proc/signal.h"
#include "upcalls.h"
#include "vm/vmspace.h"
#include <asm/unistd.h>

#define ECALL_SIZE 4 // bytes of the instruction to go back over

// ---- stopping

// p's threads are to stop. sig_lock held.
static void begin_stop(struct process *p, int sig) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    bool again = p->group_stop; // only those take part that had and whose tracers have let them go on
    if (p->group_exit || !current->stop_taken)
        return;
    if (!p->stopped)
        p->stop_signal = sig;
    if (!again)
        p->stop_left = 0;
    p->group_stop = true;
    list_for_each_entry (t, &p->threads, process_link) {
        if (t->exiting || (again && !(ptrace_is_traced(t) && t->sig_stopped)))
            continue;
        t->sig_stopped = false;
        p->stop_left++;
        if (t->ptrace.seized && t != current)
            ptrace_notice_locked(t);
        else
            signal_wake_locked(t, false);
    }
}

// The current thread stops, unless SIGCONT or SIGKILL came meanwhile. The last one tells the parent. No locks
// held.
static void stop(struct process *p, struct thread *t) {
    bool last = false;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    spin_lock(&p->sig_lock);
    bool stopping = p->group_stop && !signal_pending_fatal() && !ptrace_is_traced(t);
    if (stopping) {
        last = signal_join_stop_locked(p, t);
        thread_set_state(THREAD_STOPPED);
    }
    spin_unlock(&p->sig_lock);
    if (last)
        signal_notify_parent_locked(p, CLD_STOPPED);
    spin_unlock_irqrestore(&process_lock, flags);
    if (stopping)
        schedule();
}

static void tell_continued(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    spin_lock(&p->sig_lock);
    bool tell = p->continue_notify;
    p->continue_notify = false;
    spin_unlock(&p->sig_lock);
    if (tell)
        signal_notify_parent_locked(p, CLD_CONTINUED);
    spin_unlock_irqrestore(&process_lock, flags);
}

// ---- default actions

// The default action of sig, which has just been taken. sig_lock held; returns without it.
static void default_action(struct process *p, int sig, const siginfo_t *info, unsigned long flags) {
    ASSERT_HELD(&p->sig_lock);
    bool refused = p->unkillable && !(p->pid_ns->level && sig == SIGSTOP); // which came from outside
    if (SIGNAL_BIT(sig) & SIGNALS_NOTHING || refused) {
        spin_unlock_irqrestore(&p->sig_lock, flags);
    } else if (SIGNAL_BIT(sig) & SIGNALS_STOP) {
        spin_unlock_irqrestore(&p->sig_lock, flags);
        // The terminal's stop signals do nothing to a group that nobody would continue.
        if (sig != SIGSTOP && process_pgrp_orphaned())
            return;
        flags = spin_lock_irqsave(&p->sig_lock);
        begin_stop(p, sig);
        spin_unlock_irqrestore(&p->sig_lock, flags);
    } else {
        spin_unlock_irqrestore(&p->sig_lock, flags);
        if (SIGNAL_BIT(sig) & SIGNALS_CORE)
            coredump(sig, info);
        flags = spin_lock_irqsave(&p->sig_lock);
        signal_group_exit_locked(p, sig);
        spin_unlock_irqrestore(&p->sig_lock, flags);
    }
}

// ---- taking

// What comes before any signal: dying, going on, stopping. True if sig_lock was given up and the caller is to
// start over.
static bool urgent(struct process *p, struct thread *t, unsigned long flags) {
    ASSERT_HELD(&p->sig_lock);
    if (unlikely(t->sig_pending & SIGNAL_BIT(SIGKILL))) {
        int status = p->group_exit ? p->exit_status : SIGKILL;
        spin_unlock_irqrestore(&p->sig_lock, flags);
        process_exit_thread(status);
    }
    if (unlikely(p->continue_notify)) {
        spin_unlock_irqrestore(&p->sig_lock, flags);
        tell_continued(p);
        return true;
    }
    bool traced = ptrace_is_traced(t);
    if (unlikely(traced && ptrace_must_trap_locked(p, t))) {
        spin_unlock_irqrestore(&p->sig_lock, flags);
        ptrace_trap();
        return true;
    }
    if (unlikely(!traced && p->group_stop)) {
        spin_unlock_irqrestore(&p->sig_lock, flags);
        stop(p, t);
        return true;
    }
    return false;
}

// The tracer is shown sig, which has just been taken, and says which signal has its effect instead, or (0) none. sig_lock held;
// given up meanwhile.
static int ask_tracer(struct process *p, int sig, siginfo_t *info, unsigned long *flags) {
    spin_unlock_irqrestore(&p->sig_lock, *flags);
    signal_taken(info);
    sig = ptrace_signal(sig, info);
    *flags = spin_lock_irqsave(&p->sig_lock);
    return sig;
}

// The next signal that has a handler, with the action to take; 0: none.
static int next_caught(struct process *p, struct thread *t, siginfo_t *info, struct signal_action *action) {
    for (;;) {
        unsigned long flags = spin_lock_irqsave(&p->sig_lock);
        if (urgent(p, t, flags))
            continue;
        int sig = signal_dequeue_locked(p, t, ~t->sig_blocked, info);
        if (!sig) {
            signal_recalculate_locked(t);
            spin_unlock_irqrestore(&p->sig_lock, flags);
            return 0;
        }
        bool traced = ptrace_is_traced(t);
        t->stop_taken = traced || SIGNAL_BIT(sig) & SIGNALS_STOP;
        if (traced && !(sig = ask_tracer(p, sig, info, &flags))) {
            spin_unlock_irqrestore(&p->sig_lock, flags);
            continue;
        }
        struct signal_action *a = &p->handlers->action[sig - 1];
        spin_lock(&p->handlers->lock);
        *action = *a;
        if (action->flags & SA_RESETHAND && action->handler != (unsigned long)SIG_IGN)
            a->handler = (unsigned long)SIG_DFL;
        spin_unlock(&p->handlers->lock);
        bool caught = action->handler != (unsigned long)SIG_DFL;
        if (caught)
            spin_unlock_irqrestore(&p->sig_lock, flags);
        else
            default_action(p, sig, info, flags);
        if (!traced)
            signal_taken(info);
        if (caught && action->handler != (unsigned long)SIG_IGN)
            return sig;
    }
}

// ---- interrupted system calls

// A call that a signal interrupted is set to be made again before the signal is looked at, so that a tracer sees, and may
// change, where the thread will go on; what becomes of the signal may change that once more, unless the tracer did.
struct interrupted {
    long result;             // of the call, 0: there is none to be made again
    unsigned long pc, again; // behind it, and where it is made again
};

static struct interrupted interrupted_call(struct trap_frame *f) {
    struct interrupted call = {0, f->pc, f->pc - ECALL_SIZE};
    long ret = (long)f->a0;
    if (f->in_syscall && (ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
                          ret == -ERESTART_RESTARTBLOCK)) {
        call.result = ret;
        f->a0 = f->orig_a0;
        f->pc = call.again;
    }
    f->in_syscall = 0;
    return call;
}

static void settle_call_with_handler(struct trap_frame *f, const struct interrupted *call,
                                     const struct signal_action *action) {
    bool again =
        call->result == -ERESTARTNOINTR || (call->result == -ERESTARTSYS && action->flags & SA_RESTART);
    if (call->result && !again && f->pc == call->again) {
        f->a0 = -EINTR;
        f->pc = call->pc;
    }
}

static void settle_call_without_handler(struct trap_frame *f, const struct interrupted *call) {
    if (call->result == -ERESTART_RESTARTBLOCK && f->pc == call->again)
        f->a7 = __NR_restart_syscall;
}

// ---- to user mode

static void run_handler(struct trap_frame *f, const siginfo_t *info, const struct signal_action *action) {
    struct thread *t = current;
    sigset_bits saved = t->sig_restore ? t->sig_saved : t->sig_blocked;
    int sig = info->si_signo;
    t->sig_restore = false;
    rseq_interrupt(f);
    if (signal_push_frame(f, info, action, saved)) {
        siginfo_t fault;
        signal_info_clear(&fault);
        fault.si_signo = SIGSEGV;
        fault.si_code = SI_KERNEL;
        if (sig == SIGSEGV) { // its own handler cannot run
            struct signal_action none = {0}, old;
            (void)!signal_set_action(SIGSEGV, &none, &old);
        }
        signal_force(&fault);
        return;
    }
    sigset_bits block = t->sig_blocked | action->mask;
    if (!(action->flags & SA_NODEFER))
        block |= SIGNAL_BIT(sig);
    signal_set_blocked(block);
}

static void deliver(struct trap_frame *f) {
    struct thread *t = current;
    struct signal_action action;
    siginfo_t info;
    struct interrupted call = interrupted_call(f);
    if (next_caught(t->process, t, &info, &action)) {
        settle_call_with_handler(f, &call, &action);
        run_handler(f, &info, &action);
        return;
    }
    settle_call_without_handler(f, &call);
    if (t->sig_restore)
        signal_restore_user_mask();
}

void user_return_work(struct trap_frame *frame) {
    unsigned int work;
    unsigned long switches = thread_switches(current);
    const unsigned int mine =
        WORK_SIGNAL | WORK_RESCHED | WORK_CPU_TIMERS | WORK_MEMORY | WORK_ASYNC | WORK_RSEQ;
    while ((work = READ_ONCE(current->arch.work)) & mine) {
        if (work & WORK_MEMORY)
            oom_settle_call(frame);
        if (work & WORK_ASYNC)
            async_send_pending();
        if (work & WORK_RESCHED)
            schedule();
        if (work & WORK_CPU_TIMERS)
            cpu_timers_run();
        if (work & WORK_SIGNAL)
            deliver(frame);
        if (work & WORK_RSEQ || thread_switches(current) != switches) {
            switches = thread_switches(current);
            rseq_switched(frame);
        }
    }
}

// ---- faults

#define FAULT_LOG_BURST  10
#define FAULT_LOG_PERIOD (5 * NSEC_PER_SEC)

// At most ten lines in five seconds.
bool signal_log_allowed(void) {
    static ktime_t period_start;
    static unsigned int lines;
    ktime_t now = clock_monotonic();
    if (now - period_start > FAULT_LOG_PERIOD) {
        period_start = now;
        lines = 0;
    }
    return lines++ < FAULT_LOG_BURST;
}

static void log_fault(const struct trap_frame *f, int sig, int code, unsigned long addr) {
    struct vmspace *vm = current->vm;
    char who[64], file_name[256];
    process_describe(who, sizeof(who));
    mutex_lock(&vm->lock);
    struct vm_area *a = vm_area_find(vm, f->pc);
    const char *name = NULL;
    unsigned long start = 0, end = 0;
    if (a && a->start <= f->pc) {
        name = a->name;
        if (a->file && a->file->path.dentry) {
            (void)dentry_copy_name(a->file->path.dentry, file_name);
            name = file_name;
        }
        start = a->start;
        end = a->end;
    }
    printk(LOG_INFO, "%s: unhandled signal %d code 0x%x at 0x%016lx, pc 0x%016lx in %s[%lx+%lx]", who, sig,
           code, addr, f->pc, name ? name : "nothing", start, end - start);
    mutex_unlock(&vm->lock);
}

void signal_fault(struct trap_frame *frame, int sig, int code, unsigned long addr) {
    struct process *p = current->process;
    siginfo_t info;
    if (!p)
        panic("signal %d code %d at 0x%lx in a kernel thread", sig, code, addr);
    signal_info_clear(&info);
    info.si_signo = sig;
    info.si_code = code;
    info.si_addr = (void *)addr;
    bool unhandled =
        signal_ignored_by(p, sig) || signal_has_default(p, sig) || current->sig_blocked & SIGNAL_BIT(sig);
    if (unhandled && sig != SIGKILL && !ptrace_is_traced(current) && signal_log_allowed())
        log_fault(frame, sig, code, addr);
    signal_force(&info);
}

// ---- masks for the time of a call

int signal_set_user_mask(const void __user *mask, size_t size) {
    sigset_bits set;
    if (!mask)
        return 0;
    if (size != sizeof(set))
        return -EINVAL;
    int err = get_user(set, (const sigset_bits __user *)mask);
    if (err)
        return err;
    current->sig_saved = current->sig_blocked;
    current->sig_restore = true;
    signal_set_blocked(set);
    return 0;
}

void signal_restore_user_mask(void) {
    if (!current->sig_restore)
        return;
    current->sig_restore = false;
    signal_set_blocked(current->sig_saved);
}

// ---- rt_sigtimedwait

int signal_take(sigset_bits set, siginfo_t *info) {
    struct thread *t = current;
    struct process *p = t->process;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    int sig = signal_dequeue_locked(p, t, set & ~SIGNALS_KILL_STOP, info);
    signal_recalculate_locked(t);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    if (sig)
        signal_taken(info);
    return sig;
}

static void wait_for(struct process *p, sigset_bits set) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    current->sig_wait = set;
    signal_recalculate_locked(current);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

int signal_wait(sigset_bits set, siginfo_t *info, ktime_t deadline) {
    struct process *p = current->process;
    set &= ~SIGNALS_KILL_STOP;
    int sig = signal_take(set, info);
    if (sig || deadline == 0)
        return sig ? sig : -EAGAIN;
    wait_for(p, set);
    int err = sleep_until(deadline);
    wait_for(p, 0);
    sig = signal_take(set, info);
    if (sig)
        return sig;
    return err ? -EINTR : -EAGAIN;
}
