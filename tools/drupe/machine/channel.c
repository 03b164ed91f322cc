// SPDX-License-Identifier: MIT
#include "machine/channel.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/util.h"

#define PIPE_PIECE 4096 // what a pipe that is ready takes without making us wait (PIPE_BUF)

void channel_open(struct channel *c) {
    for (int port = PORT_CONTROL; port < PORT_COUNT; port++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
            fail("a socket for the machine: %s", strerror(errno));
        c->ours[port] = ends[0];
        c->qemus[port] = ends[1];
        fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        c->flows[port] = port == PORT_INPUT ? (struct flow){.from = -1, .to = ends[0]}
                                            : (struct flow){.from = ends[0], .to = -1};
        c->flows[port].bytes = xcalloc(FLOW_SIZE, 1);
    }
}

void channel_close_qemus(struct channel *c) {
    for (int port = PORT_CONTROL; port < PORT_COUNT; port++)
        close(c->qemus[port]);
}

static bool is_for_now(void) {
    return errno == EAGAIN || errno == EINTR;
}

// ---- frames

void channel_send(struct channel *c, uint32_t type, const void *content, size_t n) {
    const struct frame head = {type, (uint32_t)n};
    if (c->out_at == c->out_used)
        c->out_at = c->out_used = 0;
    c->out = xrealloc(c->out, c->out_used + sizeof(head) + n);
    memcpy(c->out + c->out_used, &head, sizeof(head));
    if (n)
        memcpy(c->out + c->out_used + sizeof(head), content, n);
    c->out_used += sizeof(head) + n;
    channel_flush(c);
}

void channel_flush(struct channel *c) {
    while (c->out_at < c->out_used && !c->closed) {
        ssize_t n = write(c->ours[PORT_CONTROL], c->out + c->out_at, c->out_used - c->out_at);
        if (n < 0 && is_for_now())
            return;
        c->closed = n < 0; // the machine is gone, which its serial line tells
        c->out_at += n > 0 ? (size_t)n : 0;
    }
}

struct pollfd channel_poll(const struct channel *c) {
    return (struct pollfd){.fd = c->closed ? -1 : c->ours[PORT_CONTROL],
                           .events = (short)(POLLIN | (c->out_at < c->out_used ? POLLOUT : 0))};
}

static size_t wanted_of(const struct channel *c) {
    struct frame head;
    if (c->in_used < sizeof(head))
        return sizeof(head);
    memcpy(&head, c->in, sizeof(head));
    return sizeof(head) +
           (head.length < FRAME_MAX ? head.length : FRAME_MAX); // what is longer is not the init's
}

bool channel_receive(struct channel *c, uint32_t *type, const void **content, size_t *n) {
    struct frame head;
    while (c->in_used < wanted_of(c)) {
        ssize_t got = read(c->ours[PORT_CONTROL], c->in + c->in_used, wanted_of(c) - c->in_used);
        if (got == 0 || (got < 0 && !is_for_now()))
            c->closed = true;
        if (got <= 0)
            return false;
        c->in_used += (size_t)got;
    }
    memcpy(&head, c->in, sizeof(head));
    *type = head.type;
    *content = c->in + sizeof(head);
    *n = c->in_used - sizeof(head);
    c->in_used = 0;
    return true;
}

// ---- flows

struct pollfd flow_poll(const struct flow *f) {
    if (!flow_is_empty(f))
        return (struct pollfd){.fd = f->to, .events = POLLOUT};
    return (struct pollfd){.fd = f->from, .events = POLLIN};
}

static size_t read_more(struct flow *f) {
    ssize_t n = read(f->from, f->bytes, FLOW_SIZE);
    if (n == 0 || (n < 0 && !is_for_now()))
        f->from = -1;
    f->used = n > 0 ? (size_t)n : 0;
    f->at = f->to < 0 ? f->used : 0;
    f->passed += n > 0 ? (uint64_t)n : 0;
    return n > 0 ? (size_t)n : 0;
}

// What does not make us wait takes all of it: a port, a file, a pipe that was opened for that.
static size_t piece_of(const struct flow *f) {
    struct stat st;
    size_t left = f->used - f->at;
    bool never_waits = left <= PIPE_PIECE || fcntl(f->to, F_GETFL) & O_NONBLOCK ||
                       (fstat(f->to, &st) == 0 && S_ISREG(st.st_mode));
    return never_waits ? left : PIPE_PIECE;
}

int channel_output(int fd) {
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
        return fd;
    char *path = xasprintf("/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    free(path);
    return own < 0 ? fd : own;
}

static void write_more(struct flow *f) {
    ssize_t n = write(f->to, f->bytes + f->at, piece_of(f));
    if (n < 0 && !is_for_now()) {
        f->error = errno;
        f->to = -1;
        f->at = f->used;
    }
    f->at += n > 0 ? (size_t)n : 0;
}

size_t flow_move(struct flow *f) {
    if (flow_is_empty(f))
        return f->from >= 0 ? read_more(f) : 0;
    write_more(f);
    return 0;
}
