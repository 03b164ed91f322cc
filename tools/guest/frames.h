// SPDX-License-Identifier: MIT
// What `drupe run` and the init it puts into the machine say to each other. They have a virtio console with some ports,
// each a stream of bytes: one for frames both ways, and one for each stream of the program's, its bytes as they are.
// Firmware and kernel have the serial line for themselves.
//
// A frame is its header and `length` bytes. How much of a stream belongs to the program is told in a frame, so that nothing is
// taken for the end, or left behind, only because two ports have different speeds.
#pragma once
#include <stdint.h>

// Numbers of ports; /dev/vport0p1 and on in the machine.
enum { PORT_CONTROL = 1, PORT_INPUT, PORT_OUTPUT, PORT_ERROR, PORT_TERMINAL, PORT_RESULT, PORT_COUNT };

struct frame {
    uint32_t type, length;
};

// From the guest.
enum {
    FRAME_HELLO = 1, // it is there
    FRAME_FAILED,    // struct frame_failed: the program could not be started
    FRAME_WANTED,    // the program reads its standard input, or may: it is to be sent
    FRAME_EXIT,      // struct frame_exit: it ended; the results follow. The machine is the host's to end
    FRAME_RESULT,    // struct frame_result: one more of the results has been sent
    FRAME_MISSING, // text: of what is not in the kernel, that a program asked for; before FRAME_EXIT, if that tells of an error
};

// To the guest.
enum {
    FRAME_START = 1, // struct frame_start and strings; then the program is started
    FRAME_INPUT_END, // 8 bytes: how many bytes of input there were in all
    FRAME_CLOSE,     // 4 bytes, PORT_OUTPUT or PORT_ERROR: nobody reads that any more
    FRAME_SIGNAL,    // 4 bytes: a signal for the program's process group, by its number
    FRAME_STOP,      // the program, and all others, are to be ended at once
    FRAME_SIZE,      // 4 bytes, rows and columns: the terminal has that size now
};
#define FRAME_MAX 96u // bytes of content, of all but FRAME_START

// What could not be had, and the errno; 0: there is none such.
struct frame_failed {
    uint32_t what;
    int32_t error;
    uint32_t order; // FAILED_ORDER: which, from 0 on
};
enum { FAILED_PROGRAM, FAILED_USER, FAILED_WORKDIR, FAILED_ORDER, FAILED_LOOKUP };

// Behind it, each with a NUL: the program's path, who runs it (USER[:GROUP], "" for root), where, the orders of ORDER_STRINGS
// strings each (what, and three arguments), the paths of the results ("": the whole root; /dev/kmsg: the kernel's log), the program's arguments, and its
// environment. An order is carried out before the program starts; results are sent, as archives one after the other, when it
// has ended.
struct frame_start {
    uint16_t rows, columns; // of the terminal
    uint32_t arguments;
    uint32_t terminals; // bit n: file descriptor n is a terminal
    uint32_t orders;
    uint32_t results;
    uint32_t seconds, nanoseconds; // this side's clock: QEMU gives its machine whole seconds
};
#define ORDER_STRINGS 4

struct frame_exit {
    int32_t status; // as wait() gives it
    uint32_t zero;
    uint64_t sent[PORT_COUNT]; // bytes through each port of output
    uint64_t user_us, system_us,
        peak; // processor time, and the most memory (bytes), of it and what it waited for
};

#define RESULT_FILE "file"
#define KERNEL_LOG  "/dev/kmsg"
struct frame_result {
    uint64_t end;          // bytes through PORT_RESULT, this result's and those of all before
    int32_t error;         // errno: it is not there, or some of it could not be read; 0
    uint32_t left_out;     // how much of it: files and directories
    uint32_t is_directory; // its content is the archive's; else it is the one file in there, RESULT_FILE
    uint32_t zero;
};
_Static_assert(sizeof(struct frame_start) == 28 && sizeof(struct frame_exit) == 88 &&
                   sizeof(struct frame_result) == 24,
               "the same on both sides");
