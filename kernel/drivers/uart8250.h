// SPDX-License-Identifier: MIT
// 16550 UARTs.
#pragma once

// Finds them in the device tree; the first becomes the console. Early: no interrupts yet.
void uart_init(void);
// Input and interrupt-driven output from here on. After plic_init().
void uart_enable_interrupts(void);
