// SPDX-License-Identifier: MIT
// tmpfs: the file system in memory; also what memfd_create(2) and shared anonymous memory are made of.
// tmpfs(5).
#pragma once
#include "fs/file.h"
#include "fs/superblock.h"
#include "lib/unpack.h"

extern struct fs_type tmpfs_type, ramfs_type;

// The root directory of a new instance, referenced; without options one without limits. `type` as mounts shall show it.
// ERR_PTR(-ENOMEM, -EINVAL).
struct dentry *__must_check tmpfs_create_instance(const struct fs_type *type, const char *options);
static inline struct dentry *__must_check tmpfs_create_root(void) {
    return tmpfs_create_instance(&tmpfs_type, NULL);
}
// Gives the root, which has none while archives are unpacked, the limits that an instance has, or those of `options`
// (rootflags=, may be NULL); says in the log what cannot be.
void tmpfs_limit_root(struct dentry *root, const char *options);
// A file without a name, of `size` bytes: "/name (deleted)" in maps. ERR_PTR(-ENOMEM, -ENFILE).
struct file *__must_check tmpfs_create_anon(const char *name, size_t size, int flags);
// Says of such a file whether its pages stay when no program has it any more: then there are none for it while memory is short.
void tmpfs_set_outlives(struct file *f, bool outlives);
// memfd_create(2): "/memfd:name (deleted)". flags: MFD_*, checked by the caller.
#ifndef F_SEAL_EXEC // Linux 6.3
#define F_SEAL_EXEC     0x0020
#define MFD_NOEXEC_SEAL 0x0008u
#define MFD_EXEC        0x0010u
#endif
struct file *__must_check tmpfs_create_memfd(const char *name, unsigned int flags);
// A regular file's content becomes `size` bytes at `data` (direct map), in reserved RAM that only it uses
// from now on: nothing is copied until a page is mapped or written. Whole pages go to the allocator when the
// file lets go of them. The old content goes.
void tmpfs_set_borrowed(struct inode *inode, const void *data, uint64_t size);
// Makes a file, device, FIFO or socket for the unpacker, before there are programs: nobody else changes names in `dir`,
// and its times stay. A regular file's content is borrowed as above. *out is not referenced: its name keeps it.
// -EEXIST, -ENAMETOOLONG, -ENOSPC, -ENOMEM.
int __must_check tmpfs_unpack(struct dentry *dir, const char *name, size_t len,
                              const struct unpack_attr *attr, const void *data, uint64_t size,
                              struct dentry **out);
// F_ADD_SEALS, F_GET_SEALS of a memfd. -EINVAL for other files.
int __must_check tmpfs_add_seals(struct file *f, unsigned int seals);
int __must_check tmpfs_get_seals(struct file *f);

// The ops, for file systems that are a tmpfs under another name.
void tmpfs_inode_free(struct inode *inode);
int tmpfs_statfs(struct superblock *sb, struct kstatfs *out);
int tmpfs_show_options(struct superblock *sb, char *buf, size_t n);
int tmpfs_remount(struct superblock *sb, const char *options);
// 0 if mount(2) could use these options, without doing so; -EINVAL, -ENOMEM.
int __must_check tmpfs_check_options(const char *options);
void tmpfs_destroy(struct superblock *sb);
void tmpfs_init(void);
