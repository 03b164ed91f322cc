// SPDX-License-Identifier: MIT
// Checks of locking in debug builds (make DEBUG=1): order, interrupts, sleeping, self-deadlock. In other
// builds none of this exists. core/lockcheck.c tells how it works.
#pragma once
#include "core/types.h"

#ifdef CONFIG_DEBUG

// Locks that are initialised by the same line belong together: a name in messages and a node in the graph of
// orders.
struct lock_class {
    const char *name;   // the initialised expression; NULL: a lock with a static initialiser
    const char *place;  // file of the initialisation
    const void *lock;   // static initialiser: the lock
    unsigned int id;    // [a] 0: not seen yet
    bool in_interrupt;  // [a] taken by an interrupt handler
    bool interrupts_on; // [a] taken with interrupts enabled
};

#define LOCK_STACK_SIZE 32
struct lock_stack {
    unsigned int n;
    struct lock_held {
        const void *lock;
        struct lock_class *class;
    } held[LOCK_STACK_SIZE];
};

// A lock of *class (NULL: made for this lock) is about to be waited for. Panics if that may deadlock.
void lock_check_wait(struct lock_class **class, const void *lock, bool sleeps);
// It was taken; released.
void lock_check_taken(struct lock_class **class, const void *lock, bool sleeps);
void lock_check_released(const void *lock, bool sleeps);
// Panics if this hart holds a spinlock.
void lock_check_may_sleep(const char *what);
// This hart runs a thread whose held mutexes are in `mutexes`.
void lock_check_switch(struct lock_stack *mutexes);

// Expands to the class of all locks that this line initialises.
#define LOCK_CLASS_HERE(expression)                                                                          \
    ({                                                                                                       \
        static struct lock_class class_ = {.name = expression, .place = __FILE__};                           \
        &class_;                                                                                             \
    })

#else
static inline void lock_check_may_sleep(const char *what) {
    (void)what;
}
#endif
