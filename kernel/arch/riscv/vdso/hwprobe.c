// SPDX-License-Identifier: MIT
// The vDSO's riscv_hwprobe(2): libc asks at the start of every program what the processors have. Of all of them, which are
// alike, it is answered here; other questions go to the kernel.
#include "arch/riscv/vdso_data.h"
#include <asm/unistd.h>

#ifndef __NR_riscv_hwprobe
#define __NR_riscv_hwprobe 258 // younger than the oldest headers that we build with
#endif

#define EXPORT __attribute__((visibility("default")))

extern const volatile struct vdso_data vdso_data __attribute__((visibility("hidden")));

struct pair {
    int64_t key;
    uint64_t value;
};

static long call(struct pair *pairs, unsigned long count, unsigned long size, unsigned long *cpus,
                 unsigned int flags) {
    register long a0 __asm__("a0") = (long)pairs, a1 __asm__("a1") = (long)count,
                     a2 __asm__("a2") = (long)size;
    register long a3 __asm__("a3") = (long)cpus, a4 __asm__("a4") = flags,
                     a7 __asm__("a7") = __NR_riscv_hwprobe;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory");
    return a0;
}

EXPORT long __vdso_riscv_hwprobe(struct pair *pairs, unsigned long count, unsigned long size,
                                 unsigned long *cpus, unsigned int flags) {
    if (flags || size || cpus)
        return call(pairs, count, size, cpus, flags);
    for (; count; count--, pairs++) {
        int known = (uint64_t)pairs->key < VDSO_HWPROBE_KEYS;
        pairs->value = known ? vdso_data.hwprobe[pairs->key] : 0;
        if (!known)
            pairs->key = -1;
    }
    return 0;
}
