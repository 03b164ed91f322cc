// SPDX-License-Identifier: MIT
// Files that stand for namespaces: /proc/PID/ns/NAME, which setns(2) takes and which may be mounted to keep one (ioctl_ns(2)).
#pragma once
#include "core/namespace.h"
#include "fs/path.h"

struct file;

// The place of ns, referenced. 0 or -ENOMEM.
int __must_check nsfs_path(struct namespace *ns, struct path *out);
// A descriptor of a file of ns, or -errno.
long nsfs_open(struct namespace *ns);
// The namespace of an open file, its reference; NULL: it is no such file.
struct namespace *nsfs_namespace(const struct file *f);
// May d be mounted in the caller's mount namespace? If it is such a file; not of that namespace itself, nor of an older one, which
// could keep each other for ever.
bool nsfs_may_bind(const struct dentry *d);
// Is d such a file of a mount namespace?
bool nsfs_has_mounts(const struct dentry *d);
void nsfs_init(void);
