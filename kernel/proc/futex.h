// SPDX-License-Identifier: MIT
// Futexes: sleeping until a word of user memory changes (futex(2)). proc/futex.c explains the protocol.
#pragma once
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/wait.h"

// Every call may sleep in page faults; addresses are checked. `shared`: the word may be in memory shared with
// other processes. Alignment is the caller's to check.
struct futex_timeout {
    ktime_t deadline; // ns, KTIME_NEVER: none
    bool realtime;    // of CLOCK_REALTIME, else monotonic
};
// schedule_until() for it.
static inline int futex_schedule(const struct futex_timeout *t) {
    return t->realtime ? schedule_until_realtime(t->deadline) : schedule_until(t->deadline);
}
// 0 woken, -EAGAIN the word is not `value`, -ETIMEDOUT, -EFAULT, -ERESTARTSYS or -ERESTART_RESTARTBLOCK.
int futex_wait(uint32_t __user *addr, bool shared, uint32_t value, const struct futex_timeout *timeout,
               uint32_t bitset);
// Waits for any of n words; the index of one that was woken, or errors as above (a deadline's wait is not
// restarted with a block: it is absolute).
struct futex_wait_item {
    uint32_t __user *addr;
    uint32_t value;
    bool shared;
};
int futex_wait_any(const struct futex_wait_item *item, unsigned int n, const struct futex_timeout *timeout);
// Waiters woken, or -EFAULT.
int futex_wake(uint32_t __user *addr, bool shared, int n, uint32_t bitset);
// Wakes `wake` waiters of addr and moves up to `requeue` others to addr2. If `expected` is given, -EAGAIN
// unless the word at addr has that value. Waiters woken, with `expected` also those moved.
int futex_requeue(uint32_t __user *addr, uint32_t __user *addr2, bool shared, int wake, int requeue,
                  const uint32_t *expected);
// FUTEX_WAKE_OP.
int futex_wake_op(uint32_t __user *addr, uint32_t __user *addr2, bool shared, int wake, int wake2,
                  uint32_t op);

// FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI (`try`), FUTEX_UNLOCK_PI (proc/futex_pi.c). 0, -EAGAIN, -EDEADLK, -EFAULT,
// -EPERM, -ESRCH, -ETIMEDOUT, -ENOMEM, -ERESTARTNOINTR; -EINVAL: the word and the kernel disagree.
int futex_lock_pi(uint32_t __user *addr, bool shared, bool try, const struct futex_timeout *timeout);
int futex_unlock_pi(uint32_t __user *addr, bool shared);
// Hands over what a dying thread owns; part of futex_exit_robust().
void futex_exit_pi(struct thread *thread);

// At thread exit, while the address space is still there: marks the robust locks that the thread holds as
// left by a dead owner and wakes a waiter of each.
void futex_exit_robust(struct thread *thread);
// Wakes n waiters, shared or private, of a word that the kernel changed (clear_child_tid).
int futex_wake_user(uint32_t __user *addr, int n);
void futex_init(void);
