// SPDX-License-Identifier: MIT
// Descriptors of processes: pidfd_open(2).
#pragma once
#include "core/types.h"

struct file;
struct process;

// pidfds. The process of a pidfd's file with a reference; ERR_PTR(-EBADF).
struct file *__must_check pidfd_create(struct process *p, unsigned int flags /* O_NONBLOCK */);
struct process *__must_check pidfd_process(struct file *f);
// The process of descriptor `fd` of the caller's, with a reference; ERR_PTR(-EBADF).
struct process *__must_check pidfd_find(int fd);
// Boot: hands sockets what they need to know processes by.
void pidfd_init(void);
