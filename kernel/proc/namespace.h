// SPDX-License-Identifier: MIT
// How threads get other namespaces: clone(2), unshare(2), setns(2).
#pragma once
#include "core/namespace.h"

struct cred;
struct file;
struct fs_context;

// Flags of namespaces that can be made here.
bool namespace_flags_are_known(unsigned long flags);
// What a thread is to have instead of what the current one has; NULL: that.
struct namespace_change {
    struct cred *cred;
    struct namespaces *set;
};
// Makes those that `flags` (CLONE_NEW*) name for a thread with the places `fs`, which move along. To be used or dropped.
// -EINVAL: not built; -EPERM, -ENOSPC, -ENOMEM.
int __must_check namespace_change_make(struct namespace_change *c, unsigned long flags,
                                       struct fs_context *fs);
void namespace_change_drop(struct namespace_change *c);
// The current thread has them from now on.
void namespace_change_commit(struct namespace_change *c);
// setns(2): the namespace of f, or those that `flags` name of the process that the pidfd f stands for.
long namespace_enter(struct file *f, int flags);
// What a thread that may be another's has of a kind (`type->flag`), a reference; NULL: it has ended.
struct thread;
struct namespace *thread_get_namespace(struct thread *t, int flag);
// The pid namespace that its children are made in, the same way; NULL also as long as nobody was made there.
struct namespace *thread_get_children_ns(struct thread *t);
// The thread ends.
void namespaces_leave(struct thread *t);
void namespace_init(void);
