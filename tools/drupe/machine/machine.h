// SPDX-License-Identifier: MIT
// One program in a machine of QEMU's: boots it, is the program's standard input, output and error, and ends with it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/util.h"
#include "machine/channel.h"

// Exit statuses that are not the program's. The last three are those of other commands that start one.
#define MACHINE_PANICKED       122
#define MACHINE_NOT_STARTED    123 // QEMU is missing, or failed
#define MACHINE_TIMED_OUT      124
#define MACHINE_ERROR          125 // of this command, before there was a machine
#define MACHINE_CANNOT_EXECUTE 126
#define MACHINE_NOT_FOUND      127

// What is brought out of the machine when the program has ended.
struct results {
    int fd;       // a file, for archives one after the other
    size_t count; // wanted
    size_t came;
    struct frame_result *each; // of those that came
    uint64_t most;             // bytes of all of them
    const char *most_is;       // why no more, for a message
};

// How it ended.
struct ending {
    bool exited, timed_out, panicked; // exited: the rest is known
    struct frame_exit exit;
    double seconds; // from QEMU's start to its end
    struct strings
        missing; // what programs asked the kernel for that it does not have, if the program ended with an error
};

struct machine {
    char **command;          // QEMU's, with a NULL behind; its standard output is the serial line
    struct channel *channel; // whose ends it has
    const char *name;        // the program's, for messages
    void *start;             // what FRAME_START tells (tools/guest/frames.h), but for the terminals
    size_t start_size;
    uint64_t timeout;               // ms; 0: none
    uint64_t memory;                // bytes
    const struct strings *troubles; // what to say when an order of the start could not be carried out
    struct results *results;        // NULL: none are wanted
    const char *log;                // a file for what firmware and kernel say, or NULL: standard error
    bool no_stdin;                  // ours is left alone, the program's is empty
    bool quiet;                     // a signal that ended the program is not told
    bool verbose;                   // all of that, else from the kernel on
};

// Gives the exit status: the program's, 128 + the signal that ended it, or one of the above, with a message.
int machine_run(const struct machine *m, struct ending *ending);

// For who is about to become QEMU: what that knows of translated code comes from malloc(), so it gets huge pages, and one heap for its threads.
// Some 4 % of the processor time of a start, less of long jobs. The caller's own GLIBC_TUNABLES stay.
void machine_tune(void);
