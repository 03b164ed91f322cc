// SPDX-License-Identifier: MIT
// Harts, the switch between threads, and floating-point state.
//
// FP registers are saved when a thread that has changed them (sstatus.FS dirty) leaves the hart, and loaded
// when it first uses them after it has come back, unless they are still its own: nobody else has used the
// hart's registers since (hart->fpu_owner) and it has not used another hart's (thread->fpu_hart). So a
// thread's memory copy is up to date whenever it does not run. sstatus.FS of user mode lives in the thread's
// trap frame.
#include "arch/riscv/cpu.h"
#include "arch/riscv/fault.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/mmu.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "upcalls.h"
#include <asm/errno.h>

struct hart harts[MAX_HARTS];
unsigned int hart_count = 1;
unsigned long timebase_frequency;
unsigned long arch_hwcap;
bool arch_has_sstc;

struct thread *switch_registers(struct thread *from, struct thread *to);
void thread_first(void);
void fpu_store(struct fpu_state *state);
void fpu_load(const struct fpu_state *state);
extern char secondary_start[];

static struct arch_thread *arch_of(struct thread *t) {
    return (struct arch_thread *)t;
}

struct trap_frame *arch_user_frame(struct thread *t) {
    return (struct trap_frame *)arch_of(t)->kernel_sp - 1;
}

// ---- floating point

static void set_fs(struct trap_frame *f, unsigned long fs) {
    f->status = (f->status & ~SSTATUS_FS) | fs;
}

void fpu_save(struct thread *t) {
    struct trap_frame *f = arch_user_frame(t);
    if (t != current || (f->status & SSTATUS_FS) != SSTATUS_FS_DIRTY)
        return;
    unsigned long flags = irq_save();
    csr_set(sstatus, SSTATUS_FS);
    fpu_store(&arch_of(t)->fpu);
    csr_clear(sstatus, SSTATUS_FS);
    set_fs(f, SSTATUS_FS_CLEAN);
    irq_restore(flags);
}

void fpu_discard(struct thread *t) {
    arch_of(t)->fpu_hart = -1;
    set_fs(arch_user_frame(t), 0);
}

void fpu_reset(void) {
    memset(&arch_of(current)->fpu, 0, sizeof(struct fpu_state));
    fpu_discard(current);
}

bool fpu_first_use(struct trap_frame *f) {
    if (f->status & SSTATUS_FS || !(arch_hwcap & HWCAP_D))
        return false;
    unsigned long flags = irq_save();
    struct hart *hart = this_hart();
    csr_set(sstatus, SSTATUS_FS);
    fpu_load(&arch_of(current)->fpu);
    csr_clear(sstatus, SSTATUS_FS);
    hart->fpu_owner = current;
    arch_of(current)->fpu_hart = hart->id;
    set_fs(f, SSTATUS_FS_CLEAN);
    irq_restore(flags);
    return true;
}

// ---- switching

struct thread *arch_switch(struct thread *from, struct thread *to) {
    struct arch_thread *next = arch_of(to);
    fpu_save(from);
    if (next->fpu_hart != -1 && (next->hart->fpu_owner != to || next->fpu_hart != (int)next->hart->id))
        fpu_discard(to);
    return switch_registers(from, to);
}

void arch_thread_init(struct thread *t, void *stack_top, void (*entry)(void *), void *arg) {
    struct arch_thread *a = arch_of(t);
    a->kernel_sp = (unsigned long)stack_top;
    a->fpu_hart = -1;
    a->syscalls = syscall_entries;
    struct trap_frame *f = arch_user_frame(t);
    memset(f, 0, sizeof(*f));
    f->status = SSTATUS_SPIE | (SSTATUS_SUM & ~uaccess_close);
    a->context = (struct switch_context){.ra = (unsigned long)thread_first,
                                         .sp = (unsigned long)f,
                                         .s = {0, (unsigned long)entry, (unsigned long)arg}};
}

// ---- further harts

// A hart that came to the image unasked is on its way back to the firmware (head.S: give_back), which is waited for.
int arch_start_hart(unsigned int id) {
    paddr_t entry = virt_to_phys(secondary_start);
    uint64_t limit = rdtime() + timebase_frequency;
    for (;;) {
        bool runs = sbi_hart_runs(harts[id].hartid);
        int err = sbi_hart_start(harts[id].hartid, entry, (unsigned long)harts[id].idle);
        if (!err || !runs || rdtime() > limit)
            return err;
    }
}

void arch_enable_interrupts(void) {
    csr_write(sie, 1ul << 1 | 1ul << 5 | 1ul << 9);
}

void secondary_main(void);
void secondary_main(void) {
    arch_enable_interrupts();
    hart_main();
}
