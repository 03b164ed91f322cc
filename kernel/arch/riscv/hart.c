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

// Frames are linked through s0, as in core/panic.c. The last one's link is the program's own s0, or 0.
unsigned int arch_sleeping_calls(struct thread *t, unsigned long *pc, unsigned int most) {
    const struct switch_context *c = &arch_of(t)->context;
    unsigned long low = READ_ONCE(c->sp), top = (unsigned long)arch_user_frame(t), fp = READ_ONCE(c->s[0]);
    unsigned int n = 0;
    if (low > top || low < top - KSTACK_SIZE)
        return 0;
    pc[n++] = READ_ONCE(c->ra);
    while (n < most && fp >= low + 16 && fp <= top && fp % 8 == 0) {
        const unsigned long *frame = (const unsigned long *)fp;
        pc[n++] = READ_ONCE(frame[-1]);
        low = fp;
        fp = READ_ONCE(frame[-2]);
    }
    return n;
}

// ---- floating point

// sstatus.FS is dirty in programs and in the kernel, always: an emulator that translates code for one value of it translates it once, a
// switch does not write sstatus, and no program can run while the registers are another's. So they are stored at each switch. In a kernel
// thread's frame, and in all where there are no such registers, FS is off.
static bool has_fpu(struct thread *t) {
    return arch_user_frame(t)->status & SSTATUS_FS;
}

// The registers of t's hart are t's from now on.
static void own_registers(struct thread *t) {
    struct hart *hart = arch_of(t)->hart;
    hart->fpu_owner = t;
    arch_of(t)->fpu_hart = (int)hart->id;
}

void fpu_save(struct thread *t) {
    if (t == current && has_fpu(t))
        fpu_store(&arch_of(t)->fpu);
}

void fpu_set(struct thread *t, const struct fpu_state *state) {
    if (t != current) {
        arch_of(t)->fpu = *state;
        arch_of(t)->fpu_hart = -1;
    } else if (has_fpu(t)) {
        fpu_load(state); // a switch in the middle keeps what is loaded
    }
}

void fpu_reset(void) {
    static const struct fpu_state zero;
    unsigned long flags = irq_save();
    if (arch_hwcap & HWCAP_D)
        arch_user_frame(current)->status |= SSTATUS_FS;
    own_registers(current);
    irq_restore(flags);
    fpu_set(current, &zero);
}

// ---- switching

struct thread *arch_switch(struct thread *from, struct thread *to) {
    struct arch_thread *next = arch_of(to);
    fpu_save(from);
    if (has_fpu(to) && (next->hart->fpu_owner != to || next->fpu_hart != (int)next->hart->id)) {
        fpu_load(&next->fpu);
        own_registers(to);
    }
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
