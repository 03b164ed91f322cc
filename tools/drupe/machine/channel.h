// SPDX-License-Identifier: MIT
// The ports between this command and the init of its machine (tools/guest/frames.h): a socket for each, whose other end is
// QEMU's. Nothing here waits.
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/guest/frames.h"

#define FLOW_SIZE 65536

// A stream from one file descriptor to another, one of them a port. -1: that end is closed, or never was; what comes from
// the other is dropped at once.
struct flow {
    int from, to;
    uint8_t *bytes; // that have been read and not written yet: at to used
    size_t at, used;
    uint64_t passed; // bytes ever read
    int error;       // errno of the write after which `to` was -1
};

struct channel {
    int ours[PORT_COUNT], qemus[PORT_COUNT]; // ends of each port, from PORT_CONTROL on
    struct flow flows[PORT_COUNT];
    uint8_t *out; // frames that have not gone yet: out_at to out_used
    size_t out_at, out_used;
    uint8_t in[sizeof(struct frame) + FRAME_MAX]; // a frame that is being read
    size_t in_used;
    bool closed; // QEMU has let go of the frames' port
};

// Makes the sockets, or fails.
void channel_open(struct channel *c);
// QEMU has its own copies of its ends now.
void channel_close_qemus(struct channel *c);

void channel_send(struct channel *c, uint32_t type, const void *content, size_t n);
// What to poll the frames' port for; what can go, goes.
struct pollfd channel_poll(const struct channel *c);
void channel_flush(struct channel *c);
// A frame that is whole: its content stays until the next call. False: none is yet.
bool channel_receive(struct channel *c, uint32_t *type, const void **content, size_t *n);

// The end of the flow that is to be waited for: where to, if there is something to go, else where from.
struct pollfd flow_poll(const struct flow *f);
// A file descriptor for what `fd` is open to, an output of ours. That of a pipe is one that does not make us wait: whether the pipe's
// own does is for all who have it, and not ours to change.
int channel_output(int fd);
// Moves what that end is ready for. Gives the bytes that were read.
size_t flow_move(struct flow *f);
static inline bool flow_is_empty(const struct flow *f) {
    return f->at == f->used;
}
