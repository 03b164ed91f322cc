/* SPDX-License-Identifier: MIT */
/* Traps.
 *
 * In the kernel sscratch is 0 and tp holds the running thread; in user mode sscratch holds the thread. A trap
 * saves registers in a struct trap_frame: from user mode at the top of the thread's kernel stack, from the
 * kernel on the stack it runs on.
 *
 * A system call saves and loads only what its C code may change. gp and s0-s11 stay where they are, for C
 * functions preserve the latter, the kernel never uses the former, and a switch of threads keeps both; so
 * does a0, which comes back as the result. They join the frame when somebody is going to read it: for clone, which copies it, for traces, and
 * before work on the way back (signals, a new turn of the scheduler). If the frame itself was changed
 * (WORK_FRAME: a new program, a signal's return), all registers are loaded from it instead.
 *
 * Interrupts are enabled during system calls and handling of exceptions from user mode; otherwise disabled.
 */
#include "arch/riscv/layout.h"
#include "asm-offsets.h"

#define SSTATUS_SIE	(1 << 1)
#define SSTATUS_SPP	(1 << 8)
#define SSTATUS_SUM	(1 << 18)
#define WORK_FRAME	(1 << 3)
#define CAUSE_ECALL	8
#define FRAME(r)	FRAME_##r(sp)

	.macro	save_preserved		/* what C functions leave as it is */
	sd	gp, FRAME(GP)
	sd	s0, FRAME(S0)
	sd	s1, FRAME(S1)
	sd	s2, FRAME(S2)
	sd	s3, FRAME(S3)
	sd	s4, FRAME(S4)
	sd	s5, FRAME(S5)
	sd	s6, FRAME(S6)
	sd	s7, FRAME(S7)
	sd	s8, FRAME(S8)
	sd	s9, FRAME(S9)
	sd	s10, FRAME(S10)
	sd	s11, FRAME(S11)
	.endm

	.text
	.balign	4
	.globl	trap_entry
trap_entry:
	csrrw	tp, sscratch, tp
	beqz	tp, trap_from_kernel

	sd	sp, THREAD_USER_SP(tp)
	ld	sp, THREAD_KERNEL_SP(tp)
	addi	sp, sp, -FRAME_SIZE
	sd	t0, FRAME(T0)
	sd	t1, FRAME(T1)
	csrr	t0, scause
	csrrw	t1, sscratch, zero	/* the user's tp */
	sd	ra, FRAME(RA)
	sd	t1, FRAME(TP)
	ld	t1, THREAD_USER_SP(tp)
	sd	t2, FRAME(T2)
	sd	a1, FRAME(A1)
	sd	t1, FRAME(SP)
	csrr	t1, sepc
	sd	a2, FRAME(A2)
	sd	a3, FRAME(A3)
	sd	a4, FRAME(A4)
	sd	a5, FRAME(A5)
	sd	a6, FRAME(A6)
	sd	a7, FRAME(A7)
	csrr	t2, sstatus
	sd	t3, FRAME(T3)
	sd	t4, FRAME(T4)
	sd	t5, FRAME(T5)
	sd	t6, FRAME(T6)
	sd	t2, FRAME(STATUS)
	addi	t0, t0, -CAUSE_ECALL
	bnez	t0, not_a_call

/* A system call: a0-a5 its arguments, a7 its number; they are still in their registers when the entry of
 * the table is called. */
	ld	t0, THREAD_SYSCALLS(tp)
	li	t2, SYSCALL_LIMIT
	addi	t1, t1, 4		/* go on behind the ecall */
	sd	t1, FRAME(PC)
	sd	a0, FRAME(ORIG_A0)
	bgeu	a7, t2, unknown_number
	slli	t2, a7, 3
1:	add	t0, t0, t2
	ld	t0, 0(t0)
	csrsi	sstatus, SSTATUS_SIE
	jalr	t0
	csrci	sstatus, SSTATUS_SIE
	lw	t0, THREAD_WORK(tp)
	bnez	t0, work_pending

	csrw	sscratch, tp
	ld	t0, FRAME(PC)
	ld	t1, FRAME(STATUS)
	csrw	sepc, t0
	csrw	sstatus, t1
	ld	ra, FRAME(RA)
	ld	tp, FRAME(TP)
	ld	t0, FRAME(T0)
	ld	t1, FRAME(T1)
	ld	t2, FRAME(T2)
	ld	a1, FRAME(A1)
	ld	a2, FRAME(A2)
	ld	a3, FRAME(A3)
	ld	a4, FRAME(A4)
	ld	a5, FRAME(A5)
	ld	a6, FRAME(A6)
	ld	a7, FRAME(A7)
	ld	t3, FRAME(T3)
	ld	t4, FRAME(T4)
	ld	t5, FRAME(T5)
	ld	t6, FRAME(T6)
	ld	sp, FRAME(SP)
	sret

unknown_number:
	slli	t2, t2, 3		/* the entry behind the last */
	j	1b

/* Entries of the table for calls that read the whole frame. */
	.macro	with_frame name, target
	.globl	\name
\name:
	save_preserved
	tail	\target
	.endm
	with_frame syscall_entry_clone, syscall_clone
	with_frame syscall_entry_clone3, syscall_clone3
	with_frame syscall_entry_traced, syscall_traced

not_a_call:
	addi	t0, t0, CAUSE_ECALL
	csrr	t2, stval
	sd	a0, FRAME(A0)
	sd	t1, FRAME(PC)
	sd	t0, FRAME(CAUSE)
	sd	t2, FRAME(BADADDR)
	sd	zero, FRAME(IN_SYSCALL)
	save_preserved
	mv	a0, sp
	mv	s0, zero		/* backtraces end here */
	call	trap_user
	j	return_to_user

/* A system call comes back with a0 = its result, and work to do: t0 = WORK_*. */
work_pending:
	sd	a0, FRAME(A0)
	andi	t1, t0, WORK_FRAME
	bnez	t1, return_to_user
	save_preserved
	li	t1, 1
	sd	t1, FRAME(IN_SYSCALL)
	j	do_work

/* Also where a new thread and a new program go: sp = the frame, interrupts disabled. */
	.globl	return_to_user
return_to_user:
	lw	t0, THREAD_WORK(tp)
	andi	t0, t0, ~WORK_FRAME
	beqz	t0, load_frame
do_work:
	csrsi	sstatus, SSTATUS_SIE
	mv	a0, sp
	call	user_return_work
	csrci	sstatus, SSTATUS_SIE
	j	return_to_user

load_frame:
	li	t0, ~WORK_FRAME
	addi	t1, tp, THREAD_WORK
	amoand.w zero, t0, (t1)
	csrw	sscratch, tp
	ld	t0, FRAME(PC)
	ld	t1, FRAME(STATUS)
	csrw	sepc, t0
	csrw	sstatus, t1
	ld	tp, FRAME(TP)
	ld	gp, FRAME(GP)
load_rest:
	ld	ra, FRAME(RA)
	ld	t0, FRAME(T0)
	ld	t1, FRAME(T1)
	ld	t2, FRAME(T2)
	ld	s0, FRAME(S0)
	ld	s1, FRAME(S1)
	ld	a0, FRAME(A0)
	ld	a1, FRAME(A1)
	ld	a2, FRAME(A2)
	ld	a3, FRAME(A3)
	ld	a4, FRAME(A4)
	ld	a5, FRAME(A5)
	ld	a6, FRAME(A6)
	ld	a7, FRAME(A7)
	ld	s2, FRAME(S2)
	ld	s3, FRAME(S3)
	ld	s4, FRAME(S4)
	ld	s5, FRAME(S5)
	ld	s6, FRAME(S6)
	ld	s7, FRAME(S7)
	ld	s8, FRAME(S8)
	ld	s9, FRAME(S9)
	ld	s10, FRAME(S10)
	ld	s11, FRAME(S11)
	ld	t3, FRAME(T3)
	ld	t4, FRAME(T4)
	ld	t5, FRAME(T5)
	ld	t6, FRAME(T6)
	ld	sp, FRAME(SP)
	sret

/* From the kernel: an interrupt, a fault on user memory, or a bug. tp = 0, sscratch = the kernel's tp. */
trap_from_kernel:
	csrrw	tp, sscratch, zero
	csrw	sscratch, t0		/* nothing may be stored before the stack is known to be good */
	addi	sp, sp, -FRAME_SIZE
	srli	t0, sp, KSTACK_SHIFT	/* a stack's slot is twice its size, its lower half the guard */
	andi	t0, t0, 1
	beqz	t0, stack_overflow
	csrrw	t0, sscratch, zero
	sd	t0, FRAME(T0)
	addi	t0, sp, FRAME_SIZE
	sd	t0, FRAME(SP)
	sd	ra, FRAME(RA)
	sd	gp, FRAME(GP)
	sd	tp, FRAME(TP)
	sd	t1, FRAME(T1)
	sd	t2, FRAME(T2)
	sd	s0, FRAME(S0)
	sd	s1, FRAME(S1)
	sd	a0, FRAME(A0)
	sd	a1, FRAME(A1)
	sd	a2, FRAME(A2)
	sd	a3, FRAME(A3)
	sd	a4, FRAME(A4)
	sd	a5, FRAME(A5)
	sd	a6, FRAME(A6)
	sd	a7, FRAME(A7)
	sd	s2, FRAME(S2)
	sd	s3, FRAME(S3)
	sd	s4, FRAME(S4)
	sd	s5, FRAME(S5)
	sd	s6, FRAME(S6)
	sd	s7, FRAME(S7)
	sd	s8, FRAME(S8)
	sd	s9, FRAME(S9)
	sd	s10, FRAME(S10)
	sd	s11, FRAME(S11)
	sd	t3, FRAME(T3)
	sd	t4, FRAME(T4)
	sd	t5, FRAME(T5)
	sd	t6, FRAME(T6)
	csrr	t0, sepc
	csrr	t1, sstatus
	csrr	t2, scause
	csrr	t3, stval
	sd	t0, FRAME(PC)
	sd	t1, FRAME(STATUS)
	sd	t2, FRAME(CAUSE)
	sd	t3, FRAME(BADADDR)
	ld	t0, uaccess_close	/* the handler has no business in user memory */
	csrc	sstatus, t0
	mv	a0, sp
	call	trap_kernel
	ld	t0, FRAME(PC)
	ld	t1, FRAME(STATUS)
	csrw	sepc, t0
	csrw	sstatus, t1
	j	load_rest

stack_overflow:
	csrw	sscratch, zero
	mv	a1, sp
	mv	a2, ra
	la	sp, emergency_stack_top
	csrr	a0, sepc
	mv	a3, s0
	call	trap_stack_overflow

	.section .bss
	.balign	16
	.space	8192
emergency_stack_top:

/* arch_switch(from, to): callee-saved registers and the user's gp; returns `from` on the new thread's stack. */
	.text
	.globl	switch_registers
switch_registers:
	addi	a2, a0, THREAD_CONTEXT
	addi	a3, a1, THREAD_CONTEXT
	sd	ra, 0(a2)
	sd	sp, 8(a2)
	sd	s0, 16(a2)
	sd	s1, 24(a2)
	sd	s2, 32(a2)
	sd	s3, 40(a2)
	sd	s4, 48(a2)
	sd	s5, 56(a2)
	sd	s6, 64(a2)
	sd	s7, 72(a2)
	sd	s8, 80(a2)
	sd	s9, 88(a2)
	sd	s10, 96(a2)
	sd	s11, 104(a2)
	sd	gp, 112(a2)
	ld	ra, 0(a3)
	ld	sp, 8(a3)
	ld	s0, 16(a3)
	ld	s1, 24(a3)
	ld	s2, 32(a3)
	ld	s3, 40(a3)
	ld	s4, 48(a3)
	ld	s5, 56(a3)
	ld	s6, 64(a3)
	ld	s7, 72(a3)
	ld	s8, 80(a3)
	ld	s9, 88(a3)
	ld	s10, 96(a3)
	ld	s11, 104(a3)
	ld	gp, 112(a3)
	mv	tp, a1
	ret

/* Where a new thread's first switch lands: s1 = entry, s2 = its argument, a0 = the thread that ran before. */
	.globl	thread_first
thread_first:
	mv	a1, s2
	mv	s0, zero
	mv	ra, zero
	mv	a0, s2
	jr	s1

	.globl	arch_enter_user
arch_enter_user:
	csrci	sstatus, SSTATUS_SIE
	ld	sp, THREAD_KERNEL_SP(tp)
	addi	sp, sp, -FRAME_SIZE
	j	return_to_user

/* fpu_store(state), fpu_load(state): f0-f31, fcsr. sstatus.FS is on. */
	.option push
	.option arch, +d
	.macro	all_fp op
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	\op	f\n, 8*\n(a0)
	.endr
	.endm
	.globl	fpu_store, fpu_load
fpu_store:
	all_fp	fsd
	frcsr	t0
	sw	t0, 256(a0)
	ret
fpu_load:
	all_fp	fld
	lw	t0, 256(a0)
	fscsr	t0
	ret
	.option pop
