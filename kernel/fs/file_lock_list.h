// SPDX-License-Identifier: MIT
// Within fs: what an inode has of locks (file_lock.c) and leases (lease.c). It is made on demand and goes with the inode.
#pragma once
#include "core/spinlock.h"
#include "lib/list.h"
#include "sched/wait.h"

struct inode;

struct file_lock_list {
    struct list_head link;     // [lists_lock]
    const struct inode *inode; // [I] it goes with this
    struct spinlock lock;
    struct list_head locks;     // [lock]
    struct list_head leases;    // [lock]
    struct list_head waiting;   // [lock] those who wait for one of the locks
    struct wait_queue released; // a lock or a lease has gone
};

uint64_t file_lock_serial(void); // the next lock's or lease's
// Memory for a lock or a lease, on the account of the caller's user, to whom *user refers then. NULL: no memory, or he has too many.
struct user;
void *__must_check file_lock_alloc(size_t size, struct user **user);
void file_lock_free(void *memory, struct user *user); // NULL is fine

// The inode's. NULL: no memory.
struct file_lock_list *file_lock_list_get(struct inode *inode);
