// SPDX-License-Identifier: MIT
// Message queues of POSIX: the calls.
#include "arch/riscv/uaccess.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "ipc/mqueue.h"
#include "net/netlink.h"
#include "proc/owner.h"
#include "proc/signal.h"
#include "sys/syscalls.h"
#include "sys/timespec.h"
#include <asm/siginfo.h>
#include <linux/fcntl.h>

static struct file *get_queue(int fd) {
    struct file *f = fd_get_io(fd);
    if (f && mqueue_is(f))
        return f;
    if (f)
        file_put(f);
    return NULL;
}

long sys_mq_open(const char __user *name, int oflag, mode_t mode, const void __user *attr) {
    struct mq_attr a;
    struct user_name n;
    if (attr && copy_from_user(&a, attr, sizeof(a)))
        return -EFAULT;
    int err = user_name_get(&n, name, false);
    if (err)
        return err;
    int fd = fd_reserve(0, O_CLOEXEC);
    if (fd >= 0) {
        struct file *f = mqueue_open(n.text, oflag, mode, attr ? &a : NULL);
        if (IS_ERR(f)) {
            fd_unreserve(fd);
            fd = (int)PTR_ERR(f);
        } else {
            fd_install(fd, f);
        }
    }
    user_name_put(&n);
    return fd;
}

long sys_mq_unlink(const char __user *name) {
    struct user_name n;
    int err = user_name_get(&n, name, false);
    if (err)
        return err;
    err = mqueue_unlink(n.text);
    user_name_put(&n);
    return err;
}

static int read_deadline(const void __user *timeout, ktime_t *deadline) {
    *deadline = KTIME_NEVER;
    return timeout ? timespec_read(timeout, deadline) : 0;
}

static long send(struct file *f, const char __user *text, size_t n, unsigned int priority, ktime_t deadline) {
    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    struct mq_message *m = mqueue_message(f, n, priority);
    if (IS_ERR(m))
        return PTR_ERR(m);
    long err = copy_from_user(mqueue_text(m), text, n) ? -EFAULT : 0;
    if (!err)
        err = mqueue_send(f, m, deadline);
    if (err)
        kfree(m);
    return err;
}

long sys_mq_timedsend(int fd, const char __user *text, size_t n, unsigned int priority,
                      const void __user *timeout) {
    ktime_t deadline;
    int err = read_deadline(timeout, &deadline);
    if (err)
        return err;
    if (priority >= MQ_PRIORITIES)
        return -EINVAL;
    struct file *f = get_queue(fd);
    if (!f)
        return -EBADF;
    long ret = send(f, text, n, priority, deadline);
    file_put(f);
    return ret;
}

static long receive(struct file *f, char __user *text, size_t n, unsigned int __user *priority,
                    ktime_t deadline) {
    if ((f->flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (n < mqueue_size_max(f))
        return -EMSGSIZE;
    struct mq_message *m = mqueue_receive(f, deadline);
    if (IS_ERR(m))
        return PTR_ERR(m);
    long ret = (long)mqueue_size(m);
    if ((priority && put_user(mqueue_priority(m), priority)) ||
        copy_to_user(text, mqueue_text(m), mqueue_size(m)))
        ret = -EFAULT;
    kfree(m);
    return ret;
}

long sys_mq_timedreceive(int fd, char __user *text, size_t n, unsigned int __user *priority,
                         const void __user *timeout) {
    ktime_t deadline;
    int err = read_deadline(timeout, &deadline);
    if (err)
        return err;
    struct file *f = get_queue(fd);
    if (!f)
        return -EBADF;
    long ret = receive(f, text, n, priority, deadline);
    file_put(f);
    return ret;
}

// What the event says; a socket is of the caller's descriptors.
static int read_notification(const void __user *user, struct mq_notification *n) {
    struct sigevent event;
    if (copy_from_user(&event, user, sizeof(event)))
        return -EFAULT;
    *n = (struct mq_notification){.value = (uint64_t)(unsigned long)event.sigev_value.sival_ptr};
    int err = owner_find(&n->owner, F_OWNER_PID, current->own_pid);
    if (err)
        return err;
    switch (event.sigev_notify) {
    case SIGEV_NONE:
        return 0;
    case SIGEV_SIGNAL:
        n->sig = event.sigev_signo;
        return n->sig < 0 || n->sig > SIGNAL_COUNT ? -EINVAL : 0;
    case SIGEV_THREAD:
        if (copy_from_user(n->cookie, (const void __user *)event.sigev_value.sival_ptr, sizeof(n->cookie)))
            return -EFAULT;
        n->netlink = fd_get_io(event.sigev_signo);
        return !n->netlink ? -EBADF : netlink_is(n->netlink) ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

long sys_mq_notify(int fd, const void __user *event) {
    struct mq_notification n = {.netlink = NULL};
    int err = event ? read_notification(event, &n) : 0;
    struct file *f = err ? NULL : get_queue(fd);
    if (!err && !f)
        err = -EBADF;
    if (!err && event)
        err = mqueue_notify(f, &n);
    else if (!err)
        mqueue_notify_no_more(f);
    if (err && n.netlink)
        file_put(n.netlink);
    if (f)
        file_put(f);
    return err;
}

long sys_mq_getsetattr(int fd, const void __user *new_attr, void __user *old_attr) {
    struct mq_attr to, was;
    if (new_attr && copy_from_user(&to, new_attr, sizeof(to)))
        return -EFAULT;
    if (new_attr && to.mq_flags & ~(long)O_NONBLOCK)
        return -EINVAL;
    struct file *f = get_queue(fd);
    if (!f)
        return -EBADF;
    mqueue_get_attr(f, &was);
    if (new_attr && to.mq_flags)
        __atomic_fetch_or(&f->flags, O_NONBLOCK, __ATOMIC_RELAXED);
    else if (new_attr)
        __atomic_fetch_and(&f->flags, ~O_NONBLOCK, __ATOMIC_RELAXED);
    file_put(f);
    return old_attr && put_object(old_attr, was) ? -EFAULT : 0;
}
