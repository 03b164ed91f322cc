/* SPDX-License-Identifier: MIT */
/* User memory: the only instructions of the kernel that touch it. Each routine switches SUM on for itself (uaccess_close tells whether off
 * again); a
 * fault in it that cannot be mended goes on at the fix-up that uaccess_table names for its range. Routines
 * check nothing: uaccess.c does.
 *
 * Addresses begin at 0, so nothing may be computed that lies below a buffer: "end - 255" wraps. How far is left is
 * a difference, always; a loop of words ends at an address between its start and the buffer's end (the end rounded
 * down, or the start plus what was found to fit) and stops when it is equal.
 *
 * tests/user/uaccess.c builds this file for user mode, with every length and alignment at both ends of the
 * address space. */

#define SUM	(1 << 18)
	.macro	begin
#ifndef UACCESS_IN_USER_MODE
	li	t6, SUM
	csrs	sstatus, t6
#endif
	.endm
	.macro	end
#ifndef UACCESS_IN_USER_MODE
	ld	t6, uaccess_close
	beqz	t6, 1f
	csrc	sstatus, t6
1:
#endif
	.endm
	.macro	range start, end, fixup
	.pushsection .rodata
	.dword	\start, \end, \fixup
	.popsection
	.endm

	.section .rodata
	.balign 8
	.globl	uaccess_table
uaccess_table:
	.text

/* size_t user_copy_raw(to, from, n): bytes not copied; either side may be user memory. Forward. */
	.globl	user_copy_raw
user_copy_raw:
	begin
	sltiu	t0, a2, 8
	add	a2, a0, a2		/* a2 = end of to */
	bnez	t0, bytes
	or	t0, a0, a1
	andi	t0, t0, 7
	beqz	t0, words
	xor	t0, a0, a1
	andi	t0, t0, 7
	bnez	t0, shifted
head:	andi	t0, a0, 7
	beqz	t0, words
copy_1:	lb	t1, 0(a1)
	sb	t1, 0(a0)
copy_1_end:
	addi	a0, a0, 1
	addi	a1, a1, 1
	j	head
	.macro	copy_64 at
	ld	t0, \at(a1)
	ld	t1, \at+8(a1)
	ld	t2, \at+16(a1)
	ld	t3, \at+24(a1)
	ld	t4, \at+32(a1)
	ld	t5, \at+40(a1)
	ld	a4, \at+48(a1)
	ld	a5, \at+56(a1)
	sd	t0, \at(a0)
	sd	t1, \at+8(a0)
	sd	t2, \at+16(a0)
	sd	t3, \at+24(a0)
	sd	t4, \at+32(a0)
	sd	t5, \at+40(a0)
	sd	a4, \at+48(a0)
	sd	a5, \at+56(a0)
	.endm
words:	sub	a6, a2, a0		/* what is left */
	andi	a3, a6, -256
	beqz	a3, fewer
	add	a3, a0, a3
copy_0:	copy_64	0
	copy_64	64
	copy_64	128
	copy_64	192
copy_0_end:
	addi	a0, a0, 256
	addi	a1, a1, 256
	bne	a0, a3, copy_0
	beq	a0, a2, done
	andi	a6, a6, 255
fewer:	andi	a3, a6, -64		/* of less than 256 */
	beqz	a3, words_rest
	add	a3, a0, a3
copy_2:	copy_64	0
copy_2_end:
	addi	a0, a0, 64
	addi	a1, a1, 64
	bne	a0, a3, copy_2
	beq	a0, a2, done
words_rest:
	andi	a3, a2, -8
	beq	a0, a3, bytes
copy_3:	ld	t0, 0(a1)
	sd	t0, 0(a0)
copy_3_end:
	addi	a0, a0, 8
	addi	a1, a1, 8
	bne	a0, a3, copy_3
bytes:	beq	a0, a2, done
copy_4:	lb	t0, 0(a1)
	sb	t0, 0(a0)
copy_4_end:
	addi	a0, a0, 1
	addi	a1, a1, 1
	bne	a0, a2, copy_4
done:	end
	sub	a0, a2, a0
	ret
/* The two sides differ in their alignment: aligned words of the source, shifted together. */
shifted:
	andi	t0, a0, 7
	beqz	t0, 1f
copy_5:	lb	t1, 0(a1)
	sb	t1, 0(a0)
copy_5_end:
	addi	a0, a0, 1
	addi	a1, a1, 1
	j	shifted
1:	andi	t0, a1, 7
	slli	t0, t0, 3		/* bits to drop of the first word */
	li	t1, 64
	sub	t1, t1, t0
	andi	a4, a1, -8
	andi	a3, a2, -8		/* no word is read that holds none of the bytes: the second one holds the last */
	beq	a0, a3, bytes
copy_6:	ld	t2, 0(a4)
copy_6_end:
2:
copy_7:	ld	t3, 8(a4)
	srl	t4, t2, t0
	sll	t5, t3, t1
	or	t4, t4, t5
	sd	t4, 0(a0)
copy_7_end:
	mv	t2, t3
	addi	a4, a4, 8
	addi	a1, a1, 8
	addi	a0, a0, 8
	bne	a0, a3, 2b
	j	bytes
	range	copy_1, copy_1_end, done
	range	copy_0, copy_0_end, bytes	/* finds the byte that faults */
	range	copy_2, copy_2_end, bytes
	range	copy_3, copy_3_end, bytes
	range	copy_4, copy_4_end, done
	range	copy_5, copy_5_end, done
	range	copy_6, copy_7_end, bytes

/* size_t user_clear_raw(to, n): bytes not cleared. */
	.globl	user_clear_raw
user_clear_raw:
	begin
	sltiu	t0, a1, 8
	add	a2, a0, a1
	bnez	t0, clear_bytes
clear_head:
	andi	t0, a0, 7
	beqz	t0, clear_words
	beq	a0, a2, done
clear_1:
	sb	zero, 0(a0)
clear_1_end:
	addi	a0, a0, 1
	j	clear_head
clear_words:
	sub	a3, a2, a0		/* what is left */
	andi	a3, a3, -64
	beqz	a3, clear_rest
	add	a3, a0, a3
clear_0:
	sd	zero, 0(a0)
	sd	zero, 8(a0)
	sd	zero, 16(a0)
	sd	zero, 24(a0)
	sd	zero, 32(a0)
	sd	zero, 40(a0)
	sd	zero, 48(a0)
	sd	zero, 56(a0)
clear_0_end:
	addi	a0, a0, 64
	bne	a0, a3, clear_0
clear_rest:
	andi	a3, a2, -8
	beq	a0, a3, clear_bytes
clear_2:
	sd	zero, 0(a0)
clear_2_end:
	addi	a0, a0, 8
	bne	a0, a3, clear_2
clear_bytes:
	beq	a0, a2, done
clear_3:
	sb	zero, 0(a0)
clear_3_end:
	addi	a0, a0, 1
	bne	a0, a2, clear_3
	j	done
	range	clear_1, clear_1_end, done
	range	clear_0, clear_0_end, clear_bytes	/* finds the byte that faults */
	range	clear_2, clear_2_end, clear_bytes
	range	clear_3, clear_3_end, done

/* ssize_t user_string_raw(to, from, n): copies up to and with the NUL; its length without it, n if there is none within n,
 * -1 for a fault. Reads aligned words, which never cross into another page. */
	.globl	user_string_raw
user_string_raw:
	begin
	mv	a3, a0
	add	a2, a0, a2
	li	t3, 0x7f7f7f7f7f7f7f7f
string_bytes:
	beq	a0, a2, string_none
	andi	t0, a1, 7
	beqz	t0, string_words
string_1:
	lb	t1, 0(a1)
string_1_end:
	sb	t1, 0(a0)
	beqz	t1, string_end
	addi	a0, a0, 1
	addi	a1, a1, 1
	j	string_bytes
string_words:
	andi	t0, a0, 7
	andi	a4, a2, -8
	bnez	t0, string_slow
string_2:
	beq	a0, a4, string_slow
	ld	t0, 0(a1)
	and	t1, t0, t3		/* a byte is 0 iff neither its low bits carry nor its top bit is set */
	add	t1, t1, t3
	or	t1, t1, t0
	or	t1, t1, t3
	not	t1, t1
	bnez	t1, string_slow
	sd	t0, 0(a0)
	addi	a0, a0, 8
	addi	a1, a1, 8
	j	string_2
string_2_end:
string_slow:
	beq	a0, a2, string_none
string_3:
	lb	t1, 0(a1)
string_3_end:
	sb	t1, 0(a0)
	beqz	t1, string_end
	addi	a0, a0, 1
	addi	a1, a1, 1
	andi	t0, a1, 7
	bnez	t0, string_slow
	j	string_bytes
string_none:
string_end:
	end
	sub	a0, a0, a3
	ret
string_fault:
	end
	li	a0, -1
	ret
	range	string_1, string_1_end, string_fault
	range	string_2, string_2_end, string_fault
	range	string_3, string_3_end, string_fault

/* int user_load_u32_raw(from, value): 0, or -1 for a fault. */
	.globl	user_load_u32_raw
user_load_u32_raw:
	begin
load_1:	lw	t0, 0(a0)
load_1_end:
	end
	sw	t0, 0(a1)
	li	a0, 0
	ret
atomic_fault:
	end
	li	a0, -1
	ret
	range	load_1, load_1_end, atomic_fault

/* int user_store_u16_column_raw(to, from, n): n > 0 values, 8 bytes from one to the next on both sides. 0, or -1 for a fault. */
	.globl	user_store_u16_column_raw
user_store_u16_column_raw:
	begin
	slli	a2, a2, 3
	add	a2, a0, a2
store_1:
	lhu	t0, 0(a1)
	sh	t0, 0(a0)
store_1_end:
	addi	a0, a0, 8
	addi	a1, a1, 8
	bne	a0, a2, store_1
	end
	li	a0, 0
	ret
	range	store_1, store_1_end, atomic_fault

/* int user_cmpxchg_u32_raw(at, old, new): *old becomes the value found. 0 or -1. */
	.globl	user_cmpxchg_u32_raw
user_cmpxchg_u32_raw:
	lw	t1, 0(a1)
	begin
cas_1:	lr.w.aqrl t0, (a0)
	bne	t0, t1, cas_1_end
	sc.w.aqrl t2, a2, (a0)
	bnez	t2, cas_1
cas_1_end:
	end
	sw	t0, 0(a1)
	li	a0, 0
	ret
	range	cas_1, cas_1_end, atomic_fault

	.section .rodata
	.dword	0, 0, 0
