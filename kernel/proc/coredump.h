// SPDX-License-Identifier: MIT
// Core files: what is left of a program that a signal ended, for a debugger; core(5).
//
// The thread that took the signal writes; the others have to end and wait, each at the beginning of its end with its registers in
// its trap frame, until the file is written. SIGKILL ends the writing at once.
#pragma once
#include "proc/process.h"

// Of private anonymous memory, shared anonymous memory, the first page of ELF files, huge pages: /proc/PID/coredump_filter.
#define CORE_FILTER_DEFAULT 0x33u
#define CORE_FILTER_ALL     0x1ffu

// The current thread has taken `sig`, which ends its process and leaves a core file: writes it, where limits and the
// program's rights allow it. The process is marked as ending then. No locks held.
void coredump(int sig, const siginfo_t *info);
// The current thread is about to end: it waits until a core file of its process is written.
void coredump_rest(void);
// A thread of p begins its end with sig_lock held.
void coredump_thread_leaves_locked(struct process *p);

// The pattern of core files' names, as kernel.core_pattern has it: reads it; sets it: -EINVAL if it is too long, or a program's.
#define CORE_PATTERN_SIZE 128
void core_get_pattern(char out[CORE_PATTERN_SIZE]);
int __must_check core_set_pattern(const char *text, size_t n);
extern unsigned long core_uses_pid; // [a]
