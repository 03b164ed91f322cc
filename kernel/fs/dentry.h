// SPDX-License-Identifier: MIT
// Dentries: names in directories. The dentries of tmpfs are the directory itself (pinned as long as the name exists), those
// of procfs are made at lookup and dropped with the last reference.
//
// Locks: a dentry's spinlock guards its tree of children; [tree] is the one spinlock over all parent links (dentry.c),
// [mounts] the one over mounts (mount.c).
#pragma once
#include "core/spinlock.h"
#include "lib/tree.h"

struct file;
struct inode;

struct dir_context {
    off_t pos; // of the next entry; 0 and 1 are "." and ".."
    // Returns false when there is no more room.
    bool (*emit)(struct dir_context *ctx, const char *name, size_t len, off_t next_pos, ino_t ino,
                 unsigned int d_type);
};

RB_HEAD(dentry_tree, dentry);
struct dentry {
    RB_ENTRY(dentry) node; // in parent's children [parent->lock]
    uint64_t key; // [I] dentry_key() and a number that keeps equal names' hashes apart: order of readdir
    struct refcount refs;        // 1 for being in the parent's tree
    struct dentry *parent;       // [tree] referenced; root: itself, without a reference
    struct inode *inode;         // [I] once found or made; referenced
    struct dentry_tree children; // [lock]
    struct spinlock lock;
    unsigned int child_count; // [lock]
    unsigned int mounted;     // [mounts] mounts on top of it, in whatever mount. Read without.
    bool dead;                // [parent->lock] its name has gone
    bool in_tree;             // [parent->lock] in parent's children
    bool pseudo;      // [I] of a pipe or another file that never had a place: path_name() gives a word
    uint8_t name_len; // [tree] of `name`; changed by a rename only while d is in no tree of children
    const char *name; // [tree] NUL-terminated, at most NAME_MAX; `inline_name`, or kmalloc'ed by a rename
    char inline_name[];
};

// A dentry for a name, not in the tree, without inode; it references parent (NULL: it is a root). NULL if no
// memory.
struct dentry *__must_check dentry_alloc(struct dentry *parent, const char *name, size_t len);
// For who looks for a name and makes it then: dentry_alloc() and dentry_find() with the name's key.
uint64_t dentry_key(const char *name, size_t len);
struct dentry *__must_check dentry_alloc_keyed(struct dentry *parent, const char *name, size_t len,
                                               uint64_t key);
struct dentry *dentry_find_keyed(struct dentry *parent, const char *name, size_t len, uint64_t key);
// The root dentry of a file system; takes a reference of its own to the inode.
struct dentry *__must_check dentry_create_root(struct inode *inode);
static inline void dentry_get(struct dentry *d) {
    ref_get(&d->refs);
}
void dentry_put(struct dentry *d);
// Puts d into its parent's tree, which takes a reference; and out again: then it is dead.
void dentry_insert(struct dentry *d);
// The same with the caller's own reference, unless the name is taken: then false, and nothing has changed.
bool dentry_insert_new(struct dentry *d);
void dentry_remove(struct dentry *d);
// Takes all names out of the tree that d, which nobody can reach any more, is in.
void dentry_drop_tree(struct dentry *d);
// Takes d out of the tree, if it is there, without a word about its name: of a file system that makes names at need.
void dentry_forget(struct dentry *d);
// True if d is `above` or below it, in one file system.
bool dentry_is_below(const struct dentry *d, const struct dentry *above);
// The same for d that the caller has a reference to; lets others run, however far that is.
bool dentry_is_far_below(const struct dentry *d, const struct dentry *above);
// Gives d, in the tree, the place of `name` (kmalloc'ed, taken over) in `dir`. What `victim` (NULL: nothing)
// names there goes; or, with `other_name`, it takes d's old place under that name (taken over, too).
// rename_lock and both directories' locks are held.
void dentry_move(struct dentry *d, struct dentry *dir, const char *name, struct dentry *victim,
                 const char *other_name);
// Copies d's name, which may change.
size_t dentry_copy_name(struct dentry *d, char buf[256]);
// The parent, referenced, and the name in it, of one moment.
struct dentry *dentry_copy_place(struct dentry *d, char buf[256], size_t *len);
// The first child in the tree with that key or one above, referenced, or NULL: with d->key + 1 the one behind d.
struct dentry *dentry_next(struct dentry *dir, uint64_t key);
// Calls fn with the inodes of dir and of each child that is in the tree from beginning to end, and maybe of others. May sleep.
// 0 or -EINTR: killed.
int __must_check dentry_for_each_child(struct dentry *dir,
                                       void (*fn)(struct inode *dir, struct inode *child));
// The child of that name in the tree, referenced, or NULL.
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len);
// The parent with a reference.
struct dentry *dentry_get_parent(struct dentry *d);
// readdir of a directory whose tree is all there is (tmpfs).
int dentry_readdir(struct file *f, struct dir_context *ctx);
off_t dentry_lseek_dir(struct file *f, off_t offset, int whence);
