// SPDX-License-Identifier: MIT
// The init that `drupe run` puts into its machines, built from tools/guest/init.c.
    .section .rodata
    .globl  run_init, run_init_end
run_init:
    .incbin INIT
run_init_end:
    .section .note.GNU-stack, "", %progbits
