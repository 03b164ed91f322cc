// SPDX-License-Identifier: MIT
// What mounts there are, by their numbers: statmount(2), listmount(2).
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/inode.h"
#include "fs/mount.h"
#include "fs/path_walk.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sys/mount_attributes.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/limits.h>

// struct mnt_id_req, STATMOUNT_*, LSMT_ROOT, LISTMOUNT_REVERSE and struct statmount of Linux 6.12, by other names: linux/mount.h has them or
// not, by the age of the headers that we build with.
struct mount_request {
    uint32_t size, spare;
    uint64_t mnt_id, param, mnt_ns_id;
};
#define REQUEST_SIZE_FIRST 24u

#define TELL_SB_BASIC  0x01u
#define TELL_MNT_BASIC 0x02u
#define TELL_FROM      0x04u
#define TELL_MNT_ROOT  0x08u
#define TELL_MNT_POINT 0x10u
#define TELL_FS_TYPE   0x20u
#define TELL_MNT_OPTS  0x80u
#define ALL_FROM_ROOT  UINT64_MAX
#define YOUNGEST_FIRST 1u

#define LIST_MOST       1000000u
#define SUPERBLOCK_TOLD (MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME)

// Strings are offsets in what lies behind it.
struct mount_told {
    uint32_t size, mnt_opts;
    uint64_t mask;
    uint32_t sb_dev_major, sb_dev_minor;
    uint64_t sb_magic;
    uint32_t sb_flags, fs_type;
    uint64_t mnt_id, mnt_parent_id;
    uint32_t mnt_id_old, mnt_parent_id_old;
    uint64_t mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
    uint32_t mnt_root, mnt_point;
    uint64_t mnt_ns_id;
    uint64_t spare[49];
};
_Static_assert(sizeof(struct mount_told) == 512, "Linux's");

// 0, -EINVAL, -E2BIG, -EFAULT; -ENOENT: of another namespace, which none of its numbers is told of here.
static int read_request(struct mount_request *req, const void __user *user) {
    uint32_t size;
    int err = get_user(size, (const uint32_t __user *)user);
    if (!err)
        err = copy_struct_from_user(req, sizeof(*req), REQUEST_SIZE_FIRST, user, size);
    if (err)
        return err;
    return req->spare ? -EINVAL : req->mnt_ns_id ? -ENOENT : 0;
}

// May the current thread hear of what is at p? It sees it from its root, or has the namespace in its power.
static bool may_hear(const struct path *p, char *buf) {
    struct path root = path_process_root();
    bool reached;
    const char *name = path_name_from(p, &root, &reached, buf, PATH_MAX);
    path_put(&root);
    return (!IS_ERR(name) && reached) || mount_may_change();
}

// ---- statmount

struct telling {
    struct mount *m;
    struct mount_told told;
    char *text; // TEXT_SIZE bytes
    size_t len;
    char *path; // PATH_MAX bytes
};
#define TEXT_SIZE (3 * PATH_MAX)

static void add_text(struct telling *t, uint32_t *offset, unsigned int what, const char *text) {
    *offset = (uint32_t)t->len;
    t->len += strlcpy(t->text + t->len, text, TEXT_SIZE - t->len) + 1;
    t->told.mask |= what;
}

static void tell_superblock(struct telling *t) {
    const struct superblock *sb = t->m->sb;
    struct kstatfs s = {0};
    if (sb->type->statfs)
        (void)sb->type->statfs(t->m->sb, &s); // of its type alone
    t->told.sb_dev_major = DEV_MAJOR(sb->dev);
    t->told.sb_dev_minor = DEV_MINOR(sb->dev);
    t->told.sb_magic = s.type;
    t->told.sb_flags = READ_ONCE(sb->flags) & SUPERBLOCK_TOLD;
    t->told.mask |= TELL_SB_BASIC;
}

static void tell_mount(struct telling *t, const struct mount_peers *peers) {
    const struct mount *m = t->m;
    uint64_t parent = mount_parent_id(m);
    t->told.mnt_id = mount_unique_id(m->id);
    t->told.mnt_parent_id = mount_unique_id(parent);
    t->told.mnt_id_old = (uint32_t)mount_short_id(m->id);
    t->told.mnt_parent_id_old = (uint32_t)mount_short_id(parent);
    t->told.mnt_attr = mount_attributes_of(READ_ONCE(m->flags));
    unsigned long types = (peers->group ? MS_SHARED : 0) | (peers->master ? MS_SLAVE : 0) |
                          (peers->unbindable ? MS_UNBINDABLE : 0);
    t->told.mnt_propagation = types ? types : MS_PRIVATE;
    t->told.mnt_peer_group = (uint64_t)mount_short_id(peers->group);
    t->told.mnt_master = (uint64_t)mount_short_id(peers->master);
    t->told.mask |= TELL_MNT_BASIC;
}

static void tell_places(struct telling *t, uint64_t wanted) {
    if (wanted & TELL_MNT_ROOT) {
        const char *name = path_name_in_fs(t->m->root, t->path, PATH_MAX);
        add_text(t, &t->told.mnt_root, TELL_MNT_ROOT, IS_ERR(name) ? "/" : name);
    }
    if (wanted & TELL_MNT_POINT) {
        struct path root = path_process_root(), at = {t->m, t->m->root};
        bool reached;
        const char *name = path_name_from(&at, &root, &reached, t->path, PATH_MAX);
        add_text(t, &t->told.mnt_point, TELL_MNT_POINT, IS_ERR(name) || !reached ? "" : name);
        path_put(&root);
    }
}

static void tell_options(struct telling *t) {
    char options[256] = "";
    if (t->m->sb->type->show_options)
        t->m->sb->type->show_options(t->m->sb, options, sizeof(options));
    add_text(t, &t->told.mnt_opts, TELL_MNT_OPTS, options[0] == ',' ? options + 1 : options);
}

static void tell(struct telling *t, uint64_t wanted) {
    if (wanted & TELL_SB_BASIC)
        tell_superblock(t);
    struct mount_peers peers = {0};
    if (wanted & (TELL_MNT_BASIC | TELL_FROM))
        mount_get_peers(t->m, &peers);
    if (wanted & TELL_MNT_BASIC)
        tell_mount(t, &peers);
    if (wanted & TELL_FROM) {
        t->told.propagate_from = (uint64_t)mount_short_id(peers.from);
        t->told.mask |= TELL_FROM;
    }
    if (wanted & TELL_FS_TYPE)
        add_text(t, &t->told.fs_type, TELL_FS_TYPE, t->m->sb->type->name);
    tell_places(t, wanted);
    if (wanted & TELL_MNT_OPTS)
        tell_options(t);
    t->told.size = (uint32_t)(sizeof(t->told) + t->len);
}

static int give_out(const struct telling *t, void __user *buf, size_t size) {
    if (t->len && size < t->told.size)
        return -EOVERFLOW;
    struct mount_told told = t->told;
    int err = put_object_part((struct mount_told __user *)buf, told, MIN(size, sizeof(told)));
    return err || !t->len ? err : copy_to_user((char __user *)buf + sizeof(t->told), t->text, t->len);
}

static int tell_of(struct mount *m, uint64_t wanted, void __user *buf, size_t size) {
    struct path at = {m, m->root};
    struct telling *t = kzalloc(sizeof(*t));
    int err = -ENOMEM;
    if (!t)
        return err;
    t->m = m;
    t->text = kmalloc(TEXT_SIZE);
    t->path = kmalloc(PATH_MAX);
    if (t->text && t->path)
        err = may_hear(&at, t->path) ? 0 : -EPERM;
    if (!err) {
        tell(t, wanted);
        err = give_out(t, buf, size);
    }
    kfree(t->path);
    kfree(t->text);
    kfree(t);
    return err;
}

long sys_statmount(const void __user *user, void __user *buf, size_t size, unsigned int flags) {
    struct mount_request req;
    if (flags)
        return -EINVAL;
    int err = read_request(&req, user);
    if (err)
        return err;
    struct mount *m = mount_find(req.mnt_id);
    if (!m)
        return -ENOENT;
    err = tell_of(m, req.param, buf, size);
    mount_put(m);
    return err;
}

// ---- listmount

#define LISTED_AT_ONCE 64u

static long list(const struct path *above, const struct mount_request *req, uint64_t __user *ids, size_t n,
                 bool reverse) {
    uint64_t part[LISTED_AT_ONCE], last = req->param;
    size_t done = 0, got;
    do {
        got = mount_list_below(above, req->mnt_id, last, reverse, part, MIN(n - done, LISTED_AT_ONCE));
        int err = got ? copy_to_user(ids + done, part, got * sizeof(*part)) : 0;
        if (err)
            return err;
        done += got;
        last = got ? part[got - 1] : last;
        if (cond_resched_killable())
            return -EINTR;
    } while (got == LISTED_AT_ONCE && done < n);
    return (long)done;
}

long sys_listmount(const void __user *user, uint64_t __user *ids, size_t n, unsigned int flags) {
    struct mount_request req;
    if (flags & ~YOUNGEST_FIRST)
        return -EINVAL;
    if (n > LIST_MOST)
        return -EOVERFLOW;
    int err = read_request(&req, user);
    if (err)
        return err;
    struct path above = {NULL, NULL};
    if (req.mnt_id == ALL_FROM_ROOT) {
        above = path_process_root();
    } else if ((above.mount = mount_find(req.mnt_id))) {
        above.dentry = above.mount->root;
        dentry_get(above.dentry);
    } else {
        return -ENOENT;
    }
    char *buf = kmalloc(PATH_MAX);
    long ret = !buf                    ? -ENOMEM
               : may_hear(&above, buf) ? list(&above, &req, ids, n, flags & YOUNGEST_FIRST)
                                       : -EPERM;
    kfree(buf);
    path_put(&above);
    return ret;
}
