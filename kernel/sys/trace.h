// SPDX-License-Identifier: MIT
// Tracing of system calls: the `trace` of the command line. One line for each call, as strace(1) writes them.
//
//   trace               every call of every program
//   trace=NAME[,NAME]   calls of these names, and all calls of programs with these names
#pragma once
#include "core/types.h"

struct trap_frame;

// A line in the making: the arguments are written down at entry, as the call may change what they point to.
#define TRACE_LINE 400
struct trace_call {
    bool wanted;
    size_t used;
    char line[TRACE_LINE];
};

// Boot: reads the command line; without `trace` there, calls cost nothing more.
void trace_init(void);
void trace_enter(struct trace_call *t, unsigned long nr, const struct trap_frame *f);
void trace_exit(struct trace_call *t, long ret);
// A call's name also if it is not implemented; NULL: no such number.
const char *syscall_name(unsigned long nr);
