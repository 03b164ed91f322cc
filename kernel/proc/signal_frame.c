// SPDX-License-Identifier: MIT
// The frame of a signal handler on the user stack, as Linux lays it out for riscv64: siginfo, then ucontext with the
// registers, so that handlers and unwinders find what they know. The handler returns into the vDSO, which calls
// rt_sigreturn(2).
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "lib/string.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "upcalls.h"
#include "vm/vmspace.h"
#include <linux/signal.h>
#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#undef __unused // lib/tree.h's; a member's name there
#include <asm/ucontext.h>

struct rt_sigframe {
    struct siginfo info;
    struct ucontext uc;
};

#define STACK_ALIGN 16
#define USER_REGS   sizeof(struct user_regs_struct)
// The frame ends with room for FP states larger than ours, whose last words are a header: {0, 0} says that no extension
// follows.
#define COPIED     (offsetof(struct rt_sigframe, uc.uc_mcontext.sc_fpregs) + sizeof(struct __riscv_d_ext_state))
#define END_HEADER offsetof(struct rt_sigframe, uc.uc_mcontext.sc_fpregs.q.reserved)
#define END_SIZE   sizeof(((struct __riscv_q_ext_state *)0)->reserved)

_Static_assert(sizeof(struct fpu_state) >= sizeof(struct __riscv_d_ext_state), "FP state is copied whole");
_Static_assert(offsetof(struct trap_frame, status) == USER_REGS,
               "the trap frame begins with the user's registers");

bool signal_on_altstack(const struct thread *t, unsigned long sp) {
    return t->altstack_size && sp - t->altstack_sp - 1 < t->altstack_size; // (base, base + size]
}

// Where the frame goes, or 0 if it does not fit.
static unsigned long frame_address(const struct trap_frame *f, const struct signal_action *action) {
    struct thread *t = current;
    unsigned long sp = f->sp;
    bool on_altstack = signal_on_altstack(t, sp) && !(t->altstack_flags & SS_AUTODISARM);
    if (action->flags & SA_ONSTACK && !on_altstack && t->altstack_size)
        sp = t->altstack_sp + t->altstack_size;
    sp = ALIGN_DOWN(sp - sizeof(struct rt_sigframe), STACK_ALIGN);
    if (on_altstack && !signal_on_altstack(t, sp))
        return 0;
    return sp;
}

static stack_t altstack_of(const struct thread *t, unsigned long sp) {
    return (stack_t){
        .ss_sp = (void *)t->altstack_sp,
        .ss_size = t->altstack_size,
        .ss_flags =
            (t->altstack_size ? signal_on_altstack(t, sp) ? SS_ONSTACK : 0 : SS_DISABLE) | t->altstack_flags,
    };
}

int signal_push_frame(struct trap_frame *f, const siginfo_t *info, const struct signal_action *action,
                      sigset_bits saved_mask) {
    struct thread *t = current;
    struct rt_sigframe frame; // COPIED bytes of it are filled
    unsigned long sp = frame_address(f, action);
    struct rt_sigframe __user *user = (struct rt_sigframe __user *)sp;
    if (!sp)
        return -EFAULT;
    fpu_save(t);
    frame.info = *info;
    memset(&frame.uc, 0, offsetof(struct ucontext, uc_mcontext));
    frame.uc.uc_stack = altstack_of(t, f->sp);
    frame.uc.uc_sigmask.sig[0] = saved_mask;
    memcpy(&frame.uc.uc_mcontext.sc_regs, f, USER_REGS);
    memcpy(&frame.uc.uc_mcontext.sc_fpregs, &t->arch.fpu, sizeof(struct __riscv_d_ext_state));
    int err = copy_to_user(user, &frame, COPIED);
    if (!err)
        err = clear_user((char __user *)user + END_HEADER, END_SIZE);
    if (err)
        return err;
    if (t->altstack_flags & SS_AUTODISARM && t->altstack_size) {
        t->altstack_sp = t->altstack_size = 0;
        t->altstack_flags = 0;
    }
    f->ra = t->vm->vdso + vdso_sigreturn_offset();
    f->pc = action->handler;
    f->sp = sp;
    f->a0 = info->si_signo;
    f->a1 = (unsigned long)&user->info;
    f->a2 = (unsigned long)&user->uc;
    return 0;
}

static void restore_altstack(struct thread *t, const stack_t *stack) {
    int mode = stack->ss_flags & ~(SS_ONSTACK | (int)SS_AUTODISARM);
    if (mode == 0 && stack->ss_size >= MINSIGSTKSZ && !(stack->ss_flags & SS_DISABLE)) {
        t->altstack_sp = (unsigned long)stack->ss_sp;
        t->altstack_size = stack->ss_size;
        t->altstack_flags = stack->ss_flags & (int)SS_AUTODISARM;
    } else if (mode == SS_DISABLE) {
        t->altstack_sp = t->altstack_size = 0;
        t->altstack_flags = 0;
    }
}

long signal_return(struct trap_frame *f) {
    struct thread *t = current;
    struct rt_sigframe frame;
    uint32_t end[END_SIZE / sizeof(uint32_t)];
    const char __user *user = (const char __user *)f->sp;
    t->restart.fn = restart_nothing;
    if (f->sp % STACK_ALIGN ||
        copy_from_user(&frame.uc, user + offsetof(struct rt_sigframe, uc),
                       COPIED - offsetof(struct rt_sigframe, uc)) ||
        copy_from_user(end, user + END_HEADER, END_SIZE) || end[0] || end[1] || end[2]) {
        signal_fault(f, SIGSEGV, SI_KERNEL, 0);
        return 0;
    }
    if (t->sig_blocked != frame.uc.uc_sigmask.sig[0])
        signal_set_blocked(frame.uc.uc_sigmask.sig[0]);
    memcpy(f, &frame.uc.uc_mcontext.sc_regs, USER_REGS);
    f->in_syscall = 0;
    memcpy(&t->arch.fpu, &frame.uc.uc_mcontext.sc_fpregs, sizeof(struct __riscv_d_ext_state));
    fpu_discard(t);
    restore_altstack(t, &frame.uc.uc_stack);
    arch_frame_changed();
    return (long)f->a0;
}
