// SPDX-License-Identifier: MIT
// Namespaces: what processes see of the machine's names, mounts, numbers and objects (namespaces(7)). Each is counted and belongs
// to a user namespace, in which a capability over it has to be held. A thread's set of them is immutable and shared; a change
// makes a new one, as with credentials.
#pragma once
#include "core/spinlock.h"
#include <linux/sched.h>

struct user;
struct user_ns;
struct namespace;
struct fs_context;

struct namespace_type {
    const char *name; // of the link in /proc/PID/ns and before its number
    int flag;         // CLONE_NEW*
    // A copy (or an empty one) of `old` that belongs to `owner`, for a thread with the places fs. ERR_PTR(-errno).
    struct namespace *(*create)(struct namespace *old, struct user_ns *owner, struct fs_context *fs);
    // May the current thread, which has the capabilities, enter it? NULL: yes. Which is above it (NS_GET_PARENT)? NULL: none can be.
    int (*check_entry)(const struct namespace *ns);
    struct namespace *(*parent)(struct namespace *ns);
    void (*destroy)(struct namespace *ns); // nobody refers to it any more; frees it. May sleep
};

struct namespace {
    struct refcount refs;
    const struct namespace_type *type; // [I]
    struct user_ns *owner; // [I] a reference; a user namespace's is its parent, NULL: the first one
    struct user *user;     // [I] to whom it is charged, a reference; NULL: a first one
    ino_t number;          // [I] as stat(2) of /proc/PID/ns/NAME has it
};

// Those that a thread has as a set. Of pids, the one that its children get.
enum namespace_kind { NS_MOUNT, NS_UTS, NS_IPC, NS_PID, NS_NET, NS_KINDS };

struct namespaces {
    struct refcount refs;
    struct namespace *of[NS_KINDS]; // [I] referenced
};

// The numbers of the first ones, as Linux has them.
#define NS_FIRST_IPC   0xEFFFFFFFu
#define NS_FIRST_UTS   0xEFFFFFFEu
#define NS_FIRST_USER  0xEFFFFFFDu
#define NS_FIRST_PID   0xEFFFFFFCu
#define NS_FIRST_NET   0xEFFFFFF9u
#define NS_FIRST_MOUNT 0xEFFFFFF8u

extern struct namespaces first_namespaces;

static inline struct namespace *namespace_get(struct namespace *ns) {
    ref_get(&ns->refs);
    return ns;
}
void namespace_put(struct namespace *ns); // NULL is fine. The last one destroys it: may sleep
// Fills in a new one: one reference, the next number. -ENOSPC: the user has as many as it may.
int __must_check namespace_begin(struct namespace *ns, const struct namespace_type *type,
                                 struct user_ns *owner);
// Undoes that, before what holds `ns` is freed.
void namespace_end(struct namespace *ns);

// A kind's type, entered at start.
void namespace_register(enum namespace_kind kind, const struct namespace_type *type, struct namespace *first);
// Calls fn with each kind of a thread's set.
const struct namespace_type *namespace_type_of(enum namespace_kind kind); // NULL: not built

static inline struct namespaces *namespaces_get(struct namespaces *set) {
    ref_get(&set->refs);
    return set;
}
void namespaces_put(struct namespaces *set); // NULL is fine. May sleep
// The set `old` with new ones of those that `flags` (CLONE_NEW*) name, which belong to `owner`. ERR_PTR(-errno).
struct namespaces *__must_check namespaces_create(struct namespaces *old, unsigned long flags,
                                                  struct user_ns *owner, struct fs_context *fs);
// The set `old` with `ns` instead of its own of that kind. NULL if no memory.
struct namespaces *__must_check namespaces_with(struct namespaces *old, struct namespace *ns);
