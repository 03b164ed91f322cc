// SPDX-License-Identifier: MIT
// Interrupts of devices, by the number the interrupt controller gives them.
#pragma once
#include "core/types.h"

#define IRQ_COUNT 1024

// `handler` runs with interrupts disabled, on one hart at a time. -EBUSY if the number is taken, -EINVAL if
// there is none such.
int __must_check irq_register(unsigned int irq, void (*handler)(void *), void *arg);
// For the controller's driver: runs the handler; false if nobody registered.
bool irq_dispatch(unsigned int irq);
// For /proc/interrupts.
uint64_t irq_count(unsigned int irq);
// Set by the controller's driver: lets the interrupt through.
extern void (*irq_enable_line)(unsigned int irq);
