// SPDX-License-Identifier: MIT
#include "core/irq.h"
#include "core/errno.h"

static struct {
    void (*handler)(void *);
    void *arg;
    uint64_t count;
} lines[IRQ_COUNT];

void (*irq_enable_line)(unsigned int irq);

int irq_register(unsigned int irq, void (*handler)(void *), void *arg) {
    if (irq == 0 || irq >= IRQ_COUNT || !irq_enable_line)
        return -EINVAL;
    if (lines[irq].handler)
        return -EBUSY;
    lines[irq].arg = arg;
    __atomic_store_n(&lines[irq].handler, handler, __ATOMIC_RELEASE);
    irq_enable_line(irq);
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
