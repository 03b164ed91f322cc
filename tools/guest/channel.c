// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tools/guest/guest.h"

#define START_MOST (256u << 20)
#define DRAIN_MOST                                                                                           \
    (1u << 20) // what a pipe can hold: who goes on writing when the program has ended is not waited for
#define PORT_WAIT  10   // ms between looks for ports that are not there yet
#define PORT_LOOKS 1000 // that many

struct flow flows[PORT_COUNT];
static int control;

// ---- frames

static void write_all(int fd, const void *bytes, size_t n) {
    const char *from = bytes;
    while (n) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno != EINTR)
            power_off(); // the host is gone, and with it whoever could be told
        from += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
}

static void read_all(int fd, void *bytes, size_t n) {
    char *to = bytes;
    while (n) {
        ssize_t done = read(fd, to, n);
        if (done == 0 || (done < 0 && errno != EINTR))
            power_off();
        to += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
}

void channel_send(int type, const void *content, size_t n) {
    char bytes[sizeof(struct frame) + FRAME_MAX];
    struct frame head = {(uint32_t)type, (uint32_t)n};
    memcpy(bytes, &head, sizeof(head));
    if (n)
        memcpy(bytes + sizeof(head), content, n);
    write_all(control, bytes, sizeof(head) + n);
}

void channel_write(int port, const void *bytes, size_t n) {
    fcntl(flows[port].to, F_SETFL, 0);
    write_all(flows[port].to, bytes, n);
}

int channel_control(void) {
    return control;
}

int channel_receive(void **content, size_t *n) {
    static char small[FRAME_MAX + 1];
    struct frame head;
    read_all(control, &head, sizeof(head));
    *n = head.length;
    *content = small;
    if (head.length > (head.type == FRAME_START ? START_MOST : FRAME_MAX))
        die("a frame of the host's");
    if (head.type == FRAME_START && !(*content = malloc(head.length + 1)))
        die("the arguments and the environment");
    read_all(control, *content, head.length);
    ((char *)*content)[head.length] = '\0';
    return (int)head.type;
}

// ---- ports

static int open_port(int port, int flags) {
    char path[32];
    int fd = -1;
    snprintf(path, sizeof(path), "/dev/vport0p%d", port);
    for (int looks = 0; looks < PORT_LOOKS && (fd = open(path, flags | O_CLOEXEC)) < 0 && errno == ENOENT;
         looks++)
        poll(NULL, 0, PORT_WAIT);
    if (fd < 0)
        die(path);
    return fd;
}

void channel_open(void) {
    control = open_port(PORT_CONTROL, O_RDWR);
    for (int port = PORT_INPUT; port < PORT_COUNT; port++) {
        int fd = open_port(port, port == PORT_INPUT ? O_RDONLY | O_NONBLOCK : O_WRONLY | O_NONBLOCK);
        flows[port] =
            port == PORT_INPUT ? (struct flow){.from = fd, .to = -1} : (struct flow){.from = -1, .to = fd};
        flows[port].bytes = malloc(FLOW_SIZE);
        if (!flows[port].bytes)
            die("buffers");
    }
}

// ---- flows

static bool is_for_now(void) {
    return errno == EAGAIN || errno == EINTR;
}

void flow_read(struct flow *f) {
    if (f->from < 0 || f->at < f->used)
        return;
    ssize_t n = read(f->from, f->bytes, FLOW_SIZE);
    if (n > 0) {
        f->at = 0;
        f->used = (size_t)n;
        f->passed += (uint64_t)n;
    } else if (n == 0 || !is_for_now()) {
        close(f->from);
        f->from = -1;
    }
}

void flow_write(struct flow *f) {
    size_t left = f->used - f->at;
    ssize_t n = f->to < 0 ? (ssize_t)left : write(f->to, f->bytes + f->at, left);
    if (n < 0 && !is_for_now())
        n = (ssize_t)left; // nobody will read it
    f->at += n > 0 ? (size_t)n : 0;
}

void flow_drain(struct flow *f) {
    if (f->from >= 0)
        fcntl(f->from, F_SETFL, O_NONBLOCK);
    if (f->to >= 0)
        fcntl(f->to, F_SETFL, 0);
    uint64_t most = f->passed + DRAIN_MOST;
    for (;;) {
        while (f->at < f->used)
            flow_write(f);
        if (f->passed < most)
            flow_read(f);
        if (f->at == f->used)
            break;
    }
}
