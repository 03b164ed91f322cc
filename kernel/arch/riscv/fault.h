// SPDX-License-Identifier: MIT
// Between the trap handler and those it turns to inside the kernel.
#pragma once
#include "arch/riscv/trap.h"

// The routines of uaccess.S that may fault, and where a fault that cannot be mended continues.
struct uaccess_range {
    unsigned long start, end, fixup;
};
// The range that holds pc, or NULL.
const struct uaccess_range *uaccess_find(unsigned long pc);
