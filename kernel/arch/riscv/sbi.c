// SPDX-License-Identifier: MIT
// Calls to the firmware; see sbi.h for the specification.
#include "arch/riscv/sbi.h"
#include "arch/riscv/cpu.h"
#include <asm/errno.h>

enum {
    EXT_LEGACY_PUTCHAR = 1,
    EXT_LEGACY_SHUTDOWN = 8,
    EXT_BASE = 0x10,
    EXT_TIME = 0x54494d45,
    EXT_IPI = 0x735049,
    EXT_RFENCE = 0x52464e43,
    EXT_HSM = 0x48534d,
    EXT_SRST = 0x53525354,
    EXT_DBCN = 0x4442434e,
};
#define BASE_PROBE_EXTENSION 3
#define HSM_STOPPED          1

struct sbi_result {
    long error, value;
};

static struct sbi_result sbi_call(long ext, long fn, unsigned long a, unsigned long b, unsigned long c,
                                  unsigned long d) {
    register unsigned long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                              a3 __asm__("a3") = d;
    register long a6 __asm__("a6") = fn, a7 __asm__("a7") = ext;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(long)a0, (long)a1};
}

void sbi_console_write(paddr_t pa, const char *text, size_t n) {
    static int has_dbcn = -1;
    if (has_dbcn < 0)
        has_dbcn = sbi_call(EXT_BASE, BASE_PROBE_EXTENSION, EXT_DBCN, 0, 0, 0).value != 0;
    for (size_t done = 0; done < n;) {
        if (!has_dbcn) {
            sbi_call(EXT_LEGACY_PUTCHAR, 0, (unsigned char)text[done++], 0, 0, 0);
            continue;
        }
        struct sbi_result r = sbi_call(EXT_DBCN, 0, n - done, pa + done, 0, 0);
        if (r.error)
            return;
        done += r.value;
    }
}

#define CSR_STIMECMP 0x14d // by number: the assembler is not told of Sstc

unsigned long sbi_machine_id(enum sbi_machine_id which) {
    return sbi_call(EXT_BASE, which, 0, 0, 0, 0).value;
}

void sbi_set_timer(uint64_t ticks) {
    if (arch_has_sstc)
        __asm__ volatile("csrw %0, %1" ::"i"(CSR_STIMECMP), "r"(ticks) : "memory");
    else
        sbi_call(EXT_TIME, 0, ticks, 0, 0, 0);
}

int sbi_hart_start(unsigned long hartid, paddr_t entry, unsigned long opaque) {
    return sbi_call(EXT_HSM, 0, hartid, entry, opaque, 0).error ? -EIO : 0;
}

bool sbi_hart_runs(unsigned long hartid) {
    struct sbi_result status = sbi_call(EXT_HSM, 2, hartid, 0, 0, 0);
    return !status.error && status.value != HSM_STOPPED;
}

// SBI's hart masks count from a base hartid: one call for each 64 hartids that are wanted.
static void call_masked(long ext, long fn, uint64_t mask, unsigned long c, unsigned long d) {
    while (mask) {
        unsigned long base = harts[__builtin_ctzll(mask)].hartid, bits = 0;
        for (uint64_t rest = mask; rest; rest &= rest - 1) {
            unsigned int i = __builtin_ctzll(rest);
            if (harts[i].hartid - base < 64) {
                bits |= 1ul << (harts[i].hartid - base);
                mask &= ~(1ull << i);
            }
        }
        sbi_call(ext, fn, bits, base, c, d);
    }
}

void sbi_send_ipis(uint64_t mask) {
    call_masked(EXT_IPI, 0, mask, 0, 0);
}

void sbi_send_ipi(unsigned long id) {
    sbi_send_ipis(1ull << id);
}

void sbi_remote_sfence_vma(uint64_t mask, unsigned long addr, unsigned long size) {
    call_masked(EXT_RFENCE, 1, mask, addr, size);
}

void sbi_shutdown(bool failure) {
    sbi_call(EXT_SRST, 0, 0, failure, 0, 0);
    sbi_call(EXT_LEGACY_SHUTDOWN, 0, 0, 0, 0, 0);
}

void sbi_reboot(void) {
    sbi_call(EXT_SRST, 0, 1, 0, 0, 0);
}
