// SPDX-License-Identifier: MIT
// The tables of numbers and processes, accounts, identity. Locks: proc/process.h.
#include "proc/process.h"
#include "arch/riscv/layout.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/fdtable.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/init.h"
#include "proc/oom.h"
#include "vm/vmspace.h"
#include <asm/signal.h>

#define PID_FIRST_AGAIN 300 // where numbers go on after PID_MAX, as in Linux
#define BUCKETS         1024

struct spinlock process_lock = SPINLOCK_INIT;
struct process *init_process;
struct process_counts process_counts;

static struct id *buckets[BUCKETS];         // [process_lock]
static uint64_t numbers_used[PID_MAX / 64]; // [process_lock]
static pid_t last_number;                   // [process_lock]
static struct slab_cache *id_cache, *process_cache;

// ---- numbers

static struct id **bucket_of(pid_t nr) {
    return &buckets[(uint32_t)nr % BUCKETS]; // a program asks for negative ones too
}

struct id *id_find_locked(pid_t nr) {
    struct id *id = *bucket_of(nr);
    while (id && id->nr != nr)
        id = id->next;
    return id;
}

// The first free number in [from, end), or end.
static pid_t find_free(pid_t from, pid_t end) {
    while (from < end) {
        uint64_t free = ~numbers_used[from / 64] & (~0ull << from % 64);
        if (free)
            return MIN(ALIGN_DOWN(from, 64) + __builtin_ctzll(free), end);
        from = ALIGN_DOWN(from, 64) + 64;
    }
    return end;
}

struct id *id_alloc(void) {
    struct id *id = slab_alloc(id_cache);
    if (!id)
        return ERR_PTR(-ENOMEM);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    pid_t nr = find_free(last_number + 1, PID_MAX);
    if (nr == PID_MAX)
        nr = find_free(PID_FIRST_AGAIN, PID_MAX);
    if (nr == PID_MAX) {
        spin_unlock_irqrestore(&process_lock, flags);
        slab_free(id_cache, id);
        return ERR_PTR(-EAGAIN);
    }
    last_number = nr;
    numbers_used[nr / 64] |= 1ull << nr % 64;
    *id = (struct id){.next = *bucket_of(nr), .nr = nr, .uses = 1};
    list_init(&id->group);
    list_init(&id->session);
    *bucket_of(nr) = id;
    spin_unlock_irqrestore(&process_lock, flags);
    return id;
}

void id_use_locked(struct id *id) {
    id->uses++;
}

void id_release_locked(struct id *id) {
    if (--id->uses)
        return;
    struct id **p = bucket_of(id->nr);
    while (*p != id)
        p = &(*p)->next;
    *p = id->next;
    numbers_used[id->nr / 64] &= ~(1ull << id->nr % 64);
    slab_free(id_cache, id);
}

void id_release(struct id *id) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    id_release_locked(id);
    spin_unlock_irqrestore(&process_lock, flags);
}

pid_t id_last(void) {
    return READ_ONCE(last_number);
}

// ---- finding

struct process *process_find_locked(pid_t pid) {
    struct id *id = id_find_locked(pid);
    return id ? id->process : NULL;
}

static struct process *find_and_get(pid_t nr, struct process *(*find_locked)(pid_t nr)) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = find_locked(nr);
    if (p)
        process_get(p);
    spin_unlock_irqrestore(&process_lock, flags);
    return p;
}

struct process *process_find(pid_t pid) {
    return find_and_get(pid, process_find_locked);
}

struct process *process_find_any_locked(pid_t nr) {
    struct id *id = id_find_locked(nr);
    return !id ? NULL : id->process ? id->process : id->thread ? id->thread->process : NULL;
}

struct process *process_find_any(pid_t nr) {
    return find_and_get(nr, process_find_any_locked);
}

struct thread *thread_find(pid_t tid) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_find_locked(tid);
    struct thread *t = id ? id->thread : NULL;
    if (t)
        thread_get(t);
    spin_unlock_irqrestore(&process_lock, flags);
    return t;
}

struct process *thread_get_process(struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = list_empty(&t->process_link) ? NULL : t->process;
    if (p)
        process_get(p);
    spin_unlock_irqrestore(&process_lock, flags);
    return p;
}

struct thread *process_get_thread(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct thread *t = p->leader;
    if (!t && !list_empty(&p->threads))
        t = list_first_entry(&p->threads, struct thread, process_link);
    if (t)
        thread_get(t);
    spin_unlock_irqrestore(&process_lock, flags);
    return t;
}

struct vmspace *process_vm_locked(struct process *p) {
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_link) {
        if (t->vm) // changes under process_lock (exec, exit)
            return t->vm;
    }
    return NULL;
}

struct vmspace *process_get_vm(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct vmspace *vm = process_vm_locked(p);
    if (vm)
        vmspace_get(vm);
    spin_unlock_irqrestore(&process_lock, flags);
    return vm;
}

pid_t process_next_pid(pid_t after) {
    pid_t found = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    for (pid_t nr = after + 1; !found && nr < PID_MAX;) {
        uint64_t used = numbers_used[nr / 64] & (~0ull << nr % 64);
        if (!used) {
            nr = ALIGN_DOWN(nr, 64) + 64;
            continue;
        }
        nr = ALIGN_DOWN(nr, 64) + __builtin_ctzll(used);
        if (process_find_locked(nr))
            found = nr;
        nr++;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return found;
}

void process_for_each(bool (*fn)(struct process *p, void *arg), void *arg) {
    bool more = true;
    for (pid_t pid = process_next_pid(0); pid && more; pid = process_next_pid(pid)) {
        struct process *p = process_find(pid);
        if (!p)
            continue;
        more = fn(p, arg);
        process_put(p);
    }
}

// ---- birth and end of the structure

struct process *process_alloc(void) {
    struct process *p = slab_zalloc(process_cache);
    if (!p)
        return NULL;
    ref_init(&p->refs);
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->threads);
    list_init(&p->group_link);
    list_init(&p->session_link);
    list_init(&p->sig_queue);
    spin_init(&p->sig_lock);
    mutex_init(&p->access_lock);
    wait_queue_init(&p->wait);
    wait_queue_init(&p->exited);
    return p;
}

void process_get(struct process *p) {
    ref_get(&p->refs);
}

void process_put(struct process *p) {
    if (!ref_put(&p->refs))
        return;
    cred_put(p->cred);
    if (p->user)
        user_put(p->user);
    slab_free(process_cache, p);
}

static void add_child_accounts(struct process *parent, const struct process *p) {
    parent->child_user += p->dead_user + p->child_user;
    parent->child_system += p->dead_system + p->child_system;
    parent->child_faults += p->dead_faults + p->child_faults;
    for (int i = 0; i < 2; i++)
        parent->child_switches[i] += p->dead_switches[i] + p->child_switches[i];
    parent->child_peak_rss = MAX(parent->child_peak_rss, MAX(p->peak_rss, p->child_peak_rss));
}

void process_reap_locked(struct process *p, bool waited) {
    p->zombie = false;
    process_counts.zombies--;
    user_uncharge(p->user, USER_THREADS, 1);
    if (waited)
        add_child_accounts(p->parent, p);
    list_del(&p->sibling);
    list_del(&p->group_link);
    list_del(&p->session_link);
    id_release_locked(p->group_id);
    id_release_locked(p->session_id);
    p->id->process = NULL;
    id_release_locked(p->id);
    p->id = NULL;
    process_put(p);
}

// ---- accounts

static void add_thread_times(struct thread *t, ktime_t *user, ktime_t *system) {
    ktime_t u, s;
    thread_cpu_time(t, &u, &s);
    *user += u;
    *system += s;
}

void process_cpu_time(struct process *p, ktime_t *user, ktime_t *system) {
    struct thread *t;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    *user = p->dead_user;
    *system = p->dead_system;
    list_for_each_entry (t, &p->threads, process_link)
        add_thread_times(t, user, system);
    spin_unlock_irqrestore(&process_lock, flags);
}

static struct __kernel_old_timeval to_timeval(ktime_t t) {
    return (struct __kernel_old_timeval){t / NSEC_PER_SEC, t % NSEC_PER_SEC / NSEC_PER_USEC};
}

static void put_usage(struct rusage *out, ktime_t user, ktime_t system, unsigned long faults,
                      const unsigned long switches[2], long rss) {
    struct __kernel_old_timeval u = to_timeval(user), s = to_timeval(system);
    *out = (struct rusage){
        .ru_utime = {u.tv_sec, u.tv_usec},
        .ru_stime = {s.tv_sec, s.tv_usec},
        .ru_maxrss = rss * (PAGE_SIZE / 1024),
        .ru_minflt = faults,
        .ru_nvcsw = switches[0],
        .ru_nivcsw = switches[1],
    };
}

static void usage_locked(struct process *p, long rss, bool children, struct rusage *out) {
    struct thread *t;
    ktime_t user = p->dead_user, system = p->dead_system;
    unsigned long faults = p->dead_faults, switches[2] = {p->dead_switches[0], p->dead_switches[1]};
    list_for_each_entry (t, &p->threads, process_link) {
        add_thread_times(t, &user, &system);
        faults += t->min_faults;
        switches[0] += t->switches_voluntary;
        switches[1] += t->switches_involuntary;
    }
    if (children) {
        user += p->child_user;
        system += p->child_system;
        faults += p->child_faults;
        switches[0] += p->child_switches[0];
        switches[1] += p->child_switches[1];
    }
    put_usage(out, user, system, faults, switches, rss);
}

static long current_peak_rss(struct process *p) {
    struct vmspace *vm = process_get_vm(p);
    long peak = p->peak_rss;
    if (vm) {
        peak = MAX(peak, MAX(vm->rss_peak, vm->rss_anon + vm->rss_file));
        vmspace_put(vm);
    }
    return peak;
}

void process_usage(struct process *p, int who, struct rusage *out) {
    if (who == RUSAGE_CHILDREN) {
        put_usage(out, p->child_user, p->child_system, p->child_faults, p->child_switches, p->child_peak_rss);
        return;
    }
    long rss = current_peak_rss(p);
    ktime_t user = 0, system = 0;
    if (who == RUSAGE_THREAD) {
        unsigned long switches[2] = {current->switches_voluntary, current->switches_involuntary};
        add_thread_times(current, &user, &system);
        put_usage(out, user, system, current->min_faults, switches, rss);
        return;
    }
    unsigned long flags = spin_lock_irqsave(&process_lock);
    usage_locked(p, rss, false, out);
    spin_unlock_irqrestore(&process_lock, flags);
}

void process_usage_both_locked(struct process *p, struct rusage *out) {
    usage_locked(p, MAX(p->peak_rss, p->child_peak_rss), true, out);
}

// ---- identity

static bool is_other_identity(const struct cred *old, const struct cred *new) {
    return old->euid != new->euid || old->egid != new->egid || old->fsuid != new->fsuid ||
           old->fsgid != new->fsgid || new->cap_permitted & ~old->cap_permitted;
}

void thread_set_cred(struct cred *cred) {
    struct process *p = current->process;
    struct cred *old = current->real_cred, *old_leader = NULL;
    struct user *old_user;
    DEBUG_ASSERT(current->cred == old);
    cred_settle_user(cred);
    if (is_other_identity(old, cred))
        current->parent_death_signal = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    if (is_other_identity(old, cred) && current->vm)
        current->vm->dumpable = false;
    current->cred = current->real_cred = cred;
    user_uncharge(old->user, USER_THREADS, 1);
    user_charge(cred->user, USER_THREADS, 1);
    if (p->leader == current || !p->leader) {
        old_leader = p->cred;
        p->cred = cred_get(cred);
        spin_lock(&p->sig_lock);
        old_user = p->user;
        p->user = user_get(cred->user);
        spin_unlock(&p->sig_lock);
        user_put(old_user);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    cred_put(old);
    cred_put(old_leader);
}

struct cred *thread_get_cred(struct thread *t) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct cred *cred = t->real_cred ? cred_get(t->real_cred) : NULL;
    spin_unlock_irqrestore(&process_lock, flags);
    return cred;
}

void thread_set_name(struct thread *t, const char *name) {
    size_t n = strnlen(name, sizeof(t->name) - 1);
    char copy[sizeof(t->name)] = {0};
    memcpy(copy, name, n);
    memcpy(t->name, copy, sizeof(copy)); // always ends with a NUL, whoever reads it meanwhile
}

void process_describe(char *buf, size_t n) {
    struct process *p = current ? current->process : NULL;
    if (!current)
        lib_snprintf(buf, n, "?");
    else if (p && p->pid != current->tid)
        lib_snprintf(buf, n, "%s[%d, thread %d]", current->name, p->pid, current->tid);
    else
        lib_snprintf(buf, n, "%s[%d]", current->name, current->tid);
}

void process_init(void) {
    id_cache = slab_create("id", sizeof(struct id), 0);
    process_cache = slab_create("process", sizeof(struct process), 0);
    if (!id_cache || !process_cache)
        panic("process: no memory for the tables");
    if (!current->cred)
        current->cred = current->real_cred = cred_get(&kernel_cred);
    panic_describe = process_describe;
    oom_init();
    signal_init();
}
