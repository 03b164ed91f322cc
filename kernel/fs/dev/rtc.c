// SPDX-License-Identifier: MIT
// /dev/rtc0: the clock that goes on while the machine is off, read and set: rtc(4). It has no alarm that programs can set.
#include "drivers/rtc.h"
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "fs/dev/chrdev.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include <linux/capability.h>
#include <linux/rtc.h>

#define RTC_MAJOR  253
#define DAY        86400
#define FIRST_YEAR 1970
#define LAST_YEAR  2261 // ns since 1970 end in 2262

static struct mutex rtc_mutex = MUTEX_INIT(rtc_mutex); // its registers, which are two halves
static unsigned int opened;                            // [a] by one at a time

static bool is_leap(int year) {
    return year % 4 == 0 && (year % 100 || year % 400 == 0);
}

static int days_of_month(int year, int month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 1 && is_leap(year));
}

static int days_of_year(int year) {
    return is_leap(year) ? 366 : 365;
}

static struct rtc_time calendar_of(int64_t seconds) {
    int days = (int)(seconds / DAY), rest = (int)(seconds % DAY), year = FIRST_YEAR, month = 0;
    struct rtc_time t = {.tm_wday = (days + 4) % 7}; // 1970 began with a Thursday
    for (; days >= days_of_year(year); year++)
        days -= days_of_year(year);
    t.tm_yday = days;
    for (; days >= days_of_month(year, month); month++)
        days -= days_of_month(year, month);
    t.tm_year = year - 1900;
    t.tm_mon = month;
    t.tm_mday = days + 1;
    t.tm_hour = rest / 3600;
    t.tm_min = rest / 60 % 60;
    t.tm_sec = rest % 60;
    return t;
}

// -EINVAL: there is no such time, or the clock cannot hold it.
static int64_t seconds_of(const struct rtc_time *t) {
    int64_t days = t->tm_mday - 1;
    int year = t->tm_year;
    if (year < FIRST_YEAR - 1900 || year > LAST_YEAR - 1900 || t->tm_mon < 0 || t->tm_mon > 11 ||
        t->tm_mday < 1 || t->tm_mday > days_of_month(year + 1900, t->tm_mon) || t->tm_hour < 0 ||
        t->tm_hour > 23 || t->tm_min < 0 || t->tm_min > 59 || t->tm_sec < 0 || t->tm_sec > 59)
        return -EINVAL;
    for (int y = FIRST_YEAR; y < year + 1900; y++)
        days += days_of_year(y);
    for (int m = 0; m < t->tm_mon; m++)
        days += days_of_month(year + 1900, m);
    return days * DAY + t->tm_hour * 3600 + t->tm_min * 60 + t->tm_sec;
}

static long read_time(struct rtc_time __user *user) {
    mutex_lock(&rtc_mutex);
    int64_t ns = rtc_read_ns();
    mutex_unlock(&rtc_mutex);
    struct rtc_time t = calendar_of(ns / NSEC_PER_SEC);
    return put_object(user, t);
}

static long set_time(const struct rtc_time __user *user) {
    struct rtc_time t;
    if (!capable(CAP_SYS_TIME))
        return -EACCES;
    int err = copy_from_user(&t, user, sizeof(t));
    int64_t seconds = err ? err : seconds_of(&t);
    if (seconds < 0)
        return seconds;
    mutex_lock(&rtc_mutex);
    rtc_set_ns(seconds * NSEC_PER_SEC);
    mutex_unlock(&rtc_mutex);
    return 0;
}

static long rtc_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    (void)f;
    switch (cmd) {
    case RTC_RD_TIME:
        return read_time((struct rtc_time __user *)arg);
    case RTC_SET_TIME:
        return set_time((const struct rtc_time __user *)arg);
    default:
        return -ENOTTY;
    }
}

static void rtc_release(struct file *f) {
    (void)f;
    __atomic_store_n(&opened, 0u, __ATOMIC_RELEASE);
}

static const struct file_ops no_ops;
static const struct file_ops ops = {.ioctl = rtc_ioctl, .release = rtc_release};

static int rtc_open(struct chrdev *c, struct file *f) {
    (void)c;
    if (__atomic_exchange_n(&opened, 1u, __ATOMIC_ACQUIRE))
        return -EBUSY;
    f->ops = &ops;
    return 0;
}

void rtc_init(void) {
    static struct chrdev device = {.dev = MKDEV(RTC_MAJOR, 0),
                                   .name = "rtc0",
                                   .driver = "rtc",
                                   .mode = 0600,
                                   .open = rtc_open,
                                   .ops = &no_ops};
    (void)rtc_read_ns();
    if (rtc_is_there())
        chrdev_register(&device);
}
