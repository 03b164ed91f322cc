// SPDX-License-Identifier: MIT
// signalfd(2). What is read and polled is what is pending for the thread that does it, and for its process; so one file
// that two processes have tells each of its own. Who waits stands on a queue of the file's (a queue of the process's
// would go with that while an epoll set is still on it). A *watch* ties the two: it is made when a process first waits
// for the file, and wakes the file's queue when a signal of its set comes to the process.
//
// A process may have any number of watches, and signals are sent with interrupts disabled, to whole groups with process_lock held. So
// the sender wakes for the first few alone; for the rest the process is put on a list (`late`), and a kernel thread wakes for
// all, some at a time.
#include "proc/signalfd.h"
#include "core/errno.h"
#include "core/panic.h"
#include "fs/event/poll.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "sched/user.h"
#include <linux/fcntl.h>
#include <linux/signalfd.h>

#define WAKE_AT_ONCE                                                                                         \
    16u // watches that a sender looks at; also how many are dealt with before a lock is given up

struct signalfd;

struct signal_watch {
    struct list_head of_process; // [watch_lock] [process->sig_lock] both to change
    struct list_head of_file;    // [watch_lock]
    struct process *process;     // [watch_lock] NULL: none (the one inside a file)
    unsigned int round;          // [process->sig_lock] in which the thread saw it last
    struct signalfd *file;       // [I]
};

// Key: [w] watch_lock.
struct signalfd {
    sigset_bits mask; // [a] what it tells of
    struct wait_queue wait;
    struct user *user;         // [I] to whom watches are charged; a reference
    struct list_head watches;  // [w]
    struct signal_watch first; // for the one process that most files have
};

static struct spinlock watch_lock = SPINLOCK_INIT;   // before any sig_lock
static struct spinlock late_lock = SPINLOCK_INIT;    // after them
static struct list_head late = LIST_HEAD_INIT(late); // [late_lock] processes, each with a reference
static struct wait_queue late_wait = WAIT_QUEUE_INIT(late_wait);
static struct mutex start_mutex = MUTEX_INIT(start_mutex); // who starts the thread
static bool waker_runs;                                    // [start_mutex], read without

static void watch_begin_locked(struct signal_watch *w, struct signalfd *s, struct process *p) {
    ASSERT_HELD(&watch_lock);
    w->process = p;
    w->file = s;
    list_add_tail(&w->of_file, &s->watches);
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    list_add_tail(&w->of_process, &p->signal_watches);
    WRITE_ONCE(p->signal_watch_count, p->signal_watch_count + 1);
    spin_unlock_irqrestore(&p->sig_lock, flags);
}

static void watch_end_locked(struct signal_watch *w) {
    ASSERT_HELD(&watch_lock);
    struct process *p = w->process;
    ASSERT(p);
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    list_del(&w->of_process);
    WRITE_ONCE(p->signal_watch_count, p->signal_watch_count - 1);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    list_del(&w->of_file);
    w->process = NULL;
    if (w == &w->file->first)
        return;
    user_uncharge(w->file->user, USER_WATCHES, 1);
    kfree(w);
}

static bool is_watched_locked(struct signalfd *s, const struct process *p) {
    ASSERT_HELD(&watch_lock);
    struct signal_watch *w;
    if (s->first.process == p)
        return true;
    list_for_each_entry (w, &s->watches, of_file) {
        if (w->process == p)
            return true;
    }
    return false;
}

static void waker_thread(void *arg);

// 0 or -ENOMEM.
static int start_waker(void) {
    int err = 0;
    if (likely(READ_ONCE(waker_runs)))
        return 0;
    mutex_lock(&start_mutex);
    if (!waker_runs) {
        err = kthread_run("signalfd", waker_thread, NULL);
        WRITE_ONCE(waker_runs, !err);
    }
    mutex_unlock(&start_mutex);
    return err;
}

// Has what comes to the current process wake the file's queue. 0 or -ENOMEM.
static int watch(struct signalfd *s) {
    struct process *p = current->process;
    struct signal_watch *more = NULL;
    for (;;) {
        spin_lock(&watch_lock);
        bool done = !p || is_watched_locked(s, p);
        if (!done && (!s->first.process || more)) {
            bool inside = !s->first.process;
            watch_begin_locked(inside ? &s->first : more, s, p);
            more = inside ? more : NULL;
            done = true;
        }
        spin_unlock(&watch_lock);
        if (done)
            break;
        if (!user_may_charge(s->user, USER_WATCHES, 1, READ_ONCE(limits.watches_max)))
            return -ENOMEM;
        more = kmalloc(sizeof(*more));
        if (!more) {
            user_uncharge(s->user, USER_WATCHES, 1);
            return -ENOMEM;
        }
    }
    if (more) {
        user_uncharge(s->user, USER_WATCHES, 1);
        kfree(more);
    }
    return p && unlikely(READ_ONCE(p->signal_watch_count) > WAKE_AT_ONCE) ? start_waker() : 0;
}

// ---- waking

static void wake_watcher(const struct signal_watch *w, sigset_bits signals) {
    if (READ_ONCE(w->file->mask) & signals)
        wake_poll(&w->file->wait, POLLIN | POLLRDNORM);
}

static void wake_late_locked(struct process *p, int sig) {
    ASSERT_HELD(&p->sig_lock);
    p->late_signals |= SIGNAL_BIT(sig);
    spin_lock(&late_lock);
    bool is_new = list_empty(&p->late_link);
    if (is_new) {
        process_get(p);
        list_add_tail(&p->late_link, &late);
    }
    spin_unlock(&late_lock);
    if (is_new)
        wake_all(&late_wait);
}

void signalfd_wake_locked(struct process *p, int sig) {
    ASSERT_HELD(&p->sig_lock);
    unsigned int left = WAKE_AT_ONCE;
    struct signal_watch *w;
    list_for_each_entry (w, &p->signal_watches, of_process) {
        if (unlikely(!left--)) {
            wake_late_locked(p, sig);
            return;
        }
        wake_watcher(w, SIGNAL_BIT(sig));
    }
}

// Wakes for some watches of p, from the first on, which go to the end of the list, until that is one that this round has had. What
// came to the list meanwhile stands behind these, and was told by what is pending. False: that was all.
static bool wake_some(struct process *p, sigset_bits signals, unsigned int round) {
    bool more = true;
    spin_lock(&watch_lock);
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    for (unsigned int n = 0; n < WAKE_AT_ONCE && more; n++) {
        struct signal_watch *w = list_empty(&p->signal_watches)
                                     ? NULL
                                     : list_first_entry(&p->signal_watches, struct signal_watch, of_process);
        more = w && w->round != round;
        if (!more)
            break;
        w->round = round;
        list_del(&w->of_process);
        list_add_tail(&w->of_process, &p->signal_watches);
        wake_watcher(w, signals);
    }
    spin_unlock_irqrestore(&p->sig_lock, flags);
    spin_unlock(&watch_lock);
    return more;
}

static struct process *next_late(void) {
    struct process *p = NULL;
    unsigned long flags = spin_lock_irqsave(&late_lock);
    if (!list_empty(&late)) {
        p = list_first_entry(&late, struct process, late_link);
        list_del(&p->late_link);
        list_init(&p->late_link);
    }
    spin_unlock_irqrestore(&late_lock, flags);
    return p;
}

static void waker_thread(void *arg) {
    unsigned int round = 0; // 0: a watch that no round has had
    (void)arg;
    for (;;) {
        wait_event(&late_wait, !list_empty(&late));
        struct process *p = next_late();
        unsigned long flags = spin_lock_irqsave(&p->sig_lock);
        sigset_bits signals = p->late_signals;
        p->late_signals = 0;
        spin_unlock_irqrestore(&p->sig_lock, flags);
        round = round + 1 ?: 1;
        while (wake_some(p, signals, round))
            cond_resched();
        process_put(p);
    }
}

void signalfd_exit(struct process *p) {
    while (!list_empty(&p->signal_watches)) { // no thread of p is left that could make one
        spin_lock(&watch_lock);
        for (unsigned int n = 0; n < WAKE_AT_ONCE && !list_empty(&p->signal_watches); n++)
            watch_end_locked(list_first_entry(&p->signal_watches, struct signal_watch, of_process));
        spin_unlock(&watch_lock);
        cond_resched();
    }
}

// ---- what is read

// Which member of the union in siginfo_t is meant goes by the code, and for some codes by the signal.
static void tell_of_sender(struct signalfd_siginfo *out, const siginfo_t *info) {
    out->ssi_pid = info->si_pid;
    out->ssi_uid = info->si_uid;
}

static void tell_of_value(struct signalfd_siginfo *out, const siginfo_t *info) {
    out->ssi_ptr = (uint64_t)(unsigned long)info->si_ptr;
    out->ssi_int = info->si_int;
}

// Codes between SI_USER and SI_KERNEL, which the kernel alone makes.
static void tell_of_event(struct signalfd_siginfo *out, const siginfo_t *info) {
    switch (info->si_signo) {
    case SIGCHLD:
        tell_of_sender(out, info);
        out->ssi_status = info->si_status;
        out->ssi_utime = info->si_utime;
        out->ssi_stime = info->si_stime;
        break;
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
        out->ssi_addr = (uint64_t)(unsigned long)info->si_addr;
        break;
    default: // of SIGIO, or of the signal that F_SETSIG has in its place
        out->ssi_band = info->si_band;
        out->ssi_fd = info->si_fd;
    }
}

static void describe(struct signalfd_siginfo *out, const siginfo_t *info) {
    memset(out, 0, sizeof(*out));
    out->ssi_signo = info->si_signo;
    out->ssi_errno = info->si_errno;
    out->ssi_code = info->si_code;
    if (info->si_code == SI_TIMER) {
        out->ssi_tid = info->si_tid;
        out->ssi_overrun = info->si_overrun;
        tell_of_value(out, info);
    } else if (info->si_code < 0 && info->si_code != SI_SIGIO) {
        tell_of_sender(out, info);
        tell_of_value(out, info);
    } else if (info->si_code == SI_USER || info->si_code == SI_KERNEL) {
        tell_of_sender(out, info);
    } else {
        tell_of_event(out, info);
    }
}

static bool has_some(const struct signalfd *s) {
    const struct thread *t = current;
    sigset_bits pending = READ_ONCE(t->sig_pending) | (t->process ? READ_ONCE(t->process->sig_pending) : 0);
    return pending & READ_ONCE(s->mask);
}

// Waits for the first. The number, or -errno.
static int take_first(struct file *f, struct signalfd *s, siginfo_t *info) {
    int sig;
    while (!(sig = signal_take(READ_ONCE(s->mask), info))) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = watch(s);
        if (!err)
            err = wait_event_interruptible(&s->wait, has_some(s));
        if (err)
            return err;
    }
    return sig;
}

static ssize_t signalfd_read(struct file *f, struct uio *u, off_t *pos) {
    struct signalfd *s = f->private_data;
    struct signalfd_siginfo out;
    siginfo_t info;
    ssize_t done = 0;
    (void)pos;
    if (u->resid < sizeof(out))
        return -EINVAL;
    int sig = take_first(f, s, &info);
    if (sig < 0)
        return sig;
    for (; sig; sig = u->resid >= sizeof(out) ? signal_take(READ_ONCE(s->mask), &info) : 0) {
        describe(&out, &info);
        if (!uio_put_object(u, out))
            return done ? done : -EFAULT;
        done += sizeof(out);
    }
    return done;
}

static unsigned int signalfd_poll(struct file *f, struct poll_table *table) {
    struct signalfd *s = f->private_data;
    poll_wait(f, &s->wait, table);
    if (table && watch(s))
        return POLLERR; // nobody would wake who waits now
    return has_some(s) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *f) {
    struct signalfd *s = f->private_data;
    bool more = true;
    while (more) {
        spin_lock(&watch_lock);
        for (unsigned int n = 0; n < WAKE_AT_ONCE && !list_empty(&s->watches); n++)
            watch_end_locked(list_first_entry(&s->watches, struct signal_watch, of_file));
        more = !list_empty(&s->watches);
        spin_unlock(&watch_lock);
        cond_resched();
    }
    user_put(s->user);
    kfree(s);
}

static size_t signalfd_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    struct signalfd *s = f->private_data;
    if ((*at)++)
        return 0;
    return (size_t)lib_snprintf(line, n, "sigmask:\t%016lx\n", (unsigned long)READ_ONCE(s->mask));
}

static const struct file_ops signalfd_ops = {
    .describe = signalfd_describe, .read = signalfd_read, .poll = signalfd_poll, .release = signalfd_release};

struct file *signalfd_create(sigset_bits mask, int flags) {
    struct signalfd *s = kzalloc(sizeof(*s));
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->mask = mask & ~SIGNALS_KILL_STOP;
    wait_queue_init(&s->wait);
    list_init(&s->watches);
    s->first.file = s;
    s->user = user_get(current->cred->user);
    struct file *f = file_create_anon("[signalfd]", &signalfd_ops, s, O_RDWR | (flags & O_NONBLOCK));
    if (IS_ERR(f)) {
        user_put(s->user);
        kfree(s);
    }
    return f;
}

int signalfd_set_mask(struct file *f, sigset_bits mask) {
    if (f->ops != &signalfd_ops)
        return -EINVAL;
    struct signalfd *s = f->private_data;
    WRITE_ONCE(s->mask, mask & ~SIGNALS_KILL_STOP);
    wake_poll(&s->wait, POLLIN | POLLRDNORM);
    return 0;
}
