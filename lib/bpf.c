// SPDX-License-Identifier: MIT
#include "lib/bpf.h"

#ifndef BPF_MOD // linux/bpf_common.h has them; linux/filter.h of old headers does not
#define BPF_MOD 0x90
#define BPF_XOR 0xa0
#endif

// ---- validity

static bool is_operation(uint16_t code) {
    switch (BPF_OP(code)) {
    case BPF_ADD:
    case BPF_SUB:
    case BPF_MUL:
    case BPF_DIV:
    case BPF_MOD:
    case BPF_AND:
    case BPF_OR:
    case BPF_XOR:
    case BPF_LSH:
    case BPF_RSH:
        return true;
    default:
        return code == (BPF_ALU | BPF_NEG);
    }
}

static bool is_load(uint16_t code) {
    bool index = BPF_CLASS(code) == BPF_LDX;
    unsigned int size = BPF_SIZE(code);
    switch (BPF_MODE(code)) {
    case BPF_IMM:
    case BPF_MEM:
    case BPF_LEN:
        return size == BPF_W;
    case BPF_ABS:
    case BPF_IND:
        return !index && (size == BPF_W || size == BPF_H || size == BPF_B);
    default: // BPF_MSH: 4 * (a byte & 15)
        return index && code == (BPF_LDX | BPF_B | BPF_MSH);
    }
}

static bool is_known(uint16_t code) {
    switch (BPF_CLASS(code)) {
    case BPF_LD:
    case BPF_LDX:
        return !(code & ~0xffu) && is_load(code);
    case BPF_ST:
    case BPF_STX:
        return code == BPF_CLASS(code);
    case BPF_ALU:
        return !(code & ~0xffu) && is_operation(code);
    case BPF_JMP:
        if (code & ~0xffu || BPF_OP(code) > BPF_JSET)
            return false;
        return BPF_OP(code) != BPF_JA || BPF_SRC(code) == BPF_K;
    case BPF_RET:
        return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A);
    default:
        return code == (BPF_MISC | BPF_TAX) || code == (BPF_MISC | BPF_TXA);
    }
}

static bool reads_memory(uint16_t code) {
    return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM);
}

static bool writes_memory(uint16_t code) {
    return code == BPF_ST || code == BPF_STX;
}

// Is the constant one that instruction `at` of n may have? Jumps: how far they may go at most.
static bool is_constant_fit(const struct sock_filter *f, unsigned int at, unsigned int n) {
    uint16_t code = f->code;
    unsigned int room = n - at - 1;
    if (reads_memory(code) || writes_memory(code))
        return f->k < BPF_MEMWORDS;
    if (BPF_CLASS(code) == BPF_ALU && BPF_SRC(code) == BPF_K) {
        unsigned int op = BPF_OP(code);
        return op == BPF_DIV || op == BPF_MOD ? f->k != 0 : op == BPF_LSH || op == BPF_RSH ? f->k < 32 : true;
    }
    if (BPF_CLASS(code) == BPF_JMP)
        return BPF_OP(code) == BPF_JA ? f->k < room : f->jt < room && f->jf < room;
    return true;
}

// Along all ways at once: what has been written when an instruction is reached is what all ways to it have written, and they
// all come from above.
static bool is_memory_written(const struct sock_filter *code, unsigned int n, uint16_t *seen) {
    uint16_t written = 0;
    for (unsigned int i = 0; i < n; i++)
        seen[i] = UINT16_MAX;
    for (unsigned int i = 0; i < n; i++) {
        const struct sock_filter *f = &code[i];
        written &= seen[i];
        if (writes_memory(f->code)) {
            written |= (uint16_t)(1u << f->k);
        } else if (reads_memory(f->code)) {
            if (!(written >> f->k & 1))
                return false;
        } else if (BPF_CLASS(f->code) == BPF_JMP) {
            bool always = BPF_OP(f->code) == BPF_JA;
            seen[i + 1 + (always ? f->k : f->jt)] &= written;
            seen[i + 1 + (always ? f->k : f->jf)] &= written;
            written = UINT16_MAX; // the next is reached by jumps, if at all
        }
    }
    return true;
}

bool bpf_is_valid(const struct sock_filter *code, unsigned int n, uint16_t *seen) {
    for (unsigned int i = 0; i < n; i++) {
        if (!is_known(code[i].code) || !is_constant_fit(&code[i], i, n))
            return false;
    }
    return BPF_CLASS(code[n - 1].code) == BPF_RET && is_memory_written(code, n, seen);
}

// ---- running

// False: a division by 0.
static bool operate(uint16_t code, uint32_t *a, uint32_t b) {
    switch (BPF_OP(code)) {
    case BPF_ADD:
        *a += b;
        break;
    case BPF_SUB:
        *a -= b;
        break;
    case BPF_MUL:
        *a *= b;
        break;
    case BPF_DIV:
        if (!b)
            return false;
        *a /= b;
        break;
    case BPF_MOD:
        if (!b)
            return false;
        *a %= b;
        break;
    case BPF_AND:
        *a &= b;
        break;
    case BPF_OR:
        *a |= b;
        break;
    case BPF_XOR:
        *a ^= b;
        break;
    case BPF_LSH:
        *a <<= b & 31;
        break;
    case BPF_RSH:
        *a >>= b & 31;
        break;
    default:
        *a = -*a;
        break;
    }
    return true;
}

static bool holds(uint16_t code, uint32_t a, uint32_t b) {
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return a == b;
    case BPF_JGT:
        return a > b;
    case BPF_JGE:
        return a >= b;
    default:
        return a & b;
    }
}

static uint32_t load(const struct sock_filter *f, const uint32_t *data, uint32_t length,
                     const uint32_t *memory) {
    switch (BPF_MODE(f->code)) {
    case BPF_IMM:
        return f->k;
    case BPF_MEM:
        return memory[f->k];
    case BPF_LEN:
        return length;
    default:
        return data[f->k / sizeof(uint32_t)];
    }
}

uint32_t bpf_run(const struct sock_filter *f, const uint32_t *data, uint32_t length) {
    uint32_t a = 0, x = 0, memory[BPF_MEMWORDS];
    for (;; f++) {
        uint32_t operand = BPF_SRC(f->code) == BPF_X ? x : f->k;
        switch (BPF_CLASS(f->code)) {
        case BPF_LD:
            a = load(f, data, length, memory);
            break;
        case BPF_LDX:
            x = load(f, data, length, memory);
            break;
        case BPF_ST:
            memory[f->k] = a;
            break;
        case BPF_STX:
            memory[f->k] = x;
            break;
        case BPF_ALU:
            if (!operate(f->code, &a, operand))
                return 0;
            break;
        case BPF_JMP:
            f += BPF_OP(f->code) == BPF_JA ? f->k : holds(f->code, a, operand) ? f->jt : f->jf;
            break;
        case BPF_RET:
            return BPF_RVAL(f->code) == BPF_A ? a : f->k;
        default:
            if (BPF_MISCOP(f->code) == BPF_TAX)
                x = a;
            else
                a = x;
            break;
        }
    }
}
