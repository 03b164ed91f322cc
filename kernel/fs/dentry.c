// SPDX-License-Identifier: MIT
// Dentries: names in directories.
//
// A directory's children stand in a red-black tree ordered by a hash of their names, which is also the order
// of readdir: a position there is a key, so it stays good whatever comes and goes. Being in the tree is a
// reference; a name of procfs and its like is not in it, but for mount points, so it goes with its last user.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/fs.h>

#define KEY_BITS   62
#define EQUAL_BITS 8 // of the key, to tell names with the same hash apart
#define FIRST_POS  2 // of readdir, behind "." and ".."

static struct spinlock tree_lock = SPINLOCK_INIT; // [tree]
static unsigned long moves;                       // [tree] names that got another place

static int dentry_compare(const struct dentry *a, const struct dentry *b) {
    return a->key < b->key ? -1 : a->key > b->key;
}
RB_GENERATE_STATIC(dentry_tree, dentry, node, dentry_compare)

// Names are short: a byte at a time is as good as more.
uint64_t dentry_key(const char *name, size_t len) {
    uint64_t h = 0xcbf29ce484222325 ^ len;
    for (const char *end = name + len; name < end; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3;
    h ^= h >> 32;
    return (h * 0x9e3779b97f4a7c15) >> (64 - KEY_BITS + EQUAL_BITS) << EQUAL_BITS;
}

static inline bool same_name(const char *a, const char *b, size_t len) {
    for (const char *end = a + len; a < end; a++, b++)
        if (*a != *b)
            return false;
    return true;
}

struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len) {
    return dentry_alloc_keyed(parent, name, len, dentry_key(name, len));
}

struct dentry *dentry_alloc_keyed(struct dentry *parent, const char *name, size_t len, uint64_t key) {
    struct dentry *d = kmalloc(sizeof(*d) + len + 1);
    if (!d)
        return NULL;
    __builtin_memset(d, 0, sizeof(*d)); // in line
    ref_init(&d->refs);
    spin_init(&d->lock);
    RB_INIT(&d->children);
    d->key = key;
    d->name_len = len;
    memcpy(d->inline_name, name, len);
    d->inline_name[len] = '\0';
    d->name = d->inline_name;
    if (parent)
        dentry_get(parent);
    d->parent = parent ? parent : d;
    return d;
}

struct dentry *dentry_create_root(struct inode *inode) {
    struct dentry *d = dentry_alloc(NULL, "", 0);
    if (!d)
        return NULL;
    inode_get(inode);
    d->inode = inode;
    return d;
}

void dentry_put(struct dentry *d) {
    for (bool first = true; ref_put(&d->refs); first = false) {
        if (!first)
            cond_resched(); // what was removed, from the leaf up, goes with the leaf
        struct dentry *parent = d->parent;
        if (d->inode) {
            notify_last_user(d->inode);
            inode_put(d->inode);
        }
        bool root = parent == d;
        if (d->name != d->inline_name)
            kfree((char *)d->name);
        kfree(d);
        if (root)
            return;
        d = parent;
    }
}

// The first child of that hash [parent->lock].
static struct dentry *first_of_key(struct dentry *parent, uint64_t key) {
    struct dentry *d = RB_ROOT(&parent->children), *found = NULL;
    while (d) {
        if (d->key >= key) {
            found = d;
            d = RB_LEFT(d, node);
        } else {
            d = RB_RIGHT(d, node);
        }
    }
    return found;
}

static inline struct dentry *find_locked(struct dentry *parent, const char *name, size_t len, uint64_t key) {
    ASSERT_HELD(&parent->lock);
    for (struct dentry *d = first_of_key(parent, key); d && d->key >> EQUAL_BITS == key >> EQUAL_BITS;
         d = RB_NEXT(dentry_tree, &parent->children, d))
        if (d->name_len == len && same_name(d->name, name, len))
            return d;
    return NULL;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len) {
    return dentry_find_keyed(parent, name, len, dentry_key(name, len));
}

struct dentry *dentry_find_keyed(struct dentry *parent, const char *name, size_t len, uint64_t key) {
    spin_lock(&parent->lock);
    struct dentry *d = find_locked(parent, name, len, key);
    if (d)
        dentry_get(d);
    spin_unlock(&parent->lock);
    return d;
}

void dentry_insert(struct dentry *d) {
    struct dentry *parent = d->parent;
    if (parent == d)
        return;
    spin_lock(&parent->lock);
    if (!d->in_tree) {
        d->key = d->key >> EQUAL_BITS << EQUAL_BITS;
        while (RB_INSERT(dentry_tree, &parent->children, d))
            d->key++; // 255 names of one hash of 54 bits: not in this world
        d->in_tree = true;
        d->dead = false;
        parent->child_count++;
        dentry_get(d);
        notify_new_child(parent->inode, d->inode);
    }
    spin_unlock(&parent->lock);
}

static bool same_hash(const struct dentry *a, const struct dentry *b) {
    return a->key >> EQUAL_BITS == b->key >> EQUAL_BITS;
}

bool dentry_insert_new(struct dentry *d) {
    struct dentry *parent = d->parent, *other;
    spin_lock(&parent->lock);
    while ((other = RB_INSERT(dentry_tree, &parent->children, d))) {
        if (other->name_len == d->name_len && same_name(other->name, d->name, d->name_len))
            goto taken;
        d->key++;
    }
    for (other = d; (other = RB_NEXT(dentry_tree, &parent->children, other)) && same_hash(other, d);) {
        if (other->name_len == d->name_len && same_name(other->name, d->name, d->name_len)) {
            RB_REMOVE(dentry_tree, &parent->children, d);
            goto taken;
        }
    }
    d->in_tree = true;
    parent->child_count++;
    notify_new_child(parent->inode, d->inode);
    spin_unlock(&parent->lock);
    return true;

taken:
    spin_unlock(&parent->lock);
    return false;
}

// Takes d out of the tree; the reference of being in it is the caller's then. False: it was not in it.
static bool take_out(struct dentry *d, bool dies) {
    struct dentry *parent = d->parent;
    spin_lock(&parent->lock);
    bool was = d->in_tree;
    if (was) {
        RB_REMOVE(dentry_tree, &parent->children, d);
        parent->child_count--;
        d->in_tree = false;
    }
    if (dies)
        d->dead = true;
    spin_unlock(&parent->lock);
    return was;
}

void dentry_remove(struct dentry *d) {
    if (take_out(d, true))
        dentry_put(d);
}

void dentry_forget(struct dentry *d) {
    if (take_out(d, false))
        dentry_put(d);
}

// From the leaves up; being in the tree keeps the parent of whatever is taken out.
void dentry_drop_tree(struct dentry *d) {
    while (d->parent != d)
        d = d->parent;
    for (struct dentry *root = d, *child, *parent;;) {
        while ((child = RB_ROOT(&d->children)))
            d = child;
        if (d == root)
            break;
        parent = d->parent;
        dentry_remove(d);
        d = parent;
        cond_resched();
    }
}

// At most n steps up from d, to `above` or the root.
static const struct dentry *climb_locked(const struct dentry *d, const struct dentry *above, unsigned int n) {
    ASSERT_HELD(&tree_lock);
    while (n-- && d != above && d->parent != d)
        d = d->parent;
    return d;
}

bool dentry_is_below(const struct dentry *d, const struct dentry *above) {
    spin_lock(&tree_lock);
    d = climb_locked(d, above, ~0u);
    spin_unlock(&tree_lock);
    return d == above;
}

#define CLIMB_AT_ONCE 256
#define CLIMB_TRIES   16

// The way up as it is at one moment: where anything has moved while the lock was given up it is begun anew, and at last gone at once.
bool dentry_is_far_below(const struct dentry *d, const struct dentry *above) {
    for (unsigned int tries = 0;; tries++) {
        struct dentry *at = (struct dentry *)d, *old = NULL;
        spin_lock(&tree_lock);
        unsigned long before = moves;
        bool over = false;
        while (moves == before) {
            at = (struct dentry *)climb_locked(at, above, tries < CLIMB_TRIES ? CLIMB_AT_ONCE : ~0u);
            over = at == above || at->parent == at;
            if (over)
                break;
            dentry_get(at);
            spin_unlock(&tree_lock);
            if (old)
                dentry_put(old);
            old = at;
            cond_resched();
            spin_lock(&tree_lock);
        }
        spin_unlock(&tree_lock);
        bool is = at == above;
        if (old)
            dentry_put(old);
        if (over)
            return is;
    }
}

struct dentry *dentry_get_parent(struct dentry *d) {
    spin_lock(&tree_lock);
    struct dentry *parent = d->parent;
    dentry_get(parent);
    spin_unlock(&tree_lock);
    return parent;
}

size_t dentry_copy_name(struct dentry *d, char buf[256]) {
    spin_lock(&tree_lock);
    size_t len = d->name_len;
    memcpy(buf, d->name, len + 1);
    spin_unlock(&tree_lock);
    return len;
}

struct dentry *dentry_copy_place(struct dentry *d, char buf[256], size_t *len) {
    spin_lock(&tree_lock);
    struct dentry *parent = d->parent;
    dentry_get(parent);
    *len = d->name_len;
    memcpy(buf, d->name, *len + 1);
    spin_unlock(&tree_lock);
    return parent;
}

// ---- renaming

// Changes name and parent of d, which is in no tree, and puts it in; the reference of being in a tree goes
// along.
static void put_in(struct dentry *d, struct dentry *dir, const char *name) {
    struct dentry *old_dir = d->parent;
    const char *old_name = d->name;
    dentry_get(dir);
    if (dir != old_dir && S_ISDIR(d->inode->mode))
        WRITE_ONCE(dir->inode->sb->has_moves, true);
    spin_lock(&tree_lock);
    moves++;
    d->name = name;
    d->name_len = strlen(name);
    d->key = dentry_key(name, d->name_len);
    d->parent = dir;
    spin_unlock(&tree_lock);
    dentry_insert(d);
    dentry_put(d);
    dentry_put(old_dir);
    if (old_name != d->inline_name)
        kfree((char *)old_name);
}

void dentry_move(struct dentry *d, struct dentry *dir, const char *name, struct dentry *victim,
                 const char *other_name) {
    ASSERT_HELD(&d->parent->inode->lock);
    struct dentry *old_dir = d->parent;
    dentry_get(old_dir);
    if (!take_out(d, false))
        dentry_get(d); // it was forgotten meanwhile (of a file system that makes names at need)
    if (victim && other_name) {
        take_out(victim, false);
        put_in(victim, old_dir, other_name);
    } else if (victim) {
        dentry_remove(victim);
    }
    put_in(d, dir, name);
    dentry_put(old_dir);
}

// ---- readdir

struct dentry *dentry_next(struct dentry *dir, uint64_t key) {
    spin_lock(&dir->lock);
    struct dentry *d = first_of_key(dir, key);
    if (d)
        dentry_get(d);
    spin_unlock(&dir->lock);
    return d;
}

int dentry_for_each_child(struct dentry *dir, void (*fn)(struct inode *dir, struct inode *child)) {
    struct dentry *d;
    int err = 0;
    for (uint64_t next = 0; !err && (d = dentry_next(dir, next)); err = cond_resched_killable()) {
        next = d->key + 1;
        fn(dir->inode, d->inode);
        dentry_put(d);
    }
    return err;
}

int dentry_readdir(struct file *f, struct dir_context *ctx) {
    struct dentry *dir = f->path.dentry, *d;
    char name[256];
    while ((d = dentry_next(dir, ctx->pos - FIRST_POS))) {
        off_t next = d->key + FIRST_POS + 1;
        size_t len = dentry_copy_name(d, name);
        bool room = ctx->emit(ctx, name, len, next, d->inode->ino, (d->inode->mode & S_IFMT) >> 12);
        dentry_put(d);
        if (!room)
            break;
        ctx->pos = next;
    }
    return 0;
}

off_t dentry_lseek_dir(struct file *f, off_t offset, int whence) {
    return file_seek(f, offset, whence, -1);
}
