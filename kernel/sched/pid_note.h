// SPDX-License-Identifier: MIT
// Who did something, told later: of a process that may have ended, by the number that the reader's pid namespace has for it. Who is
// neither in the first one nor in the process's own is told as long as it lives.
#pragma once
#include "sched/pid_ns.h"
#include "sched/thread.h"

struct pid_note {
    uint16_t nr, own; // 0: nobody
    uint32_t ns;      // number of its namespace
};
_Static_assert(PID_MAX <= UINT16_MAX + 1, "numbers fit");

static inline struct pid_note pid_note_of(const struct thread *t) {
    return (struct pid_note){(uint16_t)t->pid, (uint16_t)t->own_pid, (uint32_t)t->pid_ns->ns.number};
}
static inline pid_t pid_note_shown(const struct pid_note *n) {
    return (uint32_t)current->pid_ns->ns.number == n->ns ? n->own : pid_shown(n->nr);
}
