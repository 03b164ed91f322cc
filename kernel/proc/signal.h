// SPDX-License-Identifier: MIT
// Signals: handlers, pending queues, delivery, stop and continue (signal(7)).
#pragma once
#include "core/spinlock.h"
#include "sched/thread.h"

#define SIGNAL_COUNT 64
struct process;

struct signal_info; // a siginfo_t as queued; proc/signal.c

// The kernel's form of struct sigaction on riscv64 (no restorer).
struct signal_action {
    unsigned long handler; // SIG_DFL, SIG_IGN or a user address
    unsigned long flags;   // SA_*
    sigset_bits mask;
};

// Handlers and the process-wide queue; handlers are shared by CLONE_SIGHAND.
struct signals {
    struct refcount refs;
    struct spinlock lock;
    struct signal_action action[SIGNAL_COUNT]; // [lock]
};
