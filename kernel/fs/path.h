// SPDX-License-Identifier: MIT
// Walking paths, and a process's place in the tree.
#pragma once
#include "arch/riscv/uaccess.h"
#include "core/spinlock.h"
#include "lib/list.h"
#include "mm/slab.h"

struct mount;
struct dentry;
struct inode;

struct path {
    struct mount *mount;
    struct dentry *dentry;
};

// Root, working directory and umask; shared by threads made with CLONE_FS.
struct fs_context {
    struct refcount refs;
    struct list_head link; // [contexts_lock] all of them
    struct spinlock lock;
    struct path root, cwd; // [lock]
    unsigned int users;    // [a] threads that have it; `refs` also counts who just looks at it
    unsigned int in_exec;  // [a] threads for which it is to stay with those that have it (exec.c)
    mode_t umask;
};
// One for a thread, which leaves it in the end. NULL if no memory.
struct fs_context *__must_check fs_context_copy(struct fs_context *old);
// Another thread has it, too. -EAGAIN: not now.
int __must_check fs_context_share(struct fs_context *fs);
static inline void fs_context_leave(struct fs_context *fs) { // the reference is to be put then
    __atomic_fetch_sub(&fs->users, 1, __ATOMIC_SEQ_CST);
}
void fs_context_put(struct fs_context *fs);

void path_get(struct path *p);
void path_put(struct path *p);

#define LOOKUP_FOLLOW        (1u << 0) // follow a symlink at the end
#define LOOKUP_DIRECTORY     (1u << 1) // -ENOTDIR unless it is one
#define LOOKUP_EMPTY         (1u << 2) // "" means dfd itself
#define LOOKUP_NO_XDEV       (1u << 3)
#define LOOKUP_NO_SYMLINKS   (1u << 4)
#define LOOKUP_BENEATH       (1u << 5)
#define LOOKUP_IN_ROOT       (1u << 6) // "/" is where the walk starts
#define LOOKUP_NO_MAGICLINKS (1u << 7)
// Finds `name`, relative to dfd (AT_FDCWD: cwd) as the current credentials. 0 with *out referenced, or
// -errno. May sleep.
int __must_check path_lookup(int dfd, const char *name, unsigned int flags, struct path *out);
int __must_check path_lookup_user(int dfd, const char __user *name, unsigned int flags, struct path *out);
// A path name copied from user memory: most are short and take no memory of their own.
struct user_name {
    const char *text;
    char *copy; // kmalloc'ed, if it is not in `brief`
    char brief[128];
};
// For one that is long, empty or not to be had, by the result of a first try.
int __must_check user_name_get_unusual(struct user_name *n, const char __user *name, bool allow_empty,
                                       ssize_t len);
// 0, to be put then; -EFAULT, -ENAMETOOLONG, -ENOMEM, -ENOENT if it is empty and !allow_empty: to be put or not.
static inline int __must_check user_name_get(struct user_name *n, const char __user *name, bool allow_empty) {
    n->text = n->brief;
    n->copy = NULL;
    ssize_t len = strncpy_from_user(n->brief, name, sizeof(n->brief));
    return likely(len > 0) ? 0 : user_name_get_unusual(n, name, allow_empty, len);
}
static inline void user_name_put(struct user_name *n) {
    if (unlikely(n->copy))
        kfree(n->copy);
    n->copy = NULL;
}
// The absolute name of p as seen from the process's root, or, if that is not above it, from the root of all: the start
// within buf (filled from the end), or ERR_PTR(-ENAMETOOLONG). Unlinked: with " (deleted)".
char *path_name(const struct path *p, char *buf, size_t n);
// The same as seen from `root`, as it is, and whether that is above it.
char *path_name_from(const struct path *p, const struct path *root, bool *reached, char *buf, size_t n);
// The name of d in its file system; unlinked: with "//deleted".
char *path_name_in_fs(struct dentry *d, char *buf, size_t n);
// In every process that has `from` as its root or working directory, `to` becomes that.
void fs_context_replace(const struct path *from, const struct path *to);
// One that is not made by fs_context_copy().
void fs_context_list(struct fs_context *fs);
// Permission of the current credentials on an inode: mask of 4 read, 2 write, 1 execute. 0 or -EACCES.
int __must_check inode_permission(struct inode *inode, int mask);
// Can a new file in the directory belong to the current thread? 0; -EOVERFLOW: to whose file system it is its ids mean nothing.
int __must_check inode_check_new_owner(const struct inode *dir);
