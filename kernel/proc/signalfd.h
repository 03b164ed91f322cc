// SPDX-License-Identifier: MIT
// signalfd(2): signals as something to read.
#pragma once
#include "fs/file.h"
#include "sched/thread.h"

struct process;

// ERR_PTR(-errno). flags: O_NONBLOCK.
struct file *__must_check signalfd_create(sigset_bits mask, int flags);
// Another set for one that is there. -EINVAL: it is none.
int __must_check signalfd_set_mask(struct file *f, sigset_bits mask);
// `sig` is pending in p now; sig_lock held, any context.
void signalfd_wake_locked(struct process *p, int sig);
// No thread of p waits for anything any more.
void signalfd_exit(struct process *p);
