// SPDX-License-Identifier: MIT
// Signals: arguments and checks. The work is in proc/signal*.c.
#include "sys/syscalls.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "sys/timespec.h"
#include <linux/signal.h>

long sys_rt_sigaction(int sig, const void __user *act, void __user *old, size_t size) {
    struct signal_action new_action, old_action;
    if (size != sizeof(sigset_bits))
        return -EINVAL;
    int err = act ? copy_from_user(&new_action, act, sizeof(new_action)) : 0;
    if (!err)
        err = signal_set_action(sig, act ? &new_action : NULL, &old_action);
    return err || !old ? err : put_object(old, old_action);
}

long sys_rt_sigprocmask(int how, const void __user *set, void __user *old, size_t size) {
    sigset_bits blocked = current->sig_blocked, bits;
    if (size != sizeof(bits))
        return -EINVAL;
    if (set) {
        int err = get_user(bits, (const sigset_bits __user *)set);
        if (err)
            return err;
        if (how == SIG_BLOCK)
            bits |= blocked;
        else if (how == SIG_UNBLOCK)
            bits = blocked & ~bits;
        else if (how != SIG_SETMASK)
            return -EINVAL;
        signal_set_blocked(bits);
    }
    return old ? put_user(blocked, (sigset_bits __user *)old) : 0;
}

long sys_rt_sigpending(void __user *set, size_t size) {
    sigset_bits pending = signal_pending_set() & current->sig_blocked;
    return size > sizeof(pending) ? -EINVAL : put_object_part(set, pending, size);
}

long sys_rt_sigsuspend(const void __user *set, size_t size) {
    int err = set ? signal_set_user_mask(set, size) : -EFAULT;
    if (err)
        return err;
    for (;;) {
        thread_set_state(THREAD_INTERRUPTIBLE);
        if (signal_pending())
            break;
        schedule();
    }
    thread_set_state(THREAD_RUNNING);
    return -ERESTARTNOHAND;
}

long sys_rt_sigtimedwait(const void __user *set, void __user *info, const void __user *timeout, size_t size) {
    sigset_bits bits;
    ktime_t t = KTIME_NEVER;
    siginfo_t found;
    if (size != sizeof(bits))
        return -EINVAL;
    int err = get_user(bits, (const sigset_bits __user *)set);
    if (!err && timeout)
        err = timespec_read(timeout, &t);
    if (err)
        return err;
    int sig = signal_wait(bits, &found, t && timeout ? ktime_add(clock_monotonic(), t) : t);
    if (sig < 0 || !info)
        return sig;
    return signal_info_to_user(info, &found) ? -EFAULT : sig;
}

long sys_rt_sigreturn(void) {
    return signal_return(arch_user_frame(current));
}

long sys_restart_syscall(void) {
    return current->restart.fn(&current->restart);
}

static int set_altstack(const stack_t *new, unsigned long sp) {
    struct thread *t = current;
    int autodisarm = new->ss_flags &(int)SS_AUTODISARM, mode = new->ss_flags & ~(int)SS_AUTODISARM;
    if (signal_on_altstack(t, sp) && !(t->altstack_flags & (int)SS_AUTODISARM))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode != SS_DISABLE && new->ss_size < MINSIGSTKSZ)
        return -ENOMEM;
    t->altstack_sp = mode == SS_DISABLE ? 0 : (unsigned long)new->ss_sp;
    t->altstack_size = mode == SS_DISABLE ? 0 : new->ss_size;
    t->altstack_flags = autodisarm;
    return 0;
}

long sys_sigaltstack(const void __user *stack, void __user *old) {
    struct thread *t = current;
    unsigned long sp = arch_user_frame(t)->sp;
    bool on = signal_on_altstack(t, sp) && !(t->altstack_flags & (int)SS_AUTODISARM);
    stack_t was = {
        .ss_sp = (void *)t->altstack_sp,
        .ss_size = t->altstack_size,
        .ss_flags = (t->altstack_size ? on ? SS_ONSTACK : 0 : SS_DISABLE) | t->altstack_flags,
    };
    if (stack) {
        stack_t new;
        int err = copy_from_user(&new, stack, sizeof(new));
        if (!err)
            err = set_altstack(&new, sp);
        if (err)
            return err;
    }
    return old ? put_object(old, was) : 0;
}

// ---- sending

static bool is_signal_or_zero(int sig) {
    return sig >= 0 && sig <= SIGNAL_COUNT;
}

// To p with process_lock held; sig 0 only checks.
static int send_locked(struct process *p, const siginfo_t *info) {
    ASSERT_HELD(&process_lock);
    int err = signal_check_permission_locked(p, info->si_signo);
    if (err || !info->si_signo || p->zombie)
        return err;
    int ret = signal_send_process_info(p, info);
    return ret == -EAGAIN ? ret : 0;
}

static int send_to_pid(pid_t pid, const siginfo_t *info) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = process_find_any_locked(pid);
    int err = p ? send_locked(p, info) : -ESRCH;
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

// To a group, 0: the caller's own. Success if it could be sent to one at least.
static int send_to_group(pid_t pgrp, const siginfo_t *info) {
    struct process *p;
    int ret = -ESRCH;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = pgrp ? id_named_locked(pgrp) : current->process->group_id;
    if (id) {
        list_for_each_entry (p, &id->group, group_link) {
            int err = send_locked(p, info);
            if (ret)
                ret = err;
        }
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return ret;
}

struct broadcast {
    const siginfo_t *info;
    int result;
};

static bool send_to_one(struct process *p, void *arg) {
    struct broadcast *b = arg;
    if (p == current->pid_ns->init || p == current->process)
        return true;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    int err = send_locked(p, b->info);
    spin_unlock_irqrestore(&process_lock, flags);
    if (err != -EPERM || b->result == -ESRCH)
        b->result = b->result == 0 ? 0 : err;
    return true;
}

long sys_kill(pid_t pid, int sig) {
    siginfo_t info;
    if (!is_signal_or_zero(sig))
        return -EINVAL;
    signal_info_user(&info, sig, SI_USER);
    if (pid > 0)
        return send_to_pid(pid, &info);
    if (pid == 0)
        return send_to_group(0, &info);
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid != -1)
        return send_to_group(-pid, &info);
    struct broadcast b = {&info, -ESRCH};
    process_for_each_in(current->pid_ns, send_to_one, &b);
    return b.result;
}

// pid -1: whatever process the thread is of.
static long send_to_thread(pid_t pid, pid_t tid, const siginfo_t *info) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_named_locked(tid);
    struct thread *t = id ? id->thread : NULL;
    struct process *p = t ? t->process : NULL;
    int err = t && (pid == -1 || id_shown(p->id) == pid) ? signal_check_permission_locked(p, info->si_signo)
                                                         : -ESRCH;
    if (!err && info->si_signo) {
        err = signal_send_thread_info(t, info);
        if (err != -EAGAIN)
            err = 0;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

long sys_tkill(pid_t tid, int sig) {
    siginfo_t info;
    if (tid <= 0 || !is_signal_or_zero(sig))
        return -EINVAL;
    signal_info_user(&info, sig, SI_TKILL);
    return send_to_thread(-1, tid, &info);
}

long sys_tgkill(pid_t pid, pid_t tid, int sig) {
    siginfo_t info;
    if (pid <= 0 || tid <= 0 || !is_signal_or_zero(sig))
        return -EINVAL;
    signal_info_user(&info, sig, SI_TKILL);
    return send_to_thread(pid, tid, &info);
}

// Only a process itself may say that a signal came from kill(2) or the kernel.
static int read_info(const void __user *user, int sig, pid_t pid, siginfo_t *info) {
    if (!is_signal_or_zero(sig))
        return -EINVAL;
    int err = copy_from_user(info, user, sizeof(*info));
    if (err)
        return err;
    if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != current->own_pid)
        return -EPERM;
    info->si_signo = sig;
    return 0;
}

long sys_rt_sigqueueinfo(pid_t pid, int sig, const void __user *user) {
    siginfo_t info;
    int err = read_info(user, sig, pid, &info);
    return err ? err : send_to_pid(pid, &info);
}

long sys_rt_tgsigqueueinfo(pid_t pid, pid_t tid, int sig, const void __user *user) {
    siginfo_t info;
    if (pid <= 0 || tid <= 0)
        return -EINVAL;
    int err = read_info(user, sig, pid, &info);
    return err ? err : send_to_thread(pid, tid, &info);
}
