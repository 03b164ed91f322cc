// SPDX-License-Identifier: MIT
// Threads and the scheduler.
//
// A thread is runnable (running or on a run queue), sleeping (interruptible or not), stopped, or dead. Each
// hart has its run queue; a waking thread goes to an idle hart that its affinity allows, else back to its
// last. The kernel is not preempted; user code is, at the end of its slice. A hart with nothing to share
// takes no slice ticks.
//
// Time is counted in rdtime ticks where it is counted often (run queues, processor time) and in nanoseconds
// at the interfaces. docs/locking.md has the protocol of sleeping, waking and switching.
#pragma once
#include "arch/riscv/cpu.h"
#include "core/cred.h"
#include "core/namespace.h"
#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "mm/page.h"
#include <linux/resource.h>
#include <asm/siginfo.h>

enum thread_state {
    THREAD_RUNNING,         // running or on a run queue
    THREAD_INTERRUPTIBLE,   // asleep; wakes for its event or a signal
    THREAD_KILLABLE,        // asleep; wakes for its event or a fatal signal
    THREAD_UNINTERRUPTIBLE, // asleep; wakes for its event only
    THREAD_STOPPED,         // job control; wakes for SIGCONT or SIGKILL
    THREAD_DEAD,
};

// What a hart's time goes to.
enum account { ACCOUNT_SYSTEM, ACCOUNT_USER, ACCOUNT_NICE, ACCOUNT_IDLE };

// Signals a thread may have pending or blocked: bit n-1 for signal n.
typedef uint64_t sigset_bits;

// How restart_syscall(2) carries on a call that a signal interrupted: the call fills it and returns
// -ERESTART_RESTARTBLOCK. Deadlines in it are absolute.
struct restart_block {
    long (*fn)(struct restart_block *block); // runs as the system call; never NULL
    unsigned long args[6];
};
long restart_nothing(struct restart_block *block); // the initial fn: -EINTR

// What went through read, write and their kin: [0] in, [1] out.
struct io_usage {
    unsigned long bytes[2], calls[2];
};
static inline void io_usage_add(struct io_usage *to, const struct io_usage *from) {
    for (int i = 0; i < 2; i++) {
        to->bytes[i] += READ_ONCE(from->bytes[i]);
        to->calls[i] += READ_ONCE(from->calls[i]);
    }
}

struct key;

// A thread as one that is traced, and as one that traces: proc/ptrace.h. Key: [p] process_lock, [s] its process's signal
// lock, [ps] both to change, either to read.
struct ptrace {
    struct thread *tracer;    // [ps] NULL: nobody
    struct process *process;  // [p] the traced thread's, a reference while it has a tracer
    struct list_head link;    // [p] in the tracer's `tracees`
    struct list_head tracees; // [p] each with a reference; also those that have ended and were not waited for
    struct user *user;        // [p] to whom one that has ended is charged, a reference
    siginfo_t *info;          // [s] of its stop, on its stack; NULL: it has none
    unsigned long message;    // [s] PTRACE_GETEVENTMSG
    uint32_t options;         // [ps] PTRACE_O_*
    int code;                 // [s] of its stop: what wait4 shows in the upper bits
    int answer;               // [s] the signal that it is to go on with
    int exit_status;          // [p] as wait4 gives it
    bool seized;              // [ps] by PTRACE_SEIZE
    bool privileged;          // [ps] the tracer had CAP_SYS_PTRACE
    bool stopped;             // [s] it rests until its tracer says what to do
    bool reported;            // [s] the stop was waited for
    bool listening;           // [s] stopped, but SIGCONT and PTRACE_INTERRUPT are to show
    bool calls;               // [s] it is to stop at system calls
    bool trap, notice;        // [s] it is to stop: once; because a stop of all threads began or ended
    bool dead;                // [p] it has ended; the leader's end shows when its process is a zombie
};

// Key: [I] immutable, [a] atomic, [r] lock of the run queue of arch.hart, [o] written by the thread itself,
// [s] the process's signal lock.
struct thread {
    struct arch_thread arch; // must be first: the trap entry finds it through tp

    // Scheduler's own.
    enum thread_state state; // [a] changed by the thread itself, or to RUNNING by thread_wake()
    uint8_t on_cpu;          // [a] a hart is on its stack; mutex.c looks at it even later
    bool runnable;           // [r] running, or queued, or on its way from one queue to another
    bool queued;             // [r] in the tree or the list of its hart's run queue
    bool sampled_user;       // [o] mode that the last sample found; what the next span of time is charged to
    uint8_t account;         // [o] enum account: the same for its hart
    uint8_t sample_shift;    // [o] log2 of SAMPLE_MIN between two samples
    int8_t nice;             // [r] -20..19
    uint8_t policy;          // [r] SCHED_OTHER, SCHED_FIFO, ...
    uint8_t base_priority;   // [r] 1..99 for the two real-time policies, else 0
    uint8_t lent_priority;   // [r] what priority inheritance gives it, 0: nothing
    uint8_t rt_priority;     // [r] the higher of the two: what counts
    bool reset_on_fork;      // SCHED_RESET_ON_FORK
    uint32_t own_slice;      // ns of a slice, which a program asked for; 0: as the scheduler has them
    uint32_t weight;         // [r] of nice and policy; 1024 is nice 0
    uint32_t load;           // [r] its part of user->load while it is runnable, in prices
    struct user *user;       // [r] whose share of the harts it takes (sched/user.h), a reference
    uint64_t affinity;       // [r] bit = dense hart index
    uint64_t vruntime;       // [r] ticks it has run, each at its price
    uint64_t price;          // [r] of a tick; PRICE_ONE (sched/runqueue.h) is that of a user's only thread
    uint64_t slice_end;      // [r] ticks
    uint64_t last_account;   // [o] ticks
    uint64_t cpu_ticks[2];   // [o] ticks in the kernel, in user mode; see thread_cpu_time()
    RB_ENTRY(thread) run_node;                              // [r] fair queue
    struct list_head run_link;                              // [r] real-time queue
    unsigned long switches_voluntary, switches_involuntary; // [o]
    void *stack;                                            // [I] kernel stack, NULL for the boot thread
    void (*entry)(void *);                                  // [I]
    void *entry_arg;                                        // [I]
    char name[16];                                          // comm
    pid_t tid;
    struct refcount refs;

    // What the thread acts on. NULL for kernel threads where that makes sense.
    struct vmspace *vm;          // vm/vmspace.h
    struct files *files;         // fs/fdtable.h
    struct sem_undos *sem_undos; // ipc/sem.h; NULL: none yet
    struct fs_context *fs;       // fs/path.h: root, cwd, umask
    struct cred *cred;           // [o] core/cred.h: what it acts as; nobody else looks at it
    struct cred *real_cred;  // [process_lock to look from outside] who it is; a reference. Usually the same
    struct process *process; // proc/process.h
    struct key *session_keys, *thread_keys; // [o] keys/key.h, each a reference; NULL: none
    struct key **process_keys;              // [I] where its process has its own; NULL: it is a kernel thread
    struct namespaces
        *namespaces; // [process_lock to look from outside] core/namespace.h; NULL: the first ones
    struct mount_ns *ending_mounts; // [o] the mount namespace that it is ending: mount_ns.c
    const struct rlimit64 *limits;  // [o] its process's, RLIM_NLIMITS of them
    pid_t pid;                      // [I] its process's; 0: none
    struct pid_ns *pid_ns;          // [I] sched/pid_ns.h: its process's; the first one in kernel threads
    pid_t own_tid, own_pid;         // what those are called there
    struct list_head process_link;  // in process->threads

    // Signals (proc/signal.h).
    sigset_bits sig_blocked, sig_pending; // [process's signal lock]
    sigset_bits sig_saved;                // mask to restore after sigsuspend, ppoll, ...
    bool sig_restore;                     // sig_saved is to be restored on the way to user mode
    bool sig_stopped;                     // [s] has stopped in its process's group stop
    bool stop_taken;                      // [s] has taken a signal that stops, and no SIGCONT came since
    sigset_bits sig_wait;                 // [s] blocked, but waited for in rt_sigtimedwait
    struct list_head sig_queue;
    unsigned long altstack_sp, altstack_size;
    int altstack_flags;
    struct restart_block restart;   // [o]
    struct seccomp_filter *filters; // [s] proc/seccomp.h; the newest, a reference
    uint8_t seccomp;                // [s] SECCOMP_MODE_*
    bool used_privilege;            // [o] a capability made a difference: acct(5)
    bool no_new_privs;              // [a] execve gives no privileges; never false again
    struct ptrace ptrace;

    // Threads (clone, futex).
    struct scm_files **dying_files; // [o] net/scm.c: descriptors of messages it is letting go of
    int __user *clear_child_tid;
    void __user *robust_list;
    void __user *rseq;                    // [o] registered with rseq(2), NULL: nothing
    uint32_t rseq_length, rseq_signature; // [o]
    unsigned int rseq_hart;               // [o] that it was told of last
    struct list_head pi_owned;            // [pi_mutex of proc/futex_pi.c]
    struct pi_waiter *pi_wait;            // [pi_mutex]
    bool pi_exited;                       // [pi_mutex] owns none and will own none
    struct thread *vfork_parent;          // whom to wake at exec or exit
    bool vfork_done;
    int parent_death_signal; // prctl(PR_SET_PDEATHSIG)
    unsigned long timer_slack,
        default_timer_slack;    // [o] ns, prctl(PR_SET_TIMERSLACK): kept; timers are exact
    uint16_t io_priority;       // [a] ioprio_set(2): class and level; 0: never set
    unsigned int memory_policy; // [o] set_mempolicy(2): mode and flags, sys/numa.c
    unsigned long min_faults;
    struct io_usage io;       // [o]
    bool exiting;             // exit has begun: no more signals
    bool waits_for_no_page;   // [o] a fault that would wait (vm_fault()) is none, and is noted:
    bool missed_page;         // [o]
    bool waits_for_no_device; // [o] it lets go of what was another's: see vmspace_put()
    bool too_many_threads;    // [o] it became a user that was beyond RLIMIT_NPROC
    unsigned long syscall_nr; // of the call it is in, or -1; for /proc and trace
#ifdef CONFIG_DEBUG
    struct lock_stack mutexes_held; // [o]
#endif
};

_Static_assert(offsetof(struct thread, arch) == 0, "the trap entry needs it first");

// A new thread, not yet runnable, with one reference for the caller and one that the scheduler drops when it
// has died and left its stack. `entry(arg)` runs on its kernel stack with interrupts enabled and must end in
// thread_exit() or arch_enter_user(). Scheduling parameters are the creator's. NULL if no memory.
struct thread *__must_check thread_create(const char *name, void (*entry)(void *), void *arg);
// Makes a new thread runnable the first time.
void thread_start(struct thread *thread);
// A kernel thread, created and started, for what runs beside all processes; returning from entry ends it. 0
// or -ENOMEM.
int __must_check kthread_run(const char *name, void (*entry)(void *), void *arg);
// Ends the current thread. Everything it held must have been released.
void thread_exit(void) __noreturn;
// How often others ran after it.
static inline unsigned long thread_switches(const struct thread *thread) {
    return thread->switches_voluntary + thread->switches_involuntary;
}
static inline void thread_get(struct thread *thread) {
    ref_get(&thread->refs);
}
void thread_put(struct thread *thread); // the last one frees it
// Undoes thread_create() of a thread that was never started.
void thread_discard(struct thread *thread);

// Makes a sleeping thread runnable. True if it was asleep. From any context. A full barrier comes first: what
// the caller stored before is seen by the thread when it checks its condition. The caller sees to it that the
// thread does not go meanwhile.
bool thread_wake(struct thread *thread);
// The same only if it sleeps in an INTERRUPTIBLE (or, if `fatal`, KILLABLE or STOPPED) state; a thread that
// runs on another hart is made to look at its arch.work soon, which the caller has set.
bool thread_wake_for_signal(struct thread *thread, bool fatal);
// Between the two, waking a thread on another hart does not interrupt that hart yet. For those who wake with
// a lock held that the woken thread takes first: it would wait for it, and for long if the waker's hart is a
// virtual one that its host stops at that very moment. They nest; no sleep in between.
static inline void sched_defer_interrupts(void) {
    this_hart()->ipi_defer++;
}
void sched_send_deferred(void);
static inline void sched_undefer_interrupts(void) {
    struct hart *hart = this_hart();
    if (--hart->ipi_defer == 0 && unlikely(hart->ipi_pending))
        sched_send_deferred();
}
// Gives the hart up: sleeps if the state was set to a sleeping one before, else runs again when its turn
// comes. No spinlocks held.
void schedule(void);
// The end of a long loop's round: lets others run if the slice is over. May sleep.
static inline void cond_resched(void) {
    lock_check_may_sleep("lets others run");
    if (unlikely(READ_ONCE(current->arch.work) & WORK_RESCHED))
        schedule();
}
// The same in loops whose length a program chooses: -EINTR if the thread is being killed, and what it does
// matters to nobody any more.
int resched_or_die(void); // when there is work (below)
static inline int __must_check cond_resched_killable(void) {
    lock_check_may_sleep("lets others run");
    return unlikely(READ_ONCE(current->arch.work) & (WORK_RESCHED | WORK_SIGNAL)) ? resched_or_die() : 0;
}
void thread_yield(void); // sched_yield(2)
// Sleeping protocol: set_state(X); check the condition; schedule(); set_state(RUNNING). wait.h wraps it.
static inline void thread_set_state(enum thread_state state) {
    __atomic_store_n(&current->state, state, __ATOMIC_SEQ_CST);
}
// It is noted that the current thread has used a capability.
static inline bool thread_uses(bool capability) {
    if (capability)
        current->used_privilege = true;
    return capability;
}
// True if the current thread may do what CAP_* (linux/capability.h) stands for.
static inline bool capable(int cap) {
    return thread_uses(cred_capable(current->cred, cap));
}
// The same over what belongs to the user namespace u, and over what belongs to its own.
static inline bool capable_in(const struct user_ns *u, int cap) {
    return thread_uses(cred_capable_in(current->cred, u, cap));
}
static inline bool capable_within(int cap) {
    return thread_uses(cred_capable_within(current->cred, cap));
}
// What it has of a kind; kernel threads have the first ones.
static inline struct namespace *current_namespace(enum namespace_kind kind) {
    const struct namespaces *set = current->namespaces;
    return likely(set) ? set->of[kind] : first_namespaces.of[kind];
}

// True if the current thread has an unblocked signal pending.
static inline bool signal_pending(void) {
    return READ_ONCE(current->arch.work) & WORK_SIGNAL;
}

// True if memory is so short that the current thread may make no more objects that stay until somebody lets go of them
// (mm/page.h): the caller says that the limit is reached, as ENOSPC, ENFILE or whatever its call has for that.
bool memory_is_short_for_current(void);
static inline bool memory_is_short(void) {
    return unlikely(memory_is_tight(false)) && memory_is_short_for_current();
}

// The soft limit of a resource (RLIMIT_*) for the current thread.
static inline uint64_t current_rlimit(unsigned int resource) {
    const struct rlimit64 *limits = current->limits;
    return limits ? READ_ONCE(limits[resource].rlim_cur) : RLIM64_INFINITY;
}

// Processor time in ns. The sum is exact; the division into user and kernel is sampled (sched/account.c).
void thread_cpu_time(struct thread *thread, ktime_t *user, ktime_t *system);
// Called at samples of user threads, interrupts disabled, in the thread's context; true keeps samples at
// their shortest distance (CPU-time timers). One hook, set at boot by proc.
#define SAMPLE_NS 4000000
void sched_set_sample_hook(bool (*hook)(bool user));
void sched_sample_now(void); // next sample of the current thread after the shortest distance

// Numbers for /proc: runnable threads now; load average in 1/2048 over 1, 5, 15 min; idle ns of a hart since
// it started; user, nice, kernel ns of a hart; context switches since boot.
struct hart_times {
    ktime_t user, nice, system, idle;
};
unsigned int sched_running(void);
void sched_loadavg(unsigned long out[3]);
ktime_t sched_idle_time(unsigned int hart);
void sched_hart_times(unsigned int hart, struct hart_times *out);
uint64_t sched_switch_count(void);

// Scheduling parameters. Policies and priorities as sched(7); checks of permission are the caller's.
#define SCHED_WEIGHT_NICE_0 1024
int __must_check sched_set_affinity(struct thread *thread,
                                    uint64_t mask); // -EINVAL if no online hart is in mask
int __must_check sched_set_policy(struct thread *thread, int policy, int rt_priority); // -EINVAL
void sched_lend_priority(struct thread *thread, int rt_priority);                      // 0: takes it back
void sched_set_nice(struct thread *thread, int nice);                                  // clamped to -20..19
void sched_set_user(struct user *user); // the current thread takes its share of the harts from this user's
uint64_t sched_online_mask(void);
ktime_t sched_rr_interval(struct thread *thread);
// How long it runs while others wait, in ns. Setting it clamps it to SCHED_OWN_SLICE_*; 0: as the scheduler has it.
ktime_t sched_get_slice(const struct thread *thread);
void sched_set_slice(struct thread *thread, uint64_t ns);

// Boot: makes the running code the boot hart's idle thread; brings up the other harts; the idle loop, entered
// by each hart at the end of its start.
void sched_init(void);
void smp_start_harts(void);
// Before the first program: what it reads of the harts is what there will be. A hart that does not come within a second is
// named and not waited for any longer.
void smp_wait_for_harts(void);
void sched_idle_loop(void) __noreturn;
