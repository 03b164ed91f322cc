// SPDX-License-Identifier: MIT
// Signals of files (async.h).
//
// A file that signals stands on its own wait queues, as in an epoll set, with hooks whose callbacks note what happened. They
// run with locks held that signals come before. So the signal is sent a little later: by the thread that caused it, on its way to
// user mode (WORK_ASYNC), or by a kernel thread if that one sleeps first or is none. So who writes has, when write(2) returns,
// also sent the signal.
//
// Key: [m] async_mutex, [p] pending_lock, [I] immutable.
#include "fs/async.h"
#include "fs/event/poll.h"
#include "lib/list.h"
#include "mm/slab.h"
#include <asm/siginfo.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

struct async_hook {
    struct wait_entry wait;
    struct wait_queue *queue; // [I]
    struct file_async *async; // [I]
    struct async_hook *next;  // [m]
    bool first;               // [I] on the first of the file's queues
};

struct file_async {
    struct file *file;        // [I] not referenced: the file has this
    struct async_hook *hooks; // [m] NULL: O_ASYNC is off
    struct list_head link;    // [p] in `pending`
    unsigned int reasons;     // [p] bits, 1 << POLL_*
    struct file_owner owner;  // [p]
    int fd;                   // [p]
};

#define REASON_ASK 0 // bit: the waker did not say, poll tells

const struct async_ops *async_ops;
unsigned int async_hooks;
static struct mutex async_mutex = MUTEX_INIT(async_mutex);
static struct mutex send_mutex =
    MUTEX_INIT(send_mutex);                          // who finds nothing to send knows that all has been sent
static struct spinlock pending_lock = SPINLOCK_INIT; // taken with interrupts disabled
static struct list_head pending = LIST_HEAD_INIT(pending);
static struct thread *sender; // [m] to set

// ---- what happened

// Of what a queue was woken with, or of what poll says.
static int reason_of(const struct file *f, unsigned int events) {
    unsigned int mode = f->flags & O_ACCMODE;
    if (events & POLLHUP && !S_ISFIFO(f->inode->mode))
        return POLL_HUP;
    if (events & POLLERR && !S_ISFIFO(f->inode->mode))
        return POLL_ERR;
    if (events & POLLIN && mode != O_WRONLY)
        return POLL_IN;
    if (events & POLLPRI)
        return POLL_PRI;
    return events & POLL_ROOM && mode != O_RDONLY ? POLL_OUT : -1;
}

static void note_locked(struct file_async *a, int reason) {
    ASSERT_HELD(&pending_lock);
    a->reasons |= 1u << reason;
    if (list_empty(&a->link))
        list_add_tail(&a->link, &pending);
}

static void note_is_due(void) {
    __atomic_fetch_or(&current->arch.work, WORK_ASYNC, __ATOMIC_RELAXED);
    struct thread *t = READ_ONCE(sender);
    if (t) // else it looks when it first runs
        thread_wake(t);
}

// Never counts as somebody who was woken: it takes nothing.
static bool hook_wake(struct wait_entry *wait, unsigned int events) {
    struct async_hook *hook = container_of(wait, struct async_hook, wait);
    struct file_async *a = hook->async;
    bool pipe = S_ISFIFO(a->file->inode->mode);
    if (pipe && events & POLLOUT) // each room made is news, of others only what somebody missed
        events |= POLL_ROOM;
    // What concerns all of the file comes by all of its queues: it is heard on the first.
    if (!pipe && !hook->first) {
        events &= POLL_ROOM;
        if (!events)
            return false;
    }
    int reason = events ? reason_of(a->file, events) : REASON_ASK;
    if (reason < 0)
        return false;
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    note_locked(a, reason);
    spin_unlock_irqrestore(&pending_lock, flags);
    note_is_due();
    return false;
}

// ---- sending

struct work {
    struct file *file; // referenced, or NULL: it is being released, and poll is not asked
    struct file_owner owner;
    unsigned int reasons;
    int fd;
};

static bool take_work(struct work *w) {
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    bool any = !list_empty(&pending);
    if (any) {
        struct file_async *a = list_first_entry(&pending, struct file_async, link);
        *w = (struct work){.owner = a->owner, .reasons = a->reasons, .fd = a->fd};
        if (a->reasons & 1u << REASON_ASK && ref_get_unless_zero(&a->file->refs))
            w->file = a->file;
        a->reasons = 0;
        list_del(&a->link);
    }
    spin_unlock_irqrestore(&pending_lock, flags);
    return any;
}

static void do_work_locked(struct work *w) {
    ASSERT_HELD(&send_mutex);
    int reason = w->file ? reason_of(w->file, file_poll(w->file, NULL) | POLL_ROOM) : -1;
    if (reason >= 0)
        w->reasons |= 1u << reason;
    for (reason = POLL_IN; reason <= POLL_URGENT && w->owner.nr; reason++)
        if (w->reasons & 1u << reason)
            async_ops->send(&w->owner, reason, w->fd);
}

void async_send_pending(void) {
    __atomic_fetch_and(&current->arch.work, ~WORK_ASYNC, __ATOMIC_RELAXED);
    for (bool any = true; any;) {
        struct work w = {0};
        mutex_lock(&send_mutex);
        any = take_work(&w);
        if (any)
            do_work_locked(&w);
        mutex_unlock(&send_mutex);
        if (w.file)
            file_put(w.file);
        cond_resched();
    }
}

static void sender_thread(void *arg) {
    (void)arg;
    WRITE_ONCE(sender, current);
    for (;;) {
        async_send_pending();
        thread_set_state(THREAD_UNINTERRUPTIBLE);
        if (READ_ONCE(pending.next) == &pending)
            schedule();
        thread_set_state(THREAD_RUNNING);
    }
}

// ---- switching

static int start_sender_locked(void) {
    ASSERT_HELD(&async_mutex);
    static bool started; // [m]
    int err = started ? 0 : kthread_run("sigio", sender_thread, NULL);
    started = !err;
    return err;
}

// f's, which is made if there is none yet. NULL: no memory.
static struct file_async *get_locked(struct file *f) {
    ASSERT_HELD(&async_mutex);
    if (f->async)
        return f->async;
    struct file_async *a = start_sender_locked() ? NULL : kmalloc(sizeof(*a));
    if (!a)
        return NULL;
    *a = (struct file_async){.file = f};
    list_init(&a->link);
    WRITE_ONCE(f->async, a);
    return a;
}

struct async_table {
    struct poll_table table;
    struct file_async *async;
    int error;
};

static void add_hook(struct poll_table *table, struct file *f, struct wait_queue *q) {
    struct async_table *t = container_of(table, struct async_table, table);
    struct async_hook *hook = kmalloc(sizeof(*hook));
    (void)f;
    if (!hook) {
        t->error = -ENOMEM;
        return;
    }
    *hook = (struct async_hook){.wait = {.wake = hook_wake},
                                .queue = q,
                                .async = t->async,
                                .next = t->async->hooks,
                                .first = !t->async->hooks};
    t->async->hooks = hook;
    __atomic_fetch_add(&async_hooks, 1, __ATOMIC_RELAXED);
    wait_add(q, &hook->wait);
}

static void remove_hooks_locked(struct file_async *a) {
    ASSERT_HELD(&async_mutex);
    for (struct async_hook *hook = a->hooks, *next; hook; hook = next) {
        next = hook->next;
        wait_remove(hook->queue, &hook->wait);
        kfree(hook);
        __atomic_fetch_sub(&async_hooks, 1, __ATOMIC_RELAXED);
    }
    a->hooks = NULL;
}

static int switch_on_locked(struct file *f, int fd) {
    ASSERT_HELD(&async_mutex);
    struct file_async *a = get_locked(f);
    if (!a)
        return -ENOMEM;
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    a->fd = fd;
    spin_unlock_irqrestore(&pending_lock, flags);
    if (a->hooks)
        return 0;
    struct async_table t = {.table.queue = add_hook, .async = a};
    (void)file_poll(f, &t.table);
    if (t.error)
        remove_hooks_locked(a);
    return t.error;
}

int async_switch(struct file *f, int fd, bool on) {
    int err = 0;
    mutex_lock(&async_mutex);
    if (on == !!(READ_ONCE(f->flags) & FASYNC))
        ;
    else if (!f->ops->signals)
        err = -ENOTTY;
    else if (on)
        err = switch_on_locked(f, fd);
    else if (f->async)
        remove_hooks_locked(f->async);
    if (!err && on)
        __atomic_fetch_or(&f->flags, FASYNC, __ATOMIC_RELAXED);
    else if (!err)
        __atomic_fetch_and(&f->flags, ~FASYNC, __ATOMIC_RELAXED);
    mutex_unlock(&async_mutex);
    return err;
}

static int change_owner(struct file *f, const struct file_owner *owner, int sig) {
    mutex_lock(&async_mutex);
    struct file_async *a = get_locked(f);
    if (a) {
        unsigned long flags = spin_lock_irqsave(&pending_lock);
        int old = a->owner.sig;
        if (owner)
            a->owner = *owner;
        a->owner.sig = owner ? old : sig;
        spin_unlock_irqrestore(&pending_lock, flags);
    }
    mutex_unlock(&async_mutex);
    return a ? 0 : -ENOMEM;
}

int async_set_owner(struct file *f, const struct file_owner *owner) {
    return change_owner(f, owner, 0);
}

int async_set_signal(struct file *f, int sig) {
    return change_owner(f, NULL, sig);
}

struct file_owner async_get_owner(struct file *f) {
    struct file_owner owner = {0};
    struct file_async *a = READ_ONCE(f->async); // stays as long as the file
    if (!a)
        return owner;
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    owner = a->owner;
    spin_unlock_irqrestore(&pending_lock, flags);
    return owner;
}

void async_disown(struct file *f) {
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    if (f->async)
        f->async->owner = (struct file_owner){0};
    spin_unlock_irqrestore(&pending_lock, flags);
}

static void note(struct file *f, int reason) {
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    struct file_async *a = f->async;
    if (a)
        note_locked(a, reason);
    spin_unlock_irqrestore(&pending_lock, flags);
    if (a)
        note_is_due();
}

void async_urgent(struct file *f) {
    note(f, POLL_URGENT);
}

void async_message(struct file *f) {
    note(f, POLL_MSG);
}

int async_prepare(struct file *f, int fd) {
    mutex_lock(&async_mutex);
    struct file_async *a = get_locked(f);
    if (a) {
        unsigned long flags = spin_lock_irqsave(&pending_lock);
        a->fd = fd;
        spin_unlock_irqrestore(&pending_lock, flags);
    }
    mutex_unlock(&async_mutex);
    return a ? 0 : -ENOMEM;
}

void async_forget(struct file *f) {
    struct file_async *a = f->async;
    mutex_lock(&async_mutex);
    remove_hooks_locked(a);
    mutex_unlock(&async_mutex);
    unsigned long flags = spin_lock_irqsave(&pending_lock);
    list_del(&a->link);
    f->async = NULL;
    spin_unlock_irqrestore(&pending_lock, flags);
    kfree(a);
}
