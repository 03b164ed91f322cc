// SPDX-License-Identifier: MIT
// Birth and death of threads.
//
// A thread has two references at first: its creator's, and the scheduler's, which is dropped by the thread
// that runs next on the hart after it has ended, when nobody uses its stack any more.
#include "sched/thread.h"
#include "sched/runqueue.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/trap.h"
#include "core/errno.h"
#include "core/panic.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/pid_ns.h"
#include "sched/user.h"
#include "upcalls.h"
#include <linux/sched.h>

static struct slab_cache *thread_cache;

long restart_nothing(struct restart_block *block) {
    (void)block;
    return -EINTR;
}

static void set_name(struct thread *t, const char *name) {
    size_t n = strnlen(name, sizeof(t->name) - 1);
    memcpy(t->name, name, n);
    t->name[n] = '\0';
}

// The parts of a thread that the scheduler needs, for a nice value of 0 and any hart. The memory is cleared.
static void init_thread(struct thread *t, const char *name, struct user *user) {
    ref_init(&t->refs);
    t->state = THREAD_UNINTERRUPTIBLE; // until thread_start()
    t->arch.fpu_hart = -1;
    t->policy = SCHED_NORMAL;
    t->user = user_get(user);
    t->affinity = ~0ull;
    t->pid_ns = &first_pid_ns;
    list_init(&t->run_link);
    list_init(&t->process_link);
    list_init(&t->sig_queue);
    list_init(&t->ptrace.link);
    list_init(&t->ptrace.tracees);
    list_init(&t->pi_owned);
    t->restart.fn = restart_nothing;
    t->syscall_nr = -1ul;
    set_name(t, name);
}

static struct thread *alloc_thread(const char *name, struct user *user) {
    struct thread *t = slab_zalloc(thread_cache);
    if (!t)
        return NULL;
    t->stack = kstack_alloc();
    if (!t->stack) {
        slab_free(thread_cache, t);
        return NULL;
    }
    init_thread(t, name, user);
    return t;
}

// The first code of every thread but the idle ones.
static void thread_main(void *arg) {
    struct thread *t = arg;
    sched_first_switch();
    t->entry(t->entry_arg);
    thread_exit();
}

static void inherit(struct thread *t, const struct thread *creator) {
    t->affinity = creator->affinity;
    t->io_priority = READ_ONCE(creator->io_priority);
    if (creator->reset_on_fork) {
        t->nice = MAX(creator->nice, 0);
    } else {
        t->nice = creator->nice;
        t->policy = creator->policy;
        t->base_priority = t->rt_priority = creator->base_priority;
        t->own_slice = READ_ONCE(creator->own_slice);
    }
    runqueue_update_weight(t);
    t->vruntime = vruntime_at(creator, rdtime()); // it does not preempt its creator
}

struct thread *thread_create(const char *name, void (*entry)(void *), void *arg) {
    struct thread *t = alloc_thread(name, current->user);
    if (!t)
        return NULL;
    ref_get(&t->refs);
    t->entry = entry;
    t->entry_arg = arg;
    t->arch.hart = this_hart();
    inherit(t, current);
    sched_set_mode(t, true);
    arch_thread_init(t, (char *)t->stack + KSTACK_SIZE, thread_main, t);
    return t;
}

int kthread_run(const char *name, void (*entry)(void *), void *arg) {
    struct thread *t = thread_create(name, entry, arg);
    if (!t)
        return -ENOMEM;
    sched_set_mode(t, false);
    t->affinity = ~0ull;
    user_put(t->user);
    t->user = user_get(&kernel_user);
    t->cred = t->real_cred = cred_get(&kernel_cred); // it may make files
    t->nice = 0;                                     // whoever needs it first does not choose how it runs
    t->policy = SCHED_NORMAL;
    t->base_priority = t->rt_priority = 0;
    runqueue_update_weight(t);
    thread_start(t);
    thread_put(t);
    return 0;
}

static void idle_main(void *arg) {
    (void)arg;
    hart_main();
}

struct thread *thread_create_idle(unsigned int hart) {
    char name[16];
    lib_snprintf(name, sizeof(name), "idle/%u", hart);
    struct thread *t = alloc_thread(name, &kernel_user);
    if (!t)
        return NULL;
    t->state = THREAD_RUNNING;
    t->runnable = true;
    t->on_cpu = true;
    t->affinity = 1ull << hart;
    t->account = ACCOUNT_IDLE;
    runqueue_update_weight(t);
    t->arch.hart = &harts[hart];
    arch_thread_init(t, (char *)t->stack + KSTACK_SIZE, idle_main, NULL);
    return t;
}

void thread_exit(void) {
    struct thread *t = current;
    DEBUG_ASSERT(t != this_hart()->idle);
    irq_disable();
    thread_set_state(THREAD_DEAD);
    schedule();
    panic("thread %s ran on after its end", t->name);
}

void thread_reap(struct thread *t) {
    kstack_free(t->stack);
    t->stack = NULL;
    thread_put(t);
}

void thread_put(struct thread *t) {
    if (!ref_put(&t->refs))
        return;
    user_put(t->user);
    slab_free(thread_cache, t);
}

void thread_discard(struct thread *t) {
    thread_reap(t);
    thread_put(t);
}

// Every thread has a frame for its user registers, the boot thread's stays empty.
static struct trap_frame boot_frame;

void threads_init(void) {
    thread_cache = slab_create("thread", sizeof(struct thread), 64);
    if (!thread_cache)
        panic("sched: no memory for threads");
    struct thread *boot = current;
    init_thread(boot, "idle/0", &kernel_user);
    boot->arch.kernel_sp = (unsigned long)(&boot_frame + 1);
    boot->state = THREAD_RUNNING;
    boot->runnable = true;
    boot->on_cpu = true;
    boot->affinity = 1;
    boot->account = ACCOUNT_IDLE;
    runqueue_update_weight(boot);
    boot->last_account = rdtime();
    this_hart()->idle = boot;
    this_hart()->online = true;
}
