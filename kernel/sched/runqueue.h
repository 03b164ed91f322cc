// SPDX-License-Identifier: MIT
// Run queues: who waits for a hart, in which order. Private to kernel/sched.
//
// Real-time threads stand in a list ordered by priority and go before all others. The others are ordered by
// `vruntime`, the time they have run, each tick of it at its price: the one that had least goes first, so over
// time each gets the hart in inverse proportion to its price. That one stands alone (`first`), the rest in a
// tree: usually there is no rest. The running thread is in none of these.
//
// The price makes the shares fair among users, however many threads each has, and within a user by nice:
//
//     price = max(load of the user, weight of nice 0) / weight of the thread
//
// where the user's load is the sum of the weights of its runnable threads on all harts (those above nice 0 count
// as nice 0). Alone, a thread of nice 0 pays 1. A hundred of one user pay 100 each, so that together they
// get what a single thread of another user does. A user's account is set when it runs out, not in advance:
// the load is looked at when a thread starts to run and at each tick.
//
// The lock of a hart's run queue guards the scheduling fields of the threads whose arch.hart is that hart,
// and is held across the switch from one thread to the next (docs/locking.md).
#pragma once
#include "sched/thread.h"
#include "sched/user.h"

RB_HEAD(fair_tree, thread);

#define PRICE_SHIFT 12
#define PRICE_ONE   (1ul << PRICE_SHIFT)

struct run_queue {
    struct spinlock lock;     // taken with interrupts disabled
    unsigned int queued;      // threads that wait, not the running one; read by others as a hint
    struct thread *running;   // the idle thread included
    struct thread *previous;  // whom the switch in progress leaves
    struct thread *displaced; // ran here and may no longer: finish_switch() sends it elsewhere; a reference
    struct thread *first;     // the fair one that goes first; NULL: `fair` is empty too
    struct fair_tree fair;
    struct list_head real_time; // highest priority first, then first come
    uint64_t min_vruntime;      // never falls; where newcomers start
    uint64_t timer_set;         // ticks that the hart's timer is set to; only its own hart looks
    uint64_t switches;
    uint64_t ticks[4]; // of each enum account
} __aligned_to(64);

extern struct run_queue run_queues[MAX_HARTS];

static inline struct run_queue *run_queue_of(const struct hart *hart) {
    return hart->queue;
}
static inline bool thread_is_real_time(const struct thread *t) {
    return t->rt_priority != 0;
}
// a ran less than b. Wraps correctly.
static inline bool vruntime_before(uint64_t a, uint64_t b) {
    return (int64_t)(a - b) < 0;
}

// All with the queue locked; `t` belongs to its hart.
void runqueue_init(struct run_queue *rq);
void runqueue_add_slow(struct run_queue *rq, struct thread *t, bool head);
void runqueue_remove_slow(struct run_queue *rq, struct thread *t);

// head: before its equals, if real-time.
static inline void runqueue_add(struct run_queue *rq, struct thread *t, bool head) {
    rq->queued++;
    t->queued = true;
    if (likely(!rq->first && !thread_is_real_time(t)))
        rq->first = t;
    else
        runqueue_add_slow(rq, t, head);
}
static inline void runqueue_remove(struct run_queue *rq, struct thread *t) {
    t->queued = false;
    if (likely(--rq->queued == 0 && rq->first == t))
        rq->first = NULL;
    else
        runqueue_remove_slow(rq, t);
}
// Takes the first in order; NULL if nobody waits.
struct thread *runqueue_take_slow(struct run_queue *rq);
static inline struct thread *runqueue_take(struct run_queue *rq) {
    struct thread *t = rq->first;
    if (unlikely(rq->queued != 1 || !t))
        return runqueue_take_slow(rq);
    rq->first = NULL;
    rq->queued = 0;
    t->queued = false;
    return t;
}
// The first in order, NULL if nobody waits. It stays queued.
static inline struct thread *runqueue_first(struct run_queue *rq) {
    if (unlikely(!list_empty(&rq->real_time)))
        return list_first_entry(&rq->real_time, struct thread, run_link);
    return rq->first;
}
// The first that may run on `hart`.
struct thread *runqueue_first_for(struct run_queue *rq, unsigned int hart);
// Sets t's weight and load from its policy and nice. It is not runnable, or its user's load is without it.
void runqueue_update_weight(struct thread *t);

// t counts in its user's load, or no longer.
static inline void load_add(struct thread *t) {
    __atomic_fetch_add(&t->user->load, t->load, __ATOMIC_RELAXED);
}
static inline void load_remove(struct thread *t) {
    __atomic_fetch_sub(&t->user->load, t->load, __ATOMIC_RELAXED);
}
static inline void update_price(struct thread *t) {
    uint64_t price = READ_ONCE(t->user->load); // t counts in it
    if (unlikely(t->weight != SCHED_WEIGHT_NICE_0))
        price = MAX(price, PRICE_ONE) * SCHED_WEIGHT_NICE_0 / t->weight;
    t->price = price;
}
// Where t, which runs since its last account, would be if it were charged now. An interrupt, or another hart, may have charged it after
// `now` was read: then it is there already.
static inline uint64_t vruntime_at(const struct thread *t, uint64_t now) {
    int64_t since = (int64_t)(now - READ_ONCE(t->last_account));
    return t->vruntime + ((uint64_t)MAX(since, 0) * t->price >> PRICE_SHIFT);
}

// sched/timer.c: this hart's timer interrupt comes at `ticks` or before. Interrupts disabled. Asking for what
// is asked already costs a comparison; nothing is ever taken back: an interrupt without a cause does nothing.
void hart_timer_set(uint64_t ticks);
static inline void queue_timer_request(const struct run_queue *here, uint64_t ticks) {
    if (unlikely(ticks < here->timer_set))
        hart_timer_set(ticks);
}
static inline void hart_timer_request(uint64_t ticks) {
    queue_timer_request(this_hart()->queue, ticks);
}
// sched/sched.c: the scheduler's part of the timer interrupt: `user`: user mode was interrupted. Returns the
// ticks at which it wants the next, ~0: none.
uint64_t sched_tick(uint64_t now, bool user);
// sched/sched.c: the hart waits for something to do; those who look for an idle hart find it.
void sched_mark_idle(struct hart *hart);
// Charges the time since the last call to the running thread `t` and to its hart. Its queue is locked or t is
// current with interrupts disabled.
static inline void sched_account(struct run_queue *rq, struct thread *t, uint64_t now) {
    uint64_t delta = now - t->last_account;
    t->last_account = now;
    t->cpu_ticks[t->sampled_user] += delta;
    rq->ticks[t->account] += delta;
    t->vruntime += delta * t->price >> PRICE_SHIFT;
}
// sched/account.c: what follows is charged to this mode.
void sched_set_mode(struct thread *t, bool user);
// sched/account.c: ticks until the next sample of t, after one in user (or kernel) mode.
uint64_t sched_sample(struct thread *t, bool user);
// sched/account.c: starts the load average, once the clock runs.
void sched_start_loadavg(void);
// sched/thread.c: frees what a dead thread no longer runs on, and drops the scheduler's reference.
void thread_reap(struct thread *thread);
// sched/sched.c: what a new thread does first.
void sched_first_switch(void);
// sched/timer.c
void timers_init(void);
void timers_change_realtime(void (*change)(ktime_t now),
                            ktime_t now); // moves the timers on the realtime clock
void timer_reprogram(void);               // asks for the first timer again, after others changed the queue
// sched/thread.c: an idle thread for a hart other than the boot hart. NULL if no memory.
struct thread *thread_create_idle(unsigned int hart);
void threads_init(void);

#define SCHED_SLICE_NS         4000000 // of threads that share a hart
#define SCHED_ROUND_NS         8000000 // in which each of those that share a hart has its turn,
#define SCHED_SLICE_MIN_NS     750000  // unless there are so many that turns became too short
#define SCHED_OWN_SLICE_MIN_NS 100000  // of one that a program asks for
#define SCHED_OWN_SLICE_MAX_NS 100000000
#define SCHED_RR_SLICE_NS      100000000 // of SCHED_RR
#define SCHED_WAKE_BONUS_NS    2000000   // what a sleeper may be ahead of the others when it wakes
#define SCHED_PREEMPT_NS       1000000   // a woken thread preempts if it is ahead by that much

// The same in ticks, set by sched_init().
struct sched_ticks {
    uint64_t slice, slice_min, round, rr_slice, wake_bonus, preempt, sample_min;
};
extern struct sched_ticks sched_ticks;
