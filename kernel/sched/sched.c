// SPDX-License-Identifier: MIT
// Switching from thread to thread, and waking.
//
// The protocol that keeps a thread from running on two harts and a wake-up from getting lost:
//  - `state` says what a thread wants. It sets a sleeping state itself, before it checks what it waits for.
//    Whoever wakes it sets RUNNING by compare-and-swap; the one who succeeds makes the thread runnable.
//  - `runnable` says what the scheduler has done about it. It changes only under the lock of the run queue of
//    the thread's hart (arch.hart, which itself changes only there): true from being put on a queue until
//    schedule() has found, under the lock, that the state is a sleeping one.
//  - schedule() keeps that lock until the next thread, on its own stack, releases it (finish_switch()). So
//    whoever holds the lock and sees a thread that is not runnable knows that no hart is on its stack any more.
//  - The waker takes the lock and looks. Runnable: schedule() has not got there yet and will see RUNNING. Not
//    runnable: the waker queues it. A waker that was slow finds the thread runnable, or asleep again for
//    another reason, and does nothing.
#include "sched/runqueue.h"
#include "arch/riscv/sbi.h"
#include "core/errno.h"
#include "core/panic.h"
#include "mm/user_table.h"
#include "sched/clock.h"
#include "upcalls.h"
#include <linux/sched.h>

struct sched_ticks sched_ticks;
static uint64_t idle_harts; // [a] bit set: that hart has nothing to do

static void make_runnable(struct thread *t);

static uint64_t hart_bit(const struct hart *hart) {
    return 1ull << hart->id;
}

// How long a thread may run while the others of its queue wait. The more they are, the shorter.
static inline uint64_t slice_ticks(const struct run_queue *rq) {
    if (likely(rq->queued <= 1))
        return sched_ticks.slice;
    return MAX(sched_ticks.round / (rq->queued + 1), sched_ticks.slice_min);
}

static uint64_t ns_ticks(uint64_t ns) {
    uint64_t ticks = ns * (timebase_frequency / 1000) / 1000000;
    return MAX(ticks, 1u);
}

// t starts a new slice. Returns when its hart should look how it gets on.
static inline uint64_t start_slice(const struct run_queue *rq, struct thread *t, uint64_t now) {
    uint32_t own = READ_ONCE(t->own_slice);
    uint64_t end = now + (likely(!own) ? slice_ticks(rq) : ns_ticks(own));
    t->slice_end = likely(t->policy != SCHED_RR) ? end : now + sched_ticks.rr_slice;
    return end;
}

// False if it was asked already.
static bool request_resched(struct thread *t) {
    return !(__atomic_fetch_or(&t->arch.work, WORK_RESCHED, __ATOMIC_RELAXED) & WORK_RESCHED);
}

// Interrupts disabled.
static void interrupt_hart(struct hart *hart) {
    struct hart *here = this_hart();
    if (here->ipi_defer)
        here->ipi_pending |= hart_bit(hart);
    else
        sbi_send_ipi(hart->id);
}

void sched_send_deferred(void) {
    unsigned long flags = irq_save();
    struct hart *here = this_hart();
    uint64_t harts_left = here->ipi_pending;
    for (here->ipi_pending = 0; harts_left; harts_left &= harts_left - 1)
        sbi_send_ipi(__builtin_ctzll(harts_left));
    irq_restore(flags);
}

// Takes a thread that waits for another hart and may run here. This hart's queue is locked, so the others are
// only tried.
static __attribute__((noinline)) struct thread *steal(struct run_queue *rq, struct hart *hart) {
    for (unsigned int i = 1; i < hart_count; i++) {
        unsigned int victim = (hart->id + i) % hart_count;
        struct run_queue *other = &run_queues[victim];
        if (!READ_ONCE(other->queued) || !spin_trylock(&other->lock))
            continue;
        struct thread *t = other->queued ? runqueue_first_for(other, hart->id) : NULL;
        if (t) {
            runqueue_remove(other, t);
            t->vruntime += rq->min_vruntime - other->min_vruntime;
            t->arch.hart = hart;
        }
        spin_unlock(&other->lock);
        if (t)
            return t;
    }
    return NULL;
}

// Does to `prev` what its state asks for and chooses who is next.
static struct thread *choose_next(struct run_queue *rq, struct thread *prev, uint64_t now) {
    struct hart *hart = prev->arch.hart;
    if (prev != hart->idle) {
        if (READ_ONCE(prev->state) != THREAD_RUNNING) {
            prev->runnable = false;
            load_remove(prev);
        } else if (unlikely(!(prev->affinity & hart_bit(hart)))) {
            prev->runnable = false;
            load_remove(prev);
            thread_get(prev);
            rq->displaced = prev;
        } else {
            __atomic_thread_fence(__ATOMIC_ACQUIRE); // what its waker did comes first
            if (!rq->queued)
                return prev;
            runqueue_add(rq, prev, vruntime_before(now, prev->slice_end));
        }
    }
    struct thread *next = runqueue_take(rq);
    if (likely(next))
        return next;
    next = hart_count > 1 ? steal(rq, hart) : NULL;
    return next ? next : hart->idle;
}

void sched_mark_idle(struct hart *hart) {
    if (!(__atomic_load_n(&idle_harts, __ATOMIC_RELAXED) & hart_bit(hart)))
        __atomic_fetch_or(&idle_harts, hart_bit(hart), __ATOMIC_SEQ_CST);
}

static void update_idle(struct hart *hart, const struct thread *prev, const struct thread *next) {
    if (next == hart->idle)
        __atomic_fetch_or(&idle_harts, hart_bit(hart), __ATOMIC_SEQ_CST);
    else if (prev == hart->idle)
        __atomic_fetch_and(&idle_harts, ~hart_bit(hart), __ATOMIC_SEQ_CST);
}

static void prepare_switch(struct run_queue *rq, struct thread *prev, struct thread *next, uint64_t now) {
    struct hart *hart = prev->arch.hart;
    uint64_t end = start_slice(rq, next, now);
    next->last_account = now;
    update_price(next);
    next->sample_shift = 0;
    next->on_cpu = true;
    if (next->vm || rq->queued)
        queue_timer_request(rq, end);
    if (next != hart->idle && !thread_is_real_time(next) && vruntime_before(rq->min_vruntime, next->vruntime))
        rq->min_vruntime = next->vruntime;
    rq->running = next;
    rq->previous = prev;
    rq->switches++;
    if (prev->runnable)
        prev->switches_involuntary++;
    else
        prev->switches_voluntary++;
    if (hart_count > 1) {
        if (unlikely(next->rseq && next->rseq_hart != hart->id))
            __atomic_fetch_or(&next->arch.work, WORK_RSEQ, __ATOMIC_RELAXED);
        update_idle(hart, prev, next);
        kstack_catch_up(hart);
    }
    struct user_table *table = (struct user_table *)next->vm; // which begins with it
    if (table != hart->user_table)
        user_table_load(table);
}

// What the switch away from a thread leaves to be done: it has ended, or may not run on this hart any more.
static __attribute__((noinline)) void settle(struct thread *prev, bool dead, struct thread *displaced) {
    if (dead)
        thread_reap(prev);
    if (displaced) {
        make_runnable(displaced);
        thread_put(displaced);
    }
}

// The other half of schedule(), on the stack of the thread that was switched to.
static inline void finish_switch(void) {
    struct run_queue *rq = run_queue_of(this_hart());
    struct thread *prev = rq->previous;
    struct thread *displaced = rq->displaced;
#ifdef CONFIG_DEBUG
    lock_check_switch(&current->mutexes_held);
#endif
    bool dead = prev->state == THREAD_DEAD;
    rq->displaced = NULL;
    WRITE_ONCE(prev->on_cpu, false);
    spin_unlock(&rq->lock);
    if (unlikely(dead || displaced))
        settle(prev, dead, displaced);
}

void sched_first_switch(void) {
    finish_switch();
    irq_enable();
}

void schedule(void) {
    struct thread *prev = current;
    DEBUG_ASSERT(prev->arch.hart->irq_depth == 0);
    lock_check_may_sleep("gives up the hart");
    unsigned long flags = irq_save();
    struct run_queue *rq = run_queue_of(prev->arch.hart);
    spin_lock(&rq->lock);
    uint64_t now = rdtime();
    sched_account(rq, prev, now);
    if (prev->arch.work & WORK_RESCHED)
        __atomic_fetch_and(&prev->arch.work, ~WORK_RESCHED, __ATOMIC_RELAXED);
    struct thread *next = choose_next(rq, prev, now);
    if (next == prev) {
        spin_unlock(&rq->lock);
    } else {
        prepare_switch(rq, prev, next, now);
        arch_switch(prev, next);
        finish_switch();
    }
    irq_restore(flags);
}

void thread_yield(void) {
    unsigned long flags = irq_save();
    struct thread *t = current;
    struct run_queue *rq = run_queue_of(t->arch.hart);
    spin_lock(&rq->lock);
    t->slice_end = rdtime(); // behind its equals
    if (!thread_is_real_time(t) && rq->first && vruntime_before(t->vruntime, rq->first->vruntime))
        t->vruntime = rq->first->vruntime;
    spin_unlock(&rq->lock);
    irq_restore(flags);
    schedule();
}

// ---- waking

static struct hart *least_loaded(const struct thread *t, uint64_t allowed) {
    struct hart *best = NULL;
    unsigned int best_load = ~0u;
    for (unsigned int i = 0; i < hart_count; i++) {
        struct thread *running = READ_ONCE(run_queues[i].running);
        if (!(allowed >> i & 1) || !running)
            continue;
        unsigned int load = READ_ONCE(run_queues[i].queued) * 2 + (running != harts[i].idle);
        if (thread_is_real_time(t) && running->rt_priority < t->rt_priority)
            load = 0; // it would run there at once
        if (load < best_load) {
            best_load = load;
            best = &harts[i];
        }
    }
    return best;
}

// Where a woken thread goes: an idle hart, its last one if that is idle; else its last one, unless a
// real-time thread would have to wait there; a new thread to the hart with least to do.
static struct hart *choose_hart(struct thread *t, struct hart *last, bool is_new) {
    uint64_t allowed = t->affinity & sched_online_mask();
    if (!allowed)
        allowed = sched_online_mask(); // its harts never came
    uint64_t idle = __atomic_load_n(&idle_harts, __ATOMIC_RELAXED) & allowed;
    if (idle) {
        struct hart *hart = idle & hart_bit(last) ? last : &harts[__builtin_ctzll(idle)];
        __atomic_fetch_and(&idle_harts, ~hart_bit(hart), __ATOMIC_RELAXED); // the next to come finds another
        return hart;
    }
    bool may_stay = allowed & hart_bit(last);
    if (may_stay && !is_new &&
        (!thread_is_real_time(t) || !thread_is_real_time(READ_ONCE(run_queue_of(last)->running))))
        return last;
    return least_loaded(t, allowed);
}

static inline bool should_preempt(struct run_queue *rq, const struct thread *t, uint64_t now) {
    const struct thread *running = rq->running;
    if (unlikely(t->rt_priority | running->rt_priority))
        return t->rt_priority > running->rt_priority;
    if (unlikely(running->policy == SCHED_IDLE))
        return t->policy != SCHED_IDLE;
    return vruntime_before(t->vruntime + sched_ticks.preempt, vruntime_at(running, now)) &&
           t->policy == SCHED_NORMAL;
}

// This hart has somebody waiting: the running thread's slice must end.
static inline void arm_slice(const struct run_queue *rq, uint64_t now) {
    struct thread *running = rq->running;
    if (unlikely(vruntime_before(running->slice_end, now)))
        running->slice_end = now + sched_ticks.preempt; // it ran alone and long
    queue_timer_request(rq, running->slice_end);
}

// `t` was put on the queue of `hart`: tells the running thread. True if the hart must be interrupted.
static inline bool announce(struct run_queue *rq, struct hart *hart, const struct thread *t) {
    bool here = hart == this_hart();
    if (rq->running == hart->idle)
        return !here && rq->queued == 1; // else somebody has sent the interrupt already
    uint64_t now = rdtime();
    if (should_preempt(rq, t, now))
        return request_resched(rq->running) && !here;
    if (here)
        arm_slice(rq, now);
    return !here && rq->queued == 1;
}

static inline struct run_queue *lock_queue_of(struct thread *t) {
    for (;;) {
        struct hart *hart = READ_ONCE(t->arch.hart);
        struct run_queue *rq = run_queue_of(hart);
        spin_lock(&rq->lock);
        if (likely(hart == READ_ONCE(t->arch.hart)))
            return rq;
        spin_unlock(&rq->lock);
    }
}

// Chooses the hart for t, whose queue `rq` is locked. Returns the locked queue of that hart.
static __attribute__((noinline)) struct run_queue *choose_queue(struct run_queue *rq, struct thread *t,
                                                                bool is_new) {
    for (;;) {
        struct hart *last = t->arch.hart, *hart = choose_hart(t, last, is_new);
        if (hart == last)
            return rq;
        struct run_queue *target = run_queue_of(hart);
        t->vruntime += target->min_vruntime - rq->min_vruntime;
        t->arch.hart = hart;
        spin_unlock(&rq->lock);
        rq = target;
        spin_lock(&rq->lock);
        if (likely(t->affinity & hart_bit(hart)))
            return rq; // else it was changed meanwhile
    }
}

// Puts t, which is not runnable and whose queue `rq` is locked, on the queue of a hart of choice. Unlocks.
static inline __attribute__((always_inline)) void place(struct run_queue *rq, struct thread *t, bool is_new) {
    t->runnable = true;
    load_add(t);
    if (hart_count > 1)
        rq = choose_queue(rq, t, is_new);
    struct hart *hart = t->arch.hart;
    uint64_t earliest = rq->min_vruntime - sched_ticks.wake_bonus;
    if (vruntime_before(t->vruntime, earliest))
        t->vruntime = earliest;
    runqueue_add(rq, t, false);
    bool interrupt = announce(rq, hart, t);
    spin_unlock(&rq->lock);
    if (unlikely(interrupt))
        interrupt_hart(hart);
}

static inline __attribute__((always_inline)) void make_runnable_fast(struct thread *t) {
    unsigned long flags = irq_save();
    struct run_queue *rq = lock_queue_of(t);
    if (!t->runnable && t->state == THREAD_RUNNING)
        place(rq, t, false);
    else
        spin_unlock(&rq->lock);
    irq_restore(flags);
}

static void make_runnable(struct thread *t) {
    make_runnable_fast(t);
}

#define STATE(s) (1u << THREAD_##s)

static inline __attribute__((always_inline)) bool wake_from(struct thread *t, unsigned int states) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    enum thread_state state = __atomic_load_n(&t->state, __ATOMIC_RELAXED);
    do {
        if (!(states >> state & 1))
            return false;
    } while (!__atomic_compare_exchange_n(&t->state, &state, THREAD_RUNNING, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    make_runnable_fast(t);
    return true;
}

bool thread_wake(struct thread *t) {
    return wake_from(t, STATE(INTERRUPTIBLE) | STATE(KILLABLE) | STATE(UNINTERRUPTIBLE) | STATE(STOPPED));
}

bool thread_wake_for_signal(struct thread *t, bool fatal) {
    if (wake_from(t, STATE(INTERRUPTIBLE) | (fatal ? STATE(KILLABLE) | STATE(STOPPED) : 0)))
        return true;
    struct hart *hart = READ_ONCE(t->arch.hart);
    if (READ_ONCE(t->on_cpu) && hart != this_hart())
        sbi_send_ipi(hart->id);
    return false;
}

// A new thread comes last in the round of its user's threads: a crowd made at once does not stand before all others
// in a row.
static uint64_t turns_of_others(const struct thread *t) {
    uint64_t load = READ_ONCE(t->user->load);
    return load <= PRICE_ONE ? 0 : sched_ticks.slice_min * load >> PRICE_SHIFT;
}

void thread_start(struct thread *t) {
    unsigned long flags = irq_save();
    struct run_queue *rq = lock_queue_of(t);
    t->state = THREAD_RUNNING;
    t->vruntime += turns_of_others(t);
    place(rq, t, true);
    irq_restore(flags);
}

// ---- interrupts

// True if the first in the queue should run in place of t, whose slice is over.
static bool slice_over(struct run_queue *rq, const struct thread *t) {
    const struct thread *first = runqueue_first(rq);
    if (thread_is_real_time(first) || thread_is_real_time(t))
        return first->rt_priority > t->rt_priority ||
               (first->rt_priority == t->rt_priority && t->policy == SCHED_RR);
    return vruntime_before(first->vruntime, t->vruntime);
}

// The running thread's slice may be over. Returns the hart to send an interrupt, so that it takes a waiting
// thread over.
static struct hart *tick_slice(struct run_queue *rq, struct thread *t, uint64_t now) {
    if (!vruntime_before(now, t->slice_end)) {
        if (slice_over(rq, t))
            request_resched(t);
        start_slice(rq, t, now);
    }
    uint64_t idle = __atomic_load_n(&idle_harts, __ATOMIC_RELAXED) & runqueue_first(rq)->affinity;
    return idle ? &harts[__builtin_ctzll(idle)] : NULL;
}

// The running thread and those who wait have got on: so do newcomers.
static void advance_min(struct run_queue *rq, const struct thread *running) {
    if (thread_is_real_time(running))
        return;
    uint64_t least = running->vruntime;
    if (rq->first && vruntime_before(rq->first->vruntime, least))
        least = rq->first->vruntime;
    if (vruntime_before(rq->min_vruntime, least))
        rq->min_vruntime = least;
}

uint64_t sched_tick(uint64_t now, bool user) {
    struct thread *t = current;
    if (t == this_hart()->idle)
        return ~0ull; // its loop looks at the queue
    struct run_queue *rq = run_queue_of(this_hart());
    struct hart *helper = NULL;
    uint64_t next = ~0ull;
    spin_lock(&rq->lock);
    sched_set_mode(t, user);
    sched_account(rq, t, now);
    update_price(t);
    advance_min(rq, t);
    if (rq->queued) {
        helper = tick_slice(rq, t, now);
        next = t->slice_end;
    }
    spin_unlock(&rq->lock);
    if (helper)
        sbi_send_ipi(helper->id);
    if (t->vm) {
        uint64_t sample = now + sched_sample(t, user);
        next = MIN(next, sample);
    }
    return next;
}

// Somebody changed what this hart should do: WORK_* of the running thread, which is looked at on the way back
// to it; its run queue; its timers.
void ipi_interrupt(void) {
    struct run_queue *rq = run_queue_of(this_hart());
    spin_lock(&rq->lock);
    if (rq->queued && rq->running != this_hart()->idle)
        arm_slice(rq, rdtime());
    spin_unlock(&rq->lock);
    timer_reprogram();
}

// ---- parameters

// t's position may have changed: sorts it in again, or lets the running one be compared with those who wait.
static void parameters_changed(struct run_queue *rq, struct thread *t, bool was_queued) {
    struct hart *hart = t->arch.hart;
    bool interrupt = false;
    runqueue_update_weight(t);
    if (t->runnable)
        load_add(t);
    if (was_queued) {
        runqueue_add(rq, t, false);
        interrupt = announce(rq, hart, t);
    } else if (rq->running == t && rq->queued) {
        request_resched(t);
        interrupt = hart != this_hart();
    }
    spin_unlock(&rq->lock);
    if (interrupt)
        sbi_send_ipi(hart->id);
}

static struct run_queue *begin_change(struct thread *t, bool *was_queued) {
    struct run_queue *rq = lock_queue_of(t);
    *was_queued = t->queued;
    if (t->queued)
        runqueue_remove(rq, t);
    if (t->runnable)
        load_remove(t);
    return rq;
}

int sched_set_policy(struct thread *t, int policy, int rt_priority) {
    bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
    if (!real_time && policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE)
        return -EINVAL;
    if (real_time ? rt_priority < 1 || rt_priority > 99 : rt_priority != 0)
        return -EINVAL;
    unsigned long flags = irq_save();
    bool was_queued;
    struct run_queue *rq = begin_change(t, &was_queued);
    if (thread_is_real_time(t))
        t->vruntime = rq->min_vruntime; // in case it becomes a fair one
    t->policy = policy;
    t->base_priority = rt_priority;
    t->rt_priority = MAX(rt_priority, t->lent_priority);
    parameters_changed(rq, t, was_queued);
    irq_restore(flags);
    return 0;
}

void sched_lend_priority(struct thread *t, int rt_priority) {
    if (rt_priority == t->lent_priority)
        return;
    unsigned long flags = irq_save();
    bool was_queued;
    struct run_queue *rq = begin_change(t, &was_queued);
    if (thread_is_real_time(t))
        t->vruntime = rq->min_vruntime;
    t->lent_priority = rt_priority;
    t->rt_priority = MAX(t->base_priority, t->lent_priority);
    parameters_changed(rq, t, was_queued);
    irq_restore(flags);
}

void sched_set_nice(struct thread *t, int nice) {
    unsigned long flags = irq_save();
    bool was_queued;
    struct run_queue *rq = begin_change(t, &was_queued);
    t->nice = MAX(-20, MIN(nice, 19));
    parameters_changed(rq, t, was_queued);
    irq_restore(flags);
}

void sched_set_user(struct user *user) {
    struct thread *t = current;
    struct user *old = t->user;
    if (user == old)
        return;
    user_get(user);
    unsigned long flags = irq_save();
    struct run_queue *rq = lock_queue_of(t);
    load_remove(t);
    t->user = user;
    load_add(t);
    spin_unlock(&rq->lock);
    irq_restore(flags);
    user_put(old);
}

int sched_set_affinity(struct thread *t, uint64_t mask) {
    mask &= sched_online_mask();
    if (!mask)
        return -EINVAL;
    unsigned long flags = irq_save();
    struct run_queue *rq = lock_queue_of(t);
    struct hart *hart = t->arch.hart;
    bool must_move = !(mask & hart_bit(hart)), running = rq->running == t;
    t->affinity = mask;
    if (must_move && t->queued) {
        runqueue_remove(rq, t);
        t->runnable = false;
        load_remove(t);
        place(rq, t, false);
        running = false;
    } else {
        if (must_move && running)
            request_resched(t);
        spin_unlock(&rq->lock);
    }
    irq_restore(flags);
    if (must_move && running) {
        if (t == current)
            schedule();
        else
            sbi_send_ipi(hart->id);
    }
    return 0;
}

ktime_t sched_rr_interval(struct thread *t) {
    if (t->policy == SCHED_FIFO)
        return 0;
    return t->policy == SCHED_RR ? SCHED_RR_SLICE_NS : sched_get_slice(t);
}

ktime_t sched_get_slice(const struct thread *t) {
    uint32_t own = READ_ONCE(t->own_slice);
    return own ? own : SCHED_SLICE_NS;
}

void sched_set_slice(struct thread *t, uint64_t ns) {
    uint64_t slice = MAX((uint64_t)SCHED_OWN_SLICE_MIN_NS, MIN(ns, (uint64_t)SCHED_OWN_SLICE_MAX_NS));
    WRITE_ONCE(t->own_slice, ns ? (uint32_t)slice : 0);
}

void sched_init(void) {
    sched_ticks = (struct sched_ticks){
        .slice = ns_ticks(SCHED_SLICE_NS),
        .slice_min = ns_ticks(SCHED_SLICE_MIN_NS),
        .round = ns_ticks(SCHED_ROUND_NS),
        .rr_slice = ns_ticks(SCHED_RR_SLICE_NS),
        .wake_bonus = ns_ticks(SCHED_WAKE_BONUS_NS),
        .preempt = ns_ticks(SCHED_PREEMPT_NS),
        .sample_min = ns_ticks(SAMPLE_NS),
    };
    for (unsigned int i = 0; i < hart_count; i++) {
        runqueue_init(&run_queues[i]);
        harts[i].queue = &run_queues[i];
    }
    threads_init();
    timers_init();
    run_queues[0].running = current;
}
