// SPDX-License-Identifier: MIT
// Handles of files (handle.h): the search for one.
#include "fs/handle.h"
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/inode.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "sched/thread.h"

struct file_id handle_of(const struct inode *inode) {
    uint64_t made = (uint64_t)inode->btime;
    return (struct file_id){.generation = (uint32_t)(made ^ made >> 32) + (uint32_t)inode->sb->dev,
                            .ino = (uint32_t)inode->ino,
                            .ino_high = (uint32_t)(inode->ino >> 32)};
}

struct told_handle handle_told_of(const struct inode *inode) {
    const struct file_id id = handle_of(inode);
    if (!inode->sb->type->handles)
        return (struct told_handle){.type = HANDLE_ANY_FS, .words = {id.ino, id.ino_high}};
    return (struct told_handle){.type = HANDLE_NUMBER, .words = {id.generation, id.ino, id.ino_high}};
}

static bool is_named(const struct dentry *d, const struct file_id *id) {
    const struct file_id own = handle_of(d->inode);
    return own.ino == id->ino && own.ino_high == id->ino_high && own.generation == id->generation;
}

// Takes over the reference to d.
static struct dentry *climb(struct dentry *d, uint64_t *key) {
    struct dentry *parent = dentry_get_parent(d);
    *key = d->key + 1;
    dentry_put(d);
    return parent;
}

// Directories stay where they are meanwhile; names that come and go are found or not.
static struct dentry *search_locked(struct dentry *root, const struct file_id *id) {
    ASSERT_HELD(&root->inode->sb->rename_lock);
    struct dentry *at = root;
    uint64_t key = 0;
    int err = 0;
    dentry_get(at);
    while (!is_named(at, id) && !err) {
        struct dentry *next = S_ISDIR(at->inode->mode) ? dentry_next(at, key) : NULL;
        if (next) {
            dentry_put(at);
            at = next;
            key = 0;
        } else if (at == root) {
            err = -ESTALE;
        } else {
            at = climb(at, &key);
        }
        if (!err)
            err = cond_resched_killable();
    }
    if (!err)
        return at;
    dentry_put(at);
    return ERR_PTR(err);
}

struct dentry *handle_find(const struct path *place, const struct file_id *id) {
    struct superblock *sb = place->dentry->inode->sb;
    if (!sb->type->handles || place->dentry->pseudo)
        return ERR_PTR(-ESTALE);
    int err = mutex_lock_killable(&sb->rename_lock);
    if (err)
        return ERR_PTR(err);
    struct dentry *root = place->dentry;
    dentry_get(root);
    for (struct dentry *parent; (parent = dentry_get_parent(root)) != root; root = parent)
        dentry_put(root);
    dentry_put(root); // the root's parent is itself
    struct dentry *found = search_locked(root, id);
    if (!IS_ERR(found))
        WRITE_ONCE(sb->has_moves, true); // it may lie outside of what the mount shows, as what was moved
    mutex_unlock(&sb->rename_lock);
    dentry_put(root);
    return found;
}
