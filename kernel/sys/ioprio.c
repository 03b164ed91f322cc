// SPDX-License-Identifier: MIT
// ioprio_set(2), ioprio_get(2): a thread's priority of input and output. It is kept, inherited and told.
#include "sys/syscalls.h"
#include "core/cred.h"
#include "proc/process.h"
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>

struct search {
    int which, who;
    int priority; // to set
    bool set;
    bool found;
    int result; // the best, or the error
};

// What counts for one that was never given any: by its nice value.
static int effective_priority(const struct thread *t) {
    int priority = READ_ONCE(t->io_priority);
    if (IOPRIO_PRIO_CLASS(priority) != IOPRIO_CLASS_NONE)
        return priority;
    int class = t->policy == SCHED_IDLE                            ? IOPRIO_CLASS_IDLE
                : t->policy == SCHED_FIFO || t->policy == SCHED_RR ? IOPRIO_CLASS_RT
                                                                   : IOPRIO_CLASS_BE;
    return IOPRIO_PRIO_VALUE(class, (t->nice + 20) / 5);
}

static void visit_locked(struct thread *t, struct search *s) {
    ASSERT_HELD(&process_lock);
    const struct cred *mine = current->cred, *its = t->real_cred;
    if (!s->set) {
        int priority = s->which == IOPRIO_WHO_PROCESS ? READ_ONCE(t->io_priority) : effective_priority(t);
        s->result = s->found ? MIN(s->result, priority) : priority;
    } else if (mine->euid != its->uid && mine->uid != its->uid && !cred_capable(mine, CAP_SYS_NICE)) {
        s->result = -EPERM;
    } else {
        s->result = 0;
        WRITE_ONCE(t->io_priority, (uint16_t)s->priority);
    }
    s->found = true;
}

// Setting ends with the first that refuses.
static bool is_over(const struct search *s) {
    return s->set && s->found && s->result;
}

static void visit_one(struct search *s) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = s->who ? id_named_locked(s->who) : NULL;
    struct thread *t = !s->who ? current : id ? id->thread : NULL;
    if (t)
        visit_locked(t, s);
    spin_unlock_irqrestore(&process_lock, flags);
}

static bool visit_if_wanted(struct process *p, void *arg) {
    struct search *s = arg;
    struct thread *t;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (t, &p->threads, process_link) {
        bool wanted = s->which == IOPRIO_WHO_PGRP ? p->pgrp == s->who : t->real_cred->uid == (uid_t)s->who;
        if (wanted && !is_over(s))
            visit_locked(t, s);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return !is_over(s) && !cond_resched_killable();
}

static long search(struct search *s) {
    s->result = -ESRCH;
    switch (s->which) {
    case IOPRIO_WHO_PROCESS:
        visit_one(s);
        break;
    case IOPRIO_WHO_PGRP:
        s->who = s->who ? pid_from_user(s->who) : process_pgrp();
        process_for_each_in(current->pid_ns, visit_if_wanted, s);
        break;
    case IOPRIO_WHO_USER:
        s->who = s->who ? s->who : (int)current->cred->uid;
        process_for_each_in(current->pid_ns, visit_if_wanted, s);
        break;
    default:
        return -EINVAL;
    }
    return s->result;
}

static int check_priority(int priority) {
    switch (IOPRIO_PRIO_CLASS(priority)) {
    case IOPRIO_CLASS_RT:
        return capable(CAP_SYS_ADMIN) || capable(CAP_SYS_NICE) ? 0 : -EPERM;
    case IOPRIO_CLASS_BE:
    case IOPRIO_CLASS_IDLE:
        return 0;
    case IOPRIO_CLASS_NONE:
        return priority & 7 ? -EINVAL : 0;
    default:
        return -EINVAL;
    }
}

long sys_ioprio_set(int which, int who, int priority) {
    struct search s = {.which = which, .who = who, .priority = priority, .set = true};
    int err = check_priority(priority);
    return err ? err : search(&s);
}

long sys_ioprio_get(int which, int who) {
    struct search s = {.which = which, .who = who};
    return search(&s);
}
