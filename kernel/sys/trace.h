// SPDX-License-Identifier: MIT
// Tracing of system calls: the `trace` of the command line. One line for each call, as strace(1) writes them.
//
//   trace               every call of every program
//   trace=NAME[,NAME]   calls of these names, and all calls of programs with these names
#pragma once
#include "core/types.h"

// A line in the making. What a call is given is written down at entry, as it may change under the call; what
// it gives back, and all after that, at exit.
#define TRACE_LINE 400
#define TRACE_ARGS 6
struct trace_call {
    bool wanted;
    int shown; // arguments in the line
    const char *kinds;
    long result;
    size_t used;
    char line[TRACE_LINE];
};

// Boot: reads the command line; without `trace` there, calls cost nothing more.
void trace_init(void);
void trace_enter(struct trace_call *t, unsigned long nr, const unsigned long args[TRACE_ARGS]);
void trace_exit(struct trace_call *t, const unsigned long args[TRACE_ARGS], long ret);
// A call's name also if it is not implemented; NULL: no such number.
const char *syscall_name(unsigned long nr);
