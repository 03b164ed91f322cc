// SPDX-License-Identifier: MIT
// Birth of threads and processes: clone(2). First everything is checked and allocated (`struct birth`), then
// the new thread is entered in the tables, which cannot fail.
#include "proc/rseq.h"
#include "proc/fork.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "ipc/sem.h"
#include "keys/key.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/namespace.h"
#include "proc/pidfd.h"
#include "proc/process.h"
#include "proc/ptrace.h"
#include "proc/seccomp.h"
#include "upcalls.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/sched.h>

#define THREADS_OF_INIT 16

// What a clone makes, until it is committed.
struct birth {
    const struct clone_request *request;
    struct id *id;
    pid_t nr; // of it, as the creator has it
    struct thread *thread;
    struct process *process; // NULL: a thread of the current one
    struct file *pidfd_file;
    int pidfd;
    bool charged; // to the user
    int event;    // PTRACE_EVENT_* that its tracer wants to see, or 0
};

// ---- the child

// The first code of a new user thread, on its kernel stack.
static void child_main(void *arg) {
    int __user *child_tid = arg;
    if (child_tid)
        (void)!put_user(current->own_tid, child_tid); // as in Linux, nobody is told if it cannot be
    arch_enter_user();
}

// ---- checks

// What cannot be in other namespaces than its parent.
static bool mixes_namespaces(uint64_t f) {
    return (f & CLONE_FS && f & (CLONE_NEWNS | CLONE_NEWUSER)) || (f & CLONE_SYSVSEM && f & CLONE_NEWIPC) ||
           (f & CLONE_THREAD && f & (CLONE_NEWUSER | CLONE_NEWPID));
}

// Where a thread's children are made.
static struct pid_ns *children_ns(const struct thread *t) {
    return t->namespaces ? pid_ns_of(t->namespaces->of[NS_PID]) : &first_pid_ns;
}

static int check_request(const struct clone_request *r) {
    uint64_t f = r->flags;
    if (f & CLONE_INTO_CGROUP || mixes_namespaces(f))
        return -EINVAL;
    if ((f & CLONE_THREAD && !(f & CLONE_SIGHAND)) || (f & CLONE_SIGHAND && !(f & CLONE_VM)))
        return -EINVAL;
    if (f & CLONE_CLEAR_SIGHAND && f & CLONE_SIGHAND)
        return -EINVAL;
    if (f & CLONE_PARENT && current->process == current->pid_ns->init)
        return -EINVAL;
    if (f & CLONE_THREAD && children_ns(current) != current->pid_ns)
        return -EINVAL;
    if (f & CLONE_PIDFD && f & (CLONE_DETACHED | CLONE_THREAD))
        return -EINVAL;
    if (r->exit_signal < 0 || r->exit_signal > SIGNAL_COUNT)
        return -EINVAL;
    return 0;
}

// Are there as many threads as there may be, zombies with them? A few more are left to pid 1, which is to start what ends
// all the others.
static bool too_many_threads(void) {
    unsigned long limit =
        READ_ONCE(limits.threads_max) + (current->process == init_process ? THREADS_OF_INIT : 0);
    return process_counts.threads + process_counts.zombies >= limit;
}

// One thread more of the user. RLIMIT_NPROC does not bind root, nor those who may set limits. commit() makes sure of the
// number of all threads.
static int charge_thread(struct birth *b) {
    uint64_t limit = current_rlimit(RLIMIT_NPROC);
    struct user *user = current->real_cred->user;
    bool over =
        (uint64_t)user_charge(user, USER_THREADS, 1) > limit && user != &root_user && !user_is_privileged();
    if (over || too_many_threads()) {
        user_uncharge(user, USER_THREADS, 1);
        return -EAGAIN;
    }
    b->charged = true;
    return 0;
}

// ---- the first half: allocation

static int copy_vm(struct thread *t, uint64_t flags) {
    if (flags & CLONE_VM) {
        vmspace_get(current->vm);
        t->vm = current->vm;
        return 0;
    }
    struct vmspace *vm = vmspace_fork(current->vm);
    if (IS_ERR(vm))
        return PTR_ERR(vm);
    t->vm = vm;
    return 0;
}

static int copy_files(struct thread *t, uint64_t flags) {
    if (flags & CLONE_FILES) {
        files_share(current->files);
        t->files = current->files;
    } else {
        t->files = files_copy(current->files);
    }
    return t->files ? 0 : -ENOMEM;
}

static int copy_fs(struct thread *t, uint64_t flags) {
    if (flags & CLONE_FS) {
        int err = fs_context_share(current->fs);
        if (err)
            return err;
        t->fs = current->fs;
    } else {
        t->fs = fs_context_copy(current->fs);
    }
    return t->fs ? 0 : -ENOMEM;
}

// The child's namespaces and credentials; its places are its own already.
static int copy_namespaces(struct thread *t, uint64_t flags) {
    struct namespace_change c;
    int err = namespace_change_make(&c, flags, t->fs);
    if (err)
        return err;
    t->cred = t->real_cred = c.cred ? c.cred : cred_get(current->cred);
    keys_inherit(t);
    t->namespaces = c.set ? c.set : current->namespaces ? namespaces_get(current->namespaces) : NULL;
    return 0;
}

static int copy_process(struct birth *b) {
    struct process *parent = current->process, *p = process_alloc();
    uint64_t flags = b->request->flags;
    if (!p)
        return -ENOMEM;
    b->process = p;
    p->user = user_get(current->real_cred->user);
    memcpy(p->limits, parent->limits, sizeof(p->limits));
    p->oom_score_adj = parent->oom_score_adj;
    p->oom_score_adj_min = parent->oom_score_adj_min;
    p->personality = READ_ONCE(parent->personality);
    p->exit_signal = b->request->exit_signal;
    p->core_filter = READ_ONCE(parent->core_filter);
    p->start_time = clock_monotonic();
    if (flags & CLONE_SIGHAND) {
        ref_get(&parent->handlers->refs);
        p->handlers = parent->handlers;
    } else {
        p->handlers = signal_handlers_copy(parent->handlers, flags & CLONE_CLEAR_SIGHAND);
    }
    return p->handlers ? 0 : -ENOMEM;
}

static int reserve_pidfd(struct birth *b) {
    b->pidfd_file = pidfd_create(b->process, 0);
    if (IS_ERR(b->pidfd_file)) {
        int err = PTR_ERR(b->pidfd_file);
        b->pidfd_file = NULL;
        return err;
    }
    b->pidfd = fd_reserve(0, O_CLOEXEC);
    if (b->pidfd < 0)
        return b->pidfd;
    return put_user(b->pidfd, b->request->pidfd);
}

// The child starts with the parent's registers, but for what the request says and a result of 0.
static void copy_registers(struct thread *t, const struct clone_request *r) {
    struct trap_frame *frame = arch_user_frame(t);
    *frame = *arch_user_frame(current);
    frame->a0 = 0;
    frame->in_syscall = 0;
    if (r->stack)
        frame->sp = r->stack;
    if (r->flags & CLONE_SETTLS)
        frame->tp = r->tls;
    fpu_save(current);
    fpu_set(t, &current->arch.fpu);
}

static int copy_thread(struct birth *b) {
    const struct clone_request *r = b->request;
    void *child_tid = r->flags & CLONE_CHILD_SETTID ? r->child_tid : NULL;
    struct thread *t = thread_create(current->name, child_main, child_tid);
    if (!t)
        return -ENOMEM;
    b->thread = t;
    copy_registers(t, r);
    t->sig_blocked = current->sig_blocked;
    t->timer_slack = t->default_timer_slack = current->timer_slack;
    t->memory_policy = current->memory_policy;
    if (!(r->flags & CLONE_VM))
        rseq_inherit(t);
    t->too_many_threads = current->too_many_threads;
    if (r->flags & CLONE_CHILD_CLEARTID)
        t->clear_child_tid = r->child_tid;
    // The alternate stack is the parent's too, unless both would use it at once.
    if (!(r->flags & CLONE_VM) || r->flags & CLONE_VFORK) {
        t->altstack_sp = current->altstack_sp;
        t->altstack_size = current->altstack_size;
        t->altstack_flags = current->altstack_flags;
    }
    int err = copy_files(t, r->flags);
    if (!err)
        err = copy_fs(t, r->flags);
    if (!err)
        err = copy_namespaces(t, r->flags);
    if (!err && r->flags & CLONE_SYSVSEM)
        err = sem_share_undos(t);
    if (!err)
        err = copy_vm(t, r->flags);
    return err;
}

static void undo(struct birth *b) {
    struct thread *t = b->thread;
    if (b->pidfd >= 0)
        fd_unreserve(b->pidfd);
    if (b->pidfd_file)
        file_put(b->pidfd_file);
    if (t) {
        if (t->vm)
            vmspace_put(t->vm);
        if (t->fs) {
            fs_context_leave(t->fs);
            fs_context_put(t->fs);
        }
        if (t->files)
            files_leave(t->files);
        sem_leave_undos(t);
        keys_exit_thread(t);
        namespaces_put(t->namespaces);
        t->namespaces = NULL;
        cred_put(t->real_cred);
        t->vm = NULL;
        thread_discard(t);
    }
    if (b->charged)
        user_uncharge(current->real_cred->user, USER_THREADS, 1);
    if (b->id)
        id_release(b->id);
    if (b->process) {
        if (b->process->handlers)
            signal_handlers_put(b->process->handlers);
        process_put(b->process);
    }
}

static int prepare(struct birth *b) {
    const struct clone_request *r = b->request;
    int err = charge_thread(b);
    if (!err && !(r->flags & CLONE_THREAD))
        err = copy_process(b);
    if (!err && r->flags & CLONE_PIDFD)
        err = reserve_pidfd(b);
    if (!err)
        err = copy_thread(b);
    if (err)
        return err;
    struct id_wish wish = {r->numbers, r->number_count};
    struct pid_ns *ns = children_ns(b->thread);
    b->id = id_alloc(ns, r->number_count ? &wish : NULL);
    if (IS_ERR(b->id)) {
        err = PTR_ERR(b->id);
        b->id = NULL;
        return err;
    }
    b->nr = id_shown(b->id);
    b->thread->tid = b->id->nr;
    b->thread->own_tid = id_in(b->id, ns);
    b->thread->pid_ns = ns;
    return r->flags & CLONE_PARENT_SETTID ? put_user(b->nr, r->parent_tid) : 0;
}

// ---- the second half: the tables

static void join_process(struct thread *t, struct process *p) {
    process_get(p); // the thread's reference
    t->process = p;
    t->process_keys = &p->keys;
    t->limits = p->limits;
    t->pid = p->pid;
    t->own_pid = p->own_pid;
    list_add_tail(&t->process_link, &p->threads);
    p->thread_count++;
    p->live_threads++;
}

// A new process's place in the tree is its creator's child, or with CLONE_PARENT its sibling.
static void enter_tree(struct birth *b) {
    struct process *p = b->process, *creator = current->process;
    bool sibling = b->request->flags & CLONE_PARENT && creator->parent;
    struct process *parent = sibling ? creator->parent : creator;
    if (sibling)
        p->exit_signal = creator->exit_signal;
    p->pid = b->thread->tid;
    p->own_pid = b->thread->own_tid;
    p->pid_ns = pid_ns_get(b->id->ns);
    p->id = b->id;
    b->id->process = p; // the number's one use, together with the leader
    process_set_parent_locked(p, parent);
    p->maker = sibling ? creator->maker : current->tid;
    list_add_tail(&p->sibling, &parent->children);
    process_set_group_locked(p, creator->group_id);
    process_set_session_locked(p, creator->session_id);
    p->cred = cred_get(b->thread->real_cred);
    p->leader = b->thread;
    process_inherit_tty_locked(p, creator);
    if (unlikely(p->own_pid == 1)) {
        p->pid_ns->init = p;
        p->unkillable = true;
    }
}

// -ERESTARTNOINTR: a signal came; it goes first, so that a process that is being killed or stopped gets no
// new threads. -ENOMEM: the namespace that it was to be in has lost its init.
static int commit(struct birth *b) {
    struct process *creator = current->process;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    spin_lock(&creator->sig_lock);
    signal_recalculate_locked(current);
    bool interrupted = signal_pending() || creator->group_exit || creator->exec_thread;
    bool full = too_many_threads(), ended = !pid_ns_is_open_locked(b->id->ns);
    if (!interrupted && !full && !ended) {
        b->id->thread = b->thread;
        seccomp_inherit_locked(b->thread);
        if (b->process)
            enter_tree(b);
        join_process(b->thread, b->process ? b->process : creator);
        if (b->event || b->request->flags & CLONE_PTRACE)
            ptrace_inherit_locked(b->thread, b->thread->process);
        if (!b->process)
            signal_new_thread_locked(creator, b->thread);
        process_counts.forks++;
        process_counts.threads++;
    }
    spin_unlock(&creator->sig_lock);
    spin_unlock_irqrestore(&process_lock, flags);
    return interrupted ? -ERESTARTNOINTR : full ? -EAGAIN : ended ? -ENOMEM : 0;
}

// The parent of a vfork sleeps until its child has left the shared address space (true), or it is killed.
static bool wait_for_vfork(struct thread *child) {
    for (;;) {
        thread_set_state(THREAD_KILLABLE);
        if (__atomic_load_n(&child->vfork_done, __ATOMIC_ACQUIRE) || signal_pending_fatal())
            break;
        schedule();
    }
    thread_set_state(THREAD_RUNNING);
    return !signal_pending_fatal();
}

// What the birth is to the creator's tracer, if that wants to know.
static int event_of(const struct clone_request *r) {
    int event = r->flags & CLONE_VFORK      ? PTRACE_EVENT_VFORK
                : r->exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
                                            : PTRACE_EVENT_FORK;
    return !(r->flags & CLONE_UNTRACED) && ptrace_wants_event(event) ? event : 0;
}

long process_clone(const struct clone_request *request) {
    struct birth b = {.request = request, .pidfd = -1, .event = event_of(request)};
    int err = check_request(request);
    if (err)
        return err;
    err = prepare(&b);
    if (!err)
        err = commit(&b);
    if (err) {
        undo(&b);
        return err;
    }
    struct thread *t = b.thread;
    pid_t tid = t->tid, own_tid = b.nr;
    current->too_many_threads = false;
    bool vfork = request->flags & CLONE_VFORK;
    if (b.pidfd_file)
        fd_install(b.pidfd, b.pidfd_file);
    if (vfork) {
        thread_get(current);
        t->vfork_parent = current;
    }
    thread_start(t);
    if (unlikely(b.event))
        ptrace_event_number(b.event, tid, own_tid);
    if (vfork && wait_for_vfork(t))
        ptrace_event_number(PTRACE_EVENT_VFORK_DONE, tid, own_tid);
    thread_put(t);
    return own_tid;
}
