// SPDX-License-Identifier: MIT
// Tracing: one thread, the *tracer*, is told what another, its *tracee*, does, and says how it goes on; ptrace(2).
//
// There is one notion of stopped: `ptrace.stopped`. A tracee stops itself, at a few places on its way through the kernel
// where its registers are all in its trap frame: before a signal has its effect, at the two ends of a system call, at events
// (fork, exec, exit), and when it is asked to (PTRACE_INTERRUPT, a stop of all threads by SIGSTOP). It then sleeps until its
// tracer answers, lets go of it, or it is killed. Who looks at its registers, mask or siginfo meanwhile holds its process's
// sig_lock, without which it cannot go on (ptrace_hold()).
//
// Who traces whom changes with process_lock and the tracee's sig_lock held. A tracee that has ended stays on its tracer's list,
// with its number, until it was waited for; a leader that has ended shows when its process is a zombie, which its parent sees
// only after the tracer has.
//
// A tracee's arch.syscalls leads to syscall_entry_traced, which saves the whole frame: so calls of threads that nobody
// traces cost nothing more.
#pragma once
#include "proc/process.h"
#include <linux/ptrace.h>

static inline bool ptrace_is_traced(const struct thread *t) {
    return unlikely(READ_ONCE(t->ptrace.tracer) != NULL);
}
// Does the current thread stop at PTRACE_EVENT_*?
static inline bool ptrace_wants_event(int event) {
    return unlikely(READ_ONCE(current->ptrace.options) & 1u << event);
}

// Does it stop at its system calls?
static inline bool ptrace_wants_calls(void) {
    return READ_ONCE(current->ptrace.calls);
}

// ---- the tracer

// PTRACE_ATTACH, PTRACE_SEIZE: 0, -ESRCH, -EPERM, or -ERESTARTNOINTR.
int __must_check ptrace_attach(pid_t tid, bool seize, uint32_t options);
int __must_check ptrace_traceme(void); // 0 or -EPERM

// A tracee of the current thread with references, which ptrace_put() drops.
struct tracee {
    struct thread *thread;
    struct process *process;
};
int __must_check ptrace_find(pid_t tid, struct tracee *out); // 0 or -ESRCH
void ptrace_put(struct tracee *x);
// True: it is stopped and runs on no hart, and its sig_lock is held until ptrace_release().
bool __must_check ptrace_hold(struct tracee *x, unsigned long *flags);
void ptrace_release(struct tracee *x, unsigned long flags);
// It goes on, with a signal (0: none), held before. `calls`: until the next system call.
void ptrace_resume_locked(struct tracee *x, int sig, bool calls);
int __must_check ptrace_detach(struct tracee *x, int sig);
int __must_check ptrace_interrupt(struct tracee *x); // -EIO if it was not seized
// The current thread ends: it lets go of all its tracees. It can get none any more (`exiting`).
void ptrace_exit_tracer(void);

// ---- wait

// A tracee of `tracer` that ended and was waited for goes; process_lock held.
void ptrace_reap_locked(struct thread *t);

// ---- the tracee: the current thread, whose registers are all in its frame

// It has taken a signal: the one that has its effect now, with *info; 0: none.
int ptrace_signal(int sig, siginfo_t *info);
// It stops as it was asked to, or because all threads do.
void ptrace_trap(void);
// PTRACE_EVENT_*, if it is wanted.
void ptrace_event(int event, unsigned long message);
// The same with a number that the current thread's own namespace calls `own`: the tracer is told its own.
void ptrace_event_number(int event, pid_t nr, pid_t own);
void ptrace_event_exit(int status);
void ptrace_event_exec(pid_t old_tid, pid_t own);
// At the two ends of a system call, `message` says which (PTRACE_EVENTMSG_SYSCALL_*). True: it is being killed.
bool ptrace_call(unsigned long message);

// ---- signals, fork, exec, exit; locks held as the names say

// It is to stop before it goes on in user mode; sig_lock held.
bool ptrace_must_trap_locked(const struct process *p, const struct thread *t);
// It rests and takes no signals; sig_lock held.
static inline bool ptrace_rests(const struct thread *t) {
    return ptrace_is_traced(t) ? t->ptrace.stopped : t->sig_stopped;
}
// SIGCONT or a new group stop: seized threads are told.
void ptrace_notice_locked(struct thread *t);
// A child or thread `t` of the current thread, in process p, that nobody has seen yet, gets its tracer; process_lock held.
void ptrace_inherit_locked(struct thread *t, struct process *p);
// The leader of p is about to be t, which runs execve; process_lock held.
void ptrace_new_leader_locked(struct process *p, struct thread *t);
// t has left its process p; process_lock held. True: its number stays taken, at `user`'s expense, until it was waited for.
bool ptrace_left_locked(struct process *p, struct thread *t, struct user *user);
// p, whose leader is traced, has become a zombie: the tracer is told; process_lock held.
void ptrace_notify_zombie_locked(struct process *p);
// execve is about to give the current process privileges: until ptrace_exec_end() nobody begins to trace it. True: it is traced
// by somebody who may not trace what it becomes. Other threads of it may be at that, too.
bool ptrace_exec_begin(void);
bool ptrace_exec_limits(void); // the answer again
void ptrace_exec_end(void);
// Until ptrace_exec_release() no thread of the current process is at that: waits for those that are. 0 or -ERESTARTNOINTR.
int __must_check ptrace_exec_hold(void);
void ptrace_exec_release(void);
// t's calls go the way that suits it, after its tracer or its seccomp mode changed with sig_lock held.
void thread_look_at_calls(struct thread *t);
