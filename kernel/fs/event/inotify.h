// SPDX-License-Identifier: MIT
// inotify(7): what happens to files, as events that are read.
#pragma once
#include "fs/file.h"

#define INOTIFY_EVENTS_MAX 16384ul       // of one queue, at first: fs.inotify.max_queued_events
extern unsigned long inotify_events_max; // [a]

// `flags`: O_NONBLOCK. ERR_PTR(-ENOMEM, -ENFILE; -EMFILE: the user has as many as there may be).
struct file *__must_check inotify_create(int flags);
bool inotify_is(const struct file *f);
// Watches what `path` names for the events in `mask`, with the flags of inotify_add_watch(2). The watch's number; -EEXIST,
// -ENOSPC, -ENOMEM.
int __must_check inotify_watch(struct file *f, struct path *path, uint32_t mask);
int __must_check inotify_unwatch(struct file *f, int wd); // 0 or -EINVAL
