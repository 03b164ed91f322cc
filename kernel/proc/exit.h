// SPDX-License-Identifier: MIT
// The end of threads and processes: exit(2), exit_group(2).
#pragma once
#include "core/types.h"

struct thread;
struct process;

// Ends the current thread; the whole process with its last thread. `status` as wait4 gives it.
void process_exit_thread(int status) __noreturn;
// Ends all threads of the current process.
void process_exit_group(int status) __noreturn;

// Leaves the current thread's robust locks and its clear_child_tid word behind, while it still has its
// memory.
void process_leave_memory(struct thread *t);
// A zombie tells its parent, and is reaped at once if the parent does not care; process_lock held.
void process_notify_exit_locked(struct process *p);
