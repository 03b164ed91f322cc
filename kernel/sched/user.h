// SPDX-License-Identifier: MIT
// Accounts of users: what all processes of one (real) uid have of things that the kernel must keep for them, and how much
// that may be. The limits follow from the memory there is; those of them that Linux has are in /proc/sys.
#pragma once
#include "core/spinlock.h"

enum user_account {
    USER_THREADS,       // RLIMIT_NPROC
    USER_SIGNALS,       // queued, and POSIX timers: RLIMIT_SIGPENDING
    USER_PIPE_PAGES,    // that pipes may hold
    USER_WATCHES,       // of epoll
    USER_LOCKS,         // on files
    USER_TEXT_PAGES,    // of texts that open files of /proc hold
    USER_SOCKET_BYTES,  // that sockets have sent and nobody has received
    USER_FDS_IN_FLIGHT, // descriptors in messages of UNIX sockets: RLIMIT_NOFILE
    USER_INOTIFY,       // instances
    USER_INOTIFY_WATCHES,
    USER_EVENT_BYTES,  // of inotify, that nobody has read
    USER_IPC_BYTES,    // of semaphores and messages
    USER_MQUEUE_BYTES, // that message queues of POSIX may hold: RLIMIT_MSGQUEUE
    USER_FILTER_BYTES, // of seccomp
    USER_NAMESPACES,
    USER_MOUNTS, // also those that have been taken away, as long as something is open there
    USER_ACCOUNTS,
};

struct user {
    struct user *next; // [users_lock] in its bucket
    uid_t uid;         // [I]
    struct refcount refs;
    unsigned long load;       // [a] of its runnable threads: sched/runqueue.h
    long used[USER_ACCOUNTS]; // [a]
};

struct limits {
    unsigned long threads_max;                      // of all users together
    unsigned long pipe_user_soft, pipe_user_hard;   // pages; 0: none
    unsigned long watches_max, locks_max, text_max; // of one user
    unsigned long socket_bytes_max;                 // of one user
    unsigned long mounts_max;                       // of all
    unsigned long inotify_max, inotify_watches_max; // of one user, whoever that is
    unsigned long event_bytes_max, ipc_bytes_max;   // of one user
    unsigned long filter_bytes_max;                 // of one user
    unsigned long namespaces_max;                   // of one user
};
#define THREADS_MOST 32767   // as many as there are numbers
extern struct limits limits; // [a] each number

extern struct user root_user;   // uid 0; never freed
extern struct user kernel_user; // whose the kernel's own threads are in the scheduler; never freed

static inline struct user *user_get(struct user *user) {
    ref_get(&user->refs);
    return user;
}
void user_put(struct user *user);
// The account of a uid with a reference. Without memory for a new one, an account that all such share.
struct user *user_find(uid_t uid);

// Adds n (0: only looks); the sum.
static inline long user_charge(struct user *user, enum user_account account, long n) {
    return __atomic_add_fetch(&user->used[account], n, __ATOMIC_RELAXED);
}
static inline void user_uncharge(struct user *user, enum user_account account, long n) {
    __atomic_fetch_sub(&user->used[account], n, __ATOMIC_RELAXED);
}
// Adds n unless that makes more than `limit`, which does not bind those with CAP_SYS_RESOURCE or CAP_SYS_ADMIN. False: it
// does.
bool __must_check user_may_charge(struct user *user, enum user_account account, long n, unsigned long limit);
// True if no limit of users binds the current thread.
bool user_is_privileged(void);

// Boot: sets the limits, once it is known how much memory there is to use.
void limits_init(void);
