// SPDX-License-Identifier: MIT
// Wait queues, and sleeping until a deadline.
//
// An entry that is not exclusive goes to the front of the queue and an exclusive one to its end, so that
// waking stops at the n-th exclusive one and has then woken all others.
#include "sched/wait.h"
#include "upcalls.h"

#ifdef CONFIG_DEBUG
void wait_queue_init_class(struct wait_queue *q, struct lock_class *class) {
    spin_init_class(&q->lock, class);
    list_init(&q->waiters);
}
#else
void wait_queue_init(struct wait_queue *q) {
    spin_init(&q->lock);
    list_init(&q->waiters);
}
#endif

void wait_add(struct wait_queue *q, struct wait_entry *e) {
    unsigned long flags = spin_lock_irqsave(&q->lock);
    if (e->exclusive)
        list_add_tail(&e->link, &q->waiters);
    else
        list_add(&e->link, &q->waiters);
    spin_unlock_irqrestore(&q->lock, flags);
}

void wait_remove(struct wait_queue *q, struct wait_entry *e) {
    unsigned long flags = spin_lock_irqsave(&q->lock);
    list_del(&e->link);
    spin_unlock_irqrestore(&q->lock, flags);
}

// The lock is held while threads are woken, and a sleeper takes it to leave the queue: an entry on a
// sleeper's stack stays as long as it is looked at.
static __attribute__((always_inline)) inline void wake(struct wait_queue *q, unsigned int n,
                                                       unsigned int events, enum lock_rank rank) {
    struct wait_entry *e, *next;
    unsigned long flags = spin_lock_irqsave_nested(&q->lock, rank);
    sched_defer_interrupts();
    list_for_each_entry_safe (e, next, &q->waiters, link) {
        bool exclusive = e->exclusive;
        bool woken = e->wake ? e->wake(e, events) : thread_wake(e->thread);
        if (woken && exclusive && --n == 0)
            break;
    }
    spin_unlock(&q->lock);
    sched_undefer_interrupts();
    irq_restore(flags);
}

void wait_wake(struct wait_queue *q, unsigned int n, unsigned int events) {
    wake(q, n, events, LOCK_FIRST);
}

void wait_wake_chained(struct wait_queue *q, unsigned int n, unsigned int events) {
    wake(q, n, events, LOCK_BELOW);
}

int wait_interrupted(enum thread_state state) {
    if (likely(!signal_pending()) || state == THREAD_UNINTERRUPTIBLE)
        return 0;
    return state == THREAD_INTERRUPTIBLE || signal_pending_fatal() ? -ERESTARTSYS : 0;
}

int resched_or_die(void) {
    cond_resched();
    return signal_pending() && signal_pending_fatal() ? -EINTR : 0;
}

struct sleep_timer {
    struct timer timer;
    struct thread *thread;
};

static void sleep_over(struct timer *t) {
    thread_wake(container_of(t, struct sleep_timer, timer)->thread);
}

int schedule_until(ktime_t deadline) {
    if (deadline == KTIME_NEVER) {
        schedule();
        return 0;
    }
    if (deadline <= clock_monotonic())
        return -ETIME;
    struct sleep_timer sleep = {.timer.callback = sleep_over, .thread = current};
    timer_arm(&sleep.timer, deadline);
    schedule();
    return timer_cancel(&sleep.timer) ? 0 : -ETIME;
}

int schedule_until_realtime(ktime_t deadline) {
    if (deadline == KTIME_NEVER) {
        schedule();
        return 0;
    }
    if (deadline <= clock_realtime())
        return -ETIME;
    struct sleep_timer sleep = {.timer.callback = sleep_over, .thread = current};
    timer_arm_realtime(&sleep.timer, deadline);
    schedule();
    return timer_cancel(&sleep.timer) ? 0 : -ETIME;
}

static int sleep_with(int (*sleep)(ktime_t deadline), ktime_t deadline) {
    int err;
    do {
        thread_set_state(THREAD_INTERRUPTIBLE);
        err = signal_pending() ? -EINTR : sleep(deadline);
    } while (err == 0);
    thread_set_state(THREAD_RUNNING);
    return err == -ETIME ? 0 : err;
}

int sleep_until(ktime_t deadline) {
    return sleep_with(schedule_until, deadline);
}

int sleep_until_realtime(ktime_t deadline) {
    return sleep_with(schedule_until_realtime, deadline);
}
