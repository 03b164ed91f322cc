// SPDX-License-Identifier: MIT
// Accounts of processes.
#include "proc/usage.h"
#include "arch/riscv/layout.h"
#include "proc/process.h"
#include "vm/vmspace.h"

void thread_add_times(struct thread *t, ktime_t *user, ktime_t *system) {
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
        thread_add_times(t, user, system);
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
    ASSERT_HELD(&process_lock);
    struct thread *t;
    ktime_t user = p->dead_user, system = p->dead_system;
    unsigned long faults = p->dead_faults, switches[2] = {p->dead_switches[0], p->dead_switches[1]};
    list_for_each_entry (t, &p->threads, process_link) {
        thread_add_times(t, &user, &system);
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
        thread_add_times(current, &user, &system);
        put_usage(out, user, system, current->min_faults, switches, rss);
        return;
    }
    unsigned long flags = spin_lock_irqsave(&process_lock);
    usage_locked(p, rss, false, out);
    spin_unlock_irqrestore(&process_lock, flags);
}

void process_usage_both_locked(struct process *p, struct rusage *out) {
    ASSERT_HELD(&process_lock);
    usage_locked(p, MAX(p->peak_rss, p->child_peak_rss), true, out);
}

void process_add_child_usage_locked(struct process *parent, const struct process *p) {
    ASSERT_HELD(&process_lock);
    parent->child_user += p->dead_user + p->child_user;
    parent->child_system += p->dead_system + p->child_system;
    parent->child_faults += p->dead_faults + p->child_faults;
    io_usage_add(&parent->dead_io, &p->dead_io);
    for (int i = 0; i < 2; i++)
        parent->child_switches[i] += p->dead_switches[i] + p->child_switches[i];
    parent->child_peak_rss = MAX(parent->child_peak_rss, MAX(p->peak_rss, p->child_peak_rss));
}

void process_io_usage(struct process *p, pid_t tid, struct io_usage *out) {
    struct thread *t;
    *out = (struct io_usage){.bytes = {0}};
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (t, &p->threads, process_link)
        if (!tid || t->tid == tid)
            io_usage_add(out, &t->io);
    if (!tid)
        io_usage_add(out, &p->dead_io);
    spin_unlock_irqrestore(&process_lock, flags);
}
