// SPDX-License-Identifier: MIT
// The supervisor's calls, as the RISC-V Supervisor Binary Interface Specification 2.0 has them.
#include "tools/firmware/firmware.h"

enum { NOT_SUPPORTED = -2, INVALID_PARAM = -3, ALREADY_AVAILABLE = -6 };
enum {
    EXT_PUTCHAR = 1,
    EXT_SHUTDOWN = 8,
    EXT_BASE = 0x10,
    EXT_TIME = 0x54494d45,
    EXT_IPI = 0x735049,
    EXT_RFENCE = 0x52464e43,
    EXT_HSM = 0x48534d,
    EXT_SRST = 0x53525354,
    EXT_DBCN = 0x4442434e,
};
#define SBI_VERSION    (2ul << 24)
#define IMPLEMENTATION 0x6472 // none of the list's

#define FINISH_WELL  0x5555
#define FINISH_FAIL  0x13333 // status 1
#define FINISH_RESET 0x7777

static long base_call(const struct frame *f, unsigned long *value) {
    static const unsigned long known[] = {EXT_PUTCHAR, EXT_SHUTDOWN, EXT_BASE, EXT_TIME, EXT_IPI,
                                          EXT_RFENCE,  EXT_HSM,      EXT_SRST, EXT_DBCN};
    switch (f->a[6]) {
    case 0:
        *value = SBI_VERSION;
        return 0;
    case 1:
        *value = IMPLEMENTATION;
        return 0;
    case 2:
        *value = 1;
        return 0;
    case 3:
        for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            *value |= known[i] == f->a[0];
        return 0;
    case 4:
        *value = csr_read(mvendorid);
        return 0;
    case 5:
        *value = csr_read(marchid);
        return 0;
    case 6:
        *value = csr_read(mimpid);
        return 0;
    default:
        return NOT_SUPPORTED;
    }
}

// For harts without Sstc.
static long time_call(const struct frame *f) {
    if (f->a[6])
        return NOT_SUPPORTED;
    *MTIMECMP(csr_read(mhartid)) = f->a[0];
    csr_clear(mip, MIP_STIP);
    csr_set(mie, MIP_MTIP);
    return 0;
}

static long ipi_call(const struct frame *f) {
    if (f->a[6])
        return NOT_SUPPORTED;
    return ask_harts(f->a[0], f->a[1], REQUEST_IPI, 0) ? 0 : INVALID_PARAM;
}

static long rfence_call(const struct frame *f) {
    const struct fence fence = {f->a[6], f->a[2], f->a[3], f->a[4]};
    if (f->a[6] > 2)
        return NOT_SUPPORTED;
    return ask_harts(f->a[0], f->a[1], REQUEST_FENCE, &fence) ? 0 : INVALID_PARAM;
}

static long hsm_call(const struct frame *f, unsigned long *value) {
    if (f->a[6] == 1)
        hart_stop();
    if (f->a[6] > 2)
        return NOT_SUPPORTED;
    if (!hart_is_present(f->a[0]))
        return INVALID_PARAM;
    if (f->a[6] == 2) {
        *value = (unsigned long)hart_state(f->a[0]);
        return 0;
    }
    return hart_start(f->a[0], f->a[1], f->a[2]) ? 0 : ALREADY_AVAILABLE;
}

static long reset_call(const struct frame *f) {
    if (f->a[6])
        return NOT_SUPPORTED;
    if (f->a[0] > 2 || f->a[1] > 1)
        return INVALID_PARAM;
    for (;;)
        *TEST_FINISHER = f->a[0] ? FINISH_RESET : f->a[1] ? FINISH_FAIL : FINISH_WELL;
}

static long console_call(const struct frame *f, unsigned long *value) {
    const char *text = (const char *)f->a[1];
    if (f->a[6] != 0 && f->a[6] != 2)
        return NOT_SUPPORTED;
    if (f->a[6] == 2)
        put((char)f->a[0]);
    else
        while (*value < f->a[0])
            put(text[(*value)++]);
    return 0;
}

void sbi_call(struct frame *f) {
    unsigned long value = 0;
    long error = NOT_SUPPORTED;
    switch (f->a[7]) {
    case EXT_PUTCHAR:
        put((char)f->a[0]);
        f->a[0] = 0;
        return; // the old calls give no value
    case EXT_SHUTDOWN:
        *TEST_FINISHER = FINISH_WELL;
        return;
    case EXT_BASE:
        error = base_call(f, &value);
        break;
    case EXT_TIME:
        error = time_call(f);
        break;
    case EXT_IPI:
        error = ipi_call(f);
        break;
    case EXT_RFENCE:
        error = rfence_call(f);
        break;
    case EXT_HSM:
        error = hsm_call(f, &value);
        break;
    case EXT_SRST:
        error = reset_call(f);
        break;
    case EXT_DBCN:
        error = console_call(f, &value);
        break;
    default:
        break;
    }
    f->a[0] = (unsigned long)error;
    f->a[1] = value;
}
