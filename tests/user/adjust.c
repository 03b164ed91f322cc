// SPDX-License-Identifier: MIT
// adjtimex(2), clock_adjtime(2), adjtime(3): what is set is told, and the realtime clock goes as it says.
#include "test.h"
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

static int adjust(struct timex *t) {
    return (int)syscall(SYS_adjtimex, t);
}

static int set(unsigned int modes, struct timex *t) {
    t->modes = modes;
    return adjust(t);
}

// As it is at the start of the machine.
static void put_back(void) {
    struct timex t = {.tick = 10000, .constant = 2};
    CHECK(set(ADJ_TICK | ADJ_FREQUENCY | ADJ_STATUS | ADJ_MICRO | ADJ_TAI, &(struct timex){.tick = 10000}) >=
          0);
    t.modes = ADJ_OFFSET_SINGLESHOT;
    CHECK(adjust(&t) >= 0);
}

static int unprivileged(void *unused) {
    struct timex t = {0};
    (void)unused;
    CHECK(!setresuid(1000, 1000, 1000));
    CHECK(adjust(&t) >= 0);
    t.modes = ADJ_OFFSET_SS_READ;
    CHECK(adjust(&t) >= 0);
    for (unsigned int bit = 1; bit <= 0x4000; bit <<= 1) {
        t = (struct timex){.modes = bit & 0x71ff, .tick = 10000};
        if (t.modes)
            CHECK_ERRNO(adjust(&t), EPERM);
    }
    t = (struct timex){.modes = ADJ_OFFSET_SINGLESHOT, .offset = 1};
    CHECK_ERRNO(adjust(&t), EPERM);
    return 0;
}

TEST(everybody_reads_the_clocks_state_and_only_some_set_it) {
    struct timex t = {0};
    int state = adjust(&t);
    CHECK(state == TIME_ERROR && t.status & STA_UNSYNC && t.tick == 10000 && t.precision == 1);
    CHECK(t.tolerance == 500 << 16 && t.maxerror == 16000000 && t.esterror == 16000000);
    CHECK(test_wait_exit(test_fork(unprivileged, NULL)) == 0);
    CHECK_ERRNO(adjust((struct timex *)8), EFAULT);
    t.modes = 0;
    CHECK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t) == TIME_ERROR);
    CHECK_ERRNO(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &t), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_clock_adjtime, 99, &t), EINVAL);
}

TEST(what_is_set_is_told) {
    struct timex t = {
        .freq = 100 << 16, .maxerror = 1000, .esterror = 2000, .status = STA_PLL, .constant = 3};
    CHECK(set(ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS | ADJ_NANO, &t) == TIME_OK);
    CHECK(t.freq == 100 << 16 && t.maxerror >= 1000 && t.maxerror < 16000000 && t.esterror == 2000);
    CHECK(t.status == (STA_PLL | STA_NANO) && t.time.tv_usec < 1000000000);
    t.constant = 3;
    CHECK(set(ADJ_TIMECONST, &t) == TIME_OK && t.constant == 3);
    t.freq = 600 << 16;
    CHECK(set(ADJ_FREQUENCY, &t) == TIME_OK && t.freq == 500 << 16);
    t.freq = -(600 << 16);
    CHECK(set(ADJ_FREQUENCY, &t) == TIME_OK && t.freq == -(500 << 16));
    t.status = 0;
    CHECK(set(ADJ_STATUS, &t) == TIME_OK && t.status == 0);
    t.tick = 8999;
    CHECK_ERRNO(set(ADJ_TICK, &t), EINVAL);
    t.tick = 11001;
    CHECK_ERRNO(set(ADJ_TICK, &t), EINVAL);
    CHECK_ERRNO(set(ADJ_OFFSET_SINGLESHOT & ~ADJ_OFFSET, &t), EINVAL);
    put_back();
}

static int64_t ns(const struct timespec *t) {
    return t->tv_sec * 1000000000ll + t->tv_nsec;
}

// Both clocks, read so close to each other that it does not matter.
static void read_both(int64_t *raw, int64_t *real) {
    struct timespec a, b, c;
    do {
        clock_gettime(CLOCK_MONOTONIC_RAW, &a);
        clock_gettime(CLOCK_REALTIME, &b);
        clock_gettime(CLOCK_MONOTONIC_RAW, &c);
    } while (ns(&c) - ns(&a) > 500000);
    *raw = ns(&a);
    *real = ns(&b);
}

// How much realtime passes in 1000 of what the counter says, over a fifth of a second or more.
static int64_t rate(void) {
    int64_t raw[2], real[2];
    read_both(&raw[0], &real[0]);
    do
        read_both(&raw[1], &real[1]);
    while (raw[1] - raw[0] < 200000000);
    return (real[1] - real[0]) * 1000 / (raw[1] - raw[0]);
}

// The call and the vDSO say the same.
static int64_t disagreement(void) {
    struct timespec a, b, c;
    clock_gettime(CLOCK_REALTIME, &a);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &b);
    clock_gettime(CLOCK_REALTIME, &c);
    return ns(&b) < ns(&a) ? ns(&a) - ns(&b) : ns(&b) > ns(&c) ? ns(&b) - ns(&c) : 0;
}

TEST(a_longer_tick_makes_realtime_faster_and_a_shorter_one_slower) {
    struct timex t = {.tick = 11000};
    CHECK(set(ADJ_TICK, &t) >= 0 && t.tick == 11000);
    usleep(20000); // Linux begins with its next tick
    int64_t fast = rate();
    for (int i = 0; i < 1000; i++)
        CHECK(!disagreement());
    t.tick = 9000;
    CHECK(set(ADJ_TICK, &t) >= 0);
    usleep(20000);
    int64_t slow = rate();
    put_back();
    CHECK(fast >= 1085 && fast <= 1115 && slow >= 885 && slow <= 915);
}

TEST(a_sleep_until_a_time_ends_not_before_it_by_an_adjusted_clock) {
    struct timex t = {.tick = 9000};
    struct timespec until, now;
    CHECK(set(ADJ_TICK, &t) >= 0);
    for (int i = 0; i < 10; i++) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 7654321;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        CHECK(!clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL));
        clock_gettime(CLOCK_REALTIME, &now);
        CHECK(ns(&now) >= ns(&until));
    }
    put_back();
}

TEST(adjtime_takes_its_offset_away_half_a_millisecond_a_second) {
    struct timex t = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = 700};
    CHECK(adjust(&t) >= 0 && t.offset == 0);
    do {
        usleep(10000);
        t.modes = ADJ_OFFSET_SS_READ;
        CHECK(adjust(&t) >= 0);
    } while (t.offset == 700);
    CHECK(t.offset == 200);
    t = (struct timex){.modes = ADJ_OFFSET_SINGLESHOT};
    CHECK(adjust(&t) >= 0 && t.offset >= 0 && t.offset <= 200);
}

TEST(an_offset_is_added_at_once) {
    struct timespec a, b;
    struct timex t = {.time.tv_sec = 1000, .time.tv_usec = 500000};
    clock_gettime(CLOCK_REALTIME, &a);
    CHECK(set(ADJ_SETOFFSET, &t) >= 0);
    clock_gettime(CLOCK_REALTIME, &b);
    CHECK(b.tv_sec - a.tv_sec >= 1000 && b.tv_sec - a.tv_sec < 1100);
    t.time.tv_sec = -1001;
    CHECK(set(ADJ_SETOFFSET | ADJ_NANO, &(struct timex){.time.tv_sec = -1001, .time.tv_usec = 500000000}) >=
          0);
    clock_gettime(CLOCK_REALTIME, &b);
    CHECK(b.tv_sec - a.tv_sec >= 0 && b.tv_sec - a.tv_sec < 100);
    t.time.tv_usec = 1000000;
    CHECK_ERRNO(set(ADJ_SETOFFSET, &t), EINVAL);
    t.time.tv_usec = -1;
    CHECK_ERRNO(set(ADJ_SETOFFSET, &t), EINVAL);
    put_back();
}

TEST(clock_tai_is_ahead_by_what_was_set) {
    struct timespec real, atomic;
    struct timex t = {.constant = 37};
    CHECK(set(ADJ_TAI, &t) >= 0 && adjust(&(struct timex){0}) >= 0);
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_TAI, &atomic);
    int64_t ahead = ns(&atomic) - ns(&real);
    CHECK(ahead >= 37000000000 && ahead < 137000000000);
    put_back();
}
