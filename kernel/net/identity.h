// SPDX-License-Identifier: MIT
// Who is at the other end of a socket (SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD), and who sent a message (SCM_CREDENTIALS).
//
// Processes lie above sockets: here one is a pointer that only the ops, which proc hands in at the start, know what to do with.
#pragma once
#include "core/cred.h"
#include "net/abi.h"

struct file;

struct net_process_ops {
    void *(*get_current)(void);     // the running process, referenced; NULL: a thread of the kernel's
    void *(*find)(pid_t pid);       // that the current thread calls so; referenced, or NULL
    pid_t (*number)(void *process); // what it calls that one; 0: nothing. NULL is fine
    void (*get)(void *process);     // another reference
    void (*put)(void *process);
    struct file *(*create_pidfd)(void *process); // ERR_PTR(-ESRCH, ...)
};
extern const struct net_process_ops *net_process_ops; // [I] after the start

// At the other end: as it was when it connected, listened or made the pair. Immutable.
struct identity {
    struct refcount refs;
    struct cred *cred;
    void *process; // referenced, or NULL
};
struct identity *__must_check identity_of_current(void); // NULL if no memory
static inline struct identity *identity_get(struct identity *i) {
    ref_get(&i->refs);
    return i;
}
void identity_put(struct identity *i);
