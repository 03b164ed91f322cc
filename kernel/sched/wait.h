// SPDX-License-Identifier: MIT
// Wait queues, mutexes, completions: sleeping until something happens.
#pragma once
#include "core/errno.h"
#include "sched/thread.h"

struct wait_queue {
    struct spinlock lock; // taken with interrupts disabled
    struct list_head waiters;
};

// One waiter: a sleeping thread, or a callback (poll, epoll). The callback runs with the queue's lock held and interrupts disabled.
struct wait_entry {
    struct list_head link;
    struct thread *thread;
    bool exclusive; // wake_one() stops after it
    bool (*wake)(struct wait_entry *entry, unsigned int events); // NULL: wakes `thread`. True if it counts as woken.
};

#define WAIT_QUEUE_INIT(q) {SPINLOCK_INIT, LIST_HEAD_INIT((q).waiters)}
void wait_queue_init(struct wait_queue *q);
void wait_add(struct wait_queue *q, struct wait_entry *e);
void wait_remove(struct wait_queue *q, struct wait_entry *e);
// Wakes up to n waiters that are exclusive and all others before them. `events`: poll bits for callbacks, 0: all.
void wait_wake(struct wait_queue *q, unsigned int n, unsigned int events);
static inline void wake_all(struct wait_queue *q) {
    wait_wake(q, ~0u, 0);
}
static inline void wake_one(struct wait_queue *q) {
    wait_wake(q, 1, 0);
}
// Wakes all pollers of these events (POLLIN...) and all sleepers.
static inline void wake_poll(struct wait_queue *q, unsigned int events) {
    wait_wake(q, ~0u, events);
}
// No waiter now (a hint: take care of the ordering, as with Linux's waitqueue_active).
static inline bool wait_queue_empty(struct wait_queue *q) {
    return list_empty(&q->waiters);
}

// Sleeps until `cond` is true. Evaluates it several times, without locks.
#define wait_event(q, cond) ((void)wait_event_common_(q, cond, THREAD_UNINTERRUPTIBLE, KTIME_NEVER))
// 0, or -ERESTARTSYS if a signal came first.
#define wait_event_interruptible(q, cond) wait_event_common_(q, cond, THREAD_INTERRUPTIBLE, KTIME_NEVER)
#define wait_event_killable(q, cond)      wait_event_common_(q, cond, THREAD_KILLABLE, KTIME_NEVER)
// Also -ETIME once the monotonic clock reaches `deadline` (ns; KTIME_NEVER: no limit).
#define wait_event_interruptible_deadline(q, cond, deadline)                                                 \
    wait_event_common_(q, cond, THREAD_INTERRUPTIBLE, deadline)

#define KTIME_NEVER INT64_MAX
#define wait_event_common_(q, cond, state_, deadline_)                                                       \
    ({                                                                                                       \
        int ret_ = 0;                                                                                        \
        if (!(cond)) {                                                                                       \
            struct wait_entry entry_ = {.thread = current};                                                  \
            wait_add(q, &entry_);                                                                            \
            for (;;) {                                                                                       \
                thread_set_state(state_);                                                                    \
                if (cond)                                                                                    \
                    break;                                                                                   \
                if ((ret_ = wait_interrupted(state_)))                                                       \
                    break;                                                                                   \
                if ((ret_ = schedule_until(deadline_))) {                                                    \
                    if (cond)                                                                                \
                        ret_ = 0;                                                                            \
                    break;                                                                                   \
                }                                                                                            \
            }                                                                                                \
            thread_set_state(THREAD_RUNNING);                                                                \
            wait_remove(q, &entry_);                                                                         \
        }                                                                                                    \
        ret_;                                                                                                \
    })
// -ERESTARTSYS if a signal ends sleep in this state, else 0.
int wait_interrupted(enum thread_state state);
// schedule() with a wake-up at `deadline` (monotonic ns): 0 if woken before, -ETIME if it has passed.
int schedule_until(ktime_t deadline);

// A lock whose holder may sleep. Not recursive. FIFO.
struct mutex {
    struct thread *owner; // [a] NULL: free. Low bit: there are waiters.
    struct spinlock lock; // [waiters]
    struct list_head waiters;
};
#define MUTEX_INIT(m) {NULL, SPINLOCK_INIT, LIST_HEAD_INIT((m).waiters)}
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
int __must_check mutex_lock_killable(struct mutex *m); // 0 or -EINTR
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_mine(const struct mutex *m);
