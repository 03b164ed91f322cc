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

// All arguments come in registers, so a function that takes fewer or narrower ones may be called with all six.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-function-type"
static const syscall_fn table[SYSCALL_LIMIT] = {
#define SYSCALL(name, kinds, ...) [__NR_##name] = (syscall_fn)sys_##name,
#include "sys/syscalls.def"
#undef SYSCALL
};
#pragma GCC diagnostic pop

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
