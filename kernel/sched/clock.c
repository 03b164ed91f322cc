// SPDX-License-Identifier: MIT
// The clocks. Both come from rdtime, which all harts share; realtime is monotonic time plus an offset. The
// numbers live in the page that the vDSO reads, so the kernel and programs cannot disagree.
#include "sched/clock.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/vdso_data.h"
#include "core/panic.h"
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

ktime_t clock_realtime_offset(void) {
    return READ_ONCE(vdso.data.realtime_offset); // one aligned load: never half of it
}

ktime_t clock_realtime(void) {
    return clock_monotonic() + clock_realtime_offset();
}

// The caller serialises.
static void set_offset(ktime_t now) {
    struct vdso_data *d = &vdso.data;
    __atomic_store_n(&d->sequence, d->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(d->realtime_offset, now - clock_monotonic());
    __atomic_store_n(&d->sequence, d->sequence + 1, __ATOMIC_RELEASE);
}

void clock_set_realtime(ktime_t now) {
    timers_change_realtime(set_offset, now);
    wake_all(&clock_was_set);
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
    vdso.data.mult = clock_mult;
}
