// SPDX-License-Identifier: MIT
// The frame of a signal handler on the user stack, as Linux lays it out for riscv64: siginfo, then ucontext
// with the registers, so that handlers and unwinders find what they know. The handler returns into the vDSO,
// which calls rt_sigreturn(2).
#include "core/user_ns.h"
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
#define FP_REGS     sizeof(struct __riscv_d_ext_state)
// The frame ends with room for FP states larger than ours, whose last words are a header: {0, 0} says that no
// extension follows.
#define END_SIZE sizeof(((struct __riscv_q_ext_state *)0)->reserved)

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

// Does it tell who sent it, or of which child?
static bool tells_of_process(const siginfo_t *info) {
    switch (info->si_code) {
    case SI_USER:
    case SI_QUEUE:
    case SI_TKILL:
    case SI_MESGQ:
        return true;
    default:
        return info->si_signo == SIGCHLD && info->si_code > 0;
    }
}

int signal_info_to_user(void __user *user, const siginfo_t *info) {
    siginfo_t seen;
    if (unlikely(current->cred->user_ns != &first_user_ns) && tells_of_process(info)) {
        seen = *info;
        seen.si_uid = uid_shown(current->cred->user_ns, info->si_uid);
        info = &seen;
    }
    int err = copy_to_user(user, info, SIGNAL_INFO_SIZE);
    return err ? err : clear_user((char __user *)user + SIGNAL_INFO_SIZE, sizeof(*info) - SIGNAL_INFO_SIZE);
}

// The part of the ucontext before the registers; what follows in it is unused and not written.
struct ucontext_head {
    unsigned long flags, link;
    stack_t stack;
    unsigned long mask;
};
_Static_assert(offsetof(struct ucontext_head, mask) == offsetof(struct ucontext, uc_sigmask),
               "as the ucontext begins");

static int write_frame(struct rt_sigframe __user *user, const struct trap_frame *f, const siginfo_t *info,
                       struct ucontext_head *head) {
    struct sigcontext __user *sc = &user->uc.uc_mcontext;
    int err = signal_info_to_user(&user->info, info);
    if (!err)
        err = put_object(&user->uc, *head);
    if (!err)
        err = copy_to_user(&sc->sc_regs, f, USER_REGS);
    if (!err)
        err = put_object_part(&sc->sc_fpregs, current->arch.fpu, FP_REGS);
    return err ? err : clear_user(&sc->sc_fpregs.q.reserved, END_SIZE);
}

int signal_push_frame(struct trap_frame *f, const siginfo_t *info, const struct signal_action *action,
                      sigset_bits saved_mask) {
    struct thread *t = current;
    unsigned long sp = frame_address(f, action);
    struct rt_sigframe __user *user = (struct rt_sigframe __user *)sp;
    struct ucontext_head head = {.stack = altstack_of(t, f->sp), .mask = saved_mask};
    if (!sp)
        return -EFAULT;
    fpu_save(t);
    int err = write_frame(user, f, info, &head);
    if (err)
        return err;
    if (t->altstack_flags & SS_AUTODISARM && t->altstack_size) {
        t->altstack_sp = t->altstack_size = 0;
        t->altstack_flags = 0;
    }
    static unsigned long sigreturn; // where the vDSO has it, found once
    if (unlikely(!sigreturn))
        sigreturn = vdso_sigreturn_offset();
    f->ra = t->vm->vdso + sigreturn;
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

// Into the thread's registers at once: if it faults, the thread gets a SIGSEGV with what there is. Its FP registers it has in any case, and
// a switch in the middle would store them: theirs are put together apart.
static int read_frame(const struct rt_sigframe __user *user, struct trap_frame *f,
                      struct ucontext_head *head) {
    struct fpu_state fpu;
    const struct sigcontext __user *sc = &user->uc.uc_mcontext;
    uint32_t end[END_SIZE / sizeof(uint32_t)];
    int err = copy_from_user(head, &user->uc, sizeof(*head));
    if (!err)
        err = copy_from_user(end, &sc->sc_fpregs.q.reserved, END_SIZE);
    if (!err && (end[0] || end[1] || end[2]))
        err = -EINVAL;
    if (!err)
        err = copy_from_user(&fpu, &sc->sc_fpregs, FP_REGS);
    if (!err)
        fpu_set(current, &fpu);
    return err ? err : copy_from_user(f, &sc->sc_regs, USER_REGS);
}

long signal_return(struct trap_frame *f) {
    struct thread *t = current;
    struct ucontext_head head;
    unsigned long sp = f->sp;
    t->restart.fn = restart_nothing;
    int err = sp % STACK_ALIGN ? -EFAULT : read_frame((const struct rt_sigframe __user *)sp, f, &head);
    f->in_syscall = 0;
    arch_frame_changed();
    if (err) {
        signal_fault(f, SIGSEGV, SI_KERNEL, 0);
        return (long)f->a0;
    }
    if (t->sig_blocked != head.mask)
        signal_set_blocked(head.mask);
    restore_altstack(t, &head.stack);
    return (long)f->a0;
}
