// SPDX-License-Identifier: MIT
// Timers that send signals: POSIX per-process timers (timer_create(2)) and interval timers (setitimer(2)).
#pragma once
#include "proc/process.h"
#include "sched/clock.h"

struct process_timers;

// How a timer tells that it fired: sigevent(7).
struct timer_event {
    int notify; // SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD_ID
    int sig;
    pid_t tid;           // SIGEV_THREAD_ID: a thread of the process
    unsigned long value; // sigval
    bool default_value;  // sigval is to be the timer's id
};

// What everybody may know of a timer.
struct posix_timer_info {
    int id, clock;
    struct timer_event event;
    const struct thread *target; // SIGEV_THREAD_ID: whom it tells
};
// Calls fn for each timer of a process, in their order, with its lock held.
void posix_timers_for_each(struct process *p, void (*fn)(const struct posix_timer_info *i, void *arg),
                           void *arg);

void posix_timer_init(void);
// execve: POSIX timers go, interval timers stay. Exit of the last thread: all go. A new process has none
// (timers NULL).
void posix_timers_exec(struct process *p);
void posix_timers_exit(struct process *p);

// The following are for signals and the way to user mode, act on the current process, and may sleep.
// A signal of timer `id` was taken from its queue; `overrun`: what it says by itself. Returns its si_overrun.
int posix_timer_dequeued(int id, int overrun);
// SIGALRM was.
void itimer_real_dequeued(void);
// `sig` is not ignored any more: timers that rest because it was go on.
void posix_timers_resume(int sig);
// WORK_CPU_TIMERS: CPU-time timers and limits that are due.
void cpu_timers_run(void);

// All act on the current process. 0 (or the id) or -EINVAL, -EAGAIN, -ENOMEM.
int __must_check posix_timer_create(int clock, const struct timer_event *event);
int __must_check posix_timer_delete(int id);
int __must_check posix_timer_set(int id, bool absolute, const struct timer_value *new,
                                 struct timer_value *old);
int __must_check posix_timer_get(int id, struct timer_value *value);
int __must_check posix_timer_overrun(int id);
// `which`: ITIMER_REAL, ITIMER_VIRTUAL or ITIMER_PROF; checked by the caller. -ENOMEM.
int __must_check itimer_set(int which, const struct timer_value *new, struct timer_value *old);
void itimer_get(int which, struct timer_value *value);

// CPU-time clocks, in ns: of the process or thread `id` (0: the current), as a clockid_t names it
// (clock_gettime(2)). -EINVAL if there is no such thread or process.
int __must_check cpu_clock_get(int clock, ktime_t *now);
bool cpu_clock_is_own_thread(int clock);
