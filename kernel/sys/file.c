// SPDX-License-Identifier: MIT
// Descriptors: opening, closing, copying, flags, locks, ioctl(2).
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "fs/event/dnotify.h"
#include "fs/fdtable.h"
#include "fs/file_lock.h"
#include "fs/lease.h"
#include "fs/path.h"
#include "fs/pipe/pipe.h"
#include "fs/tmpfs/tmpfs.h"
#include "mm/slab.h"
#include "net/socket.h"
#include "proc/owner.h"
#include "proc/process.h"
#include "sys/file_flags.h"
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/close_range.h>
#include <linux/stat.h>

#define OPEN_FLAGS                                                                                           \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | __O_SYNC |        \
     FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |           \
     __O_TMPFILE)
#define PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) // all that may stand beside O_PATH
#define STATUS_FLAGS                                                                                         \
    (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME) // those that F_SETFL changes, besides FASYNC

// ---- open

// The number comes first: where there is none, nothing is created, truncated or waited for.
static long open_any(int dfd, const char __user *path, int flags, mode_t mode, unsigned int lookup) {
    struct user_name name;
    int err = user_name_get(&name, path, false);
    if (err)
        return err;
    int fd = fd_reserve(0, flags & O_CLOEXEC);
    if (fd >= 0) {
        struct file *f = file_open_how(dfd, name.text, flags, mode, lookup);
        if (IS_ERR(f)) {
            fd_unreserve(fd);
            fd = PTR_ERR(f);
        } else {
            fd_install(fd, f);
        }
    }
    user_name_put(&name);
    return fd;
}

// openat(2) forgets flags that it does not know, as it always has.
long sys_openat(int dfd, const char __user *path, int flags, mode_t mode) {
    return open_any(dfd, path, flags & OPEN_FLAGS, mode & 07777, 0);
}

static int check_how(const struct open_how *how) {
    const uint64_t known = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH |
                           RESOLVE_IN_ROOT | RESOLVE_CACHED;
    bool makes = how->flags & (O_CREAT | __O_TMPFILE);
    if (how->flags & ~(uint64_t)OPEN_FLAGS || how->resolve & ~known)
        return -EINVAL;
    if ((how->flags & O_PATH) && (how->flags & ~(uint64_t)PATH_FLAGS))
        return -EINVAL;
    if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
        return -EINVAL;
    // Everything is cached here; but what changes something is never tried.
    if ((how->resolve & RESOLVE_CACHED) && (makes || how->flags & O_TRUNC))
        return -EAGAIN;
    return how->mode & ~07777ull || (!makes && how->mode) ? -EINVAL : 0;
}

long sys_openat2(int dfd, const char __user *path, const void __user *user, size_t size) {
    struct open_how how;
    int err = copy_struct_from_user(&how, sizeof(how), sizeof(how), user, size);
    if (!err)
        err = check_how(&how);
    if (err)
        return err;
    unsigned int lookup = (how.resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0) |
                          (how.resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0) |
                          (how.resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0) |
                          (how.resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0) |
                          (how.resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0);
    return open_any(dfd, path, (int)how.flags, (mode_t)how.mode, lookup);
}

// ---- close and copies

long sys_close(unsigned int fd) {
    return fd_close(fd);
}

long sys_close_range(unsigned int first, unsigned int last, unsigned int flags) {
    if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
        return -EINVAL;
    if (flags & CLOSE_RANGE_UNSHARE && files_are_shared(current->files)) {
        struct files *copy = files_copy(current->files), *old = current->files;
        if (!copy)
            return -ENOMEM;
        unsigned long irq = spin_lock_irqsave(&process_lock); // /proc looks at them
        current->files = copy;
        spin_unlock_irqrestore(&process_lock, irq);
        files_leave(old);
    }
    if (flags & CLOSE_RANGE_CLOEXEC)
        fd_cloexec_range(first, last);
    else
        fd_close_range(first, last);
    return 0;
}

static long duplicate(int fd, int min, unsigned int flags) {
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    int copy = fd_reserve(min, flags);
    if (copy < 0)
        file_put(f);
    else
        fd_install(copy, f);
    return copy;
}

long sys_dup(int fd) {
    return duplicate(fd, 0, 0);
}

long sys_dup3(int old_fd, int new_fd, int flags) {
    if (flags & ~O_CLOEXEC || old_fd == new_fd)
        return -EINVAL;
    struct file *f = fd_get(old_fd);
    return f ? fd_replace(new_fd, f, flags) : -EBADF;
}

// ---- fcntl

static long set_status_flags(struct file *f, int fd, unsigned int flags) {
    if (flags & O_NOATIME && !(f->flags & O_NOATIME) && f->inode && !inode_is_owner(f->inode))
        return -EPERM;
    if ((flags ^ f->flags) & O_APPEND && f->inode && inode_is_append_only(f->inode))
        return -EPERM;
    if ((flags & O_DIRECT) && !file_can_be_direct(f) && !file_is_pipe(f)) // a pipe's are packets
        return -EINVAL;
    int err = async_switch(f, fd, flags & FASYNC);
    if (err && err != -ENOTTY) // what cannot signal just does not have the flag
        return err;
    unsigned int old = READ_ONCE(f->flags), new;
    do {
        new = (old & ~STATUS_FLAGS) | (flags & STATUS_FLAGS);
    } while (!__atomic_compare_exchange_n(&f->flags, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return 0;
}

// ---- owners

static long set_owner_of(struct file *f, int type, int nr) {
    struct file_owner owner;
    int err = owner_find(&owner, type, nr);
    return err ? err : async_set_owner(f, &owner);
}

// A process, or with a minus a group, that is there; 0: nobody.
static long set_owner(struct file *f, int who) {
    if (who == INT32_MIN)
        return -EINVAL;
    return set_owner_of(f, who < 0 ? F_OWNER_PGRP : F_OWNER_PID, who < 0 ? -who : who);
}

static int get_owner(struct file *f) {
    struct file_owner owner = async_get_owner(f);
    if (!owner.nr || !owner_is_there(&owner))
        return 0;
    pid_t nr = pid_shown(owner.nr);
    return owner.type == F_OWNER_PGRP ? -nr : nr;
}

static long set_owner_ex(struct file *f, const void __user *user) {
    struct f_owner_ex ex;
    int err = copy_from_user(&ex, user, sizeof(ex));
    if (err)
        return err;
    if (ex.type != F_OWNER_TID && ex.type != F_OWNER_PID && ex.type != F_OWNER_PGRP)
        return -EINVAL;
    return ex.pid < 0 ? -ESRCH : set_owner_of(f, ex.type, ex.pid);
}

static long get_owner_ex(struct file *f, void __user *user) {
    struct file_owner owner = async_get_owner(f);
    struct f_owner_ex ex = {.type = owner.type};
    if (owner.nr && owner_is_there(&owner))
        ex.pid = pid_shown(owner.nr);
    return put_object(user, ex);
}

// A lock of what the descriptor meant is given up by its close(2): had that come meanwhile, nobody would.
static int give_up_if_closed(struct file *f, int fd) {
    struct file *now = fd_get(fd);
    int err = now == f ? 0 : -EBADF;
    if (err)
        file_locks_close(f, current->files);
    if (now)
        file_put(now);
    return err;
}

static long lock(struct file *f, int fd, unsigned int cmd, void __user *user) {
    struct flock fl;
    int err = copy_from_user(&fl, user, sizeof(fl));
    if (!err)
        err = file_fcntl_lock(f, cmd, &fl);
    if (!err && (cmd == F_SETLK || cmd == F_SETLKW) && fl.l_type != F_UNLCK)
        err = give_up_if_closed(f, fd);
    if (!err && (cmd == F_GETLK || cmd == F_OFD_GETLK))
        err = put_object(user, fl);
    return err;
}

// Signals go to the caller if nobody else has been named. A descriptor that is closed meanwhile gets none.
static long notify(struct file *f, int fd, unsigned int events) {
    int err = dnotify_watch(f, current->files, fd, events);
    if (!err && events & ~DN_MULTISHOT && !async_get_owner(f).nr)
        err = (int)set_owner(f, (int)sys_getpid());
    struct file *now = fd_get(fd);
    if (now != f)
        dnotify_close(f, current->files);
    if (now)
        file_put(now);
    return err;
}

// The owner comes first: there may be somebody to be told of as soon as there is a lease.
static long set_lease(struct file *f, int fd, int type) {
    bool new_owner = type != F_UNLCK && !async_get_owner(f).nr;
    int err = new_owner ? (int)set_owner(f, (int)sys_getpid()) : 0;
    if (!err)
        err = lease_set(f, fd, type);
    if (err && new_owner) {
        int undone = async_set_owner(f, &(struct file_owner){0});
        (void)undone; // it has what it takes
    }
    return err;
}

static long file_fcntl(struct file *f, int fd, unsigned int cmd, unsigned long arg) {
    switch (cmd) {
    case F_GETFL:
        return READ_ONCE(f->flags) & ~O_CLOEXEC;
    case F_SETFL:
        return set_status_flags(f, fd, arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock(f, fd, cmd, (void __user *)arg);
    case F_SETOWN:
        return set_owner(f, (int)arg);
    case F_GETOWN:
        return get_owner(f);
    case F_SETOWN_EX:
        return set_owner_ex(f, (const void __user *)arg);
    case F_GETOWN_EX:
        return get_owner_ex(f, (void __user *)arg);
    case F_SETSIG:
        return arg > SIGNAL_COUNT ? -EINVAL : async_set_signal(f, (int)arg);
    case F_GETSIG:
        return async_get_owner(f).sig;
    case F_SETLEASE:
        return set_lease(f, fd, (int)arg);
    case F_GETLEASE:
        return lease_get(f);
    case F_NOTIFY:
        return notify(f, fd, (unsigned int)arg);
    case F_GETPIPE_SZ:
        return pipe_get_size(f);
    case F_SETPIPE_SZ:
        return pipe_set_size(f, (unsigned int)arg);
    case F_ADD_SEALS:
        return tmpfs_add_seals(f, arg);
    case F_GET_SEALS:
        return tmpfs_get_seals(f);
    default:
        return -EINVAL;
    }
}

long sys_fcntl(int fd, int cmd, unsigned long arg) {
    switch (cmd) {
    case F_DUPFD:
        return duplicate(fd, (int)arg, 0);
    case F_DUPFD_CLOEXEC:
        return duplicate(fd, (int)arg, O_CLOEXEC);
    case F_GETFD:
        return fd_get_cloexec(fd);
    case F_SETFD:
        return fd_set_cloexec(fd, arg & FD_CLOEXEC);
    }
    struct file *f = cmd == F_GETFL ? fd_get(fd) : fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = file_fcntl(f, fd, cmd, arg);
    file_put(f);
    return ret;
}

long sys_flock(int fd, int op) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = file_flock(f, op);
    file_put(f);
    return ret;
}

// ---- ioctl

static long set_flag(struct file *f, unsigned int flag, const int __user *user) {
    int on;
    int err = get_user(on, user);
    if (err)
        return err;
    if (on)
        __atomic_fetch_or(&f->flags, flag, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&f->flags, ~flag, __ATOMIC_RELAXED);
    return 0;
}

static long ioctl_async(struct file *f, int fd, const int __user *user) {
    int on;
    int err = get_user(on, user);
    return err ? err : async_switch(f, fd, on);
}

// F_SETOWN and F_GETOWN by their older names, which sockets know. -ENOTTY: neither.
static long owner_ioctl(struct file *f, unsigned int cmd, int __user *user) {
    int who, err;
    switch (cmd) {
    case FIOSETOWN:
    case SIOCSPGRP:
        err = get_user(who, user);
        return err ? err : set_owner(f, who);
    case FIOGETOWN:
    case SIOCGPGRP:
        return put_user(get_owner(f), user);
    default:
        return -ENOTTY;
    }
}

// Those that every file knows. -ENOTTY: not one of them.
static long common_ioctl(struct file *f, int fd, unsigned int cmd, unsigned long arg) {
    switch (cmd) {
    case FIOCLEX:
        return fd_set_cloexec(fd, true);
    case FIONCLEX:
        return fd_set_cloexec(fd, false);
    case FIONBIO:
        return set_flag(f, O_NONBLOCK, (const int __user *)arg);
    case FIOASYNC:
        return ioctl_async(f, fd, (const int __user *)arg);
    case FIONREAD:
        if (f->inode && S_ISREG(f->inode->mode))
            return put_user((int)(f->inode->size - f->pos), (int __user *)arg);
        return -ENOTTY;
    case FS_IOC_GETFLAGS:
    case FS_IOC_SETFLAGS:
    case FS_IOC_FSGETXATTR:
    case FS_IOC_FSSETXATTR:
        return file_flags_ioctl(f, cmd, (void __user *)arg);
    default:
        return file_socket(f) ? owner_ioctl(f, cmd, (int __user *)arg) : -ENOTTY;
    }
}

long sys_ioctl(int fd, unsigned int cmd, unsigned long arg) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = common_ioctl(f, fd, cmd, arg);
    if (ret == -ENOTTY && f->ops->ioctl)
        ret = f->ops->ioctl(f, cmd, arg);
    file_put(f);
    return ret;
}
