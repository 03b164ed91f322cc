// SPDX-License-Identifier: MIT
// The life of credentials. (Their header is in core, as everybody asks about them; this needs memory.)
#include "core/cred.h"
#include "arch/riscv/uaccess.h"
#include "core/user_ns.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sched/user.h"
#include <linux/capability.h>

#define ALL_CAPS ((2ull << CAP_LAST_CAP) - 1)

const uint64_t cred_all_caps = ALL_CAPS;

struct cred kernel_cred = {
    .refs = {1},
    .user = &root_user,
    .cap_effective = ALL_CAPS,
    .cap_permitted = ALL_CAPS,
    .cap_bounding = ALL_CAPS,
    .user_ns = &first_user_ns,
};

static void group_list_put(struct group_list *groups) {
    if (groups && ref_put(&groups->refs))
        kfree(groups);
}

struct group_list *group_list_alloc(unsigned int count) {
    struct group_list *groups = kmalloc(sizeof(*groups) + count * sizeof(gid_t));
    if (!groups)
        return NULL;
    ref_init(&groups->refs);
    groups->count = count;
    return groups;
}

// gid[at] goes down in the heap of the first n until nothing below it is greater.
static void sift(gid_t *gid, unsigned int at, unsigned int n) {
    gid_t moving = gid[at];
    for (unsigned int child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && gid[child + 1] > gid[child])
            child++;
        if (gid[child] <= moving)
            break;
        gid[at] = gid[child];
    }
    gid[at] = moving;
}

// Heapsort: programs choose the order.
void group_list_sort(struct group_list *groups) {
    gid_t *gid = groups->gid;
    for (unsigned int i = groups->count / 2; i-- > 0;)
        sift(gid, i, groups->count);
    for (unsigned int n = groups->count; n > 1;) {
        gid_t greatest = gid[0];
        gid[0] = gid[--n];
        gid[n] = greatest;
        sift(gid, 0, n);
    }
}

int cred_put_groups(gid_t __user *to, const struct group_list *list) {
    const struct user_ns *u = current->cred->user_ns;
    int err = 0;
    if (u == &first_user_ns)
        return copy_to_user(to, list->gid, list->count * sizeof(gid_t));
    for (unsigned int i = 0; i < list->count && !err; i++)
        err = put_user(gid_shown(u, list->gid[i]), &to[i]);
    return err;
}

void cred_set_groups(struct cred *cred, struct group_list *groups) {
    group_list_put(cred->groups);
    cred->groups = groups;
}

void cred_put(struct cred *cred) {
    if (!cred || !ref_put(&cred->refs))
        return;
    group_list_put(cred->groups);
    user_put(cred->user);
    user_ns_put(cred->user_ns);
    kfree(cred);
}

struct cred *cred_copy(const struct cred *cred) {
    struct cred *copy = kmalloc(sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *cred;
    ref_init(&copy->refs);
    if (copy->groups)
        ref_get(&copy->groups->refs);
    user_get(copy->user);
    user_ns_get(copy->user_ns);
    return copy;
}

void cred_settle_user(struct cred *cred) {
    struct user *old = cred->user;
    if (old->uid == cred->uid)
        return;
    cred->user = user_find(cred->uid);
    user_put(old);
}

bool memory_is_short_for_current(void) {
    return memory_is_tight(!current->cred || capable(CAP_SYS_ADMIN));
}

bool cred_in_group(const struct cred *cred, gid_t gid) {
    if (gid == cred->fsgid)
        return true;
    const struct group_list *groups = cred->groups;
    unsigned int low = 0, high = groups ? groups->count : 0;
    while (low < high) {
        unsigned int mid = (low + high) / 2;
        if (groups->gid[mid] == gid)
            return true;
        if (groups->gid[mid] < gid)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}
