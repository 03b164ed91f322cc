// SPDX-License-Identifier: MIT
// Pipes and FIFOs: pipe(7), fifo(7).
#pragma once
#include "fs/file.h"

// The system's limit for F_SETPIPE_SZ without CAP_SYS_RESOURCE, bytes; /proc/sys/fs/pipe-max-size.
extern unsigned int pipe_max_size;

// Both ends of a new pipe. `flags`: O_NONBLOCK, O_CLOEXEC is the caller's; anything else is -EINVAL. 0,
// -ENOMEM, -ENFILE.
int __must_check pipe_create(struct file *ends[2], int flags);
// The open of a FIFO's node; f->flags says how. May sleep. 0, -ENXIO, -ERESTARTSYS, -ENOMEM.
int __must_check pipe_open_fifo(struct inode *inode, struct file *f);
// True if f is an end of a pipe or FIFO.
bool file_is_pipe(const struct file *f);
// F_GETPIPE_SZ, F_SETPIPE_SZ: bytes. -EBADF if f is no pipe; -EBUSY, -EPERM, -EINVAL, -ENOMEM.
long __must_check pipe_get_size(struct file *f);
long __must_check pipe_set_size(struct file *f, unsigned long size);

// splice.c: without a copy to or from a program. `wait`: else -EAGAIN where the pipe would have one sleep. All may sleep, and give bytes or an
// error.
// Pages go along as they are where they can: what is in a pipe may be a file's, and change with it.
// From a pipe to a file, at *pos or, for NULL, at its own position; and from one to a pipe.
ssize_t pipe_splice_from(struct file *pipe, struct file *out, off_t *pos, size_t n, bool wait);
ssize_t pipe_splice_to(struct file *in, off_t *pos, struct file *pipe, size_t n, bool wait);
// From pipe to pipe; `keep`: and what went stays (tee(2)).
ssize_t pipe_splice_pipe(struct file *in, struct file *out, size_t n, bool wait, bool keep);
// Puts in n bytes of pages (file_ops.write_pages).
ssize_t pipe_write_pages(struct file *pipe, struct page **pages, unsigned int count, size_t offset, size_t n);
// Between a pipe and a program's memory.
ssize_t pipe_splice_memory(struct file *pipe, struct uio *u, bool write, bool wait);

void pipe_init(void);
