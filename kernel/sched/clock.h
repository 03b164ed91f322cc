// SPDX-License-Identifier: MIT
// Clocks and timers. All times are ktime_t nanoseconds.
#pragma once
#include "core/spinlock.h"
#include "lib/tree.h"

struct wait_queue;

#define KTIME_NEVER   INT64_MAX
#define NSEC_PER_SEC  1000000000L
#define NSEC_PER_USEC 1000L

// Monotonic time is (rdtime - clock_boot_ticks) * clock_mult / 2^32: the vDSO computes the same.
extern uint64_t clock_mult;       // [I] after clock_init(): ns of a tick, 32.32 fixed point
extern uint64_t clock_boot_ticks; // [I] rdtime at clock_init()

static inline ktime_t clock_ticks_to_ns(uint64_t ticks) {
    return (ktime_t)(((unsigned __int128)ticks * clock_mult) >> 32);
}
uint64_t clock_ns_to_ticks(ktime_t ns); // rounded up; ~0 where it does not fit

// Since boot; also CLOCK_BOOTTIME, as there is no suspend. 0 before clock_init().
static inline ktime_t clock_monotonic(void) {
    return clock_ticks_to_ns(rdtime() - clock_boot_ticks);
}
// Since 1970; starts there, until a driver that finds an RTC calls clock_set_realtime(). It passes as monotonic time does, but
// while it is being adjusted (sched/discipline.h).
ktime_t clock_realtime(void);
// Timers on the realtime clock follow. Any context.
void clock_set_realtime(ktime_t now);
// By how much: what was adjusted before stays as it is.
void clock_step_realtime(ktime_t delta);
// How far realtime is ahead of monotonic.
ktime_t clock_realtime_offset(void);
// Realtime passes faster from now on by `rate` ns in 2^32 seconds. Timers on it follow. Any context.
void clock_set_realtime_rate(int64_t rate);
// When, on the monotonic clock, realtime will be `when`: never too late, and a little too early where it has another rate.
ktime_t clock_realtime_to_monotonic(ktime_t when);
// Woken each time the realtime clock was set.
extern struct wait_queue clock_was_set;

// A one-shot timer. The callback runs in interrupt context on the hart that armed it, interrupts disabled; it
// may re-arm the timer and wake threads, not sleep. Arming and cancelling one timer is serialised by its
// user.
struct timer {
    RB_ENTRY(timer) node;
    ktime_t expires;      // monotonic
    ktime_t real_expires; // what was asked for, if `realtime`
    void (*callback)(struct timer *timer);
    struct hart *hart; // [a] whose queue holds it; NULL: not armed
    bool running;      // [a] callback runs now
    bool realtime;     // on the realtime clock: moves when that is set
};
void timer_init(struct timer *t, void (*callback)(struct timer *));
void timer_arm(struct timer *t, ktime_t expires);          // monotonic; re-arms if armed
void timer_arm_realtime(struct timer *t, ktime_t expires); // realtime
// Disarms it and waits for a running callback to end, so no lock that the callback takes may be held. True if
// it was armed. Not from its own callback. Afterwards the timer's memory may go.
bool timer_cancel(struct timer *t);
// The same without waiting: also from its own callback, or with locks that it takes.
bool timer_try_cancel(struct timer *t);
static inline bool timer_is_armed(const struct timer *t) {
    return READ_ONCE(t->hart) != NULL;
}

// What setitimer, timer_settime and timerfd_settime take and give, in ns.
struct timer_value {
    ktime_t value;    // until (or, absolute: at which) it fires; 0: disarmed
    ktime_t interval; // 0: once
};

// Interruptible sleeps until a deadline of the clock. 0 or -EINTR by a signal.
int __must_check sleep_until(ktime_t deadline);
int __must_check sleep_until_realtime(ktime_t deadline);

// The boot hart, with the time base known (panics if it is not).
void clock_init(void);
// The vDSO's data page, which user space maps read-only (physical address).
paddr_t clock_vdso_data(void);
// For what else is in it: to be filled in at boot.
struct vdso_data *clock_vdso_page(void);
