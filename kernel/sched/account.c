// SPDX-License-Identifier: MIT
// Who used the processor how long.
//
// The sum is exact: every switch charges the ticks since the one before. Whether they were spent in user or
// kernel mode is sampled, so that system calls need not read the clock: the timer interrupt looks which mode
// it found, charges the time since the last charge to it, and what follows until the next sample or switch is
// charged to the same mode. A thread that spends a part of its time in the kernel is found there in that part
// of the samples, so the division is right on average. Samples of a thread that keeps running come at growing
// distances (4 ms to 64 ms).
#include "core/panic.h"
#include "sched/clock.h"
#include "sched/runqueue.h"

#define SAMPLE_SHIFT_MAX 4

static bool (*sample_hook)(bool user);

void sched_set_sample_hook(bool (*hook)(bool user)) {
    sample_hook = hook;
}

void sched_set_mode(struct thread *t, bool user) {
    t->sampled_user = user;
    t->account = !user ? ACCOUNT_SYSTEM : t->nice > 0 ? ACCOUNT_NICE : ACCOUNT_USER;
}

uint64_t sched_sample(struct thread *t, bool user) {
    if (sample_hook && sample_hook(user))
        t->sample_shift = 0;
    else if (t->sample_shift < SAMPLE_SHIFT_MAX)
        t->sample_shift++;
    return sched_ticks.sample_min << t->sample_shift;
}

void sched_sample_now(void) {
    unsigned long flags = irq_save();
    current->sample_shift = 0;
    hart_timer_request(rdtime() + sched_ticks.sample_min);
    irq_restore(flags);
}

void thread_cpu_time(struct thread *thread, ktime_t *user, ktime_t *system) {
    uint64_t ticks[2] = {READ_ONCE(thread->cpu_ticks[0]), READ_ONCE(thread->cpu_ticks[1])};
    if (READ_ONCE(thread->on_cpu)) {
        int64_t running = rdtime() - READ_ONCE(thread->last_account);
        if (running > 0)
            ticks[READ_ONCE(thread->sampled_user)] += running;
    }
    *system = clock_ticks_to_ns(ticks[0]);
    *user = clock_ticks_to_ns(ticks[1]);
}

void sched_hart_times(unsigned int hart, struct hart_times *out) {
    struct run_queue *rq = &run_queues[hart];
    unsigned long flags = spin_lock_irqsave(&rq->lock);
    uint64_t idle = rq->ticks[ACCOUNT_IDLE];
    if (rq->running && rq->running == harts[hart].idle) {
        int64_t resting = rdtime() - rq->running->last_account;
        idle += MAX(resting, 0);
    }
    out->user = clock_ticks_to_ns(rq->ticks[ACCOUNT_USER]);
    out->nice = clock_ticks_to_ns(rq->ticks[ACCOUNT_NICE]);
    out->system = clock_ticks_to_ns(rq->ticks[ACCOUNT_SYSTEM]);
    out->idle = clock_ticks_to_ns(idle);
    spin_unlock_irqrestore(&rq->lock, flags);
}

ktime_t sched_idle_time(unsigned int hart) {
    struct hart_times times;
    sched_hart_times(hart, &times);
    return times.idle;
}

uint64_t sched_switch_count(void) {
    uint64_t n = 0;
    for (unsigned int i = 0; i < hart_count; i++)
        n += READ_ONCE(run_queues[i].switches);
    return n;
}

unsigned int sched_running(void) {
    unsigned int n = 0;
    for (unsigned int i = 0; i < hart_count; i++) {
        struct run_queue *rq = &run_queues[i];
        struct thread *running = READ_ONCE(rq->running);
        n += READ_ONCE(rq->queued) + (running && running != harts[i].idle);
    }
    return n;
}

// Load averages: every 5 s, each moves towards the number of runnable threads, by a share that makes it
// forget with a time constant of 1, 5 or 15 minutes. In 1/2048.
#define LOAD_PERIOD_NS (5 * NSEC_PER_SEC)
#define LOAD_ONE       2048

static const unsigned int load_keep[3] = {1884, 2014, 2037}; // 2048 / e^(5 s / time constant)
static unsigned long load_average[3];
static struct timer load_timer;

static void load_update(struct timer *t) {
    unsigned long active = sched_running() * LOAD_ONE;
    for (int i = 0; i < 3; i++) {
        unsigned long next = load_average[i] * load_keep[i] + active * (LOAD_ONE - load_keep[i]);
        if (active >= load_average[i])
            next += LOAD_ONE - 1; // rounding must not keep it from arriving
        load_average[i] = next / LOAD_ONE;
    }
    timer_arm(t, t->expires + LOAD_PERIOD_NS);
}

void sched_loadavg(unsigned long out[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = READ_ONCE(load_average[i]);
}

void sched_start_loadavg(void) {
    timer_init(&load_timer, load_update);
    timer_arm(&load_timer, clock_monotonic() + LOAD_PERIOD_NS);
}
