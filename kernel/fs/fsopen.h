// SPDX-License-Identifier: MIT
// File systems that are configured step by step before they are mounted, or while they are (fsopen(2), fsconfig(2), fspick(2)). A file stands for
// each, from which read(2) gives what went wrong.
#pragma once
#include "core/types.h"
#include "fs/path.h"

struct file;
struct fs_type;

#define FS_PARAMETER_MAX 256u // bytes of a key or a value, with its NUL

// ERR_PTR(-ENOMEM, -ENFILE).
struct file *__must_check fsopen_create(const struct fs_type *type);
// Of what is mounted, whose mount's root `at` is. -EINVAL: it is none.
struct file *__must_check fsopen_pick(const struct path *at);
bool fsopen_is(const struct file *f);
// A parameter: key and, NULL where it is a flag, value. 0, -EINVAL, -EBUSY: it is not the time for it; -ENOMEM, -EINTR.
int __must_check fsopen_set(struct file *f, const char *key, const char *value);
// Makes it. 0, -EBUSY, -EPERM, -EINTR, or what the type says.
int __must_check fsopen_make(struct file *f);
// Changes what is mounted. The same.
int __must_check fsopen_change(struct file *f);
// A mount of what was made, nowhere yet, with MS_* in `flags`: see mount_open_new(). Once. Also -EINVAL: nothing was made.
struct file *__must_check fsopen_mount(struct file *f, unsigned long flags);
