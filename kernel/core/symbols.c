// SPDX-License-Identifier: MIT
// The table (tools/mksymbols): a header of 32-bit numbers { functions, files, names' offset, lines' offset };
// for each function { address - KERNEL_BASE, name, lines }; for each file its name's offset; the names; and
// each function's lines as a byte stream of (file number, first line) and then pairs (address step, line
// step), in LEB128, the line steps zigzag, ended by an address step of 0 followed by 0.
#include "core/symbols.h"
#include "arch/riscv/layout.h"
#include "lib/format.h"

struct symbol_header {
    uint32_t functions, files, names, lines;
};
struct symbol_function {
    uint32_t address, name, lines;
};
extern const struct symbol_header __symbols[];

static uint32_t read_number(const uint8_t **p) {
    uint32_t v = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint32_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
}

static int32_t read_signed(const uint8_t **p) {
    uint32_t v = read_number(p);
    return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

// The line of the last row at or below `offset` into the function; 0 if there is none.
static uint32_t find_line(const uint8_t *p, uint32_t offset, uint32_t *file) {
    uint32_t at = 0, line = read_number(&p);
    *file = read_number(&p);
    for (;;) {
        uint32_t step = read_number(&p);
        int32_t change = read_signed(&p);
        if ((step == 0 && change == 0) || at + step > offset)
            return line;
        at += step;
        line += change;
    }
}

static const struct symbol_function *functions(void) {
    return (const struct symbol_function *)(__symbols + 1);
}

// The number of the function that pc is in; -1: it is in none.
static long find(unsigned long pc) {
    uint32_t offset = pc - KERNEL_BASE, low = 0, high = __symbols->functions;
    if (pc < KERNEL_BASE || pc >= (unsigned long)__text_end || !high)
        return -1;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (functions()[middle].address <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool symbol_find(unsigned long pc, struct symbol *out) {
    long at = find(pc);
    if (at < 0)
        return false;
    const struct symbol_function *f = functions() + at;
    bool last = at + 1 == (long)__symbols->functions;
    out->name = (const char *)__symbols + __symbols->names + f->name;
    out->offset = pc - KERNEL_BASE - f->address;
    out->size = last ? (unsigned long)__text_end - KERNEL_BASE - f->address : f[1].address - f->address;
    return true;
}

void symbol_describe(unsigned long pc, char *buf, size_t n) {
    const struct symbol_header *h = __symbols;
    const uint32_t *files = (const uint32_t *)(functions() + h->functions);
    const char *names = (const char *)h + h->names;
    uint32_t offset = pc - KERNEL_BASE, file;
    long at = find(pc);
    if (at < 0) {
        lib_snprintf(buf, n, "0x%lx", pc);
        return;
    }
    const struct symbol_function *f = functions() + at;
    const char *name = names + f->name;
    if (f->lines == ~0u) {
        lib_snprintf(buf, n, "%s+0x%x", name, offset - f->address);
        return;
    }
    uint32_t line = find_line((const uint8_t *)h + h->lines + f->lines, offset - f->address, &file);
    lib_snprintf(buf, n, "%s+0x%x (%s:%u)", name, offset - f->address, names + files[file], line);
}
