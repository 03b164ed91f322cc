// SPDX-License-Identifier: MIT
// The console device (specification 1.2, section 5.3) and its control messages. With several ports the host tells which
// there are, their names, and when somebody there opens or closes one.
#include "arch/riscv/layout.h"
#include "core/printk.h"
#include "drivers/virtio/console_private.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#define PORTS           16u // of more, the host is told that we have no use for them
#define CONTROL_IN      2
#define CONTROL_OUT     3
#define MESSAGES_IN     16u
#define MESSAGES_OUT    32u // underway; a host that leaves so many unread does not listen
#define MESSAGE_IN_SIZE 512u
#define LABEL_MOST      255u

struct console_device {
    struct virtio_device *device;                         // [I]
    struct virtqueue *control_in, *control_out;           // [I] NULL: it has one port, and no messages
    struct spinlock lock;                                 // control_out
    struct virtio_console_control *spare[MESSAGES_OUT];   // [lock]
    unsigned int spare_count;                             // [lock]
    struct virtio_console_control messages[MESSAGES_OUT]; // memory of those that are sent
    char (*received)[MESSAGE_IN_SIZE];                    // and of those that come
    struct wait_queue work_wait;
    bool work;          // [a] for the thread
    bool ready;         // [a] it has seen what there was at once
    unsigned int count; // [I] ports
    struct console_port ports[PORTS];
};

static unsigned int line_count; // of all devices; they are looked for one after the other

void console_wake(struct console_device *c) {
    __atomic_store_n(&c->work, true, __ATOMIC_RELEASE);
    wake_one(&c->work_wait);
}

static void control_used(struct virtqueue *q) {
    console_wake(virtqueue_owner(q));
}

// ---- messages to the host

// The newest message's memory, NULL: all of it is underway.
static struct virtio_console_control *get_message_locked(struct console_device *c) {
    ASSERT_HELD(&c->lock);
    uint32_t n;
    for (struct virtio_console_control *m; (m = virtqueue_take(c->control_out, &n));)
        c->spare[c->spare_count++] = m;
    return c->spare_count ? c->spare[--c->spare_count] : NULL;
}

int console_control(struct console_device *c, unsigned int port, unsigned int event, unsigned int value) {
    int err = -EIO;
    if (!c->control_out)
        return 0;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    struct virtio_console_control *m = get_message_locked(c);
    if (m) {
        const struct virtio_piece piece = {virt_to_phys(m), sizeof(*m)};
        *m = (struct virtio_console_control){.id = port, .event = (uint16_t)event, .value = (uint16_t)value};
        err = virtqueue_add(c->control_out, &piece, 1, 0, m);
        if (!err)
            virtqueue_kick(c->control_out);
    }
    spin_unlock_irqrestore(&c->lock, flags);
    return err;
}

// ---- messages from the host

static void set_connected(struct console_port *p, bool connected) {
    __atomic_store_n(&p->connected, connected, __ATOMIC_RELEASE);
    wake_all(&p->public.read_wait);
    wake_all(&p->public.write_wait);
}

static void set_label(struct console_port *p, const char *text, size_t n) {
    if (p->public.label)
        return;
    __atomic_store_n(&p->public.label, kstrndup(text, MIN(n, (size_t)LABEL_MOST)), __ATOMIC_RELEASE);
}

static void become_line(struct console_port *p) {
    if (p->is_line || p->announced)
        return;
    int err = port_supply(p);
    if (!err)
        err = console_control(p->device, p->public.id, VIRTIO_CONSOLE_PORT_OPEN, 1);
    if (err) {
        pr_err("%s: no terminal: error %d", p->name, err);
        return;
    }
    p->announced = true;
    line_add(p, line_count++);
}

static void take_message(struct console_device *c, const char *bytes, uint32_t n) {
    struct virtio_console_control m;
    if (n < sizeof(m))
        return;
    memcpy(&m, bytes, sizeof(m));
    struct console_port *p = m.id < c->count ? &c->ports[m.id] : NULL;
    if (m.event == VIRTIO_CONSOLE_PORT_ADD) {
        if (p)
            __atomic_store_n(&p->present, true, __ATOMIC_RELEASE);
        (void)!console_control(c, m.id, VIRTIO_CONSOLE_PORT_READY, p != NULL);
    } else if (!p || !p->present) {
        return;
    } else if (m.event == VIRTIO_CONSOLE_PORT_REMOVE) {
        __atomic_store_n(&p->present, false, __ATOMIC_RELEASE);
        set_connected(p, false);
    } else if (m.event == VIRTIO_CONSOLE_CONSOLE_PORT) {
        become_line(p);
    } else if (m.event == VIRTIO_CONSOLE_PORT_OPEN) {
        set_connected(p, m.value);
    } else if (m.event == VIRTIO_CONSOLE_PORT_NAME) {
        set_label(p, bytes + sizeof(m), n - sizeof(m));
    }
}

static int give_message_buffer(struct console_device *c, void *buffer) {
    const struct virtio_piece piece = {virt_to_phys(buffer), MESSAGE_IN_SIZE};
    int err = virtqueue_add(c->control_in, &piece, 0, 1, buffer);
    if (!err)
        virtqueue_kick(c->control_in);
    return err;
}

static void take_messages(struct console_device *c) {
    uint32_t n;
    for (char *m; (m = virtqueue_take(c->control_in, &n));) {
        take_message(c, m, n);
        if (give_message_buffer(c, m))
            return; // broken
        cond_resched();
    }
}

static void announce(struct console_device *c) {
    for (unsigned int i = 0; i < c->count; i++) {
        struct console_port *p = &c->ports[i];
        if (!p->present || p->announced)
            continue;
        p->announced = true;
        if (virtio_port_found)
            virtio_port_found(&p->public);
    }
}

// ---- the device's thread

static bool pass_on_lines(struct console_device *c) {
    bool more = false;
    for (unsigned int i = 0; i < c->count; i++)
        if (c->ports[i].is_line)
            more |= line_receive(&c->ports[i]);
    return more;
}

static void work(struct console_device *c) {
    do {
        if (c->control_in) {
            take_messages(c);
            announce(c);
        }
        cond_resched();
    } while (pass_on_lines(c) || (c->control_in && virtqueue_want_interrupt(c->control_in) &&
                                  !virtqueue_is_broken(c->control_in)));
}

static void begin(struct console_device *c) {
    virtio_start(c->device);
    if (c->control_in) {
        (void)!console_control(c, 0, VIRTIO_CONSOLE_DEVICE_READY, 1); // there is room for the first one
    } else {
        c->ports[0].present = c->ports[0].connected = true;
        become_line(&c->ports[0]);
    }
}

static void console_thread(void *arg) {
    struct console_device *c = arg;
    begin(c);
    work(c);
    __atomic_store_n(&c->ready, true, __ATOMIC_RELEASE);
    wake_all(&c->work_wait);
    for (;;) {
        wait_event(&c->work_wait, __atomic_load_n(&c->work, __ATOMIC_ACQUIRE));
        __atomic_store_n(&c->work, false, __ATOMIC_SEQ_CST);
        work(c);
    }
}

// ---- finding it

static int create_control(struct console_device *c) {
    c->received = kmalloc(MESSAGES_IN * MESSAGE_IN_SIZE);
    if (!c->received)
        return -ENOMEM;
    c->control_in = virtqueue_create(c->device, CONTROL_IN, MESSAGES_IN, control_used, c);
    if (IS_ERR(c->control_in))
        return PTR_ERR(c->control_in);
    c->control_out = virtqueue_create(c->device, CONTROL_OUT, MESSAGES_OUT, NULL, c);
    if (IS_ERR(c->control_out))
        return PTR_ERR(c->control_out);
    for (unsigned int i = 0; i < virtqueue_size(c->control_out); i++)
        c->spare[c->spare_count++] = &c->messages[i];
    return 0;
}

static int create_queues(struct console_device *c) {
    struct virtio_device *d = c->device;
    bool several = virtio_has(d, VIRTIO_CONSOLE_F_MULTIPORT);
    uint32_t most = 1;
    if (several)
        virtio_config_read(d, offsetof(struct virtio_console_config, max_nr_ports), &most, sizeof(most));
    c->count = MIN(most, PORTS);
    for (unsigned int i = 0; i < c->count; i++) {
        int err = port_create(c, d, &c->ports[i], i);
        if (err)
            return err;
    }
    return several ? create_control(c) : 0;
}

// What there is at once is found before anybody asks for it; what the host is slower with comes later.
static int start(struct console_device *c) {
    for (unsigned int i = 0; c->control_in && i < virtqueue_size(c->control_in); i++)
        if (give_message_buffer(c, c->received[i]))
            return -EIO;
    int err = kthread_run("virtio-console", console_thread, c);
    if (!err)
        wait_event(&c->work_wait, __atomic_load_n(&c->ready, __ATOMIC_ACQUIRE));
    return err;
}

static int probe(struct virtio_device *d) {
    struct console_device *c = kzalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->device = d;
    d->owner = c;
    spin_init(&c->lock);
    wait_queue_init(&c->work_wait);
    int err = create_queues(c);
    return err ? err : start(c); // `c` stays: there is one in a machine that has no memory
}

const struct virtio_driver virtio_console_driver = {.name = "console",
                                                    .id = VIRTIO_ID_CONSOLE,
                                                    .features = 1ull << VIRTIO_CONSOLE_F_MULTIPORT,
                                                    .probe = probe};
