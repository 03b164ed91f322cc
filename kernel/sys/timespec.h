// SPDX-License-Identifier: MIT
// Times as programs give and take them: struct timespec and struct timeval with 64-bit fields, against
// ktime_t.
#pragma once
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "sched/clock.h"
#include <linux/time_types.h>

// Saturates at KTIME_NEVER.
static inline ktime_t ktime_add(ktime_t a, ktime_t b) {
    ktime_t sum;
    return __builtin_add_overflow(a, b, &sum) ? KTIME_NEVER : sum;
}
// ns of a valid, non-negative timespec; KTIME_NEVER where it does not fit. -EINVAL.
static inline int __must_check timespec_to_ktime(const struct __kernel_timespec *ts, ktime_t *t) {
    if (ts->tv_sec < 0 || (unsigned long)ts->tv_nsec >= (unsigned long)NSEC_PER_SEC)
        return -EINVAL;
    *t = ts->tv_sec >= KTIME_NEVER / NSEC_PER_SEC ? KTIME_NEVER : ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
    return 0;
}
static inline struct __kernel_timespec ktime_to_timespec(ktime_t t) {
    struct __kernel_timespec ts = {.tv_sec = t / NSEC_PER_SEC, .tv_nsec = t % NSEC_PER_SEC};
    if (ts.tv_nsec < 0) {
        ts.tv_nsec += NSEC_PER_SEC;
        ts.tv_sec--;
    }
    return ts;
}
// From and to user memory. -EFAULT, -EINVAL.
static inline int __must_check timespec_read(const void __user *user, ktime_t *t) {
    struct __kernel_timespec ts;
    int err = copy_from_user(&ts, user, sizeof(ts));
    return err ? err : timespec_to_ktime(&ts, t);
}
static inline int __must_check timespec_write(void __user *user, ktime_t t) {
    struct __kernel_timespec ts = ktime_to_timespec(t);
    return put_object(user, ts);
}
