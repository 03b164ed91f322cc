// SPDX-License-Identifier: MIT
// Which system calls a thread may make: seccomp(2).
//
// A thread is in one of three modes (thread.seccomp): disabled, strict, or filtered. Its *filters* are programs of classic BPF, each of
// which looks at every call and says what becomes of it; the answer that allows least counts. A filter has those that were there
// before it as `prev`, and never changes: threads and processes share what they inherited, so a chain is a way up in a tree. Nothing
// ever leaves a thread's chain; it grows by the thread's own hand, or to that of a thread of the same process of whose chain it
// is a part (SECCOMP_FILTER_FLAG_TSYNC).
//
// A thread that is in a mode looks at its calls as one that is traced does, through arch.syscalls: others do not pay.
//
// Mode and chain change with sig_lock held; the thread itself reads them without.
#pragma once
#include "proc/process.h"
#include <linux/seccomp.h>

struct trap_frame;
struct sock_filter;

struct seccomp_filter;
// A filter of n instructions, 1 to BPF_MAXINSNS, charged to the caller's user: fill *code, then seccomp_check(). ERR_PTR(-ENOMEM).
struct seccomp_filter *__must_check seccomp_filter_alloc(unsigned int n, struct sock_filter **code);
int __must_check seccomp_check(struct seccomp_filter *filter); // 0 or -EINVAL
void seccomp_filter_put(struct seccomp_filter *filter);        // NULL is fine; may sleep

// The current thread's mode becomes strict; 0 or -EINVAL.
int __must_check seccomp_set_strict(void);
// It gets a filter, whose reference is taken over, with SECCOMP_FILTER_FLAG_*. 0, -EINVAL, -ENOMEM (its chain would be too long),
// -ERESTARTNOINTR; with TSYNC a thread that cannot follow: its number, or -ESRCH.
long __must_check seccomp_add(struct seccomp_filter *filter, unsigned int flags);

// Before a system call of the current thread, whose registers are all in the frame. True: it is not made, and the frame holds
// what comes of it.
bool seccomp_refuses(struct trap_frame *frame);

// A new thread gets the current one's; its process's creator's sig_lock is held and nobody has seen it yet.
void seccomp_inherit_locked(struct thread *t);
// The current thread is past its last system call.
void seccomp_exit(void);

// For tracers, with sig_lock held: the filter that was the index-th to come, with a reference, NULL: there are not as many.
struct seccomp_filter *seccomp_nth(struct thread *t, unsigned long index);
const struct sock_filter *seccomp_code(const struct seccomp_filter *filter, unsigned int *n);
bool seccomp_is_logged(const struct seccomp_filter *filter);
// How many it has; process_lock or sig_lock held.
unsigned int seccomp_count(const struct thread *t);
