// SPDX-License-Identifier: MIT
// Prototypes of all system calls, made from syscalls.def. Each returns its result or -errno.
#pragma once
#include "core/errno.h"
#include "core/types.h"
#include <asm/unistd.h>

// Younger than the oldest headers that we build with.
#ifndef __NR_riscv_hwprobe
#define __NR_riscv_hwprobe 258
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

#define SYSCALL(name, kinds, ...) long sys_##name(__VA_ARGS__);
#include "sys/syscalls.def"
#undef SYSCALL

// From now on every call of every program goes by way of trace_enter() and trace_exit() (sys/trace.h).
void syscalls_trace(void);
