// SPDX-License-Identifier: MIT
// IPC namespaces (ipc_namespaces(7)): what System V IPC has, POSIX message queues, and their limits.
//
// With the last who is in one, all of it goes. A segment of shared memory that is still attached stays until it is not, and keeps the
// structure, as every object does, and the message queues' file system.
#pragma once
#include "core/namespace.h"
#include "ipc/mqueue.h"
#include "ipc/object.h"
#include "sched/thread.h"

// Key: [a] atomic, [t] the lock of its table.
struct ipc_ns {
    struct namespace ns;
    struct refcount parts; // of the structure: the namespace, each object, the file system
    bool ended;            // [a]
    struct ipc_table tables[IPC_KINDS];
    unsigned long shm_pages, semaphores; // [t] of all segments, of all sets
    unsigned long msg_bytes, msg_count;  // [a] in queues
    unsigned long mqueues;               // [a]
    // Limits, [a]: kernel.shmmax in bytes, of one segment; kernel.shmall in pages, of all together; kernel.shmmni.
    unsigned long shm_max, shm_all, shm_segments_max;
    unsigned long sem_limits[4]; // kernel.sem: semaphores in a set, in all; operations at once; sets
    unsigned long msg_longest, msg_queue_bytes, msg_queues_max; // kernel.msgmax, msgmnb, msgmni
    struct mqueue_limits mqueue;                                // fs.mqueue.*
    struct mount *mqueue_mount;                                 // [I]
};

extern struct ipc_ns first_ipc_ns;

static inline struct ipc_ns *ipc_current(void) {
    return container_of(current_namespace(NS_IPC), struct ipc_ns, ns);
}
static inline struct ipc_table *ipc_table_of(const struct ipc_object *o, enum ipc_which which) {
    return &o->ns->tables[which];
}
static inline struct ipc_ns *ipc_ns_hold(struct ipc_ns *ns) {
    ref_get(&ns->parts);
    return ns;
}
void ipc_ns_drop(struct ipc_ns *ns);
void ipc_ns_init(void);
