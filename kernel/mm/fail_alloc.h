// SPDX-License-Identifier: MIT
// Allocations that fail on purpose, in debug builds (make DEBUG=1): what is done when memory runs out is code that
// nobody runs otherwise. An allocation is a page_alloc() or a slab_alloc(), kmalloc() included; those of interrupt
// handlers are left alone.
//
//   fail_alloc=N on the command line     the Nth since the start fails
//   fail_alloc=1/N                       each with that probability, in all programs but pid 1
//   /proc/thread-self/fail-nth           the Nth from now on of one thread, as in Linux
//                                        (Documentation/fault-injection/fault-injection.rst)
#pragma once
#include "core/types.h"

#ifdef CONFIG_DEBUG
// True: the allocation that is about to be made is to fail.
bool alloc_must_fail(void);
// Boot: what fail_alloc= wants. -EINVAL: it is neither N nor 1/N.
int __must_check fail_alloc_set(const char *value);
// The current thread is about to run the first program.
void fail_alloc_begin(void);
#else
static inline bool alloc_must_fail(void) {
    return false;
}
static inline void fail_alloc_begin(void) {}
#endif
