// SPDX-License-Identifier: MIT
// Descriptors that carry bytes or events between programs: pipe2, eventfd2, signalfd4.
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "fs/event/eventfd.h"
#include "fs/fdtable.h"
#include "fs/pipe/pipe.h"
#include "proc/signalfd.h"
#include <linux/fcntl.h>
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
