// SPDX-License-Identifier: MIT
// A file that is there whole or not at all: it is written to a temporary file beside it, which gets the name
// at the end. One at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct output {
    const char *name;
    int fd;
};

// The number of the descriptor that the name stands for (/dev/fd/N, /dev/stdout); -1: it is a file's.
int output_descriptor(const char *name);
// Begins a file; "-" is standard output, unless that is a terminal. A name of an open file (/dev/fd/N, /dev/stdout) is that, where it
// stands; what exists and is no regular file (a device, a FIFO, a symlink) is written to, and stays. `what` is what the file holds, for
// messages. Ends the program where that fails, as the other two do; the temporary file is removed then, also on a signal.
void output_open(struct output *out, const char *name, const char *what);
// What is written next goes there.
void output_seek(struct output *out, uint64_t at);
void output_write(struct output *out, const void *bytes, size_t count);
void output_finish(struct output *out);
