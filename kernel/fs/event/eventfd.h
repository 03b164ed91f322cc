// SPDX-License-Identifier: MIT
// eventfd(2): a counter that is a file.
#pragma once
#include "fs/file.h"

// linux/eventfd.h is younger than the oldest headers that we build with. EFD_CLOEXEC and EFD_NONBLOCK are
// O_CLOEXEC and O_NONBLOCK.
#define EVENTFD_SEMAPHORE 1

// `flags`: EVENTFD_SEMAPHORE and O_NONBLOCK, checked by the caller. ERR_PTR(-ENOMEM, -ENFILE).
struct file *__must_check eventfd_create(unsigned int count, int flags);
