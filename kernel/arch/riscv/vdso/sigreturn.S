/* SPDX-License-Identifier: MIT */
/* Where a signal handler returns to. Unwinders know this sequence by its bytes, and by the frame's
 * description. */
#include <asm/unistd.h>

	.text
	.globl	__vdso_rt_sigreturn
	.type	__vdso_rt_sigreturn, @function
	.cfi_startproc
	.cfi_signal_frame
__vdso_rt_sigreturn:
	li	a7, __NR_rt_sigreturn
	ecall
	.cfi_endproc
	.size	__vdso_rt_sigreturn, . - __vdso_rt_sigreturn

	.globl	__vdso_getcpu
	.type	__vdso_getcpu, @function
__vdso_getcpu:
	li	a7, __NR_getcpu
	ecall
	ret
	.size	__vdso_getcpu, . - __vdso_getcpu
