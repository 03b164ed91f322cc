// SPDX-License-Identifier: MIT
// Lock checks of debug builds.
//
// Locks fall into classes by the line that initialises them. Whenever a lock of class B is waited for while
// one of class A is held, the edge A -> B goes into a graph. An edge that closes a circle means that two
// harts could wait for each other, whether or not they do today, and panics with the classes on the circle.
// Two locks of one class make no edge: their ranks (lockcheck.h) have to rise, and a lock that this hart holds
// already never will.
//
// A class that is ever taken by an interrupt handler must not ever be taken with interrupts enabled. Nor may one
// that is ever taken with interrupts enabled be waited for with the first held: an interrupt of its holder's hart
// would wait for the first. So no way in the graph leads from the one kind to the other.
//
// Spinlocks belong to the hart, which keeps its list of those held: a run queue's lock is taken by one thread
// and released by the next. Mutexes belong to the thread. A lock that was only tried is held, but makes no
// edge to itself.
//
// What is found, "lockcheck=" on the command line provokes, each kind by itself (boot/lockcheck_proof.c).
#include "core/lockcheck.h"

#ifdef CONFIG_DEBUG
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "core/printk.h"

#define MAX_CLASSES 512

static struct lock_class *classes[MAX_CLASSES];
static struct lock_class
    static_classes[MAX_CLASSES / 2]; // a lock that is never initialised gets one at each life
static unsigned int class_count = 1, static_count;
static uint64_t edges[MAX_CLASSES][MAX_CLASSES / 64]; // [a] edges[a] bit b: b was waited for with a held
static bool busy;                                     // [a] a spinlock that is not checked itself
static bool off;                                      // a fault was found: let the panic use locks

static struct lock_stack spin_stacks[MAX_HARTS];
static struct lock_stack *mutex_stacks[MAX_HARTS]; // of the thread that the hart runs
static struct lock_stack no_thread;

static struct lock_stack *spin_stack(void) {
    return &spin_stacks[this_hart_id()];
}

static struct lock_stack *mutex_stack(void) {
    struct lock_stack *stack = mutex_stacks[this_hart_id()];
    return stack ? stack : &no_thread;
}

void lock_check_switch(struct lock_stack *mutexes) {
    mutex_stacks[this_hart_id()] = mutexes;
}

static unsigned long enter(void) {
    unsigned long flags = irq_save();
    while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
        cpu_relax();
    return flags;
}

static void leave(unsigned long flags) {
    __atomic_clear(&busy, __ATOMIC_RELEASE);
    irq_restore(flags);
}

// Panics with the classes concerned; b and c may be NULL.
static __noreturn void fail(const char *what, const struct lock_class *a, const struct lock_class *b,
                            const struct lock_class *c) {
    const struct lock_class *class[3] = {a, b, c};
    off = true;
    for (int i = 0; i < 3; i++) {
        if (class[i])
            pr_err("locks: %s (%s) %p", class[i] -> name ? class[i] -> name : "static",
                   class[i] -> place ? class[i] -> place : "at", class[i] -> lock);
    }
    panic("locks: %s", what);
}

// Gives *slot, or what it becomes, its place in the graph. False: the tables are full.
static bool enter_class(struct lock_class **slot, const void *lock) {
    struct lock_class *class = *slot;
    if (!class) {
        if (static_count == ARRAY_SIZE(static_classes))
            return false;
        class = &static_classes[static_count++];
        class->lock = lock;
        *slot = class;
    }
    if (class->id)
        return true;
    if (class_count == MAX_CLASSES)
        return false;
    classes[class_count] = class;
    __atomic_store_n(&class->id, class_count++, __ATOMIC_RELEASE);
    return true;
}

static unsigned int register_class(struct lock_class **slot, const void *lock) {
    unsigned long flags = enter();
    bool entered = enter_class(slot, lock);
    leave(flags);
    if (!entered)
        fail("too many classes: is one made anew with each lock?", *slot, NULL, NULL);
    return (*slot)->id;
}

static unsigned int class_id(struct lock_class **slot, const void *lock) {
    struct lock_class *class = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    unsigned int id = class ? __atomic_load_n(&class->id, __ATOMIC_ACQUIRE) : 0;
    return id ? id : register_class(slot, lock);
}

static bool has_edge(unsigned int from, unsigned int to) {
    return __atomic_load_n(&edges[from][to / 64], __ATOMIC_RELAXED) >> to % 64 & 1;
}

// The class after `from` on a way to `to`, 0: there is none.
static unsigned int way(unsigned int from, unsigned int to) {
    static unsigned int queue[MAX_CLASSES], first_step[MAX_CLASSES];
    unsigned int head = 0, tail = 0;
    for (unsigned int i = 0; i < class_count; i++)
        first_step[i] = 0;
    queue[tail++] = from;
    while (head < tail) {
        unsigned int at = queue[head++];
        for (unsigned int next = 1; next < class_count; next++) {
            if (!has_edge(at, next) || first_step[next] || next == from)
                continue;
            first_step[next] = at == from ? next : first_step[at];
            if (next == to)
                return first_step[next];
            queue[tail++] = next;
        }
    }
    return 0;
}

// A class at the end of a way from one that interrupt handlers take, and the start of that way: waited for, it may
// be held by a hart that an interrupt keeps. Entered by enter().
static bool irq_way(unsigned int *from, unsigned int *to) {
    static unsigned int queue[MAX_CLASSES], origin[MAX_CLASSES];
    unsigned int head = 0, tail = 0;
    for (unsigned int i = 1; i < class_count; i++) {
        origin[i] = READ_ONCE(classes[i]->in_interrupt) ? i : 0;
        if (origin[i])
            queue[tail++] = i;
    }
    while (head < tail) {
        unsigned int at = queue[head++];
        if (READ_ONCE(classes[at]->interrupts_on)) {
            *from = origin[at];
            *to = at;
            return true;
        }
        for (unsigned int next = 1; next < class_count; next++) {
            if (has_edge(at, next) && !origin[next]) {
                origin[next] = origin[at];
                queue[tail++] = next;
            }
        }
    }
    return false;
}

// After something new was learned.
static void check_irq_ways(void) {
    unsigned int from, to;
    unsigned long flags = enter();
    bool found = irq_way(&from, &to);
    leave(flags);
    if (found && from == to)
        fail("taken by interrupt handlers and with interrupts enabled", classes[from], NULL, NULL);
    if (found)
        fail("waited for with a lock of interrupt handlers held, and taken with interrupts enabled",
             classes[from], classes[to], NULL);
}

static void add_edge(unsigned int held, unsigned int wanted) {
    if (likely(has_edge(held, wanted)))
        return;
    unsigned long flags = enter();
    unsigned int through = way(wanted, held);
    if (!through)
        __atomic_fetch_or(&edges[held][wanted / 64], 1ull << wanted % 64, __ATOMIC_RELAXED);
    leave(flags);
    if (through)
        fail("taken in two orders", classes[held], classes[wanted], classes[through]);
    check_irq_ways();
}

// The rank of a lock that is waited for while `held`, of its class, is held and `highest` is the rank so far.
static enum lock_rank rank_after(const struct lock_held *held, const void *lock, enum lock_rank rank,
                                 enum lock_rank highest) {
    if (rank == LOCK_NEXT_ADDRESS && lock < held->lock)
        fail("two of one class are taken against the order of their addresses", held->class, NULL, NULL);
    if (rank >= LOCK_RANKS)
        return MAX(highest, held->rank + 1);
    if (rank <= held->rank)
        fail("two of one class are taken in the wrong order, or in none", held->class, NULL, NULL);
    return rank;
}

// Compares with all that is in `stack`; `highest` rises above those of the same class.
static enum lock_rank check_against(const struct lock_stack *stack, unsigned int id, const void *lock,
                                    enum lock_rank rank, enum lock_rank highest) {
    for (unsigned int i = 0; i < stack->n; i++) {
        const struct lock_held *held = &stack->held[i];
        if (held->lock == lock)
            fail("already held", held->class, NULL, NULL);
        if (held->class->id == id)
            highest = rank_after(held, lock, rank, highest);
        else
            add_edge(held->class->id, id);
    }
    return highest;
}

static void check_interrupts(struct lock_class *class) {
    bool *seen = this_hart()->irq_depth ? &class->in_interrupt : irq_enabled() ? &class->interrupts_on : NULL;
    if (likely(!seen || READ_ONCE(*seen)))
        return;
    WRITE_ONCE(*seen, true);
    check_irq_ways();
}

enum lock_rank lock_check_wait(struct lock_class **slot, const void *lock, bool sleeps, enum lock_rank rank) {
    if (unlikely(off))
        return rank;
    unsigned int id = class_id(slot, lock);
    if (sleeps)
        lock_check_may_sleep("a mutex is waited for");
    else
        check_interrupts(*slot);
    unsigned long flags = irq_save();
    enum lock_rank highest = check_against(spin_stack(), id, lock, rank, LOCK_FIRST);
    highest = check_against(mutex_stack(), id, lock, rank, highest);
    irq_restore(flags);
    return rank >= LOCK_RANKS ? highest : rank;
}

void lock_check_taken(struct lock_class **slot, const void *lock, bool sleeps, enum lock_rank rank) {
    if (unlikely(off))
        return;
    class_id(slot, lock);
    unsigned long flags = irq_save();
    struct lock_stack *stack = sleeps ? mutex_stack() : spin_stack();
    if (stack->n == LOCK_STACK_SIZE)
        fail("too many held at once", *slot, NULL, NULL);
    stack->held[stack->n++] = (struct lock_held){lock, *slot, rank};
    irq_restore(flags);
}

// An interrupt handler that only tries never waits; one that interrupts a holder may be another.
void lock_check_tried(struct lock_class **slot, const void *lock, bool sleeps) {
    if (unlikely(off))
        return;
    class_id(slot, lock);
    if (!sleeps && !this_hart()->irq_depth)
        check_interrupts(*slot);
    lock_check_taken(slot, lock, sleeps, LOCK_FIRST);
}

static struct lock_held *find_held(struct lock_stack *stack, const void *lock) {
    for (unsigned int i = stack->n; i-- > 0;) {
        if (stack->held[i].lock == lock)
            return &stack->held[i];
    }
    return NULL;
}

void lock_check_released(const void *lock, bool sleeps) {
    if (unlikely(off))
        return;
    unsigned long flags = irq_save();
    struct lock_stack *stack = sleeps ? mutex_stack() : spin_stack();
    struct lock_held *held = find_held(stack, lock);
    if (!held) {
        struct lock_class unknown = {.lock = lock};
        fail("released and not held", &unknown, NULL, NULL);
    }
    struct lock_class *class = held->class;
    for (stack->n--; held < &stack->held[stack->n]; held++)
        held[0] = held[1];
    irq_restore(flags);
    if (!sleeps)
        check_interrupts(class); // they may have been enabled meanwhile
}

void lock_check_held(const void *lock, const void *other, const char *what) {
    if (unlikely(off))
        return;
    unsigned long flags = irq_save();
    struct lock_stack *spin = spin_stack(), *mutex = mutex_stack();
    bool held = find_held(spin, lock) || find_held(mutex, lock) ||
                (other && (find_held(spin, other) || find_held(mutex, other)));
    irq_restore(flags);
    if (!held) {
        off = true;
        panic("locks: not held: %s", what);
    }
}

void lock_check_none_held(const char *what) {
    const struct lock_stack *mutexes = mutex_stack();
    lock_check_may_sleep(what);
    if (!off && mutexes->n)
        fail(what, mutexes->held[mutexes->n - 1].class, NULL, NULL);
}

void lock_check_may_sleep(const char *what) {
    const struct lock_stack *stack = spin_stack();
    if (!off && stack->n)
        fail(what, stack->held[stack->n - 1].class, NULL, NULL);
}
#endif
