// SPDX-License-Identifier: MIT
// Prototypes of all system calls, made from syscalls.def. Each returns its result or -errno.
#pragma once
#include "core/errno.h"
#include "core/types.h"
#include "sys/numbers.h"

#define SYSCALL(name, kinds, ...) long sys_##name(__VA_ARGS__);
#include "sys/syscalls.def"
#undef SYSCALL

// From now on every call of the running thread and of those to come goes by way of trace_enter() and trace_exit() (sys/trace.h).
void syscalls_trace(void);
