// SPDX-License-Identifier: MIT
// The hart: control registers, interrupts, the per-hart structure and the per-thread processor state.
//
// In the kernel `tp` holds the running thread; its first member is struct arch_thread. In user mode sscratch
// holds it, and is 0 while in the kernel, which is how the trap entry tells where a trap came from.
#pragma once
#include "lib/types.h"

#define MAX_HARTS 64

struct thread;

// Bits of arch_thread.work, seen by the way back to user mode.
#define WORK_SIGNAL     (1u << 0) // a signal may be deliverable
#define WORK_RESCHED    (1u << 1) // give the hart up
#define WORK_FRAME      (1u << 3) // the trap frame was changed: load all registers from it (arch_frame_changed())
#define WORK_CPU_TIMERS (1u << 4) // CPU-time timers or limits may be due
#define WORK_MEMORY     (1u << 5) // an allocation failed: memory has run out
#define WORK_ASYNC      (1u << 6) // it caused signals of files (fs/async.c)
#define WORK_RSEQ       (1u << 7) // it is on another hart, or slept in a fault (proc/rseq.h)

// Floating-point registers as ptrace and signal frames have them (f0-f31, fcsr).
struct fpu_state {
    uint64_t f[32];
    uint32_t fcsr;
};

// What is kept across a switch of threads: the callee-saved registers, and the user's gp, which system calls
// leave in the register.
struct switch_context {
    unsigned long ra, sp, s[12], gp;
};

// The processor's part of a thread; the first member of struct thread (sched/thread.h).
struct arch_thread {
    unsigned long kernel_sp; // top of the kernel stack, where a trap from user mode starts
    unsigned long user_sp;   // scratch of the trap entry
    unsigned int work;       // [a] WORK_*: what to do before going back to user mode
    int fpu_hart;      // the registers of that hart still are this thread's, if it is their owner; or -1
    struct hart *hart; // the hart it runs on, or ran on last
    const void
        *syscalls; // [a] where its calls go: syscall_entries, or the table of those whose calls are looked at
    struct switch_context context;
    struct fpu_state fpu;
#ifdef CONFIG_DEBUG
    unsigned int fail_nth; // [o] that allocation from now on fails (mm/fail_alloc.h), 0: none
    bool fail_never;       // [o] fail_alloc=1/N leaves it alone
#endif
};

struct run_queue;

struct hart {
    unsigned int id;               // [I] dense index, 0..hart_count-1; 0 booted
    unsigned long hartid;          // [I] the firmware's number
    struct thread *idle;           // [I]
    struct run_queue *queue;       // [I] sched/runqueue.h
    unsigned int ipi_defer;        // >0: interrupts to other harts wait (sched_defer_interrupts())
    uint64_t ipi_pending;          // those that wait: bit = dense index
    struct thread *fpu_owner;      // who had the FP registers last
    struct user_table *user_table; // whose page table satp holds, NULL: kernel's (mm/user_table.h)
    unsigned int irq_depth;        // >0 inside an interrupt handler
    bool online;                   // [a]
    uint64_t asked_by;             // [a] harts that want translations dropped (shootdown.c)
    uint64_t timer_interrupts;     // that it has had
    uint64_t hart_interrupts;      // and from other harts
    unsigned int kstack_epoch;     // what it has caught up with (kstack_catch_up())
};

extern struct hart harts[MAX_HARTS];

// Before `hart`, this hart, uses kernel stacks that others may have mapped: forgets that they were not
// (mm/kstack.c). Interrupts are disabled.
extern unsigned int kstack_epoch; // [a] how often one was mapped
void kstack_catch_up_slow(struct hart *hart);
static inline void kstack_catch_up(struct hart *hart) {
    if (unlikely(__atomic_load_n(&kstack_epoch, __ATOMIC_RELAXED) != hart->kstack_epoch))
        kstack_catch_up_slow(hart);
}
extern unsigned int hart_count;          // harts online or coming, fixed after the device tree is read
extern unsigned long timebase_frequency; // rdtime ticks a second, from the device tree

register struct thread *tp_thread __asm__("tp");
#define current        (tp_thread)
#define this_hart()    (((struct arch_thread *)tp_thread)->hart)
#define this_hart_id() (this_hart()->id)

#define csr_read(csr)                                                                                        \
    ({                                                                                                       \
        unsigned long v_;                                                                                    \
        __asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory");                                             \
        v_;                                                                                                  \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"rK"((unsigned long)(v)) : "memory")
#define csr_set(csr, v)   __asm__ volatile("csrs " #csr ", %0" ::"rK"((unsigned long)(v)) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" ::"rK"((unsigned long)(v)) : "memory")

#define SSTATUS_SIE  (1ul << 1)
#define SSTATUS_SPIE (1ul << 5)
#define SSTATUS_SPP  (1ul << 8)
#define SSTATUS_FS   (3ul << 13)
#define SSTATUS_SUM  (1ul << 18)

static inline unsigned long irq_save(void) {
    unsigned long v;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(v)::"memory");
    return v & SSTATUS_SIE;
}
static inline void irq_restore(unsigned long flags) {
    csr_set(sstatus, flags);
}
static inline void irq_enable(void) {
    csr_set(sstatus, SSTATUS_SIE);
}
static inline void irq_disable(void) {
    csr_clear(sstatus, SSTATUS_SIE);
}
static inline bool irq_enabled(void) {
    return csr_read(sstatus) & SSTATUS_SIE;
}
// In an interrupt handler: it interrupted user mode.
static inline bool irq_from_user(void) {
    return !(csr_read(sstatus) & SSTATUS_SPP);
}
static inline void cpu_relax(void) {
    __asm__ volatile(".insn i 0x0F, 0, x0, x0, 0x010" ::: "memory"); // pause
}
// Waits for an interrupt; returns at once if one is pending, even with interrupts disabled.
static inline void cpu_wait_for_interrupt(void) {
    __asm__ volatile("wfi" ::: "memory");
}
static inline uint64_t rdtime(void) {
    uint64_t t;
    __asm__ volatile("rdtime %0" : "=r"(t));
    return t;
}
// Memory and device registers: what was written before is seen before what is written after.
static inline void fence_io(void) {
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}
static inline void fence_i(void) {
    __asm__ volatile("fence.i" ::: "memory");
}

// Switches stacks and callee-saved registers from `from` to `to`, which becomes `current`. Interrupts are
// disabled. Handles the FP state. Returns, on from's stack, when somebody switches back; the result is the
// thread that ran before on this hart.
struct thread *arch_switch(struct thread *from, struct thread *to);
// Makes the thread start in `entry(arg)` on its kernel stack whose top is `stack_top`; interrupts disabled at
// start.
void arch_thread_init(struct thread *thread, void *stack_top, void (*entry)(void *), void *arg);
// The trap frame of a user thread: at the top of its kernel stack.
struct trap_frame *arch_user_frame(struct thread *thread);
// Goes to user mode with the thread's trap frame; never returns. Runs user_return_work() first where asked.
void arch_enter_user(void) __noreturn;

// The current thread's trap frame holds new values: the way back to user mode loads all of it. (A system
// call's way back else loads only what a call may change.) arch_enter_user() and work (WORK_*) imply it.
static inline void arch_frame_changed(void) {
    __atomic_fetch_or(&((struct arch_thread *)tp_thread)->work, WORK_FRAME, __ATOMIC_RELAXED);
}

// Timer, software and external interrupts may come from now on, when enabled by irq_enable().
void arch_enable_interrupts(void);

// Has the firmware start hart `id`, which goes to hart_main() on the stack of harts[id].idle. 0 or -EIO.
int __must_check arch_start_hart(unsigned int id);

// The floating-point state of a thread that runs is in the registers, of another in arch_thread.fpu. `thread` is the current one, or does
// not run meanwhile.
void fpu_save(struct thread *thread); // arch_thread.fpu is it now
void fpu_set(struct thread *thread, const struct fpu_state *state);
// A fresh state (all zero) for the current thread, which gets the registers with it: execve.
void fpu_reset(void);

// The ISA letters of the device tree, for AT_HWCAP ('a'..'z' -> bits 0..25).
extern unsigned long arch_hwcap;
#define HWCAP_D (1ul << ('d' - 'a')) // set where harts have F and D
// The Sstc extension: a hart sets its own timer, without the firmware.
extern bool arch_has_sstc;
