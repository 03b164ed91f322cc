// SPDX-License-Identifier: MIT
// The other harts, and what a hart does when there is nothing to do.
#include "sched/runqueue.h"
#include "arch/riscv/sbi.h"
#include "core/irq.h"
#include "core/panic.h"
#include "core/printk.h"
#include "sched/clock.h"
#include "sched/wait.h"
#include "upcalls.h"

#define COME_WITHIN (1000 * 1000000l) // ns

static uint64_t online_mask = 1; // [a]
static uint64_t asked_mask = 1;  // [I] after smp_start_harts(): those that the firmware starts
static struct wait_queue coming = WAIT_QUEUE_INIT(coming);

uint64_t sched_online_mask(void) {
    return __atomic_load_n(&online_mask, __ATOMIC_RELAXED);
}

// Asks the firmware for each hart. They join when they get here; smp_wait_for_harts() waits for them.
void smp_start_harts(void) {
    for (unsigned int i = 1; i < hart_count; i++) {
        struct thread *idle = thread_create_idle(i);
        if (!idle)
            panic("sched: no memory for hart %u's idle thread", i);
        harts[i].idle = idle;
        int err = arch_start_hart(i);
        if (err)
            pr_err("hart %u (hartid %lu) cannot be started: error %d", i, harts[i].hartid, err);
        else
            asked_mask |= 1ull << i;
    }
    sched_start_loadavg();
}

void smp_wait_for_harts(void) {
    ktime_t until = clock_monotonic() + COME_WITHIN;
    (void)wait_event_common_(&coming, sched_online_mask() == asked_mask, THREAD_UNINTERRUPTIBLE, false,
                             until);
    for (uint64_t away = asked_mask & ~sched_online_mask(); away; away &= away - 1)
        pr_warn("hart %d was started and has not come", __builtin_ctzll(away));
}

void hart_main(void) {
    struct hart *hart = this_hart();
    struct run_queue *rq = run_queue_of(hart);
    irq_start_hart();
    current->last_account = rdtime();
    rq->running = current;
    __atomic_store_n(&hart->online, true, __ATOMIC_RELEASE);
    __atomic_fetch_or(&online_mask, 1ull << hart->id, __ATOMIC_SEQ_CST);
    wake_all(&coming);
    sched_idle_loop();
}

// Interrupts stay disabled from the look at the queue to the wait, which a pending interrupt ends at once: a
// thread queued in between is not missed.
void sched_idle_loop(void) {
    for (;;) {
        schedule(); // also looks whether another hart has too much
        irq_disable();
        struct hart *hart = this_hart();
        if (!READ_ONCE(run_queue_of(hart)->queued)) {
            if (hart_count > 1)
                sched_mark_idle(hart);
            cpu_wait_for_interrupt();
        }
        irq_enable();
    }
}
