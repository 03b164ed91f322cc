// SPDX-License-Identifier: MIT
// Names and lines of the kernel's own code, for backtraces: a table that tools/mksymbols makes of the linked
// kernel.
#pragma once
#include "core/types.h"

struct symbol {
    const char *name;
    unsigned long offset, size; // of the address in the function; the function's
};

// The function that a text address is in. False: none.
bool symbol_find(unsigned long pc, struct symbol *out);
// Writes "function+0x12 (file.c:34)" for a text address, or the bare number if it is none.
void symbol_describe(unsigned long pc, char *buf, size_t n);
