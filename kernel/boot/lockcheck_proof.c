// SPDX-License-Identifier: MIT
// Wrong things with locks, each of which must be the kernel's end.
#include "boot/lockcheck_proof.h"

#ifdef CONFIG_DEBUG
#include "core/cmdline.h"
#include "core/printk.h"
#include "lib/string.h"
#include "sched/wait.h"

static struct mutex outer = MUTEX_INIT(outer), middle = MUTEX_INIT(middle), inner = MUTEX_INIT(inner);
static struct spinlock of_interrupts = SPINLOCK_INIT, of_threads = SPINLOCK_INIT;
static struct mutex of_one_class[2];
static struct wait_queue queue = WAIT_QUEUE_INIT(queue);

static void take_both(struct mutex *first, struct mutex *second) {
    mutex_lock(first);
    mutex_lock(second);
    mutex_unlock(second);
    mutex_unlock(first);
}

static void circle(void) {
    take_both(&outer, &middle);
    take_both(&middle, &inner);
    take_both(&inner, &outer);
}

static void no_rank(void) {
    take_both(&of_one_class[0], &of_one_class[1]);
}

static void child_first(void) {
    mutex_lock_nested(&of_one_class[1], LOCK_CHILD);
    mutex_lock(&of_one_class[0]);
}

static void higher_address_first(void) {
    mutex_lock(&of_one_class[1]);
    mutex_lock_nested(&of_one_class[0], LOCK_NEXT_ADDRESS);
}

// ---- interrupts

static bool interrupted;

static void in_interrupt(struct timer *t) {
    (void)t;
    spin_lock(&of_interrupts);
    spin_unlock(&of_interrupts);
    wake_all(&queue);
    WRITE_ONCE(interrupted, true);
}

static void interrupt(void) {
    static struct timer timer;
    timer_init(&timer, in_interrupt);
    timer_arm(&timer, clock_monotonic());
    while (!READ_ONCE(interrupted))
        cpu_relax();
}

static void interrupts_enabled(void) {
    interrupt();
    spin_lock(&of_interrupts);
}

static void interrupts_enabled_before(void) {
    spin_lock(&of_interrupts);
    spin_unlock(&of_interrupts);
    interrupt();
}

static void interrupts_enabled_for_queue(void) {
    interrupt();
    spin_lock(&queue.lock);
}

static void interrupts_enabled_inside(void) {
    interrupt();
    unsigned long flags = spin_lock_irqsave(&of_interrupts);
    irq_restore(flags);
    spin_unlock(&of_interrupts);
}

static void waits_for_threads(void) {
    interrupt();
    spin_lock(&of_threads);
    spin_unlock(&of_threads);
    unsigned long flags = spin_lock_irqsave(&of_interrupts);
    spin_lock(&of_threads);
    spin_unlock(&of_threads);
    spin_unlock_irqrestore(&of_interrupts, flags);
}

// ---- who holds what

static void twice(void) {
    spin_lock(&of_threads);
    spin_lock(&of_threads);
}

static void mutex_twice(void) {
    mutex_lock(&outer);
    mutex_lock(&outer);
}

static void sleeps(void) {
    spin_lock(&of_threads);
    schedule();
}

static void mutex_in_spinlock(void) {
    spin_lock(&of_threads);
    mutex_lock(&outer);
}

static void released(void) {
    spin_unlock(&of_threads);
}

static void mutex_released(void) {
    mutex_unlock(&outer);
}

static void let_another_hold(void *arg) {
    mutex_lock(&outer);
    WRITE_ONCE(*(bool *)arg, true);
    for (;;)
        schedule();
}

// Taken, but by somebody else.
static void not_held(void) {
    static bool taken;
    if (kthread_run("holder", let_another_hold, &taken))
        return;
    while (!READ_ONCE(taken))
        thread_yield();
    ASSERT_HELD(&outer);
}

static void returns_with_mutex(void) {
    mutex_lock(&outer);
    lock_check_none_held("returns to its program");
}

static const struct {
    const char *name;
    void (*do_it)(void);
} kinds[] = {
    {"circle", circle},
    {"no-rank", no_rank},
    {"child-first", child_first},
    {"higher-address-first", higher_address_first},
    {"interrupts-enabled", interrupts_enabled},
    {"interrupts-enabled-before", interrupts_enabled_before},
    {"interrupts-enabled-for-queue", interrupts_enabled_for_queue},
    {"interrupts-enabled-inside", interrupts_enabled_inside},
    {"waits-for-threads", waits_for_threads},
    {"twice", twice},
    {"mutex-twice", mutex_twice},
    {"sleeps", sleeps},
    {"mutex-in-spinlock", mutex_in_spinlock},
    {"released", released},
    {"mutex-released", mutex_released},
    {"not-held", not_held},
    {"returns-with-mutex", returns_with_mutex},
};

void lockcheck_prove(void) {
    const char *wanted = cmdline_get("lockcheck");
    for (int i = 0; i < 2; i++)
        mutex_init(&of_one_class[i]);
    for (size_t i = 0; wanted && i < ARRAY_SIZE(kinds); i++) {
        if (!strcmp(kinds[i].name, wanted)) {
            kinds[i].do_it();
            pr_err("lockcheck=%s: nothing was found", wanted);
        }
    }
}
#endif
