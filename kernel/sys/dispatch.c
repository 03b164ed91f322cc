// SPDX-License-Identifier: MIT
// From the number in a7 to the function: the table is made from sys/syscalls.def. What is not in it returns
// -ENOSYS, and is named once in the log.
#include "arch/riscv/cpu.h"
#include "arch/riscv/trap.h"
#include "core/printk.h"
#include "lib/string.h"
#include "proc/ptrace.h"
#include "proc/seccomp.h"
#include "sys/syscalls.h"
#include "sys/trace.h"
#include "upcalls.h"
#include <asm/unistd.h>

#define SYSCALL_PARAMETERS                                                                                   \
    unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e, unsigned long f

// arch/riscv/trap.S: save the rest of the registers in the frame and go on to syscall_NAME().
long syscall_entry_clone(SYSCALL_PARAMETERS);
long syscall_entry_clone3(SYSCALL_PARAMETERS);
long syscall_entry_traced(SYSCALL_PARAMETERS);

// For each call a function that takes all six registers and passes on as many as the call has parameters,
// converted to their types: a program may leave anything in the upper half of a register that holds an int,
// which our C code may not see.
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

// Sanitized kernels: what a call does not write itself is this pattern, not zeros left by chance. tests/user/clean.c looks for it.
#ifdef CONFIG_SANITIZE
#define STACK_POISON 0xcc
static __attribute__((noinline)) void poison_stack(void) {
    char area[8192];
    memset(area, STACK_POISON, sizeof(area));
    __asm__ volatile("" ::"r"(area) : "memory");
}
#else
#define poison_stack() ((void)0)
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wint-conversion" // registers to pointers
#define SYSCALL(name, kinds, ...)                                                                            \
    static long call_##name(SYSCALL_PARAMETERS) {                                                            \
        poison_stack();                                                                                      \
        long ret = sys_##name(ARGS_OF(__VA_ARGS__));                                                         \
        lock_check_none_held("returns to its program");                                                      \
        return ret;                                                                                          \
    }
#include "sys/syscalls.def"
#undef SYSCALL
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
        printk(LOG_DEBUG, "syscall %lu (%s) is not implemented, used by %s", nr, name, who);
    else
        printk(LOG_DEBUG, "syscall %lu is not implemented, used by %s", nr, who);
    return -ENOSYS;
}

static long __cold call_missing(SYSCALL_PARAMETERS) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    return missing(arch_user_frame(current)->a7);
}

#define SYSCALL(name, kinds, ...) [__NR_##name] = call_##name,
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
// The functions, for calls from C; what trap.S calls; what it calls while tracing.
static const syscall_fn functions[SYSCALL_LIMIT + 1] = {
    [0 ... SYSCALL_LIMIT] = call_missing,
#include "sys/syscalls.def"
};
static const syscall_fn entries[SYSCALL_LIMIT + 1] = {
    [0 ... SYSCALL_LIMIT] = call_missing,
#include "sys/syscalls.def"
    [__NR_clone] = syscall_entry_clone,
    [__NR_clone3] = syscall_entry_clone3,
};
static const syscall_fn traced_entries[SYSCALL_LIMIT + 1] = {
    [0 ... SYSCALL_LIMIT] = syscall_entry_traced,
};
#pragma GCC diagnostic pop
#undef SYSCALL

const syscall_fn *syscall_entries = entries;
const syscall_fn *const syscall_entries_traced = traced_entries;

long syscall_clone(SYSCALL_PARAMETERS) {
    return call_clone(a, b, c, d, e, f);
}

long syscall_clone3(SYSCALL_PARAMETERS) {
    return call_clone3(a, b, c, d, e, f);
}

static long call_by_number(unsigned long nr, const unsigned long a[TRACE_ARGS]) {
    return functions[MIN(nr, (unsigned long)SYSCALL_LIMIT)](a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long __cold log_call(struct trap_frame *frame) {
    const unsigned long args[TRACE_ARGS] = {frame->orig_a0, frame->a1, frame->a2,
                                            frame->a3,      frame->a4, frame->a5};
    struct trace_call trace;
    unsigned long nr = frame->a7;
    if (syscall_entries != traced_entries)
        return call_by_number(nr, args);
    trace_enter(&trace, nr, args);
    long ret = call_by_number(nr, args);
    trace_exit(&trace, args, ret);
    return ret;
}

// A call of a thread that is traced or filtered: a tracer that wants to see calls does so at both ends, and may change what it
// sees; filters look at what is left. A number below 0 makes no call; the result is what the tracer says.
static long call_looked_at(struct trap_frame *frame) {
    frame->a0 = -ENOSYS;
    frame->in_syscall = 1; // but execve and rt_sigreturn, which have no result, say otherwise
    bool none = ptrace_wants_calls() && ptrace_call(PTRACE_EVENTMSG_SYSCALL_ENTRY);
    if (!none && READ_ONCE(current->seccomp))
        none = seccomp_refuses(frame);
    if (!none && (long)frame->a7 >= 0)
        frame->a0 = log_call(frame);
    if (ptrace_wants_calls())
        (void)ptrace_call(PTRACE_EVENTMSG_SYSCALL_EXIT);
    arch_frame_changed();
    return (long)frame->a0;
}

long __cold syscall_traced(SYSCALL_PARAMETERS) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    struct trap_frame *frame = arch_user_frame(current);
    bool looked_at = ptrace_is_traced(current) || READ_ONCE(current->seccomp);
    return looked_at ? call_looked_at(frame) : log_call(frame);
}

void syscalls_trace(void) {
    current->arch.syscalls = syscall_entries = traced_entries;
}
