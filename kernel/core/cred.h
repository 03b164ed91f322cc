// SPDX-License-Identifier: MIT
// Who a thread acts as: user and group ids, supplementary groups, capabilities. Immutable once a thread uses
// it; a change makes a new one (credentials(7), capabilities(7)).
#pragma once
#include "core/spinlock.h"

struct user;
struct user_ns;

// Supplementary groups. Immutable; credentials that differ in something else share it.
struct group_list {
    struct refcount refs;
    unsigned int count; // [I] at most NGROUPS_MAX of linux/limits.h
    gid_t gid[];        // [I] ascending
};

struct cred {
    struct refcount refs;
    uid_t uid, euid, suid, fsuid;                                                      // [I]
    gid_t gid, egid, sgid, fsgid;                                                      // [I]
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient; // [I]
    unsigned int securebits;   // [I] SECBIT_*, linux/securebits.h
    struct group_list *groups; // [I] NULL: none
    struct user *user;         // [I] the account of uid (sched/user.h), a reference
    struct user_ns *user_ns;   // [I] core/user_ns.h: where the capabilities count; a reference
};

// The credentials of the kernel's own threads and of pid 1: root with all capabilities. Never freed.
extern struct cred kernel_cred;
extern const uint64_t cred_all_caps; // every capability there is

static inline struct cred *cred_get(struct cred *cred) {
    ref_get(&cred->refs);
    return cred;
}
void cred_put(struct cred *cred); // NULL is fine
// Takes over the list, to be filled and sorted, that is in no credentials yet.
void cred_set_groups(struct cred *cred, struct group_list *groups);
struct group_list *__must_check group_list_alloc(unsigned int count); // NULL if no memory
void group_list_sort(struct group_list *groups);
// All of them, as the current thread's user namespace has them. 0 or -EFAULT.
int __must_check cred_put_groups(gid_t __user *to, const struct group_list *groups);
// A copy to change before it is used; one reference. NULL if no memory.
struct cred *__must_check cred_copy(const struct cred *cred);

// Gives changed credentials, which nobody uses yet, the account of their uid.
void cred_settle_user(struct cred *cred);

extern struct user_ns first_user_ns;

// Over the whole machine. cap: CAP_*, linux/capability.h.
static inline bool cred_capable(const struct cred *cred, int cap) {
    return cred->cap_effective >> cap & 1 && likely(cred->user_ns == &first_user_ns);
}
// Over what belongs to the user namespace u: held there or in one above; and who made it has all, from the one above.
bool cred_capable_in(const struct cred *cred, const struct user_ns *u, int cap);
// The same in its own.
static inline bool cred_capable_within(const struct cred *cred, int cap) {
    return cred->cap_effective >> cap & 1;
}
// True if gid is the effective file system group or a supplementary one.
bool cred_in_group(const struct cred *cred, gid_t gid);
