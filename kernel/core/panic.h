// SPDX-License-Identifier: MIT
// Stopping: panics, oopses, assertions, backtraces.
#pragma once
#include "core/types.h"

// Prints the message, the registers, the current process and a backtrace with function names and lines; stops
// the other harts; then waits, reboots or powers off as `panic=` says, with a failure status. Never returns.
void panic(const char *fmt, ...) __printf(1, 2) __noreturn __cold;

// Finds out how to tell the machine of a failure; before that, a panic ends it as any power-off. After
// fdt_init().
void panic_init(void);
// Whoever knows what runs sets this: one line that names it, for panics and logs.
extern void (*panic_describe)(char *buf, size_t n);

// For our own bugs only; what comes from outside never reaches one.
#define ASSERT(cond)                                                                                         \
    do {                                                                                                     \
        if (unlikely(!(cond)))                                                                               \
            panic("assertion failed: %s, at %s:%d", #cond, __FILE__, __LINE__);                              \
    } while (0)

// Checked in debug builds (make DEBUG=1) only.
#ifdef CONFIG_DEBUG
#define DEBUG_ASSERT(cond) ASSERT(cond)
#else
#define DEBUG_ASSERT(cond) ((void)sizeof(cond))
#endif
