// SPDX-License-Identifier: MIT
// The life of credentials. (Their header is in core, as everybody asks about them; this needs memory.)
#include "core/cred.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include <linux/capability.h>

#define ALL_CAPS ((2ull << CAP_LAST_CAP) - 1)

const uint64_t cred_all_caps = ALL_CAPS;

struct cred kernel_cred = {
    .refs = {1},
    .cap_effective = ALL_CAPS,
    .cap_permitted = ALL_CAPS,
    .cap_bounding = ALL_CAPS,
};

void cred_put(struct cred *cred) {
    if (cred && ref_put(&cred->refs))
        kfree(cred);
}

struct cred *cred_copy(const struct cred *cred) {
    struct cred *copy = kmalloc(sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *cred;
    ref_init(&copy->refs);
    return copy;
}

bool memory_is_short_for_current(void) {
    return memory_is_tight(!current->cred || cred_capable(current->cred, CAP_SYS_ADMIN));
}

bool cred_in_group(const struct cred *cred, gid_t gid) {
    if (gid == cred->fsgid)
        return true;
    unsigned int low = 0, high = cred->ngroups;
    while (low < high) {
        unsigned int mid = (low + high) / 2;
        if (cred->groups[mid] == gid)
            return true;
        if (cred->groups[mid] < gid)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}
