// SPDX-License-Identifier: MIT
// A processor for the kernel's assembly routines on the host: RV64I, A's lr.w and sc.w, and csrs and csrc of sstatus,
// without compressed instructions. Every access to memory is asked about.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REG_RA = 1, REG_SP = 2, REG_A0 = 10, REG_A1 = 11, REG_A2 = 12 };
#define RISCV_RETURN 0xdead0000ull // ra of a call: its routine ends there
#define RISCV_SUM    (1ull << 18)

struct riscv {
    uint64_t x[32], pc, sstatus;
    const uint8_t *text; // at text_at
    uint64_t text_at, text_size;
    // One access of n bytes. False: it faults, and on_fault says where to go on.
    bool (*access)(struct riscv *r, uint64_t addr, void *data, unsigned int n, bool write);
    uint64_t (*on_fault)(struct riscv *r);
    const char *error; // NULL: none
};

// Runs the routine at `entry` with the arguments in a0-a2 until it returns; at most `limit` instructions. False, with
// `error` set: it did not end, or did what is not to be done here.
bool riscv_call(struct riscv *r, uint64_t entry, uint64_t limit);
