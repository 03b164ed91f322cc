// SPDX-License-Identifier: MIT
// The kernel's own header on another processor: no instructions of RISC-V, the running thread in a variable, and a clock that stands
// still until it is set.
#pragma once
#define register extern
#define __asm__(name)
#define volatile(...) ("")
#define rdtime rdtime_of_riscv
#include "kernel/arch/riscv/cpu.h"
#undef rdtime
#undef register
#undef __asm__
#undef volatile

extern uint64_t host_ticks;
static inline uint64_t rdtime(void) {
    return host_ticks;
}
