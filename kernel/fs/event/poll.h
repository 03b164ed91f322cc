// SPDX-License-Identifier: MIT
// Waiting for files: what a poll op registers in. poll, ppoll, select and epoll are built on it.
//
// A file's poll op first names its wait queues with poll_wait(), then looks at its state; whoever changes the
// state wakes those queues afterwards. So a change between the two is never lost.
#pragma once
#include "fs/file.h"
#include "sched/clock.h"
#include <linux/poll.h>

struct poll_table {
    // Puts the table's owner on q.
    void (*queue)(struct poll_table *table, struct file *f, struct wait_queue *q);
};
// A NULL table: the events are all that is wanted.
static inline void poll_wait(struct file *f, struct wait_queue *q, struct poll_table *table) {
    if (table)
        table->queue(table, f, q);
}

// What files that never make anybody wait report.
#define POLL_ALWAYS (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)
// The file's events now.
static inline unsigned int file_poll(struct file *f, struct poll_table *table) {
    return f->ops->poll ? f->ops->poll(f, table) : POLL_ALWAYS;
}

// One waiting thread and the queues it stands on: poll(2) and select(2). Some entries are inside, more come
// in pages.
#define POLL_ENTRIES_INLINE 8
struct poll_entry {
    struct wait_entry wait;
    struct wait_queue *queue;
    struct file *file; // referenced, so that the queue stays
    struct poll_waiter *waiter;
    unsigned int events; // wanted
};
struct poll_block {
    struct poll_block *next;
    unsigned int used;
    struct poll_entry entry[];
};
struct poll_waiter {
    struct poll_table table;
    struct thread *thread;
    unsigned int events; // wanted of the file that is being registered
    unsigned int used;   // of `entry`
    unsigned int woken;  // [a] not 0: an event came
    int error;           // -ENOMEM: an entry could not be made
    struct poll_block *more;
    struct poll_entry entry[POLL_ENTRIES_INLINE];
};
void poll_waiter_init(struct poll_waiter *w);
// Leaves all queues.
void poll_waiter_end(struct poll_waiter *w);
// Sleeps until one of the queues is woken for an event wanted. 0, -EINTR, -ETIME at `deadline` (monotonic
// ns).
int __must_check poll_waiter_sleep(struct poll_waiter *w, ktime_t deadline);
