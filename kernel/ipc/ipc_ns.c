// SPDX-License-Identifier: MIT
// IPC namespaces: beginning and end.
#include "ipc/ipc_ns.h"
#include "core/user_ns.h"
#include "fs/mount.h"
#include "ipc/msg.h"
#include "ipc/sem.h"
#include "ipc/shm.h"
#include "mm/slab.h"

#define LIMITS_                                                                                              \
    .shm_max = INT64_MAX, .shm_segments_max = SHM_SEGMENTS,                                                  \
    .sem_limits = {SEM_OF_SET, (unsigned long)SEM_OF_SET * SEM_SETS, SEM_AT_ONCE, SEM_SETS},                 \
    .msg_longest = MSG_LONGEST, .msg_queue_bytes = MSG_BYTES, .msg_queues_max = MSG_QUEUES,                  \
    .mqueue = {256, 10, 8192, 10, 8192}

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs);
static void destroy(struct namespace *ns);
static const struct namespace_type type = {
    .name = "ipc", .flag = CLONE_NEWIPC, .create = create, .destroy = destroy};

struct ipc_ns first_ipc_ns = {
    .ns = {.refs = {1}, .type = &type, .owner = &first_user_ns, .number = NS_FIRST_IPC},
    .parts = {1},
    LIMITS_};

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs) {
    struct ipc_ns *ns = kmalloc(sizeof(*ns));
    (void)old, (void)fs;
    if (!ns)
        return ERR_PTR(-ENOMEM);
    *ns = (struct ipc_ns){LIMITS_, .shm_all = READ_ONCE(first_ipc_ns.shm_all)};
    ref_init(&ns->parts);
    for (int i = 0; i < IPC_KINDS; i++)
        spin_init(&ns->tables[i].lock);
    int err = namespace_begin(&ns->ns, &type, owner);
    if (err) {
        kfree(ns);
        return ERR_PTR(err);
    }
    err = mqueue_begin(ns);
    if (err) {
        namespace_end(&ns->ns);
        ipc_ns_drop(ns);
        return ERR_PTR(err);
    }
    return &ns->ns;
}

// Nobody is in it: what is left are segments that somebody has attached, and open message queues.
static void destroy(struct namespace *namespace) {
    struct ipc_ns *ns = container_of(namespace, struct ipc_ns, ns);
    WRITE_ONCE(ns->ended, true);
    shm_end_all(ns);
    sem_end_all(ns);
    msg_end_all(ns);
    mount_put(ns->mqueue_mount);
    namespace_end(&ns->ns);
    ipc_ns_drop(ns);
}

void ipc_ns_drop(struct ipc_ns *ns) {
    if (!ref_put(&ns->parts))
        return;
    for (int i = 0; i < IPC_KINDS; i++)
        ipc_free_table(&ns->tables[i]);
    kfree(ns);
}

void ipc_ns_init(void) {
    namespace_register(NS_IPC, &type, &first_ipc_ns.ns);
}
