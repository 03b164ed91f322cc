// SPDX-License-Identifier: MIT
// The machine's names, as a UTS namespace has them.
#include "proc/uts.h"
#include "core/errno.h"
#include "core/user_ns.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include <linux/capability.h>

struct uts_ns {
    struct namespace ns;
    char host[UTS_NAME_SIZE], domain[UTS_NAME_SIZE]; // [names_lock]
};

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs);
static void destroy(struct namespace *ns);
static const struct namespace_type type = {
    .name = "uts", .flag = CLONE_NEWUTS, .create = create, .destroy = destroy};

static struct mutex names_lock = MUTEX_INIT(names_lock);
static struct uts_ns first = {
    .ns = {.refs = {1}, .type = &type, .owner = &first_user_ns, .number = NS_FIRST_UTS},
    .host = "drupe",
    .domain = "(none)",
};

static struct uts_ns *uts_of(struct namespace *ns) {
    return container_of(ns, struct uts_ns, ns);
}

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs) {
    const struct uts_ns *from = uts_of(old);
    struct uts_ns *uts = kzalloc(sizeof(*uts));
    int err = uts ? namespace_begin(&uts->ns, &type, owner) : -ENOMEM;
    if (err) {
        kfree(uts);
        return ERR_PTR(err);
    }
    mutex_lock(&names_lock);
    memcpy(uts->host, from->host, UTS_NAME_SIZE);
    memcpy(uts->domain, from->domain, UTS_NAME_SIZE);
    mutex_unlock(&names_lock);
    return &uts->ns;
}

static void destroy(struct namespace *ns) {
    namespace_end(ns);
    kfree(uts_of(ns));
}

void uts_get_name(bool domain, char *buf) {
    const struct uts_ns *uts = uts_of(current_namespace(NS_UTS));
    mutex_lock(&names_lock);
    memcpy(buf, domain ? uts->domain : uts->host, UTS_NAME_SIZE);
    mutex_unlock(&names_lock);
}

int uts_set_name(bool domain, const char *name, size_t n) {
    struct uts_ns *uts = uts_of(current_namespace(NS_UTS));
    if (!capable_in(uts->ns.owner, CAP_SYS_ADMIN))
        return -EPERM;
    if (n >= UTS_NAME_SIZE)
        return -EINVAL;
    char *target = domain ? uts->domain : uts->host;
    mutex_lock(&names_lock);
    memset(target, 0, UTS_NAME_SIZE);
    memcpy(target, name, n);
    mutex_unlock(&names_lock);
    return 0;
}

void uts_init(void) {
    namespace_register(NS_UTS, &type, &first.ns);
}
