// SPDX-License-Identifier: MIT
// Interrupts of devices, by the number the interrupt controller gives them.
#pragma once
#include "core/types.h"

#define IRQ_COUNT 1024

#define IRQ_LINES 64 // that may be registered

// `handler` runs with interrupts disabled, on one hart at a time. -EBUSY if the number is taken, -EINVAL if
// there is none such, -ENOSPC if there are too many.
int __must_check irq_register(unsigned int irq, void (*handler)(void *), void *arg);
// For /proc/interrupts: whether somebody has registered for it; how many there were at a hart.
bool irq_is_used(unsigned int irq);
uint64_t irq_count(unsigned int irq, unsigned int hart);

struct irq_controller {
    void (*enable_line)(unsigned int irq); // lets it through
    void (*start_hart)(void);              // this hart takes interrupts from here on; NULL: nothing to do
    void (*handle)(void); // those that are pending at this hart, each by irq_dispatch(); interrupts disabled
};
// For the controller's driver, at boot.
void irq_set_controller(const struct irq_controller *controller);
// Runs the handler; false if nobody registered.
bool irq_dispatch(unsigned int irq);
// Each hart, before it takes interrupts.
void irq_start_hart(void);
