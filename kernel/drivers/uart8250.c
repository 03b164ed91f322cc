// SPDX-License-Identifier: MIT
// 16550-compatible UARTs (National Semiconductor PC16550D data sheet), as `ns16550a` in the device tree. Each
// is a serial port for the terminal layer; the first is the kernel's console, too.
#include "drivers/uart8250.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "core/earlycon.h"
#include "core/fdt.h"
#include "core/irq.h"
#include "core/printk.h"
#include "core/spinlock.h"
#include "drivers/serial.h"
#include <linux/major.h>
#include <linux/serial.h>

#define MAX_PORTS   4
#define FIRST_MINOR 64
#define FIFO_SIZE   16

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define IER_RECEIVE      0x01
#define IER_TRANSMIT     0x02
#define FCR_ENABLE_CLEAR 0x07
#define FCR_TRIGGER_14   0xc0 // interrupt with 14 bytes, or when no more come: most of the FIFO in one go
#define LCR_8N1          0x03
#define MCR_ON           0x0b // DTR, RTS, interrupts out
#define LSR_READY        0x01
#define LSR_EMPTY        0x20

struct uart {
    struct serial_port port;
    volatile uint8_t *base; // [I]
    unsigned int shift;     // [I] registers are 1 << shift bytes apart
    unsigned int irq;       // [I] 0: none
    struct spinlock lock;   // registers
    uint8_t ier;            // [lock]
};

static struct uart uarts[MAX_PORTS];
static unsigned int uart_count;

static uint8_t get(struct uart *u, unsigned int reg) {
    return u->base[reg << u->shift];
}

static void set(struct uart *u, unsigned int reg, uint8_t v) {
    u->base[reg << u->shift] = v;
}

static void set_ier(struct uart *u, uint8_t ier) {
    if (u->ier != ier)
        set(u, IER, u->ier = ier);
}

static size_t uart_write(struct serial_port *port, const char *text, size_t n) {
    struct uart *u = container_of(port, struct uart, port);
    unsigned long flags = spin_lock_irqsave(&u->lock);
    size_t done = 0;
    while (done < n && (get(u, LSR) & LSR_EMPTY)) {
        for (int room = FIFO_SIZE; done < n && room > 0; room--)
            set(u, DATA, text[done++]);
    }
    set_ier(u, IER_RECEIVE | (done < n ? IER_TRANSMIT : 0));
    spin_unlock_irqrestore(&u->lock, flags);
    return done;
}

static void uart_interrupt(void *arg) {
    struct uart *u = arg;
    char text[64];
    size_t n = 0;
    bool writable = false;
    unsigned long flags = spin_lock_irqsave(&u->lock);
    while (n < sizeof(text) && (get(u, LSR) & LSR_READY))
        text[n++] = get(u, DATA);
    if ((u->ier & IER_TRANSMIT) && (get(u, LSR) & LSR_EMPTY)) {
        writable = true;
        set_ier(u, IER_RECEIVE);
    }
    spin_unlock_irqrestore(&u->lock, flags);
    if (n && u->port.received)
        (void)u->port.received(&u->port, text, n); // there is no place for what is not taken
    if (writable && u->port.writable)
        u->port.writable(&u->port);
}

// The log's lines go out by waiting for the transmitter, so that they come also when nothing else works any
// more.
static void console_write(const char *text, size_t n) {
    struct uart *u = &uarts[0];
    unsigned long flags = spin_lock_irqsave(&u->lock);
    for (size_t i = 0; i < n; i++) {
        while (!(get(u, LSR) & LSR_EMPTY))
            ;
        if (text[i] == '\n')
            set(u, DATA, '\r');
        set(u, DATA, text[i]);
    }
    spin_unlock_irqrestore(&u->lock, flags);
}

static struct console uart_console = {"ttyS0", console_write};

static void add(int node) {
    static const char *const names[MAX_PORTS] = {"ttyS0", "ttyS1", "ttyS2", "ttyS3"};
    struct fdt_range range;
    struct uart *u = &uarts[uart_count];
    if (!fdt_reg(node, &range) || !(u->base = arch_ioremap(range.base, range.size)))
        return;
    u->shift = fdt_u32(node, "reg-shift", 0);
    u->irq = fdt_u32(node, "interrupts", 0);
    u->port = (struct serial_port){.name = names[uart_count],
                                   .driver = "ttyS",
                                   .major = TTY_MAJOR,
                                   .minor = FIRST_MINOR + uart_count,
                                   .type = PORT_16550A,
                                   .write = uart_write};
    set(u, IER, 0);
    set(u, LCR, LCR_8N1);
    set(u, FCR, FCR_ENABLE_CLEAR | FCR_TRIGGER_14);
    set(u, MCR, MCR_ON);
    serial_port_register(&u->port);
    uart_count++;
}

void uart_init(void) {
    for (int node = -1; uart_count < MAX_PORTS && (node = fdt_next_compatible(node, "ns16550a")) >= 0;)
        add(node);
    if (uart_count)
        console_register(&uart_console);
    else
        earlycon_register();
}

void uart_enable_interrupts(void) {
    for (unsigned int i = 0; i < uart_count; i++) {
        struct uart *u = &uarts[i];
        if (irq_register(u->irq, uart_interrupt, u)) {
            pr_warn("%s: interrupt %u cannot be had; no input", u->port.name, u->irq);
            continue;
        }
        unsigned long flags = spin_lock_irqsave(&u->lock);
        set_ier(u, IER_RECEIVE);
        spin_unlock_irqrestore(&u->lock, flags);
    }
}
