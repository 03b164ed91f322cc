// SPDX-License-Identifier: MIT
// Restartable sequences: rseq(2). A thread registers a place in its memory where it is told which hart it runs on, and where it
// names a stretch of its code that is to begin anew whenever it was interrupted in it.
#pragma once
#include "sched/thread.h"

struct trap_frame;

#define RSEQ_AREA_LENGTH    28u // bytes of it that are used: AT_RSEQ_FEATURE_SIZE
#define RSEQ_AREA_ALIGNMENT 32u

// rseq(2). 0, -EINVAL, -EPERM, -EBUSY, -EFAULT. May sleep.
long rseq_call(void __user *area, uint32_t length, int flags, uint32_t signature);
// On the way to user mode with WORK_RSEQ: the thread may be on another hart than it knows of, or have slept in a fault; or
// when others ran since it left user mode. A sequence makes no system calls, so one that slept in a call is in none.
void rseq_switched(struct trap_frame *frame);
// The running thread is about to run a signal handler. Forces SIGSEGV if what it registered is of no use.
void rseq_interrupt(struct trap_frame *frame);
// A new thread with memory of its own goes on with its parent's registration; others, and new programs, have none.
void rseq_inherit(struct thread *t);
void rseq_forget(struct thread *t);
