// SPDX-License-Identifier: MIT
// Pid namespaces: making one and letting go of it. Numbers are given out in id.c; what happens when an init ends is in proc/exit.c.
#include "sched/pid_ns.h"
#include "core/errno.h"
#include "core/user_ns.h"
#include "mm/slab.h"
#include "sched/thread.h"

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs);
static int check_entry(const struct namespace *ns);
static struct namespace *parent_of(struct namespace *ns);
static void destroy(struct namespace *ns);
static const struct namespace_type type = {.name = "pid",
                                           .flag = CLONE_NEWPID,
                                           .create = create,
                                           .check_entry = check_entry,
                                           .parent = parent_of,
                                           .destroy = destroy};

static uint64_t first_used[PID_MAX / 64]; // [process_lock]
struct pid_ns first_pid_ns = {
    .ns = {.refs = {1}, .type = &type, .owner = &first_user_ns, .number = NS_FIRST_PID},
    .used = first_used,
};

// Its parent is the caller's own: who is to have his children elsewhere already makes no other one.
static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs) {
    struct pid_ns *parent = pid_ns_of(old);
    (void)fs;
    if (parent != current->pid_ns || !user_ns_is_within(owner, parent->ns.owner))
        return ERR_PTR(-EINVAL);
    if (parent->level >= PID_NS_DEPTH_MAX)
        return ERR_PTR(-ENOSPC);
    struct pid_ns *p = kzalloc(sizeof(*p));
    uint64_t *used = kzalloc(PID_MAX / 8);
    int err = p && used ? namespace_begin(&p->ns, &type, owner) : -ENOMEM;
    if (err) {
        kfree(used);
        kfree(p);
        return ERR_PTR(err);
    }
    p->used = used;
    p->parent = pid_ns_get(parent);
    p->level = parent->level + 1;
    RB_INIT(&p->numbers);
    return &p->ns;
}

// Those above that nobody else refers to go with it. process_lock may be held.
static void destroy(struct namespace *ns) {
    for (struct pid_ns *p = pid_ns_of(ns), *parent; p; p = parent) {
        parent = p->parent->level && ref_put(&p->parent->ns.refs) ? p->parent : NULL;
        namespace_end(&p->ns);
        kfree(p->used);
        kfree(p);
    }
}

bool pid_ns_is_within(const struct pid_ns *p, const struct pid_ns *above) {
    while (p->level > above->level)
        p = p->parent;
    return p == above;
}

// Children may be made below, not above: who got there could not be seen by his parent.
static int check_entry(const struct namespace *ns) {
    return pid_ns_is_within(container_of(ns, struct pid_ns, ns), current->pid_ns) ? 0 : -EINVAL;
}

static struct namespace *parent_of(struct namespace *ns) {
    struct pid_ns *parent = pid_ns_of(ns)->parent;
    return parent ? &parent->ns : NULL;
}

bool pid_ns_is_open_locked(const struct pid_ns *p) {
    ASSERT_HELD(&process_lock);
    for (; p->level; p = p->parent)
        if (p->ended)
            return false;
    return true;
}

void pid_ns_init(void) {
    namespace_register(NS_PID, &type, &first_pid_ns.ns);
}
