// SPDX-License-Identifier: MIT
// What `drupe run` and the init it puts into the machine say to each other over the serial line.
//
// To the guest, bytes as they are: TYPE, LENGTH (two bytes, the lower first), then LENGTH bytes. The guest says
// how much of it has been used up (FRAME_TAKEN); no more than FRAME_WINDOW bytes of START and INPUT are ever
// on the way, so that its terminal layer never has to drop any.
//
// From the guest, every byte of a frame has its top bit set, and no byte of the firmware's and the kernel's
// messages has: a line of the log may come in the midst of a frame, and both stay whole. The other seven bits
// are: TYPE; LENGTH, in two groups, the lower first; then LENGTH bytes in groups of seven bits, lower bits first,
// the last group filled up with zeros.
#pragma once
#include <stdint.h>

#define FRAME_MAX    2048 // bytes of content, from the guest
#define FRAME_WINDOW 2048 // bytes of content, to the guest

// From the guest.
enum {
    FRAME_HELLO = 1, // it is there
    FRAME_OUTPUT,    // what the program wrote to standard output, if that is a pipe,
    FRAME_ERROR,     // to standard error, if that is one,
    FRAME_TERMINAL,  // to its terminal
    FRAME_TAKEN,     // 2 bytes: how many bytes of START and INPUT have been used up
    FRAME_FAILED,    // 4 bytes: the program could not be started, for this errno
    FRAME_WANTED,    // the program reads its standard input, or may: it is to be sent
    FRAME_EXIT,      // 4 bytes: how it ended, as wait() gives it
};

// To the guest.
enum {
    FRAME_START = 1, // a part of what is to be started: struct frame_start and strings
    FRAME_GO,        // that was all
    FRAME_INPUT,     // for the program's standard input; empty: the end
    FRAME_CLOSE,     // 1 byte, FRAME_OUTPUT or FRAME_ERROR: nobody reads that any more
    FRAME_SIGNAL,    // 1 byte: a signal for the program's process group, by its number
    FRAME_SIZE,      // 4 bytes, rows and columns: the terminal has that size now
};

// Behind it, each with a NUL: the program's path, `arguments` arguments, and the environment.
struct frame_start {
    uint16_t rows, columns; // of the terminal
    uint16_t arguments;
    uint8_t terminals; // bit n: file descriptor n is a terminal
    uint8_t zero;
};
_Static_assert(sizeof(struct frame_start) == 8, "the same on both sides");
