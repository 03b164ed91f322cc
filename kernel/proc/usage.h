// SPDX-License-Identifier: MIT
// What processes have used: getrusage(2), times(2), wait4(2).
#pragma once
#include "core/types.h"
#include <linux/resource.h>

struct process;
struct thread;
struct io_usage;

// Adds what a thread has used, in ns.
void thread_add_times(struct thread *t, ktime_t *user, ktime_t *system);
// Processor time of all its threads, those that have ended too, in ns. Not with process_lock held.
void process_cpu_time(struct process *p, ktime_t *user, ktime_t *system);
// struct rusage of a process (who: RUSAGE_SELF, RUSAGE_CHILDREN), of the current thread (RUSAGE_THREAD).
void process_usage(struct process *p, int who, struct rusage *out);
// What wait4(2) tells: the process and the children it waited for. process_lock held.
void process_usage_both_locked(struct process *p, struct rusage *out);
// A child that was waited for becomes part of what its parent's children have used. process_lock held.
void process_add_child_usage_locked(struct process *parent, const struct process *p);
// What went through the calls of a thread of p, or (0) of p and the children that it waited for.
void process_io_usage(struct process *p, pid_t tid, struct io_usage *out);
