// SPDX-License-Identifier: MIT
// What becomes of a trap: see trap.S for how it gets here.
#include "arch/riscv/trap.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/fault.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/shootdown.h"
#include "lib/errno.h"
#include "upcalls.h"
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/mman.h>

#define CAUSE_INTERRUPT (1ul << 63)
#define IRQ_SOFTWARE    1
#define IRQ_TIMER       5
#define IRQ_EXTERNAL    9

// scause of exceptions: RISC-V privileged specification, table 4.2.
enum {
    FETCH_MISALIGNED,
    FETCH_ACCESS,
    ILLEGAL,
    BREAKPOINT,
    LOAD_MISALIGNED,
    LOAD_ACCESS,
    STORE_MISALIGNED,
    STORE_ACCESS,
    ECALL_USER,
    FETCH_FAULT = 12,
    LOAD_FAULT,
    STORE_FAULT = 15,
};

static void interrupt(unsigned long cause) {
    this_hart()->irq_depth++;
    switch (cause & ~CAUSE_INTERRUPT) {
    case IRQ_SOFTWARE:
        csr_clear(sip, 1ul << IRQ_SOFTWARE);
        this_hart()->hart_interrupts++;
        panic_check_stop();
        shootdown_answer();
        ipi_interrupt();
        break;
    case IRQ_TIMER:
        this_hart()->timer_interrupts++;
        timer_interrupt();
        break;
    case IRQ_EXTERNAL:
        external_interrupt();
        break;
    }
    this_hart()->irq_depth--;
}

static int access_of(unsigned long cause) {
    return cause == FETCH_FAULT ? PROT_EXEC : cause == LOAD_FAULT ? PROT_READ : PROT_WRITE;
}

static bool is_page_fault(unsigned long cause) {
    return cause == FETCH_FAULT || cause == LOAD_FAULT || cause == STORE_FAULT;
}

// What vm_fault() said no with.
static __attribute__((noinline)) void signal_page_fault(struct trap_frame *f, int error) {
    switch (error) {
    case -EFAULT:
        signal_fault(f, SIGSEGV, SEGV_MAPERR, f->badaddr);
        break;
    case -EACCES:
        signal_fault(f, SIGSEGV, SEGV_ACCERR, f->badaddr);
        break;
    case -ENOMEM:
    case -EAGAIN:
    case -EINTR:
        signal_fault(f, SIGKILL, 0, f->badaddr);
        break;
    default: // behind a file's end, or a device's error
        signal_fault(f, SIGBUS, BUS_ADRERR, f->badaddr);
        break;
    }
}

static void page_fault(struct trap_frame *f) {
    int error = f->badaddr < USER_END ? vm_fault(f->badaddr, access_of(f->cause)) : -EFAULT;
    if (unlikely(error))
        signal_page_fault(f, error);
}

static void exception(struct trap_frame *f) {
    switch (f->cause) {
    case FETCH_FAULT:
    case LOAD_FAULT:
    case STORE_FAULT:
        page_fault(f);
        break;
    case ILLEGAL:
        signal_fault(f, SIGILL, ILL_ILLOPC, f->pc);
        break;
    case BREAKPOINT:
        signal_fault(f, SIGTRAP, TRAP_BRKPT, f->pc);
        break;
    case FETCH_MISALIGNED:
    case LOAD_MISALIGNED:
    case STORE_MISALIGNED:
        signal_fault(f, SIGBUS, BUS_ADRALN, f->badaddr);
        break;
    default: // access faults
        signal_fault(f, SIGSEGV, SEGV_ACCERR, f->badaddr);
        break;
    }
}

void trap_user(struct trap_frame *f) {
    if (f->cause & CAUSE_INTERRUPT) {
        interrupt(f->cause);
        return;
    }
    irq_enable();
    exception(f);
    irq_disable();
}

// A fault on user memory inside uaccess.S: brings the page in, or goes to the routine's way out.
static bool fixup(struct trap_frame *f) {
    const struct uaccess_range *range;
    if (!is_page_fault(f->cause) || f->badaddr >= USER_END || !(range = uaccess_find(f->pc)))
        return false;
    if (f->status & SSTATUS_SPIE)
        irq_enable();
    if (vm_fault(f->badaddr, access_of(f->cause)))
        f->pc = range->fixup;
    irq_disable();
    return true;
}

// This hart remembers that another thread's stack was not mapped. (Of its own it never does: kstack_catch_up().)
static bool is_stale(const struct trap_frame *f) {
    if (!is_page_fault(f->cause) || f->cause == FETCH_FAULT || !kstack_is_mapped(f->badaddr))
        return false;
    local_sfence_page(f->badaddr);
    return true;
}

void trap_kernel(struct trap_frame *f) {
    if (f->cause & CAUSE_INTERRUPT)
        interrupt(f->cause);
    else if (!fixup(f) && !is_stale(f))
        panic_trap(f);
}

void trap_stack_overflow(unsigned long pc, unsigned long sp, unsigned long ra, unsigned long fp) {
    struct trap_frame f = {
        .pc = pc, .sp = sp, .ra = ra, .s0 = fp, .status = csr_read(sstatus), .badaddr = sp};
    panic_stack_overflow(&f);
}
