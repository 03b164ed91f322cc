// SPDX-License-Identifier: MIT
// Mounts: mount(2), umount2(2), pivot_root(2).
#include "sys/syscalls.h"
#include "core/cred.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

static int may_mount(void) {
    return mount_may_change() ? 0 : -EPERM;
}

static int mount_from(const struct path *at, const char *source, unsigned long flags) {
    struct path from;
    int err = source && *source ? path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from) : -EINVAL;
    if (err)
        return err;
    err = flags & MS_BIND ? mount_bind(at, &from, flags) : mount_move(at, &from);
    path_put(&from);
    return err;
}

// What `flags` ask for, the first of these.
static int mount_any(const struct path *at, const char *source, const char *type_name, unsigned long flags,
                     const char *data) {
    int err = flags & MS_NOUSER ? -EINVAL : may_mount();
    if (err)
        return err;
    if (flags & MS_REMOUNT)
        return mount_remount(at, data, flags);
    if (flags & MS_BIND)
        return mount_from(at, source, flags);
    if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
        return mount_set_type(at, flags);
    if (flags & MS_MOVE)
        return mount_from(at, source, flags);
    const struct fs_type *type = type_name ? fs_type_find(type_name) : NULL;
    if (!type_name)
        return -EINVAL;
    return type ? mount_new(at, type, source, data, flags) : -ENODEV;
}

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
               unsigned long flags, const void __user *data) {
    struct path at;
    const char __user *const users[] = {type, source, data};
    struct user_name texts[ARRAY_SIZE(users)] = {{0}}; // without text: NULL was given
    int err = 0;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~(unsigned long)MS_MGC_MSK;
    for (size_t i = 0; i < ARRAY_SIZE(users) && !err; i++)
        err = users[i] ? user_name_get(&texts[i], users[i], true) : 0;
    if (!err)
        err = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
    if (!err) {
        err = mount_any(&at, texts[1].text, texts[0].text, flags, texts[2].text);
        path_put(&at);
    }
    for (size_t i = 0; i < ARRAY_SIZE(users); i++)
        user_name_put(&texts[i]);
    return err;
}

long sys_umount2(const char __user *target, int flags) {
    struct path at;
    if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    int err = path_lookup_user(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
    if (err)
        return err;
    mount_cross_down(&at); // "." may be covered
    err = flags & MNT_FORCE && !capable(CAP_SYS_ADMIN) ? -EPERM : may_mount();
    if (!err)
        err = mount_remove(&at, flags);
    path_put(&at);
    return err;
}

long sys_pivot_root(const char __user *new_root, const char __user *put_old) {
    struct path to, old;
    int err = may_mount();
    if (err)
        return err;
    err = path_lookup_user(AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &to);
    if (err)
        return err;
    err = path_lookup_user(AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
    if (!err) {
        err = mount_pivot(&to, &old);
        path_put(&old);
    }
    path_put(&to);
    return err;
}
