// SPDX-License-Identifier: MIT
// What the files of the console device share.
//
//   console.c  the device: control messages, which ports there are
//   port.c     bytes through a port
//   hvc.c      ports that are terminals' lines
//
// Key: [I] immutable, [l] of port->lock, [a] atomic.
#pragma once
#include "drivers/serial.h"
#include "drivers/virtio/port.h"
#include "drivers/virtio/virtio.h"

#define PORT_NAME 16

struct console_device;

struct console_port {
    struct virtio_port public;
    struct console_device *device;        // [I]
    char name[PORT_NAME];                 // [I]
    bool announced;                       // those above know of it; the device's thread alone
    bool is_line;                         // [a] a terminal's
    bool present, connected;              // [a] the host has such a port; somebody there has it open
    unsigned int opened;                  // [a] 0 or 1: by a program here
    struct spinlock lock;                 // both queues; taken with interrupts disabled
    struct virtqueue *receive, *transmit; // [I]
    bool supplied;                        // [l] the device has buffers to write to
    char *reading;                        // the buffer that is being read; its reader's
    uint32_t offset, length;              // of it
    char *spare[8];                       // [l] buffers to send from
    unsigned int spare_count;             // [l]
    unsigned int buffers;                 // [l] there are, with those underway
    struct serial_port serial;            // if it is a line
};

// console.c
// A message to the device about a port. 0, -ENOMEM, -EIO. Threads only.
int __must_check console_control(struct console_device *c, unsigned int port, unsigned int event,
                                 unsigned int value);
// The device's thread is to look at the lines' input, and at messages. Any context.
void console_wake(struct console_device *c);

// port.c
int __must_check port_create(struct console_device *c, struct virtio_device *d, struct console_port *port,
                             unsigned int id);
// Gives the device buffers to write to, once. 0, -ENOMEM, -EIO.
int __must_check port_supply(struct console_port *port);

// hvc.c
void line_add(struct console_port *port, unsigned int index);
// Passes on what has come; true: there may be more. Threads only.
bool line_receive(struct console_port *port);
