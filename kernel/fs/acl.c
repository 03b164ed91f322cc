// SPDX-License-Identifier: MIT
// Access control lists (acl.h): how they come in and go out, who may by them, and what new files get.
//
// Locks: an inode's lists change with inode->lock held, together with its mode, under inode->spin. Who asks for permission takes both
// under the latter, once there is room for lists at all; before that the mode is all there is, and the room is published before a mode
// that counts with a list.
#include "fs/acl.h"
#include "core/errno.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "fs/xattr.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

#define RWX 7u

// A user's or a group's entry.
struct acl_name {
    uint32_t id;
    uint32_t perm;
};

// [I] The users' entries come before the groups'. Of a list of access the permissions that a mode has are the mode's.
struct acl {
    struct refcount refs;
    unsigned int users, groups;
    uint8_t owner, group, mask, other;
    bool has_mask;
    struct acl_name names[];
};

// ---- in and out

int acl_kind_of(const char *name) {
    if (strncmp(name, XATTR_SYSTEM_PREFIX, XATTR_SYSTEM_PREFIX_LEN) != 0)
        return -1;
    return !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS)    ? ACL_OF_ACCESS
           : !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT) ? ACL_OF_NEW
                                                         : -1;
}

static size_t size_of(const struct acl *a) {
    return sizeof(*a) + (a->users + a->groups) * sizeof(a->names[0]);
}

static void acl_put(struct acl *a) {
    if (a && ref_put(&a->refs))
        kfree(a);
}

// One entry. 0; -EINVAL: no list has that.
static int add_entry(struct acl *a, const struct posix_acl_xattr_entry *e) {
    const struct user_ns *ns = current->cred->user_ns;
    bool is_user = e->e_tag == ACL_USER;
    switch (e->e_tag) {
    case ACL_USER_OBJ:
        a->owner = (uint8_t)e->e_perm;
        return 0;
    case ACL_GROUP_OBJ:
        a->group = (uint8_t)e->e_perm;
        return 0;
    case ACL_MASK:
        a->mask = (uint8_t)e->e_perm;
        a->has_mask = true;
        return 0;
    case ACL_OTHER:
        a->other = (uint8_t)e->e_perm;
        return 0;
    case ACL_USER:
    case ACL_GROUP:
        break;
    default:
        return -EINVAL;
    }
    uint32_t id = is_user ? uid_from_user(ns, e->e_id) : gid_from_user(ns, e->e_id);
    if (id == ID_NONE)
        return -EINVAL;
    a->names[a->users + a->groups] = (struct acl_name){id, e->e_perm};
    *(is_user ? &a->users : &a->groups) += 1;
    return 0;
}

static bool ids_are_known(const struct acl *a, const struct user_ns *ns) {
    for (unsigned int i = 0; likely(ns != &first_user_ns) && i < a->users + a->groups; i++)
        if ((i < a->users ? uid_in(ns, a->names[i].id) : gid_in(ns, a->names[i].id)) == ID_NONE)
            return false;
    return true;
}

// Linux looks at what a list is first, and at whether it makes sense when it is known who wants to set it: `bad` is that one's error.
static struct acl *acl_read(const void *value, size_t size, int *bad) {
    struct posix_acl_xattr_header head;
    struct posix_acl_xattr_entry e;
    unsigned int seen = 0, last = 0;
    *bad = 0;
    if (size < sizeof(head))
        return ERR_PTR(-EINVAL);
    memcpy(&head, value, sizeof(head));
    if (head.a_version != POSIX_ACL_XATTR_VERSION)
        return ERR_PTR(-EOPNOTSUPP);
    size_t rest = size - sizeof(head), count = rest / sizeof(e);
    if (rest % sizeof(e))
        return ERR_PTR(-EINVAL);
    if (!count)
        return NULL;
    struct acl *a = kzalloc(sizeof(*a) + count * sizeof(a->names[0]));
    if (!a)
        return ERR_PTR(-ENOMEM);
    ref_init(&a->refs);
    for (size_t i = 0; i < count; i++) {
        memcpy(&e, (const char *)value + sizeof(head) + i * sizeof(e), sizeof(e));
        if (add_entry(a, &e)) {
            kfree(a);
            return ERR_PTR(-EINVAL);
        }
        bool repeats = e.e_tag == last && (last == ACL_USER || last == ACL_GROUP);
        if (e.e_perm & ~RWX || (e.e_tag <= last && !repeats)) // they come in the order of their numbers
            *bad = -EINVAL;
        last = e.e_tag;
        seen |= last;
        cond_resched();
    }
    const unsigned int needed = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER;
    if ((seen & needed) != needed || (a->users + a->groups && !a->has_mask))
        *bad = -EINVAL;
    return a;
}

static void put_entry(char **at, unsigned int tag, unsigned int perm, uint32_t id) {
    const struct posix_acl_xattr_entry e = {.e_tag = (uint16_t)tag, .e_perm = (uint16_t)perm, .e_id = id};
    memcpy(*at, &e, sizeof(e));
    *at += sizeof(e);
}

static void put_names(char **at, const struct acl *a, unsigned int tag) {
    const struct user_ns *ns = current->cred->user_ns;
    unsigned int from = tag == ACL_USER ? 0 : a->users,
                 end = tag == ACL_USER ? a->users : a->users + a->groups;
    for (unsigned int i = from; i < end; i++) {
        uint32_t id = a->names[i].id;
        put_entry(at, tag, a->names[i].perm, tag == ACL_USER ? uid_in(ns, id) : gid_in(ns, id));
    }
}

// The list, referenced (NULL: none), and the mode that goes with it.
static struct acl *take(struct inode *inode, enum acl_kind kind, mode_t *mode) {
    struct xattrs *x = __atomic_load_n(&inode->xattrs, __ATOMIC_ACQUIRE);
    spin_lock(&inode->spin);
    struct acl *a = x ? x->acls[kind] : NULL;
    if (a)
        ref_get(&a->refs);
    *mode = inode->mode;
    spin_unlock(&inode->spin);
    return a;
}

ssize_t acl_get(struct inode *inode, enum acl_kind kind, void *value, size_t n) {
    const struct posix_acl_xattr_header head = {.a_version = POSIX_ACL_XATTR_VERSION};
    mode_t mode;
    if (!inode->sb->type->xattrs || S_ISLNK(inode->mode))
        return -EOPNOTSUPP;
    struct acl *a = take(inode, kind, &mode);
    if (!a)
        return -ENODATA;
    bool by_mode = kind == ACL_OF_ACCESS;
    ssize_t size = (ssize_t)(sizeof(head) + (3u + a->has_mask + a->users + a->groups) *
                                                sizeof(struct posix_acl_xattr_entry));
    char *at = value;
    if (n && (size_t)size > n) {
        size = -ERANGE;
    } else if (n) {
        memcpy(at, &head, sizeof(head));
        at += sizeof(head);
        put_entry(&at, ACL_USER_OBJ, by_mode ? mode >> 6 & RWX : a->owner, ACL_UNDEFINED_ID);
        put_names(&at, a, ACL_USER);
        put_entry(&at, ACL_GROUP_OBJ, a->group, ACL_UNDEFINED_ID);
        put_names(&at, a, ACL_GROUP);
        if (a->has_mask)
            put_entry(&at, ACL_MASK, by_mode ? mode >> 3 & RWX : a->mask, ACL_UNDEFINED_ID);
        put_entry(&at, ACL_OTHER, by_mode ? mode & RWX : a->other, ACL_UNDEFINED_ID);
    }
    acl_put(a);
    return size;
}

// ---- setting

// A mode alone says the same as a list without a mask.
static mode_t mode_of(const struct acl *a) {
    return (mode_t)a->owner << 6 | (mode_t)(a->has_mask ? a->mask : a->group) << 3 | a->other;
}

// The list, whose reference goes to the inode, or NULL in place of what was there; and the mode (-1: as it is).
static int replace_locked(struct inode *inode, enum acl_kind kind, struct acl *a, mode_t mode) {
    ASSERT_HELD(&inode->lock);
    struct xattrs *x = inode->xattrs;
    int err = 0;
    if (a && !x) {
        err = xattrs_make(inode);
        x = inode->xattrs;
    }
    if (!err && a)
        err = xattr_charge(inode->sb, size_of(a));
    if (err)
        return err;
    spin_lock(&inode->spin);
    struct acl *old = x ? x->acls[kind] : NULL;
    if (x)
        x->acls[kind] = a;
    if (mode != (mode_t)-1)
        __atomic_store_n(&inode->mode, mode, __ATOMIC_RELEASE);
    inode->ctime = clock_realtime();
    spin_unlock(&inode->spin);
    if (old)
        xattr_uncharge(inode->sb, size_of(old));
    acl_put(old);
    return 0;
}

static int set_locked(struct inode *inode, enum acl_kind kind, struct acl **a, int bad) {
    ASSERT_HELD(&inode->lock);
    if (inode_is_fixed(inode))
        return -EPERM;
    if (!inode->sb->type->xattrs || S_ISLNK(inode->mode))
        return -EOPNOTSUPP;
    if (kind == ACL_OF_NEW && !S_ISDIR(inode->mode))
        return *a ? -EACCES : 0;
    if (!inode_is_owner(inode))
        return -EPERM;
    if (*a && (bad || !ids_are_known(*a, inode->sb->owner)))
        return -EINVAL;
    struct acl *kept = kind == ACL_OF_NEW || (*a && (*a)->has_mask) ? *a : NULL;
    mode_t mode = (mode_t)-1;
    if (kind == ACL_OF_ACCESS && *a) {
        mode = (inode->mode & ~0777u) | mode_of(*a);
        if (!cred_in_group(current->cred, inode->gid) && !inode_capable(current->cred, inode, CAP_FSETID))
            mode &= ~(mode_t)S_ISGID;
    }
    int err = replace_locked(inode, kind, kept, mode);
    if (!err && kept)
        *a = NULL;
    return err;
}

int acl_set(struct inode *inode, enum acl_kind kind, const void *value, size_t size) {
    int bad = 0;
    struct acl *a = size ? acl_read(value, size, &bad) : NULL;
    if (IS_ERR(a))
        return (int)PTR_ERR(a);
    int err = mutex_lock_killable(&inode->lock);
    if (!err) {
        err = set_locked(inode, kind, &a, bad);
        mutex_unlock(&inode->lock);
    }
    acl_put(a);
    return err;
}

// ---- permission

// What a list says to who is not the owner.
static unsigned int allowed(const struct acl *a, const struct inode *inode, mode_t mode,
                            unsigned int wanted) {
    const struct cred *cred = current->cred;
    unsigned int mask = mode >> 3 & RWX;
    bool member = false;
    for (unsigned int i = 0; i < a->users; i++)
        if (a->names[i].id == cred->fsuid)
            return a->names[i].perm & mask;
    if (cred_in_group(cred, inode->gid)) {
        member = true;
        if ((a->group & wanted) == wanted)
            return a->group & mask;
    }
    for (unsigned int i = a->users; i < a->users + a->groups; i++) {
        if (!cred_in_group(cred, a->names[i].id))
            continue;
        member = true;
        if ((a->names[i].perm & wanted) == wanted)
            return a->names[i].perm & mask;
    }
    return member ? 0 : mode & RWX;
}

int acl_permission(struct inode *inode, int mask) {
    const struct cred *cred = current->cred;
    unsigned int wanted = (unsigned int)mask & RWX, mine;
    mode_t mode;
    struct acl *a = take(inode, ACL_OF_ACCESS, &mode);
    if (cred->fsuid == inode->uid)
        mine = mode >> 6;
    else if (a && mode & S_IRWXG) // where the mask allows nothing, Linux asks the mode
        mine = allowed(a, inode, mode, wanted);
    else
        mine = cred_in_group(cred, inode->gid) ? mode >> 3 : mode;
    acl_put(a);
    return (mine & wanted) == wanted ? 0 : -EACCES;
}

// ---- new files

bool acl_replaces_umask(const struct inode *dir) {
    const struct xattrs *x = __atomic_load_n(&dir->xattrs, __ATOMIC_ACQUIRE);
    return unlikely(x) && READ_ONCE(x->acls[ACL_OF_NEW]);
}

// The directory's list as a new inode's, which the charge is for.
static int share(struct inode *inode, enum acl_kind kind, struct acl *a) {
    int err = inode->xattrs ? 0 : xattrs_make(inode);
    if (!err)
        err = xattr_charge(inode->sb, size_of(a));
    if (err)
        return err;
    ref_get(&a->refs);
    inode->xattrs->acls[kind] = a;
    return 0;
}

int acl_inherit(struct inode *inode, struct inode *dir, mode_t mode) {
    mode_t of_dir;
    struct acl *a = unlikely(READ_ONCE(dir->xattrs)) ? take(dir, ACL_OF_NEW, &of_dir) : NULL;
    if (likely(!a)) {
        if (mode & MODE_LESS_UMASK && current->fs)
            inode->mode &= ~(current->fs->umask & 0777u);
        return 0;
    }
    int err = a->has_mask ? share(inode, ACL_OF_ACCESS, a) : 0;
    if (!err && S_ISDIR(inode->mode))
        err = share(inode, ACL_OF_NEW, a);
    inode->mode &= ~0777u | mode_of(a);
    acl_put(a);
    return err;
}

void acl_free(struct inode *inode) {
    for (int kind = 0; kind < ACL_KINDS; kind++) {
        struct acl *a = inode->xattrs->acls[kind];
        if (a)
            xattr_uncharge(inode->sb, size_of(a));
        acl_put(a);
    }
}
