// SPDX-License-Identifier: MIT
// Mutexes.
//
// `owner` is the holder's address with two flags: WAITERS, the list is not empty, so unlocking must look at
// it; HANDOFF, the first in the list was woken once and found the lock taken again, so unlocking gives it to
// it without letting it become free. Taking a free lock and giving up one without flags are one
// compare-and-swap; all else happens under `lock`. HANDOFF is only ever set together with an owner.
//
// On more than one hart, one who finds the lock taken spins while its holder runs: most locks are held for
// less time than a switch takes. The holder may end while it is looked at; thread structures stay readable
// memory, and what is read is only a hint.
#include "sched/wait.h"
#include "core/panic.h"
#include "mm/user_table.h"

#define WAITERS 1ul
#define HANDOFF 2ul
#define FLAGS   (WAITERS | HANDOFF)

#define SPIN_LIMIT 1000 // looks at the holder before it is taken to be away, as a virtual hart may be

struct mutex_waiter {
    struct list_head link;
    struct thread *thread;
};

static unsigned long load(const struct mutex *m) {
    return (unsigned long)__atomic_load_n(&m->owner, __ATOMIC_RELAXED);
}

static struct thread *holder(unsigned long value) {
    return (struct thread *)(value & ~FLAGS);
}

static bool replace(struct mutex *m, unsigned long old, unsigned long new) {
    struct thread *expected = (struct thread *)old;
    return __atomic_compare_exchange_n(&m->owner, &expected, (struct thread *)new, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

#ifdef CONFIG_DEBUG
void mutex_init_class(struct mutex *m, struct lock_class *class) {
    *m = (struct mutex)MUTEX_INIT(*m);
    m->class = class;
    m->lock.class = LOCK_CLASS_HERE("the waiters of a mutex");
}
#endif

bool mutex_is_mine(const struct mutex *m) {
    return holder(load(m)) == current;
}

static bool try_take(struct mutex *m) {
    unsigned long value = load(m);
    while (!holder(value)) {
        if (replace(m, value, (unsigned long)current | value))
            return true;
        value = load(m);
    }
    return false;
}

// Spins while the holder runs. True: taken. A holder that was read may have let go and ended since: its memory is the
// kernel's still, and whatever is read there, the next round reads the mutex again.
static bool spin(struct mutex *m) {
    for (int i = 0; i < SPIN_LIMIT; i++) {
        unsigned long value = load(m);
        struct thread *owner = holder(value);
        if (!owner) {
            if (try_take(m))
                return true;
        } else if (value & HANDOFF || !READ_ONCE(owner->on_cpu) ||
                   READ_ONCE(current->arch.work) & WORK_RESCHED) {
            return false;
        }
        cpu_relax();
    }
    return false;
}

static bool spin_for(struct mutex *m) {
    if (hart_count == 1)
        return false;
    unsigned long flushes = user_table_leave();
    bool taken = spin(m);
    user_table_return(flushes);
    return taken;
}

// With m->lock held: takes the lock, or finds it handed over.
static bool take(struct mutex *m) {
    ASSERT_HELD(&m->lock);
    return mutex_is_mine(m) || try_take(m);
}

static void leave_waiters(struct mutex *m, struct mutex_waiter *w) {
    ASSERT_HELD(&m->lock);
    list_del(&w->link);
    if (list_empty(&m->waiters))
        __atomic_fetch_and((unsigned long *)&m->owner, ~FLAGS, __ATOMIC_RELAXED);
}

static int lock_common(struct mutex *m, enum thread_state state) {
    DEBUG_ASSERT(!mutex_is_mine(m));
    if (spin_for(m))
        return 0;
    struct mutex_waiter w = {.thread = current};
    int err = 0;
    spin_lock(&m->lock);
    list_add_tail(&w.link, &m->waiters);
    __atomic_fetch_or((unsigned long *)&m->owner, WAITERS, __ATOMIC_RELAXED);
    bool came_late = false;
    while (!take(m)) {
        unsigned long value = load(m);
        if (came_late && m->waiters.next == &w.link && holder(value) && !replace(m, value, value | HANDOFF))
            continue;
        thread_set_state(state);
        if ((err = wait_interrupted(state)))
            break;
        spin_unlock(&m->lock);
        schedule();
        spin_lock(&m->lock);
        came_late = true;
    }
    WRITE_ONCE(current->state, THREAD_RUNNING);
    leave_waiters(m, &w);
    spin_unlock(&m->lock);
    return err ? -EINTR : 0;
}

void mutex_lock_slow(struct mutex *m) {
    (void)lock_common(m, THREAD_UNINTERRUPTIBLE);
}

int mutex_lock_killable_slow(struct mutex *m) {
    return try_take(m) ? 0 : lock_common(m, THREAD_KILLABLE);
}

void mutex_unlock_slow(struct mutex *m) {
    ASSERT(mutex_is_mine(m));
    sched_defer_interrupts();
    spin_lock(&m->lock);
    unsigned long value = load(m);
    if (list_empty(&m->waiters)) {
        __atomic_store_n(&m->owner, NULL, __ATOMIC_RELEASE);
    } else {
        struct thread *first = list_first_entry(&m->waiters, struct mutex_waiter, link)->thread;
        unsigned long new = value &HANDOFF ? (unsigned long)first | WAITERS : WAITERS;
        __atomic_store_n(&m->owner, (struct thread *)new, __ATOMIC_RELEASE);
        thread_wake(first); // under the lock: `first` is there until it has taken it
    }
    spin_unlock(&m->lock);
    sched_undefer_interrupts();
}
