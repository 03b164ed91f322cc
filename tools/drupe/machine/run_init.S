// SPDX-License-Identifier: MIT
// The init that `drupe run` puts into its machines, built from tools/guest, and their firmware, from tools/firmware.
    .section .rodata
    .globl  run_init, run_init_end
run_init:
    .incbin INIT
run_init_end:
    .globl  run_firmware, run_firmware_end
run_firmware:
    .incbin FIRMWARE
run_firmware_end:
    .section .note.GNU-stack, "", %progbits
