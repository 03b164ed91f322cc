// SPDX-License-Identifier: MIT
// The advanced platform-level interrupt controller, for lines (AIA specification 1.0, chapter 4). It delivers to harts itself,
// through a page of registers for each, or sends messages to their IMSICs (chapter 3), which are read through CSRs. All
// lines go to the hart that boots: it is there for certain.
#include "drivers/aplic.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "core/fdt.h"
#include "core/irq.h"

#define IRQ_S_EXTERNAL 9
#define BOOT_HART      0

// Registers of the APLIC.
#define DOMAINCFG       0x0000
#define DOMAINCFG_IE    (1u << 8)
#define DOMAINCFG_DM    (1u << 2) // by messages
#define SOURCECFG       0x0000    // of line i at + 4i
#define SOURCECFG_LEVEL 6u        // active high
#define IN_CLRIP        0x1d00    // reads as the lines are
#define SETIENUM        0x1edc
#define SETIPNUM_LE     0x2000
#define TARGET          0x3000 // of line i at + 4i
#define TARGET_HART     18     // shift; below it the priority, or the message's number
#define IDC             0x4000 // the page for each hart's registers
#define IDC_STRIDE      32
#define IDC_DELIVERY    0x00
#define IDC_THRESHOLD   0x08
#define IDC_CLAIM       0x1c
#define CLAIM_LINE      16 // shift
#define PRIORITY        1u

// Registers of an IMSIC, by siselect.
#define EIDELIVERY  0x70
#define EITHRESHOLD 0x72
#define EIE         0xc0 // 64 bits in each that is even
#define MESSAGE_ID  16   // shift, in stopei

static volatile uint8_t *base;
static unsigned int sources;       // lines, from 1 on
static unsigned int index_of_boot; // the boot hart's number here
static unsigned int index_of[MAX_HARTS];
static unsigned int message_words; // of 64 bits, in each IMSIC; 0: no IMSICs

static void set(unsigned long offset, uint32_t v) {
    *(volatile uint32_t *)(base + offset) = v;
}

static volatile uint32_t *idc(unsigned int reg) {
    return (volatile uint32_t *)(base + IDC + (unsigned long)IDC_STRIDE * index_of[this_hart_id()] + reg);
}

// A message says that a line rose. For one that is high already, or still, it has to be asked for; the APLIC is to send none
// for others, but that of QEMU 7.2 does.
static void send_if_high(unsigned int irq) {
    if (*(volatile uint32_t *)(base + IN_CLRIP + irq / 32 * 4ul) >> irq % 32 & 1)
        set(SETIPNUM_LE, irq);
}

static void enable_line(unsigned int irq) {
    if (irq > sources)
        return;
    set(SOURCECFG + 4ul * irq, SOURCECFG_LEVEL);
    set(TARGET + 4ul * irq, index_of_boot << TARGET_HART | (message_words ? irq : PRIORITY));
    set(SETIENUM, irq);
    if (message_words)
        send_if_high(irq);
}

// ---- delivery by the APLIC itself

static void direct_start(void) {
    *idc(IDC_DELIVERY) = 1;
    *idc(IDC_THRESHOLD) = 0; // all priorities
}

static void direct_handle(void) {
    for (uint32_t claim; (claim = *idc(IDC_CLAIM)) != 0;)
        irq_dispatch(claim >> CLAIM_LINE);
}

static const struct irq_controller direct = {enable_line, direct_start, direct_handle};

// ---- by messages

static void imsic_set(unsigned long reg, unsigned long v) {
    __asm__ volatile("csrw 0x150, %0\n\tcsrw 0x151, %1" ::"r"(reg), "r"(v)); // siselect, sireg
}

static void message_start(void) {
    for (unsigned int i = 0; i < message_words; i++)
        imsic_set(EIE + 2 * i, ~0ul); // none comes that the APLIC was not told to send
    imsic_set(EITHRESHOLD, 0);
    imsic_set(EIDELIVERY, 1);
}

static unsigned long claim_message(void) {
    unsigned long top;
    __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top)::"memory"); // stopei
    return top >> MESSAGE_ID;
}

static void message_handle(void) {
    for (unsigned long irq; (irq = claim_message()) != 0;) {
        if (irq > sources)
            continue;
        irq_dispatch((unsigned int)irq);
        send_if_high((unsigned int)irq);
    }
}

static const struct irq_controller by_messages = {enable_line, message_start, message_handle};

// ---- finding it

// Numbers of harts are places in the node's list of their interrupts. False: it is not the supervisor's.
static bool read_harts(int node) {
    bool found = false;
    for (unsigned int i = 0; i < fdt_u32_count(node, "interrupts-extended") / 2; i++) {
        int hart = fdt_hart_of_intc(fdt_u32_at(node, "interrupts-extended", 2 * i, 0));
        if (fdt_u32_at(node, "interrupts-extended", 2 * i + 1, 0) != IRQ_S_EXTERNAL || hart < 0)
            continue;
        index_of[hart] = i;
        found = true;
    }
    index_of_boot = index_of[BOOT_HART];
    return found;
}

static bool find_imsics(void) {
    for (int node = -1; (node = fdt_next_compatible(node, "riscv,imsics")) >= 0;)
        if (read_harts(node)) {
            message_words = MIN(fdt_u32(node, "riscv,num-ids", 0), 2047u) / 64 + 1;
            return true;
        }
    return false;
}

// The machine's own has children, to which it delegates.
static int find_node(void) {
    int node = -1;
    do
        node = fdt_next_compatible(node, "riscv,aplic");
    while (node >= 0 && fdt_u32_count(node, "riscv,children"));
    return node;
}

bool aplic_init(void) {
    struct fdt_range range;
    int node = find_node();
    if (node < 0 || !fdt_reg(node, &range) || range.size < IDC ||
        !(base = arch_ioremap(range.base, range.size)))
        return false;
    sources = MIN(fdt_u32(node, "riscv,num-sources", 0), 1023u);
    if (!read_harts(node) && !find_imsics())
        return false;
    set(DOMAINCFG, DOMAINCFG_IE | (message_words ? DOMAINCFG_DM : 0));
    irq_set_controller(message_words ? &by_messages : &direct);
    return true;
}
