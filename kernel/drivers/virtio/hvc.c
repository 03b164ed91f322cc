// SPDX-License-Identifier: MIT
// Ports that the host says are consoles: lines of terminals, hvc0 and on.
#include "drivers/virtio/console_private.h"
#include "lib/format.h"
#include "lib/string.h"

#define LINE_MAJOR 229

static size_t line_write(struct serial_port *serial, const char *text, size_t n) {
    struct console_port *p = container_of(serial, struct console_port, serial);
    size_t done = 0;
    while (done < n) {
        size_t room;
        char *buffer = virtio_port_get_room(&p->public, &room);
        if (!buffer && virtio_port_is_writable(&p->public) && virtio_port_is_connected(&p->public))
            continue; // one has come back since
        if (!buffer)
            break;
        room = MIN(room, n - done);
        memcpy(buffer, text + done, room);
        virtio_port_send(&p->public, buffer, room);
        done += room;
    }
    return virtqueue_is_broken(p->transmit) ? n : done; // of no use to wait for it
}

// In pieces that end, so that one line does not keep the others waiting.
bool line_receive(struct console_port *p) {
    size_t n;
    const void *bytes = virtio_port_peek(&p->public, &n);
    size_t (*received)(struct serial_port *, const char *, size_t) =
        __atomic_load_n(&p->serial.received, __ATOMIC_ACQUIRE);
    if (bytes && received)
        n = received(&p->serial, bytes, n);
    if (bytes)
        virtio_port_consume(&p->public, n);
    return bytes ? n > 0 : virtio_port_is_readable(&p->public) && virtio_port_is_connected(&p->public);
}

// The terminal has room again for what it did not take.
static void line_receivable(struct serial_port *serial) {
    console_wake(container_of(serial, struct console_port, serial)->device);
}

void line_add(struct console_port *p, unsigned int index) {
    lib_snprintf(p->name, sizeof(p->name), "hvc%u", index);
    p->serial = (struct serial_port){.name = p->name,
                                     .driver = "hvc",
                                     .major = LINE_MAJOR,
                                     .minor = index,
                                     .write = line_write,
                                     .receivable = line_receivable};
    __atomic_store_n(&p->is_line, true, __ATOMIC_RELEASE);
    serial_port_register(&p->serial);
}
