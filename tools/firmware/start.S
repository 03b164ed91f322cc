/* SPDX-License-Identifier: MIT */
/* The first instructions of a machine of `drupe run`, and the ways between machine mode and supervisor mode (firmware.h).
 *
 * mscratch is the top of the hart's stack while it is in a lower mode; in machine mode, that mode's sp. Nothing traps in
 * machine mode: interrupts are off there. */
#include "tools/firmware/firmware.h"

	.section .text.start, "ax"
	.globl	_start
/* From QEMU's reset code, all harts at once: a0 = hartid, a1 = the device tree, a2 = struct next_stage. */
_start:
	li	t0, FIRMWARE_HARTS
	bgeu	a0, t0, park
	addi	t0, a0, 1
	slli	t0, t0, STACK_SHIFT
	la	sp, stacks
	add	sp, sp, t0
	la	t0, trap
	csrw	mtvec, t0
	tail	firmware_start

park:
	wfi
	j	park

/* void enter(a0 = hartid, a1 = opaque, a2 = entry): to supervisor mode, with paging and interrupts off. */
	.globl	enter
enter:
	addi	t0, a0, 1
	slli	t0, t0, STACK_SHIFT
	la	t1, stacks
	add	t0, t0, t1
	csrw	mscratch, t0
	csrw	mepc, a2
	li	t0, 3 << 11 | 1 << 7 | 1 << 1	/* MPP, MPIE, SIE */
	csrc	mstatus, t0
	li	t0, 1 << 11			/* MPP: supervisor mode */
	csrs	mstatus, t0
	csrw	satp, zero
	fence.i
	mret

/* void set_envcfg(a0): sets bits of menvcfg, on harts that have it. */
	.globl	set_envcfg
set_envcfg:
	la	t0, 1f
	csrrw	t0, mtvec, t0
	csrs	0x30a, a0
	.balign	4
1:	csrw	mtvec, t0
	ret

/* The registers that a call may change are saved as struct frame; a call of the supervisor's gets a0 and a1 back. */
	.balign	4
trap:
	csrrw	sp, mscratch, sp
	addi	sp, sp, -128
	sd	a0, 0(sp)
	sd	a1, 8(sp)
	sd	a2, 16(sp)
	sd	a3, 24(sp)
	sd	a4, 32(sp)
	sd	a5, 40(sp)
	sd	a6, 48(sp)
	sd	a7, 56(sp)
	sd	t0, 64(sp)
	sd	t1, 72(sp)
	sd	t2, 80(sp)
	sd	t3, 88(sp)
	sd	t4, 96(sp)
	sd	t5, 104(sp)
	sd	t6, 112(sp)
	sd	ra, 120(sp)
	mv	a0, sp
	csrr	a1, mcause
	call	firmware_trap
	ld	a0, 0(sp)
	ld	a1, 8(sp)
	ld	a2, 16(sp)
	ld	a3, 24(sp)
	ld	a4, 32(sp)
	ld	a5, 40(sp)
	ld	a6, 48(sp)
	ld	a7, 56(sp)
	ld	t0, 64(sp)
	ld	t1, 72(sp)
	ld	t2, 80(sp)
	ld	t3, 88(sp)
	ld	t4, 96(sp)
	ld	t5, 104(sp)
	ld	t6, 112(sp)
	ld	ra, 120(sp)
	addi	sp, sp, 128
	csrrw	sp, mscratch, sp
	mret

	.section .bss
	.balign	16
stacks:
	.space	FIRMWARE_HARTS << STACK_SHIFT
