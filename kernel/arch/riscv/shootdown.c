// SPDX-License-Identifier: MIT
// Having other harts drop translations, or what their instruction fetch has ahead. The firmware could do it, but whoever asks it spins until all others have
// answered. Where harts are virtual and outnumber the host's processors, that takes the very time from the
// others that they need to answer, and lasts for milliseconds. So we ask by interrupts of our own, and after
// a while wait as an idle hart does.
//
// Each hart has one request at a time. `left` says who has not answered; the last one to do so wakes the asker.
#include "arch/riscv/shootdown.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/sbi.h"

#define SPIN_MICROS 20

static struct request {
    unsigned long start, size; // size 0: not translations, but what instruction fetch has ahead
    uint64_t left;             // [a] bit = dense index of a hart
    bool waits;                // [a] the asker wants an interrupt when `left` has become 0
} requests[MAX_HARTS] __aligned_to(64);

static unsigned int flush_all = 16; // pages: from so many on, all translations are dropped

void shootdown_init(void) {
    bool emulated = !sbi_machine_id(SBI_MVENDORID) && sbi_machine_id(SBI_MIMPID) > 0;
    if (emulated) // QEMU drops all whatever it is asked for, and what it remembers of code with it
        flush_all = 2;
}

void shootdown_local(unsigned long start, unsigned long size) {
    if (size >> PAGE_SHIFT >= flush_all) {
        local_sfence_all();
        return;
    }
    for (unsigned long end = start + size; start < end; start += PAGE_SIZE)
        local_sfence_page(start);
}

void shootdown_answer(void) {
    struct hart *hart = this_hart();
    if (likely(!__atomic_load_n(&hart->asked_by, __ATOMIC_RELAXED)))
        return;
    uint64_t askers = __atomic_exchange_n(&hart->asked_by, 0, __ATOMIC_SEQ_CST);
    for (; askers; askers &= askers - 1) {
        unsigned int asker = __builtin_ctzll(askers);
        struct request *r = &requests[asker];
        if (r->size)
            shootdown_local(r->start, r->size);
        else
            fence_i();
        if (!__atomic_and_fetch(&r->left, ~(1ull << hart->id), __ATOMIC_SEQ_CST) &&
            __atomic_load_n(&r->waits, __ATOMIC_SEQ_CST))
            sbi_send_ipi(asker);
    }
}

static bool answered(const struct request *r) {
    return !__atomic_load_n(&r->left, __ATOMIC_SEQ_CST);
}

// Interrupts are enabled: others' requests are answered meanwhile.
static void rest_until_answered(struct request *r) {
    __atomic_store_n(&r->waits, true, __ATOMIC_SEQ_CST);
    for (;;) {
        irq_disable(); // what comes now ends the wait
        if (answered(r))
            break;
        cpu_wait_for_interrupt();
        irq_enable();
    }
    irq_enable();
    __atomic_store_n(&r->waits, false, __ATOMIC_RELAXED);
}

static void ask(uint64_t mask, unsigned long start, unsigned long size) {
    unsigned int self = this_hart_id();
    struct request *r = &requests[self];
    r->start = start;
    r->size = size;
    __atomic_store_n(&r->left, mask, __ATOMIC_RELEASE);
    for (uint64_t rest = mask; rest; rest &= rest - 1)
        __atomic_fetch_or(&harts[__builtin_ctzll(rest)].asked_by, 1ull << self, __ATOMIC_SEQ_CST);
    sbi_send_ipis(mask);
    uint64_t until = rdtime() + timebase_frequency / 1000000 * SPIN_MICROS;
    while (!answered(r)) {
        if (!irq_enabled())
            shootdown_answer(); // who asks us may be whom we ask
        else if (rdtime() > until)
            rest_until_answered(r);
        cpu_relax();
    }
}

void shootdown_remote(uint64_t mask, unsigned long start, unsigned long size) {
    ask(mask, start, size);
}

void shootdown_remote_fetch(uint64_t mask) {
    ask(mask, 0, 0);
}
