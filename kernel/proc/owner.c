// SPDX-License-Identifier: MIT
// Owners of files, and sending to them what happens there. An owner is a number with the serial of its use: nothing keeps it,
// and whoever gets the number afterwards is not taken for it.
#include "proc/owner.h"
#include "ipc/mqueue.h"
#include "lib/string.h"
#include "proc/process.h"
#include <linux/fcntl.h>
#include <linux/poll.h>

// ---- who

static struct id *find_locked(const struct file_owner *owner) {
    ASSERT_HELD(&process_lock);
    struct id *id = id_find_locked(owner->nr);
    return id && id->serial == owner->serial ? id : NULL;
}

int owner_find(struct file_owner *owner, int type, int nr) {
    *owner =
        (struct file_owner){.type = type, .nr = nr, .uid = current->cred->uid, .euid = current->cred->euid};
    if (!nr)
        return 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_named_locked(nr);
    if (id) {
        owner->nr = id->nr;
        owner->serial = id->serial;
        owner->execs = id->process ? id->process->execs : 0;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return id ? 0 : -ESRCH;
}

bool owner_is_there(const struct file_owner *owner) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct id *id = find_locked(owner);
    bool there = id && (owner->type == F_OWNER_TID   ? id->thread != NULL
                        : owner->type == F_OWNER_PID ? id->process != NULL
                                                     : !list_empty(&id->group));
    spin_unlock_irqrestore(&process_lock, flags);
    return there;
}

// ---- sending

static void fill_info(siginfo_t *info, int sig, int reason, int fd) {
    static const uint16_t bands[] = {
        [POLL_IN] = POLLIN | POLLRDNORM,
        [POLL_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND,
        [POLL_MSG] = POLLIN | POLLRDNORM | POLLMSG,
        [POLL_ERR] = POLLERR,
        [POLL_PRI] = POLLPRI | POLLRDBAND,
        [POLL_HUP] = POLLHUP | POLLERR,
    };
    // Signals whose codes mean something else say where it comes from alone.
    bool other = SIGNAL_BIT(sig) &
                 (SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) |
                  SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGSYS));
    signal_info_clear(info);
    info->si_signo = sig;
    info->si_code = other ? SI_SIGIO : reason;
    info->si_band = bands[reason];
    info->si_fd = fd;
}

static void kernel_info(siginfo_t *info, int sig) {
    signal_info_clear(info);
    info->si_signo = sig;
    info->si_code = SI_KERNEL;
}

// Did the one who named the owner have a right to signal p?
static bool may_signal(const struct file_owner *owner, const struct process *p) {
    const struct cred *c = p->cred;
    return !owner->euid || owner->euid == c->suid || owner->euid == c->uid || owner->uid == c->suid ||
           owner->uid == c->uid;
}

struct sending {
    const struct file_owner *owner;
    siginfo_t info, plain; // plain: when the queue has no room for the other
};

// To a thread, or NULL: to the process. [process_lock]
static void send_to(const struct sending *s, struct process *p, struct thread *t) {
    if (!p || !may_signal(s->owner, p))
        return;
    int err = t ? signal_send_thread_info(t, &s->info) : signal_send_process_info(p, &s->info);
    if (err != -EAGAIN)
        return;
    (void)(t ? signal_send_thread_info(t, &s->plain) : signal_send_process_info(p, &s->plain));
}

static void send_locked(const struct sending *s, struct id *id) {
    ASSERT_HELD(&process_lock);
    struct process *p;
    switch (s->owner->type) {
    case F_OWNER_TID:
        if (id->thread)
            send_to(s, id->thread->process, id->thread);
        break;
    case F_OWNER_PID:
        send_to(s, id->process, NULL);
        break;
    default:
        list_for_each_entry (p, &id->group, group_link)
            send_to(s, p, NULL);
    }
}

static void owner_send(const struct file_owner *owner, int reason, int fd) {
    struct sending s = {.owner = owner};
    kernel_info(&s.plain, SIGIO);
    if (reason == POLL_URGENT)
        kernel_info(&s.info, SIGURG);
    else if (owner->sig)
        fill_info(&s.info, owner->sig, reason, fd);
    else
        s.info = s.plain;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = find_locked(owner);
    if (id)
        send_locked(&s, id);
    spin_unlock_irqrestore(&process_lock, flags);
}

// From mq_notify(2): the one who caused it is the current process, which needs no right to send signals, for they were asked for; but
// by the program that ran then: another one, which may have more rights, did not.
static void send_message_signal(const struct file_owner *owner, int sig, uint64_t value) {
    siginfo_t info;
    signal_info_user(&info, sig, SI_MESGQ);
    info.si_ptr = (void *)value;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = find_locked(owner);
    if (id && id->process && id->process->execs == owner->execs)
        (void)signal_send_process_info(id->process, &info);
    spin_unlock_irqrestore(&process_lock, flags);
}

void owner_init(void) {
    static const struct async_ops ops = {.send = owner_send};
    static const struct mqueue_owner_ops mqueue = {.send = send_message_signal, .is_there = owner_is_there};
    async_ops = &ops;
    mqueue_ops = &mqueue;
}
