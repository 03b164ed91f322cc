// SPDX-License-Identifier: MIT
// Each hart's supervisor context is enabled for every line in use; whichever hart claims an interrupt first
// handles it.
#include "drivers/plic.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "core/fdt.h"
#include "core/irq.h"
#include "core/printk.h"
#include "core/spinlock.h"

#define ENABLE_BASE      0x2000
#define ENABLE_STRIDE    0x80
#define CONTEXT_BASE     0x200000
#define CONTEXT_STRIDE   0x1000
#define CONTEXT_CLAIM    4
#define IRQ_S_EXTERNAL   9
#define DEFAULT_PRIORITY 1

static volatile uint8_t *base;
static int context_of[MAX_HARTS]; // -1: none
static struct spinlock plic_lock; // enable bits

static volatile uint32_t *reg(unsigned long offset) {
    return (volatile uint32_t *)(base + offset);
}

static void enable_line(unsigned int irq) {
    unsigned long flags = spin_lock_irqsave(&plic_lock);
    *reg(4ul * irq) = DEFAULT_PRIORITY;
    for (unsigned int i = 0; i < hart_count; i++) {
        if (context_of[i] >= 0)
            *reg(ENABLE_BASE + ENABLE_STRIDE * (unsigned long)context_of[i] + irq / 32 * 4) |= 1u << irq % 32;
    }
    spin_unlock_irqrestore(&plic_lock, flags);
}

static void handle(void) {
    int context = context_of[this_hart_id()];
    if (context < 0)
        return;
    volatile uint32_t *claim = reg(CONTEXT_BASE + CONTEXT_STRIDE * (unsigned long)context + CONTEXT_CLAIM);
    for (uint32_t irq; (irq = *claim) != 0; *claim = irq)
        irq_dispatch(irq);
}

static const struct irq_controller plic = {.enable_line = enable_line, .handle = handle};

static int find_node(void) {
    int node = fdt_next_compatible(-1, "sifive,plic-1.0.0");
    return node >= 0 ? node : fdt_next_compatible(-1, "riscv,plic0");
}

bool plic_init(void) {
    struct fdt_range range;
    int node = find_node();
    if (node < 0 || !fdt_reg(node, &range) || !(base = arch_ioremap(range.base, range.size)))
        return false;
    for (unsigned int i = 0; i < MAX_HARTS; i++)
        context_of[i] = -1;
    // Contexts are numbered as the pairs (interrupt controller, interrupt) stand in interrupts-extended.
    for (unsigned int c = 0; c < fdt_u32_count(node, "interrupts-extended") / 2; c++) {
        if (fdt_u32_at(node, "interrupts-extended", 2 * c + 1, 0) != IRQ_S_EXTERNAL)
            continue;
        int hart = fdt_hart_of_intc(fdt_u32_at(node, "interrupts-extended", 2 * c, 0));
        if (hart < 0)
            continue;
        context_of[hart] = (int)c;
        *reg(CONTEXT_BASE + CONTEXT_STRIDE * c) = 0; // threshold: all priorities
    }
    irq_set_controller(&plic);
    return true;
}
