// SPDX-License-Identifier: MIT
// The registers of a thread: see regset.h. The trap frame begins with user_regs_struct; the FP state is __riscv_d_ext_state
// with zeros up to the next 8 bytes, as Linux has it.
#include "arch/riscv/regset.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/trap.h"
#include "lib/string.h"
#include <asm/ptrace.h>
#include <linux/elf.h>

#define GENERAL_SIZE sizeof(struct user_regs_struct)
#define FP_SIZE      sizeof(struct __riscv_d_ext_state)
#define FP_USED      (offsetof(struct __riscv_d_ext_state, fcsr) + sizeof(uint32_t))

_Static_assert(FP_SIZE <= REGSET_MAX && GENERAL_SIZE <= REGSET_MAX, "the largest set");
_Static_assert(sizeof(struct fpu_state) >= FP_USED, "FP state is copied whole");
_Static_assert(offsetof(struct trap_frame, status) == GENERAL_SIZE,
               "the frame begins with the user's registers");

static struct fpu_state *fpu_of(struct thread *t) {
    return &((struct arch_thread *)t)->fpu;
}

size_t regset_size(unsigned int type) {
    return type == NT_PRSTATUS ? GENERAL_SIZE : type == NT_PRFPREG ? FP_SIZE : 0;
}

void regset_get(struct thread *t, unsigned int type, void *buf) {
    if (type == NT_PRSTATUS) {
        memcpy(buf, arch_user_frame(t), GENERAL_SIZE);
        return;
    }
    fpu_save(t);
    memset(buf, 0, FP_SIZE);
    memcpy(buf, fpu_of(t), FP_USED);
}

void regset_set(struct thread *t, unsigned int type, const void *buf, size_t n) {
    if (type == NT_PRSTATUS) {
        memcpy(arch_user_frame(t), buf, MIN(n, GENERAL_SIZE));
        return;
    }
    fpu_save(t);
    struct fpu_state state = *fpu_of(t);
    memcpy(&state, buf, MIN(n, FP_USED));
    fpu_set(t, &state);
}
