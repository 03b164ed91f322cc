// SPDX-License-Identifier: MIT
// A pipe that is filled on demand, for the init of `drupe run`, which must not take from its own input what
// nobody in the machine will read.
#pragma once

// ioctl() of a pipe's write end: poll() finds that it can be written only once a reader has found the pipe
// empty, waiting in read() or poll() or not. Linux has no such request (ENOTTY).
#define PIPE_ON_DEMAND 0x4401
