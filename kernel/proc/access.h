// SPDX-License-Identifier: MIT
// Looking into another process: who may, and what keeps the answer true while it is acted on.
//
// What a process is (its credentials) and what it has in memory change together, in execve, with its `access_lock`
// held. Whoever looks into another process holds that lock from the question until it has a reference to what it
// was after: the address space, an open file, a place in the tree. With the reference it may then take its time, for
// what it refers to belongs to the process as it was when it was asked about.
//
// The lock comes after all other mutexes: with it held only spinlocks are taken, and nothing is let go of whose end
// might sleep.
#pragma once
#include "proc/process.h"

// Which of the caller's ids and capabilities count: for files of /proc those for file systems, for system calls
// the real ids and what it may have.
enum access_ids { ACCESS_FILE, ACCESS_CALL };

// ptrace(2), "Ptrace access mode checking": the same user and group in all respects, no capabilities that the caller
// lacks, and a program that may be looked at (vmspace.dumpable); or CAP_SYS_PTRACE. Always for the own process.
// 0, and p stays who it is until process_access_end(); or -EACCES.
int __must_check process_access_begin(struct process *p, enum access_ids ids);
void process_access_end(struct process *p);
// The address space of p, referenced; NULL if it has none any more; ERR_PTR(-EACCES).
struct vmspace *process_access_vm(struct process *p, enum access_ids ids);
// The same without a refusal; *may: whether it may be looked into.
struct vmspace *process_look(struct process *p, enum access_ids ids, bool *may);
