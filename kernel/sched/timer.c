// SPDX-License-Identifier: MIT
// Timers, and each hart's timer interrupt.
//
// A hart has its queue of timers, ordered by expiry. The hardware's timer is set to the earliest of what was
// asked for: the first timer, the end of a time slice, a sample of the running thread's mode. It is only ever
// moved forward; when it goes off too early, because its reason went away, it is set to the next reason. So a
// thread that blocks and wakes a thousand times in a slice sets it once.
//
// A timer's `hart` says whose queue holds it and changes under that queue's lock. `running` is set before it
// becomes NULL and reset when the callback has returned, so that timer_cancel() sees one or the other.
#include "sched/runqueue.h"
#include "arch/riscv/sbi.h"
#include "upcalls.h"
#include "sched/clock.h"

// Programs decide how many timers there are and may have them all expire at once; see BATCH.
RB_HEAD(timer_tree, timer);

struct timer_queue {
    struct spinlock lock; // taken with interrupts disabled
    struct timer_tree tree;
    struct timer *first;
} __aligned_to(64);

#define BATCH 64 // callbacks in one interrupt

static struct timer_queue timer_queues[MAX_HARTS];
static struct spinlock realtime_lock =
    SPINLOCK_INIT; // realtime offset against arming; taken before a queue's lock

static int timer_compare(const struct timer *a, const struct timer *b) {
    return a->expires < b->expires ? -1 : 1;
}
RB_GENERATE_STATIC(timer_tree, timer, node, timer_compare)

void hart_timer_set(uint64_t ticks) {
    this_hart()->queue->timer_set = ticks;
    sbi_set_timer(ticks);
}

void timer_init(struct timer *t, void (*callback)(struct timer *)) {
    *t = (struct timer){.callback = callback};
}

static void insert(struct timer_queue *q, struct timer *t) {
    if (!q->first || t->expires < q->first->expires)
        q->first = t;
    RB_INSERT(timer_tree, &q->tree, t);
}

static void take_out(struct timer_queue *q, struct timer *t) {
    if (q->first == t)
        q->first = RB_NEXT(timer_tree, &q->tree, t);
    RB_REMOVE(timer_tree, &q->tree, t);
}

// Interrupts disabled.
static bool disarm(struct timer *t) {
    struct hart *hart;
    while ((hart = __atomic_load_n(&t->hart, __ATOMIC_ACQUIRE))) {
        struct timer_queue *q = &timer_queues[hart->id];
        spin_lock(&q->lock);
        bool found = t->hart == hart;
        if (found) {
            take_out(q, t);
            WRITE_ONCE(t->hart, NULL);
        }
        spin_unlock(&q->lock);
        if (found)
            return true;
    }
    return false;
}

// Interrupts disabled.
static void arm(struct timer *t, ktime_t expires) {
    struct hart *hart = this_hart();
    struct timer_queue *q = &timer_queues[hart->id];
    disarm(t);
    spin_lock(&q->lock);
    t->expires = expires;
    t->hart = hart;
    insert(q, t);
    bool first = q->first == t;
    spin_unlock(&q->lock);
    if (first)
        hart_timer_request(clock_ns_to_ticks(expires));
}

void timer_arm(struct timer *t, ktime_t expires) {
    unsigned long flags = irq_save();
    t->realtime = false;
    arm(t, expires);
    irq_restore(flags);
}

void timer_arm_realtime(struct timer *t, ktime_t expires) {
    unsigned long flags = spin_lock_irqsave(&realtime_lock);
    t->realtime = true;
    t->real_expires = expires;
    arm(t, clock_realtime_to_monotonic(expires));
    spin_unlock_irqrestore(&realtime_lock, flags);
}

bool timer_try_cancel(struct timer *t) {
    unsigned long flags = irq_save();
    bool armed = disarm(t);
    irq_restore(flags);
    return armed;
}

bool timer_cancel(struct timer *t) {
    bool armed = false;
    for (;;) {
        armed |= timer_try_cancel(t);
        // A callback that re-armed it did so before `running` was reset.
        if (!__atomic_load_n(&t->running, __ATOMIC_ACQUIRE) && !timer_is_armed(t))
            return armed;
        cpu_relax();
    }
}

// Brings one queue's realtime timers to where the new offset puts them.
static void move_realtime_timers(struct timer_queue *q) {
    struct timer *t, *next;
    for (t = q->first; t; t = next) {
        next = RB_NEXT(timer_tree, &q->tree, t);
        ktime_t expires = t->realtime ? clock_realtime_to_monotonic(t->real_expires) : t->expires;
        if (expires == t->expires)
            continue;
        take_out(q, t);
        t->expires = expires;
        insert(q, t);
    }
}

void timers_change_realtime(void (*change)(ktime_t now), ktime_t now) {
    unsigned long flags = spin_lock_irqsave(&realtime_lock);
    change(now);
    for (unsigned int i = 0; i < hart_count; i++) {
        struct timer_queue *q = &timer_queues[i];
        spin_lock(&q->lock);
        if (q->first)
            move_realtime_timers(q);
        spin_unlock(&q->lock);
        if (i != this_hart_id() && READ_ONCE(harts[i].online))
            sbi_send_ipi(i);
    }
    timer_reprogram();
    spin_unlock_irqrestore(&realtime_lock, flags);
}

void timer_reprogram(void) {
    struct timer_queue *q = &timer_queues[this_hart_id()];
    unsigned long flags = spin_lock_irqsave(&q->lock);
    ktime_t first = q->first ? q->first->expires : KTIME_NEVER;
    spin_unlock_irqrestore(&q->lock, flags);
    if (first != KTIME_NEVER)
        hart_timer_request(clock_ns_to_ticks(first));
}

// Runs the timers that are due, but no more than BATCH at a time: then threads get as long as that took, and
// the rest is run after it. Returns when the next one is, KTIME_NEVER: none.
static ktime_t run_due_timers(struct timer_queue *q) {
    ktime_t began = clock_monotonic(), now = began, later = 0;
    spin_lock(&q->lock);
    struct timer *t;
    for (int n = 0; (t = q->first) && t->expires <= now; now = clock_monotonic()) {
        if (n++ == BATCH) {
            later = 2 * now - began;
            break;
        }
        take_out(q, t);
        if (t->realtime && unlikely(clock_realtime() < t->real_expires)) {
            t->expires = clock_realtime_to_monotonic(t->real_expires) + 1;
            insert(q, t);
            continue;
        }
        __atomic_store_n(&t->running, true, __ATOMIC_RELAXED);
        __atomic_store_n(&t->hart, NULL, __ATOMIC_RELEASE);
        spin_unlock(&q->lock);
        t->callback(t);
        __atomic_store_n(&t->running, false, __ATOMIC_RELEASE);
        spin_lock(&q->lock);
    }
    ktime_t next = t ? MAX(t->expires, later) : KTIME_NEVER; // unlocked, t may be cancelled and gone
    spin_unlock(&q->lock);
    return next;
}

void timer_interrupt(void) {
    struct timer_queue *q = &timer_queues[this_hart_id()];
    bool user = irq_from_user();
    this_hart()->queue->timer_set = 0; // what is asked for in here is known at the end
    ktime_t first = run_due_timers(q);
    uint64_t next = sched_tick(rdtime(), user);
    if (first != KTIME_NEVER) {
        uint64_t ticks = clock_ns_to_ticks(first);
        next = MIN(next, ticks);
    }
    hart_timer_set(next);
}

void timers_init(void) {
    for (unsigned int i = 0; i < hart_count; i++) {
        spin_init(&timer_queues[i].lock);
        RB_INIT(&timer_queues[i].tree);
        run_queues[i].timer_set = ~0ull;
    }
}
