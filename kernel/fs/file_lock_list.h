// SPDX-License-Identifier: MIT
// Within fs: what an inode has of locks (file_lock.c, told by file_lock_tell.c) and leases (lease.c). It is made on demand and goes with
// the inode, or with the last who looks at it.
#pragma once
#include "core/types.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "sched/wait.h"

struct inode;
struct user;
struct lock_waiter;

enum lock_kind { KIND_FLOCK, KIND_POSIX, KIND_OFD };

#define END_OF_FILE INT64_MAX // `last` of a lock without an end

struct file_lock {
    RB_ENTRY(file_lock) node; // [list->lock] among its owner's
    enum lock_kind kind;
    const void *owner;          // struct file, or of POSIX locks the struct files
    pid_t pid;                  // who set it
    short type;                 // F_RDLCK, F_WRLCK
    off_t first, last;          // inclusive
    uint64_t serial;            // who came later has a larger one
    struct user *user;          // to whom it is charged, a reference
    struct list_head blocked;   // [list->lock] waiters that it is in the way of
    struct lock_waiter *waiter; // whose wish it is; NULL: it is set
};
RB_HEAD(owner_locks, file_lock);
RB_PROTOTYPE(owner_locks, file_lock, node, unused)

// What one owner has on one file. All [list->lock].
struct lock_owner {
    struct list_head link; // in list->owners
    enum lock_kind kind;
    const void *owner;
    struct owner_locks locks; // by their ranges, none of which overlap
    unsigned long writes;     // how many are F_WRLCK
};

// One that waits for a lock.
struct lock_waiter {
    struct file_lock wish; // [I] but for its serial, of its coming, and who is behind it
    struct thread *thread; // [I]
    struct list_head link; // [list->lock] in behind->blocked
    struct file_lock
        *behind; // [list->lock and waiters_lock to write] what is in its way; NULL: it has to look again
    RB_ENTRY(lock_waiter) node; // [waiters_lock] of POSIX locks
    bool known;                 // it is in that tree; by the waiter alone
};

// Everything here is as long as programs like: who goes through it yields, with the lock held.
struct file_lock_list {
    struct list_head link; // [lists_lock]
    struct refcount refs;  // the inode's, and those of who goes through `lists`
    dev_t dev;             // [I] the inode's
    ino_t ino;             // [I]
    bool is_mark;          // [I] it is none, but a place in `lists`
    struct mutex lock;
    struct list_head owners;    // [lock] in the order of their first locks
    struct list_head leases;    // [lock]
    unsigned long changes;      // [lock to write] of leases
    struct wait_queue released; // a lease has gone or changed
};

uint64_t file_lock_serial(void); // the next lock's or lease's
// Memory for a lock or a lease, on the account of the caller's user, to whom *user refers then. NULL: no memory, or he has too many.
void *__must_check file_lock_alloc(size_t size, struct user **user);
void file_lock_free(void *memory, struct user *user); // NULL is fine

// The inode's. NULL: no memory.
struct file_lock_list *file_lock_list_get(struct inode *inode);
// The next of all lists behind `mark`, which moves there: a reference. NULL: there is none.
struct file_lock_list *file_lock_list_next(struct file_lock_list *mark);
void file_lock_list_put(struct file_lock_list *list);
// `mark` is in the list of all lists, at its beginning; is not any more.
void file_lock_lists_enter(struct file_lock_list *mark);
void file_lock_lists_leave(struct file_lock_list *mark);
