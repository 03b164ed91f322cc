// SPDX-License-Identifier: MIT
// The texts of /proc/PID/*, in the formats of Linux: proc(5).
#include "arch/riscv/trap.h"
#include "core/errno.h"
#include "fs/fdtable.h"
#include "fs/file_lock.h"
#include "fs/mount.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/seccomp.h"
#include "proc/usage.h"
#include "procfs/pid.h"
#include "procfs/private.h"
#include "tty/tty.h"
#include "vm/vmspace.h"
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#define TICK_NS   (NSEC_PER_SEC / 100) // the unit of times in stat
#define KB(pages) ((pages) * (PAGE_SIZE / 1024))
#define COPY_SIZE 1024

// What is true of a process at one moment.
struct snapshot {
    pid_t pid, tid, ppid, tracer, pgrp, session, foreground;
    char name[16], state;
    dev_t tty;
    unsigned int threads, sig_queued;
    unsigned long faults, child_faults, switches[2];
    ktime_t user, system, child_user, child_system, start;
    int nice, rt_priority, policy, hart, exit_signal, exit_status;
    uint64_t pending, shared_pending, blocked, ignored, caught, affinity;
    struct rlimit64 sigpending;
    unsigned int seccomp, filters;
    bool no_new_privs;
};

static char state_of(const struct thread *t) {
    switch (READ_ONCE(t->state)) {
    case THREAD_RUNNING:
        return 'R';
    case THREAD_INTERRUPTIBLE:
        return 'S';
    case THREAD_STOPPED:
        return t->ptrace.stopped ? 't' : 'T';
    case THREAD_DEAD:
        return 'X';
    default:
        return 'D';
    }
}

static void add_times(struct thread *t, struct snapshot *s) {
    thread_add_times(t, &s->user, &s->system);
    s->faults += t->min_faults;
    s->switches[0] += t->switches_voluntary;
    s->switches[1] += t->switches_involuntary;
}

static void take_handlers(struct process *p, struct snapshot *s) {
    for (int i = 0; p->handlers && i < SIGNAL_COUNT; i++) {
        unsigned long handler = p->handlers->action[i].handler;
        if (handler == (unsigned long)SIG_IGN)
            s->ignored |= 1ull << i;
        else if (handler != (unsigned long)SIG_DFL)
            s->caught |= 1ull << i;
    }
}

static void take_thread(struct thread *t, const struct pid_ns *ns, struct snapshot *s) {
    s->tid = thread_number_locked(t, ns);
    s->tracer = t->ptrace.tracer ? thread_number_locked(t->ptrace.tracer, ns) : 0;
    memcpy(s->name, t->name, sizeof(s->name));
    s->state = state_of(t);
    s->nice = t->nice;
    s->rt_priority = t->rt_priority;
    s->policy = t->policy;
    s->hart = t->arch.hart->id;
    s->pending = t->sig_pending;
    s->blocked = t->sig_blocked;
    s->affinity = t->affinity & sched_online_mask();
    s->no_new_privs = t->no_new_privs;
    s->seccomp = t->seccomp;
    s->filters = seccomp_count(t);
}

static void take_locked(struct pid_node *n, struct thread *t, struct snapshot *s) {
    ASSERT_HELD(&process_lock);
    struct process *p = n->process;
    const struct pid_ns *ns = n->ns;
    struct thread *each;
    s->pid = s->tid = process_number_locked(p, ns);
    s->ppid = p->parent ? process_number_locked(p->parent, ns) : 0;
    s->pgrp = id_in(p->group_id, ns);
    s->session = id_in(p->session_id, ns);
    s->tty = tty_dev(p->tty);
    s->foreground = p->tty ? pid_in_locked(tty_foreground(p->tty), ns) : -1;
    s->threads = p->thread_count;
    s->start = p->start_time;
    s->child_user = p->child_user;
    s->child_system = p->child_system;
    s->child_faults = p->child_faults;
    s->exit_signal = p->exit_signal;
    s->exit_status = p->zombie ? p->exit_status : 0;
    s->shared_pending = p->sig_pending;
    s->sig_queued = p->user ? user_charge(p->user, USER_SIGNALS, 0) : 0;
    s->sigpending = p->limits[RLIMIT_SIGPENDING];
    take_handlers(p, s);
    if (t)
        take_thread(t, ns, s);
    if (p->zombie)
        s->state = 'Z';
    if (n->tid && t) {
        add_times(t, s);
        return;
    }
    s->user = p->dead_user;
    s->system = p->dead_system;
    s->faults = p->dead_faults;
    list_for_each_entry (each, &p->threads, process_link)
        add_times(each, s);
}

static int take(struct pid_node *n, struct snapshot *s) {
    struct process *p = n->process;
    struct thread *t = pid_node_thread(n);
    *s = (struct snapshot){.state = 'Z'};
    if (n->tid && !t)
        return -ESRCH;
    memcpy(s->name, p->last_name, sizeof(s->name));
    unsigned long flags = spin_lock_irqsave(&process_lock);
    bool gone = !p->id;
    if (!gone) {
        spin_lock(&p->sig_lock);
        take_locked(n, t, s);
        spin_unlock(&p->sig_lock);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    if (t)
        thread_put(t);
    return gone ? -ESRCH : 0;
}

// ---- memory

struct memory_use {
    unsigned long text, libraries, stack, text_start, text_end, data_start, data_end;
    struct vmspace *vm;
};

static bool count_area(const struct vm_area *a, void *arg) {
    struct memory_use *m = arg;
    unsigned long pages = (a->end - a->start) >> PAGE_SHIFT;
    if (a->flags & MAP_GROWSDOWN)
        m->stack += pages;
    bool program = a->file && a->file == m->vm->exe_file;
    if (a->file && !program && a->prot & PROT_EXEC)
        m->libraries += pages;
    if (program) {
        if (a->prot & PROT_EXEC) {
            m->text += pages;
            m->text_start = m->text_start ? m->text_start : a->start;
            m->text_end = a->end;
        } else if (a->prot & PROT_WRITE) {
            m->data_start = m->data_start ? m->data_start : a->start;
            m->data_end = a->end;
        }
    }
    return true;
}

static struct memory_use count_memory(struct vmspace *vm) {
    struct memory_use m = {.vm = vm};
    if (vm) {
        vm_area_for_each(vm, count_area, &m);
    }
    return m;
}

// ---- stat, statm, status

int pid_show_stat(struct seq_buf *s, struct pid_node *n) {
    struct snapshot x;
    int err = take(n, &x);
    if (err)
        return err;
    bool show;
    struct vmspace *vm = process_look(n->process, ACCESS_FILE, &show);
    struct memory_use m = count_memory(vm);
    show &= vm != NULL;
    seq_printf(s, "%d (%s) %c %d %d %d %d %d 0 ", n->tid ? x.tid : x.pid, x.name, x.state, x.ppid, x.pgrp,
               x.session, (int)DEV_ENCODE(x.tty), x.foreground);
    seq_printf(s, "%lu %lu 0 0 %ld %ld %ld %ld ", x.faults, x.child_faults, x.user / TICK_NS,
               x.system / TICK_NS, x.child_user / TICK_NS, x.child_system / TICK_NS);
    seq_printf(s, "%d %d %u 0 %ld ", x.rt_priority ? -1 - x.rt_priority : 20 + x.nice, x.nice, x.threads,
               x.start / TICK_NS);
    seq_printf(s, "%lu %ld %lu ", vm ? vm->total_pages << PAGE_SHIFT : 0,
               vm ? vm->rss_anon + vm->rss_file : 0, (unsigned long)n->process->limits[RLIMIT_RSS].rlim_cur);
    seq_printf(s, "%lu %lu %lu 0 0 ", show ? m.text_start : 0, show ? m.text_end : 0,
               show ? vm->stack_start : 0);
    seq_printf(s, "%lu %lu %lu %lu 0 0 0 ", (unsigned long)x.pending & INT32_MAX,
               (unsigned long)x.blocked & INT32_MAX, (unsigned long)x.ignored & INT32_MAX,
               (unsigned long)x.caught & INT32_MAX);
    seq_printf(s, "%d %d %d %d 0 0 0 ", x.exit_signal, x.hart, x.rt_priority, x.policy);
    seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu %d\n", show ? m.data_start : 0, show ? m.data_end : 0,
               show ? vm->brk_start : 0, show ? vm->arg_start : 0, show ? vm->arg_end : 0,
               show ? vm->env_start : 0, show ? vm->env_end : 0, show ? x.exit_status : 0);
    if (vm)
        vmspace_put(vm);
    return 0;
}

int pid_show_statm(struct seq_buf *s, struct pid_node *n) {
    struct vmspace *vm = process_get_vm(n->process);
    struct memory_use m = count_memory(vm);
    if (!vm) {
        seq_puts(s, "0 0 0 0 0 0 0\n");
        return 0;
    }
    seq_printf(s, "%lu %ld %ld %lu 0 %lu 0\n", vm->total_pages, vm->rss_anon + vm->rss_file, vm->rss_file,
               m.text, vm->data_pages);
    vmspace_put(vm);
    return 0;
}

static const char *state_name(char state) {
    switch (state) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'D':
        return "D (disk sleep)";
    case 'T':
        return "T (stopped)";
    case 't':
        return "t (tracing stop)";
    case 'X':
        return "X (dead)";
    default:
        return "Z (zombie)";
    }
}

static void status_memory(struct seq_buf *s, struct vmspace *vm) {
    struct memory_use m = count_memory(vm);
    long rss = vm->rss_anon + vm->rss_file, peak = MAX(vm->rss_peak, rss);
    unsigned long exe = KB(m.text);
    seq_printf(s, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\n", KB(vm->total_pages), KB(vm->total_pages));
    seq_printf(s, "VmLck:\t%8lu kB\nVmPin:\t%8d kB\n", KB(vm->locked_pages), 0);
    seq_printf(s, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", KB(peak), KB(rss));
    seq_printf(s, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8d kB\n", KB(vm->rss_anon),
               KB(vm->rss_file), 0);
    seq_printf(s, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n", KB(vm->data_pages), KB(m.stack),
               exe);
    seq_printf(s, "VmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8d kB\n", KB(m.libraries),
               KB(vm_table_pages(vm)), 0);
}

static void status_signals(struct seq_buf *s, const struct snapshot *x) {
    seq_printf(s, "Threads:\t%u\nSigQ:\t%u/%lu\n", x->threads, x->sig_queued,
               (unsigned long)x->sigpending.rlim_cur);
    seq_printf(s, "SigPnd:\t%016lx\nShdPnd:\t%016lx\n", (unsigned long)x->pending,
               (unsigned long)x->shared_pending);
    seq_printf(s, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", (unsigned long)x->blocked,
               (unsigned long)x->ignored, (unsigned long)x->caught);
}

static void status_ids(struct seq_buf *s, const struct cred *c, unsigned int fd_size) {
    const struct user_ns *u = current->cred->user_ns;
    seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\n", uid_shown(u, c->uid), uid_shown(u, c->euid),
               uid_shown(u, c->suid), uid_shown(u, c->fsuid));
    seq_printf(s, "Gid:\t%u\t%u\t%u\t%u\n", gid_shown(u, c->gid), gid_shown(u, c->egid),
               gid_shown(u, c->sgid), gid_shown(u, c->fsgid));
    seq_printf(s, "FDSize:\t%u\nGroups:\t", fd_size);
    for (unsigned int i = 0; c->groups && i < c->groups->count; i++)
        seq_printf(s, "%u ", gid_shown(u, c->groups->gid[i]));
    seq_puts(s, "\n");
}

// What an id is called from the namespace `ns` down to that of the process: `nr` there, then deeper ones.
static void put_numbers(struct seq_buf *s, const char *name, const struct pid_node *n, pid_t nr, pid_t id) {
    pid_t deeper[PID_NS_DEPTH_MAX];
    unsigned int count = 0;
    const struct pid_ns *end = n->process->pid_ns;
    if (unlikely(end->level > n->ns->level)) {
        unsigned long flags = spin_lock_irqsave(&process_lock);
        const struct id *found = id_find_locked(id);
        for (unsigned int i = n->ns->level; i < end->level; i++)
            deeper[count++] = found && i < found->ns->level ? found->inner[i].nr : 0;
        spin_unlock_irqrestore(&process_lock, flags);
    }
    seq_printf(s, "%s:\t%d", name, nr);
    for (unsigned int i = 0; i < count; i++)
        seq_printf(s, "\t%d", deeper[i]);
    seq_puts(s, "\n");
}

static void status_numbers(struct seq_buf *s, const struct snapshot *x, const struct pid_node *n) {
    const struct process *p = n->process;
    put_numbers(s, "NStgid", n, x->pid, p->pid);
    put_numbers(s, "NSpid", n, n->tid ? x->tid : x->pid, n->tid ? n->tid : p->pid);
    put_numbers(s, "NSpgid", n, x->pgrp, READ_ONCE(p->pgrp));
    put_numbers(s, "NSsid", n, x->session, READ_ONCE(p->session));
    seq_puts(s, "Kthread:\t0\n");
}

static void status_caps(struct seq_buf *s, const struct cred *c) {
    seq_printf(s,
               "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%"
               "016lx\n",
               (unsigned long)c->cap_inheritable, (unsigned long)c->cap_permitted,
               (unsigned long)c->cap_effective, (unsigned long)c->cap_bounding,
               (unsigned long)c->cap_ambient);
}

// A name may hold anything; the lines stay whole.
static void put_name(struct seq_buf *s, const char *name) {
    for (; *name; name++) {
        if (*name == '\n' || *name == '\\')
            seq_write(s, *name == '\n' ? "\\n" : "\\\\", 2);
        else
            seq_write(s, name, 1);
    }
}

int pid_show_status(struct seq_buf *s, struct pid_node *n) {
    struct snapshot x;
    int err = take(n, &x);
    if (err)
        return err;
    struct process *p = n->process;
    unsigned int fd_size = 0, umask = 0;
    bool has_fs = false;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct cred *cred = cred_get(p->cred);
    struct thread *t = p->leader;
    if (t && t->files)
        fd_size = t->files->size;
    if (t && t->fs) {
        umask = t->fs->umask;
        has_fs = true;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    seq_puts(s, "Name:\t");
    put_name(s, x.name);
    seq_puts(s, "\n");
    if (has_fs)
        seq_printf(s, "Umask:\t%04o\n", umask);
    seq_printf(s, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
               state_name(x.state), x.pid, n->tid ? x.tid : x.pid, x.ppid, x.tracer);
    status_ids(s, cred, fd_size);
    status_numbers(s, &x, n);
    struct vmspace *vm = process_get_vm(p);
    if (vm) {
        status_memory(s, vm);
        vmspace_put(vm);
    }
    status_signals(s, &x);
    status_caps(s, cred);
    seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\nCpus_allowed:\t", x.no_new_privs,
               x.seccomp, x.filters);
    seq_hart_mask(s, x.affinity);
    seq_puts(s, "\nCpus_allowed_list:\t");
    seq_harts(s, x.affinity);
    seq_puts(s, "\nMems_allowed:\t1\nMems_allowed_list:\t0");
    seq_printf(s, "\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", x.switches[0],
               x.switches[1]);
    cred_put(cred);
    return 0;
}

// ---- what is in the process's memory

// Gives back the reference to vm, which may be NULL.
static int show_memory(struct seq_buf *s, struct vmspace *vm, bool environment) {
    char *copy = vm ? kmalloc(COPY_SIZE) : NULL;
    int err = 0;
    if (!copy) {
        err = vm ? -ENOMEM : 0;
    } else {
        unsigned long addr = environment ? vm->env_start : vm->arg_start,
                      end = environment ? vm->env_end : vm->arg_end;
        while (addr < end) {
            ssize_t n = vm_access(vm, addr, copy, MIN(end - addr, (unsigned long)COPY_SIZE), false);
            if (n <= 0)
                break;
            seq_write(s, copy, n);
            addr += n;
        }
    }
    kfree(copy);
    if (vm)
        vmspace_put(vm);
    return err;
}

int pid_show_cmdline(struct seq_buf *s, struct pid_node *n) {
    return show_memory(s, process_get_vm(n->process), false); // for everybody
}

int pid_show_environ(struct seq_buf *s, struct pid_node *n) {
    return show_memory(s, pid_node_vm(n, s->ticket), true);
}

int pid_show_auxv(struct seq_buf *s, struct pid_node *n) {
    struct vmspace *vm = pid_node_vm(n, s->ticket);
    if (!vm)
        return 0;
    size_t words = 0;
    while (words < ARRAY_SIZE(vm->auxv) && vm->auxv[words] != AT_NULL)
        words += 2;
    seq_write(s, vm->auxv, MIN(words + 2, ARRAY_SIZE(vm->auxv)) * sizeof(long));
    vmspace_put(vm);
    return 0;
}

// ---- the rest

// No file system is on a device: nothing is read from one or written to it.
int pid_show_io(struct seq_buf *s, struct pid_node *n) {
    struct io_usage io;
    int err = process_access_begin(n->process, ACCESS_FILE);
    if (err)
        return err;
    process_io_usage(n->process, n->tid, &io);
    process_access_end(n->process);
    seq_printf(s,
               "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: 0\nwrite_bytes: 0\n"
               "cancelled_write_bytes: 0\n",
               io.bytes[0], io.bytes[1], io.calls[0], io.calls[1]);
    return 0;
}

int pid_show_comm(struct seq_buf *s, struct pid_node *n) {
    struct snapshot x;
    int err = take(n, &x);
    if (!err)
        seq_printf(s, "%s\n", x.name);
    return err;
}

static void put_limit(struct seq_buf *s, uint64_t value) {
    if (value == RLIM64_INFINITY)
        seq_printf(s, "%-20s ", "unlimited");
    else
        seq_printf(s, "%-20lu ", (unsigned long)value);
}

int pid_show_limits(struct seq_buf *s, struct pid_node *n) {
    static const struct {
        const char *name, *unit;
    } limits[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [RLIMIT_DATA] = {"Max data size", "bytes"},
        [RLIMIT_STACK] = {"Max stack size", "bytes"},
        [RLIMIT_CORE] = {"Max core file size", "bytes"},
        [RLIMIT_RSS] = {"Max resident set", "bytes"},
        [RLIMIT_NPROC] = {"Max processes", "processes"},
        [RLIMIT_NOFILE] = {"Max open files", "files"},
        [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [RLIMIT_AS] = {"Max address space", "bytes"},
        [RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"Max nice priority", NULL},
        [RLIMIT_RTPRIO] = {"Max realtime priority", NULL},
        [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };
    seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit64 limit = n->process->limits[i];
        seq_printf(s, "%-25s ", limits[i].name);
        put_limit(s, limit.rlim_cur);
        put_limit(s, limit.rlim_max);
        if (limits[i].unit)
            seq_printf(s, "%-10s", limits[i].unit);
        seq_puts(s, "\n");
    }
    return 0;
}

int pid_show_oom_score_adj(struct seq_buf *s, struct pid_node *n) {
    seq_printf(s, "%d\n", n->process->oom_score_adj);
    return 0;
}

#define FDINFO_LINE 256

struct lock_text {
    struct seq_buf *out;
    unsigned long number;
};

static int put_lock(const struct file_lock_info *l, void *arg) {
    struct lock_text *t = arg;
    seq_puts(t->out, "lock:\t");
    file_lock_show(t->out, ++t->number, l);
    return 0;
}

// Those that the process has on f by this file or, POSIX ones, by all its files.
static int put_locks(struct seq_buf *s, struct pid_node *n, struct file *f) {
    struct lock_text text = {.out = s};
    if (!f->inode || !READ_ONCE(f->inode->locks))
        return 0;
    struct files *files = pid_node_files(n);
    int err = file_locks_for_each_of(f, files, put_lock, &text);
    if (files)
        files_put(files);
    return err;
}

int pid_show_fdinfo(struct seq_buf *s, struct pid_node *n) {
    bool cloexec;
    struct file *f = pid_node_descriptor(n, n->fd, &cloexec);
    if (IS_ERR(f))
        return PTR_ERR(f);
    seq_printf(s, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", f->pos,
               f->flags | (cloexec ? O_CLOEXEC : 0), f->path.mount ? mount_short_id(f->path.mount->id) : 0,
               f->inode ? (unsigned long)f->inode->ino : 0);
    int err = put_locks(s, n, f);
    char line[FDINFO_LINE];
    size_t len;
    for (uint64_t at[2] = {0};
         !err && f->ops->describe && (len = f->ops->describe(f, at, line, sizeof(line)));) {
        seq_write(s, line, len);
        err = cond_resched_killable();
    }
    file_put(f);
    return err;
}

// Set for all threads of a process; of others' by who may change how they run.
int pid_show_timer_slack(struct seq_buf *s, struct pid_node *n) {
    struct thread *t = pid_node_thread(n);
    if (!t)
        return -ESRCH;
    bool may = t->process == current->process || capable(CAP_SYS_NICE);
    if (may)
        seq_printf(s, "%lu\n", READ_ONCE(t->timer_slack));
    thread_put(t);
    return may ? 0 : -EPERM;
}

ssize_t pid_store_timer_slack(struct pid_node *n, const char *text, size_t size) {
    unsigned long value;
    long err = proc_parse_number(text, &value);
    struct thread *t = err < 0 ? NULL : pid_node_thread(n);
    if (!t)
        return err < 0 ? err : -ESRCH;
    bool may = t->process == current->process || capable(CAP_SYS_NICE);
    if (may)
        WRITE_ONCE(t->timer_slack, value ? value : t->default_timer_slack);
    thread_put(t);
    return may ? (ssize_t)size : -EPERM;
}
