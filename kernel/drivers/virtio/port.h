// SPDX-License-Identifier: MIT
// Ports of virtio console devices: streams of bytes to and from the host, each with a name.
//
// A port is a terminal's line (hvc0), or a stream for programs (/dev/vport0p1). The first is a serial_port; of the second
// the file layer makes devices, with what follows. For each direction one caller at a time.
#pragma once
#include "sched/wait.h"

struct virtio_port {
    const char *name;        // [I] "vport0p1"
    const char *label;       // [a] what the host calls it, NULL until it says so; then it stays
    unsigned int device, id; // [I]
    struct wait_queue read_wait, write_wait;
    void *owner; // of the file layer
};

// Called with each port for programs; thread context. It stays for good, also when the host removes it.
extern void (*virtio_port_found)(struct virtio_port *port);

// The host is told that somebody reads and writes. 0, -EBUSY (one at a time), -ENOMEM, -EIO (the host does not listen),
// -ENXIO (the port has gone).
int __must_check virtio_port_open(struct virtio_port *port);
void virtio_port_close(struct virtio_port *port);
// Somebody on the host has it open. What it wrote before it closed it is still to be read.
bool virtio_port_is_connected(const struct virtio_port *port);

// Bytes that have come, *n of them, not 0; NULL: none now. They stay where they are until as many are consumed.
const void *virtio_port_peek(struct virtio_port *port, size_t *n);
void virtio_port_consume(struct virtio_port *port, size_t n);
// For waiters on read_wait: there are bytes, or it has ended. If not, read_wait is woken when that changes.
bool virtio_port_is_readable(struct virtio_port *port);

// Memory for up to *n bytes to be sent, which the caller owns until it sends or drops them; NULL: none now.
void *virtio_port_get_room(struct virtio_port *port, size_t *n);
void virtio_port_send(struct virtio_port *port, void *bytes, size_t n);
void virtio_port_drop(struct virtio_port *port, void *bytes);
// For waiters on write_wait, as above. A port that will never take anything any more is writable, and is not connected.
bool virtio_port_is_writable(struct virtio_port *port);
