// SPDX-License-Identifier: MIT
// Waiting for children.
#pragma once
#include "core/types.h"
#include <linux/resource.h>

struct process;

// wait4(2), waitid(2): see proc/wait.c.
struct wait_request {
    int type;                // P_ALL, P_PID, P_PGID, P_PIDFD
    pid_t id;                // as the kernel has it
    struct process *process; // P_PIDFD: a reference of the caller's
    int options;             // WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT, __WALL, __WCLONE
    // Results.
    pid_t pid; // as the caller's namespace has it; 0: none
    uid_t uid;
    int code, status; // CLD_*, and the exit code or signal
    int wait_status;  // as wait4 gives it
    struct rusage usage;
};
int __must_check process_wait(struct wait_request *w); // 0, -ECHILD, -ERESTARTSYS, -EINVAL
