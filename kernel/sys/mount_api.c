// SPDX-License-Identifier: MIT
// Mounts step by step: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2), mount_setattr(2).
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "fs/fdtable.h"
#include "fs/file.h"
#include "fs/fsopen.h"
#include "fs/mount.h"
#include "sched/thread.h"
#include "sys/mount_attributes.h"
#include "sys/syscalls.h"
#include <linux/fcntl.h>
#include <linux/fs.h>

#define BINARY_MAX (1 << 20)

// A number for f, whose reference it takes over, or f's error.
static long give(struct file *f, bool cloexec) {
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_reserve(0, cloexec ? O_CLOEXEC : 0);
    if (fd < 0)
        file_put(f);
    else
        fd_install(fd, f);
    return fd;
}

// The file of a configuration. ERR_PTR(-EBADF, -EINVAL).
static struct file *get_setup(int fd) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return ERR_PTR(-EBADF);
    if (fsopen_is(f))
        return f;
    file_put(f);
    return ERR_PTR(-EINVAL);
}

// ---- attributes of mounts

#define ATTRIBUTES                                                                                           \
    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME |      \
     MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)
#define TIMES (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

static const struct {
    unsigned int attribute, flag;
} pairs[] = {{MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
             {MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
             {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW}};

uint64_t mount_attributes_of(unsigned int flags) {
    uint64_t attributes = flags & MS_NOATIME       ? MOUNT_ATTR_NOATIME
                          : flags & MS_STRICTATIME ? MOUNT_ATTR_STRICTATIME
                                                   : MOUNT_ATTR_RELATIME;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        attributes |= flags & pairs[i].flag ? pairs[i].attribute : 0;
    return attributes;
}

static unsigned int flags_of(uint64_t attributes) {
    unsigned int flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        flags |= attributes & pairs[i].attribute ? pairs[i].flag : 0;
    return flags;
}

// How access times are kept, one of three. 0: none of them.
static unsigned int times_of(uint64_t attributes) {
    switch (attributes & MOUNT_ATTR__ATIME) {
    case MOUNT_ATTR_RELATIME:
        return MS_RELATIME;
    case MOUNT_ATTR_NOATIME:
        return MS_NOATIME;
    case MOUNT_ATTR_STRICTATIME:
        return MS_STRICTATIME;
    default:
        return 0;
    }
}

// 0 or -EINVAL.
static int read_change(const struct mount_attr *attr, struct mount_change *change) {
    bool times = attr->attr_clr & MOUNT_ATTR__ATIME;
    if (attr->propagation & ~(uint64_t)(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) ||
        attr->propagation & (attr->propagation - 1) ||
        (attr->attr_set | attr->attr_clr) & ~(uint64_t)ATTRIBUTES) // MOUNT_ATTR_IDMAP among these
        return -EINVAL;
    // Access times are one of three, so what was goes as a whole.
    if ((times && (attr->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME) ||
        (!times && attr->attr_set & MOUNT_ATTR__ATIME) || (times && !times_of(attr->attr_set)))
        return -EINVAL;
    change->clear = flags_of(attr->attr_clr) | (times ? TIMES : 0);
    change->set = flags_of(attr->attr_set) | (times ? times_of(attr->attr_set) : 0);
    change->propagation = (unsigned int)attr->propagation;
    return 0;
}

long sys_mount_setattr(int dfd, const char __user *path, unsigned int flags, const void __user *user,
                       size_t size) {
    struct mount_attr attr;
    struct mount_change change;
    struct path at;
    if (flags & ~(unsigned int)(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
        return -EINVAL;
    int err = copy_struct_from_user(&attr, sizeof(attr), MOUNT_ATTR_SIZE_VER0, user, size);
    if (!err && !mount_may_change())
        err = -EPERM;
    if (err || !(attr.attr_set | attr.attr_clr | attr.propagation))
        return err;
    err = read_change(&attr, &change);
    if (!err)
        err = path_lookup_user(dfd, path,
                               (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                                   (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
                               &at);
    if (err)
        return err;
    err = mount_change_flags(&at, &change, flags & AT_RECURSIVE);
    path_put(&at);
    return err;
}

// ---- trees

long sys_open_tree(int dfd, const char __user *path, unsigned int flags) {
    struct path at;
    if (flags & ~(unsigned int)(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
                                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) ||
        (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
        return -EINVAL;
    if (flags & OPEN_TREE_CLONE && !mount_may_change())
        return -EPERM;
    int err = path_lookup_user(
        dfd, path,
        (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &at);
    if (err)
        return err;
    bool cloexec = flags & OPEN_TREE_CLOEXEC;
    struct file *f =
        flags & OPEN_TREE_CLONE ? mount_open_copy(&at, flags & AT_RECURSIVE) : file_open_path(&at, O_PATH);
    path_put(&at);
    return give(f, cloexec);
}

long sys_move_mount(int from_dfd, const char __user *from_path, int to_dfd, const char __user *to_path,
                    unsigned int flags) {
    struct path from, to;
    if (!mount_may_change())
        return -EPERM;
    // Groups of mounts that share (MOVE_MOUNT_SET_GROUP) there are none; nothing is laid beneath others.
    if (flags & ~(unsigned int)(MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_F_AUTOMOUNTS | MOVE_MOUNT_F_EMPTY_PATH |
                                MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_T_AUTOMOUNTS | MOVE_MOUNT_T_EMPTY_PATH))
        return -EINVAL;
    int err = path_lookup_user(from_dfd, from_path,
                               (flags & MOVE_MOUNT_F_SYMLINKS ? LOOKUP_FOLLOW : 0) |
                                   (flags & MOVE_MOUNT_F_EMPTY_PATH ? LOOKUP_EMPTY : 0),
                               &from);
    if (err)
        return err;
    err = path_lookup_user(to_dfd, to_path,
                           (flags & MOVE_MOUNT_T_SYMLINKS ? LOOKUP_FOLLOW : 0) |
                               (flags & MOVE_MOUNT_T_EMPTY_PATH ? LOOKUP_EMPTY : 0),
                           &to);
    if (!err) {
        err = mount_move(&to, &from);
        path_put(&to);
    }
    path_put(&from);
    return err;
}

// ---- file systems

// A key or a value. -EINVAL: it is too long.
static int read_text(char *to, const char __user *user) {
    ssize_t n = strncpy_from_user(to, user, FS_PARAMETER_MAX);
    return n >= 0 ? 0 : n == -ENAMETOOLONG ? -EINVAL : (int)n;
}

long sys_fsopen(const char __user *name, unsigned int flags) {
    char text[FS_PARAMETER_MAX];
    if (!mount_may_change())
        return -EPERM;
    if (flags & ~(unsigned int)FSOPEN_CLOEXEC)
        return -EINVAL;
    int err = read_text(text, name);
    if (err)
        return err;
    const struct fs_type *type = fs_type_find(text);
    return type ? give(fsopen_create(type), flags & FSOPEN_CLOEXEC) : -ENODEV;
}

long sys_fspick(int dfd, const char __user *path, unsigned int flags) {
    struct path at;
    if (!mount_may_change())
        return -EPERM;
    if (flags &
        ~(unsigned int)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
        return -EINVAL;
    int err = path_lookup_user(dfd, path,
                               (flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                                   (flags & FSPICK_EMPTY_PATH ? LOOKUP_EMPTY : 0),
                               &at);
    if (err)
        return err;
    struct file *f = fsopen_pick(&at);
    path_put(&at);
    return give(f, flags & FSPICK_CLOEXEC);
}

// Which of its arguments a command has: that is known before the descriptor is looked at.
static int check_arguments(unsigned int cmd, const void __user *key, const void __user *value, int aux) {
    bool good;
    switch (cmd) {
    case FSCONFIG_SET_FLAG:
        good = key && !value && !aux;
        break;
    case FSCONFIG_SET_STRING:
        good = key && value && !aux;
        break;
    case FSCONFIG_SET_BINARY:
        good = key && value && aux > 0 && aux <= BINARY_MAX;
        break;
    case FSCONFIG_SET_PATH:
    case FSCONFIG_SET_PATH_EMPTY:
        good = key && value && (aux == AT_FDCWD || aux >= 0);
        break;
    case FSCONFIG_SET_FD:
        good = key && !value && aux >= 0;
        break;
    case FSCONFIG_CMD_CREATE:
    case FSCONFIG_CMD_RECONFIGURE:
        good = !key && !value && !aux;
        break;
    default:
        return -EOPNOTSUPP;
    }
    return good ? 0 : -EINVAL;
}

static int set_parameter(struct file *f, const char __user *user_key, const char __user *user_value) {
    char key[FS_PARAMETER_MAX], value[FS_PARAMETER_MAX];
    int err = read_text(key, user_key);
    if (!err && user_value)
        err = read_text(value, user_value);
    return err ? err : fsopen_set(f, key, user_value ? value : NULL);
}

long sys_fsconfig(int fd, unsigned int cmd, const char __user *key, const void __user *value, int aux) {
    int err = fd < 0 ? -EINVAL : check_arguments(cmd, key, value, aux);
    if (err)
        return err;
    struct file *f = get_setup(fd);
    if (IS_ERR(f))
        return PTR_ERR(f);
    switch (cmd) {
    case FSCONFIG_SET_FLAG:
    case FSCONFIG_SET_STRING:
        err = set_parameter(f, key, value);
        break;
    case FSCONFIG_CMD_CREATE:
        err = fsopen_make(f);
        break;
    case FSCONFIG_CMD_RECONFIGURE:
        err = fsopen_change(f);
        break;
    default: // no file system here has such parameters
        err = -EOPNOTSUPP;
    }
    file_put(f);
    return err;
}

long sys_fsmount(int fd, unsigned int flags, unsigned int attributes) {
    if (!mount_may_change())
        return -EPERM;
    if (flags & ~(unsigned int)FSMOUNT_CLOEXEC || attributes & ~(unsigned int)ATTRIBUTES ||
        !times_of(attributes))
        return -EINVAL;
    struct file *f = get_setup(fd);
    if (IS_ERR(f))
        return PTR_ERR(f);
    struct file *mounted = fsopen_mount(f, flags_of(attributes) | times_of(attributes));
    file_put(f);
    return give(mounted, flags & FSMOUNT_CLOEXEC);
}
