// SPDX-License-Identifier: MIT
// The clocks. Both come from rdtime, which all harts share; realtime is monotonic time plus an offset. The
// numbers live in the page that the vDSO reads, so the kernel and programs cannot disagree.
#include "sched/clock.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/vdso_data.h"
#include "core/panic.h"
#include "sched/discipline.h"
#include "sched/runqueue.h"
#include "sched/wait.h"

uint64_t clock_mult;
uint64_t clock_boot_ticks;
struct wait_queue clock_was_set = WAIT_QUEUE_INIT(clock_was_set);

static uint64_t ticks_per_ns; // 32.32 fixed point

static union {
    struct vdso_data data;
    char page[PAGE_SIZE]; // nothing else may share it
} vdso __aligned_to(PAGE_SIZE);

uint64_t clock_ns_to_ticks(ktime_t ns) {
    uint64_t now = rdtime();
    ktime_t left = ns - clock_ticks_to_ns(now - clock_boot_ticks); // small numbers keep the rounding small
    if (left <= 0)
        return now;
    unsigned __int128 ticks = (((unsigned __int128)left * ticks_per_ns) >> 32) + now + 1;
    return ticks >> 64 ? ~0ull : (uint64_t)ticks;
}

// Realtime has a rate of its own (adjusted), or it is monotonic time and this offset. Written under the lock of timers on it.
static bool adjusted;        // [a]
static ktime_t plain_offset; // [a] before `adjusted` becomes false

// Both clocks at one moment.
static void read_both(ktime_t *monotonic, ktime_t *realtime) {
    const struct vdso_data *d = &vdso.data;
    uint32_t before;
    do {
        before = __atomic_load_n(&d->sequence, __ATOMIC_ACQUIRE);
        uint64_t ticks = rdtime() - clock_boot_ticks;
        *monotonic = clock_ticks_to_ns(ticks);
        *realtime = (ktime_t)(((unsigned __int128)ticks * READ_ONCE(d->realtime_mult)) >> 32) +
                    READ_ONCE(d->realtime_offset);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (before & 1 || READ_ONCE(d->sequence) != before);
}

ktime_t clock_realtime_offset(void) {
    ktime_t monotonic, realtime;
    if (likely(!__atomic_load_n(&adjusted, __ATOMIC_ACQUIRE)))
        return READ_ONCE(plain_offset);
    read_both(&monotonic, &realtime);
    return realtime - monotonic;
}

ktime_t clock_realtime(void) {
    ktime_t monotonic, realtime;
    if (likely(!__atomic_load_n(&adjusted, __ATOMIC_ACQUIRE)))
        return clock_monotonic() + READ_ONCE(plain_offset);
    read_both(&monotonic, &realtime);
    return realtime;
}

ktime_t clock_realtime_to_monotonic(ktime_t when) {
    ktime_t monotonic, realtime, left;
    if (likely(!__atomic_load_n(&adjusted, __ATOMIC_ACQUIRE)))
        return __builtin_sub_overflow(when, READ_ONCE(plain_offset), &monotonic) ? when < 0 ? 0 : KTIME_NEVER
                                                                                 : monotonic;
    read_both(&monotonic, &realtime);
    if (when <= realtime)
        return monotonic;
    // The ratio of the two rates, a little less than it is; what is left over is looked at when the time has come.
    int shift = __builtin_clzll(clock_mult);
    uint64_t ratio = (clock_mult << shift) / READ_ONCE(vdso.data.realtime_mult); // of 2^shift
    left = (ktime_t)(((unsigned __int128)(when - realtime) * ratio) >> shift);
    return __builtin_add_overflow(monotonic, left, &monotonic) ? KTIME_NEVER : monotonic;
}

// Realtime is `now` at `ticks`, and passes with `mult` from there on. The caller serialises.
static void set_realtime_at(uint64_t ticks, ktime_t now, uint64_t mult) {
    struct vdso_data *d = &vdso.data;
    bool plain = mult == clock_mult;
    if (!plain)
        __atomic_store_n(&adjusted, true, __ATOMIC_SEQ_CST);
    __atomic_store_n(&d->sequence, d->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(d->realtime_mult, mult);
    WRITE_ONCE(d->realtime_offset, now - (ktime_t)(((unsigned __int128)ticks * mult) >> 32));
    __atomic_store_n(&d->sequence, d->sequence + 1, __ATOMIC_RELEASE);
    WRITE_ONCE(plain_offset, now - clock_ticks_to_ns(ticks));
    if (plain)
        __atomic_store_n(&adjusted, false, __ATOMIC_RELEASE);
}

static ktime_t realtime_at(uint64_t ticks) {
    return (ktime_t)(((unsigned __int128)ticks * vdso.data.realtime_mult) >> 32) + vdso.data.realtime_offset;
}

static void set_time(ktime_t now) {
    set_realtime_at(rdtime() - clock_boot_ticks, now, vdso.data.realtime_mult);
}

static void step(ktime_t delta) {
    uint64_t ticks = rdtime() - clock_boot_ticks;
    set_realtime_at(ticks, realtime_at(ticks) + delta, vdso.data.realtime_mult);
}

static void set_rate(ktime_t mult) {
    uint64_t ticks = rdtime() - clock_boot_ticks;
    set_realtime_at(ticks, realtime_at(ticks), (uint64_t)mult);
}

void clock_set_realtime(ktime_t now) {
    discipline_clear();
    timers_change_realtime(set_time, now);
    wake_all(&clock_was_set);
}

void clock_step_realtime(ktime_t delta) {
    discipline_clear();
    timers_change_realtime(step, delta);
    wake_all(&clock_was_set);
}

void clock_set_realtime_rate(int64_t rate) {
    __int128 more = (__int128)clock_mult * (rate / 1000) >> 32;
    uint64_t mult = clock_mult + (uint64_t)((int64_t)more / (NSEC_PER_SEC / 1000));
    timers_change_realtime(set_rate, (ktime_t)mult);
}

paddr_t clock_vdso_data(void) {
    return virt_to_phys(&vdso);
}

struct vdso_data *clock_vdso_page(void) {
    return &vdso.data;
}

void clock_init(void) {
    if (!timebase_frequency)
        panic("clock: the device tree has no timebase-frequency");
    clock_boot_ticks = rdtime();
    clock_mult = ((uint64_t)NSEC_PER_SEC << 32) / timebase_frequency;
    ticks_per_ns = ((uint64_t)timebase_frequency << 32) / NSEC_PER_SEC;
    vdso.data.boot_ticks = clock_boot_ticks;
    vdso.data.mult = vdso.data.realtime_mult = clock_mult;
}
