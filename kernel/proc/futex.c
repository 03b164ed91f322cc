// SPDX-License-Identifier: MIT
// Futexes (futex(2), futex(7)).
//
// A waiter stands, on its own stack, in the bucket that its key hashes to. A key names a word of memory
// whatever address it is seen at: private memory by address space and address, shared memory by its backing
// and the offset there.
//
// No wake-up is lost between looking at the word and sleeping, though the look may fault and sleep and so
// cannot happen under the bucket's lock: a waiter enters the queue first and looks at the word then. A waker
// has changed the word before it looks at the queue. With a full fence between the two steps on both sides,
// either the waiter sees the new value or the waker sees the waiter. A waiter that sees another value leaves;
// if a waker has chosen it meanwhile, the wake-up was meant for somebody who sleeps and is passed on.
//
// Moving waiters (FUTEX_CMP_REQUEUE) must not touch those who came after the word was compared: `arrivals`
// tells whether there were any, and the comparison is repeated then.
//
// Locks: a bucket's; two of them in order of address. A waiter leaves only with the lock of its bucket held,
// so whoever holds that may look at it. Threads are woken under it (order: bucket, run queue).
#include "proc/futex.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "mm/slab.h"
#include "sched/wait.h"
#include "vm/vmspace.h"
#include <linux/futex.h>

#define BUCKETS_PER_HART 64

struct bucket {
    struct spinlock lock;
    unsigned int arrivals;    // [lock] waiters that ever came
    struct list_head waiters; // [lock]
} __aligned_to(32);

struct waiter {
    struct list_head link;
    struct bucket *bucket; // [a] changed with both buckets locked
    struct futex_key key;
    uint32_t bitset;
    bool woken; // [bucket] taken off by a waker
    struct thread *thread;
};

static struct bucket *buckets;
static unsigned long bucket_mask;

static struct bucket *bucket_of(const struct futex_key *key) {
    unsigned long h = key->object + (key->object >> 6) + (key->offset >> 2) * 0x9e3779b97f4a7c15ul;
    return &buckets[(h ^ h >> 29) & bucket_mask];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b) {
    return a->offset == b->offset && a->object == b->object;
}

static int get_key(uint32_t __user *addr, bool shared, struct futex_key *key) {
    return vm_futex_key((unsigned long)addr, !shared, key);
}

static void lock_two(struct bucket *a, struct bucket *b) {
    spin_lock(a < b ? &a->lock : &b->lock);
    if (a != b)
        spin_lock_nested(a < b ? &b->lock : &a->lock, LOCK_NEXT_ADDRESS);
}

static void unlock_two(struct bucket *a, struct bucket *b) {
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

static void enter(struct waiter *w) {
    struct bucket *b = bucket_of(&w->key);
    w->bucket = b;
    spin_lock(&b->lock);
    b->arrivals++;
    list_add_tail(&w->link, &b->waiters);
    spin_unlock(&b->lock);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // before the look at the word
}

// Takes w out of its queue. True if a waker had done so.
static bool leave(struct waiter *w) {
    for (;;) {
        struct bucket *b = __atomic_load_n(&w->bucket, __ATOMIC_RELAXED);
        spin_lock(&b->lock);
        bool here = b == w->bucket, woken = w->woken;
        if (here && !woken)
            list_del(&w->link);
        spin_unlock(&b->lock);
        if (here)
            return woken;
    }
}

static void wake_waiter(struct waiter *w) {
    list_del(&w->link);
    __atomic_store_n(&w->woken, true, __ATOMIC_RELAXED);
    thread_wake(w->thread);
}

// As in Linux, at least one is woken, also for n = 0.
static int wake_key(const struct futex_key *key, int n, uint32_t bitset) {
    struct bucket *b = bucket_of(key);
    struct waiter *w, *next;
    int woken = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // after the change of the word
    if (READ_ONCE(b->waiters.next) == &b->waiters)
        return 0;
    sched_defer_interrupts();
    spin_lock(&b->lock);
    list_for_each_entry_safe (w, next, &b->waiters, link) {
        if (!same_key(&w->key, key) || !(w->bitset & bitset))
            continue;
        wake_waiter(w);
        if (++woken >= n)
            break;
    }
    spin_unlock(&b->lock);
    sched_undefer_interrupts();
    return woken;
}

static bool any_woken(const struct waiter *w, unsigned int n) {
    for (unsigned int i = 0; i < n; i++) {
        if (__atomic_load_n(&w[i].woken, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

// 0 one of n was woken, -EINTR, -ETIME.
static int sleep_until_any_woken(struct waiter *w, unsigned int n, const struct futex_timeout *timeout) {
    return wait_until_woken(any_woken(w, n), -EINTR, futex_schedule(timeout));
}

static long restart_wait(struct restart_block *r) {
    struct futex_timeout timeout = {.deadline = r->args[2], .realtime = r->args[3] & 2};
    r->fn = restart_nothing;
    return futex_wait((uint32_t __user *)r->args[0], r->args[3] & 1, r->args[1], &timeout, r->args[4]);
}

// What an interrupted wait returns: one with a deadline goes on with the same deadline.
static int interrupted(uint32_t __user *addr, bool shared, uint32_t value,
                       const struct futex_timeout *timeout, uint32_t bitset) {
    if (timeout->deadline == KTIME_NEVER)
        return -ERESTARTSYS;
    current->restart = (struct restart_block){
        restart_wait,
        {(unsigned long)addr, value, timeout->deadline, shared | timeout->realtime << 1, bitset},
    };
    return -ERESTART_RESTARTBLOCK;
}

int futex_wait(uint32_t __user *addr, bool shared, uint32_t value, const struct futex_timeout *timeout,
               uint32_t bitset) {
    struct waiter w = {.thread = current, .bitset = bitset};
    int err = get_key(addr, shared, &w.key);
    if (err)
        return err;
    enter(&w);
    uint32_t found;
    err = user_load_u32(addr, &found);
    if (!err && found != value)
        err = -EAGAIN;
    if (err) {
        if (leave(&w))
            wake_key(&w.key, 1, w.bitset);
        return err;
    }
    err = sleep_until_any_woken(&w, 1, timeout);
    if (leave(&w))
        return 0;
    return err == -ETIME ? -ETIMEDOUT : interrupted(addr, shared, value, timeout, bitset);
}

// The first of n waiters that was woken, all of which have left their queues then; -1: none.
static int leave_all(struct waiter *w, unsigned int n) {
    int first = -1;
    for (unsigned int i = n; i-- > 0;) {
        if (leave(&w[i]))
            first = i;
    }
    return first;
}

int futex_wait_any(const struct futex_wait_item *item, unsigned int n, const struct futex_timeout *timeout) {
    struct waiter *w = kzalloc(n * sizeof(*w));
    unsigned int entered = 0;
    int err = w ? 0 : -ENOMEM;
    while (!err && entered < n) {
        const struct futex_wait_item *it = &item[entered];
        struct waiter *one = &w[entered];
        uint32_t found;
        *one = (struct waiter){.thread = current, .bitset = FUTEX_BITSET_MATCH_ANY};
        err = get_key(it->addr, it->shared, &one->key);
        if (err)
            break;
        enter(one);
        entered++;
        err = user_load_u32(it->addr, &found);
        if (!err && found != it->value)
            err = -EAGAIN;
    }
    if (!err)
        err = sleep_until_any_woken(w, n, timeout);
    int woken = leave_all(w, entered);
    kfree(w);
    if (woken >= 0)
        return woken;
    return err == -ETIME ? -ETIMEDOUT : err == -EINTR ? -ERESTARTSYS : err;
}

int futex_wake(uint32_t __user *addr, bool shared, int n, uint32_t bitset) {
    struct futex_key key;
    int err = get_key(addr, shared, &key);
    return err ? err : wake_key(&key, n, bitset);
}

int futex_wake_user(uint32_t __user *addr, int n) {
    struct futex_key key, private_key;
    int woken = 0;
    if (!get_key(addr, true, &key))
        woken = wake_key(&key, n, FUTEX_BITSET_MATCH_ANY);
    if (woken < n && !get_key(addr, false, &private_key) && !same_key(&key, &private_key))
        woken += wake_key(&private_key, n - woken, FUTEX_BITSET_MATCH_ANY);
    return woken;
}

// Locks both buckets with the word at addr known to be `expected` since the last arrival. 0, -EAGAIN, -EFAULT, or
// -EINTR if the thread is being killed, as others may arrive all the time.
static int lock_two_if_equal(struct bucket *from, struct bucket *to, uint32_t __user *addr,
                             uint32_t expected) {
    for (;;) {
        spin_lock(&from->lock);
        unsigned int arrivals = from->arrivals;
        spin_unlock(&from->lock);
        uint32_t found;
        int err = user_load_u32(addr, &found);
        if (err)
            return err;
        if (found != expected)
            return -EAGAIN;
        lock_two(from, to);
        if (from->arrivals == arrivals)
            return 0;
        unlock_two(from, to);
        err = cond_resched_killable();
        if (err)
            return err;
    }
}

int futex_requeue(uint32_t __user *addr, uint32_t __user *addr2, bool shared, int wake, int requeue,
                  const uint32_t *expected) {
    struct futex_key key, key2;
    int err = get_key(addr, shared, &key);
    if (!err)
        err = get_key(addr2, shared, &key2);
    if (err)
        return err;
    struct bucket *from = bucket_of(&key), *to = bucket_of(&key2);
    if (expected) {
        err = lock_two_if_equal(from, to, addr, *expected);
        if (err)
            return err;
    } else {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        lock_two(from, to);
    }
    struct waiter *w, *next;
    struct list_head moved = LIST_HEAD_INIT(moved); // so that moving within a bucket ends
    int count = 0;
    sched_defer_interrupts();
    list_for_each_entry_safe (w, next, &from->waiters, link) {
        if (!same_key(&w->key, &key))
            continue;
        if (count - wake >= requeue)
            break;
        if (++count <= wake) {
            wake_waiter(w);
            continue;
        }
        list_del(&w->link);
        list_add_tail(&w->link, &moved);
        w->key = key2;
        __atomic_store_n(&w->bucket, to, __ATOMIC_RELAXED);
    }
    to->arrivals++;
    list_splice_tail(&moved, &to->waiters);
    unlock_two(from, to);
    sched_undefer_interrupts();
    return count;
}

static bool compare_holds(unsigned int compare, int old, int arg) {
    switch (compare) {
    case FUTEX_OP_CMP_EQ:
        return old == arg;
    case FUTEX_OP_CMP_NE:
        return old != arg;
    case FUTEX_OP_CMP_LT:
        return old < arg;
    case FUTEX_OP_CMP_LE:
        return old <= arg;
    case FUTEX_OP_CMP_GT:
        return old > arg;
    default:
        return old >= arg;
    }
}

int futex_wake_op(uint32_t __user *addr, uint32_t __user *addr2, bool shared, int wake, int wake2,
                  uint32_t encoded) {
    unsigned int op = encoded >> 28 & 7, compare = encoded >> 24 & 15;
    int op_arg = (int)(encoded << 8) >> 20, compare_arg = (int)(encoded << 20) >> 20; // 12 bits each, signed
    struct futex_key key, key2;
    uint32_t old;
    if (op > FUTEX_OP_XOR || compare > FUTEX_OP_CMP_GE)
        return -ENOSYS;
    if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
        op_arg = 1u << (op_arg & 31);
    int err = get_key(addr, shared, &key);
    if (!err)
        err = get_key(addr2, shared, &key2);
    if (!err)
        err = user_atomic_op_u32(addr2, op, op_arg, &old);
    if (err)
        return err;
    int woken = wake_key(&key, wake, FUTEX_BITSET_MATCH_ANY);
    if (compare_holds(compare, old, compare_arg))
        woken += wake_key(&key2, wake2, FUTEX_BITSET_MATCH_ANY);
    return woken;
}

// ---- robust futexes: get_robust_list(2), Documentation/locking/robust-futex-ABI in Linux

#define ROBUST_LIMIT 2048 // the list is the program's, and may be a circle

// The lock word at addr, if the dying thread holds it. `pending`: it was in the middle of taking or giving it
// up.
static int bury_lock(struct thread *t, uint32_t __user *addr, bool is_pi, bool pending) {
    uint32_t value;
    if ((unsigned long)addr % sizeof(*addr))
        return -EINVAL;
    int err = user_load_u32(addr, &value);
    if (err)
        return err;
    // It gave the lock up, and may not have got round to waking the next.
    if (pending && !is_pi && !value) {
        futex_wake_user(addr, 1);
        return 0;
    }
    for (;;) {
        if ((value & FUTEX_TID_MASK) != (uint32_t)t->own_tid)
            return 0;
        uint32_t found = value;
        err = user_cmpxchg_u32(addr, &found, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
        if (err)
            return err;
        if (found == value)
            break;
        value = found;
    }
    if (!is_pi && value & FUTEX_WAITERS)
        futex_wake_user(addr, 1);
    return 0;
}

// Entries are user addresses whose low bit says that the lock is a priority-inheriting one.
static uint32_t __user *lock_word(unsigned long entry, long offset) {
    return (uint32_t __user *)((entry & ~1ul) + offset);
}

static void walk_robust_list(struct thread *t) {
    unsigned long head = (unsigned long)t->robust_list, entry, pending;
    struct robust_list_head list;
    if (!head || copy_from_user(&list, t->robust_list, sizeof(list)))
        return;
    t->robust_list = NULL;
    entry = (unsigned long)list.list.next;
    pending = (unsigned long)list.list_op_pending;
    for (int i = 0; i < ROBUST_LIMIT && (entry & ~1ul) != head; i++) {
        unsigned long next;
        // The next is read first: the one who gets the lock may change the entry.
        int err = get_user(next, (unsigned long __user *)(entry & ~1ul));
        if (entry != pending && bury_lock(t, lock_word(entry, list.futex_offset), entry & 1, false))
            return;
        if (err)
            return;
        entry = next;
        cond_resched();
    }
    if (pending)
        (void)bury_lock(t, lock_word(pending, list.futex_offset), pending & 1, true);
}

void futex_exit_robust(struct thread *t) {
    walk_robust_list(t);
    futex_exit_pi(t);
}

void futex_init(void) {
    unsigned long n = BUCKETS_PER_HART;
    while (n < BUCKETS_PER_HART * hart_count)
        n *= 2;
    buckets = kzalloc(n * sizeof(*buckets));
    if (!buckets)
        panic("futex: no memory for %lu buckets", n);
    bucket_mask = n - 1;
    for (unsigned long i = 0; i < n; i++) {
        spin_init(&buckets[i].lock);
        list_init(&buckets[i].waiters);
    }
}
