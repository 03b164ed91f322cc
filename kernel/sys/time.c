// SPDX-License-Identifier: MIT
// Clocks, sleeps and timers: arguments. The clocks are in sched/clock.c, timers with signals in
// proc/posix_timer.c.
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "fs/event/timerfd.h"
#include "fs/fdtable.h"
#include "proc/posix_timer.h"
#include "proc/process.h"
#include "proc/usage.h"
#include "sched/clock.h"
#include "sched/discipline.h"
#include "sys/timespec.h"
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

#define USER_HZ 100 // of times(2)
// The realtime clock is set to less than this, so that it has 30 years until its numbers end.
#define SETTIME_LIMIT ((KTIME_NEVER / NSEC_PER_SEC - 30l * 365 * 24 * 3600) * NSEC_PER_SEC)

static struct timezone system_timezone; // kept for programs; the kernel's time is UTC

// ---- clocks

static int clock_read(int clock, ktime_t *now) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *now = clock_realtime();
        return 0;
    case CLOCK_TAI:
        *now = clock_realtime() + discipline_tai() * NSEC_PER_SEC;
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *now = clock_monotonic();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        return cpu_clock_get(clock, now);
    default:
        return clock < 0 ? cpu_clock_get(clock, now) : -EINVAL;
    }
}

long sys_clock_gettime(int clock, void __user *ts) {
    ktime_t now;
    int err = clock_read(clock, &now);
    return err ? err : timespec_write(ts, now);
}

long sys_clock_getres(int clock, void __user *ts) {
    ktime_t now;
    int err = clock_read(clock, &now);
    return err || !ts ? err : timespec_write(ts, 1);
}

// May the current thread set the realtime clock to t? 0, -EINVAL, -EPERM.
static int check_new_time(ktime_t t) {
    if (t >= SETTIME_LIMIT)
        return -EINVAL;
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    return t < clock_monotonic() ? -EINVAL : 0; // the time of the boot would be before 1970
}

long sys_clock_settime(int clock, const void __user *ts) {
    ktime_t t;
    if (clock < 0) // processor time: not even root may
        return clock_read(clock, &t) ? -EINVAL : -EPERM;
    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    int err = timespec_read(ts, &t);
    if (!err)
        err = check_new_time(t);
    if (!err)
        clock_set_realtime(t);
    return err;
}

static struct __kernel_old_timeval ktime_to_timeval(ktime_t t) {
    struct __kernel_timespec ts = ktime_to_timespec(t);
    return (struct __kernel_old_timeval){ts.tv_sec, ts.tv_nsec / NSEC_PER_USEC};
}

static int timeval_to_ktime(const struct __kernel_old_timeval *tv, ktime_t *t) {
    if ((unsigned long)tv->tv_usec >= NSEC_PER_SEC / NSEC_PER_USEC)
        return -EINVAL;
    struct __kernel_timespec ts = {tv->tv_sec, tv->tv_usec * NSEC_PER_USEC};
    return timespec_to_ktime(&ts, t);
}

long sys_gettimeofday(void __user *tv, void __user *tz) {
    if (tv) {
        struct __kernel_old_timeval now = ktime_to_timeval(clock_realtime());
        int err = put_object(tv, now);
        if (err)
            return err;
    }
    return tz ? put_object(tz, system_timezone) : 0;
}

long sys_settimeofday(const void __user *tv, const void __user *tz) {
    struct __kernel_old_timeval now;
    struct timezone zone;
    ktime_t t = 0;
    int err = tv ? copy_from_user(&now, tv, sizeof(now)) : 0;
    if (!err && tv)
        err = timeval_to_ktime(&now, &t);
    if (!err && tz)
        err = copy_from_user(&zone, tz, sizeof(zone));
    if (!err)
        err = check_new_time(tv ? t : clock_realtime());
    if (err)
        return err;
    if (tz && (zone.tz_minuteswest > 15 * 60 || zone.tz_minuteswest < -15 * 60))
        return -EINVAL;
    if (tz)
        system_timezone = zone;
    if (tv)
        clock_set_realtime(t);
    return 0;
}

// ---- adjtimex(2)

#define ADJTIME          0x8000u // the bits of ADJ_OFFSET_SINGLESHOT, which goes alone, and of ADJ_OFFSET_SS_READ
#define ADJTIME_READONLY 0x2000u

static int check_step(const struct __kernel_timex *tx) {
    long long below = tx->modes & ADJ_NANO ? NSEC_PER_SEC : NSEC_PER_SEC / NSEC_PER_USEC;
    return tx->time.tv_usec < 0 || tx->time.tv_usec >= below ? -EINVAL : 0;
}

static int check_adjustment(const struct __kernel_timex *tx) {
    const long long ppm_scale = (NSEC_PER_SEC / 1000000) << 16; // Linux's own unit
    bool may = capable(CAP_SYS_TIME);
    if (tx->modes & ADJTIME) {
        if (!(tx->modes & ADJ_OFFSET))
            return -EINVAL;
        if (!(tx->modes & ADJTIME_READONLY) && !may)
            return -EPERM;
    } else {
        if (tx->modes && !may)
            return -EPERM;
        if (tx->modes & ADJ_TICK && (tx->tick < 9000 || tx->tick > 11000))
            return -EINVAL;
        if (tx->modes & ADJ_STATUS && tx->status & (STA_INS | STA_DEL))
            return -EOPNOTSUPP;
    }
    if (tx->modes & ADJ_SETOFFSET && !may)
        return -EPERM;
    if (tx->modes & ADJ_FREQUENCY && (tx->freq < INT64_MIN / ppm_scale || tx->freq > INT64_MAX / ppm_scale))
        return -EINVAL;
    return tx->modes & ADJ_SETOFFSET ? check_step(tx) : 0;
}

static int step_clock(const struct __kernel_timex *tx) {
    struct __kernel_timespec ts = {0, tx->time.tv_usec * (tx->modes & ADJ_NANO ? 1 : NSEC_PER_USEC)};
    ktime_t delta, now;
    if (tx->time.tv_sec >= SETTIME_LIMIT / NSEC_PER_SEC || tx->time.tv_sec <= -SETTIME_LIMIT / NSEC_PER_SEC)
        return -EINVAL;
    delta = tx->time.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
    if (__builtin_add_overflow(clock_realtime(), delta, &now))
        return -EINVAL;
    int err = check_new_time(now);
    if (!err)
        clock_step_realtime(delta);
    return err;
}

static long adjust(struct __kernel_timex *tx) {
    int err = check_adjustment(tx);
    if (!err && tx->modes & ADJ_SETOFFSET)
        err = step_clock(tx);
    return err ? err : discipline_adjust(tx);
}

long sys_adjtimex(void __user *user) {
    struct __kernel_timex tx;
    int err = copy_from_user(&tx, user, sizeof(tx));
    if (err)
        return err;
    long result = adjust(&tx);
    err = put_object(user, tx);
    return err ? err : result;
}

long sys_clock_adjtime(int clock, void __user *user) {
    struct __kernel_timex tx;
    ktime_t now;
    int err = clock_read(clock, &now);
    if (!err && clock != CLOCK_REALTIME)
        err = -EOPNOTSUPP;
    if (!err)
        err = copy_from_user(&tx, user, sizeof(tx));
    if (err)
        return err;
    long result = adjust(&tx);
    if (result >= 0)
        err = put_object(user, tx);
    return err ? err : result;
}

static __kernel_clock_t to_user_hz(ktime_t t) {
    return t / (NSEC_PER_SEC / USER_HZ);
}

long sys_times(void __user *buf) {
    if (buf) {
        ktime_t user, system;
        struct process *p = current->process;
        process_cpu_time(p, &user, &system);
        struct tms tms = {
            .tms_utime = to_user_hz(user),
            .tms_stime = to_user_hz(system),
            .tms_cutime = to_user_hz(READ_ONCE(p->child_user)),
            .tms_cstime = to_user_hz(READ_ONCE(p->child_system)),
        };
        int err = put_object(buf, tms);
        if (err)
            return err;
    }
    return to_user_hz(clock_monotonic());
}

// ---- sleeping

static long sleep_restart(struct restart_block *r);

// A relative sleep is a sleep until a time of the monotonic clock, whatever its own clock, since setting the
// clock must not change it (clock_nanosleep(2)).
static long sleep_relative(ktime_t deadline, void __user *remain) {
    int err = sleep_until(deadline);
    if (err != -EINTR)
        return err;
    ktime_t left = deadline - clock_monotonic();
    if (left <= 0)
        return 0;
    if (remain && (err = timespec_write(remain, left)))
        return err;
    current->restart = (struct restart_block){sleep_restart, {deadline, (unsigned long)remain}};
    return -ERESTART_RESTARTBLOCK;
}

static long sleep_restart(struct restart_block *r) {
    r->fn = restart_nothing;
    return sleep_relative(r->args[0], (void __user *)r->args[1]);
}

// CPU time passes as fast as all harts together run, at most: until `deadline` of the clock can have come there is
// time to sleep. Then it is looked at again, not more often than the clock of a running thread is sampled.
static int sleep_until_cpu_time(int clock, ktime_t deadline) {
    for (;;) {
        ktime_t now;
        int err = cpu_clock_get(clock, &now);
        if (err || now >= deadline)
            return err;
        ktime_t least = (deadline - now) / hart_count;
        err = sleep_until(ktime_add(clock_monotonic(), MAX(least, (ktime_t)SAMPLE_NS)));
        if (err)
            return err;
    }
}

static long cpu_sleep_restart(struct restart_block *r);

static long cpu_sleep_relative(int clock, ktime_t deadline, void __user *remain) {
    ktime_t now;
    int err = sleep_until_cpu_time(clock, deadline);
    if (err == -EINTR && !cpu_clock_get(clock, &now)) {
        if (now >= deadline)
            return 0;
        if (remain && (err = timespec_write(remain, deadline - now)))
            return err;
        current->restart =
            (struct restart_block){cpu_sleep_restart, {deadline, (unsigned long)remain, (unsigned int)clock}};
        return -ERESTART_RESTARTBLOCK;
    }
    return err;
}

static long cpu_sleep_restart(struct restart_block *r) {
    r->fn = restart_nothing;
    return cpu_sleep_relative((int)r->args[2], r->args[0], (void __user *)r->args[1]);
}

// The own time does not pass while a thread sleeps.
static long cpu_clock_sleep(int clock, bool absolute, ktime_t t, void __user *remain) {
    ktime_t now;
    int err = cpu_clock_get(clock, &now);
    if (err || cpu_clock_is_own_thread(clock))
        return err ? err : -EINVAL;
    if (!absolute)
        return cpu_sleep_relative(clock, ktime_add(now, t), remain);
    err = sleep_until_cpu_time(clock, t);
    return err == -EINTR ? -ERESTARTNOHAND : err;
}

// Which clocks one can sleep by: 0, -EOPNOTSUPP (a clock, but not one of these), -EINVAL.
static int check_sleep_clock(int clock) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_TAI:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_PROCESS_CPUTIME_ID:
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
        return -EOPNOTSUPP;
    }
    return clock < 0 ? 0 : -EINVAL;
}

long sys_clock_nanosleep(int clock, int flags, const void __user *request, void __user *remain) {
    ktime_t t;
    bool realtime = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
    int err = check_sleep_clock(clock);
    if (!err)
        err = timespec_read(request, &t);
    if (err)
        return err;
    if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID)
        return cpu_clock_sleep(clock, flags & TIMER_ABSTIME, t, remain);
    if (!(flags & TIMER_ABSTIME))
        return sleep_relative(ktime_add(clock_monotonic(), t), remain);
    if (clock == CLOCK_TAI)
        t = t - discipline_tai() * NSEC_PER_SEC;
    err = realtime ? sleep_until_realtime(t) : sleep_until(t);
    return err == -EINTR ? -ERESTARTNOHAND : err;
}

long sys_nanosleep(const void __user *request, void __user *remain) {
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, remain);
}

// ---- interval timers

static int put_itimer(void __user *user, const struct timer_value *v) {
    struct __kernel_old_itimerval it = {ktime_to_timeval(v->interval), ktime_to_timeval(v->value)};
    if (v->value > 0 && v->value < NSEC_PER_USEC)
        it.it_value.tv_usec = 1; // 0 would say that it is not armed
    return put_object(user, it);
}

static bool itimer_exists(int which) {
    return which == ITIMER_REAL || which == ITIMER_VIRTUAL || which == ITIMER_PROF;
}

long sys_getitimer(int which, void __user *value) {
    struct timer_value v;
    if (!itimer_exists(which))
        return -EINVAL;
    itimer_get(which, &v);
    return put_itimer(value, &v);
}

long sys_setitimer(int which, const void __user *value, void __user *old) {
    struct timer_value new = {0, 0}, was; // no value: disarms, as in Linux
    if (value) {
        struct __kernel_old_itimerval it;
        int err = copy_from_user(&it, value, sizeof(it));
        if (!err)
            err = timeval_to_ktime(&it.it_value, &new.value);
        if (!err)
            err = timeval_to_ktime(&it.it_interval, &new.interval);
        if (err)
            return err;
    }
    if (!itimer_exists(which))
        return -EINVAL;
    int err = itimer_set(which, &new, &was);
    return err || !old ? err : put_itimer(old, &was);
}

// ---- POSIX timers

static int get_event(const void __user *user, struct timer_event *event) {
    struct sigevent se;
    if (!user) {
        *event = (struct timer_event){SIGEV_SIGNAL, SIGALRM, 0, 0, true};
        return 0;
    }
    int err = copy_from_user(&se, user, sizeof(se));
    if (err)
        return err;
    *event = (struct timer_event){
        .notify = se.sigev_notify == SIGEV_THREAD ? SIGEV_SIGNAL : se.sigev_notify, // libc makes the thread
        .sig = se.sigev_signo,
        .tid = se._sigev_un._tid,
        .value = (unsigned long)se.sigev_value.sival_ptr,
    };
    return 0;
}

long sys_timer_create(int clock, const void __user *event, int __user *id) {
    struct timer_event e;
    int err = get_event(event, &e);
    if (err)
        return err;
    int new_id = posix_timer_create(clock, &e);
    if (new_id < 0)
        return new_id;
    err = put_user(new_id, id);
    if (err)
        (void)!posix_timer_delete(new_id);
    return err;
}

static int put_timer_value(void __user *user, const struct timer_value *v) {
    struct __kernel_itimerspec its = {ktime_to_timespec(v->interval), ktime_to_timespec(v->value)};
    return put_object(user, its);
}

static int get_timer_value(const void __user *user, struct timer_value *v) {
    struct __kernel_itimerspec its;
    int err = copy_from_user(&its, user, sizeof(its));
    if (!err)
        err = timespec_to_ktime(&its.it_value, &v->value);
    return err ? err : timespec_to_ktime(&its.it_interval, &v->interval);
}

long sys_timer_settime(int id, int flags, const void __user *value, void __user *old) {
    struct timer_value new, was;
    if (!value)
        return -EINVAL;
    int err = get_timer_value(value, &new);
    if (!err)
        err = posix_timer_set(id, flags & TIMER_ABSTIME, &new, &was);
    return err || !old ? err : put_timer_value(old, &was);
}

long sys_timer_gettime(int id, void __user *value) {
    struct timer_value v;
    int err = posix_timer_get(id, &v);
    return err ? err : put_timer_value(value, &v);
}

long sys_timer_getoverrun(int id) {
    return posix_timer_overrun(id);
}

long sys_timer_delete(int id) {
    return posix_timer_delete(id);
}

// ---- timers that are files

long sys_timerfd_create(int clock, int flags) {
    bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
    bool realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
    if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK) ||
        !(realtime || alarm || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME))
        return -EINVAL;
    if (alarm && !capable(CAP_WAKE_ALARM))
        return -EPERM;
    struct file *f = timerfd_create(clock, flags & TFD_NONBLOCK);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, flags & TFD_CLOEXEC);
}

// The file, referenced; ERR_PTR(-EBADF, -EINVAL).
static struct file *get_timerfd(int fd) {
    struct file *f = fd_get_io(fd);
    if (!f || timerfd_is(f))
        return f ? f : ERR_PTR(-EBADF);
    file_put(f);
    return ERR_PTR(-EINVAL);
}

long sys_timerfd_settime(int fd, int flags, const void __user *value, void __user *old) {
    struct timer_value new, was;
    int err = get_timer_value(value, &new);
    if (!err && flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
        err = -EINVAL;
    struct file *f = err ? ERR_PTR(err) : get_timerfd(fd);
    if (IS_ERR(f))
        return PTR_ERR(f);
    err = timerfd_set(f, &new, flags & TFD_TIMER_ABSTIME, flags & TFD_TIMER_CANCEL_ON_SET, &was);
    file_put(f);
    return err || !old ? err : put_timer_value(old, &was);
}

long sys_timerfd_gettime(int fd, void __user *value) {
    struct timer_value v;
    struct file *f = get_timerfd(fd);
    if (IS_ERR(f))
        return PTR_ERR(f);
    timerfd_get(f, &v);
    file_put(f);
    return put_timer_value(value, &v);
}
