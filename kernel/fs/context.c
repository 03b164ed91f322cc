// SPDX-License-Identifier: MIT
// Processes' places in the tree (path.h).
#include "core/errno.h"
#include "fs/path.h"

// All of them, for pivot_root(2).
static struct spinlock contexts_lock = SPINLOCK_INIT;
static struct list_head contexts = LIST_HEAD_INIT(contexts); // [contexts_lock]

void fs_context_list(struct fs_context *fs) {
    spin_lock(&contexts_lock);
    list_add_tail(&fs->link, &contexts);
    spin_unlock(&contexts_lock);
}

static void replace_place(struct path *place, const struct path *from, const struct path *to) {
    if (place->mount != from->mount || place->dentry != from->dentry)
        return;
    path_get((struct path *)to);
    *place = *to;
    path_put((struct path *)from); // never the last reference: the caller has one
}

void fs_context_replace(const struct path *from, const struct path *to) {
    struct fs_context *fs;
    spin_lock(&contexts_lock);
    list_for_each_entry (fs, &contexts, link) {
        spin_lock(&fs->lock);
        replace_place(&fs->root, from, to);
        replace_place(&fs->cwd, from, to);
        spin_unlock(&fs->lock);
    }
    spin_unlock(&contexts_lock);
}

struct fs_context *fs_context_copy(struct fs_context *old) {
    struct fs_context *fs = kzalloc(sizeof(*fs));
    if (!fs)
        return NULL;
    ref_init(&fs->refs);
    fs->users = 1;
    spin_init(&fs->lock);
    spin_lock(&contexts_lock); // a change of everybody's root comes before both or after both
    spin_lock(&old->lock);
    fs->root = old->root;
    fs->cwd = old->cwd;
    fs->umask = old->umask;
    path_get(&fs->root);
    path_get(&fs->cwd);
    spin_unlock(&old->lock);
    list_add_tail(&fs->link, &contexts);
    spin_unlock(&contexts_lock);
    return fs;
}

// Either we see `in_exec`, or who raised it sees us.
int fs_context_share(struct fs_context *fs) {
    __atomic_fetch_add(&fs->users, 1, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&fs->in_exec, __ATOMIC_SEQ_CST))) {
        __atomic_fetch_sub(&fs->users, 1, __ATOMIC_SEQ_CST);
        return -EAGAIN;
    }
    ref_get(&fs->refs);
    return 0;
}

void fs_context_put(struct fs_context *fs) {
    if (!ref_put(&fs->refs))
        return;
    spin_lock(&contexts_lock);
    list_del(&fs->link);
    spin_unlock(&contexts_lock);
    path_put(&fs->root);
    path_put(&fs->cwd);
    kfree(fs);
}
