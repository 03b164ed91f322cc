// SPDX-License-Identifier: MIT
// Lock checks of debug builds.
//
// Locks fall into classes by the line that initialises them. Whenever a lock of class B is waited for while
// one of class A is held, the edge A -> B goes into a graph. An edge that closes a circle means that two
// harts could wait for each other, whether or not they do today, and panics with the classes on the circle.
// Two locks of one class are not compared (docs/locking.md says in which order they are taken), a lock that
// this hart holds already is.
//
// A class that is ever taken by an interrupt handler must not ever be taken with interrupts enabled.
//
// Spinlocks belong to the hart, which keeps its list of those held: a run queue's lock is taken by one thread
// and released by the next. Mutexes belong to the thread. A lock that was only tried is held but makes no
// edge to itself.
#include "core/lockcheck.h"

#ifdef CONFIG_DEBUG
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "core/printk.h"

#define MAX_CLASSES 512

static struct lock_class *classes[MAX_CLASSES];
static struct lock_class static_classes[MAX_CLASSES / 2];
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

static unsigned int register_class(struct lock_class **slot, const void *lock) {
    unsigned long flags = enter();
    struct lock_class *class = *slot;
    if (!class && static_count < ARRAY_SIZE(static_classes)) {
        class = &static_classes[static_count++];
        class->lock = lock;
        *slot = class;
    }
    if (class && !class->id && class_count < MAX_CLASSES) {
        classes[class_count] = class;
        __atomic_store_n(&class->id, class_count++, __ATOMIC_RELEASE);
    }
    leave(flags);
    return class ? class->id : 0;
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

// Panics with the classes concerned; b and c may be NULL.
static __noreturn void fail(const char *what, const struct lock_class *a, const struct lock_class *b,
                            const struct lock_class *c) {
    static const struct lock_class none = {.name = "-", .place = "-"};
    const struct lock_class *class[3] = {a ? a : &none, b ? b : &none, c ? c : &none};
    off = true;
    for (int i = 0; i < 3; i++)
        pr_err("locks: %s (%s) %p", class[i] -> name ? class[i] -> name : "static",
               class[i] -> place ? class[i] -> place : "at", class[i] -> lock);
    panic("locks: %s", what);
}

static void add_edge(unsigned int held, unsigned int wanted) {
    if (held == wanted || has_edge(held, wanted))
        return;
    unsigned long flags = enter();
    unsigned int through = way(wanted, held);
    if (!through)
        __atomic_fetch_or(&edges[held][wanted / 64], 1ull << wanted % 64, __ATOMIC_RELAXED);
    leave(flags);
    if (through)
        fail("taken in two orders", classes[held], classes[wanted], classes[through]);
}

static void check_against(const struct lock_stack *stack, unsigned int id, const void *lock) {
    for (unsigned int i = 0; i < stack->n; i++) {
        const struct lock_held *held = &stack->held[i];
        if (held->lock == lock)
            fail("already held", held->class, NULL, NULL);
        if (held->class)
            add_edge(held->class->id, id);
    }
}

static void check_interrupts(struct lock_class *class) {
    bool *seen = this_hart()->irq_depth ? &class->in_interrupt : irq_enabled() ? &class->interrupts_on : NULL;
    if (seen && !READ_ONCE(*seen))
        WRITE_ONCE(*seen, true);
    if (READ_ONCE(class->in_interrupt) && READ_ONCE(class->interrupts_on))
        fail("taken by interrupt handlers and with interrupts enabled", class, NULL, NULL);
}

void lock_check_wait(struct lock_class **slot, const void *lock, bool sleeps) {
    if (off)
        return;
    unsigned int id = class_id(slot, lock);
    if (!id)
        return;
    if (sleeps)
        lock_check_may_sleep("a mutex is waited for");
    else
        check_interrupts(*slot);
    unsigned long flags = irq_save();
    check_against(spin_stack(), id, lock);
    check_against(mutex_stack(), id, lock);
    irq_restore(flags);
}

void lock_check_taken(struct lock_class **slot, const void *lock, bool sleeps) {
    unsigned long flags = irq_save();
    struct lock_stack *stack = sleeps ? mutex_stack() : spin_stack();
    class_id(slot, lock);
    if (stack->n < LOCK_STACK_SIZE)
        stack->held[stack->n++] = (struct lock_held){lock, *slot};
    irq_restore(flags);
}

void lock_check_released(const void *lock, bool sleeps) {
    unsigned long flags = irq_save();
    struct lock_stack *stack = sleeps ? mutex_stack() : spin_stack();
    for (unsigned int i = stack->n; i-- > 0;) {
        if (stack->held[i].lock != lock)
            continue;
        stack->n--;
        for (; i < stack->n; i++)
            stack->held[i] = stack->held[i + 1];
        break;
    }
    irq_restore(flags);
}

void lock_check_may_sleep(const char *what) {
    const struct lock_stack *stack = spin_stack();
    if (!off && stack->n)
        fail(what, stack->held[stack->n - 1].class, NULL, NULL);
}
#endif
