// SPDX-License-Identifier: MIT
// The vDSO's clocks: what user programs read without entering the kernel. See arch/riscv/vdso_data.h for the
// data; vdso(7).
#include "arch/riscv/vdso_data.h"
#include <asm/unistd.h>
#include <linux/time.h>
#include <linux/time_types.h>

#define EXPORT    __attribute__((visibility("default")))
#define NSEC      1000000000ull
#define COARSE_NS 1 // every clock here has the counter's resolution

// Hidden: addressed relative to the code, as nobody relocates a vDSO.
extern const volatile struct vdso_data vdso_data __attribute__((visibility("hidden")));

static uint64_t rdtime(void) {
    uint64_t t;
    __asm__ volatile("rdtime %0" : "=r"(t)::"memory");
    return t;
}

static long call(long nr, long a, long b) {
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a7 __asm__("a7") = nr;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    return a0;
}

static uint64_t monotonic(void) {
    uint64_t ticks = rdtime() - vdso_data.boot_ticks;
    return (unsigned __int128)ticks * vdso_data.mult >> 32;
}

static uint64_t realtime(void) {
    for (;;) {
        uint32_t before = __atomic_load_n(&vdso_data.sequence, __ATOMIC_ACQUIRE);
        int64_t offset = vdso_data.realtime_offset;
        uint64_t mult = vdso_data.realtime_mult, ticks = rdtime() - vdso_data.boot_ticks;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && vdso_data.sequence == before)
            return ((unsigned __int128)ticks * mult >> 32) + offset;
    }
}

static void store(struct __kernel_timespec *ts, uint64_t ns) {
    ts->tv_sec = ns / NSEC;
    ts->tv_nsec = ns % NSEC;
}

EXPORT long __vdso_clock_gettime(long clock, struct __kernel_timespec *ts) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        store(ts, realtime());
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        store(ts, monotonic());
        return 0;
    }
    return call(__NR_clock_gettime, clock, (long)ts);
}

EXPORT long __vdso_gettimeofday(struct __kernel_old_timeval *tv, void *zone) {
    if (zone)
        return call(__NR_gettimeofday, (long)tv, (long)zone);
    if (tv) {
        uint64_t ns = realtime();
        tv->tv_sec = ns / NSEC;
        tv->tv_usec = ns % NSEC / 1000;
    }
    return 0;
}

EXPORT long __vdso_clock_getres(long clock, struct __kernel_timespec *ts) {
    if (clock < CLOCK_REALTIME || clock > CLOCK_BOOTTIME || clock == CLOCK_PROCESS_CPUTIME_ID ||
        clock == CLOCK_THREAD_CPUTIME_ID)
        return call(__NR_clock_getres, clock, (long)ts);
    if (ts)
        store(ts, COARSE_NS);
    return 0;
}
