// SPDX-License-Identifier: MIT
// Ports to the host as devices, /dev/vport0p1 and on: Linux's names, and Linux's rules of its virtio console. One program
// at a time may have a port open. Reading one that nobody on the host has open is the end of file, writing to it waits.
#include "core/printk.h"
#include "drivers/virtio/port.h"
#include "fs/dev/chrdev.h"
#include "fs/event/poll.h"
#include "mm/slab.h"
#include <linux/fcntl.h>

#define VPORT_MAJOR 243 // of those that Linux gives to whoever comes first
#define MINORS      64u // of each device

struct vport {
    struct chrdev chrdev;
    struct virtio_port *port;             // [I]
    struct mutex read_mutex, write_mutex; // before vmspace.lock: both are held over copies
};

static int wait_readable(struct file *f, struct virtio_port *port) {
    if (f->flags & O_NONBLOCK)
        return virtio_port_is_readable(port) ? 0 : -EAGAIN;
    return wait_event_interruptible(&port->read_wait, virtio_port_is_readable(port));
}

// What there is, up to the reader's wish. 0: nothing, or nobody at the other end.
static ssize_t read_available(struct virtio_port *port, struct uio *u) {
    size_t done = 0, n;
    const void *bytes;
    while (u->resid && (bytes = virtio_port_peek(port, &n))) {
        n = MIN(n, u->resid);
        size_t copied = uio_write_to(u, bytes, n);
        virtio_port_consume(port, copied);
        done += copied;
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
        if (cond_resched_killable())
            break;
    }
    return (ssize_t)done;
}

static ssize_t vport_read(struct file *f, struct uio *u, off_t *pos) {
    struct vport *v = f->private_data;
    (void)pos;
    if (!u->resid)
        return 0;
    ssize_t done = mutex_lock_killable(&v->read_mutex);
    if (done)
        return done;
    for (;;) {
        bool connected =
            virtio_port_is_connected(v->port); // before the look: what came before the end is read
        done = read_available(v->port, u);
        if (done || !connected)
            break;
        done = wait_readable(f, v->port);
        if (!done)
            done = cond_resched_killable(); // a device may give back nothing again and again
        if (done)
            break;
    }
    mutex_unlock(&v->read_mutex);
    return done;
}

static int wait_writable(struct file *f, struct virtio_port *port) {
    if (f->flags & O_NONBLOCK)
        return virtio_port_is_connected(port) && virtio_port_is_writable(port) ? 0 : -EAGAIN;
    return wait_event_interruptible(&port->write_wait,
                                    virtio_port_is_connected(port) && virtio_port_is_writable(port));
}

static ssize_t write_some(struct file *f, struct virtio_port *port, struct uio *u) {
    size_t n;
    void *room = NULL;
    while (!room) {
        int err = wait_writable(f, port);
        if (err)
            return err;
        room = virtio_port_get_room(port, &n);
    }
    n = uio_read_from(u, room, MIN(n, u->resid));
    if (n)
        virtio_port_send(port, room, n);
    else
        virtio_port_drop(port, room);
    return n ? (ssize_t)n : -EFAULT;
}

static ssize_t vport_write(struct file *f, struct uio *u, off_t *pos) {
    struct vport *v = f->private_data;
    ssize_t done = 0;
    (void)pos;
    int err = mutex_lock_killable(&v->write_mutex);
    if (err)
        return err;
    while (u->resid) {
        ssize_t n = write_some(f, v->port, u);
        if (n < 0) {
            done = done ? done : n;
            break;
        }
        done += n;
        if (cond_resched_killable())
            break;
    }
    mutex_unlock(&v->write_mutex);
    return done;
}

static unsigned int vport_poll(struct file *f, struct poll_table *table) {
    struct virtio_port *port = ((struct vport *)f->private_data)->port;
    poll_wait(f, &port->read_wait, table);
    poll_wait(f, &port->write_wait, table);
    bool connected = virtio_port_is_connected(port), readable = virtio_port_is_readable(port);
    return (readable ? POLLIN | POLLRDNORM : 0) |
           (connected ? (virtio_port_is_writable(port) ? POLLOUT | POLLWRNORM : 0) : POLLHUP);
}

static void vport_release(struct file *f) {
    virtio_port_close(((struct vport *)f->private_data)->port);
}

static const struct file_ops vport_ops = {
    .read = vport_read, .write = vport_write, .poll = vport_poll, .release = vport_release};
static const struct file_ops closed_ops = {0}; // of a file whose open() failed: it releases nothing

static int vport_open(struct chrdev *c, struct file *f) {
    struct vport *v = container_of(c, struct vport, chrdev);
    int err = virtio_port_open(v->port);
    if (err)
        return err;
    f->private_data = v;
    f->ops = &vport_ops;
    return 0;
}

static void add(struct virtio_port *port) {
    struct vport *v = kzalloc(sizeof(*v));
    if (!v) {
        pr_err("%s: no memory for it", port->name);
        return;
    }
    v->port = port;
    mutex_init(&v->read_mutex);
    mutex_init(&v->write_mutex);
    v->chrdev = (struct chrdev){.dev = MKDEV(VPORT_MAJOR, port->device * MINORS + port->id),
                                .name = port->name,
                                .driver = "virtio-portsdev",
                                .mode = 0600,
                                .open = vport_open,
                                .ops = &closed_ops};
    chrdev_register(&v->chrdev);
}

const char *vport_label(const struct chrdev *c) {
    if (c->open != vport_open)
        return NULL;
    const char *label =
        __atomic_load_n(&container_of(c, const struct vport, chrdev)->port->label, __ATOMIC_ACQUIRE);
    return label ? label : "";
}

void vport_init(void) {
    virtio_port_found = add;
}
