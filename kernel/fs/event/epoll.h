// SPDX-License-Identifier: MIT
// epoll(7): a set of files, and the list of those among them that are ready.
#pragma once
#include "fs/file.h"
#include "sched/clock.h"
#include <linux/eventpoll.h>

// A new, empty set as a file. ERR_PTR(-ENOMEM, -ENFILE).
struct file *__must_check epoll_create(void);
// epoll_ctl(2) on the set `f`; `target` is the file of `fd`. 0 or its errors; -EINVAL if f is not a set.
int __must_check epoll_ctl(struct file *f, int op, int fd, struct file *target,
                           const struct epoll_event *event);
// Stores up to n (> 0) events. Sleeps until there are some, a signal comes, or `deadline` (monotonic ns) has
// passed; does not sleep if it is 0. The number of events, -EINTR, -EFAULT; -EINVAL if f is not a set.
int __must_check epoll_wait(struct file *f, struct epoll_event __user *events, int n, ktime_t deadline);
// Of the files that are in the set as descriptor `fd`, that with the number `nth` in the set's order, which is only to be compared.
// ERR_PTR(-ENOENT); -EINVAL: f is no set; -EINTR: killed.
const struct file *__must_check epoll_target(struct file *f, int fd, unsigned long nth);
// Takes a file that is being released out of every set. Called by file_put() if f->epoll_links.next is not
// NULL, as it is until the file first joins a set, before the release op.
void epoll_forget_file(struct file *f);
