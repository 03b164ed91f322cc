// SPDX-License-Identifier: MIT
// Shared by mount.c, which holds the tree of mounts, and mount_change.c, which changes it.
#pragma once
#include "fs/mount.h"

// Those flags of mount(2) that a mount keeps.
#define MOUNT_FLAGS                                                                                          \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME |               \
     MS_STRICTATIME | MS_NOSYMFOLLOW)

// And those that what is mounted keeps. In memory, all that is written is where it is to be: that is said and no more.
#define SUPERBLOCK_FLAGS (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME)

extern struct mutex mount_mutex;    // the topology: changed, and looked through at length, with it only
extern struct spinlock mounts_lock; // [mounts]
extern unsigned int mount_count;    // [t] in the list

// A mount that is nowhere. Takes over the reference to root. NULL if no memory.
struct mount *__must_check mount_alloc(struct dentry *root, const char *source, unsigned long flags);
// Lays m, which is nowhere, over d in parent. [t]
void mount_attach(struct mount *m, struct mount *parent, struct dentry *d);
// Takes m off its place; the references to that are the caller's then. [t] and [mounts]
struct path mount_detach_locked(struct mount *m);
// Lists m, which gets its number by that, and its reference becomes the list's. [t]
void mount_list(struct mount *m);
// What is mounted there, or NULL. [t] or [mounts]
struct mount *mount_on(const struct mount *parent, const struct dentry *d);
// The mount behind m in the tree below and with `top`, each before those on it; NULL at the end. [t]
struct mount *mount_next(const struct mount *m, const struct mount *top);
