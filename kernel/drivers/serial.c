// SPDX-License-Identifier: MIT
// The register of serial ports. Lines of slow hosts are found while the machine runs.
#include "drivers/serial.h"
#include "core/spinlock.h"

static struct spinlock ports_lock = SPINLOCK_INIT;
static struct list_head ports = LIST_HEAD_INIT(ports); // [ports_lock] added to only
static void (*found)(struct serial_port *port);        // [ports_lock]

void serial_port_register(struct serial_port *port) {
    spin_lock(&ports_lock);
    list_add_tail(&port->link, &ports);
    void (*fn)(struct serial_port *) = found;
    spin_unlock(&ports_lock);
    if (fn)
        fn(port);
}

void serial_port_for_each(void (*fn)(struct serial_port *port)) {
    struct list_head *at = &ports;
    for (;;) {
        spin_lock(&ports_lock);
        at = at->next;
        if (at == &ports)
            found = fn; // who registers from here on calls it
        spin_unlock(&ports_lock);
        if (at == &ports)
            return;
        fn(list_entry(at, struct serial_port, link));
    }
}
