// SPDX-License-Identifier: MIT
// Process accounting: a record of each process that ends, at the end of a file; acct(2), acct(5).
//
// A pid namespace has one such file, or none; a process's record goes to the files of its namespace and of those above it, with the
// numbers it has there. While the file's file system has less room than kernel.acct says, nothing is written.
#pragma once
#include "core/types.h"

struct file;
struct pid_ns;
struct process;

// From now on the records of the current thread's pid namespace go to f (a reference, which is taken over), or nowhere (NULL).
void accounting_set(struct file *f);
// p's last thread, the current one, has begun its end and still has its memory and terminal. May sleep.
void accounting_of_end(struct process *p);
// The namespace's init ends: no records there any more.
void accounting_end(struct pid_ns *ns);

// kernel.acct: % of blocks that are free when it goes on, % when it stops, seconds from one look to the next. [a]
extern unsigned long accounting_limits[3];
