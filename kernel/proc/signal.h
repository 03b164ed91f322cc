// SPDX-License-Identifier: MIT
// Signals: handlers, pending queues, delivery, stop and continue (signal(7)).
//
// A signal is pending for a process or for one thread: a bit in a set, and usually an entry in a queue that
// carries its siginfo. Sending picks a thread that does not block it and sets WORK_SIGNAL there; that thread
// takes the signal on its way to user mode (user_return_work()).
//
// SIGKILL, and other signals whose default action ends the process, are acted on by the sender at once: the
// whole process is marked (`group_exit`) and all its threads get SIGKILL.
//
// A process's sig_lock guards all of it; struct signal_handlers, which CLONE_SIGHAND shares between
// processes, has a lock of its own inside. Any context may send.
#pragma once
#include "core/spinlock.h"
#include "sched/thread.h"
#include <asm/siginfo.h>
#include <asm/signal.h>

#define SIGNAL_COUNT  64
#define SIGNAL_BIT(n) (1ull << ((n)-1))
// What any signal's siginfo_t uses, in bytes: only these are kept and copied; programs see zeros behind them.
#define SIGNAL_INFO_SIZE 48
struct group_ref;
struct signal_info_words {
    unsigned long word[SIGNAL_INFO_SIZE / sizeof(unsigned long)];
};
static inline void signal_info_copy(siginfo_t *to, const siginfo_t *from) {
    *(struct signal_info_words *)to = *(const struct signal_info_words *)from;
}
static inline void signal_info_clear(siginfo_t *info) {
    *(struct signal_info_words *)info = (struct signal_info_words){0};
}
#define SIGNALS_KILL_STOP (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
// Signals by default action; those in none of them end the process.
#define SIGNALS_STOP (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNALS_NOTHING                                                                                      \
    (SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGWINCH) | SIGNAL_BIT(SIGURG))
#define SIGNALS_CORE                                                                                         \
    (SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) |                  \
     SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGSYS) |                    \
     SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ))
struct process;
struct trap_frame;

// The kernel's form of struct sigaction on riscv64 (no restorer).
struct signal_action {
    unsigned long handler; // SIG_DFL, SIG_IGN or a user address
    unsigned long flags;   // SA_*
    sigset_bits mask;
};

// Shared by CLONE_SIGHAND.
struct signal_handlers {
    struct refcount refs;
    struct spinlock lock;                      // interrupts disabled
    struct signal_action action[SIGNAL_COUNT]; // [lock]
};

// ---- sending. 0: it is pending now, or has had its effect; 1: it was ignored, or pending already; -ESRCH:
// the target is gone; -EAGAIN: the queue is full (real-time signals only). `info` NULL for the first three:
// SI_KERNEL.
int signal_send_process(struct process *p, int sig);
int signal_send_process_info(struct process *p, const siginfo_t *info);
int signal_send_thread_info(struct thread *t, const siginfo_t *info); // t: of a process that stays meanwhile
// To every process of the group: 0, or -ESRCH if there is none. Interrupt handlers may call it.
int signal_send_pgrp_info(pid_t pgrp, const siginfo_t *info);
int signal_send_pgrp(pid_t pgrp, int sig);                      // as the kernel (SI_KERNEL)
void signal_send_group(const struct group_ref *group, int sig); // the same, unless that group is gone
// True if the current thread blocks `sig` or its process ignores it (SIGTTIN, SIGTTOU).
bool signal_is_ignored(int sig);
// A signal that the current thread caused by what it did (a fault): it cannot be blocked or ignored.
void signal_force(const siginfo_t *info);
// The siginfo of a signal that the current process sends by kill(2) (SI_USER) or tkill(2) (SI_TKILL).
void signal_info_user(siginfo_t *info, int sig, int code);
// May the current thread send sig to p (with process_lock held)? 0 or -EPERM.
int signal_check_permission_locked(struct process *p, int sig);

// A pending signal's siginfo; on the queue of a process or thread. An entry that a timer owns is made before
// and stays when the signal is taken: it is on a queue once at most.
struct signal_entry {
    struct list_head link; // [s]
    bool owned;            // [s]
    struct user *user;     // [I] to whom it is charged, a reference
    siginfo_t info;        // [s]
};
// An entry of p's for a signal to come, counted against RLIMIT_SIGPENDING. NULL: no memory, or too many.
struct signal_entry *__must_check signal_entry_create(struct process *p, const siginfo_t *info);
// Gives it up. If the signal is pending it stays so.
void signal_entry_release(struct process *p, struct signal_entry *e);
// Sends it to a thread of p, or (NULL) to p. 0: pending now; si_overrun counts how often that was so already;
// 1: ignored; -ESRCH. Any context.
int signal_entry_send(struct process *p, struct thread *t, struct signal_entry *e);
bool signal_entry_pending(struct process *p, const struct signal_entry *e);
// Takes one of `set` from the thread's queue or the process's. Its number or 0; sig_lock held.
int signal_dequeue_locked(struct process *p, struct thread *t, sigset_bits set, siginfo_t *info);
// Marks t as having something to do with signals and wakes it; sig_lock held.
void signal_wake_locked(struct thread *t, bool fatal);
// A signal was taken from a queue: a timer that sent it goes on, and fills in si_overrun. To be called for each
// signal taken, with no locks held. May sleep.
void signal_taken(siginfo_t *info);
// The whole siginfo_t for a program. 0 or -EFAULT.
int __must_check signal_info_to_user(void __user *user, const siginfo_t *info);

// Ends the process with `status`; the caller holds sig_lock. All threads get SIGKILL, which is taken from them again when their
// end begins (process_exit_thread()) unless the status is SIGKILL: what a program has written is waited for while it closes its
// files, but not if it was killed. SIGKILL may also come then.
void signal_group_exit_locked(struct process *p, int status);
// True if p ignores sig (SIG_IGN, or SIG_DFL where that does nothing); if it has SIG_DFL. sig_lock held or the answer
// may be old.
bool signal_ignored_by(struct process *p, int sig);
bool signal_has_default(struct process *p, int sig);
bool signal_is_set_to_ignore(struct process *p, int sig); // SIG_IGN
// True if SIGCHLD of its children means to p that they need no wait: SIG_IGN or SA_NOCLDWAIT.
bool signal_reaps_children(struct process *p);
bool signal_notifies_stops(struct process *p); // without SA_NOCLDSTOP

// ---- the current thread

// Blocks `set` instead of what is blocked now (SIGKILL and SIGSTOP never are).
void signal_set_blocked(sigset_bits set);
// For ppoll and their like: blocks the set at `mask` (NULL: nothing happens) until the thread returns to user
// mode, where a handler still runs with it, or until signal_restore_user_mask(). 0, -EINVAL (size), -EFAULT.
int __must_check signal_set_user_mask(const void __user *mask, size_t size);
void signal_restore_user_mask(void);
// Takes a pending signal of `set` for rt_sigtimedwait(2). Its number, or 0.
int signal_take(sigset_bits set, siginfo_t *info);
// Waits until `deadline` for one of `set`. The number, -EAGAIN, -EINTR.
int signal_wait(sigset_bits set, siginfo_t *info, int64_t deadline);
// rt_sigaction(2). -EINVAL for signals that cannot be caught.
int __must_check signal_set_action(int sig, const struct signal_action *new_action,
                                   struct signal_action *old);
sigset_bits signal_pending_set(void); // both queues, blocked or not
// WORK_SIGNAL anew from what is pending; sig_lock held.
void signal_recalculate_locked(struct thread *t);
// The same, but WORK_SIGNAL stays where it was set: a call may be waiting to be made again.
void signal_look_again_locked(struct thread *t);
// Back from a handler: restores the registers from the frame on the user stack. The a0 to return.
long signal_return(struct trap_frame *frame);
// Sets up a handler's frame (proc/signal_frame.c). 0 or -EFAULT.
int __must_check signal_push_frame(struct trap_frame *frame, const siginfo_t *info,
                                   const struct signal_action *action, sigset_bits saved_mask);
// A stack pointer on the thread's alternate stack?
bool signal_on_altstack(const struct thread *t, unsigned long sp);

// May one more line about what a program did wrong go to the log?
bool signal_log_allowed(void);

// ---- birth, exec, death

struct signal_handlers *__must_check signal_handlers_copy(struct signal_handlers *old,
                                                          bool defaults); // NULL if no memory
void signal_handlers_put(struct signal_handlers *h);
// What execve does to the handlers of the current process, which nobody else shares: caught signals get their
// default.
void signal_exec(struct process *p);
// Pending signals of a thread or process that goes.
void signal_flush_thread(struct thread *t);
void signal_flush_process(struct process *p);
// A thread of p is about to exit with sig_lock held: its share of a group stop, and of the process's pending
// signals, goes to the others. True if it was the last that a group stop waited for.
bool signal_thread_leaves_locked(struct process *p, struct thread *t);
// t takes part in the stop of all threads of p. True: it is the last; the parent is to be told. sig_lock held.
bool signal_join_stop_locked(struct process *p, struct thread *t);
// t is a new thread of p, which nobody has seen yet: it takes part in a stop, which its maker's tracer let that one go on in.
void signal_new_thread_locked(struct process *p, struct thread *t);
// Tells the parent that p stopped or goes on (CLD_STOPPED, CLD_CONTINUED); process_lock held.
void signal_notify_parent_locked(struct process *p, int code);

void signal_init(void);
