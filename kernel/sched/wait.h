// SPDX-License-Identifier: MIT
// Wait queues, mutexes, completions: sleeping until something happens.
#pragma once
#include "core/errno.h"
#include "sched/clock.h"
#include "sched/thread.h"

struct wait_queue {
    struct spinlock lock; // taken with interrupts disabled
    struct list_head waiters;
};

// One waiter: a sleeping thread, or a callback (poll, epoll). The callback runs with the queue's lock held
// and interrupts disabled; it may take its own entry off the queue (list_del), no other.
struct wait_entry {
    struct list_head link;
    struct thread *thread;
    bool exclusive; // counts towards the n of wait_wake(); such entries stand behind all others, in order of
                    // arrival
    bool (*wake)(struct wait_entry *entry,
                 unsigned int events); // NULL: wakes `thread`. True if it counts as woken.
};

#define WAIT_QUEUE_INIT(q)                                                                                   \
    { SPINLOCK_INIT, LIST_HEAD_INIT((q).waiters) }
#ifdef CONFIG_DEBUG
#define wait_queue_init(q) wait_queue_init_class(q, LOCK_CLASS_HERE(#q))
void wait_queue_init_class(struct wait_queue *q, struct lock_class *class);
#else
void wait_queue_init(struct wait_queue *q);
#endif
// Both may be called with interrupts disabled. Removing an entry that is on no queue does nothing if its link
// was initialised.
void wait_add(struct wait_queue *q, struct wait_entry *e);
void wait_remove(struct wait_queue *q, struct wait_entry *e);
// Wakes all waiters that are not exclusive and up to n that are. `events`: poll bits for callbacks, 0: all.
// From any context.
void wait_wake(struct wait_queue *q, unsigned int n, unsigned int events);
// The same in a callback, with another queue's lock held.
void wait_wake_chained(struct wait_queue *q, unsigned int n, unsigned int events);
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
// No waiter now. The fence orders the check after the caller's change of the condition, so a waiter that is
// not seen here sees the change.
static inline bool wait_queue_empty(struct wait_queue *q) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return READ_ONCE(q->waiters.next) == &q->waiters;
}

// Sleeps until `cond` is true. Evaluates it several times, without locks, in a sleeping state: it must not
// sleep.
#define wait_event(q, cond) ((void)wait_event_common_(q, cond, THREAD_UNINTERRUPTIBLE, false, KTIME_NEVER))
// 0, or -ERESTARTSYS if a signal came first.
#define wait_event_interruptible(q, cond)                                                                    \
    wait_event_common_(q, cond, THREAD_INTERRUPTIBLE, false, KTIME_NEVER)
#define wait_event_killable(q, cond) wait_event_common_(q, cond, THREAD_KILLABLE, false, KTIME_NEVER)
// Also -ETIME once the monotonic clock reaches `deadline` (ns; KTIME_NEVER: no limit).
#define wait_event_interruptible_deadline(q, cond, deadline)                                                 \
    wait_event_common_(q, cond, THREAD_INTERRUPTIBLE, false, deadline)
// The waiter is exclusive: wake_one() wakes only one of them.
#define wait_event_interruptible_exclusive(q, cond)                                                          \
    wait_event_common_(q, cond, THREAD_INTERRUPTIBLE, true, KTIME_NEVER)

#define wait_schedule_(deadline_)                                                                            \
    (__builtin_constant_p(deadline_) && (deadline_) == KTIME_NEVER ? (schedule(), 0)                         \
                                                                   : schedule_until(deadline_))
// A wake-up that came together with a signal or the deadline is not lost: the condition decides first.
#define wait_event_common_(q, cond, state_, exclusive_, deadline_)                                           \
    ({                                                                                                       \
        int ret_ = 0;                                                                                        \
        if (!(cond)) {                                                                                       \
            struct wait_entry entry_ = {.thread = current, .exclusive = exclusive_};                         \
            wait_add(q, &entry_);                                                                            \
            for (;;) {                                                                                       \
                thread_set_state(state_);                                                                    \
                if (cond)                                                                                    \
                    break;                                                                                   \
                if ((state_) != THREAD_UNINTERRUPTIBLE && signal_pending() &&                                \
                    (ret_ = wait_interrupted(state_)))                                                       \
                    break;                                                                                   \
                if ((ret_ = wait_schedule_(deadline_))) {                                                    \
                    if (cond)                                                                                \
                        ret_ = 0;                                                                            \
                    break;                                                                                   \
                }                                                                                            \
            }                                                                                                \
            WRITE_ONCE(current->state, THREAD_RUNNING);                                                      \
            wait_remove(q, &entry_);                                                                         \
        }                                                                                                    \
        ret_;                                                                                                \
    })
// Without a queue: whoever makes `cond` true wakes the thread itself. `sleep` is schedule_until() or its like. 0, `interrupted` if
// a signal came first, or what `sleep` gave.
#define wait_until_woken(cond, interrupted, sleep)                                                           \
    ({                                                                                                       \
        int ret_ = 0;                                                                                        \
        for (;;) {                                                                                           \
            thread_set_state(THREAD_INTERRUPTIBLE);                                                          \
            if (cond)                                                                                        \
                break;                                                                                       \
            if (signal_pending()) {                                                                          \
                ret_ = interrupted;                                                                          \
                break;                                                                                       \
            }                                                                                                \
            if ((ret_ = (sleep)))                                                                            \
                break;                                                                                       \
        }                                                                                                    \
        WRITE_ONCE(current->state, THREAD_RUNNING);                                                          \
        ret_;                                                                                                \
    })
// -ERESTARTSYS if a signal ends sleep in this state, else 0.
int wait_interrupted(enum thread_state state);
// schedule() with a wake-up at `deadline` (ns; KTIME_NEVER: none): -ETIME if it has passed, 0 if woken
// before. Of the monotonic and of the realtime clock.
int schedule_until(ktime_t deadline);
int schedule_until_realtime(ktime_t deadline);

// A lock whose holder may sleep. Not recursive. A thread that finds it free takes it; one that was woken for
// it and came too late is next for certain. The two low bits of `owner` are flags (sched/mutex.c).
struct mutex {
    struct thread *owner; // [a] NULL: free
    struct spinlock lock; // of waiters
    struct list_head waiters;
#ifdef CONFIG_DEBUG
    struct lock_class *class;
#endif
};
#ifdef CONFIG_DEBUG
#define MUTEX_INIT(m)                                                                                        \
    { NULL, SPINLOCK_INIT, LIST_HEAD_INIT((m).waiters), NULL }
#define mutex_init(m) mutex_init_class(m, LOCK_CLASS_HERE(#m))
void mutex_init_class(struct mutex *m, struct lock_class *class);
#define mutex_note_wait(m, rank)  lock_check_wait(&(m)->class, m, true, rank)
#define mutex_note_taken(m, rank) lock_check_taken(&(m)->class, m, true, rank)
#define mutex_note_released(m)    lock_check_released(m, true)
#else
#define MUTEX_INIT(m)                                                                                        \
    { NULL, SPINLOCK_INIT, LIST_HEAD_INIT((m).waiters) }
static inline void mutex_init(struct mutex *m) {
    *m = (struct mutex)MUTEX_INIT(*m);
}
#define mutex_note_wait(m, rank)  (rank)
#define mutex_note_taken(m, rank) ((void)(rank))
#define mutex_note_released(m)    ((void)0)
#endif
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);
int __must_check mutex_lock_killable_slow(struct mutex *m);
bool mutex_is_mine(const struct mutex *m);
// Takes it while others of its class are held; `rank` tells where it stands among them. May sleep.
static inline void mutex_lock_nested(struct mutex *m, enum lock_rank rank) {
    struct thread *free = NULL;
    rank = mutex_note_wait(m, rank);
    if (unlikely(!__atomic_compare_exchange_n(&m->owner, &free, current, false, __ATOMIC_ACQUIRE,
                                              __ATOMIC_RELAXED)))
        mutex_lock_slow(m);
    mutex_note_taken(m, rank);
}
// May sleep.
static inline void mutex_lock(struct mutex *m) {
    mutex_lock_nested(m, LOCK_FIRST);
}
// The same two: 0, or -EINTR if a fatal signal came first.
static inline int __must_check mutex_lock_killable_nested(struct mutex *m, enum lock_rank rank) {
    struct thread *free = NULL;
    rank = mutex_note_wait(m, rank);
    if (unlikely(!__atomic_compare_exchange_n(&m->owner, &free, current, false, __ATOMIC_ACQUIRE,
                                              __ATOMIC_RELAXED)) &&
        mutex_lock_killable_slow(m))
        return -EINTR;
    mutex_note_taken(m, rank);
    return 0;
}
static inline int __must_check mutex_lock_killable(struct mutex *m) {
    return mutex_lock_killable_nested(m, LOCK_FIRST);
}
// Takes it if it is free.
static inline bool __must_check mutex_trylock(struct mutex *m) {
    struct thread *free = NULL;
    if (!__atomic_compare_exchange_n(&m->owner, &free, current, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    mutex_note_taken(m, mutex_note_wait(m, LOCK_FIRST));
    return true;
}
static inline void mutex_unlock(struct mutex *m) {
    struct thread *me = current;
    mutex_note_released(m);
    if (unlikely(
            !__atomic_compare_exchange_n(&m->owner, &me, NULL, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
        mutex_unlock_slow(m);
}
