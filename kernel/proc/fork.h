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
};
// Namespaces (CLONE_NEW*) are not offered. The answer to one who asks for some of `flags`: 0 (for none), -EPERM, -EINVAL.
int __must_check process_check_namespaces(uint64_t flags);
// clone(2): the child's tid or -errno. May sleep (CLONE_VFORK).
long process_clone(const struct clone_request *request);

// Tells the parent of vfork(2) that the current thread no longer uses its memory.
void process_vfork_done(void);
