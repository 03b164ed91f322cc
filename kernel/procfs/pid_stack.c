// SPDX-License-Identifier: MIT
// Where a thread is in the kernel: /proc/PID/{syscall,wchan,stack}. The timers of a process.
//
// Of a thread that sleeps, its calls in the kernel and what it was called with are on its kernel stack, which it has as long as it is in
// its process's list. One that wakes meanwhile changes them: what was read is thrown away if it has run since.
#include "arch/riscv/cpu.h"
#include "arch/riscv/trap.h"
#include "core/errno.h"
#include "core/symbols.h"
#include "lib/format.h"
#include "lib/string.h"
#include "proc/posix_timer.h"
#include "procfs/pid.h"
#include "sched/thread.h"
#include <asm/siginfo.h>
#include <linux/capability.h>

#define DEPTH 32

struct place {
    bool gone, runs;         // it has ended; it does not sleep, so nothing is known
    unsigned int depth;      // of calls
    unsigned long pc[DEPTH]; // where each goes on, the innermost first
    struct trap_frame user;  // what the program had
};

static struct thread *find_locked(const struct pid_node *n) {
    ASSERT_HELD(&process_lock);
    struct thread *each;
    list_for_each_entry (each, &n->process->threads, process_link)
        if (n->tid ? each->tid == n->tid : each == n->process->leader)
            return each;
    return NULL;
}

static void look_locked(const struct pid_node *n, struct place *at) {
    ASSERT_HELD(&process_lock);
    struct thread *t = find_locked(n);
    at->depth = 0;
    at->gone = !t || t->exiting;
    at->runs = t != current;
    if (at->gone)
        return;
    if (t != current) { // whose calls are no concern: it reads this
        unsigned long before = READ_ONCE(t->switches_voluntary) + READ_ONCE(t->switches_involuntary);
        bool sleeps = READ_ONCE(t->state) != THREAD_RUNNING && !__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE);
        if (sleeps)
            at->depth = arch_sleeping_calls(t, at->pc, DEPTH);
        at->user = *arch_user_frame(t);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        at->runs = !sleeps || READ_ONCE(t->state) == THREAD_RUNNING || READ_ONCE(t->on_cpu) ||
                   READ_ONCE(t->switches_voluntary) + READ_ONCE(t->switches_involuntary) != before;
    } else {
        at->user = *arch_user_frame(t);
    }
}

// 0, or -EACCES: the caller may not look into it.
static int look(struct pid_node *n, struct place *at) {
    int err = process_access_begin(n->process, ACCESS_FILE);
    if (err)
        return err;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    look_locked(n, at);
    spin_unlock_irqrestore(&process_lock, flags);
    process_access_end(n->process);
    return 0;
}

static bool begins(const char *name, const char *with) {
    return !strncmp(name, with, strlen(with));
}

// A call that sleeping is made of, and not what it is for.
static bool only_sleeps(const char *name) {
    static const char *const words[] = {"sched", "switch", "mutex_", "resched", "wait_", "thread_"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (begins(name, words[i]))
            return true;
    return false;
}

int pid_show_wchan(struct seq_buf *s, struct pid_node *n) {
    struct place at;
    struct symbol symbol;
    bool known = !look(n, &at) && !at.gone && !at.runs;
    for (unsigned int i = 0; known && i < at.depth; i++)
        if (symbol_find(at.pc[i] - 1, &symbol) && !only_sleeps(symbol.name)) {
            seq_puts(s, symbol.name);
            return 0;
        }
    seq_puts(s, "0");
    return 0;
}

// Names of the kernel's functions, for who may know all of it.
int pid_show_stack(struct seq_buf *s, struct pid_node *n) {
    struct place at;
    struct symbol symbol;
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    if (look(n, &at))
        return -EPERM;
    bool inner = true;
    for (unsigned int i = 0; !at.runs && i < at.depth; i++) {
        if (!symbol_find(at.pc[i] - 1, &symbol) || (inner && only_sleeps(symbol.name)))
            continue;
        inner = false;
        seq_printf(s, "[<0>] %s+0x%lx/0x%lx\n", symbol.name, symbol.offset + 1, symbol.size);
    }
    return 0;
}

// In a fault, or an interrupt: the trap's own function is among the calls.
static bool is_in_call(const struct place *at) {
    struct symbol symbol;
    for (unsigned int i = 0; i < at->depth; i++)
        if (symbol_find(at->pc[i] - 1, &symbol) && begins(symbol.name, "trap_user"))
            return false;
    return true;
}

int pid_show_syscall(struct seq_buf *s, struct pid_node *n) {
    struct place at;
    const struct trap_frame *f = &at.user;
    if (look(n, &at))
        return -EPERM;
    if (at.gone)
        seq_puts(s, "-1 0x0 0x0\n");
    else if (at.runs)
        seq_puts(s, "running\n");
    else if (!is_in_call(&at))
        seq_printf(s, "-1 0x%lx 0x%lx\n", f->sp, f->pc);
    else
        seq_printf(s, "%d 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", (int)f->a7, f->orig_a0, f->a1,
                   f->a2, f->a3, f->a4, f->a5, f->sp, f->pc);
    return 0;
}

// ---- timers

struct timer_lines {
    struct seq_buf *s;
    const struct pid_node *node;
};

static void timer_line(const struct posix_timer_info *i, void *arg) {
    const struct timer_lines *lines = arg;
    bool thread = i->event.notify == SIGEV_THREAD_ID;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    pid_t nr = thread ? thread_number_locked(i->target, lines->node->ns)
                      : process_number_locked(lines->node->process, lines->node->ns);
    spin_unlock_irqrestore(&process_lock, flags);
    seq_printf(lines->s, "ID: %d\nsignal: %d/%016lx\nnotify: %s/%s.%d\nClockID: %d\n", i->id, i->event.sig,
               i->event.default_value ? (unsigned long)i->id : i->event.value,
               i->event.notify == SIGEV_NONE ? "none" : "signal", thread ? "tid" : "pid", nr, i->clock);
}

int pid_show_timers(struct seq_buf *s, struct pid_node *n) {
    posix_timers_for_each(n->process, timer_line, &(struct timer_lines){s, n});
    return 0;
}
