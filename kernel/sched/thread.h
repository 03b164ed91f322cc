// SPDX-License-Identifier: MIT
// Threads and the scheduler.
//
// A thread is runnable (on a run queue or running), sleeping (interruptible or not), stopped, or dead. Each hart has its run queue; a waking thread goes to
// an idle hart that its affinity allows, else back to its last. The kernel is not preempted; user code is, at the end of
// its slice. A hart with nothing to share takes no timer ticks.
#pragma once
#include "arch/riscv/cpu.h"
#include "core/spinlock.h"
#include "lib/list.h"

enum thread_state {
    THREAD_RUNNING,         // running or on a run queue
    THREAD_INTERRUPTIBLE,   // asleep; wakes for its event or a signal
    THREAD_KILLABLE,        // asleep; wakes for its event or a fatal signal
    THREAD_UNINTERRUPTIBLE, // asleep; wakes for its event only
    THREAD_STOPPED,         // job control; wakes for SIGCONT or SIGKILL
    THREAD_DEAD,
};

// Signals a thread may have pending or blocked: bit n-1 for signal n.
typedef uint64_t sigset_bits;

struct thread {
    struct arch_thread arch; // must be first: the trap entry finds it through tp

    // Scheduler's own.
    enum thread_state state;     // [a] changed by the thread itself, or to RUNNING by thread_wake()
    bool on_cpu;                 // [a] a hart is on its stack
    struct list_head run_link;   // [r] run queue's lock
    int nice;                    // -20..19
    int policy, rt_priority;     // SCHED_OTHER, SCHED_FIFO, ...
    uint64_t affinity;           // bit = dense hart index
    ktime_t slice_end, cpu_user, cpu_system, last_account; // ns
    unsigned long switches_voluntary, switches_involuntary;
    void *stack;                 // kernel stack, NULL for a hart's first idle thread
    void (*entry)(void *);       // kernel threads
    void *entry_arg;
    char name[16];               // comm
    pid_t tid;
    struct refcount refs;

    // What the thread acts on. NULL for kernel threads where that makes sense.
    struct vmspace *vm;          // vm/vmspace.h
    struct files *files;         // fs/fdtable.h
    struct fs_context *fs;       // fs/path.h: root, cwd, umask
    struct cred *cred;           // core/cred.h; changed by the thread itself only
    struct process *process;     // proc/process.h
    struct list_head process_link; // in process->threads

    // Signals (proc/signal.h).
    sigset_bits sig_blocked, sig_pending; // [process's signal lock]
    sigset_bits sig_saved;       // mask to restore after sigsuspend, ppoll, ...
    bool sig_restore;            // sig_saved is to be restored on the way to user mode
    struct list_head sig_queue;
    unsigned long altstack_sp, altstack_size;
    int altstack_flags;
    struct restart_block *restart; // restart_syscall

    // Threads (clone, futex).
    int __user *clear_child_tid;
    void __user *robust_list;
    size_t robust_list_size;
    struct thread *vfork_parent; // whom to wake at exec or exit
    bool vfork_done;
    unsigned long min_faults;
    int exit_code;
    bool exiting;                // exit has begun: no more signals
    unsigned long syscall_nr;    // of the call it is in, or -1; for /proc and trace
#ifdef CONFIG_DEBUG
    int spinlocks_held;
#endif
};

_Static_assert(offsetof(struct thread, arch) == 0, "the trap entry needs it first");

// A new thread, not yet runnable, with one reference for the caller and one that the scheduler drops when it has died and left its stack.
// `entry(arg)` runs on its kernel stack with interrupts enabled. NULL if no memory.
struct thread *__must_check thread_create(const char *name, void (*entry)(void *), void *arg);
// Makes a new thread runnable the first time.
void thread_start(struct thread *thread);
// A kernel thread, created and started; for what runs beside all processes.
int __must_check kthread_run(const char *name, void (*entry)(void *), void *arg);
// Ends the current thread. Everything it held must have been released.
void thread_exit(void) __noreturn;
void thread_get(struct thread *thread);
void thread_put(struct thread *thread);

// Makes a sleeping thread runnable. True if it was asleep. From any context.
bool thread_wake(struct thread *thread);
// The same only if it sleeps in an INTERRUPTIBLE (or, if `fatal`, KILLABLE or STOPPED) state; also makes a running one notice (IPI).
bool thread_wake_for_signal(struct thread *thread, bool fatal);
// Gives the hart up: sleeps if the state was set to a sleeping one before, else runs again when its turn comes. No spinlocks held.
void schedule(void);
// The end of a long loop's round: lets others run if the slice is over. May sleep.
void cond_resched(void);
void thread_yield(void);
// Sleeping protocol: set_state(X); check the condition; schedule(); set_state(RUNNING). wait.h wraps it.
static inline void thread_set_state(enum thread_state state) {
    __atomic_store_n(&current->state, state, __ATOMIC_SEQ_CST);
}
// True if the current thread has an unblocked signal pending (or, fatal: SIGKILL or an exiting process).
static inline bool signal_pending(void) {
    return READ_ONCE(current->arch.work) & WORK_SIGNAL;
}
bool signal_pending_fatal(void); // proc/signal.c

// Charges time since the last call to the current thread, at traps between user and kernel and at switches.
void sched_account(struct thread *thread, bool user);
// Numbers for /proc: runnable threads now; load average in 1/2048 over 1, 5, 15 min; idle ns of a hart; context switches.
unsigned int sched_running(void);
void sched_loadavg(unsigned long out[3]);
ktime_t sched_idle_time(unsigned int hart);
uint64_t sched_switch_count(void);
int sched_set_affinity(struct thread *thread, uint64_t mask); // 0, -EINVAL if no online hart is in mask

// Boot: makes the running code the boot hart's idle thread; brings up the other harts; the idle loop, entered by each hart at the end of its start.
void sched_init(void);
void smp_start_harts(void);
void sched_idle_loop(void) __noreturn;
