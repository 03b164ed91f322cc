// SPDX-License-Identifier: MIT
// Futexes with priority inheritance: FUTEX_LOCK_PI and its kin (futex(2), "Priority-inheritance futexes").
//
// The word holds the owner's thread id, FUTEX_WAITERS and FUTEX_OWNER_DIED. Without contention programs
// change it alone. Where there are waiters, a `pi_lock` stands for the word: its owner inherits the highest
// real-time priority of the waiters, and if it waits for such a lock itself, so does that one's owner.
//
// Unlocking hands the word over to the first waiter, so a lock with waiters is never free. If the owner dies,
// the next owner writes the word itself, as the dead one may have seen it at another address.
//
// All of it happens under one mutex: these locks are rare. Every thread that ends takes it, so nobody waits for the word's page, which
// may be a device's, while he has it: he lets go of it, brings the page in, and begins anew.
#include "proc/futex.h"
#include "arch/riscv/uaccess.h"
#include "mm/slab.h"
#include "proc/process.h"
#include "sched/wait.h"
#include "vm/vmspace.h"
#include <linux/futex.h>

#define CHAIN_LIMIT 1024 // owners that wait for owners

struct pi_lock {
    struct list_head link;       // in pi_locks
    struct list_head owned_link; // in owner->pi_owned
    struct futex_key key;
    struct thread *owner;     // a reference
    bool unclaimed;           // the owner got it from a dead one and has not written the word yet
    struct list_head waiters; // highest priority first, then first come
};

struct pi_waiter {
    struct list_head link;
    struct thread *thread;
    struct pi_lock *lock;
    bool granted;    // [a] it owns the lock now
    bool owner_died; // and has to write the word
};

static struct mutex pi_mutex = MUTEX_INIT(pi_mutex);
static struct list_head pi_locks = LIST_HEAD_INIT(pi_locks); // [pi_mutex]

// ---- the mutex

static void begin(void) {
    mutex_lock(&pi_mutex);
    current->waits_for_no_page = true;
}

static void end(void) {
    current->waits_for_no_page = false;
    mutex_unlock(&pi_mutex);
}

// What a program asks for.
struct pi_request {
    struct futex_key key;
    uint32_t __user *addr;
    bool try;
    const struct futex_timeout *timeout;
};

// Without the mutex, after an error with it: was that for want of the page alone, and is there one now? Then 1; else the error, or
// -ERESTARTNOINTR: the thread is being killed.
static int bring_in(uint32_t __user *addr, int err) {
    uint32_t value;
    bool missed = current->missed_page;
    current->missed_page = false;
    if (err != -EFAULT || !missed)
        return err;
    if (cond_resched_killable())
        return -ERESTARTNOINTR;
    err = user_load_u32(addr, &value);
    if (!err)
        err = user_cmpxchg_u32(addr, &value, value); // which is a write
    return err ? err : 1;
}

// Does it with the mutex, anew each time that the word's page has been brought in.
static int with_mutex(struct pi_request *r, bool shared, int (*act)(const struct pi_request *r)) {
    int err = vm_futex_key((unsigned long)r->addr, !shared, &r->key);
    if (err)
        return err;
    do {
        begin();
        err = act(r);
        end();
        err = bring_in(r->addr, err);
    } while (err == 1);
    return err;
}

// ---- locks

static struct pi_lock *find_lock(const struct futex_key *key) {
    struct pi_lock *l;
    list_for_each_entry (l, &pi_locks, link) {
        if (l->key.object == key->object && l->key.offset == key->offset)
            return l;
    }
    return NULL;
}

static void set_owner(struct pi_lock *l, struct thread *owner) {
    ASSERT_HELD(&pi_mutex);
    struct thread *old = l->owner;
    thread_get(owner);
    l->owner = owner;
    list_del(&l->owned_link);
    list_add(&l->owned_link, &owner->pi_owned);
    if (old)
        thread_put(old);
}

static struct pi_lock *create_lock(const struct futex_key *key, struct thread *owner) {
    struct pi_lock *l = kzalloc(sizeof(*l));
    if (!l)
        return NULL;
    l->key = *key;
    list_init(&l->owned_link);
    list_init(&l->waiters);
    list_add(&l->link, &pi_locks);
    set_owner(l, owner);
    return l;
}

static void destroy_lock(struct pi_lock *l) {
    list_del(&l->link);
    list_del(&l->owned_link);
    thread_put(l->owner);
    kfree(l);
}

static struct pi_waiter *first_waiter(struct pi_lock *l) {
    return list_empty(&l->waiters) ? NULL : list_first_entry(&l->waiters, struct pi_waiter, link);
}

static void insert_waiter(struct pi_lock *l, struct pi_waiter *w) {
    struct list_head *at = l->waiters.next;
    while (at != &l->waiters &&
           list_entry(at, struct pi_waiter, link)->thread->rt_priority >= w->thread->rt_priority)
        at = at->next;
    list_add_tail(&w->link, at);
}

// Gives `t` the priority that the locks it owns lend it, and passes a change on to the owner it waits for.
static void update_priority(struct thread *t) {
    ASSERT_HELD(&pi_mutex);
    for (int i = 0; t && i < CHAIN_LIMIT; i++) {
        struct pi_lock *l;
        int lent = 0, before = t->rt_priority;
        list_for_each_entry (l, &t->pi_owned, owned_link) {
            struct pi_waiter *w = first_waiter(l);
            if (w && w->thread->rt_priority > lent)
                lent = w->thread->rt_priority;
        }
        sched_lend_priority(t, lent);
        struct pi_waiter *w = t->pi_wait;
        if (t->rt_priority == before || !w)
            return;
        list_del(&w->link);
        insert_waiter(w->lock, w);
        t = w->lock->owner;
    }
}

static bool would_deadlock(struct thread *owner) {
    for (int i = 0; i < CHAIN_LIMIT; i++) {
        if (owner == current)
            return true;
        if (!owner->pi_wait)
            return false;
        owner = owner->pi_wait->lock->owner;
    }
    return true;
}

// Takes the word if nobody has it: 0. Else sees to it that it says that there are waiters: 1, and whose it is
// in *owner.
static int take_word(uint32_t __user *addr, bool has_lock, pid_t *owner) {
    uint32_t value, found, new;
    int err = user_load_u32(addr, &value);
    while (!err) {
        bool is_free = !(value & FUTEX_TID_MASK) && !has_lock;
        *owner = value & FUTEX_TID_MASK;
        if (*owner == current->own_tid)
            return -EDEADLK;
        if (is_free)
            new = current->own_tid | (value & FUTEX_OWNER_DIED);
        else if (value & FUTEX_WAITERS)
            return 1;
        else
            new = value | FUTEX_WAITERS;
        found = value;
        err = user_cmpxchg_u32(addr, &found, new);
        if (!err && found == value)
            return is_free ? 0 : 1;
        value = found;
    }
    return err;
}

// The lock that stands for a word which `tid` owns, made if need be.
static int get_lock(const struct futex_key *key, pid_t tid, struct pi_lock **lock) {
    *lock = find_lock(key);
    if (*lock)
        return tid && tid != (*lock)->owner->own_tid ? -EINVAL : 0;
    struct thread *owner = tid ? thread_find(tid) : NULL;
    if (!owner)
        return -ESRCH;
    *lock = owner->pi_exited ? NULL : create_lock(key, owner);
    int err = *lock ? 0 : owner->pi_exited ? -ESRCH : -ENOMEM;
    thread_put(owner);
    return err;
}

// The dead owner's lock was granted to the current thread: the word says so.
static int claim_word(uint32_t __user *addr) {
    uint32_t value, found;
    int err = user_load_u32(addr, &value);
    while (!err) {
        found = value;
        err = user_cmpxchg_u32(addr, &found, current->own_tid | FUTEX_WAITERS | FUTEX_OWNER_DIED);
        if (!err && found == value)
            return 0;
        value = found;
    }
    return err;
}

// Waits with pi_mutex released. 0, -ETIMEDOUT or -ERESTARTNOINTR.
static int wait_for_grant(struct pi_waiter *w, const struct futex_timeout *timeout) {
    end();
    int err = wait_until_woken(__atomic_load_n(&w->granted, __ATOMIC_ACQUIRE), -ERESTARTNOINTR,
                               futex_schedule(timeout));
    begin();
    return w->granted ? 0 : err == -ETIME ? -ETIMEDOUT : err;
}

static void drop_if_unused(struct pi_lock *l) {
    if (list_empty(&l->waiters) && !l->unclaimed)
        destroy_lock(l);
}

static int wait_for_lock(struct pi_lock *l, uint32_t __user *addr, const struct futex_timeout *timeout) {
    struct pi_waiter w = {.thread = current, .lock = l};
    insert_waiter(l, &w);
    current->pi_wait = &w;
    update_priority(l->owner);
    int err = wait_for_grant(&w, timeout);
    current->pi_wait = NULL;
    if (!err && !w.owner_died)
        return 0;
    if (!err) {
        while ((err = claim_word(addr))) {
            end();
            err = bring_in(addr, err);
            begin();
            if (err != 1)
                break;
        }
        l->unclaimed = false;
    } else {
        list_del(&w.link);
        update_priority(l->owner);
    }
    drop_if_unused(l);
    return err;
}

// pi_mutex is held.
static int lock_pi(const struct pi_request *r) {
    struct pi_lock *l;
    pid_t owner = 0;
    int err = take_word(r->addr, find_lock(&r->key), &owner);
    if (err != 1)
        return err;
    err = r->try ? -EAGAIN : get_lock(&r->key, owner, &l);
    if (!err && would_deadlock(l->owner))
        err = -EDEADLK;
    return err ? err : wait_for_lock(l, r->addr, r->timeout);
}

int futex_lock_pi(uint32_t __user *addr, bool shared, bool try, const struct futex_timeout *timeout) {
    struct pi_request r = {.addr = addr, .try = try, .timeout = timeout};
    return with_mutex(&r, shared, lock_pi);
}

// The first waiter becomes the owner. pi_mutex is held.
static void grant(struct pi_lock *l, bool owner_died) {
    ASSERT_HELD(&pi_mutex);
    struct pi_waiter *w = first_waiter(l);
    struct thread *old = l->owner, *new = w->thread;
    list_del(&w->link);
    thread_get(old);
    set_owner(l, new);
    new->pi_wait = NULL;
    l->unclaimed = owner_died;
    drop_if_unused(l);
    update_priority(new);
    update_priority(old);
    thread_put(old);
    w->owner_died = owner_died;
    __atomic_store_n(&w->granted, true, __ATOMIC_RELEASE);
    thread_wake(new);
}

// pi_mutex is held.
static int unlock_pi(const struct pi_request *r) {
    uint32_t value;
    struct pi_lock *l = find_lock(&r->key);
    int err = user_load_u32(r->addr, &value);
    while (!err) {
        if ((pid_t)(value & FUTEX_TID_MASK) != current->own_tid || (l && l->owner != current)) {
            err = -EPERM;
            break;
        }
        uint32_t found = value;
        err = user_cmpxchg_u32(r->addr, &found, l ? first_waiter(l)->thread->own_tid | FUTEX_WAITERS : 0);
        if (!err && found == value) {
            if (l)
                grant(l, false);
            break;
        }
        value = found;
    }
    return err;
}

int futex_unlock_pi(uint32_t __user *addr, bool shared) {
    struct pi_request r = {.addr = addr};
    return with_mutex(&r, shared, unlock_pi);
}

void futex_exit_pi(struct thread *t) {
    mutex_lock(&pi_mutex);
    t->pi_exited = t->exiting; // else it goes on with another program
    while (!list_empty(&t->pi_owned))
        grant(list_first_entry(&t->pi_owned, struct pi_lock, owned_link), true);
    mutex_unlock(&pi_mutex);
}
