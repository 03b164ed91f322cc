// SPDX-License-Identifier: MIT
// Out of memory: who has to go. The layers below ask through memory_policy (mm/page.h).
//
// Nothing that allocates waits. What fails for want of memory says -ENOMEM, and at the edge, where no lock is held that
// an end of a process needs, memory_make_room() has a process killed and waits: a page fault then tries again, a system
// call is made again (oom_settle_call()).
#pragma once
#include "proc/process.h"

struct trap_frame;

#define OOM_ADJ_MIN (-1000) // never
#define OOM_ADJ_MAX 1000

// On the way to user mode with WORK_MEMORY: an allocation of this call failed. If the call did for it, it is made again.
void oom_settle_call(struct trap_frame *frame);
// /proc/PID/oom_score: 0 to 1000, and more with a positive oom_score_adj.
long oom_score(struct process *p);
// Boot: takes the policy over.
void oom_init(void);
// The last thread of p has left it.
void oom_process_left(struct process *p);
