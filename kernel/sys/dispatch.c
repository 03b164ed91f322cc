// SPDX-License-Identifier: MIT
// From the number in a7 to the function: the table is made from sys/syscalls.def. What is not in it returns -ENOSYS, and
// is named once in the log.
#include "arch/riscv/trap.h"
#include "core/printk.h"
#include "sys/syscalls.h"
#include "sys/trace.h"
#include "upcalls.h"
#include <asm/unistd.h>

#define SYSCALL_LIMIT 512 // numbers are below

typedef long (*syscall_fn)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
                           unsigned long);

// For each call a function that takes all six registers and passes on as many as the call has parameters, converted to
// their types: a program may leave anything in the upper half of a register that holds an int, which our C code may not see.
#define ARGS_0(a, b, c, d, e, f)
#define ARGS_1(a, b, c, d, e, f)                   a
#define ARGS_2(a, b, c, d, e, f)                   a, b
#define ARGS_3(a, b, c, d, e, f)                   a, b, c
#define ARGS_4(a, b, c, d, e, f)                   a, b, c, d
#define ARGS_5(a, b, c, d, e, f)                   a, b, c, d, e
#define ARGS_6(a, b, c, d, e, f)                   a, b, c, d, e, f
#define PICK_8TH(a, b, c, d, e, f, g, choice, ...) choice
#define ARGS_OF(...)                                                                                         \
    PICK_8TH(, ##__VA_ARGS__, ARGS_6, ARGS_5, ARGS_4, ARGS_3, ARGS_2, ARGS_1, ARGS_0)(a, b, c, d, e, f)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wint-conversion" // registers to pointers
#define SYSCALL(name, kinds, ...)                                                                            \
    static long call_##name(unsigned long a, unsigned long b, unsigned long c, unsigned long d,              \
                            unsigned long e, unsigned long f) {                                              \
        return sys_##name(ARGS_OF(__VA_ARGS__));                                                             \
    }
#include "sys/syscalls.def"
#undef SYSCALL
#pragma GCC diagnostic pop

static const syscall_fn table[SYSCALL_LIMIT] = {
#define SYSCALL(name, kinds, ...) [__NR_##name] = call_##name,
#include "sys/syscalls.def"
#undef SYSCALL
};

static long __cold missing(unsigned long nr) {
    static uint64_t named[SYSCALL_LIMIT / 64 + 1]; // [a] those beyond the limit share the last bit
    unsigned long slot = nr < SYSCALL_LIMIT ? nr : SYSCALL_LIMIT;
    uint64_t bit = 1ull << slot % 64;
    if (__atomic_fetch_or(&named[slot / 64], bit, __ATOMIC_RELAXED) & bit)
        return -ENOSYS;
    const char *name = syscall_name(nr);
    char who[64];
    process_describe(who, sizeof(who));
    if (name)
        printk(LOG_NOTICE, "syscall %lu (%s) is not implemented, used by %s", nr, name, who);
    else
        printk(LOG_NOTICE, "syscall %lu is not implemented, used by %s", nr, who);
    return -ENOSYS;
}

static inline __attribute__((always_inline)) long call(unsigned long nr, struct trap_frame *f) {
    syscall_fn fn = nr < SYSCALL_LIMIT ? table[nr] : NULL;
    return likely(fn) ? fn(f->a0, f->a1, f->a2, f->a3, f->a4, f->a5) : missing(nr);
}

static void __cold dispatch_traced(struct trap_frame *f) {
    struct trace_call trace;
    unsigned long nr = f->a7;
    trace_enter(&trace, nr, f);
    long ret = call(nr, f);
    trace_exit(&trace, ret);
    f->a0 = ret;
}

void syscall_dispatch(struct trap_frame *f) {
    if (unlikely(trace_enabled)) {
        dispatch_traced(f);
        return;
    }
    f->a0 = call(f->a7, f);
}
