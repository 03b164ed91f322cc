// SPDX-License-Identifier: MIT
// Who a thread acts as: user and group ids, supplementary groups, capabilities. Immutable once a thread uses it;
// a change makes a new one (credentials(7)).
#pragma once
#include "core/spinlock.h"

#define NGROUPS 64 // supplementary groups a process may have

struct cred {
    struct refcount refs;
    uid_t uid, euid, suid, fsuid; // [I]
    gid_t gid, egid, sgid, fsgid; // [I]
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient; // [I] capabilities(7)
    unsigned int ngroups;                                             // [I]
    gid_t groups[NGROUPS];                                            // [I]
};

// cap: CAP_*, linux/capability.h.
static inline bool cred_capable(const struct cred *cred, int cap) {
    return cred->cap_effective >> cap & 1;
}
