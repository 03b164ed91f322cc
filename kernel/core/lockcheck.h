// SPDX-License-Identifier: MIT
// Checks of locking in debug builds (make DEBUG=1): order, interrupts, sleeping, self-deadlock, who holds what. In
// other builds none of this exists. core/lockcheck.c tells how it works.
#pragma once
#include "core/types.h"

// Where a lock stands among those of its class that are held (spin_lock_nested(), mutex_lock_nested()): each must
// have a higher rank than those before it. Without a rank a lock is the first.
enum lock_rank {
    LOCK_FIRST,
    LOCK_SECOND_PARENT, // inode.lock: the second directory of a rename
    LOCK_CHILD, // inode.lock: a directory whose parent is locked; vmspace.lock: a child that fork() makes
    LOCK_RANKS = 100,
    LOCK_BELOW,        // next to the last one held: the structures that hold the locks make no circle
    LOCK_NEXT_ADDRESS, // the same, and its address is higher than that of the last one held
};

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
        enum lock_rank rank;
    } held[LOCK_STACK_SIZE];
};

// A lock of *class (NULL: made for this lock) is about to be waited for. Panics if that may deadlock. Returns the
// rank that it will have.
enum lock_rank lock_check_wait(struct lock_class **class, const void *lock, bool sleeps, enum lock_rank rank);
// It was taken (`tried`: without waiting for it); released.
void lock_check_taken(struct lock_class **class, const void *lock, bool sleeps, enum lock_rank rank);
void lock_check_tried(struct lock_class **class, const void *lock, bool sleeps);
void lock_check_released(const void *lock, bool sleeps);
// Panics if this hart holds a spinlock.
void lock_check_may_sleep(const char *what);
// Panics if this hart or the current thread holds any lock.
void lock_check_none_held(const char *what);
// Panics if none of the two is held by this hart (spinlocks) or the current thread (mutexes).
void lock_check_held(const void *lock, const void *other, const char *what);
// This hart runs a thread whose held mutexes are in `mutexes`.
void lock_check_switch(struct lock_stack *mutexes);

// What a function whose name ends in _locked begins with: the caller holds `lock`, a spinlock or a mutex.
#define ASSERT_HELD(lock)             lock_check_held(lock, NULL, #lock)
#define ASSERT_HELD_EITHER(lock, two) lock_check_held(lock, two, #lock " or " #two)

// Expands to the class of all locks that this line initialises.
#define LOCK_CLASS_HERE(expression)                                                                          \
    ({                                                                                                       \
        static struct lock_class class_ = {.name = expression, .place = __FILE__};                           \
        &class_;                                                                                             \
    })

#else
#define ASSERT_HELD(lock)             ((void)sizeof(lock))
#define ASSERT_HELD_EITHER(lock, two) ((void)sizeof(lock), (void)sizeof(two))
static inline void lock_check_may_sleep(const char *what) {
    (void)what;
}
static inline void lock_check_none_held(const char *what) {
    (void)what;
}
#endif
