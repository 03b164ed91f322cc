// SPDX-License-Identifier: MIT
#include "core/irq.h"
#include "arch/riscv/cpu.h"
#include "core/errno.h"
#include "upcalls.h"

static struct {
    void (*handler)(void *);
    void *arg;
    unsigned int place; // [I] of its counts
} lines[IRQ_COUNT];
static uint32_t counts[IRQ_LINES][MAX_HARTS];
static unsigned int places; // [a] that are taken

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
    unsigned int place = __atomic_fetch_add(&places, 1, __ATOMIC_RELAXED);
    if (place >= IRQ_LINES)
        return -ENOSPC;
    lines[irq].place = place;
    lines[irq].arg = arg;
    __atomic_store_n(&lines[irq].handler, handler, __ATOMIC_RELEASE);
    controller->enable_line(irq);
    return 0;
}

bool irq_dispatch(unsigned int irq) {
    if (irq >= IRQ_COUNT || !lines[irq].handler)
        return false;
    counts[lines[irq].place][this_hart_id()]++;
    lines[irq].handler(lines[irq].arg);
    return true;
}

bool irq_is_used(unsigned int irq) {
    return irq < IRQ_COUNT && __atomic_load_n(&lines[irq].handler, __ATOMIC_ACQUIRE);
}

uint64_t irq_count(unsigned int irq, unsigned int hart) {
    return irq_is_used(irq) && hart < MAX_HARTS ? counts[lines[irq].place][hart] : 0;
}
