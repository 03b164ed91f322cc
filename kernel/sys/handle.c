// SPDX-License-Identifier: MIT
// name_to_handle_at(2), open_by_handle_at(2).
#include "arch/riscv/uaccess.h"
#include "fs/dentry.h"
#include "fs/fdtable.h"
#include "fs/handle.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

#define MOST_BYTES      128   // MAX_HANDLE_SZ
#define HANDLE_FID      0x200 // AT_HANDLE_FID, of Linux 6.5
#define HANDLE_UNIQUE   1     // AT_HANDLE_MNT_ID_UNIQUE, of Linux 6.12
#define HANDLE_AT_FLAGS (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | HANDLE_FID | HANDLE_UNIQUE)

// struct file_handle, whose name the C library has.
struct handle_head {
    uint32_t bytes;
    int32_t type;
};

static int put_mount_id(const struct path *p, void __user *user, bool unique) {
    if (unique)
        return put_user(mount_unique_id(p->mount->id), (uint64_t __user *)user);
    return put_user((int)mount_short_id(p->mount->id), (int __user *)user);
}

static long name_to_handle(const struct path *p, char __user *user, void __user *mount_id, int flags) {
    struct handle_head head;
    if (!p->dentry->inode->sb->type->handles && !(flags & HANDLE_FID))
        return -EOPNOTSUPP;
    if (copy_from_user(&head, user, sizeof(head)))
        return -EFAULT;
    if (head.bytes > MOST_BYTES)
        return -EINVAL;
    const struct told_handle told = handle_told_of(p->dentry->inode);
    bool fits = head.bytes >= sizeof(told.words);
    head = (struct handle_head){.bytes = sizeof(told.words), .type = fits ? told.type : 0xff};
    if (put_mount_id(p, mount_id, flags & HANDLE_UNIQUE) || put_object(user, head) ||
        (fits && copy_to_user(user + sizeof(head), told.words, sizeof(told.words))))
        return -EFAULT;
    return fits ? 0 : -EOVERFLOW;
}

long sys_name_to_handle_at(int dfd, const char __user *path, void __user *handle, void __user *mount_id,
                           int flags) {
    struct path p;
    if (flags & ~HANDLE_AT_FLAGS)
        return -EINVAL;
    int err = path_lookup_user(
        dfd, path,
        (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
    if (err)
        return err;
    long ret = name_to_handle(&p, handle, mount_id, flags);
    path_put(&p);
    return ret;
}

// The place whose file system and mount are meant, referenced.
static int find_place(int fd, struct path *out) {
    if (fd == AT_FDCWD) {
        return path_lookup(AT_FDCWD, ".", 0, out);
    }
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    *out = f->path;
    path_get(out);
    file_put(f);
    return out->dentry ? 0 : -EBADF;
}

static int read_handle(const char __user *user, struct file_id *id) {
    struct handle_head head;
    unsigned char bytes[MOST_BYTES] = {0};
    if (copy_from_user(&head, user, sizeof(head)))
        return -EFAULT;
    if (!head.bytes || head.bytes > MOST_BYTES)
        return -EINVAL;
    if (copy_from_user(bytes, user + sizeof(head), head.bytes))
        return -EFAULT;
    memcpy(id, bytes, sizeof(*id));
    return head.bytes < sizeof(*id) || head.type != HANDLE_NUMBER ? -ESTALE : 0;
}

// The number comes first, as open(2) has it.
static long open_place(const struct path *place, int flags) {
    int fd = fd_reserve(0, flags & O_CLOEXEC);
    if (fd < 0)
        return fd;
    struct file *f = file_open_found(place, flags);
    if (!IS_ERR(f)) {
        fd_install(fd, f);
        return fd;
    }
    fd_unreserve(fd);
    return PTR_ERR(f);
}

long sys_open_by_handle_at(int mount_fd, const void __user *handle, int flags) {
    struct path place;
    struct file_id id;
    int err = find_place(mount_fd, &place);
    if (err)
        return err;
    err = capable(CAP_DAC_READ_SEARCH) ? read_handle(handle, &id) : -EPERM;
    struct dentry *d = err ? ERR_PTR(err) : handle_find(&place, &id);
    long ret = IS_ERR(d) ? PTR_ERR(d) : 0;
    if (!ret) {
        ret = open_place(&(struct path){place.mount, d}, flags);
        dentry_put(d);
    }
    path_put(&place);
    return ret;
}
