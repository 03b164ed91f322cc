// SPDX-License-Identifier: MIT
#include "proc/rseq.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "proc/signal.h"
#include <asm/siginfo.h>
#include <asm/signal.h>

// Linux's struct rseq as of 6.3; linux/rseq.h of the oldest headers that we build with ends before node_id.
struct area {
    uint32_t cpu_id_start, cpu_id;
    uint64_t sequence; // the program's: the address of a struct sequence, or 0
    uint32_t flags;
    uint32_t node_id, mm_cid;
};
_Static_assert(offsetof(struct area, mm_cid) + sizeof(uint32_t) == RSEQ_AREA_LENGTH, "all of it");
#define AREA_LENGTH_FIRST 32u // of the first version, with what was kept free; aligned so
#define UNINITIALIZED     (~0u)
#define UNREGISTER        1

// Linux's struct rseq_cs.
struct sequence {
    uint32_t version, flags;
    uint64_t start, length, abort;
};

void rseq_forget(struct thread *t) {
    t->rseq = NULL;
}

void rseq_inherit(struct thread *t) {
    t->rseq = current->rseq;
    t->rseq_length = current->rseq_length;
    t->rseq_signature = current->rseq_signature;
    t->rseq_hart = current->rseq_hart;
}

// ---- what the thread is told

// All memory is one node. Threads that run at one moment have different harts, which will do for mm_cid.
static int tell(uint32_t start, uint32_t hart) {
    struct area __user *area = current->rseq;
    const uint32_t ids[2] = {start, hart}, more[2] = {0, start};
    int err = copy_to_user(&area->cpu_id_start, ids, sizeof(ids));
    return err ? err : copy_to_user(&area->node_id, more, sizeof(more));
}

// A thread that is moved meanwhile comes here again, as it knows of none.
static int tell_hart(void) {
    WRITE_ONCE(current->rseq_hart, UNINITIALIZED);
    uint32_t hart = READ_ONCE(current->arch.hart)->id;
    WRITE_ONCE(current->rseq_hart, hart);
    return tell(hart, hart);
}

static void give_up(void) {
    siginfo_t info;
    signal_info_clear(&info);
    info.si_signo = SIGSEGV;
    info.si_code = SI_KERNEL;
    rseq_forget(current);
    signal_force(&info);
}

// ---- sequences

static bool is_sound(const struct sequence *s) {
    return !s->version && s->start < USER_END && s->length < USER_END && s->start + s->length < USER_END &&
           s->abort < USER_END && s->abort - s->start >= s->length;
}

// The word before the code for aborting is the program's signature: what an attacker makes a sequence of goes nowhere else.
static bool is_signed(const struct sequence *s) {
    uint32_t word;
    return !get_user(word, (const uint32_t __user *)(s->abort - sizeof(word))) &&
           word == current->rseq_signature;
}

// 0 or -EFAULT, -EINVAL.
static int abort_sequence(struct trap_frame *frame) {
    struct area __user *area = current->rseq;
    struct sequence s;
    uint64_t address;
    int err = get_user(address, &area->sequence);
    if (err || !address)
        return err;
    if (address >= USER_END)
        return -EINVAL;
    err = copy_from_user(&s, (const void __user *)address, sizeof(s));
    if (!err && (!is_sound(&s) || !is_signed(&s)))
        err = -EINVAL;
    uint32_t flags = 0;
    if (!err)
        err = get_user(flags, &area->flags);
    if (!err && (s.flags | flags)) // NO_RESTART of old: refused, as in Linux since 6.1
        err = -EINVAL;
    if (!err)
        err = put_user(0, &area->sequence);
    if (!err && frame->pc - s.start < s.length)
        frame->pc = s.abort;
    return err;
}

void rseq_interrupt(struct trap_frame *frame) {
    if (unlikely(current->rseq) && abort_sequence(frame))
        give_up();
}

void rseq_switched(struct trap_frame *frame) {
    __atomic_fetch_and(&current->arch.work, ~WORK_RSEQ, __ATOMIC_RELAXED);
    if (!current->rseq)
        return;
    int err = abort_sequence(frame);
    if (!err && current->rseq_hart != READ_ONCE(current->arch.hart)->id)
        err = tell_hart();
    if (err)
        give_up();
}

// ---- the call

static long unregister(const void __user *area, uint32_t length, int flags, uint32_t signature) {
    if (flags != UNREGISTER || !area || current->rseq != area || current->rseq_length != length)
        return -EINVAL;
    if (current->rseq_signature != signature)
        return -EPERM;
    int err = tell(0, UNINITIALIZED);
    if (!err)
        rseq_forget(current);
    return err;
}

static bool is_area(const void __user *area, uint32_t length) {
    return length >= AREA_LENGTH_FIRST && !((unsigned long)area & (RSEQ_AREA_ALIGNMENT - 1));
}

long rseq_call(void __user *area, uint32_t length, int flags, uint32_t signature) {
    struct thread *t = current;
    if (flags & UNREGISTER)
        return unregister(area, length, flags, signature);
    if (flags)
        return -EINVAL;
    if (t->rseq) {
        if (t->rseq != area || t->rseq_length != length)
            return -EINVAL;
        return t->rseq_signature != signature ? -EPERM : -EBUSY;
    }
    if (!is_area(area, length))
        return -EINVAL;
    if ((unsigned long)area >= USER_END || USER_END - (unsigned long)area < length)
        return -EFAULT;
    int err = put_user(0, &((struct area __user *)area)->sequence);
    if (err)
        return err;
    t->rseq_length = length;
    t->rseq_signature = signature;
    t->rseq = area;
    err = tell_hart();
    if (err)
        rseq_forget(t);
    return err;
}
