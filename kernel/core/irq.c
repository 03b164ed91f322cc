// SPDX-License-Identifier: MIT
#include "core/irq.h"
#include "core/errno.h"
#include "upcalls.h"

static struct {
    void (*handler)(void *);
    void *arg;
    uint64_t count;
} lines[IRQ_COUNT];

static const struct irq_controller *controller; // [I] NULL: devices cannot interrupt

void irq_set_controller(const struct irq_controller *c) {
    controller = c;
    irq_start_hart();
}

void irq_start_hart(void) {
    if (controller && controller->start_hart)
        controller->start_hart();
}

void external_interrupt(void) {
    if (controller)
        controller->handle();
}

int irq_register(unsigned int irq, void (*handler)(void *), void *arg) {
    if (irq == 0 || irq >= IRQ_COUNT || !controller)
        return -EINVAL;
    if (lines[irq].handler)
        return -EBUSY;
    lines[irq].arg = arg;
    __atomic_store_n(&lines[irq].handler, handler, __ATOMIC_RELEASE);
    controller->enable_line(irq);
    return 0;
}

bool irq_dispatch(unsigned int irq) {
    if (irq >= IRQ_COUNT || !lines[irq].handler)
        return false;
    lines[irq].count++;
    lines[irq].handler(lines[irq].arg);
    return true;
}

uint64_t irq_count(unsigned int irq) {
    return irq < IRQ_COUNT ? lines[irq].count : 0;
}
