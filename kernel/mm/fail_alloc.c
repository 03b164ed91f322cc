// SPDX-License-Identifier: MIT
// Counting allocations down: see fail_alloc.h.
#include "mm/fail_alloc.h"
#include "arch/riscv/cpu.h"
#include "core/errno.h"
#include "core/printk.h"
#include "lib/number.h"

#ifdef CONFIG_DEBUG

static uint64_t fail_at;  // [I] after boot: the number of the one that fails, 0: none
static uint32_t fail_one; // [I] after boot: one in so many, 0: none
static uint64_t counted;  // [a] since the start
static bool programs_run; // [a]

// Which ones fail is the same on each run that allocates in the same order: a permutation of the count.
static bool is_chosen(uint64_t n) {
    n *= 0x9e3779b97f4a7c15ull;
    return (uint32_t)(n >> 32) % fail_one == 0;
}

static bool fails_by_count(void) {
    if (!fail_at && !fail_one)
        return false;
    uint64_t n = __atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED);
    if (fail_at)
        return n == fail_at;
    return READ_ONCE(programs_run) && !((struct arch_thread *)current)->fail_never && is_chosen(n);
}

bool alloc_must_fail(void) {
    struct arch_thread *t = (struct arch_thread *)current;
    if (!t || t->hart->irq_depth)
        return false;
    if (unlikely(t->fail_nth) && --t->fail_nth == 0)
        return true;
    return fails_by_count();
}

int fail_alloc_set(const char *value) {
    bool one_in = value[0] == '1' && value[1] == '/';
    const char *digit = value + (one_in ? 2 : 0);
    uint64_t n;
    const char *end = number_read(digit, 10, UINT32_MAX, &n);
    if (*end || !n)
        return -EINVAL;
    if (one_in)
        fail_one = n;
    else
        fail_at = n;
    return 0;
}

void fail_alloc_begin(void) {
    ((struct arch_thread *)current)->fail_never = true;
    WRITE_ONCE(programs_run, true);
    if (fail_at || fail_one)
        pr_info("fail_alloc: %lu allocations until the first program", (unsigned long)counted);
}

#endif
