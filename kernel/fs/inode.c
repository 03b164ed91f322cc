// SPDX-License-Identifier: MIT
// Inodes, superblocks and the register of file system types.
#include "fs/inode.h"
#include "core/errno.h"
#include "fs/acl.h"
#include "fs/file.h"
#include "fs/file_lock.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "fs/xattr.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "upcalls.h"
#include <asm/signal.h>
#include <linux/capability.h>

static struct spinlock types_lock = SPINLOCK_INIT;
static struct list_head types = LIST_HEAD_INIT(types); // [types_lock] added to only
static struct slab_cache *inodes;
static unsigned int next_device; // [a] minor of the next anonymous device number

void inode_cache_init(void) {
    inodes = slab_create("inode", sizeof(struct inode), 0);
}

// ---- types

void fs_type_register(struct fs_type *type) {
    spin_lock(&types_lock);
    list_add_tail(&type->link, &types);
    spin_unlock(&types_lock);
}

const struct fs_type *fs_type_find(const char *name) {
    struct fs_type *type, *found = NULL;
    spin_lock(&types_lock);
    list_for_each_entry (type, &types, link)
        if (!strcmp(type->name, name))
            found = type;
    spin_unlock(&types_lock);
    return found;
}

void fs_type_for_each(bool (*fn)(const struct fs_type *type, void *arg), void *arg) {
    struct list_head *at = &types;
    for (;;) {
        spin_lock(&types_lock);
        at = at->next;
        spin_unlock(&types_lock);
        if (at == &types || !fn(list_entry(at, struct fs_type, link), arg))
            return;
    }
}

// ---- options

int fs_options_for_each(const char *options, int (*fn)(const char *key, const char *value, void *arg),
                        void *arg) {
    char *copy = options ? kstrndup(options, strlen(options)) : NULL;
    int err = options && !copy ? -ENOMEM : 0;
    for (char *at = copy, *next; at && !err; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(at, '=');
        if (value)
            *value++ = '\0';
        err = *at ? fn(at, value, arg) : 0;
    }
    kfree(copy);
    return err;
}

int fs_option_number(const char *value, unsigned int base, uint64_t max, uint64_t *out) {
    *out = 0;
    const char *end = value ? number_read(value, base, max, out) : NULL;
    return end == value || *end ? -EINVAL : 0;
}

// ---- superblocks

static struct spinlock superblocks_lock = SPINLOCK_INIT;
static struct list_head superblocks = LIST_HEAD_INIT(superblocks); // [superblocks_lock]

struct superblock *superblock_create(const struct fs_type *type) {
    struct superblock *sb = kzalloc(sizeof(*sb));
    if (!sb)
        return NULL;
    ref_init(&sb->refs);
    sb->type = type;
    sb->owner = user_ns_get(current->cred ? current->cred->user_ns : &first_user_ns);
    list_init(&sb->mount_list);
    list_init(&sb->watches);
    mutex_init(&sb->rename_lock);
    sb->dev = MKDEV(0, 1 + __atomic_fetch_add(&next_device, 1, __ATOMIC_RELAXED));
    sb->next_ino = 1;
    spin_lock(&superblocks_lock);
    list_add_tail(&sb->link, &superblocks);
    spin_unlock(&superblocks_lock);
    return sb;
}

void superblock_put(struct superblock *sb) {
    if (!ref_put(&sb->refs))
        return;
    spin_lock(&superblocks_lock);
    list_del(&sb->link);
    spin_unlock(&superblocks_lock);
    if (sb->type->destroy)
        sb->type->destroy(sb);
    user_ns_put(sb->owner);
    kfree(sb);
}

// The next one behind `sb` (NULL: the first) that is not going, referenced, or NULL.
static struct superblock *next_superblock(const struct superblock *sb) {
    struct superblock *next = NULL;
    spin_lock(&superblocks_lock);
    for (struct list_head *at = sb ? sb->link.next : superblocks.next; at != &superblocks; at = at->next) {
        next = list_entry(at, struct superblock, link);
        if (ref_get_unless_zero(&next->refs))
            break;
        next = NULL;
    }
    spin_unlock(&superblocks_lock);
    return next;
}

void superblocks_sync(void) {
    for (struct superblock *sb = next_superblock(NULL), *next; sb; sb = next) {
        if (sb->type->sync)
            sb->type->sync(sb);
        next = signal_pending_fatal() ? NULL : next_superblock(sb);
        superblock_put(sb);
    }
}

// ---- inodes

struct inode *inode_create(struct superblock *sb, mode_t mode) {
    return inode_create_in(inodes, sb, mode);
}

struct inode *inode_create_in(struct slab_cache *cache, struct superblock *sb, mode_t mode) {
    struct inode *inode = slab_zalloc(cache);
    if (!inode)
        return NULL;
    ref_get(&sb->refs);
    ref_init(&inode->refs);
    inode->mode = mode;
    inode->nlink = S_ISDIR(mode) ? 2 : 1;
    inode->sb = sb;
    inode->ino = __atomic_fetch_add(&sb->next_ino, 1, __ATOMIC_RELAXED);
    inode->atime = inode->mtime = inode->ctime = inode->btime = clock_realtime();
    mutex_init(&inode->lock);
    spin_init(&inode->spin);
    return inode;
}

void inode_put(struct inode *inode) {
    if (!ref_put(&inode->refs))
        return;
    struct superblock *sb = inode->sb;
    if (inode->locks)
        file_locks_free(inode);
    if (unlikely(inode->xattrs))
        xattr_free(inode);
    if (sb->type->inode_free)
        sb->type->inode_free(inode);
    kfree(inode); // of whatever cache
    superblock_put(sb);
}

bool inode_is_owner(const struct inode *inode) {
    return current->cred->fsuid == inode->uid || inode_capable(current->cred, inode, CAP_FOWNER);
}

void inode_init_owner(struct inode *inode, const struct inode *dir) {
    inode->uid = current->cred->fsuid;
    inode->gid = current->cred->fsgid;
    if (dir && (dir->mode & S_ISGID)) {
        inode->gid = dir->gid;
        if (S_ISDIR(inode->mode))
            inode->mode |= S_ISGID;
    }
}

// Adds `one` unless that is of the other kind.
static int add_user(int *writers, int one) {
    int old = __atomic_load_n(writers, __ATOMIC_RELAXED);
    do {
        if (one > 0 ? old < 0 : old > 0)
            return -ETXTBSY;
    } while (
        !__atomic_compare_exchange_n(writers, &old, old + one, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return 0;
}

int inode_begin_writing(struct inode *inode) {
    return add_user(&inode->writers, 1);
}

int inode_begin_executing(struct inode *inode) {
    return add_user(&inode->writers, -1);
}

mode_t inode_new_mode(const struct inode *dir, mode_t mode) {
    const struct cred *cred = current->cred;
    bool runs_as_group = !S_ISDIR(mode) && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
    if (runs_as_group && dir->mode & S_ISGID && !cred_in_group(cred, dir->gid) &&
        !inode_capable(cred, dir, CAP_FSETID))
        mode &= ~S_ISGID;
    if (acl_replaces_umask(dir))
        return mode | MODE_LESS_UMASK;
    return mode & ~(current->fs ? current->fs->umask : 0);
}

mode_t inode_set_ids(const struct inode *inode) {
    mode_t mode = inode->mode, drop = mode & S_ISUID;
    if (mode & S_ISGID && (mode & S_IXGRP || (!cred_in_group(current->cred, inode->gid) &&
                                              !inode_capable(current->cred, inode, CAP_FSETID))))
        drop |= S_ISGID;
    return drop;
}

void inode_drop_set_ids(struct inode *inode) {
    ASSERT_HELD(&inode->lock);
    if (unlikely(inode->xattrs))
        xattr_drop_caps_locked(inode);
    if (likely(!(inode->mode & (S_ISUID | S_ISGID))) || inode_capable(current->cred, inode, CAP_FSETID))
        return;
    spin_lock(&inode->spin);
    inode->mode &= ~inode_set_ids(inode);
    spin_unlock(&inode->spin);
}

static void set_time(ktime_t *low, int32_t *high, filetime_t t) {
    *low = (ktime_t)t;
    *high = (int32_t)(t >> 64);
}

int inode_setattr(struct inode *inode, const struct iattr *attr) {
    spin_lock(&inode->spin);
    if (attr->valid & ATTR_MODE)
        inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
    if (attr->valid & ATTR_UID)
        inode->uid = attr->uid;
    if (attr->valid & ATTR_GID)
        inode->gid = attr->gid;
    if (attr->valid & ATTR_ATIME)
        set_time(&inode->atime, &inode->far.atime, attr->atime);
    if (attr->valid & ATTR_MTIME)
        set_time(&inode->mtime, &inode->far.mtime, attr->mtime);
    inode->ctime = clock_realtime();
    spin_unlock(&inode->spin);
    return 0;
}

int inode_check_size_locked(const struct inode *inode, uint64_t size) {
    ASSERT_HELD(&inode->lock);
    if (size <= inode->size || size <= current_rlimit(RLIMIT_FSIZE))
        return 0;
    signal_send_thread(current, SIGXFSZ);
    return -EFBIG;
}

void inode_touch(struct inode *inode, bool modified) {
    ktime_t now = clock_realtime();
    spin_lock(&inode->spin);
    inode->ctime = now;
    if (modified) {
        inode->mtime = now;
        inode->far.mtime = 0;
    }
    spin_unlock(&inode->spin);
}

int inode_add_link(struct inode *inode) {
    spin_lock(&inode->spin);
    int before = inode->nlink;
    bool may = before || inode->linkable;
    inode->nlink += may;
    if (may) {
        inode->linkable = false;
        inode->ctime = clock_realtime();
    }
    spin_unlock(&inode->spin);
    return may ? before : -ENOENT;
}

void inode_change_nlink(struct inode *inode, int n) {
    spin_lock(&inode->spin);
    inode->nlink += n;
    inode->ctime = clock_realtime();
    spin_unlock(&inode->spin);
}

void inode_getattr(struct inode *inode, struct kstat *st) {
    spin_lock(&inode->spin);
    *st = (struct kstat){.dev = inode->sb->dev,
                         .rdev = inode->rdev,
                         .ino = inode->ino,
                         .mode = inode->mode,
                         .nlink = inode->nlink,
                         .blksize = PAGE_SIZE,
                         .uid = inode->uid,
                         .gid = inode->gid,
                         .size = inode->size,
                         .blocks = 0,
                         .atime = inode->atime,
                         .mtime = inode->mtime,
                         .ctime = inode->ctime,
                         .btime = inode->btime,
                         .far = inode->far};
    spin_unlock(&inode->spin);
    if (inode->ops && inode->ops->getattr)
        inode->ops->getattr(inode, st);
}
