// SPDX-License-Identifier: MIT
// A debug kernel does what `lockcheck=KIND` on its command line names, a wrong thing with locks, so that a test sees
// that it is found (tests/boot/test_lockcheck.py). In a thread, once timers run.
#pragma once

#ifdef CONFIG_DEBUG
void lockcheck_prove(void);
#else
static inline void lockcheck_prove(void) {}
#endif
