// SPDX-License-Identifier: MIT
// The registers of interrupted code, and traps.
#pragma once
#include "core/types.h"

// The order is that of riscv's user_regs_struct (asm/ptrace.h): pc, then x1..x31.
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
    long in_syscall;       // 1 from an ecall until its result is final (no restart otherwise)
    unsigned long pad_[3];
};

static inline bool trap_from_user(const struct trap_frame *f) {
    return !(f->status & (1ul << 8));
}
// Address and length of the vDSO image in the kernel's read-only data, whole pages; and the offset of
// __vdso_rt_sigreturn in it. Mapped by exec (proc/exec.c).
extern const char vdso_start[], vdso_end[];
unsigned long vdso_sigreturn_offset(void);
