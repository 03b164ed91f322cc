// SPDX-License-Identifier: MIT
// Processes: threads that share an address space, signals handlers and a pid; process groups, sessions; birth, exec, death, wait.
#pragma once
#include "core/cred.h"
#include "proc/signal.h"
#include "sched/wait.h"
#include "sched/thread.h"
#include "sched/clock.h"
#include <linux/resource.h>

struct tty;

struct process {
    struct refcount refs;
    pid_t pid;                     // [I]
    struct process *parent;        // [process_lock]
    struct list_head children, sibling; // [process_lock]
    struct list_head threads;      // [process_lock] struct thread.process_link; first: the leader
    unsigned int thread_count, live_threads; // [process_lock]
    struct thread *leader;
    pid_t pgrp, session;           // [process_lock]
    bool zombie, group_exit, stopped, continued; // [process_lock]
    int exit_status;               // as wait4 gives it
    int exit_signal;               // to the parent, SIGCHLD usually
    int stop_signal;
    struct wait_queue wait;        // parents waiting for children; pidfds poll
    struct signals *signals;       // proc/signal.h
    struct rlimit64 limits[16];    // RLIM_NLIMITS
    struct tty *tty;               // controlling terminal (drivers/tty.c), of the session [process_lock]
    ktime_t start_time, child_user, child_system, dead_user, dead_system;
    bool child_subreaper, dumpable, execed;
    struct list_head hash_link;    // pid table
};

extern struct spinlock process_lock;
// The process of a pid with a reference, or NULL.
struct process *process_find(pid_t pid);
void process_get(struct process *p);
void process_put(struct process *p);
struct thread *thread_find(pid_t tid); // with a reference
// Calls fn for each process until it returns false (process_lock is NOT held during fn; p is referenced).
void process_for_each(bool (*fn)(struct process *p, void *arg), void *arg);
pid_t process_next_pid(pid_t after); // the smallest pid > after in use, or 0: for readdir of /proc
uint64_t process_rlimit(unsigned int resource); // current's soft limit
