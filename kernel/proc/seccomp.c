// SPDX-License-Identifier: MIT
#include "proc/seccomp.h"
#include "arch/riscv/trap.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/printk.h"
#include "lib/bpf.h"
#include "mm/slab.h"
#include "proc/coredump.h"
#include "proc/exit.h"
#include "proc/ptrace.h"
#include "upcalls.h"
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>

#define CHAIN_MOST      (1u << 15) // instructions on one way up, each filter counting for a few more
#define FILTER_OVERHEAD 4
#define MODE_DEAD       (SECCOMP_MODE_FILTER + 1) // what it did ends it: it makes no more calls
#define ERRNO_MOST      4095

struct seccomp_filter {
    struct refcount refs;
    struct seccomp_filter *prev; // [I] the one before it, a reference
    struct seccomp_filter *leap; // [I] one further up, for is_ancestor(); no reference
    struct user *user;           // [I] whom it is charged to
    unsigned int depth;          // [I] how many are on the way up, with it
    unsigned int length;         // [I] instructions
    unsigned int chain_length;   // [I] of all of them, with their overhead
    bool log;                    // [I]
    struct sock_filter code[];   // [I]
};

// ---- filters

static size_t size_of(unsigned int n) {
    return sizeof(struct seccomp_filter) + n * sizeof(struct sock_filter);
}

struct seccomp_filter *seccomp_filter_alloc(unsigned int n, struct sock_filter **code) {
    struct user *user = current->real_cred->user;
    long size = (long)size_of(n);
    if (memory_is_short() ||
        !user_may_charge(user, USER_FILTER_BYTES, size, READ_ONCE(limits.filter_bytes_max)))
        return ERR_PTR(-ENOMEM);
    struct seccomp_filter *f = kmalloc(size);
    if (!f) {
        user_uncharge(user, USER_FILTER_BYTES, size);
        return ERR_PTR(-ENOMEM);
    }
    *f = (struct seccomp_filter){.user = user_get(user), .length = n};
    ref_init(&f->refs);
    *code = f->code;
    return f;
}

// A long chain may go with it, one by one.
void seccomp_filter_put(struct seccomp_filter *f) {
    while (f && ref_put(&f->refs)) {
        struct seccomp_filter *prev = f->prev;
        user_uncharge(f->user, USER_FILTER_BYTES, (long)size_of(f->length));
        user_put(f->user);
        kfree(f);
        f = prev;
        cond_resched();
    }
}

// Of what a filter of any kind may do, this kind may only load words of struct seccomp_data.
static bool is_allowed(const struct sock_filter *f) {
    uint16_t class = BPF_CLASS(f->code), mode = BPF_MODE(f->code);
    if (class == BPF_ALU)
        return BPF_OP(f->code) != BPF_MOD;
    if (class != BPF_LD && class != BPF_LDX)
        return true;
    if (mode == BPF_ABS)
        return BPF_SIZE(f->code) == BPF_W && f->k < sizeof(struct seccomp_data) && !(f->k % sizeof(uint32_t));
    return mode == BPF_IMM || mode == BPF_MEM || mode == BPF_LEN;
}

int seccomp_check(struct seccomp_filter *f) {
    uint16_t *seen = kmalloc(f->length * sizeof(*seen));
    if (!seen)
        return -ENOMEM;
    bool valid = bpf_is_valid(f->code, f->length, seen);
    kfree(seen);
    for (unsigned int i = 0; valid && i < f->length; i++)
        valid = is_allowed(&f->code[i]);
    return valid ? 0 : -EINVAL;
}

// On the way up from each filter some steps have a leap beside them, so that a way of n steps is gone in about log n.
static void link_to(struct seccomp_filter *f, struct seccomp_filter *prev) {
    f->prev = prev;
    f->depth = prev ? prev->depth + 1 : 1;
    f->chain_length = f->length + (prev ? prev->chain_length + FILTER_OVERHEAD : 0);
    f->leap = prev;
    if (prev && prev->leap && prev->leap->leap &&
        prev->depth - prev->leap->depth == prev->leap->depth - prev->leap->leap->depth)
        f->leap = prev->leap->leap;
}

static struct seccomp_filter *at_depth(struct seccomp_filter *f, unsigned int depth) {
    while (f && f->depth > depth)
        f = f->leap && f->leap->depth >= depth ? f->leap : f->prev;
    return f;
}

static bool is_ancestor(struct seccomp_filter *old, struct seccomp_filter *f) {
    return !old || (f && at_depth(f, old->depth) == old);
}

// ---- changes

static void set_mode_locked(struct thread *t, uint8_t mode) {
    ASSERT_HELD(&current->process->sig_lock);
    __atomic_store_n(&t->seccomp, mode, __ATOMIC_RELEASE); // its filters are there before
    thread_look_at_calls(t);
}

static bool may_become_locked(const struct thread *t, uint8_t mode) {
    ASSERT_HELD(&current->process->sig_lock);
    return t->seccomp == SECCOMP_MODE_DISABLED || t->seccomp == mode;
}

int seccomp_set_strict(void) {
    struct process *p = current->process;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    bool may = may_become_locked(current, SECCOMP_MODE_STRICT);
    if (may)
        set_mode_locked(current, SECCOMP_MODE_STRICT);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return may ? 0 : -EINVAL;
}

// One that cannot follow the current thread, or NULL.
static struct thread *find_straggler_locked(struct process *p) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_link) {
        if (t != current && !t->exiting &&
            !(may_become_locked(t, SECCOMP_MODE_FILTER) && is_ancestor(t->filters, current->filters)))
            return t;
    }
    return NULL;
}

// Their old chains are parts of the new one: nothing can go with the references to them.
static void take_along_locked(struct process *p, struct seccomp_filter *f) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_link) {
        struct seccomp_filter *old = t->filters;
        if (t == current || t->exiting)
            continue;
        ref_get(&f->refs);
        __atomic_store_n(&t->filters, f, __ATOMIC_RELEASE);
        if (old && ref_put(&old->refs))
            panic("seccomp: a filter that others stand on has gone");
        if (current->no_new_privs)
            WRITE_ONCE(t->no_new_privs, true);
        set_mode_locked(t, SECCOMP_MODE_FILTER);
    }
}

// The result of seccomp_add(); 0: the reference has been taken.
static long add_locked(struct process *p, struct seccomp_filter *f, unsigned int flags) {
    ASSERT_HELD(&p->sig_lock);
    struct thread *t = current;
    if (!may_become_locked(t, SECCOMP_MODE_FILTER))
        return -EINVAL;
    link_to(f, t->filters);
    struct thread *straggler = flags & SECCOMP_FILTER_FLAG_TSYNC ? find_straggler_locked(p) : NULL;
    long err = f->chain_length > CHAIN_MOST              ? -ENOMEM
               : !straggler                              ? 0
               : flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH
                                                         : straggler->own_tid;
    if (err) {
        f->prev = NULL; // it never stood on it
        return err;
    }
    __atomic_store_n(&t->filters, f, __ATOMIC_RELEASE); // and with it the old one's reference goes to f->prev
    set_mode_locked(t, SECCOMP_MODE_FILTER);
    if (flags & SECCOMP_FILTER_FLAG_TSYNC)
        take_along_locked(p, f);
    return 0;
}

long seccomp_add(struct seccomp_filter *f, unsigned int flags) {
    struct process *p = current->process;
    bool all = flags & SECCOMP_FILTER_FLAG_TSYNC;
    f->log = flags & SECCOMP_FILTER_FLAG_LOG;
    // A thread that is on its way to becoming a program with privileges must not get a filter on it.
    long ret = all ? ptrace_exec_hold() : 0;
    if (!ret) {
        unsigned long irq = spin_lock_irqsave(&p->sig_lock);
        ret = add_locked(p, f, flags);
        spin_unlock_irqrestore(&p->sig_lock, irq);
        if (all)
            ptrace_exec_release();
    }
    if (ret)
        seccomp_filter_put(f);
    return ret;
}

void seccomp_inherit_locked(struct thread *t) {
    ASSERT_HELD(&current->process->sig_lock);
    const struct thread *creator = current;
    t->no_new_privs = creator->no_new_privs;
    if (likely(creator->seccomp == SECCOMP_MODE_DISABLED))
        return;
    t->filters = creator->filters;
    if (t->filters)
        ref_get(&t->filters->refs);
    set_mode_locked(t, creator->seccomp);
}

void seccomp_exit(void) {
    struct process *p = current->process;
    if (likely(!current->seccomp)) // nobody gives it any more: it is `exiting`
        return;
    unsigned long flags = spin_lock_irqsave(&process_lock); // /proc looks at them
    spin_lock(&p->sig_lock);
    struct seccomp_filter *f = current->filters;
    current->filters = NULL;
    spin_unlock(&p->sig_lock);
    spin_unlock_irqrestore(&process_lock, flags);
    seccomp_filter_put(f);
}

// ---- tracers and /proc

unsigned int seccomp_count(const struct thread *t) {
    return t->filters ? t->filters->depth : 0;
}

struct seccomp_filter *seccomp_nth(struct thread *t, unsigned long index) {
    struct seccomp_filter *f =
        index < seccomp_count(t) ? at_depth(t->filters, (unsigned int)index + 1) : NULL;
    if (f)
        ref_get(&f->refs);
    return f;
}

const struct sock_filter *seccomp_code(const struct seccomp_filter *f, unsigned int *n) {
    *n = f->length;
    return f->code;
}

bool seccomp_is_logged(const struct seccomp_filter *f) {
    return f->log;
}

// ---- calls

static void fill_data(struct seccomp_data *data, const struct trap_frame *f) {
    *data = (struct seccomp_data){
        .nr = (int)f->a7,
        .arch = AUDIT_ARCH_RISCV64,
        .instruction_pointer = f->pc,
        .args = {f->orig_a0, f->a1, f->a2, f->a3, f->a4, f->a5},
    };
}

// The answer that allows least, of the newest filter that gives it.
static uint32_t ask_filters(const struct trap_frame *frame, bool *log) {
    struct seccomp_data data;
    uint32_t least = SECCOMP_RET_ALLOW;
    fill_data(&data, frame);
    for (struct seccomp_filter *f = __atomic_load_n(&current->filters, __ATOMIC_ACQUIRE); f; f = f->prev) {
        uint32_t answer = bpf_run(f->code, (const uint32_t *)&data, sizeof(data));
        if ((int32_t)(answer & SECCOMP_RET_ACTION_FULL) < (int32_t)(least & SECCOMP_RET_ACTION_FULL)) {
            least = answer;
            *log = f->log;
        }
    }
    return least;
}

static void __cold note(const struct trap_frame *f, uint32_t answer) {
    char who[64];
    if (!signal_log_allowed())
        return;
    process_describe(who, sizeof(who));
    printk(LOG_INFO, "%s: seccomp: call %d at 0x%016lx, answer 0x%08x", who, (int)f->a7, f->pc, answer);
}

// As if the call had not been made.
static void roll_back(struct trap_frame *f) {
    f->a0 = f->orig_a0;
    f->in_syscall = 0;
}

static void fill_info(siginfo_t *info, const struct trap_frame *f, uint32_t answer) {
    signal_info_clear(info);
    info->si_signo = SIGSYS;
    info->si_code = SYS_SECCOMP;
    info->si_errno = (int)(answer & SECCOMP_RET_DATA);
    info->si_call_addr = (void __user *)f->pc;
    info->si_syscall = (int)f->a7;
    info->si_arch = AUDIT_ARCH_RISCV64;
}

static void __cold __noreturn end_thread(struct trap_frame *f, uint32_t answer) {
    struct process *p = current->process;
    siginfo_t info;
    fill_info(&info, f, answer);
    current->seccomp = MODE_DEAD;
    note(f, answer);
    if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_THREAD && READ_ONCE(p->live_threads) > 1)
        process_exit_thread(SIGSYS);
    roll_back(f);
    coredump(SIGSYS, &info);
    process_exit_group(SIGSYS);
}

// True: the tracer, if there is one that wants to know, leaves it at no call, or the thread is being killed.
static bool ask_tracer(struct trap_frame *f, uint32_t answer) {
    if (!ptrace_wants_event(PTRACE_EVENT_SECCOMP))
        return true;
    ptrace_event(PTRACE_EVENT_SECCOMP, answer & SECCOMP_RET_DATA);
    return signal_pending_fatal() || (int)f->a7 < 0;
}

// `asked`: the tracer has had its say.
static bool filters_refuse(struct trap_frame *f, bool asked) {
    bool log = false;
    siginfo_t info;
    uint32_t answer = ask_filters(f, &log);
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        return false;
    case SECCOMP_RET_LOG:
        note(f, answer);
        return false;
    case SECCOMP_RET_TRACE:
        return !asked && (ask_tracer(f, answer) || filters_refuse(f, true));
    case SECCOMP_RET_USER_NOTIF: // nobody listens
        f->a0 = -ENOSYS;
        break;
    case SECCOMP_RET_ERRNO:
        f->a0 = -(unsigned long)MIN(answer & SECCOMP_RET_DATA, (uint32_t)ERRNO_MOST);
        break;
    case SECCOMP_RET_TRAP:
        fill_info(&info, f, answer);
        roll_back(f);
        signal_force(&info);
        break;
    default:
        end_thread(f, answer);
    }
    if (log)
        note(f, answer);
    return true;
}

static bool strict_refuses(struct trap_frame *f) {
    int nr = (int)f->a7;
    if (nr == __NR_read || nr == __NR_write || nr == __NR_exit || nr == __NR_rt_sigreturn)
        return false;
    current->seccomp = MODE_DEAD;
    note(f, SECCOMP_RET_KILL_THREAD);
    process_exit_thread(SIGKILL);
}

bool seccomp_refuses(struct trap_frame *f) {
    if (unlikely(READ_ONCE(current->ptrace.options) & PTRACE_O_SUSPEND_SECCOMP))
        return false;
    switch (__atomic_load_n(&current->seccomp, __ATOMIC_ACQUIRE)) {
    case SECCOMP_MODE_DISABLED:
        return false;
    case SECCOMP_MODE_STRICT:
        return strict_refuses(f);
    default:
        return filters_refuse(f, false);
    }
}
