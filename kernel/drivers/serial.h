// SPDX-License-Identifier: MIT
// Serial ports: what a UART driver offers the terminal layer.
#pragma once
#include "core/types.h"

struct serial_port {
    const char *name;   // "ttyS0"
    unsigned int index; // minor 64 + index
    // Puts bytes out, as many as there is room for, and asks for an interrupt when there is room again;
    // returns how many. Any context.
    size_t (*write)(struct serial_port *port, const char *text, size_t n);
    // Set by the terminal layer; called from the driver's interrupt, interrupts disabled.
    void (*received)(struct serial_port *port, const char *text, size_t n);
    void (*writable)(struct serial_port *port);
    void *owner; // of the terminal layer
};
// The ports found by the drivers, NULL past the last.
struct serial_port *serial_port_get(unsigned int index);
