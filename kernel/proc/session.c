// SPDX-License-Identifier: MIT
// Process groups, sessions and the controlling terminal: setpgid(2), setsid(2), credentials(7).
#include "proc/session.h"
#include "fs/inode.h"
#include "proc/process.h"
#include <asm/signal.h>

void process_set_group_locked(struct process *p, struct id *group) {
    ASSERT_HELD(&process_lock);
    id_use_locked(group);
    list_del(&p->group_link);
    list_add_tail(&p->group_link, &group->group);
    if (p->group_id)
        id_release_locked(p->group_id);
    p->group_id = group;
    p->pgrp = group->nr;
}

void process_set_session_locked(struct process *p, struct id *session) {
    ASSERT_HELD(&process_lock);
    id_use_locked(session);
    list_del(&p->session_link);
    list_add_tail(&p->session_link, &session->session);
    if (p->session_id)
        id_release_locked(p->session_id);
    p->session_id = session;
    p->session = session->nr;
}

bool pgrp_orphaned_locked(const struct id *group, const struct process *without) {
    ASSERT_HELD(&process_lock);
    struct process *p;
    list_for_each_entry (p, &group->group, group_link) {
        if (p->zombie || p == without || p == init_process || p->parent == init_process)
            continue;
        if (p->parent != without && p->parent->pgrp != p->pgrp && p->parent->session == p->session)
            return false;
    }
    return true;
}

static bool has_stopped_members(const struct id *group) {
    struct process *p;
    list_for_each_entry (p, &group->group, group_link) {
        if (READ_ONCE(p->stopped))
            return true;
    }
    return false;
}

static void hang_up_group(struct id *group) {
    struct process *p;
    list_for_each_entry (p, &group->group, group_link) {
        signal_send_process(p, SIGHUP);
        signal_send_process(p, SIGCONT);
    }
}

// `p` was what kept its group, or that of one of its children, from being orphaned?
static void check_orphaned(struct process *member, struct process *parent, const struct process *without) {
    struct id *group = member->group_id;
    if (parent == NULL || parent->pgrp == member->pgrp || parent->session != member->session)
        return;
    if (has_stopped_members(group) && pgrp_orphaned_locked(group, without))
        hang_up_group(group);
}

void pgrp_check_orphans_locked(struct process *p, struct process *parent) {
    ASSERT_HELD(&process_lock);
    struct process *child;
    check_orphaned(p, parent, p);
    list_for_each_entry (child, &p->children, sibling)
        check_orphaned(child, p, p);
}

pid_t process_pgrp(void) {
    return current->process ? current->process->pgrp : 0;
}

struct group_ref process_group(void) {
    struct process *p = current->process;
    if (!p)
        return (struct group_ref){0, 0};
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct group_ref group = {p->group_id->nr, p->group_id->serial};
    spin_unlock_irqrestore(&process_lock, flags);
    return group;
}

pid_t process_session(void) {
    return current->process ? current->process->session : 0;
}

bool process_is_session_leader(void) {
    struct process *p = current->process;
    return p && p->session == p->pid;
}

bool process_pgrp_orphaned(void) {
    struct process *p = current->process;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    bool orphaned = !p || pgrp_orphaned_locked(p->group_id, NULL);
    spin_unlock_irqrestore(&process_lock, flags);
    return orphaned;
}

int pgrp_check_session(pid_t pgrp, pid_t session, struct group_ref *out) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct id *id = id_find_locked(pgrp);
    bool in = id && !list_empty(&id->group) &&
              list_first_entry(&id->group, struct process, group_link)->session == session;
    int err = !id ? -ESRCH : in ? 0 : -EPERM;
    if (in)
        *out = (struct group_ref){id->nr, id->serial};
    spin_unlock_irqrestore(&process_lock, flags);
    return err;
}

// ---- the controlling terminal

static const struct session_tty_ops *terminals; // [I] once there are any

void session_set_tty_ops(const struct session_tty_ops *ops) {
    terminals = ops;
}

struct tty *process_tty(void) {
    struct process *p = current->process;
    if (!p)
        return NULL;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct tty *tty = p->tty;
    if (tty)
        terminals->get(tty);
    spin_unlock_irqrestore(&process_lock, flags);
    return tty;
}

unsigned int process_tty_number(void) {
    struct tty *tty = process_tty();
    if (!tty)
        return 0;
    unsigned int number = DEV_ENCODE(terminals->number(tty));
    terminals->put(tty);
    return number;
}

void process_drop_tty_locked(struct process *p, struct tty **old) {
    ASSERT_HELD(&process_lock);
    *old = p->tty;
    p->tty = NULL;
}

void process_give_up_tty(void) {
    struct tty *old;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    process_drop_tty_locked(current->process, &old);
    spin_unlock_irqrestore(&process_lock, flags);
    process_drop_tty(old);
}

int process_take_tty(struct tty *tty) {
    struct process *p = current->process;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    bool may = !p->tty;
    if (may) {
        terminals->get(tty);
        p->tty = tty;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return may ? 0 : -EPERM;
}

// One at a time, as letting go of a terminal may need to sleep.
void session_clear_tty(pid_t session) {
    for (;;) {
        struct tty *tty = NULL;
        struct process *p;
        unsigned long flags = spin_lock_irqsave(&process_lock);
        struct id *id = id_find_locked(session);
        if (id) {
            list_for_each_entry (p, &id->session, session_link) {
                process_drop_tty_locked(p, &tty);
                if (tty)
                    break;
            }
        }
        spin_unlock_irqrestore(&process_lock, flags);
        if (!tty)
            return;
        terminals->put(tty);
        cond_resched();
    }
}

void process_inherit_tty_locked(struct process *p, struct process *parent) {
    ASSERT_HELD(&process_lock);
    p->tty = parent->tty;
    if (p->tty)
        terminals->get(p->tty);
}

void process_leave_tty(void) {
    struct process *p = current->process;
    struct tty *tty = process_tty();
    if (!tty)
        return;
    if (process_is_session_leader())
        terminals->leader_exit(tty, p->session);
    process_give_up_tty();
    terminals->put(tty);
}

void process_drop_tty(struct tty *tty) {
    if (tty)
        terminals->put(tty);
}
