// SPDX-License-Identifier: MIT
// F_NOTIFY, fcntl(2): a signal for the owner of a directory's descriptor when something happens in the directory.
#pragma once
#include "fs/file.h"

struct files;
extern unsigned long dnotify_enabled; // [a] fs.dir-notify-enable

// What happens in f's directory shall be told to descriptor fd's owner from now on: `events`, DN_*, beside what the table `files` asked
// for before by the same file; none: nothing at all any more. 0, -ENOTDIR; -EINVAL: there is no such thing here; -ENOMEM: nor memory,
// or the user has as many as there may be.
int __must_check dnotify_watch(struct file *f, struct files *files, int fd, unsigned int events);
// The table closes a descriptor of f: all that it asked for by it is over. Called by fdtable.c if somebody watches the directory.
void dnotify_close(struct file *f, struct files *files);
