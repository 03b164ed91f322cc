// SPDX-License-Identifier: MIT
// splice(2), tee(2), vmsplice(2): what is allowed between which files; the bytes are fs/pipe/splice.c's.
#include "arch/riscv/uaccess.h"
#include "fs/event/notify.h"
#include "fs/fdtable.h"
#include "fs/pipe/pipe.h"
#include "mm/slab.h"
#include "sys/syscalls.h"
#include <linux/fcntl.h>
#include <linux/uio.h>

// Of linux/splice.h, which is not among the exported headers.
#define SPLICE_F_MOVE     1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE     4u
#define SPLICE_F_GIFT     8u
#define SPLICE_F_ALL      (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

#define IOV_FAST 8

struct splice {
    struct file *in, *out;
    off_t *in_pos, *out_pos; // NULL: its own
    size_t n;
    bool wait;
};

// The pipe's own flag counts as well as the call's.
static bool may_wait(const struct file *pipe, unsigned int flags) {
    return !(flags & SPLICE_F_NONBLOCK) && !(pipe->flags & O_NONBLOCK);
}

static ssize_t splice_pipes(const struct splice *s, unsigned int flags, bool keep) {
    if (s->in_pos || s->out_pos)
        return -ESPIPE;
    if (s->in->inode == s->out->inode)
        return -EINVAL;
    return pipe_splice_pipe(s->in, s->out, s->n, may_wait(s->in, flags) && may_wait(s->out, flags), keep);
}

static ssize_t splice_out(const struct splice *s, unsigned int flags) {
    if (s->in_pos)
        return -ESPIPE;
    if ((s->out_pos && !s->out->ops->lseek) || s->out->flags & O_APPEND || !s->out->ops->write)
        return -EINVAL;
    return pipe_splice_from(s->in, s->out, s->out_pos, s->n, may_wait(s->in, flags));
}

static ssize_t splice_in(const struct splice *s, unsigned int flags) {
    if (s->out_pos)
        return -ESPIPE;
    if ((s->in_pos && !s->in->ops->lseek) || !s->in->ops->read)
        return -EINVAL;
    return pipe_splice_to(s->in, s->in_pos, s->out, s->n, may_wait(s->out, flags));
}

static ssize_t splice_between(const struct splice *s, unsigned int flags) {
    bool from_pipe = file_is_pipe(s->in), to_pipe = file_is_pipe(s->out);
    if ((s->in->flags & O_ACCMODE) == O_WRONLY || (s->out->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (from_pipe && to_pipe)
        return splice_pipes(s, flags, false);
    return from_pipe ? splice_out(s, flags) : to_pipe ? splice_in(s, flags) : -EINVAL;
}

static int read_position(off_t __user *user, off_t *pos) {
    int err = user ? get_user(*pos, user) : 0;
    return err ? err : user && *pos < 0 ? -EINVAL : 0;
}

// Both files of a call; false, and neither: one of them is none.
static bool get_files(struct splice *s, int fd_in, int fd_out) {
    s->in = fd_get_io(fd_in);
    s->out = s->in ? fd_get_io(fd_out) : NULL;
    if (s->in && !s->out)
        file_put(s->in);
    return s->out;
}

static void put_files(const struct splice *s) {
    file_put(s->in);
    file_put(s->out);
}

long sys_splice(int fd_in, off_t __user *off_in, int fd_out, off_t __user *off_out, size_t n,
                unsigned int flags) {
    off_t in_pos = 0, out_pos = 0;
    struct splice s = {
        .in_pos = off_in ? &in_pos : NULL, .out_pos = off_out ? &out_pos : NULL, .n = MIN(n, IO_MAX)};
    if (!n)
        return 0;
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (!get_files(&s, fd_in, fd_out))
        return -EBADF;
    bool pipe_has_position = (off_in && file_is_pipe(s.in)) || (off_out && file_is_pipe(s.out));
    long ret = pipe_has_position ? -ESPIPE : read_position(off_in, &in_pos);
    if (!ret)
        ret = read_position(off_out, &out_pos);
    if (!ret)
        ret = splice_between(&s, flags);
    if (ret > 0) {
        notify_file(s.in, IN_ACCESS);
        notify_file(s.out, IN_MODIFY);
    }
    if (ret >= 0 && ((off_in && put_user(in_pos, off_in)) || (off_out && put_user(out_pos, off_out))))
        ret = -EFAULT;
    put_files(&s);
    return ret;
}

long sys_tee(int fd_in, int fd_out, size_t n, unsigned int flags) {
    struct splice s = {.n = MIN(n, IO_MAX)};
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (!n)
        return 0;
    if (!get_files(&s, fd_in, fd_out))
        return -EBADF;
    long ret = -EBADF;
    if ((s.in->flags & O_ACCMODE) != O_WRONLY && (s.out->flags & O_ACCMODE) != O_RDONLY)
        ret = file_is_pipe(s.in) && file_is_pipe(s.out) ? splice_pipes(&s, flags, true) : -EINVAL;
    put_files(&s);
    return ret;
}

static long splice_memory(struct file *pipe, const void __user *iov, size_t n, unsigned int flags) {
    struct uio_segment fast[IOV_FAST], *segments = n <= IOV_FAST ? fast : kmalloc(n * sizeof(fast[0]));
    size_t total = 0;
    if (!segments)
        return -ENOMEM;
    long ret = uio_import(segments, iov, n);
    if (!ret)
        ret = uio_limit(segments, n, IO_MAX, &total);
    if (!ret && total) {
        struct uio u = {.seg = segments, .nseg = n, .resid = total};
        ret = pipe_splice_memory(pipe, &u, (pipe->flags & O_ACCMODE) != O_RDONLY, may_wait(pipe, flags));
    }
    if (segments != fast)
        kfree(segments);
    return ret;
}

long sys_vmsplice(int fd, const void __user *iov, size_t n, unsigned int flags) {
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    struct file *pipe = fd_get_io(fd);
    if (!pipe)
        return -EBADF;
    long ret = !file_is_pipe(pipe) ? -EBADF
               : n > UIO_MAXIOV    ? -EINVAL
               : n                 ? splice_memory(pipe, iov, n, flags)
                                   : 0;
    file_put(pipe);
    return ret;
}
