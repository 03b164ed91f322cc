// SPDX-License-Identifier: MIT
#include "core/panic.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/fault.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/sbi.h"
#include "core/cmdline.h"
#include "core/earlycon.h"
#include "core/fdt.h"
#include "core/printk.h"
#include "core/symbols.h"
#include "core/version.h"
#include "lib/format.h"
#include "lib/string.h"
#include "upcalls.h"

#define BACKTRACE_DEPTH 32

#define BREAKPOINT 3 // of scause

static const char *const causes[] = {
    "instruction address misaligned",
    "instruction access fault",
    "illegal instruction",
    "breakpoint",
    "load address misaligned",
    "load access fault",
    "store address misaligned",
    "store access fault",
    "ecall from user mode",
    "ecall from supervisor mode",
    "?",
    "?",
    "instruction page fault",
    "load page fault",
    "?",
    "store page fault",
};

static void print_address(const char *what, unsigned long pc) {
    char where[160];
    symbol_describe(pc, where, sizeof(where));
    pr_err("%s %s", what, where);
}

// Frames are linked through s0 (the frame pointer): return address at -8, the caller's frame pointer at -16.
// Only addresses within the stack that `sp` is in are followed.
static void backtrace(unsigned long pc, unsigned long ra, unsigned long fp, unsigned long sp) {
    unsigned long top = ALIGN_UP(sp + 1, (unsigned long)KSTACK_SIZE);
    pr_err("backtrace:");
    print_address("  at", pc);
    if (ra)
        print_address("  by", ra - 4);
    for (int i = 0; i < BACKTRACE_DEPTH && fp > sp && fp <= top && fp % 8 == 0; i++) {
        unsigned long caller = ((unsigned long *)fp)[-1], next = ((unsigned long *)fp)[-2];
        if (caller && caller != ra)
            print_address("  by", caller - 4);
        ra = 0;
        if (next <= fp)
            break;
        fp = next;
    }
}

static void print_registers(const struct trap_frame *f) {
    pr_err("pc %016lx ra %016lx sp %016lx gp %016lx", f->pc, f->ra, f->sp, f->gp);
    pr_err("tp %016lx t0 %016lx t1 %016lx t2 %016lx", f->tp, f->t0, f->t1, f->t2);
    pr_err("s0 %016lx s1 %016lx a0 %016lx a1 %016lx", f->s0, f->s1, f->a0, f->a1);
    pr_err("a2 %016lx a3 %016lx a4 %016lx a5 %016lx", f->a2, f->a3, f->a4, f->a5);
    pr_err("a6 %016lx a7 %016lx s2 %016lx s3 %016lx", f->a6, f->a7, f->s2, f->s3);
    pr_err("s4 %016lx s5 %016lx s6 %016lx s7 %016lx", f->s4, f->s5, f->s6, f->s7);
    pr_err("s8 %016lx s9 %016lx s10 %016lx s11 %016lx", f->s8, f->s9, f->s10, f->s11);
    pr_err("t3 %016lx t4 %016lx t5 %016lx t6 %016lx", f->t3, f->t4, f->t5, f->t6);
    pr_err("status %016lx cause %016lx badaddr %016lx", f->status, f->cause, f->badaddr);
}

static void wait_seconds(long seconds) {
    uint64_t end = rdtime() + (uint64_t)seconds * timebase_frequency;
    while (rdtime() < end)
        cpu_relax();
}

// QEMU's "test finisher": a store to it ends the machine with a status. Firmware's shutdown cannot: OpenSBI
// drops the reason, and QEMU's exit status would be 0.
static volatile uint32_t *test_device; // [I] NULL: the machine has none
#define TEST_DEVICE_FAIL ((1u << 16) | 0x3333)

void panic_init(void) {
    struct fdt_range range;
    int node = fdt_next_compatible(-1, "sifive,test0");
    if (node >= 0 && fdt_reg(node, &range))
        test_device = arch_ioremap(range.base, range.size);
}

// panic=N: reboot after N seconds; N < 0: at once; 0 or none: power off, telling the platform that it failed.
static void __noreturn stop(void) {
    long n = cmdline_number("panic", 0);
    if (n != 0) {
        if (n > 0)
            wait_seconds(n);
        pr_err("rebooting");
        sbi_reboot();
    }
    // The machine goes on for a while after the store: whatever else ends it meanwhile would decide QEMU's status.
    if (test_device)
        *test_device = TEST_DEVICE_FAIL;
    else
        sbi_shutdown(true);
    __asm__ volatile("fence iorw, iorw" ::: "memory");
    for (;;)
        cpu_wait_for_interrupt();
}

static struct hart *panicking; // [a] the hart that stops the machine, NULL: none

static void __noreturn wait_forever(void) {
    irq_disable();
    for (;;)
        cpu_wait_for_interrupt();
}

void panic_check_stop(void) {
    struct hart *by = READ_ONCE(panicking);
    if (unlikely(by && by != this_hart()))
        wait_forever();
}

// One hart panics; the others stop at its interrupt, or when they panic themselves. A panic on the way of
// panicking ends the machine without further words.
static void begin(void) {
    struct hart *nobody = NULL, *self = this_hart();
    irq_disable();
    if (!__atomic_compare_exchange_n(&panicking, &nobody, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        if (nobody != self)
            wait_forever();
        printk_panic_unlock();
        pr_err("a panic within the panic: nothing more can be told");
        stop();
    }
    for (unsigned int i = 0; i < hart_count; i++) {
        if (&harts[i] != self && READ_ONCE(harts[i].online))
            sbi_send_ipi(i);
    }
    printk_panic_unlock();
    if (!console_registered())
        earlycon_register();
    console_loglevel = LOG_DEBUG;
}

static void describe_nothing(char *buf, size_t n) {
    strlcpy(buf, "?", n);
}

void (*panic_describe)(char *buf, size_t n) = describe_nothing;

static void print_context(void) {
    char who[64];
    panic_describe(who, sizeof(who));
    pr_err("hart %u, running %s, %s %s", this_hart_id(), who, KERNEL_SYSNAME, KERNEL_RELEASE);
}

// The registers at the call of panic(), as far as C may see them.
static void capture(struct trap_frame *f) {
    *f = (struct trap_frame){
        .status = csr_read(sstatus), .cause = csr_read(scause), .badaddr = csr_read(stval)};
    __asm__ volatile("sd sp, %0" : "=m"(f->sp));
    __asm__ volatile("sd gp, %0" : "=m"(f->gp));
    __asm__ volatile("sd tp, %0" : "=m"(f->tp));
    __asm__ volatile("sd s0, %0" : "=m"(f->s0));
    __asm__ volatile("sd s1, %0" : "=m"(f->s1));
    __asm__ volatile("sd s2, %0" : "=m"(f->s2));
    __asm__ volatile("sd s3, %0" : "=m"(f->s3));
    __asm__ volatile("sd s4, %0" : "=m"(f->s4));
    __asm__ volatile("sd s5, %0" : "=m"(f->s5));
    __asm__ volatile("sd s6, %0" : "=m"(f->s6));
    __asm__ volatile("sd s7, %0" : "=m"(f->s7));
    __asm__ volatile("sd s8, %0" : "=m"(f->s8));
    __asm__ volatile("sd s9, %0" : "=m"(f->s9));
    __asm__ volatile("sd s10, %0" : "=m"(f->s10));
    __asm__ volatile("sd s11, %0" : "=m"(f->s11));
    f->ra = f->pc = (unsigned long)__builtin_return_address(0);
}

void panic(const char *fmt, ...) {
    char message[256];
    struct trap_frame f;
    va_list args;
    begin();
    capture(&f);
    f.pc = (unsigned long)__builtin_return_address(0) - 4;
    va_start(args, fmt);
    lib_vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    printk(LOG_EMERG, "Kernel panic: %s", message);
    print_context();
    print_registers(&f);
    unsigned long *frame = __builtin_frame_address(0);
    backtrace(f.pc, 0, frame[-2], f.sp);
    stop();
}

void panic_trap(const struct trap_frame *f) {
    begin();
    const char *cause = f->cause < ARRAY_SIZE(causes) ? causes[f->cause] : "?";
#ifdef CONFIG_SANITIZE
    if (f->cause == BREAKPOINT)
        cause = "undefined behaviour (-fsanitize=undefined; the line below does it)";
#endif
    printk(LOG_EMERG, "Kernel panic: %s at address 0x%lx", cause, f->badaddr);
    print_context();
    print_registers(f);
    backtrace(f->pc, f->ra, f->s0, f->sp);
    stop();
}

void panic_stack_overflow(const struct trap_frame *f) {
    begin();
    printk(LOG_EMERG, "Kernel panic: the kernel stack is full (sp 0x%lx)", f->sp);
    print_context();
    print_registers(f);
    backtrace(f->pc, f->ra, f->s0, ALIGN_DOWN(f->sp, (unsigned long)KSTACK_SIZE) + KSTACK_SIZE);
    stop();
}
