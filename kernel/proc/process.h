// SPDX-License-Identifier: MIT
// Processes: threads that share an address space, signal handlers and a pid; process groups and sessions;
// birth, exec, death, wait.
//
// A process is not its first thread: it outlives all its threads as a zombie until its parent has asked for
// its status. The *leader* is the thread whose tid is the pid; it may end before the others.
//
// Numbers (struct id) are one space: of threads, processes, process groups and sessions. A number is free
// again when nothing has it any more.
//
// Locks: process_lock, taken with interrupts disabled, guards the tree of processes and the tables of
// numbers; sig_lock of a process, taken inside it, all that has to do with its signals (proc/signal.h). The
// list of threads changes with both held, so either is enough to read it.
#pragma once
#include "core/cred.h"
#include "proc/session.h"
#include "proc/signal.h"
#include "sched/clock.h"
#include "sched/id.h"
#include "sched/pid_ns.h"
#include "sched/thread.h"
#include "sched/user.h"
#include "sched/wait.h"
#include <linux/resource.h>

struct key;
struct tty;
struct vmspace;
struct file;

// Key: [I] immutable, [p] process_lock, [s] sig_lock, [ps] both to change, either to read, [a] atomic.
struct process {
    struct refcount refs;
    pid_t pid;                          // [I]
    pid_t ppid;                         // [p] the parent's; 0 for pid 1. Read without.
    struct pid_ns *pid_ns;              // [I] where it was made; a reference
    pid_t own_pid;                      // [I] what it is called there
    pid_t own_ppid;                     // [p] what its parent is; 0: nothing. Read without.
    struct id *id;                      // [p]
    struct process *parent;             // [p]
    struct list_head children, sibling; // [p]
    struct list_head threads;           // [ps] thread.process_link
    unsigned int thread_count;          // [ps] of `threads`
    unsigned int live_threads;          // [s] those that have not begun to exit
    struct thread *leader;              // [ps] NULL after it has ended
    struct thread *tracee; // [p] the leader while it is traced, also after its end; NULL: it is not
    unsigned int tracees;  // [p] how many our threads trace
    pid_t maker;           // [p] tid of the thread of `parent` that made it; 0: none does any more
    struct id *group_id, *session_id;          // [p]
    pid_t pgrp, session;                       // [p] their numbers
    struct list_head group_link, session_link; // [p]
    struct cred *cred;                         // [p] as the leader had it last; others look at it here
    struct mutex access_lock;                  // who it is and its memory stay together: proc/access.h
    struct user *user;                         // [s] of cred->uid, a reference: whose signals are counted
    struct tty *tty;                           // [p] controlling terminal, a reference
    struct rlimit64 limits[RLIM_NLIMITS];      // [a] each number

    // Signals.
    struct spinlock sig_lock;         // taken with interrupts disabled
    struct signal_handlers *handlers; // [s]
    sigset_bits sig_pending;          // [s] for the whole process
    struct list_head sig_queue;       // [s] struct signal_entry
    struct list_head signal_watches;  // [s] of signalfd.c
    unsigned int signal_watch_count;  // [s] of these; read without
    sigset_bits late_signals;         // [s] that signalfd.c's thread is to wake for
    struct list_head late_link;       // [late_lock] of signalfd.c
    bool unkillable; // [s] pid 1, or a namespace's init: signals without a handler do nothing
    bool group_exit; // [s] all threads are to end, with exit_status
    bool killed;     // [s] by SIGKILL: they wait for nothing any more, either, while they end
    bool group_stop; // [s] all threads are to stop, or have
    bool stopped;    // [s] the last one has; not reported to a waiting parent yet: stop_report
    bool stop_report, continue_report; // [s] what wait4 has to tell
    bool continue_notify;              // [s] the next thread to run tells the parent that we go on
    int stop_signal;                   // [s]
    unsigned int stop_left;            // [s] threads that have not stopped yet
    struct thread *exec_thread;        // [s] waits to be the only thread, in execve
    struct thread *core_writer;        // [s] writes a core file; the others wait (proc/coredump.h)
    unsigned int core_resting;         // [s] how many do
    unsigned int core_filter;          // [a] what of memory goes in
    unsigned int
        gaining; // [access_lock] threads whose execve may gain privileges: nobody may begin to trace them

    // The end.
    bool zombie;              // [p] all threads have ended, nobody has asked yet
    int exit_status;          // [s] as wait4 gives it
    int exit_signal;          // [p] to the parent: SIGCHLD usually, 0 for none
    struct wait_queue wait;   // our threads that wait for children
    struct wait_queue exited; // pollers of our pidfds

    // Accounts. What the threads that have ended used, and the children that were waited for.
    ktime_t start_time;                            // [I] monotonic
    ktime_t dead_user, dead_system;                // [p]
    ktime_t child_user, child_system;              // [p]
    unsigned long dead_faults, dead_switches[2];   // [p] voluntary, involuntary
    unsigned long child_faults, child_switches[2]; // [p]
    struct io_usage dead_io;                       // [p] and the children's
    long peak_rss, child_peak_rss;                 // [p] pages

    bool used_privilege;                  // [s] a thread that has ended used a capability: acct(5)
    uint64_t execs;                       // [p] how often it has become another program; read without
    bool child_subreaper;                 // [a]
    int oom_score_adj, oom_score_adj_min; // [a] proc/oom.h; what it may be lowered to without privilege
    bool oom_skip;                        // [oom_lock] it was killed for memory and did not end
    unsigned int personality;             // [a] personality(2); ADDR_NO_RANDOMIZE and UNAME26 have an effect
    char last_name[16];                   // [p] of the thread that ended last
    struct process_timers *timers;        // proc/posix_timer.h; NULL: none was ever set
    struct key *keys;                     // keys/key.h: its keyring, or NULL
};

extern struct process *init_process; // pid 1
struct process_counts {
    unsigned long forks;  // threads and processes made since boot
    unsigned int threads; // alive
    unsigned int zombies; // processes without threads, not reaped
};
extern struct process_counts process_counts; // [process_lock]

// ---- finding and counting

// The process of a pid (zombies too) or the thread of a tid, with a reference, or NULL. Numbers are those of the current thread's
// namespace here and below, as a program says them.
struct process *process_find(pid_t pid);
struct thread *thread_find(pid_t tid);
// The same with process_lock held, without a reference.
struct process *process_find_locked(pid_t pid);
// The process that a number names, be it a process's or a thread's.
struct process *process_find_any(pid_t nr);
struct process *process_find_any_locked(pid_t nr);
// The same for the number that a call was given: 0 means the caller's own.
struct process *process_named(pid_t nr);
struct process *process_named_locked(pid_t nr);
void process_get(struct process *p);
void process_put(struct process *p);
// Calls fn for each process of ns, and of those below it, until it returns false (process_lock is NOT held during fn; p is
// referenced).
void process_for_each_in(const struct pid_ns *ns, bool (*fn)(struct process *p, void *arg), void *arg);
static inline void process_for_each(bool (*fn)(struct process *p, void *arg), void *arg) {
    process_for_each_in(&first_pid_ns, fn, arg);
}
// The next of them with a number > *nr, which it becomes; with a reference, or NULL.
struct process *process_after(const struct pid_ns *ns, pid_t *nr);
// What a process, or a thread, is called in ns; 0: nothing, or it is no more. The locked ones: process_lock is held.
pid_t process_number(const struct process *p, const struct pid_ns *ns);
pid_t process_number_locked(const struct process *p, const struct pid_ns *ns);
pid_t thread_number_locked(const struct thread *t, const struct pid_ns *ns);
// p gets a parent; process_lock held.
void process_set_parent_locked(struct process *p, struct process *parent);
// A process that a thread belongs to, with a reference; NULL if it has ended.
struct process *thread_get_process(struct thread *t);
// The address space of p with a reference, NULL if it has none any more. For what everybody may know of it, and for
// the process itself; who looks into another's memory asks proc/access.h for it.
struct vmspace *process_get_vm(struct process *p);
struct vmspace *process_vm_locked(struct process *p); // the same with process_lock held, without a reference
// Some living thread of p (the leader if it lives), with a reference, or NULL.
struct thread *process_get_thread(struct process *p);

// ---- for fork, exec, exit, wait (all in proc/)

// A new process with references for the caller, no threads, no number; NULL if no memory.
struct process *__must_check process_alloc(void);
// The parent lets go of a zombie: takes it out of the tree, adds up its accounts, drops the tree's reference.
// `waited`: the parent asked for it; else what it used is nobody's (getrusage(2), RUSAGE_CHILDREN).
void process_reap_locked(struct process *p, bool waited);
// Replaces the current thread's credentials; takes over the reference. Other ids than before, or more capabilities:
// the program may not be looked at any more by those who could do so until now (vmspace.dumpable).
void thread_set_cred(struct cred *cred);
// True if the user has more threads than the current process's RLIMIT_NPROC; root never has too many.
bool process_user_is_over(struct user *user);
// The credentials of a thread that may be another's, referenced; NULL if it has none any more.
struct cred *thread_get_cred(struct thread *t);

// One line that names the running process, for panics and logs: `name[pid]`.
void process_describe(char *buf, size_t n);
// The leader, or the caller, changes its name: at most 15 bytes are kept.
void thread_set_name(struct thread *t, const char *name);
