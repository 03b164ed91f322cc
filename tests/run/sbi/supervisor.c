// SPDX-License-Identifier: MIT
// A kernel of two harts that asks the firmware for everything it offers and says what is not as the specification has it (test_firmware.py).
// It is entered at its first byte: a0 = hartid.
#include <stdbool.h>
#include <stdint.h>

enum {
    BASE = 0x10,
    TIME = 0x54494d45,
    IPI = 0x735049,
    RFENCE = 0x52464e43,
    HSM = 0x48534d,
    SRST = 0x53525354,
    DBCN = 0x4442434e
};
enum { NOT_SUPPORTED = -2, INVALID_PARAM = -3, ALREADY_AVAILABLE = -6 };
#define SSIP (1ul << 1)
#define STIP (1ul << 5)

struct result {
    long error, value;
};
static volatile unsigned long opaque_seen, rounds;
static volatile bool stop;
char stacks[2][4096] __attribute__((aligned(16)));
static volatile unsigned long top[512] __attribute__((aligned(4096))),
    below[512] __attribute__((aligned(4096))), lowest[512] __attribute__((aligned(4096))),
    pages[2][512] __attribute__((aligned(4096)));

__asm__(".section .head, \"ax\"\n"
        "mv a1, zero\n"
        "second: la sp, stacks\n addi t0, a0, 1\n slli t0, t0, 12\n add sp, sp, t0\n"
        "bnez a0, 1f\n j first_main\n1: j second_main\n.text\n");
void second(void);

static struct result call(long ext, long fn, unsigned long a, unsigned long b, unsigned long c,
                          unsigned long d, unsigned long e) {
    register unsigned long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                              a3 __asm__("a3") = d, a4 __asm__("a4") = e;
    register long a6 __asm__("a6") = fn, a7 __asm__("a7") = ext;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
    return (struct result){(long)a0, (long)a1};
}

static void say(const char *text) {
    unsigned long n = 0;
    while (text[n])
        n++;
    struct result r = call(DBCN, 0, n, (unsigned long)text, 0, 0, 0);
    if (r.error || r.value != (long)n)
        for (const char *c = "console\n"; *c; c++)
            call(1, 0, (unsigned char)*c, 0, 0, 0, 0);
}

#define CHECK(claim)                                                                                         \
    do {                                                                                                     \
        if (!(claim))                                                                                        \
            say("wrong: " #claim "\n");                                                                      \
    } while (0)
#define GIVES(e, v, ...)                                                                                     \
    ({                                                                                                       \
        struct result r_ = call(__VA_ARGS__);                                                                \
        r_.error == (e) && (r_.error || r_.value == (v));                                                    \
    })

static unsigned long pending(void) {
    unsigned long bits;
    __asm__ volatile("csrr %0, sip" : "=r"(bits)::"memory");
    return bits;
}

static unsigned long now(void) {
    unsigned long t;
    __asm__ volatile("rdtime %0" : "=r"(t)::"memory");
    return t;
}

void second_main(unsigned long id, unsigned long opaque);
void second_main(unsigned long id, unsigned long opaque) {
    CHECK(id == 1);
    opaque_seen = opaque;
    while (!stop) {
        if (pending() & SSIP) {
            __asm__ volatile("csrc sip, %0" ::"r"(SSIP) : "memory");
            call(RFENCE, 1, 1, 0, 0, ~0ul, 0); // at the same time as the other hart's
            rounds++;
        }
    }
    call(HSM, 1, 0, 0, 0, 0, 0);
    say("wrong: a stopped hart goes on\n");
}

static void check_base(void) {
    CHECK(GIVES(0, 2 << 24, BASE, 0, 0, 0, 0, 0, 0));
    CHECK(GIVES(0, 1, BASE, 3, HSM, 0, 0, 0, 0));
    CHECK(GIVES(0, 0, BASE, 3, 0x504d55, 0, 0, 0, 0));
    CHECK(GIVES(NOT_SUPPORTED, 0, BASE, 99, 0, 0, 0, 0, 0));
    CHECK(GIVES(NOT_SUPPORTED, 0, 0x504d55, 0, 0, 0, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, SRST, 0, 7, 0, 0, 0, 0));
    CHECK(GIVES(NOT_SUPPORTED, 0, DBCN, 1, 0, 0, 0, 0, 0));
}

static void check_harts(void) {
    CHECK(GIVES(0, 0, HSM, 2, 0, 0, 0, 0, 0));
    CHECK(GIVES(0, 1, HSM, 2, 1, 0, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, HSM, 2, 64, 0, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, HSM, 2, 2, 0, 0, 0, 0)); // this machine has two
    CHECK(GIVES(INVALID_PARAM, 0, HSM, 0, 2, (unsigned long)second, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, HSM, 0, 1ul << 60, 0, 0, 0, 0));
    CHECK(GIVES(ALREADY_AVAILABLE, 0, HSM, 0, 0, 0, 0, 0, 0));
    CHECK(GIVES(NOT_SUPPORTED, 0, HSM, 3, 0, 0, 0, 0, 0));
    CHECK(GIVES(0, 0, HSM, 0, 1, (unsigned long)second, 0x1234, 0, 0));
    while (opaque_seen != 0x1234)
        ;
    CHECK(GIVES(0, 0, HSM, 2, 1, 0, 0, 0, 0));
    CHECK(GIVES(ALREADY_AVAILABLE, 0, HSM, 0, 1, (unsigned long)second, 0, 0, 0));
}

static void check_others(void) {
    CHECK(GIVES(0, 0, IPI, 0, 1, 0, 0, 0, 0) && pending() & SSIP);
    __asm__ volatile("csrc sip, %0" ::"r"(SSIP) : "memory");
    CHECK(GIVES(INVALID_PARAM, 0, IPI, 0, 1, 64, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, IPI, 0, ~0ul, 1, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, IPI, 0, 4, 0, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, IPI, 0, 2, 1, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, IPI, 0, 1ul << 8, 0, 0, 0, 0));
    CHECK(GIVES(INVALID_PARAM, 0, RFENCE, 1, 1ul << 63 | 1, 0, 0, ~0ul, 0) && !(pending() & SSIP));
    for (unsigned long i = 1; i <= 60; i++) {
        CHECK(GIVES(0, 0, IPI, 0, i % 2 ? 2 : 1, i % 2 ? 0 : 1, 0, 0, 0));
        CHECK(GIVES(0, 0, RFENCE, i % 3, i % 4 ? 3 : 0, i % 4 ? 0 : ~0ul, 0x1000, i % 5 ? 0x2000 : ~0ul, 0));
        while (rounds < i)
            ;
    }
    CHECK(GIVES(NOT_SUPPORTED, 0, RFENCE, 6, 1, 0, 0, 0, 0));
}

// Whether a translation that was used is forgotten by a fence on this hart.
static bool is_forgotten(unsigned long function, unsigned long start, unsigned long size) {
    volatile unsigned long *seen = (volatile unsigned long *)0x2000;
    top[0] = (unsigned long)below >> 2 | 1;
    top[2] = 0x80000000 >> 2 | 0xcf; // all of memory, where it is
    below[0] = (unsigned long)lowest >> 2 | 1;
    lowest[2] = (unsigned long)pages[0] >> 2 | 0xcf;
    pages[0][0] = 1;
    pages[1][0] = 2;
    __asm__ volatile("csrw satp, %0\n sfence.vma" ::"r"(8ul << 60 | (unsigned long)top >> 12) : "memory");
    CHECK(*seen == 1);
    lowest[2] = (unsigned long)pages[1] >> 2 | 0xcf;
    CHECK(GIVES(0, 0, RFENCE, function, 1, 0, start, size, 0));
    bool forgotten = *seen == 2;
    __asm__ volatile("csrw satp, zero\n sfence.vma" ::: "memory");
    return forgotten;
}

static void check_fences(void) {
    for (unsigned long function = 1; function <= 2; function++) {
        CHECK(is_forgotten(function, 0, 0)); // everything
        CHECK(is_forgotten(function, 0, ~0ul));
        CHECK(is_forgotten(function, 0x2000, 0x1000));
        CHECK(is_forgotten(function, 0x1ff0, 0x20));
    }
}

static void check_time(void) {
    unsigned long then = now() + 100000;
    CHECK(GIVES(0, 0, TIME, 0, then, 0, 0, 0, 0));
    while (!(pending() & STIP))
        ;
    CHECK(now() >= then);
    CHECK(GIVES(0, 0, TIME, 0, ~0ul, 0, 0, 0, 0) && !(pending() & STIP));
}

static void check_restart(void) {
    stop = true;
    while (call(HSM, 2, 1, 0, 0, 0, 0).value != 1)
        ;
    stop = false;
    CHECK(GIVES(0, 0, HSM, 0, 1, (unsigned long)second, 0x5678, 0, 0));
    while (opaque_seen != 0x5678)
        ;
}

void first_main(void);
void first_main(void) {
    check_base();
    check_harts();
    check_others();
    check_fences();
    check_time();
    check_restart();
    say("all asked\n");
    call(SRST, 0, 0, 1, 0, 0, 0);
}
