// SPDX-License-Identifier: MIT
// Linux's error numbers, and the four of its own that a system call returns to its own exit path only.
#pragma once
#include <asm/errno.h>

// "Interrupted by a signal": which of them a blocked call returns says what becomes of it after the handler
// (signal(7)). They never reach a program; proc/signal.c turns them into -EINTR or a restart.
#define ERESTARTSYS           512 // restart if the handler has SA_RESTART
#define ERESTARTNOINTR        513 // always restart
#define ERESTARTNOHAND        514 // restart only if no handler ran
#define ERESTART_RESTARTBLOCK 516 // restart through restart_syscall()
