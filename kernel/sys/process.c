// SPDX-License-Identifier: MIT
// Birth, death and identity of processes: arguments and checks. The work is in proc/.
#include "sys/seccomp.h"
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "core/user_ns.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "fs/path.h"
#include "ipc/sem.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/accounting.h"
#include "proc/exec.h"
#include "proc/exit.h"
#include "proc/fork.h"
#include "proc/namespace.h"
#include "proc/pidfd.h"
#include "proc/process.h"
#include "proc/wait.h"
#include "procfs/pid.h"
#include "tty/tty.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <linux/wait.h>

#define PIDFD_NONBLOCK_FLAG 04000 // O_NONBLOCK

// ---- clone

long sys_clone(unsigned long flags, unsigned long stack, int __user *parent_tid, unsigned long tls,
               int __user *child_tid) {
    struct clone_request r = {
        .flags = (uint32_t)flags & ~(uint32_t)CSIGNAL,
        .exit_signal = flags & CSIGNAL,
        .stack = stack,
        .tls = tls,
        .parent_tid = parent_tid,
        .child_tid = child_tid,
        .pidfd = parent_tid,
    };
    if (r.flags & CLONE_PIDFD && r.flags & CLONE_PARENT_SETTID)
        return -EINVAL; // both results would go to one place
    return process_clone(&r);
}

static int check_clone_args(const struct clone_args *a) {
    if (a->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)) || a->flags >> 34)
        return -EINVAL;
    if (a->exit_signal > SIGNAL_COUNT || (a->flags & (CLONE_THREAD | CLONE_PARENT) && a->exit_signal))
        return -EINVAL;
    if (!a->stack != !a->stack_size || (a->stack && !user_range_ok(a->stack, a->stack_size)))
        return -EINVAL;
    return !a->set_tid != !a->set_tid_size || a->set_tid_size > PID_NS_DEPTH_MAX ? -EINVAL : 0;
}

long sys_clone3(const void __user *user, size_t size) {
    struct clone_args a;
    int err = copy_struct_from_user(&a, sizeof(a), CLONE_ARGS_SIZE_VER0, user, size);
    if (!err)
        err = check_clone_args(&a);
    if (err)
        return err;
    pid_t numbers[PID_NS_DEPTH_MAX + 1];
    if (a.set_tid && copy_from_user(numbers, (const void __user *)a.set_tid, a.set_tid_size * sizeof(pid_t)))
        return -EFAULT;
    struct clone_request r = {
        .flags = a.flags,
        .numbers = numbers,
        .number_count = a.set_tid_size,
        .exit_signal = a.exit_signal,
        .stack = a.stack ? a.stack + a.stack_size : 0,
        .tls = a.tls,
        .parent_tid = (int __user *)a.parent_tid,
        .child_tid = (int __user *)a.child_tid,
        .pidfd = (int __user *)a.pidfd,
    };
    return process_clone(&r);
}

// ---- unshare: what threads share, a thread may have for itself again

#define UNSHARE_FLAGS                                                                                        \
    (CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM |        \
     CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWCGROUP |           \
     CLONE_NEWTIME)

// Threads cannot leave their process, nor what all of it shares.
static int check_unshare(unsigned long flags) {
    struct process *p = current->process;
    if (flags & ~UNSHARE_FLAGS)
        return -EINVAL;
    if (flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) && READ_ONCE(p->thread_count) > 1)
        return -EINVAL;
    if (flags & (CLONE_SIGHAND | CLONE_VM) && ref_read(&p->handlers->refs) > 1)
        return -EINVAL;
    if (flags & CLONE_VM && ref_read(&current->vm->refs) > 1)
        return -EINVAL;
    return 0;
}

// A user namespace is of a whole process; who leaves its mounts has a place of its own.
static unsigned long with_implied(unsigned long flags) {
    if (flags & CLONE_NEWUSER)
        flags |= CLONE_THREAD | CLONE_FS;
    if (flags & CLONE_NEWNS)
        flags |= CLONE_FS;
    if (flags & CLONE_NEWPID)
        flags |= CLONE_THREAD;
    if (flags & CLONE_NEWIPC)
        flags |= CLONE_SYSVSEM;
    return flags;
}

long sys_unshare(unsigned long flags) {
    struct fs_context *fs = NULL, *old_fs = current->fs;
    struct files *files = NULL, *old_files = current->files;
    struct namespace_change change;
    flags = with_implied(flags);
    int err = check_unshare(flags);
    if (err)
        return err;
    bool own_fs = flags & CLONE_NEWNS || (flags & CLONE_FS && READ_ONCE(old_fs->users) > 1);
    if (own_fs && !(fs = fs_context_copy(old_fs)))
        return -ENOMEM;
    if (flags & CLONE_FILES && files_are_shared(old_files) && !(files = files_copy(old_files)))
        err = -ENOMEM;
    if (!err)
        err = namespace_change_make(&change, flags, fs);
    if (err) {
        if (files)
            files_leave(files);
        if (fs)
            fs_context_put(fs);
        return err;
    }
    unsigned long irq = spin_lock_irqsave(&process_lock); // others look at them
    if (fs) {
        current->fs = fs;
        fs_context_leave(old_fs);
    }
    if (files)
        current->files = files;
    spin_unlock_irqrestore(&process_lock, irq);
    if (fs)
        fs_context_put(old_fs);
    if (files)
        files_leave(old_files);
    if (flags & CLONE_SYSVSEM)
        sem_leave_undos(current);
    namespace_change_commit(&change);
    return 0;
}

long sys_setns(int fd, int flags) {
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    long ret = namespace_enter(f, flags);
    file_put(f);
    return ret;
}

// ---- exec

long sys_execveat(int dfd, const char __user *path, const void __user *argv, const void __user *envp,
                  int flags) {
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    struct user_name name;
    long ret = user_name_get(&name, path, flags & AT_EMPTY_PATH);
    if (ret)
        return ret;
    struct exec_strings args = {.user = argv}, env = {.user = envp};
    ret = process_exec(dfd, name.text, &args, &env, flags);
    user_name_put(&name);
    return ret;
}

long sys_execve(const char __user *path, const void __user *argv, const void __user *envp) {
    return sys_execveat(AT_FDCWD, path, argv, envp, 0);
}

// ---- exit and wait

long sys_exit(int status) {
    process_exit_thread((status & 0xff) << 8);
}

long sys_exit_group(int status) {
    process_exit_group((status & 0xff) << 8);
}

long sys_wait4(pid_t pid, int __user *status, int options, void __user *rusage) {
    struct wait_request w = {.options = WEXITED | options};
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) || pid == INT32_MIN)
        return pid == INT32_MIN ? -ESRCH : -EINVAL;
    w.type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
    w.id = pid == 0 ? current->process->pgrp : pid_from_user(pid > 0 ? pid : -pid);
    int err = process_wait(&w);
    if (err)
        return err;
    if (w.pid && status && put_user(w.wait_status, status))
        return -EFAULT;
    if (w.pid && rusage && put_object(rusage, w.usage))
        return -EFAULT;
    return w.pid;
}

// The process that waitid's type and id name.
static int waitid_target(int type, pid_t id, struct wait_request *w, bool *nonblocking) {
    w->type = type;
    w->id = id;
    switch (type) {
    case P_ALL:
        return 0;
    case P_PID:
        w->id = pid_from_user(id);
        return id > 0 ? 0 : -EINVAL;
    case P_PGID:
        w->id = id ? pid_from_user(id) : current->process->pgrp;
        return id >= 0 ? 0 : -EINVAL;
    case P_PIDFD: {
        struct file *f = id >= 0 ? fd_get(id) : NULL;
        if (!f)
            return id < 0 ? -EINVAL : -EBADF;
        struct process *p = pidfd_process(f);
        *nonblocking = f->flags & O_NONBLOCK;
        file_put(f);
        if (IS_ERR(p))
            return PTR_ERR(p);
        w->process = p;
        return 0;
    }
    default:
        return -EINVAL;
    }
}

long sys_waitid(int type, pid_t id, void __user *info, int options, void __user *rusage) {
    struct wait_request w = {.options = options};
    bool nonblocking = false;
    if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    int err = waitid_target(type, id, &w, &nonblocking);
    if (err)
        return err;
    if (nonblocking)
        w.options |= WNOHANG;
    err = process_wait(&w);
    if (w.process)
        process_put(w.process);
    if (err)
        return err;
    if (!w.pid && nonblocking && !(options & WNOHANG))
        return -EAGAIN;
    if (w.pid && rusage && put_object(rusage, w.usage))
        return -EFAULT;
    if (!info)
        return 0;
    siginfo_t si;
    signal_info_clear(&si);
    if (w.pid) {
        si.si_signo = SIGCHLD;
        si.si_code = w.code;
        si.si_pid = w.pid;
        si.si_uid = w.uid;
        si.si_status = w.status;
    }
    return signal_info_to_user(info, &si);
}

// ---- numbers

long sys_set_tid_address(int __user *addr) {
    current->clear_child_tid = addr;
    return current->own_tid;
}

long sys_getpid(void) {
    return current->own_pid;
}

long sys_getppid(void) {
    return READ_ONCE(current->process->own_ppid);
}

long sys_gettid(void) {
    return current->own_tid;
}

long sys_getpgid(pid_t pid) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = process_named_locked(pid);
    long ret = p ? id_shown(p->group_id) : -ESRCH;
    spin_unlock_irqrestore(&process_lock, flags);
    return ret;
}

long sys_getsid(pid_t pid) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = process_named_locked(pid);
    long ret = p ? id_shown(p->session_id) : -ESRCH;
    spin_unlock_irqrestore(&process_lock, flags);
    return ret;
}

// pgrp: as the caller's namespace has it; 0: p's own number.
static int set_group_locked(struct process *p, pid_t pgrp) {
    ASSERT_HELD(&process_lock);
    struct process *me = current->process;
    if (p != me && p->parent != me)
        return -ESRCH;
    if (p != me && p->session != me->session)
        return -EPERM;
    if (p != me && READ_ONCE(p->execs))
        return -EACCES;
    if (p->session == p->pid)
        return -EPERM;
    struct id *group = p->id;
    if (pgrp && pgrp != id_shown(p->id)) {
        group = id_named_locked(pgrp);
        if (!group || list_empty(&group->group) ||
            list_first_entry(&group->group, struct process, group_link)->session != me->session)
            return -EPERM;
    }
    if (group != p->group_id)
        process_set_group_locked(p, group);
    return 0;
}

long sys_setpgid(pid_t pid, pid_t pgrp) {
    if (pgrp < 0)
        return -EINVAL;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = process_named_locked(pid);
    int err = !p || p->zombie                 ? -ESRCH
              : pid && id_shown(p->id) != pid ? -EINVAL // a thread that is no process
                                              : set_group_locked(p, pgrp);
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

long sys_setsid(void) {
    struct process *p = current->process;
    struct tty *tty = NULL;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    bool leads = p->session == p->pid || !list_empty(&p->id->group);
    if (!leads) {
        process_set_session_locked(p, p->id);
        process_set_group_locked(p, p->id);
        process_drop_tty_locked(p, &tty);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    process_drop_tty(tty);
    return leads ? -EPERM : p->own_pid;
}

long sys_vhangup(void) {
    if (!capable(CAP_SYS_TTY_CONFIG))
        return -EPERM;
    tty_hangup_own();
    return 0;
}

// ---- accounting

static struct file *open_for_records(const char *name) {
    struct file *f = file_open(name, O_WRONLY | O_APPEND | O_LARGEFILE, 0);
    if (IS_ERR(f))
        return f;
    int err = !S_ISREG(f->inode->mode) ? -EACCES : !f->backing || !f->ops->write ? -EINVAL : 0;
    if (!err)
        return f;
    file_put(f);
    return ERR_PTR(err);
}

long sys_acct(const char __user *path) {
    struct user_name name;
    struct file *f = NULL;
    if (!capable(CAP_SYS_PACCT))
        return -EPERM;
    if (path) {
        int err = user_name_get(&name, path, false);
        if (err)
            return err;
        f = open_for_records(name.text);
        user_name_put(&name);
        if (IS_ERR(f))
            return PTR_ERR(f);
    }
    accounting_set(f);
    return 0;
}

// ---- pidfds

long sys_pidfd_open(pid_t pid, unsigned int flags) {
    if (flags & ~PIDFD_NONBLOCK_FLAG || pid <= 0)
        return -EINVAL;
    struct process *p = process_find(pid);
    if (!p) {
        struct thread *t = thread_find(pid);
        if (!t)
            return -ESRCH;
        thread_put(t);
        return -EINVAL; // a thread that is no process
    }
    struct file *f = pidfd_create(p, flags);
    process_put(p);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, O_CLOEXEC);
}

static int read_info(const void __user *user, int sig, siginfo_t *info) {
    if (!user) {
        signal_info_user(info, sig, SI_USER);
        return 0;
    }
    int err = copy_from_user(info, user, sizeof(*info));
    if (err)
        return err;
    if (info->si_signo != sig)
        return -EINVAL;
    return 0;
}

long sys_pidfd_send_signal(int pidfd, int sig, const void __user *user, unsigned int flags) {
    siginfo_t info;
    if (flags || sig < 0 || sig > SIGNAL_COUNT)
        return -EINVAL;
    struct file *f = fd_get(pidfd);
    if (!f)
        return -EBADF;
    struct process *p = pidfd_process(f);
    if (IS_ERR(p))
        p = pid_dir_process(f);
    file_put(f);
    if (IS_ERR(p))
        return PTR_ERR(p);
    int err = pid_ns_is_within(p->pid_ns, current->pid_ns) ? read_info(user, sig, &info) : -EINVAL;
    if (!err && p != current->process && (info.si_code >= 0 || info.si_code == SI_TKILL) && user)
        err = -EPERM;
    if (!err) {
        unsigned long irq = spin_lock_irqsave(&process_lock);
        err = p->id ? signal_check_permission_locked(p, sig) : -ESRCH;
        if (!err && sig && signal_send_process_info(p, &info) == -EAGAIN)
            err = -EAGAIN; // a zombie takes a signal as well as any
        spin_unlock_irqrestore(&process_lock, irq);
    }
    process_put(p);
    return err;
}

// ---- personality, prctl

long sys_personality(unsigned int persona) {
    unsigned int *mine = &current->process->personality;
    return persona == ~0u ? READ_ONCE(*mine) : __atomic_exchange_n(mine, persona, __ATOMIC_RELAXED);
}

static long change_securebits(unsigned long bits) {
    struct cred *old = current->cred;
    unsigned int locks = SECURE_ALL_LOCKS, locked = (old->securebits & locks) >> 1;
    if (bits & ~(unsigned long)(SECURE_ALL_BITS | SECURE_ALL_LOCKS) || (locked & (old->securebits ^ bits)) ||
        (old->securebits & locks & ~bits) || !cred_capable_within(old, CAP_SETPCAP))
        return -EPERM;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->securebits = bits;
    thread_set_cred(new);
    return 0;
}

static long set_keepcaps(unsigned long on) {
    struct cred *old = current->cred;
    if (on > 1)
        return -EINVAL;
    if (old->securebits & SECBIT_KEEP_CAPS_LOCKED)
        return -EPERM;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->securebits = on ? old->securebits | SECBIT_KEEP_CAPS : old->securebits & ~SECBIT_KEEP_CAPS;
    thread_set_cred(new);
    return 0;
}

static long drop_bounding(unsigned long cap) {
    struct cred *old = current->cred;
    if (!cred_capable_within(old, CAP_SETPCAP))
        return -EPERM;
    if (!cap_valid(cap))
        return -EINVAL;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->cap_bounding &= ~(1ull << cap);
    thread_set_cred(new);
    return 0;
}

static long ambient(unsigned long op, unsigned long cap) {
    struct cred *old = current->cred;
    if (op == PR_CAP_AMBIENT_CLEAR_ALL ? cap != 0 : !cap_valid(cap))
        return -EINVAL;
    uint64_t bit = op == PR_CAP_AMBIENT_CLEAR_ALL ? ~0ull : 1ull << cap;
    if (op == PR_CAP_AMBIENT_IS_SET)
        return !!(old->cap_ambient & bit);
    if (op != PR_CAP_AMBIENT_RAISE && op != PR_CAP_AMBIENT_LOWER && op != PR_CAP_AMBIENT_CLEAR_ALL)
        return -EINVAL;
    bool raise = op == PR_CAP_AMBIENT_RAISE;
    if (raise &&
        (!(old->cap_permitted & old->cap_inheritable & bit) || old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
        return -EPERM;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->cap_ambient = raise ? old->cap_ambient | bit : old->cap_ambient & ~bit;
    thread_set_cred(new);
    return 0;
}

static long set_name(const char __user *user) {
    char name[sizeof(current->name)];
    ssize_t n = strncpy_from_user(name, user, sizeof(name) - 1);
    if (n < 0 && n != -ENAMETOOLONG)
        return n;
    name[sizeof(name) - 1] = '\0';
    thread_set_name(current, name);
    return 0;
}

long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    struct process *p = current->process;
    switch (option) {
    case PR_SET_NAME:
        return set_name((const char __user *)a);
    case PR_GET_NAME:
        return copy_to_user((void __user *)a, current->name, sizeof(current->name));
    case PR_SET_PDEATHSIG:
        if (a > SIGNAL_COUNT)
            return -EINVAL;
        current->parent_death_signal = a;
        return 0;
    case PR_GET_PDEATHSIG:
        return put_user(current->parent_death_signal, (int __user *)a);
    case PR_SET_DUMPABLE:
        if (a > 1)
            return -EINVAL;
        WRITE_ONCE(current->vm->dumpable, a);
        return 0;
    case PR_GET_DUMPABLE:
        return current->vm->dumpable;
    case PR_SET_NO_NEW_PRIVS:
        if (a != 1 || b || c || d)
            return -EINVAL;
        WRITE_ONCE(current->no_new_privs, true);
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return a || b || c || d ? -EINVAL : current->no_new_privs;
    case PR_SET_SECCOMP:
        return seccomp_prctl(a, b);
    case PR_GET_SECCOMP:
        return current->seccomp;
    case PR_SET_CHILD_SUBREAPER:
        p->child_subreaper = a != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_user(p->child_subreaper, (int __user *)a);
    case PR_SET_KEEPCAPS:
        return set_keepcaps(a);
    case PR_GET_KEEPCAPS:
        return !!(current->cred->securebits & SECBIT_KEEP_CAPS);
    case PR_SET_SECUREBITS:
        return change_securebits(a);
    case PR_GET_SECUREBITS:
        return current->cred->securebits;
    case PR_CAPBSET_READ:
        return cap_valid(a) ? (long)(current->cred->cap_bounding >> a & 1) : -EINVAL;
    case PR_CAPBSET_DROP:
        return drop_bounding(a);
    case PR_CAP_AMBIENT:
        return c || d ? -EINVAL : ambient(a, b);
    case PR_SET_TIMERSLACK:
        current->timer_slack = a ? a : current->default_timer_slack;
        return 0;
    case PR_GET_TIMERSLACK:
        return current->timer_slack;
    default:
        return -EINVAL;
    }
}
