// SPDX-License-Identifier: MIT
#include "tools/firmware/firmware.h"

#define ENVCFG     (1ul << 63 | 1ul << 62 | 1ul << 7 | 1ul << 6 | 3ul << 4) // Sstc, Svpbmt, Zicboz, Zicbom
#define PMP_ALL    0x1f                                                     // NAPOT, read, write, execute
#define INTERRUPT  (1ul << 63)
#define S_ECALL    9
#define UART_READY 0x20 // in the line's status, register 5

// In the image, not in .bss: QEMU loads it anew if the machine is reset.
static struct hart {
    int state;         // [a]
    uint32_t requests; // [a]
    unsigned long entry, opaque;
} harts[FIRMWARE_HARTS] __attribute__((section(".data"))) = {[1 ... FIRMWARE_HARTS - 1] = {.state = STOPPED}};

static uint32_t present __attribute__((section(".data"))) =
    1; // by their numbers; written before the kernel is there

// One fence at a time. The lock is its asker's until all that were asked have done it. Who waits for the one or the other sleeps: this side's
// processors may be fewer than the harts, and what is waited for may be one that has none.
static struct {
    uint32_t lock;    // [a]
    uint32_t left;    // [a] that were asked and have not done it
    uint32_t waiting; // [a] by their numbers, to be rung when `lock` or `left` becomes 0
    struct fence what;
} fencing __attribute__((section(".data"))) = {0};

static unsigned long self(void) {
    return csr_read(mhartid);
}

void put(char c) {
    while (!(UART[5] & UART_READY))
        ;
    UART[0] = (uint8_t)c;
}

// ---- fences

static void do_fence(const struct fence *f) {
    unsigned long end = f->start + f->size;
    bool all = (!f->start && !f->size) || f->size == ~0ul || f->size > 64 << 12 || end < f->start;
    if (f->function == 0)
        __asm__ volatile("fence.i" ::: "memory");
    else if (all && f->function == 1)
        __asm__ volatile("sfence.vma" ::: "memory");
    else if (all)
        __asm__ volatile("sfence.vma zero, %0" ::"r"(f->asid) : "memory");
    for (unsigned long at = f->start & ~0xffful; f->function && !all && at < end; at += 4096)
        if (f->function == 1)
            __asm__ volatile("sfence.vma %0" ::"r"(at) : "memory");
        else
            __asm__ volatile("sfence.vma %0, %1" ::"r"(at), "r"(f->asid) : "memory");
}

static void stop_waiting(void) {
    uint32_t waiting = __atomic_exchange_n(&fencing.waiting, 0, __ATOMIC_SEQ_CST);
    for (unsigned long id = 0; waiting >> id; id++)
        if (waiting >> id & 1)
            *MSIP(id) = 1;
}

static void take_requests(struct hart *h) {
    uint32_t requests = __atomic_exchange_n(&h->requests, 0, __ATOMIC_ACQUIRE);
    if (requests & REQUEST_IPI)
        csr_set(mip, MIP_SSIP);
    if (requests & REQUEST_FENCE) {
        do_fence(&fencing.what);
        if (!__atomic_sub_fetch(&fencing.left, 1, __ATOMIC_SEQ_CST))
            stop_waiting();
    }
}

// The other harts' requests are taken meanwhile: whoever is waited for may be waiting for us.
static void wait_for_zero(const uint32_t *word) {
    unsigned long id = self(), enabled = csr_read(mie);
    csr_write(mie, MIP_MSIP);
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST)) {
        *MSIP(id) = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        take_requests(&harts[id]);
        __atomic_or_fetch(&fencing.waiting, 1u << id, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST))
            __asm__ volatile("wfi" ::: "memory"); // not for long if it was rung before
    }
    csr_write(mie, enabled);
}

// ---- requests

static void ring(unsigned long id, uint32_t request) {
    __atomic_or_fetch(&harts[id].requests, request, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *MSIP(id) = 1;
}

static void ask(unsigned long id, uint32_t request) {
    if (request == REQUEST_IPI && id == self()) {
        csr_set(mip, MIP_SSIP);
    } else if (request == REQUEST_IPI) {
        ring(id, request);
    } else if (id == self()) {
        do_fence(&fencing.what);
    } else if (hart_state(id) == STARTED) { // another has no translations to forget
        __atomic_add_fetch(&fencing.left, 1, __ATOMIC_RELAXED);
        ring(id, request);
    }
}

static bool is_in(unsigned long id, unsigned long mask, unsigned long base) {
    return base == ~0ul || (id - base < 64 && mask >> (id - base) & 1);
}

bool ask_harts(unsigned long mask, unsigned long base, uint32_t request, const struct fence *fence) {
    if (base != ~0ul && (base >= FIRMWARE_HARTS || mask & ~((unsigned long)present >> base)))
        return false;
    if (fence) {
        while (__atomic_exchange_n(&fencing.lock, 1, __ATOMIC_ACQUIRE))
            wait_for_zero(&fencing.lock);
        fencing.what.function = fence->function;
        fencing.what.start = fence->start;
        fencing.what.size = fence->size;
        fencing.what.asid = fence->asid;
    }
    for (unsigned long id = 0; id < FIRMWARE_HARTS; id++)
        if (is_in(id, mask, base) && (base != ~0ul || hart_state(id) == STARTED))
            ask(id, request);
    if (fence) {
        wait_for_zero(&fencing.left);
        __atomic_store_n(&fencing.lock, 0, __ATOMIC_SEQ_CST);
        stop_waiting();
    }
    return true;
}

// ---- harts

// A hart that is none has no register to compare the time with.
static void look_for_harts(void) {
    for (unsigned long id = 0; id < FIRMWARE_HARTS; id++) {
        *MTIMECMP(id) = ~0ul;
        if (*MTIMECMP(id) == ~0ul)
            present |= 1u << id;
    }
}

bool hart_is_present(unsigned long id) {
    return id < FIRMWARE_HARTS && present >> id & 1;
}

int hart_state(unsigned long id) {
    int state = __atomic_load_n(&harts[id].state, __ATOMIC_ACQUIRE);
    return state == CLAIMED ? START_PENDING : state;
}

bool hart_start(unsigned long id, unsigned long entry, unsigned long opaque) {
    int stopped = STOPPED;
    if (!__atomic_compare_exchange_n(&harts[id].state, &stopped, CLAIMED, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    harts[id].entry = entry;
    harts[id].opaque = opaque;
    __atomic_store_n(&harts[id].state, START_PENDING, __ATOMIC_RELEASE);
    ring(id, 0);
    return true;
}

// Waits to be started. A fence that was asked of it before it stopped is somebody's to wait for.
static void __attribute__((noreturn)) wait_for_start(unsigned long id) {
    struct hart *h = &harts[id];
    csr_write(mie, MIP_MSIP);
    for (;;) {
        *MSIP(id) = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        take_requests(h);
        if (__atomic_load_n(&h->state, __ATOMIC_ACQUIRE) == START_PENDING)
            break;
        __asm__ volatile("wfi");
    }
    csr_clear(mip, MIP_SSIP | MIP_STIP);
    unsigned long entry = h->entry, opaque = h->opaque;
    __atomic_store_n(&h->state, STARTED, __ATOMIC_RELEASE);
    enter(id, opaque, entry);
}

void hart_stop(void) {
    __atomic_store_n(&harts[self()].state, STOPPED, __ATOMIC_RELEASE);
    wait_for_start(self());
}

// ---- beginning and traps

void __attribute__((noreturn))
firmware_start(unsigned long id, unsigned long tree, const struct next_stage *next);
void __attribute__((noreturn))
firmware_start(unsigned long id, unsigned long tree, const struct next_stage *next) {
    csr_write(pmpaddr0, ~0ul);
    csr_write(pmpcfg0, PMP_ALL);
    csr_write(medeleg, ~(1ul << S_ECALL));
    csr_write(mideleg, 0x2222ul); // the supervisor's: software, timer, external, counter overflow
    csr_write(mcounteren, ~0ul);
    csr_write(scounteren, 7ul);
    set_envcfg(ENVCFG);
    csr_write(mie, MIP_MSIP);
    if (id)
        wait_for_start(id);
    look_for_harts();
    enter(id, tree, next->address);
}

static void __attribute__((noreturn)) give_up(unsigned long cause) {
    static const char text[] = "firmware: trap ";
    for (const char *c = text; *c; c++)
        put(*c);
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[cause >> shift & 15]);
    put('\n');
    for (;;)
        *TEST_FINISHER = 0x13333;
}

void firmware_trap(struct frame *f, unsigned long cause);
void firmware_trap(struct frame *f, unsigned long cause) {
    if (cause == S_ECALL) {
        csr_write(mepc, csr_read(mepc) + 4);
        sbi_call(f);
    } else if (cause == (INTERRUPT | 3)) {
        *MSIP(self()) = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        take_requests(&harts[self()]);
    } else if (cause == (INTERRUPT | 7)) {
        csr_clear(mie, MIP_MTIP);
        csr_set(mip, MIP_STIP);
    } else {
        give_up(cause);
    }
}
