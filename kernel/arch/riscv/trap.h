// SPDX-License-Identifier: MIT
// The registers of interrupted code, and traps.
#pragma once
#include "lib/types.h"

#define SYSCALL_LIMIT 512 // system calls' numbers are below

// The order is that of riscv's user_regs_struct (asm/ptrace.h): pc, then x1..x31. During a system call a0, gp
// and s0-s11 are not in the frame but in their registers, or wherever C functions put them (trap.S); clone's
// and traces' entries and user_return_work() find it complete.
struct trap_frame {
    unsigned long pc, ra, sp, gp, tp;
    unsigned long t0, t1, t2, s0, s1;
    unsigned long a0, a1, a2, a3, a4, a5, a6, a7;
    unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
    unsigned long t3, t4, t5, t6;
    unsigned long status;  // sstatus
    unsigned long cause;   // scause
    unsigned long badaddr; // stval
    unsigned long orig_a0; // a0 at the ecall, for restarts; the system call's number is in a7
    long in_syscall; // for user_return_work(): 1 if a system call's result may not be final yet (restarts)
    unsigned long pad_[3];
};

// Where the calls go on that a thread which sleeps is in, the innermost first: how many, up to `most`. One that wakes up meanwhile does no
// harm, as long as it has its stack: the answer is then worth nothing.
struct thread;
unsigned int arch_sleeping_calls(struct thread *thread, unsigned long *pc, unsigned int most);

// Address and length of the vDSO image in the kernel's read-only data, whole pages; and the offset of
// __vdso_rt_sigreturn in it. Mapped by exec (proc/exec.c).
extern const char vdso_start[], vdso_end[];
unsigned long vdso_sigreturn_offset(void);
