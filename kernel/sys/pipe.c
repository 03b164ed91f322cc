// SPDX-License-Identifier: MIT
// Descriptors that carry bytes or events between programs: pipe2, eventfd2, signalfd4, inotify_init1.
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "fs/dentry.h"
#include "fs/event/eventfd.h"
#include "fs/event/inotify.h"
#include "fs/fdtable.h"
#include "fs/pipe/pipe.h"
#include "proc/signalfd.h"
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/signalfd.h>

long sys_pipe2(int __user *fds, int flags) {
    struct file *ends[2];
    int fd[2];
    int err = pipe_create(ends, flags);
    if (err)
        return err;
    fd[0] = fd_reserve(0, flags & O_CLOEXEC);
    fd[1] = fd[0] < 0 ? fd[0] : fd_reserve(0, flags & O_CLOEXEC);
    err = fd[1] < 0 ? fd[1] : put_object(fds, fd);
    if (err) {
        for (int i = 0; i < 2; i++) {
            if (fd[i] >= 0)
                fd_unreserve(fd[i]);
            file_put(ends[i]);
        }
        return err;
    }
    fd_install(fd[0], ends[0]);
    fd_install(fd[1], ends[1]);
    return 0;
}

long sys_eventfd2(unsigned int count, int flags) {
    if (flags & ~(EVENTFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct file *f = eventfd_create(count, flags);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, flags & O_CLOEXEC);
}

long sys_signalfd4(int fd, const void __user *mask, size_t size, int flags) {
    sigset_bits set;
    if (size != sizeof(set))
        return -EINVAL;
    if (get_user(set, (const sigset_bits __user *)mask))
        return -EFAULT;
    if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
        return -EINVAL;
    if (fd == -1) {
        struct file *f = signalfd_create(set, flags);
        return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, flags & SFD_CLOEXEC);
    }
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    int err = signalfd_set_mask(f, set);
    file_put(f);
    return err ? err : fd;
}

// ---- inotify

#define INOTIFY_KNOWN                                                                                        \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ISDIR | IN_ONLYDIR | IN_DONT_FOLLOW |      \
     IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ONESHOT)

long sys_inotify_init1(int flags) {
    if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
        return -EINVAL;
    struct file *f = inotify_create(flags & IN_NONBLOCK);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, flags & IN_CLOEXEC);
}

static long add_watch(struct file *f, const char __user *name, uint32_t mask) {
    struct path path;
    if (((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)) || !inotify_is(f))
        return -EINVAL;
    int err = path_lookup_user(
        AT_FDCWD, name,
        (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0), &path);
    if (err)
        return err;
    err = inode_permission(path.dentry->inode, 4);
    if (!err)
        err = inotify_watch(f, &path, mask);
    path_put(&path);
    return err;
}

long sys_inotify_add_watch(int fd, const char __user *path, uint32_t mask) {
    if (!(mask & INOTIFY_KNOWN) || mask & ~(uint32_t)INOTIFY_KNOWN)
        return -EINVAL;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = add_watch(f, path, mask);
    file_put(f);
    return ret;
}

long sys_inotify_rm_watch(int fd, int wd) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = inotify_is(f) ? inotify_unwatch(f, wd) : -EINVAL;
    file_put(f);
    return ret;
}
