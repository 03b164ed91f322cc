// SPDX-License-Identifier: MIT
// Pid namespaces (pid_namespaces(7)): who is in one sees those in it and in the ones below, by numbers that begin with 1.
//
// A process stays in the one it was made in. unshare(2) and setns(2) say where a thread's children are made. The first of one is its
// *init*: it gets the children of those who die, and when it ends all in it are killed, and no more can be made.
#pragma once
#include "core/namespace.h"
#include "sched/id.h"

#define PID_NS_DEPTH_MAX 32

struct file;
struct process;
struct wait_queue;
RB_HEAD(id_numbers, id_number);

// Where records of the processes that end go: proc/accounting.h.
struct accounting {
    struct file *file;  // [accounting_lock] NULL: nowhere
    bool full;          // [accounting_lock] its file system was, when it was looked at last
    ktime_t look_again; // [accounting_lock] monotonic
};

struct pid_ns {
    struct namespace ns;
    struct pid_ns *parent; // [I] a reference; NULL: the first
    unsigned int level;    // [I] 0: the first
    struct process *init;  // [process_lock] NULL: there is none yet, or no more
    bool ended;            // [process_lock] its init ends or has: no more numbers
    int reboot_signal;     // [process_lock] that its init is to seem to have died of (reboot(2)); 0: none
    struct wait_queue *emptied; // [process_lock] of its init, when that waits for the others to go
    unsigned int count;         // [process_lock] numbers in use
    pid_t last;                 // [process_lock] given out; read without
    uint64_t *used;             // [process_lock] a bit for each number
    struct id_numbers numbers;  // [process_lock] not of the first, which has a table (id.c)
    struct accounting accounting;
};

extern struct pid_ns first_pid_ns;

static inline struct pid_ns *pid_ns_of(struct namespace *ns) {
    return container_of(ns, struct pid_ns, ns);
}
// The first one is not counted.
static inline struct pid_ns *pid_ns_get(struct pid_ns *p) {
    if (p->level)
        ref_get(&p->ns.refs);
    return p;
}
static inline void pid_ns_put(struct pid_ns *p) {
    if (p->level)
        namespace_put(&p->ns); // process_lock may be held
}
// True if p is `above` or was made within it.
bool pid_ns_is_within(const struct pid_ns *p, const struct pid_ns *above);
// May a process live with a number of p's? Not if that, or one above, has ended. process_lock held.
bool pid_ns_is_open_locked(const struct pid_ns *p);
void pid_ns_init(void);
