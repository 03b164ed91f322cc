// SPDX-License-Identifier: MIT
// What all namespaces have in common: numbers, references, accounts; and the sets of them. (The header is in core, as who
// has one is everywhere; this needs memory.)
#include "core/namespace.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/user_ns.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sched/user.h"

#define FIRST_NUMBER 0xF0000000u

static const struct namespace_type *types[NS_KINDS]; // written at start
static uint64_t last_number = FIRST_NUMBER;          // [a]
struct namespaces first_namespaces = {.refs = {1}};

void namespace_register(enum namespace_kind kind, const struct namespace_type *type,
                        struct namespace *first) {
    types[kind] = type;
    first_namespaces.of[kind] = first;
}

const struct namespace_type *namespace_type_of(enum namespace_kind kind) {
    return types[kind];
}

// ---- one

int namespace_begin(struct namespace *ns, const struct namespace_type *type, struct user_ns *owner) {
    struct user *user = current->cred->user;
    if (!user_may_charge(user, USER_NAMESPACES, 1, READ_ONCE(limits.namespaces_max)))
        return -ENOSPC;
    ref_init(&ns->refs);
    ns->type = type;
    ns->owner = owner ? user_ns_get(owner) : NULL;
    ns->user = user_get(user);
    ns->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
    return 0;
}

void namespace_end(struct namespace *ns) {
    struct user_ns *owner = ns->owner;
    user_uncharge(ns->user, USER_NAMESPACES, 1);
    user_put(ns->user);
    if (owner)
        user_ns_put(owner);
}

// The one above a user namespace goes with it: at most USER_NS_DEPTH_MAX deep.
void namespace_put(struct namespace *ns) {
    if (ns && ref_put(&ns->refs))
        ns->type->destroy(ns);
}

// ---- a thread's set

void namespaces_put(struct namespaces *set) {
    if (!set || !ref_put(&set->refs))
        return;
    for (int i = 0; i < NS_KINDS; i++)
        namespace_put(set->of[i]);
    kfree(set);
}

static struct namespaces *copy(const struct namespaces *old) {
    struct namespaces *set = kmalloc(sizeof(*set));
    if (!set)
        return NULL;
    *set = *old;
    ref_init(&set->refs);
    for (int i = 0; i < NS_KINDS; i++)
        if (set->of[i])
            namespace_get(set->of[i]);
    return set;
}

static void replace(struct namespaces *set, int kind, struct namespace *ns) {
    namespace_put(set->of[kind]);
    set->of[kind] = ns;
}

struct namespaces *namespaces_create(struct namespaces *old, unsigned long flags, struct user_ns *owner,
                                     struct fs_context *fs) {
    struct namespaces *set = copy(old);
    if (!set)
        return ERR_PTR(-ENOMEM);
    for (int i = 0; i < NS_KINDS; i++) {
        if (!types[i] || !(flags & (unsigned long)types[i]->flag))
            continue;
        struct namespace *ns = types[i]->create(old->of[i], owner, fs);
        if (IS_ERR(ns)) {
            namespaces_put(set);
            return ERR_PTR(PTR_ERR(ns));
        }
        replace(set, i, ns);
    }
    return set;
}

struct namespaces *namespaces_with(struct namespaces *old, struct namespace *ns) {
    struct namespaces *set = copy(old);
    for (int i = 0; set && i < NS_KINDS; i++)
        if (types[i] == ns->type)
            replace(set, i, namespace_get(ns));
    return set;
}
