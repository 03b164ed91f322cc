// SPDX-License-Identifier: MIT
// New threads and processes: clone(2), vfork(2).
#pragma once
#include "core/types.h"

struct clone_request {
    uint64_t flags; // CLONE_*, without the exit signal
    int exit_signal;
    unsigned long stack; // the child's stack pointer, 0: the parent's
    unsigned long tls;
    int __user *parent_tid, *child_tid, *pidfd;
    const pid_t *numbers; // that the child is to have: its own namespace's first, then those above
    unsigned int number_count;
};
// clone(2): the child's tid or -errno. May sleep (CLONE_VFORK).
long process_clone(const struct clone_request *request);

// Tells the parent of vfork(2) that the current thread no longer uses its memory.
void process_vfork_done(void);
