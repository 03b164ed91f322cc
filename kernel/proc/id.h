// SPDX-License-Identifier: MIT
// Numbers: of threads, processes, process groups and sessions, one space for all. A number is free again when nothing has
// it any more.
#pragma once
#include "core/types.h"
#include "lib/list.h"

struct thread;
struct process;

#define PID_MAX 32768

// A number in use.
struct id {
    struct id *next;       // [process_lock] in the hash bucket
    pid_t nr;              // [I]
    uint64_t serial;       // [I] no other use of the number has it
    unsigned int uses;     // [process_lock] one for each of what follows
    struct thread *thread; // [process_lock]
    struct process *process;
    struct list_head group;   // [process_lock] process.group_link
    struct list_head session; // [process_lock] process.session_link
};

// The number in use, or NULL. process_lock held.
struct id *id_find_locked(pid_t nr);
// A number nobody uses, with one use: -EAGAIN (all taken) or -ENOMEM as ERR_PTR.
struct id *__must_check id_alloc(void);
void id_use_locked(struct id *id);
void id_release_locked(struct id *id); // the last use frees it
void id_release(struct id *id);
pid_t id_last(void); // given out
// The first number > after that is a process's, or 0: for readdir of /proc.
pid_t id_next_process(pid_t after);
// Boot.
void id_init(void);
