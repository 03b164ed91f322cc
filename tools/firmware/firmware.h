/* SPDX-License-Identifier: MIT */
/* The firmware of the machines that `drupe run` makes: what is under the kernel on QEMU's `virt`, and nothing else. It takes the place of
 * OpenSBI, whose start costs more than the kernel's, since what it looks for in the device tree is known here.
 *
 *   start.S      entry, traps, the way to the kernel
 *   firmware.c   the hart's set-up, its traps, other harts' requests
 *   calls.c      calls of the supervisor binary interface (SBI 2.0): base, time, IPI, rfence, hsm, srst, dbcn
 *
 * One kernel has the whole machine: memory is not kept from it (one PMP entry lets it at everything), and exceptions that are its programs'
 * go to it. Which hart boots is known: 0. The others wait to be asked for. */
#pragma once

#define FIRMWARE_HARTS 8  /* --smp gives no more */
#define STACK_SHIFT    10 /* log2 of a hart's stack */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#define csr_read(name)                                                                                       \
    ({                                                                                                       \
        unsigned long csr_;                                                                                  \
        __asm__ volatile("csrr %0, " #name : "=r"(csr_)::"memory");                                          \
        csr_;                                                                                                \
    })
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" ::"rK"(value) : "memory")
#define csr_set(name, bits)    __asm__ volatile("csrs " #name ", %0" ::"rK"(bits) : "memory")
#define csr_clear(name, bits)  __asm__ volatile("csrc " #name ", %0" ::"rK"(bits) : "memory")

#define MIP_SSIP (1ul << 1)
#define MIP_MSIP (1ul << 3)
#define MIP_STIP (1ul << 5)
#define MIP_MTIP (1ul << 7)

// Devices of `virt`.
#define TEST_FINISHER ((volatile uint32_t *)0x100000)
#define MSIP(hart)    ((volatile uint32_t *)0x2000000 + (hart))
#define MTIMECMP(h)   ((volatile uint64_t *)0x2004000 + (h))
#define UART          ((volatile uint8_t *)0x10000000)

// What a trap has saved.
struct frame {
    unsigned long a[8], t[7], ra;
};

// What QEMU says of what is started next: OpenSBI's fw_dynamic_info.
struct next_stage {
    uint64_t magic, version, address, mode, options, boot_hart;
};

// States as SBI numbers them; CLAIMED is somebody's who is about to make it START_PENDING.
enum { STARTED, STOPPED, START_PENDING, CLAIMED = -1 };

// What harts ask of each other; each rings with MSIP. [a]
enum { REQUEST_IPI = 1, REQUEST_FENCE = 2 };

struct fence {
    unsigned long function, start, size, asid; // as the call has them
};

// firmware.c
// Asks harts of an SBI mask for something. False: a hart in it is none.
bool ask_harts(unsigned long mask, unsigned long base, uint32_t request, const struct fence *fence);
bool hart_is_present(unsigned long id);
int hart_state(unsigned long id);
bool hart_start(unsigned long id, unsigned long entry, unsigned long opaque);
void __attribute__((noreturn)) hart_stop(void);
void put(char c);

// calls.c
void sbi_call(struct frame *f);

// start.S
void __attribute__((noreturn)) enter(unsigned long hartid, unsigned long opaque, unsigned long entry);
void set_envcfg(unsigned long bits);
#endif
