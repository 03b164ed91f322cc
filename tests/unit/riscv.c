// SPDX-License-Identifier: MIT
// The interpreter: see riscv.h.
#include "riscv.h"
#include <string.h>

static uint32_t bits(uint32_t code, int high, int low) {
    return code >> low & ((2u << (high - low)) - 1);
}

static int64_t immediate_i(uint32_t code) {
    return (int32_t)code >> 20;
}

static int64_t immediate_s(uint32_t code) {
    return (int64_t)((int32_t)code >> 25) * 32 + bits(code, 11, 7);
}

static int64_t immediate_b(uint32_t code) {
    return (int64_t)((int32_t)code >> 31) * 4096 +
           (bits(code, 7, 7) << 11 | bits(code, 30, 25) << 5 | bits(code, 11, 8) << 1);
}

static int64_t immediate_j(uint32_t code) {
    return (int64_t)((int32_t)code >> 31) * (1 << 20) +
           (bits(code, 19, 12) << 12 | bits(code, 20, 20) << 11 | bits(code, 30, 21) << 1);
}

static bool unknown(struct riscv *r) {
    r->error = "an instruction that is not known here";
    return false;
}

// `kind`: funct3; `other`: sub, sra.
static bool compute(struct riscv *r, unsigned int rd, uint64_t a, uint64_t b, unsigned int kind, bool other) {
    const uint64_t results[8] = {
        other ? a - b : a + b, a << (b & 63),
        (int64_t)a<(int64_t)b, a<b, a ^ b, other ? (uint64_t)((int64_t)a >> (b & 63)) : a>>(b & 63), a | b,
        a & b};
    r->x[rd] = results[kind];
    return true;
}

static bool taken(uint64_t a, uint64_t b, unsigned int kind) {
    switch (kind & 6) {
    case 0:
        return (a == b) != (kind & 1);
    case 4:
        return ((int64_t)a < (int64_t)b) != (kind & 1);
    default:
        return (a < b) != (kind & 1);
    }
}

// The pc after an access that faulted, or the next.
static bool after_access(struct riscv *r, bool ok) {
    if (ok)
        r->pc += 4;
    else
        r->pc = r->on_fault(r);
    return !r->error;
}

static bool load(struct riscv *r, unsigned int rd, uint64_t addr, unsigned int kind) {
    uint64_t value = 0;
    unsigned int n = 1u << (kind & 3);
    bool ok = r->access(r, addr, &value, n, false);
    if (ok) {
        unsigned int unused = 64 - 8 * n;
        r->x[rd] = kind & 4 ? value : (uint64_t)((int64_t)(value << unused) >> unused);
    }
    return after_access(r, ok);
}

static bool store(struct riscv *r, uint64_t addr, uint64_t value, unsigned int kind) {
    return after_access(r, r->access(r, addr, &value, 1u << kind, true));
}

// csrs and csrc of sstatus, nothing read.
static bool change_status(struct riscv *r, uint32_t code, uint64_t a) {
    unsigned int kind = bits(code, 14, 12);
    if (code >> 20 != 0x100 || bits(code, 11, 7) || (kind != 2 && kind != 3))
        return unknown(r);
    r->sstatus = kind == 2 ? r->sstatus | a : r->sstatus & ~a;
    r->pc += 4;
    return true;
}

// lr.w, sc.w (which always succeeds).
static bool atomic(struct riscv *r, uint32_t code, unsigned int rd, uint64_t addr, uint64_t value) {
    unsigned int op = code >> 27;
    if (op != 2 && op != 3)
        return unknown(r);
    if (op == 2)
        return load(r, rd, addr, 2);
    r->x[rd] = 0;
    return store(r, addr, value, 2);
}

static bool step(struct riscv *r, uint32_t code) {
    unsigned int rd = bits(code, 11, 7), kind = bits(code, 14, 12);
    uint64_t a = r->x[bits(code, 19, 15)], b = r->x[bits(code, 24, 20)], pc = r->pc;
    bool ok = true;
    switch (code & 0x7f) {
    case 0x03:
        return load(r, rd, a + immediate_i(code), kind);
    case 0x23:
        return store(r, a + immediate_s(code), b, kind);
    case 0x2f:
        return atomic(r, code, rd, a, b);
    case 0x73:
        return change_status(r, code, a);
    case 0x63:
        r->pc += taken(a, b, kind) ? immediate_b(code) : 4;
        return true;
    case 0x6f:
        r->pc += immediate_j(code);
        r->x[rd] = pc + 4;
        return true;
    case 0x67:
        r->pc = a + immediate_i(code);
        r->x[rd] = pc + 4;
        return true;
    case 0x13:
        ok = compute(r, rd, a, immediate_i(code), kind, kind == 5 && code >> 30 & 1);
        break;
    case 0x33:
        ok = compute(r, rd, a, b, kind, code >> 30 & 1);
        break;
    case 0x1b: // addiw
        r->x[rd] = (uint64_t)(int64_t)(int32_t)(a + immediate_i(code));
        ok = kind == 0 || unknown(r);
        break;
    case 0x17: // auipc
    case 0x37: // lui
        r->x[rd] = (uint64_t)(int64_t)(int32_t)(code & 0xfffff000) + (code & 0x20 ? 0 : pc);
        break;
    default:
        return unknown(r);
    }
    r->pc += 4;
    return ok;
}

bool riscv_call(struct riscv *r, uint64_t entry, uint64_t limit) {
    r->pc = entry;
    r->x[REG_RA] = RISCV_RETURN;
    r->error = NULL;
    while (r->pc != RISCV_RETURN) {
        uint32_t code;
        if (r->pc - r->text_at >= r->text_size)
            r->error = "it left the text";
        else if (!limit--)
            r->error = "it does not end";
        if (r->error)
            return false;
        memcpy(&code, r->text + (r->pc - r->text_at), sizeof(code));
        if (!step(r, code))
            return false;
        r->x[0] = 0;
    }
    return true;
}
