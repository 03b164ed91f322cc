// SPDX-License-Identifier: MIT
// Calls to the firmware: RISC-V SBI specification 1.0/2.0.
#pragma once
#include "lib/types.h"

// Writes text that lies at physical address `pa` to the firmware's console (DBCN, or the legacy call for each
// character).
void sbi_console_write(paddr_t pa, const char *text, size_t n);
// The processor's mvendorid, marchid, mimpid.
enum sbi_machine_id { SBI_MVENDORID = 4, SBI_MARCHID, SBI_MIMPID };
unsigned long sbi_machine_id(enum sbi_machine_id which);
void sbi_set_timer(uint64_t ticks); // absolute rdtime at which this hart's timer fires; ~0: never
int __must_check sbi_hart_start(unsigned long hartid, paddr_t entry, unsigned long opaque);
bool sbi_hart_runs(unsigned long hartid); // not (or not yet) stopped, so that it cannot be started
void sbi_send_ipi(unsigned long hart_id); // dense index of the target hart
void sbi_send_ipis(uint64_t mask);        // bits: dense indices
// Makes the harts in `mask` (bit = dense index) drop translations of [addr, addr+size); size ~0: all. Waits
// until done.
void sbi_remote_sfence_vma(uint64_t mask, unsigned long addr, unsigned long size);
// Powers off (failure: the reason says so; QEMU's exit status is 0 all the same, since OpenSBI drops the
// reason: a failure status takes a store of 0x13333 to the device-tree node "sifive,test0") or resets. Return
// only if the firmware cannot.
void sbi_shutdown(bool failure);
void sbi_reboot(void);
