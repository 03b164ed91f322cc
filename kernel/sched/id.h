// SPDX-License-Identifier: MIT
// Numbers: of threads, processes, process groups and sessions, one space for all. A number is free again when nothing has
// it any more.
//
// What the kernel itself calls a number is that of the first pid namespace. Whoever was made in another one (sched/pid_ns.h) has
// one there, too, and one in each between the two; a program says and sees those of its own.
#pragma once
#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/tree.h"

struct thread;
struct process;
struct pid_ns;
struct id;

#define PID_MAX 32768

extern struct spinlock process_lock; // the table of numbers, and the tree of processes: see proc/process.h

// A number in a namespace that is not the first.
struct id_number {
    RB_ENTRY(id_number) link; // [process_lock] ns->numbers
    struct id *id;            // [I]
    struct pid_ns *ns;        // [I]
    pid_t nr;                 // [I]
};

// A number in use.
struct id {
    struct id *next;       // [process_lock] in the hash bucket
    pid_t nr;              // [I] in the first namespace
    uint64_t serial;       // [I] no other use of the number has it
    unsigned int uses;     // [process_lock] one for each of what follows
    struct thread *thread; // [process_lock]
    struct process *process;
    struct list_head group;   // [process_lock] process.group_link
    struct list_head session; // [process_lock] process.session_link
    struct pid_ns *ns;        // [I] that it was made in, a reference
    struct id_number inner[]; // [I] one for each level below the first, that of level 1 first
};

// The number in use, or NULL. process_lock held.
struct id *id_find_locked(pid_t nr);
// The same for what a program says: a number of the current thread's namespace.
struct id *id_named_locked(pid_t nr);
struct id *id_find_in_locked(const struct pid_ns *ns, pid_t nr);
// The first one with a number > after in ns, or NULL.
struct id *id_after_locked(const struct pid_ns *ns, pid_t after);

// What the id is called in ns; 0: it has no number there. The caller sees to it that it stays.
pid_t id_in(const struct id *id, const struct pid_ns *ns);
pid_t id_shown(const struct id *id); // to the current thread
// The same for a number that may be in use no more: 0 then, but in the first namespace. 0 and less stay as they are.
pid_t pid_in(pid_t nr, const struct pid_ns *ns);
pid_t pid_in_locked(pid_t nr, const struct pid_ns *ns);
pid_t pid_shown(pid_t nr);
// The kernel's number for what the current thread calls nr; -1: nobody has it.
pid_t pid_from_user(pid_t nr);

// What clone3(2) wants a number to be: in the innermost namespace first.
struct id_wish {
    const pid_t *nr;
    unsigned int count;
};
// A number nobody uses, in ns and all above it, with one use. ERR_PTR: -EAGAIN (all taken), -ENOMEM (or the namespace has ended);
// -EINVAL, -EEXIST, -EPERM: as wished (NULL: nothing) it cannot be.
struct id *__must_check id_alloc(struct pid_ns *ns, const struct id_wish *wish);
void id_use_locked(struct id *id);
void id_release_locked(struct id *id); // the last use frees it
void id_release(struct id *id);
// Boot.
void id_init(void);
