/* SPDX-License-Identifier: MIT */
/* The first instructions of the image, at whatever 2 MiB boundary it was loaded, with paging off:
 *   a0 = this hart's hartid   a1 = physical address of the device tree
 * The other harts wait in the firmware until arch_start_hart() asks for them. */
#include "arch/riscv/layout.h"
#include "asm-offsets.h"

	.section .head.text, "ax"
	.globl	_start
_start:
	/* The header of a RISC-V Linux image, version 0.2, which QEMU, U-Boot and others read. */
	.option push
	.option norvc
	j	start			/* code0, code1 */
	nop
	.option pop
	.dword	0x200000		/* text_offset */
	.dword	__image_end - _start	/* image_size */
	.dword	0			/* flags: little endian */
	.word	2			/* version 0.2 */
	.word	0
	.dword	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.word	0

start:
	rdtime	s2
	csrw	sie, zero
	csrw	sscratch, zero		/* 0: in the kernel */
	li	t0, 3 << 13		/* floating point is on wherever it is: hart.c */
	csrs	sstatus, t0
	la	t0, boot_claimed	/* some firmware lets a second hart through, rarely: the first one boots */
	li	t1, 1
	amoadd.w t0, t1, (t0)
	bnez	t0, give_back
	mv	s3, a0
	mv	s1, a1
	la	tp, boot_thread
	la	sp, boot_stack_top
	mv	fp, zero
	la	a0, _start
	mv	a1, s1
	call	early_page_tables	/* a0 = satp */
	jal	paging_on		/* from here on at link addresses */
	la	tp, boot_thread
	la	sp, boot_stack_top
	la	t0, trap_entry
	csrw	stvec, t0
	mv	a0, s3
	mv	a1, s1
	mv	a2, s2
	mv	s0, zero		/* fp: the end of backtraces */
	mv	ra, zero
	tail	kernel_main

/* This hart goes back to the firmware, from where arch_start_hart() can have it (SBI: hart_stop of HSM). */
give_back:
	li	a7, 0x48534d
	li	a6, 1
	ecall
1:	wfi
	j	1b

	.section .data
	.balign	4
boot_claimed:
	.word	0

	.section .head.text, "ax"
/* Turns paging on with satp = a0 and returns to the link address of where it was called from. Fetching the next
 * instruction faults, and the trap vector is where we want to go. */
paging_on:
	la	t0, _start
	li	t1, KERNEL_BASE
	sub	t1, t1, t0		/* virtual - physical */
	add	ra, ra, t1
	la	t0, 1f
	add	t0, t0, t1
	csrw	stvec, t0
	sfence.vma
	csrw	satp, a0
	.balign	4
1:	ret

/* A further hart: a0 = hartid, a1 = its idle thread. */
	.globl	secondary_start
secondary_start:
	csrw	sie, zero
	csrw	sscratch, zero
	li	t0, 3 << 13
	csrs	sstatus, t0
	mv	s1, a1
	la	t0, kernel_satp
	ld	a0, 0(t0)
	jal	paging_on
	mv	tp, s1
	ld	sp, THREAD_KERNEL_SP(tp)
	addi	sp, sp, -FRAME_SIZE	/* the frame's place stays empty: no FP state */
	la	t0, trap_entry
	csrw	stvec, t0
	mv	s0, zero
	mv	ra, zero
	tail	secondary_main

	.section .boot_stack, "aw", @nobits
	.space	KSTACK_SIZE
	.globl	boot_stack_top
boot_stack_top:
