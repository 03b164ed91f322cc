// SPDX-License-Identifier: MIT
// Bytes through a port. Received ones stay in the buffer that the device wrote them to until they are read; sent ones are
// copied once, into a buffer that comes back when the device has taken them. Interrupts are asked for only when somebody is
// about to wait.
#include "arch/riscv/layout.h"
#include "drivers/virtio/console_private.h"
#include "lib/format.h"
#include "mm/page.h"
#include "mm/slab.h"
#include <linux/virtio_console.h>

#define RECEIVE_SIZE   PAGE_SIZE
#define RECEIVE_COUNT  32u
#define RECEIVE_BATCH  16u // given back before the device is told of it, unless somebody is about to wait
#define TRANSMIT_SIZE  (8u * PAGE_SIZE) // the host has it in one piece
#define TRANSMIT_COUNT ARRAY_SIZE(((struct console_port *)0)->spare)

void (*virtio_port_found)(struct virtio_port *port);

static struct console_port *of(const struct virtio_port *port) {
    return container_of(port, struct console_port, public);
}

static void receive_used(struct virtqueue *q) {
    struct console_port *p = virtqueue_owner(q);
    if (READ_ONCE(p->is_line))
        console_wake(p->device);
    wake_all(&p->public.read_wait);
}

static void transmit_used(struct virtqueue *q) {
    struct console_port *p = virtqueue_owner(q);
    if (READ_ONCE(p->is_line) && p->serial.writable)
        p->serial.writable(&p->serial);
    wake_all(&p->public.write_wait);
}

int port_create(struct console_device *c, struct virtio_device *d, struct console_port *p, unsigned int id) {
    unsigned int first = id ? 2 * id + 2 : 0; // the second pair is the control messages'
    p->device = c;
    lib_snprintf(p->name, sizeof(p->name), "vport%up%u", d->index, id);
    p->public.name = p->name;
    p->public.device = d->index;
    p->public.id = id;
    wait_queue_init(&p->public.read_wait);
    wait_queue_init(&p->public.write_wait);
    spin_init(&p->lock);
    p->receive = virtqueue_create(d, first, RECEIVE_COUNT, receive_used, p);
    if (IS_ERR(p->receive))
        return PTR_ERR(p->receive);
    p->transmit = virtqueue_create(d, first + 1, TRANSMIT_COUNT, transmit_used, p);
    return IS_ERR(p->transmit) ? PTR_ERR(p->transmit) : 0;
}

bool virtio_port_is_connected(const struct virtio_port *port) {
    const struct console_port *p = of(port);
    return __atomic_load_n(&p->connected, __ATOMIC_ACQUIRE) && !virtqueue_is_broken(p->receive) &&
           !virtqueue_is_broken(p->transmit);
}

// ---- buffers

static void take_back_sent(struct console_port *p) {
    uint32_t n;
    for (char *buffer; (buffer = virtqueue_take(p->transmit, &n));)
        p->spare[p->spare_count++] = buffer;
}

// Sees to it that there is one to send from, if there can be. [l]
static void find_spare(struct console_port *p) {
    take_back_sent(p);
    if (p->spare_count || p->buffers == MIN((unsigned int)TRANSMIT_COUNT, virtqueue_size(p->transmit)))
        return;
    char *buffer = kmalloc(TRANSMIT_SIZE);
    if (!buffer)
        return;
    p->buffers++;
    p->spare[p->spare_count++] = buffer;
}

// The device is told of all that it was given. [l]
static void tell_of_buffers(struct console_port *p) {
    if (virtqueue_untold(p->receive))
        virtqueue_kick(p->receive);
}

static int give_buffer(struct console_port *p, char *buffer) {
    const struct virtio_piece piece = {virt_to_phys(buffer), RECEIVE_SIZE};
    unsigned long flags = spin_lock_irqsave(&p->lock);
    int err = virtqueue_add(p->receive, &piece, 0, 1, buffer);
    if (virtqueue_untold(p->receive) >= RECEIVE_BATCH)
        tell_of_buffers(p);
    spin_unlock_irqrestore(&p->lock, flags);
    if (err)
        kfree(buffer);
    return err;
}

int port_supply(struct console_port *p) {
    unsigned long flags = spin_lock_irqsave(&p->lock);
    find_spare(p);
    unsigned int sending = p->buffers; // with one at least, waiting for one to come back makes sense
    spin_unlock_irqrestore(&p->lock, flags);
    if (!sending)
        return -ENOMEM;
    for (unsigned int have = 0; !READ_ONCE(p->supplied) && have < virtqueue_size(p->receive); have++) {
        char *buffer = kmalloc(RECEIVE_SIZE);
        if (!buffer && !have)
            return -ENOMEM;
        int err = buffer ? give_buffer(p, buffer) : 0; // with fewer it is slower
        if (err)
            return err;
    }
    flags = spin_lock_irqsave(&p->lock);
    tell_of_buffers(p);
    spin_unlock_irqrestore(&p->lock, flags);
    WRITE_ONCE(p->supplied, true);
    return 0;
}

// ---- from the host

const void *virtio_port_peek(struct virtio_port *port, size_t *n) {
    struct console_port *p = of(port);
    if (!p->reading) {
        unsigned long flags = spin_lock_irqsave(&p->lock);
        p->reading = virtqueue_take(p->receive, &p->length);
        spin_unlock_irqrestore(&p->lock, flags);
        p->offset = 0;
        if (p->reading && !p->length)
            virtio_port_consume(port, 0);
        if (!p->reading)
            return NULL;
    }
    *n = p->length - p->offset;
    return p->reading + p->offset;
}

void virtio_port_consume(struct virtio_port *port, size_t n) {
    struct console_port *p = of(port);
    p->offset += (uint32_t)n;
    if (p->offset < p->length)
        return;
    char *buffer = p->reading;
    p->reading = NULL;
    (void)!give_buffer(p, buffer); // broken: readers see that
}

bool virtio_port_is_readable(struct virtio_port *port) {
    struct console_port *p = of(port);
    if (READ_ONCE(p->reading))
        return true;
    unsigned long flags = spin_lock_irqsave(&p->lock);
    tell_of_buffers(p);
    bool ready = virtqueue_want_interrupt(p->receive);
    spin_unlock_irqrestore(&p->lock, flags);
    return ready || !virtio_port_is_connected(port);
}

// ---- to the host

void *virtio_port_get_room(struct virtio_port *port, size_t *n) {
    struct console_port *p = of(port);
    unsigned long flags = spin_lock_irqsave(&p->lock);
    find_spare(p);
    char *buffer = p->spare_count ? p->spare[--p->spare_count] : NULL;
    spin_unlock_irqrestore(&p->lock, flags);
    *n = TRANSMIT_SIZE;
    return buffer;
}

void virtio_port_send(struct virtio_port *port, void *bytes, size_t n) {
    struct console_port *p = of(port);
    const struct virtio_piece piece = {virt_to_phys(bytes), (uint32_t)n};
    unsigned long flags = spin_lock_irqsave(&p->lock);
    if (virtqueue_add(p->transmit, &piece, 1, 0, bytes))
        p->spare[p->spare_count++] = bytes; // broken: nothing is sent any more
    else
        virtqueue_kick(p->transmit);
    spin_unlock_irqrestore(&p->lock, flags);
}

void virtio_port_drop(struct virtio_port *port, void *bytes) {
    struct console_port *p = of(port);
    unsigned long flags = spin_lock_irqsave(&p->lock);
    p->spare[p->spare_count++] = bytes;
    spin_unlock_irqrestore(&p->lock, flags);
}

bool virtio_port_is_writable(struct virtio_port *port) {
    struct console_port *p = of(port);
    unsigned long flags = spin_lock_irqsave(&p->lock);
    find_spare(p);
    bool ready = p->spare_count || virtqueue_want_interrupt(p->transmit);
    spin_unlock_irqrestore(&p->lock, flags);
    return ready || !virtio_port_is_connected(port);
}

// ---- life

int virtio_port_open(struct virtio_port *port) {
    struct console_port *p = of(port);
    if (!READ_ONCE(p->present))
        return -ENXIO;
    if (__atomic_exchange_n(&p->opened, 1, __ATOMIC_ACQUIRE))
        return -EBUSY;
    int err = port_supply(p);
    if (!err)
        err = console_control(p->device, port->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
    if (err)
        __atomic_store_n(&p->opened, 0, __ATOMIC_RELEASE);
    else
        virtqueue_remind(p->receive); // QEMU forgets buffers that came while the port was closed
    return err;
}

// What has come and was not read is for nobody.
void virtio_port_close(struct virtio_port *port) {
    struct console_port *p = of(port);
    size_t n;
    (void)!console_control(p->device, port->id, VIRTIO_CONSOLE_PORT_OPEN, 0);
    for (unsigned int i = 0; i < 2 * RECEIVE_COUNT && virtio_port_peek(port, &n); i++)
        virtio_port_consume(port, n);
    __atomic_store_n(&p->opened, 0, __ATOMIC_RELEASE);
}
