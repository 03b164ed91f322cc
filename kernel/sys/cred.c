// SPDX-License-Identifier: MIT
// Users, groups, capabilities: credentials(7), capabilities(7).
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "core/user_ns.h"
#include "proc/process.h"
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/securebits.h>

#define KEEP ((uint32_t)-1) // an id that is to stay as it is

// The id that a program gave, if it is not to stay. False: it is in no map of its user namespace.
static bool map_uid(uid_t *uid) {
    return *uid == KEEP || (*uid = uid_from_user(current->cred->user_ns, *uid)) != ID_NONE;
}

static bool map_gid(gid_t *gid) {
    return *gid == KEEP || (*gid = gid_from_user(current->cred->user_ns, *gid)) != ID_NONE;
}

// ---- reading

long sys_getuid(void) {
    return uid_shown(current->cred->user_ns, current->cred->uid);
}

long sys_geteuid(void) {
    return uid_shown(current->cred->user_ns, current->cred->euid);
}

long sys_getgid(void) {
    return gid_shown(current->cred->user_ns, current->cred->gid);
}

long sys_getegid(void) {
    return gid_shown(current->cred->user_ns, current->cred->egid);
}

static long put_three(const uint32_t ids[3], uint32_t __user *r, uint32_t __user *e, uint32_t __user *s) {
    int err = put_user(ids[0], r);
    if (!err)
        err = put_user(ids[1], e);
    return err ? err : put_user(ids[2], s);
}

long sys_getresuid(uid_t __user *r, uid_t __user *e, uid_t __user *s) {
    const struct cred *c = current->cred;
    const struct user_ns *u = c->user_ns;
    return put_three((const uint32_t[]){uid_shown(u, c->uid), uid_shown(u, c->euid), uid_shown(u, c->suid)},
                     r, e, s);
}

long sys_getresgid(gid_t __user *r, gid_t __user *e, gid_t __user *s) {
    const struct cred *c = current->cred;
    const struct user_ns *u = c->user_ns;
    return put_three((const uint32_t[]){gid_shown(u, c->gid), gid_shown(u, c->egid), gid_shown(u, c->sgid)},
                     r, e, s);
}

// ---- users

#define FS_CAPS                                                                                              \
    (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER |       \
     1ull << CAP_FSETID | 1ull << CAP_LINUX_IMMUTABLE | 1ull << CAP_MKNOD | 1ull << CAP_MAC_OVERRIDE)

// The effect of changed user ids on the capabilities.
static void adjust_caps(const struct cred *old, struct cred *new) {
    uid_t root = uid_from_user(old->user_ns, 0);
    bool was_root = old->uid == root || old->euid == root || old->suid == root;
    bool is_root = new->uid == root || new->euid == root || new->suid == root;
    if (old->securebits & SECBIT_NO_SETUID_FIXUP)
        return;
    if (was_root && !is_root) {
        if (!(old->securebits & SECBIT_KEEP_CAPS))
            new->cap_permitted = new->cap_effective = 0;
        new->cap_ambient = 0;
    }
    if (old->euid == root && new->euid != root)
        new->cap_effective = 0;
    if (old->euid != root && new->euid == root)
        new->cap_effective = new->cap_permitted;
}

// Ends in the new credentials being used, unless err says that they are not allowed.
static long commit_cred(struct cred *new, int err) {
    if (err) {
        cred_put(new);
        return err;
    }
    thread_set_cred(new);
    return 0;
}

// A change of user does not fail because the new one has as many threads as it may: too many programs would go on as
// the old one, which is root. The next execve() does (process_exec()).
static void note_too_many_threads(struct cred *new) {
    if (new->uid == current->cred->uid)
        return;
    cred_settle_user(new);
    current->too_many_threads = process_user_is_over(new->user);
}

static long commit_users(struct cred *new, int err) {
    new->fsuid = new->euid;
    adjust_caps(current->cred, new);
    if (!err)
        note_too_many_threads(new);
    return commit_cred(new, err);
}

long sys_setuid(uid_t uid) {
    const struct cred *old = current->cred;
    if (uid == KEEP || !map_uid(&uid))
        return -EINVAL;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->euid = uid;
    if (cred_capable_within(old, CAP_SETUID))
        new->uid = new->suid = uid;
    else if (uid != old->uid && uid != old->suid)
        return commit_users(new, -EPERM);
    return commit_users(new, 0);
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c) {
    return id == KEEP || id == a || id == b || id == c;
}

long sys_setreuid(uid_t r, uid_t e) {
    if (!map_uid(&r) || !map_uid(&e))
        return -EINVAL;
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable_within(old, CAP_SETUID) ||
                   (one_of(r, old->uid, old->euid, old->uid) && one_of(e, old->uid, old->euid, old->suid));
    new->uid = r == KEEP ? old->uid : r;
    new->euid = e == KEEP ? old->euid : e;
    if (r != KEEP || (e != KEEP && e != old->uid))
        new->suid = new->euid;
    return commit_users(new, allowed ? 0 : -EPERM);
}

long sys_setresuid(uid_t r, uid_t e, uid_t s) {
    if (!map_uid(&r) || !map_uid(&e) || !map_uid(&s))
        return -EINVAL;
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable_within(old, CAP_SETUID) ||
                   (one_of(r, old->uid, old->euid, old->suid) && one_of(e, old->uid, old->euid, old->suid) &&
                    one_of(s, old->uid, old->euid, old->suid));
    new->uid = r == KEEP ? old->uid : r;
    new->euid = e == KEEP ? old->euid : e;
    new->suid = s == KEEP ? old->suid : s;
    return commit_users(new, allowed ? 0 : -EPERM);
}

// Returns the old id, whether it was changed or not.
long sys_setfsuid(uid_t uid) {
    const struct cred *old = current->cred;
    uid_t was = old->fsuid, shown = uid_shown(old->user_ns, was);
    if (!map_uid(&uid))
        return shown;
    if (!one_of(uid, old->uid, old->euid, old->suid) && uid != was && !cred_capable_within(old, CAP_SETUID))
        return shown;
    struct cred *new = uid == KEEP ? NULL : cred_copy(old);
    if (!new)
        return shown;
    new->fsuid = uid;
    if (!(old->securebits & SECBIT_NO_SETUID_FIXUP)) {
        uid_t root = uid_from_user(old->user_ns, 0);
        if (was == root && uid != root)
            new->cap_effective &= ~FS_CAPS;
        if (was != root && uid == root)
            new->cap_effective |= new->cap_permitted &FS_CAPS;
    }
    (void)commit_cred(new, 0);
    return shown;
}

// ---- groups

static long commit_groups(struct cred *new, int err) {
    new->fsgid = new->egid;
    return commit_cred(new, err);
}

long sys_setgid(gid_t gid) {
    const struct cred *old = current->cred;
    if (gid == KEEP || !map_gid(&gid))
        return -EINVAL;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->egid = gid;
    if (cred_capable_within(old, CAP_SETGID))
        new->gid = new->sgid = gid;
    else if (gid != old->gid && gid != old->sgid)
        return commit_groups(new, -EPERM);
    return commit_groups(new, 0);
}

long sys_setregid(gid_t r, gid_t e) {
    if (!map_gid(&r) || !map_gid(&e))
        return -EINVAL;
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable_within(old, CAP_SETGID) ||
                   (one_of(r, old->gid, old->egid, old->gid) && one_of(e, old->gid, old->egid, old->sgid));
    new->gid = r == KEEP ? old->gid : r;
    new->egid = e == KEEP ? old->egid : e;
    if (r != KEEP || (e != KEEP && e != old->gid))
        new->sgid = new->egid;
    return commit_groups(new, allowed ? 0 : -EPERM);
}

long sys_setresgid(gid_t r, gid_t e, gid_t s) {
    if (!map_gid(&r) || !map_gid(&e) || !map_gid(&s))
        return -EINVAL;
    const struct cred *old = current->cred;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    bool allowed = cred_capable_within(old, CAP_SETGID) ||
                   (one_of(r, old->gid, old->egid, old->sgid) && one_of(e, old->gid, old->egid, old->sgid) &&
                    one_of(s, old->gid, old->egid, old->sgid));
    new->gid = r == KEEP ? old->gid : r;
    new->egid = e == KEEP ? old->egid : e;
    new->sgid = s == KEEP ? old->sgid : s;
    return commit_groups(new, allowed ? 0 : -EPERM);
}

long sys_setfsgid(gid_t gid) {
    const struct cred *old = current->cred;
    gid_t was = old->fsgid, shown = gid_shown(old->user_ns, was);
    if (!map_gid(&gid))
        return shown;
    if (!one_of(gid, old->gid, old->egid, old->sgid) && gid != was && !cred_capable_within(old, CAP_SETGID))
        return shown;
    struct cred *new = gid == KEEP ? NULL : cred_copy(old);
    if (!new)
        return shown;
    new->fsgid = gid;
    (void)commit_cred(new, 0);
    return shown;
}

long sys_getgroups(int n, gid_t __user *groups) {
    const struct group_list *list = current->cred->groups;
    unsigned int count = list ? list->count : 0;
    if (n < 0 || (n && (unsigned int)n < count))
        return -EINVAL;
    int err = n && count ? cred_put_groups(groups, list) : 0;
    return err ? err : (long)count;
}

// In ascending order of what they are here.
static int map_groups(struct group_list *list) {
    for (unsigned int i = 0; i < list->count; i++)
        if ((list->gid[i] = gid_from_user(current->cred->user_ns, list->gid[i])) == ID_NONE)
            return -EINVAL;
    group_list_sort(list);
    return 0;
}

long sys_setgroups(int n, const gid_t __user *groups) {
    if (!capable_within(CAP_SETGID) || !user_ns_may_setgroups(current->cred->user_ns))
        return -EPERM;
    if (n < 0 || n > NGROUPS_MAX)
        return -EINVAL;
    struct cred *new = cred_copy(current->cred);
    struct group_list *list = new ? group_list_alloc(n) : NULL;
    if (!list) {
        cred_put(new);
        return -ENOMEM;
    }
    cred_set_groups(new, list);
    int err = copy_from_user(list->gid, groups, n * sizeof(gid_t));
    if (!err)
        err = map_groups(list);
    return commit_cred(new, err);
}

// ---- capabilities

// Words of 32 bits that a version of the interface has; 0: not known.
static unsigned int cap_words(uint32_t version) {
    switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
        return _LINUX_CAPABILITY_U32S_1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
        return _LINUX_CAPABILITY_U32S_3;
    default:
        return 0;
    }
}

// The header; an unknown version is answered with the newest.
static int read_cap_header(void __user *user, struct __user_cap_header_struct *h, unsigned int *words) {
    int err = copy_from_user(h, user, sizeof(*h));
    if (err)
        return err;
    *words = cap_words(h->version);
    if (*words)
        return h->pid < 0 ? -EINVAL : 0;
    h->version = _LINUX_CAPABILITY_VERSION_3;
    err = put_object(user, *h);
    return err ? err : -EINVAL;
}

long sys_capget(void __user *header, void __user *data) {
    struct __user_cap_header_struct h;
    unsigned int words;
    int err = read_cap_header(header, &h, &words);
    if (err)
        return err == -EINVAL && !data ? 0 : err; // a question for the version only
    uint64_t sets[3] = {0};
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct process *p = process_named_locked(h.pid);
    const struct cred *c = !h.pid ? current->cred : p ? p->cred : NULL;
    if (c) {
        sets[0] = c->cap_effective;
        sets[1] = c->cap_permitted;
        sets[2] = c->cap_inheritable;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    if (!c)
        return -ESRCH;
    struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
    for (unsigned int i = 0; i < words; i++)
        d[i] = (struct __user_cap_data_struct){sets[0] >> 32 * i, sets[1] >> 32 * i, sets[2] >> 32 * i};
    return put_object_part(data, d, words * sizeof(d[0]));
}

long sys_capset(void __user *header, const void __user *data) {
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};
    unsigned int words;
    const struct cred *old = current->cred;
    int err = read_cap_header(header, &h, &words);
    if (err)
        return err;
    if (h.pid && h.pid != current->own_tid)
        return -EPERM;
    err = copy_from_user(d, data, words * sizeof(d[0]));
    if (err)
        return err;
    uint64_t effective = (d[0].effective | (uint64_t)d[1].effective << 32) & cred_all_caps;
    uint64_t permitted = (d[0].permitted | (uint64_t)d[1].permitted << 32) & cred_all_caps;
    uint64_t inheritable = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & cred_all_caps;
    if (permitted & ~old->cap_permitted || effective & ~permitted ||
        inheritable & ~(old->cap_inheritable | old->cap_bounding) ||
        (!cred_capable_within(old, CAP_SETPCAP) &&
         inheritable & ~(old->cap_inheritable | old->cap_permitted)))
        return -EPERM;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->cap_effective = effective;
    new->cap_permitted = permitted;
    new->cap_inheritable = inheritable;
    new->cap_ambient &= permitted &inheritable;
    thread_set_cred(new);
    return 0;
}
