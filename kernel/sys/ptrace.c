// SPDX-License-Identifier: MIT
// ptrace(2): arguments, and what a tracer reads and writes of its tracee. Stops and who traces whom are in proc/ptrace.c.
//
// What of the tracee is only there while it is stopped (registers, masks, siginfo) is copied with ptrace_hold(), to and from
// memory of the kernel's; user memory is touched without it.
#include "arch/riscv/regset.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "proc/ptrace.h"
#include "proc/seccomp.h"
#include "sys/seccomp.h"
#include "sys/syscalls.h"
#include "vm/vmspace.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/ptrace.h>
#include <linux/uio.h>

#define OPTIONS_ALL (0xffu | PTRACE_O_EXITKILL | PTRACE_O_SUSPEND_SECCOMP)

static bool signal_is_valid(unsigned long sig) {
    return sig <= SIGNAL_COUNT;
}

// ---- memory

// NULL too if it runs a program that its tracer may not read, since it has come to trace it.
static struct vmspace *memory_of(struct tracee *x) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct ptrace *pt = &x->thread->ptrace;
    struct vmspace *vm = pt->tracer == current ? x->thread->vm : NULL;
    if (vm && !vm->dumpable && !pt->privileged)
        vm = NULL;
    if (vm)
        vmspace_get(vm);
    spin_unlock_irqrestore(&process_lock, flags);
    return vm;
}

static long access_word(struct tracee *x, unsigned long addr, unsigned long *word, bool write) {
    struct vmspace *vm = memory_of(x);
    if (!vm)
        return -EIO;
    ssize_t n = vm_access_forced(vm, addr, word, sizeof(*word), write);
    vmspace_put(vm);
    return n == sizeof(*word) ? 0 : -EIO;
}

static long peek(struct tracee *x, unsigned long addr, unsigned long data) {
    unsigned long word;
    long err = access_word(x, addr, &word, false);
    return err ? err : put_user(word, (unsigned long __user *)data);
}

// ---- registers

static long copy_regset(struct tracee *x, unsigned long type, unsigned long data, bool set) {
    unsigned long flags, buf[REGSET_MAX / sizeof(unsigned long)] = {0};
    struct iovec __user *user = (struct iovec __user *)data;
    struct iovec iov;
    long err = copy_from_user(&iov, user, sizeof(iov));
    size_t size = regset_size(type);
    if (err)
        return err;
    if (!size || iov.iov_len % sizeof(unsigned long))
        return -EINVAL;
    size_t n = MIN(iov.iov_len, size);
    if (set && (err = copy_from_user(buf, (const void __user *)iov.iov_base, n)))
        return err;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    if (set)
        regset_set(x->thread, type, buf, n);
    else
        regset_get(x->thread, type, buf);
    ptrace_release(x, flags);
    if (!set && (err = copy_to_user((void __user *)iov.iov_base, buf, n)))
        return err;
    return put_user(n, &user->iov_len);
}

// At the beginning of a call; what there is of it at a stop for seccomp lies in the same places.
static void fill_entry(struct ptrace_syscall_info *info, const struct trap_frame *f) {
    const unsigned long args[] = {f->orig_a0, f->a1, f->a2, f->a3, f->a4, f->a5};
    info->entry.nr = (int)f->a7;
    for (unsigned int i = 0; i < ARRAY_SIZE(args); i++)
        info->entry.args[i] = args[i];
}

static size_t fill_call_info(struct tracee *x, struct ptrace_syscall_info *info) {
    const struct trap_frame *f = arch_user_frame(x->thread);
    const struct ptrace *pt = &x->thread->ptrace;
    bool call = pt->info && pt->info->si_code == (SIGTRAP | 0x80);
    info->arch = AUDIT_ARCH_RISCV64;
    info->instruction_pointer = f->pc;
    info->stack_pointer = f->sp;
    if (call && pt->message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
        info->op = PTRACE_SYSCALL_INFO_ENTRY;
        fill_entry(info, f);
        return offsetof(struct ptrace_syscall_info, entry.args) + sizeof(info->entry.args);
    }
    if (call && pt->message == PTRACE_EVENTMSG_SYSCALL_EXIT) {
        info->op = PTRACE_SYSCALL_INFO_EXIT;
        info->exit.rval = (long)f->a0;
        info->exit.is_error = (long)f->a0 < 0 && (long)f->a0 >= -4095;
        return offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
    }
    if (pt->info && pt->info->si_code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
        info->op = PTRACE_SYSCALL_INFO_SECCOMP;
        fill_entry(info, f);
        info->seccomp.ret_data = (uint32_t)pt->message;
        return offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(info->seccomp.ret_data);
    }
    info->op = PTRACE_SYSCALL_INFO_NONE;
    return offsetof(struct ptrace_syscall_info, entry);
}

static long get_call_info(struct tracee *x, unsigned long size, unsigned long data) {
    struct ptrace_syscall_info info;
    unsigned long flags;
    memset(&info, 0, sizeof(info));
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    size_t n = fill_call_info(x, &info);
    ptrace_release(x, flags);
    return put_object_part((void __user *)data, info, MIN(n, (size_t)size)) ? -EFAULT : (long)n;
}

// Where it registered for rseq(2).
static long get_rseq(struct tracee *x, unsigned long size, unsigned long data) {
    struct ptrace_rseq_configuration conf;
    unsigned long flags;
    memset(&conf, 0, sizeof(conf));
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    conf.rseq_abi_pointer = (unsigned long)x->thread->rseq;
    conf.rseq_abi_size = x->thread->rseq_length;
    conf.signature = x->thread->rseq_signature;
    ptrace_release(x, flags);
    long err = put_object_part((void __user *)data, conf, MIN(size, sizeof(conf)));
    return err ? err : (long)sizeof(conf);
}

// ---- signals

static long get_siginfo(struct tracee *x, unsigned long data) {
    unsigned long flags;
    siginfo_t info;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    const siginfo_t *its = x->thread->ptrace.info;
    if (its)
        signal_info_copy(&info, its);
    ptrace_release(x, flags);
    return its ? signal_info_to_user((void __user *)data, &info) : -EINVAL;
}

static long set_siginfo(struct tracee *x, unsigned long data) {
    unsigned long flags;
    siginfo_t info;
    long err = copy_from_user(&info, (const void __user *)data, SIGNAL_INFO_SIZE);
    if (err)
        return err;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    siginfo_t *its = x->thread->ptrace.info;
    if (its)
        signal_info_copy(its, &info);
    ptrace_release(x, flags);
    return its ? 0 : -EINVAL;
}

// The n-th of a queue. 0, -ENOENT behind its end, or -ESRCH.
static int peek_queue(struct tracee *x, bool shared, uint64_t n, siginfo_t *info) {
    unsigned long flags;
    struct signal_entry *e;
    int err = -ENOENT;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    list_for_each_entry (e, shared ? &x->process->sig_queue : &x->thread->sig_queue, link) {
        if (!n--) {
            signal_info_copy(info, &e->info);
            err = 0;
            break;
        }
    }
    ptrace_release(x, flags);
    return err;
}

static long peek_siginfo(struct tracee *x, unsigned long addr, unsigned long data) {
    struct ptrace_peeksiginfo_args args;
    siginfo_t info;
    long err = copy_from_user(&args, (const void __user *)addr, sizeof(args));
    if (err)
        return err;
    if (args.flags & ~PTRACE_PEEKSIGINFO_SHARED || args.nr < 0)
        return -EINVAL;
    bool shared = args.flags & PTRACE_PEEKSIGINFO_SHARED;
    int i = 0;
    for (; i < args.nr; i++) {
        err = peek_queue(x, shared, args.off + (unsigned int)i, &info);
        if (!err)
            err = signal_info_to_user((char __user *)data + (size_t)i * sizeof(info), &info);
        if (err || cond_resched_killable())
            break;
    }
    return i || err == -ENOENT ? i : err;
}

static long get_mask(struct tracee *x, unsigned long size, unsigned long data) {
    unsigned long flags;
    if (size != sizeof(sigset_bits))
        return -EINVAL;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    sigset_bits mask = x->thread->sig_restore ? x->thread->sig_saved : x->thread->sig_blocked;
    ptrace_release(x, flags);
    return put_user(mask, (sigset_bits __user *)data);
}

static long set_mask(struct tracee *x, unsigned long size, unsigned long data) {
    unsigned long flags;
    sigset_bits mask;
    if (size != sizeof(mask))
        return -EINVAL;
    long err = get_user(mask, (const sigset_bits __user *)data);
    if (err)
        return err;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    x->thread->sig_blocked = mask & ~SIGNALS_KILL_STOP;
    x->thread->sig_restore = false;
    signal_look_again_locked(x->thread);
    ptrace_release(x, flags);
    return 0;
}

// ---- going on

static long resume(struct tracee *x, unsigned long sig, bool calls) {
    unsigned long flags;
    if (!signal_is_valid(sig))
        return -EIO;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    ptrace_resume_locked(x, (int)sig, calls);
    ptrace_release(x, flags);
    return 0;
}

// Of a tracee that stopped because it was asked to or all threads did: it stays so, and the next such thing shows.
static long listen(struct tracee *x) {
    unsigned long flags;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    struct ptrace *pt = &x->thread->ptrace;
    bool can = pt->seized && pt->info && pt->info->si_code >> 8 == PTRACE_EVENT_STOP;
    if (can) {
        pt->listening = true;
        if (pt->notice)
            signal_wake_locked(x->thread, true);
    }
    ptrace_release(x, flags);
    return can ? 0 : -EIO;
}

// Who may suspend the filters of others has none himself.
static long check_options(unsigned long options) {
    if (options & ~(unsigned long)OPTIONS_ALL)
        return -EINVAL;
    bool suspends = options & PTRACE_O_SUSPEND_SECCOMP;
    return suspends && (!capable(CAP_SYS_ADMIN) || current->seccomp != SECCOMP_MODE_DISABLED ||
                        current->ptrace.options & PTRACE_O_SUSPEND_SECCOMP)
               ? -EPERM
               : 0;
}

static long set_options(struct tracee *x, unsigned long options) {
    unsigned long flags;
    long err = check_options(options);
    if (err)
        return err;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    x->thread->ptrace.options = (uint32_t)options;
    ptrace_release(x, flags);
    return 0;
}

static long get_message(struct tracee *x, unsigned long data) {
    unsigned long flags;
    if (!ptrace_hold(x, &flags))
        return -ESRCH;
    unsigned long message = x->thread->ptrace.message;
    ptrace_release(x, flags);
    return put_user(message, (unsigned long __user *)data);
}

// ---- the call

static long attach(long request, pid_t tid, unsigned long addr, unsigned long options) {
    if (request == PTRACE_ATTACH)
        return ptrace_attach(tid, false, 0);
    if (addr || options & ~(unsigned long)OPTIONS_ALL)
        return -EIO;
    long err = check_options(options);
    return err ? err : ptrace_attach(tid, true, (uint32_t)options);
}

// A tracee that is stopped.
static long ask(long request, struct tracee *x, unsigned long addr, unsigned long data) {
    switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
        return peek(x, addr, data);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        return access_word(x, addr, &data, true);
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
        return resume(x, data, request == PTRACE_SYSCALL);
    case PTRACE_DETACH:
        return signal_is_valid(data) ? ptrace_detach(x, (int)data) : -EIO;
    case PTRACE_LISTEN:
        return listen(x);
    case PTRACE_SETOPTIONS:
        return set_options(x, data);
    case PTRACE_GETEVENTMSG:
        return get_message(x, data);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
        return copy_regset(x, addr, data, request == PTRACE_SETREGSET);
    case PTRACE_GET_SYSCALL_INFO:
        return get_call_info(x, addr, data);
    case PTRACE_GET_RSEQ_CONFIGURATION:
        return get_rseq(x, addr, data);
    case PTRACE_GETSIGINFO:
        return get_siginfo(x, data);
    case PTRACE_SETSIGINFO:
        return set_siginfo(x, data);
    case PTRACE_PEEKSIGINFO:
        return peek_siginfo(x, addr, data);
    case PTRACE_GETSIGMASK:
        return get_mask(x, addr, data);
    case PTRACE_SETSIGMASK:
        return set_mask(x, addr, data);
    case PTRACE_SECCOMP_GET_FILTER:
        return seccomp_get_filter(x, addr, data);
    case PTRACE_SECCOMP_GET_METADATA:
        return seccomp_get_metadata(x, addr, data);
    default: // PTRACE_SINGLESTEP too: harts cannot step
        return -EIO;
    }
}

long sys_ptrace(long request, pid_t tid, unsigned long addr, unsigned long data) {
    struct tracee x;
    unsigned long flags;
    if (request == PTRACE_TRACEME)
        return ptrace_traceme();
    if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
        return attach(request, tid, addr, data);
    long ret = ptrace_find(tid, &x);
    if (ret)
        return ret;
    if (request == PTRACE_KILL) {
        (void)signal_send_process(x.process, SIGKILL);
    } else if (request == PTRACE_INTERRUPT) {
        ret = ptrace_interrupt(&x);
    } else if (!ptrace_hold(&x, &flags)) {
        ret = -ESRCH;
    } else {
        ptrace_release(&x, flags);
        ret = ask(request, &x, addr, data);
    }
    ptrace_put(&x);
    return ret;
}
