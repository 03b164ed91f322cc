// SPDX-License-Identifier: MIT
// Mounts: file systems and parts of them laid over directories. One tree of mounts for all processes.
#pragma once
#include "fs/path.h"
#include <linux/mount.h>

// mount(2)'s ways, with the place looked up; `flags` as there. 0 or -errno.
int __must_check mount_new(const struct path *at, const struct fs_type *type, const char *source,
                           const char *options, unsigned long flags);
int __must_check mount_bind(const struct path *at, const struct path *from, unsigned long flags);
int __must_check mount_move(const struct path *at, const struct path *from);
int __must_check mount_remount(const struct path *at, const char *options, unsigned long flags);
// umount2(2) of the mount whose root `at` is; at's own reference is the caller's still. -EINVAL, -EBUSY.
int __must_check mount_remove(struct path *at, int flags);

void mount_get(struct mount *m);
void mount_put(struct mount *m);
// A mount that is nowhere in the tree, for files without a place. NULL if no memory.
struct mount *__must_check mount_create_internal(struct dentry *root);
// If something is mounted on p: p becomes its root, as often as needed.
void mount_cross_down(struct path *p);
// If p is the root of a mount: p becomes the place it is mounted on. False at the root of all.
bool mount_cross_up(struct path *p);
// Calls fn for each mount in order, with a reference, until it returns false.
void mount_for_each(bool (*fn)(struct mount *m, void *arg), void *arg);
// The names of a mount's flags as in /proc/mounts: "rw,nosuid".
void mount_format_flags(const struct mount *m, char *buf, size_t n);

// The root of all: a tmpfs, mounted at start. Referenced.
struct path mount_root(void);
void mount_init(void);
