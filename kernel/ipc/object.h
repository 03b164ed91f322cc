// SPDX-License-Identifier: MIT
// What the three kinds of System V IPC have in common: objects that are found by a key or a number, and who may do what with them
// (sysvipc(7)). An object of a kind begins with a struct ipc_object.
//
// A number is an index into the kind's table and, above it, which round of the table this is. Indices are given out in a circle, as in Linux.
#pragma once
#include "core/errno.h"
#include "core/spinlock.h"
#include "lib/tree.h"
#include <linux/ipc.h>

#define IPC_INDEX_BITS 15 // of a number
#define IPC_MOST       (1u << IPC_INDEX_BITS)
#define IPC_CHUNK      512u // indices that take memory together

// Of *_INFO and *_STAT_ANY's permission: none is wanted.
#define IPC_READ  0444u
#define IPC_WRITE 0222u

struct user;
struct ipc_ns;
enum ipc_which { IPC_SHM, IPC_SEM, IPC_MSG, IPC_KINDS };

// Key: [l] its table's lock.
struct ipc_object {
    struct refcount refs; // one for the table
    int id;               // [I] once listed
    struct ipc_ns *ns;    // [I] ipc/ipc_ns.h: whose it is; of its `parts`
    int key;              // [l] as all that follows
    uid_t uid, cuid;
    gid_t gid, cgid;
    mode_t mode; // with bits of the kind's own
    bool listed;
    int64_t ctime;               // seconds
    RB_ENTRY(ipc_object) by_key; // of those with a key
};
RB_HEAD(ipc_keys, ipc_object);

struct ipc_table {
    struct spinlock lock;
    struct ipc_object **chunks[IPC_MOST / IPC_CHUNK]; // [l] NULL: nothing there
    uint16_t in_chunk[IPC_MOST / IPC_CHUNK];          // [l] how many are
    struct ipc_keys keys;                             // [l]
    unsigned int used, end;                           // [l] objects; all are below index `end`
    unsigned int last, round; // [l] the index given out last, and how often that began anew
};

// A kind of objects, for ipc_open().
struct ipc_kind {
    enum ipc_which which;
    size_t most; // as many may there be: where in struct ipc_ns
    // A new one with what is set by ipc_object_init(), one reference. ERR_PTR.
    struct ipc_object *(*make)(int key, int flags, size_t size);
    int (*check)(const struct ipc_object *o, size_t size); // 0, or why what is there is not what is asked for
    void (*free)(struct ipc_object *o);                    // with the last reference
};

// Owned by who runs, in his namespace, of which it holds a part.
void ipc_object_init(struct ipc_object *o, int key, int flags);
int64_t ipc_now(void); // seconds

// [l] of the table, all of these.
struct ipc_object *ipc_find_locked(struct ipc_table *t, int id);
struct ipc_object *ipc_find_key_locked(struct ipc_table *t, int key);
struct ipc_object *ipc_at_locked(struct ipc_table *t, unsigned int index); // NULL: none is there
// The object gets a number, which is returned; -ENOSPC, -ENOMEM.
int __must_check ipc_list_locked(struct ipc_table *t, struct ipc_object *o, unsigned long most);
void ipc_unlist_locked(struct ipc_table *t, struct ipc_object *o);
void ipc_forget_key_locked(struct ipc_table *t, struct ipc_object *o); // nobody finds it by that any more
// `wanted`: permission bits for the owner, the group and others, of which those count that the caller is. 0 or -EACCES.
int __must_check ipc_check_locked(struct ipc_table *t, const struct ipc_object *o, unsigned int wanted);
bool ipc_is_owner_locked(struct ipc_table *t, const struct ipc_object *o);
// IPC_SET and IPC_RMID are the owner's, and CAP_SYS_ADMIN's: 0 or -EPERM.
int __must_check ipc_check_control_locked(struct ipc_table *t, const struct ipc_object *o);
int __must_check ipc_set_locked(struct ipc_table *t, struct ipc_object *o,
                                const struct ipc64_perm *to); // -EINVAL
void ipc_describe_locked(struct ipc_table *t, const struct ipc_object *o, struct ipc64_perm *out);
int ipc_highest_locked(struct ipc_table *t); // index in use; 0 also if there is none

// msgget(2), semget(2): the number, or -errno.
int __must_check ipc_open(const struct ipc_kind *kind, int key, int flags, size_t size);
// By number, with a reference, for who may do `wanted` (0: anybody). ERR_PTR(-EINVAL, -EACCES).
struct ipc_object *__must_check ipc_get(const struct ipc_kind *kind, int id, unsigned int wanted);
// For *_STAT (by index) and *_STAT_ANY (by index, for everybody), or IPC_STAT: also describes it. ERR_PTR.
struct ipc_object *__must_check ipc_get_for_stat(const struct ipc_kind *kind, int id, bool by_index, bool any,
                                                 struct ipc64_perm *out, int64_t *ctime);
int __must_check ipc_may(const struct ipc_kind *kind, const struct ipc_object *o, unsigned int wanted);
// Takes it out of the table, for IPC_RMID: the table's reference is the caller's then. ERR_PTR(-EINVAL, -EPERM).
struct ipc_object *__must_check ipc_take_out(const struct ipc_kind *kind, int id);
// The same of any one in ns, for its end; NULL: there is none.
struct ipc_object *ipc_take_out_any(const struct ipc_kind *kind, struct ipc_ns *ns);
void ipc_free_table(struct ipc_table *t); // of which nothing is left
void ipc_put(const struct ipc_kind *kind, struct ipc_object *o);
