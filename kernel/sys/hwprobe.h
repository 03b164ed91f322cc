// SPDX-License-Identifier: MIT
// riscv_hwprobe(2): see sys/hwprobe.c.
#pragma once

// Boot, with the device tree read: what the vDSO answers.
void hwprobe_init(void);
