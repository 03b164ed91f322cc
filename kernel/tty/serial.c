// SPDX-License-Identifier: MIT
// Terminals over serial ports: /dev/ttyS0 and on; and /dev/console, which is the one that `console=` names
// (the last one given, else the first port).
//
// Bytes come in an interrupt and go into a ring; one kernel thread, "ttyd", takes them through the line
// discipline, which sends signals and echoes. What a terminal does not take stays in its ring until a reader
// has made room.
#include "arch/riscv/uaccess.h"
#include "core/cmdline.h"
#include "core/panic.h"
#include "core/printk.h"
#include "drivers/serial.h"
#include "fs/dev/chrdev.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "tty/private.h"
#include <asm/ioctls.h>
#include <linux/major.h>
#include <linux/serial.h>

#define SERIAL_PORTS       16
#define SERIAL_RING        16384 // a power of 2
#define CONSOLE_MINOR      1
#define SERIAL_FIRST_MINOR 64 // of the lines that TIOCGSERIAL knows

struct serial_tty {
    struct tty tty;
    struct serial_port *port; // [I]
    struct chrdev chrdev;     // [I]
    struct spinlock lock;     // of the ring; taken with interrupts disabled
    char *ring;               // [I]
    unsigned int head, tail;  // [lock] bytes ever received and taken
    bool blocked;             // [a] the terminal is full: do not try before unthrottle()
    bool refused;             // [lock] the ring was full: the driver has more, if it keeps any
};

static struct serial_tty *ports[SERIAL_PORTS]; // [a] added to only, by one thread at a time
static unsigned int port_count;                // [a] of them
static struct serial_tty *console;             // [I] NULL: there is none
static struct wait_queue ttyd_wait = WAIT_QUEUE_INIT(ttyd_wait);
static bool ttyd_work;                           // [a]
static struct mutex adding = MUTEX_INIT(adding); // one line after the other gets its terminal

static void wake_ttyd(void) {
    __atomic_store_n(&ttyd_work, true, __ATOMIC_RELEASE);
    wake_one(&ttyd_wait);
}

// ---- output

static size_t serial_send(struct tty *tty, const char *text, size_t n) {
    struct serial_port *port = container_of(tty, struct serial_tty, tty)->port;
    return port->write(port, text, n);
}

static void serial_start(struct tty *tty) {
    tty_output_send(tty, serial_send);
}

static void serial_writable(struct serial_port *port) {
    struct serial_tty *s = port->owner;
    tty_output_send(&s->tty, serial_send);
}

// ---- input

static size_t serial_received(struct serial_port *port, const char *text, size_t n) {
    struct serial_tty *s = port->owner;
    unsigned long flags = spin_lock_irqsave(&s->lock);
    size_t room = SERIAL_RING - (s->head - s->tail);
    s->refused = n > room;
    n = MIN(n, room);
    for (size_t i = 0; i < n; i++)
        s->ring[s->head++ % SERIAL_RING] = text[i];
    spin_unlock_irqrestore(&s->lock, flags);
    if (n)
        wake_ttyd();
    return n;
}

// Only ttyd moves `tail`, so the bytes it looks at stay. A terminal that nobody has open drops them.
static void serial_deliver(struct serial_tty *s) {
    while (!__atomic_load_n(&s->blocked, __ATOMIC_ACQUIRE)) {
        unsigned long flags = spin_lock_irqsave(&s->lock);
        unsigned int at = s->tail % SERIAL_RING, n = MIN(s->head - s->tail, SERIAL_RING - at);
        spin_unlock_irqrestore(&s->lock, flags);
        if (!n)
            return;
        __atomic_store_n(&s->blocked, true, __ATOMIC_SEQ_CST); // before a reader's unthrottle() can clear it
        unsigned int taken = READ_ONCE(s->tty.files) ? tty_input(&s->tty, s->ring + at, n) : n;
        if (taken == n)
            __atomic_store_n(&s->blocked, false, __ATOMIC_RELEASE);
        flags = spin_lock_irqsave(&s->lock);
        s->tail += taken;
        bool more = s->refused;
        s->refused = false;
        spin_unlock_irqrestore(&s->lock, flags);
        if (more && s->port->receivable)
            s->port->receivable(s->port);
    }
}

static void serial_unthrottle(struct tty *tty) {
    struct serial_tty *s = container_of(tty, struct serial_tty, tty);
    __atomic_store_n(&s->blocked, false, __ATOMIC_RELEASE);
    wake_ttyd();
}

static void ttyd(void *arg) {
    (void)arg;
    for (;;) {
        wait_event(&ttyd_wait, __atomic_load_n(&ttyd_work, __ATOMIC_ACQUIRE));
        __atomic_store_n(&ttyd_work, false, __ATOMIC_SEQ_CST);
        for (unsigned int i = 0; i < __atomic_load_n(&port_count, __ATOMIC_ACQUIRE); i++)
            serial_deliver(ports[i]);
    }
}

// ---- devices

// TIOCGSERIAL: which port it is, by which programs find the console's name. Nothing of it can be set.
static long serial_ioctl(struct tty *tty, unsigned int cmd, unsigned long arg) {
    const struct serial_port *port = container_of(tty, struct serial_tty, tty)->port;
    struct serial_struct info;
    if (cmd != TIOCGSERIAL || !port->type)
        return -ENOTTY;
    memset(&info, 0, sizeof(info));
    info.type = port->type;
    info.line = (int)port->minor - SERIAL_FIRST_MINOR;
    return put_object((void __user *)arg, info);
}

static const struct tty_driver serial_driver = {.name = "serial",
                                                .start = serial_start,
                                                .ioctl = serial_ioctl,
                                                .unthrottle = serial_unthrottle,
                                                .closed = serial_unthrottle};

static int serial_open(struct chrdev *c, struct file *f) {
    return tty_open_file(&container_of(c, struct serial_tty, chrdev)->tty, f, false, true);
}

static int console_open(struct chrdev *c, struct file *f) {
    (void)c;
    return console ? tty_open_file(&console->tty, f, true, false) : -ENODEV;
}

static struct chrdev console_device = {.dev = MKDEV(TTYAUX_MAJOR, CONSOLE_MINOR),
                                       .name = "console",
                                       .driver = "/dev/console",
                                       .mode = 0600,
                                       .open = console_open,
                                       .ops = &tty_ops};

static struct serial_tty *serial_create(struct serial_port *port) {
    struct serial_tty *s = kzalloc(sizeof(*s));
    if (!s)
        return NULL;
    s->ring = kmalloc(SERIAL_RING);
    if (!s->ring || tty_setup(&s->tty, &serial_driver, MKDEV(port->major, port->minor))) {
        kfree(s->ring);
        kfree(s);
        return NULL;
    }
    spin_init(&s->lock);
    s->port = port;
    s->chrdev = (struct chrdev){.dev = s->tty.dev,
                                .name = port->name,
                                .driver = port->driver,
                                .mode = 0660,
                                .open = serial_open,
                                .ops = &tty_ops};
    return s;
}

// At boot, and when a host is late with its lines.
static void serial_add(struct serial_port *port) {
    mutex_lock(&adding);
    struct serial_tty *s = port_count < SERIAL_PORTS ? serial_create(port) : NULL;
    if (s) {
        ports[port_count] = s;
        __atomic_store_n(&port_count, port_count + 1, __ATOMIC_RELEASE);
        port->owner = s;
        port->writable = serial_writable;
        __atomic_store_n(&port->received, serial_received, __ATOMIC_RELEASE);
        chrdev_register(&s->chrdev);
    } else {
        pr_err("%s: no memory for its terminal", port->name);
    }
    mutex_unlock(&adding);
}

// `console=ttyS1,115200n8` names the port before the comma.
static struct serial_tty *find_console(void) {
    const char *name = cmdline_get("console");
    size_t n = 0;
    while (name && name[n] && name[n] != ',')
        n++;
    for (unsigned int i = 0; n && i < port_count; i++)
        if (!strncmp(ports[i]->port->name, name, n) && !ports[i]->port->name[n])
            return ports[i];
    return ports[0];
}

const char *tty_console_name(void) {
    return console ? console->port->name : NULL;
}

void tty_serial_init(void) {
    serial_port_for_each(serial_add);
    console = find_console();
    chrdev_register(&console_device);
    if (kthread_run("ttyd", ttyd, NULL))
        panic("no memory for the terminals' thread");
}
