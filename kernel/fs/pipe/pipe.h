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

void pipe_init(void);
