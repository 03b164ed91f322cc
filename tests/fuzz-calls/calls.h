// SPDX-License-Identifier: MIT
// The system-call fuzzer: programs of random calls, made from kernel/sys/syscalls.def.
//
// A *program* is a process that makes so many calls whose arguments fit their parameters' types more often than not. It is
// told by three numbers: the seed of the run, the worker that started it and its place in that worker's row; all that is
// random in it comes from them, so that `replay=SEED:WORKER:PROGRAM` makes the same calls again (what they meet, with
// other harts at work, may differ).
//
//   table.c     which types a call's parameters have, from the table's own text
//   values.c    values for them
//   program.c   a program: what it starts with, and its calls
//   main.c      /init of the fuzzed machine: the workers, and what is left when they are done
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CALL_PARAMETERS 6

enum type {
    TYPE_NUMBER,      // anything
    TYPE_FD,          // an open file
    TYPE_DIR_FD,      // one, or AT_FDCWD
    TYPE_PID,         // a process or thread
    TYPE_UID,         // a user or group
    TYPE_SIGNAL,      //
    TYPE_SIZE,        // of what the pointer before it points to
    TYPE_OFFSET,      // in a file
    TYPE_FLAGS,       // bits; cmd, op, how, which, ...: small numbers
    TYPE_CHOICE,      //
    TYPE_ADDRESS,     // of a mapping
    TYPE_PATH,        // a name in the file system
    TYPE_IOV,         // struct iovec[]
    TYPE_TIME,        // struct timespec, or several
    TYPE_STRINGS,     // NULL-terminated
    TYPE_SOCKET_NAME, // struct sockaddr
    TYPE_MESSAGE,     // struct msghdr, or mmsghdr
    TYPE_BUFFER,      // memory of any other kind
};

struct call {
    const char *name;
    long number;
    unsigned int parameters;
    enum type types[CALL_PARAMETERS];
};

extern struct call calls[];
extern const unsigned int call_count;

// Fills in calls[] from the table.
void calls_read(void);
// The call of this name; NULL: there is none.
const struct call *call_find(const char *name);

// ---- random numbers: one row for each program

void random_start(uint64_t seed, uint64_t worker, uint64_t program);
uint64_t random_bits(void);
// 0 to n - 1
unsigned int random_below(unsigned int n);
// true once in n times
bool one_in(unsigned int n);

// ---- values

// The memory that values point into: made anew by each program.
void values_init(void);
// Which calls may be made, by whom: not those that end the run by doing what they are for.
bool call_is_allowed(const struct call *call, bool root);
// Makes its arguments, but for those that would end the run or stop the machine that is to be looked at.
void make_arguments(const struct call *call, unsigned long arguments[CALL_PARAMETERS], bool root);

// ---- programs

struct program {
    uint64_t seed;
    unsigned int worker, number, calls;
    bool root;        // run as root
    bool verbose;     // print each call before it is made
    const char *only; // the one call to make, or NULL
};

// Makes the program's calls in this process; never returns.
void program_run(const struct program *p) __attribute__((noreturn));
