// SPDX-License-Identifier: MIT
// Extended attributes in memory: a list for each inode, by name (the last first, as Linux tells them), which inode->lock guards.
#include "fs/xattr.h"
#include "fs/acl.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/xattr.h>

#define INODE_SIZE 1024u // so many bytes count as an inode, as in Linux

struct xattr {
    struct xattr *next;
    size_t name_size, size; // with the NUL; of the value
    char data[];            // name, value
};

int xattr_check_name(const struct inode *inode, const char *name) {
    static const char *const prefixes[] = {XATTR_USER_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_SECURITY_PREFIX};
    for (size_t i = 0; inode->sb->type->xattrs && i < ARRAY_SIZE(prefixes); i++) {
        size_t length = strlen(prefixes[i]);
        if (!strncmp(name, prefixes[i], length))
            return name[length] ? 0 : -EINVAL;
    }
    return -EOPNOTSUPP;
}

// ---- accounts

static uint64_t inodes_of(size_t bytes) {
    return (bytes + INODE_SIZE - 1) / INODE_SIZE;
}

int xattr_charge(struct superblock *sb, size_t bytes) {
    uint64_t used = __atomic_add_fetch(&sb->used_inodes, inodes_of(bytes), __ATOMIC_SEQ_CST),
             max = READ_ONCE(sb->max_inodes);
    if (!memory_is_short() && (!max || used <= max))
        return 0;
    xattr_uncharge(sb, bytes);
    return -ENOSPC;
}

void xattr_uncharge(struct superblock *sb, size_t bytes) {
    __atomic_fetch_sub(&sb->used_inodes, inodes_of(bytes), __ATOMIC_RELAXED);
}

int xattrs_make(struct inode *inode) {
    struct xattrs *x = kzalloc(sizeof(*x));
    if (!x)
        return -ENOMEM;
    __atomic_store_n(&inode->xattrs, x, __ATOMIC_RELEASE);
    return 0;
}

static size_t size_of(const struct xattr *x) {
    return sizeof(*x) + x->name_size + x->size;
}

static void release(struct superblock *sb, struct xattr *x) {
    if (!x)
        return;
    xattr_uncharge(sb, size_of(x));
    kfree(x);
}

// ---- the list

// Where it is, or is to be put, of an inode that has had any.
static struct xattr **place_locked(struct inode *inode, const char *name, bool *found) {
    ASSERT_HELD(&inode->lock);
    struct xattr **at = &inode->xattrs->list;
    int order = 1;
    while (*at && (order = strcmp((*at)->data, name)) > 0) {
        at = &(*at)->next;
        cond_resched();
    }
    *found = *at && !order;
    return at;
}

ssize_t xattr_get(struct inode *inode, const char *name, void *value, size_t n) {
    bool found;
    ssize_t ret = mutex_lock_killable(&inode->lock);
    if (ret)
        return ret;
    const struct xattr *x = inode->xattrs ? *place_locked(inode, name, &found) : NULL;
    ret = !x || !found ? -ENODATA : n && x->size > n ? -ERANGE : (ssize_t)x->size;
    if (ret > 0 && n)
        memcpy(value, x->data + x->name_size, x->size);
    mutex_unlock(&inode->lock);
    return ret;
}

static struct xattr *make(struct superblock *sb, const char *name, const void *value, size_t size) {
    size_t name_size = strlen(name) + 1;
    struct xattr *x = kmalloc(sizeof(*x) + name_size + size);
    if (!x)
        return ERR_PTR(-ENOMEM);
    x->name_size = name_size;
    x->size = size;
    memcpy(x->data, name, name_size);
    memcpy(x->data + name_size, value, size);
    int err = xattr_charge(sb, size_of(x));
    if (!err)
        return x;
    kfree(x);
    return ERR_PTR(err);
}

// `new`, or nothing, takes the place of what has that name, which is the caller's then (*old). [i]
static int replace_locked(struct inode *inode, const char *name, struct xattr *new, int flags,
                          struct xattr **old) {
    ASSERT_HELD(&inode->lock);
    bool found;
    struct xattr **at = place_locked(inode, name, &found);
    if (found ? flags & XATTR_CREATE : !new || flags & XATTR_REPLACE)
        return found ? -EEXIST : -ENODATA;
    *old = found ? *at : NULL;
    struct xattr *behind = found ? (*at)->next : *at;
    if (new)
        new->next = behind;
    *at = new ? new : behind;
    return 0;
}

int xattr_set(struct inode *inode, const char *name, const void *value, size_t size, int flags) {
    struct xattr *new = value ? make(inode->sb, name, value, size) : NULL, *old = NULL;
    if (IS_ERR(new))
        return (int)PTR_ERR(new);
    int err = mutex_lock_killable(&inode->lock);
    if (err) {
        release(inode->sb, new);
        return err;
    }
    if (!inode->xattrs)
        err = new && !(flags & XATTR_REPLACE) ? xattrs_make(inode) : -ENODATA;
    if (!err)
        err = replace_locked(inode, name, new, flags, &old);
    mutex_unlock(&inode->lock);
    release(inode->sb, err ? new : old);
    if (!err)
        inode_touch(inode, false);
    return err;
}

static bool is_listed(const struct xattr *x, bool all) {
    return all || strncmp(x->data, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN);
}

struct names {
    char *text;
    size_t len, room; // room 0: they are only counted
};

// 0 or -ERANGE.
static int add_name(struct names *out, const char *name, size_t size) {
    if (out->room && out->len + size > out->room)
        return -ERANGE;
    if (out->room)
        memcpy(out->text + out->len, name, size);
    out->len += size;
    return 0;
}

// [inode->lock]
static int add_names(struct names *out, const struct xattrs *attributes, bool all) {
    static const char *const lists[ACL_KINDS] = {XATTR_NAME_POSIX_ACL_ACCESS, XATTR_NAME_POSIX_ACL_DEFAULT};
    int err = 0;
    for (int kind = 0; kind < ACL_KINDS && !err; kind++)
        if (attributes->acls[kind])
            err = add_name(out, lists[kind], strlen(lists[kind]) + 1);
    for (const struct xattr *x = attributes->list; x && !err; x = x->next) {
        if (is_listed(x, all))
            err = add_name(out, x->data, x->name_size);
        cond_resched();
    }
    return err;
}

ssize_t xattr_list(struct inode *inode, char *names, size_t n, bool all) {
    struct names out = {.text = names, .room = n};
    int err = mutex_lock_killable(&inode->lock);
    if (err)
        return err;
    if (inode->xattrs)
        err = add_names(&out, inode->xattrs, all);
    mutex_unlock(&inode->lock);
    return err ? err : (ssize_t)out.len;
}

void xattr_free(struct inode *inode) {
    struct xattrs *all = inode->xattrs;
    if (!all)
        return;
    for (struct xattr *x = all->list, *next; x; x = next) {
        next = x->next;
        release(inode->sb, x);
        cond_resched();
    }
    acl_free(inode);
    kfree(all);
    inode->xattrs = NULL;
}

// ---- capabilities of files

bool file_caps_are_valid(const void *value, size_t size) {
    uint32_t magic;
    if (size < sizeof(magic))
        return false;
    memcpy(&magic, value, sizeof(magic));
    if (magic & VFS_CAP_FLAGS_MASK & ~(uint32_t)VFS_CAP_FLAGS_EFFECTIVE)
        return false;
    magic &= VFS_CAP_REVISION_MASK;
    return (magic == VFS_CAP_REVISION_2 && size == XATTR_CAPS_SZ_2) ||
           (magic == VFS_CAP_REVISION_3 && size == XATTR_CAPS_SZ_3);
}

// Of version 3, those of the user namespace whose root is 0 count: there is no other.
bool file_caps_get(struct inode *inode, struct file_caps *out) {
    uint32_t words[FILE_CAPS_MAX / 4] = {0};
    if (likely(!READ_ONCE(inode->xattrs)))
        return false;
    ssize_t n = xattr_get(inode, XATTR_NAME_CAPS, words, sizeof(words));
    if (n <= 0 || !file_caps_are_valid(words, (size_t)n) || words[5])
        return false;
    *out = (struct file_caps){.permitted = words[1] | (uint64_t)words[3] << 32,
                              .inheritable = words[2] | (uint64_t)words[4] << 32,
                              .effective = words[0] & VFS_CAP_FLAGS_EFFECTIVE};
    return true;
}

void xattr_drop_caps_locked(struct inode *inode) {
    ASSERT_HELD(&inode->lock);
    bool found;
    struct xattr **at = inode->xattrs ? place_locked(inode, XATTR_NAME_CAPS, &found) : NULL,
                 *x = at ? *at : NULL;
    if (!x || !found)
        return;
    *at = x->next;
    release(inode->sb, x);
}
