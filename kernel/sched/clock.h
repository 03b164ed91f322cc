// SPDX-License-Identifier: MIT
// Clocks and timers. All times are ktime_t nanoseconds.
#pragma once
#include "core/spinlock.h"
#include "lib/tree.h"

ktime_t clock_monotonic(void); // since boot; also CLOCK_BOOTTIME (there is no suspend)
ktime_t clock_realtime(void);  // since 1970; starts from the RTC the device tree names, else from the image's build time
void clock_set_realtime(ktime_t now);
ktime_t clock_ticks_to_ns(uint64_t ticks);
// Changes each time the realtime clock is set, for timers on it.
extern unsigned int clock_was_set_count;

// A one-shot timer on the monotonic clock. The callback runs in interrupt context on the hart that armed it, interrupts disabled; it may re-arm
// the timer (returns nothing) and wake threads, not sleep.
struct timer {
    RB_ENTRY(timer) node;
    ktime_t expires;
    void (*callback)(struct timer *timer);
    struct hart *hart; // whose queue holds it; NULL: not armed
    bool running;      // [a] callback runs now
};
void timer_init(struct timer *t, void (*callback)(struct timer *));
void timer_arm(struct timer *t, ktime_t expires); // re-arms if armed
// Disarms it and waits for a running callback to end. True if it was armed. Not from its own callback.
bool timer_cancel(struct timer *t);

// Sleeps. 0 or -ERESTARTSYS/-EINTR by a signal.
int __must_check sleep_until(ktime_t deadline);

void clock_init(void);
// The vDSO's data page, which user space maps read-only (physical address); written by clock_set_realtime() with a sequence count.
paddr_t clock_vdso_data(void);
