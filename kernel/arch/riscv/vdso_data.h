// SPDX-License-Identifier: MIT
// The page that the kernel shares with the vDSO's code in every process, read-only there.
//
// Monotonic time in ns is (rdtime - boot_ticks) * mult / 2^32; realtime is (rdtime - boot_ticks) * realtime_mult / 2^32 plus
// realtime_offset: adjtimex(2) makes it faster or slower. `sequence` is odd while these two change: a reader starts over if it was odd, or another one afterwards.
#pragma once
#include <stdint.h>

#define VDSO_HWPROBE_KEYS 10

struct vdso_data {
    uint32_t sequence;
    uint32_t reserved;
    uint64_t boot_ticks;
    uint64_t mult;
    uint64_t realtime_mult;
    int64_t realtime_offset;
    uint64_t
        hwprobe[VDSO_HWPROBE_KEYS]; // riscv_hwprobe(2)'s values of the keys from 0 on; the same for all harts
};
