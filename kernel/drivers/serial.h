// SPDX-License-Identifier: MIT
// Serial ports: what drivers of lines offer the terminal layer.
#pragma once
#include "core/types.h"
#include "lib/list.h"

struct serial_port {
    const char *name;          // "ttyS0"
    const char *driver;        // "ttyS", in /proc/devices
    unsigned int major, minor; // of its device
    int type;                  // PORT_* of linux/serial.h, 0: it is none that TIOCGSERIAL knows
    // Puts bytes out, as many as there is room for, and asks for an interrupt when there is room again;
    // returns how many. Any context.
    size_t (*write)(struct serial_port *port, const char *text, size_t n);
    // Bytes that were not taken may be now. Any context; NULL: the driver keeps none, what is not taken is lost.
    void (*receivable)(struct serial_port *port);
    // Set by the terminal layer. received() returns how many bytes it took. Any context; the driver's interrupt, mostly.
    size_t (*received)(struct serial_port *port, const char *text, size_t n);
    void (*writable)(struct serial_port *port);
    void *owner; // of the terminal layer
    struct list_head link;
};
// A line has been found; for good. Threads only, or before there are any.
void serial_port_register(struct serial_port *port);
// Calls fn for all that are there, in order, and for each that comes later. Threads only.
void serial_port_for_each(void (*fn)(struct serial_port *port));
