// SPDX-License-Identifier: MIT
// What a test can do to the loopback device of a debug kernel.
#pragma once
#include "core/types.h"

#ifdef CONFIG_DEBUG
extern unsigned long loopback_faults[3]; // [a] frames lost, doubled, held back until the next: of a thousand
// [the stack's lock] Nothing is lost, doubled or held back.
bool loopback_is_perfect(void);
// [the same] The network that is there ends.
void loopback_end_locked(void);
#else
static inline void loopback_end_locked(void) {}
static inline bool loopback_is_perfect(void) {
    return true;
}
#endif
