// SPDX-License-Identifier: MIT
// timerfd_create(2). A read gives how often the timer has expired since the last one and waits while that is 0.
//
// The callback only counts the first expiry. A periodic timer that nobody reads therefore costs nothing: the
// expiries since then are counted, and it is armed again, by whoever looks next (catch_up()). It may fire before
// that function returns, so a reader takes the ticks first: whoever finds none has a timer that is armed, or
// whose callback is about to count one.
#include "fs/event/timerfd.h"
#include "core/panic.h"
#include "fs/event/poll.h"
#include "lib/format.h"
#include "mm/slab.h"
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>

struct timerfd {
    struct mutex lock; // taken by whoever sets or reads the timer; not by its callback
    struct timer timer;
    ktime_t expires;  // [lock] the last or next expiry, on its own clock or, `relative`, the monotonic one
    ktime_t interval; // [lock] 0: once
    uint64_t ticks;   // [a] expiries not read yet
    bool expired;     // [a] it fired and is not armed again
    unsigned int canceled;  // [a] the realtime clock was set
    int clock;              // [I] as it was asked for
    bool realtime;          // [I]
    bool relative;          // [lock] the realtime clock's changes do not matter
    unsigned int set_flags; // [lock] of the last timerfd_set(), for people
    bool watching;          // [lock] `clock_set` is on its queue
    struct wait_entry clock_set;
    struct wait_queue wait;
};

static void timerfd_fired(struct timer *timer) {
    struct timerfd *t = container_of(timer, struct timerfd, timer);
    WRITE_ONCE(t->expired, true);
    __atomic_fetch_add(&t->ticks, 1, __ATOMIC_RELEASE);
    wake_poll(&t->wait, POLLIN | POLLRDNORM);
}

static bool clock_was_set_wake(struct wait_entry *entry, unsigned int events) {
    struct timerfd *t = container_of(entry, struct timerfd, clock_set);
    (void)events;
    WRITE_ONCE(t->canceled, 1);
    wake_poll(&t->wait, POLLIN | POLLRDNORM);
    return true;
}

static ktime_t timerfd_now(const struct timerfd *t) {
    return t->realtime && !t->relative ? clock_realtime() : clock_monotonic();
}

static void timerfd_arm(struct timerfd *t) {
    timer_cancel(&t->timer); // the callback may still be about to end
    WRITE_ONCE(t->expired, false);
    if (t->realtime && !t->relative)
        timer_arm_realtime(&t->timer, t->expires);
    else
        timer_arm(&t->timer, t->expires);
}

// How often it has expired since the expiry that fired; arms the timer for the next.
static uint64_t catch_up(struct timerfd *t) {
    ASSERT_HELD(&t->lock);
    if (!READ_ONCE(t->expired) || !t->interval)
        return 0;
    ktime_t behind = timerfd_now(t) - t->expires;
    uint64_t more = behind > 0 ? (uint64_t)behind / t->interval : 0;
    if (__builtin_add_overflow(t->expires, (more + 1) * t->interval, &t->expires))
        t->expires = KTIME_NEVER;
    timerfd_arm(t);
    return more;
}

static bool timerfd_ready(const struct timerfd *t) {
    return READ_ONCE(t->ticks) || READ_ONCE(t->canceled);
}

// The ticks, all of them taken; 0: none. *canceled: the clock was set, and they say nothing.
static uint64_t take_ticks(struct timerfd *t, bool *canceled) {
    mutex_lock(&t->lock);
    uint64_t ticks = __atomic_exchange_n(&t->ticks, 0, __ATOMIC_ACQUIRE);
    if (ticks)
        ticks += catch_up(t);
    *canceled = __atomic_exchange_n(&t->canceled, 0, __ATOMIC_ACQUIRE);
    mutex_unlock(&t->lock);
    return ticks;
}

static ssize_t timerfd_read(struct file *f, struct uio *u, off_t *pos) {
    struct timerfd *t = f->private_data;
    uint64_t ticks;
    bool canceled;
    (void)pos;
    if (u->resid < sizeof(ticks))
        return -EINVAL;
    while (!(ticks = take_ticks(t, &canceled)) && !canceled) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = wait_event_interruptible(&t->wait, timerfd_ready(t));
        if (err)
            return err;
    }
    if (canceled)
        return -ECANCELED;
    return uio_write_to(u, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks) : -EFAULT;
}

static unsigned int timerfd_poll(struct file *f, struct poll_table *table) {
    struct timerfd *t = f->private_data;
    poll_wait(f, &t->wait, table);
    return timerfd_ready(t) ? POLLIN | POLLRDNORM : 0;
}

// What there is without a look at the clock that would arm it again.
static size_t timerfd_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    struct timerfd *t = f->private_data;
    if ((*at)++)
        return 0;
    mutex_lock(&t->lock);
    ktime_t left = timer_is_armed(&t->timer) ? MAX(t->expires - timerfd_now(t), 1) : 0;
    int len = lib_snprintf(
        line, n,
        "clockid: %d\nticks: %lu\nsettime flags: 0%o\nit_value: (%lu, %lu)\nit_interval: (%lu, %lu)\n",
        t->clock, (unsigned long)READ_ONCE(t->ticks), t->set_flags, (unsigned long)(left / NSEC_PER_SEC),
        (unsigned long)(left % NSEC_PER_SEC), (unsigned long)(t->interval / NSEC_PER_SEC),
        (unsigned long)(t->interval % NSEC_PER_SEC));
    mutex_unlock(&t->lock);
    return (size_t)len;
}

static void watch_clock(struct timerfd *t, bool watch) {
    if (t->watching == watch)
        return;
    t->watching = watch;
    if (watch)
        wait_add(&clock_was_set, &t->clock_set);
    else
        wait_remove(&clock_was_set, &t->clock_set);
}

static void timerfd_release(struct file *f) {
    struct timerfd *t = f->private_data;
    watch_clock(t, false);
    timer_cancel(&t->timer);
    kfree(t);
}

static const struct file_ops timerfd_ops = {
    .read = timerfd_read, .poll = timerfd_poll, .describe = timerfd_describe, .release = timerfd_release};

struct file *timerfd_create(int clock, int flags) {
    struct timerfd *t = kzalloc(sizeof(*t));
    if (!t)
        return ERR_PTR(-ENOMEM);
    mutex_init(&t->lock);
    timer_init(&t->timer, timerfd_fired);
    t->clock = clock;
    t->realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
    t->clock_set.wake = clock_was_set_wake;
    wait_queue_init(&t->wait);
    struct file *f = file_create_anon("[timerfd]", &timerfd_ops, t, O_RDWR | flags);
    if (IS_ERR(f))
        kfree(t);
    return f;
}

bool timerfd_is(const struct file *f) {
    return f->ops == &timerfd_ops;
}

static void get_value(struct timerfd *t, struct timer_value *value) {
    __atomic_fetch_add(&t->ticks, catch_up(t), __ATOMIC_RELAXED);
    value->interval = t->interval;
    value->value = timer_is_armed(&t->timer) ? MAX(t->expires - timerfd_now(t), 1) : 0;
}

void timerfd_get(struct file *f, struct timer_value *value) {
    struct timerfd *t = f->private_data;
    mutex_lock(&t->lock);
    get_value(t, value);
    mutex_unlock(&t->lock);
}

int timerfd_set(struct file *f, const struct timer_value *new, bool absolute, bool cancel_on_set,
                struct timer_value *old) {
    struct timerfd *t = f->private_data;
    mutex_lock(&t->lock);
    get_value(t, old);
    timer_cancel(&t->timer);
    watch_clock(t, false);
    WRITE_ONCE(t->ticks, 0);
    bool canceled = __atomic_exchange_n(&t->canceled, 0, __ATOMIC_ACQUIRE);
    WRITE_ONCE(t->expired, false);
    t->interval = new->interval;
    t->relative = !absolute;
    t->set_flags = (absolute ? TFD_TIMER_ABSTIME : 0) | (cancel_on_set ? TFD_TIMER_CANCEL_ON_SET : 0);
    watch_clock(t, absolute && t->realtime && cancel_on_set);
    if (new->value) {
        t->expires = new->value;
        if (!absolute && __builtin_add_overflow(clock_monotonic(), new->value, &t->expires))
            t->expires = KTIME_NEVER;
        timerfd_arm(t);
    }
    canceled &= t->watching && new->value;
    mutex_unlock(&t->lock);
    return canceled ? -ECANCELED : 0;
}
