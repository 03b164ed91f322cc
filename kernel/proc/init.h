// SPDX-License-Identifier: MIT
// The start of processes, for boot/main.c.
#pragma once

// The tables, signals, /proc/PID. Panics if it cannot.
void process_init(void);
// The current kernel thread becomes process 1 and runs the first program it can (init=, rdinit=, /init, ...).
// If there is none, it panics with all that was tried. `theirs`: what to run in place of /init, which is another archive's;
// NULL: nothing.
void process_start_init(const char *theirs) __attribute__((noreturn));
