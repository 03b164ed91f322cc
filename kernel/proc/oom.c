// SPDX-License-Identifier: MIT
// The killer of processes when memory has run out: see oom.h. It chooses as Linux does: the process with the most pages
// (its own and those it maps, its page tables and areas), moved by its oom_score_adj in thousandths of the memory; never
// pid 1, never the kernel's threads.
//
// One victim at a time. It may use the whole reserve and ends by itself, which is waited for; if it does not come to that
// within REAP_AFTER, its private memory is taken from it; within GIVE_UP, the next one is chosen.
#include "proc/oom.h"
#include "arch/riscv/trap.h"
#include "core/panic.h"
#include "core/printk.h"
#include "lib/string.h"
#include "mm/page.h"
#include "upcalls.h"
#include "vm/vmspace.h"
#include <asm/signal.h>
#include <linux/capability.h>

#define NSEC_PER_MS (NSEC_PER_SEC / 1000)

#define ECALL_SIZE 4                    // bytes of the instruction to go back over
#define ROOM       32                   // pages above what is kept back: enough to go on
#define WAIT       (100 * NSEC_PER_MS)  // between two looks
#define REAP_AFTER (300 * NSEC_PER_MS)  // since the victim was killed
#define GIVE_UP    (2000 * NSEC_PER_MS) // since then, too
#define NEVER      INT64_MIN            // no badness at all

static struct mutex oom_lock = MUTEX_INIT(oom_lock);
static struct wait_queue oom_wait = WAIT_QUEUE_INIT(oom_wait);
static struct process *victim; // [oom_lock] referenced; read without
static ktime_t victim_since;   // [oom_lock]
static bool victim_reaped;     // [oom_lock]

// ---- who may take how much

static bool is_ending(void) {
    return current->exiting || signal_pending_fatal();
}

static enum memory_class class_of_current(void) {
    struct process *p = current ? current->process : NULL;
    if (!p || is_ending())
        return MEMORY_ALL;
    if (p == init_process)
        return MEMORY_INIT;
    return capable(CAP_SYS_ADMIN) ? MEMORY_ROOT : MEMORY_USER;
}

static bool is_room(void) {
    return memory_is_above(class_of_current(), ROOM);
}

// ---- whom to kill

static long badness(struct process *p, struct vmspace *vm) {
    long adj = READ_ONCE(p->oom_score_adj);
    if (p == init_process || adj == OOM_ADJ_MIN)
        return NEVER;
    return (long)vm_footprint(vm) + adj * (long)(memory_usable_pages() / 1000);
}

struct choice {
    struct process *process; // referenced
    struct vmspace *init_vm; // a process that shares it (vfork) would give nothing back
    long badness;
};

static bool consider(struct process *p, void *arg) {
    struct choice *c = arg;
    struct vmspace *vm = process_get_vm(p);
    if (!vm) // its memory has gone already
        return true;
    long b = p->oom_skip || vm == c->init_vm ? NEVER : badness(p, vm);
    vmspace_put(vm);
    if (b == NEVER || b <= c->badness)
        return true;
    if (c->process)
        process_put(c->process);
    process_get(p);
    c->process = p;
    c->badness = b;
    return true;
}

static struct process *choose(void) {
    struct choice c = {.init_vm = process_get_vm(init_process), .badness = NEVER};
    process_for_each(consider, &c);
    vmspace_put(c.init_vm);
    return c.process;
}

long oom_score(struct process *p) {
    struct vmspace *vm = process_get_vm(p);
    long total = (long)memory_usable_pages(), b = vm ? badness(p, vm) : 0;
    vmspace_put(vm);
    return b == NEVER ? 0 : (1000 + b * 1000 / total) * 2 / 3;
}

// ---- killing

#define KB(pages) ((unsigned long)(pages) * (PAGE_SIZE / 1024))

static void tell(struct process *p, struct vmspace *vm) {
    char who[64], name[16];
    unsigned long flags = spin_lock_irqsave(&process_lock);
    strlcpy(name, p->leader ? p->leader->name : p->last_name, sizeof(name));
    uid_t uid = p->cred->uid;
    spin_unlock_irqrestore(&process_lock, flags);
    process_describe(who, sizeof(who));
    pr_err("%s invoked oom-killer: %lu of %lu kB are free, of which %lu kB are kept for the system", who,
           KB(memory_free_pages()), KB(memory_usable_pages()), KB(memory_level.low));
    pr_err("Out of memory: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, "
           "shmem-rss:0kB, UID:%u "
           "pgtables:%lukB oom_score_adj:%d",
           p->pid, name, KB(vm->total_pages), KB(vm->rss_anon), KB(vm->rss_file), uid, KB(vm_table_pages(vm)),
           p->oom_score_adj);
}

static bool kill_sharing(struct process *p, void *arg) {
    struct vmspace *vm = process_get_vm(p);
    if (vm && vm == arg && p != init_process) {
        unsigned long flags = spin_lock_irqsave(&p->sig_lock);
        signal_group_exit_locked(p, SIGKILL);
        spin_unlock_irqrestore(&p->sig_lock, flags);
    }
    vmspace_put(vm);
    return true;
}

// 0, or -ENOMEM: nobody can be killed. [oom_lock]
static int kill_one(void) {
    struct process *p = choose();
    struct vmspace *vm = p ? process_get_vm(p) : NULL;
    if (vm) {
        tell(p, vm);
        process_for_each(kill_sharing, vm);
        vmspace_put(vm);
        victim = p;
        victim_since = clock_monotonic();
        victim_reaped = false;
    } else if (p) { // it has just ended by itself
        process_put(p);
    } else if (current->process == init_process) {
        panic("Out of memory and no killable processes: all that is left is pid 1, and it needs more");
    }
    return p ? 0 : -ENOMEM;
}

static void forget_victim(bool skip) {
    victim->oom_skip = skip;
    process_put(victim);
    victim = NULL;
}

// The victim has not ended yet: is it to be waited for? [oom_lock]
static bool victim_ends(void) {
    ktime_t since = clock_monotonic() - victim_since;
    if (!READ_ONCE(victim->thread_count) || since > GIVE_UP) {
        forget_victim(since > GIVE_UP);
        return false;
    }
    struct vmspace *vm = since > REAP_AFTER && !victim_reaped ? process_get_vm(victim) : NULL;
    if (vm) {
        vm_reap(vm);
        victim_reaped = true;
        vmspace_put(vm);
    }
    return true;
}

void oom_process_left(struct process *p) {
    if (unlikely(READ_ONCE(victim) == p))
        wake_all(&oom_wait);
}

static bool victim_left(void) {
    struct process *p = READ_ONCE(victim); // compared and counted only: a stale one only ends the wait
    return !p || is_room();
}

static int make_room(void) {
    if (is_ending())
        return -EINTR;
    int err = 0;
    mutex_lock(&oom_lock);
    if (!is_room() && (!victim || !victim_ends())) {
        memory_trim();
        if (!is_room())
            err = kill_one();
    }
    mutex_unlock(&oom_lock);
    if (err)
        return err;
    (void)wait_event_common_(&oom_wait, victim_left(), THREAD_KILLABLE, false, clock_monotonic() + WAIT);
    return is_ending() ? -EINTR : 0;
}

static const struct memory_policy policy = {.class = class_of_current, .make_room = make_room};

void oom_init(void) {
    memory_policy = &policy;
}

void oom_settle_call(struct trap_frame *f) {
    __atomic_fetch_and(&current->arch.work, ~WORK_MEMORY, __ATOMIC_RELAXED);
    if (!f->in_syscall || (long)f->a0 != -ENOMEM || make_room())
        return;
    f->a0 = f->orig_a0;
    f->pc -= ECALL_SIZE;
    f->in_syscall = 0;
}
