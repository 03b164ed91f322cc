/* SPDX-License-Identifier: MIT */
/* The vDSO's image in the kernel's read-only data, whole pages. */
	.section .rodata
	.balign	4096
	.globl	vdso_start, vdso_end
vdso_start:
	.incbin	VDSO_FILE
	.balign	4096
vdso_end:
