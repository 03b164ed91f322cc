// SPDX-License-Identifier: MIT
// Spinlocks and reference counts.
//
// The kernel is not preempted inside the kernel: a thread leaves its hart only where it calls schedule(). So
// a plain spin_lock() need not disable interrupts, unless an interrupt handler takes the same lock; those use
// the _irqsave forms. Nothing may sleep, fault on user memory, or call schedule() while it holds a spinlock.
// Debug builds (make DEBUG=1) check all that and the order of locks (core/lockcheck.h, docs/locking.md).
#pragma once
#include "core/types.h"
#include "core/lockcheck.h"
#include "arch/riscv/cpu.h"

struct spinlock {
    unsigned int locked; // [a] 1 while held
#ifdef CONFIG_DEBUG
    struct lock_class *class; // [a] NULL: static initialiser, not used yet
#endif
};

#define SPINLOCK_INIT                                                                                        \
    { 0 }

// Waits for a lock that another hart holds; the slow half of spin_lock().
void spin_lock_contended(struct spinlock *lock);

#ifdef CONFIG_DEBUG
#define spin_init(l) spin_init_class(l, LOCK_CLASS_HERE(#l))
static inline void spin_init_class(struct spinlock *lock, struct lock_class *class) {
    *lock = (struct spinlock){.class = class};
}
#define spin_note_wait(lock, rank)  lock_check_wait(&(lock)->class, lock, false, rank)
#define spin_note_taken(lock, rank) lock_check_taken(&(lock)->class, lock, false, rank)
#define spin_note_tried(lock)       lock_check_tried(&(lock)->class, lock, false)
#define spin_note_released(lock)    lock_check_released(lock, false)
#else
static inline void spin_init(struct spinlock *lock) {
    *lock = (struct spinlock)SPINLOCK_INIT;
}
#define spin_note_wait(lock, rank)  (rank)
#define spin_note_taken(lock, rank) ((void)(rank))
#define spin_note_tried(lock)       ((void)0)
#define spin_note_released(lock)    ((void)0)
#endif

static inline bool spin_exchange_(struct spinlock *lock) {
    return __atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline bool spin_trylock(struct spinlock *lock) {
    bool taken = spin_exchange_(lock);
    if (taken)
        spin_note_tried(lock);
    return taken;
}

// Takes it while others of its class are held; `rank` tells where it stands among them.
static inline __attribute__((always_inline)) void spin_lock_nested(struct spinlock *lock,
                                                                   enum lock_rank rank) {
    rank = spin_note_wait(lock, rank);
    if (unlikely(!spin_exchange_(lock)))
        spin_lock_contended(lock);
    spin_note_taken(lock, rank);
}

static inline void spin_lock(struct spinlock *lock) {
    spin_lock_nested(lock, LOCK_FIRST);
}

static inline void spin_unlock(struct spinlock *lock) {
    spin_note_released(lock);
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

// Returns the interrupt state to hand to spin_unlock_irqrestore().
static inline unsigned long spin_lock_irqsave_nested(struct spinlock *lock, enum lock_rank rank) {
    unsigned long flags = irq_save();
    spin_lock_nested(lock, rank);
    return flags;
}

static inline unsigned long spin_lock_irqsave(struct spinlock *lock) {
    return spin_lock_irqsave_nested(lock, LOCK_FIRST);
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags) {
    spin_unlock(lock);
    irq_restore(flags);
}

static inline bool spin_is_taken(const struct spinlock *lock) {
    return READ_ONCE(lock->locked) != 0;
}

// A count of references. It starts at 1; the one who takes it to 0 frees the object.
struct refcount {
    int count; // [a]
};

static inline void ref_init(struct refcount *r) {
    __atomic_store_n(&r->count, 1, __ATOMIC_RELAXED);
}
static inline void ref_get(struct refcount *r) {
    __atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED);
}
// Takes a reference unless the count is already 0. True if it was taken.
bool ref_get_unless_zero(struct refcount *r);
// True if this was the last reference.
static inline bool __must_check ref_put(struct refcount *r) {
    return __atomic_fetch_sub(&r->count, 1, __ATOMIC_ACQ_REL) == 1;
}
static inline int ref_read(const struct refcount *r) {
    return __atomic_load_n(&r->count, __ATOMIC_RELAXED);
}
