// SPDX-License-Identifier: MIT
// Trees of fixed entries, which procfs and sysfs are made of.
//
// The items of a tree are made as they are registered and kept for good. There is one superblock, shown by every
// mount. An inode lives as long as somebody uses it, and the next lookup of the name makes another with the same
// number.
#include "procfs/private.h"
#include "core/cred.h"
#include "core/user_ns.h"
#include "fs/dentry.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include <linux/capability.h>

#define FIXED_INOS 0xf0000000ul // of items from here on

struct proc_item {
    struct proc_node node;
    const struct proc_entry *entry; // [I] NULL: a directory
    struct list_head children;      // [items_lock]
    struct list_head link;          // [items_lock] in parent's children
    unsigned int directories;       // [items_lock] among the children
    ino_t ino;                      // [I]
    mode_t mode;                    // [I]
    size_t length;                  // [I] of the name
    char name[];                    // [I]
};

static struct spinlock items_lock = SPINLOCK_INIT;
static ino_t next_ino = FIXED_INOS; // [items_lock]

static const struct inode_ops dir_ops, link_ops;
static const struct file_ops dir_fops;

static struct proc_item *item_of(const struct inode *inode) {
    return container_of(proc_node(inode), struct proc_item, node);
}

// ---- items

static struct proc_item *find_child(struct proc_item *dir, const char *name, size_t len) {
    const struct list_head *all = &dir->children;
    for (struct list_head *l = all->prev; l != all; l = l->prev) { // who adds a file adds others beside it
        struct proc_item *item = list_entry(l, struct proc_item, link);
        if (item->length == len && !memcmp(item->name, name, len))
            return item;
    }
    return NULL;
}

static int item_show(struct seq_buf *s, struct proc_node *node) {
    const struct proc_entry *e = container_of(node, struct proc_item, node)->entry;
    return e->show(s, e->arg);
}

static ssize_t item_store(struct proc_node *node, const char *text, size_t n) {
    const struct proc_entry *e = container_of(node, struct proc_item, node)->entry;
    return e->store(text, n, e->arg);
}

struct net_ns *proc_inode_net(const struct inode *inode) {
    const struct proc_tree *tree = inode->sb->private_data;
    return tree->net ? tree->net : tree == &proc_tree || tree->pids ? net_current() : &first_net_ns;
}

// May it set what is the network's? Who is root where that belongs may, as who has the capability.
static bool may_set(const struct cred *cred, const struct net_ns *net) {
    return cred_capable_in(cred, net->ns.owner, CAP_NET_ADMIN) || !uid_in(net->ns.owner, cred->fsuid);
}

int proc_net_permit(struct inode *inode, int mask) {
    bool may = may_set(current->cred, proc_inode_net(inode));
    return may && (inode->mode >> 6 & mask) == (mode_t)mask ? 0 : -EACCES;
}

// The caller's network may be another one than when it was opened: so whoever did that must be allowed to.
static ssize_t item_store_net(struct proc_node *node, const char *text, size_t n, const struct file *f) {
    const struct proc_entry *e = container_of(node, struct proc_item, node)->entry;
    struct net_ns *net = proc_inode_net(f->inode);
    return may_set(f->cred, net) ? e->store_net(net, text, n, e->arg) : -EPERM;
}

static mode_t item_mode(const struct proc_entry *e, mode_t dir_mode) {
    if (!e)
        return S_IFDIR | dir_mode;
    if (e->directory)
        return S_IFDIR | dir_mode;
    if (e->link)
        return S_IFLNK | 0777;
    return S_IFREG | (e->mode ? e->mode : 0444);
}

// e: NULL: a directory of dir_mode. NULL if no memory.
static struct proc_item *item_create(const struct proc_entry *e, mode_t dir_mode, const char *name,
                                     size_t len) {
    struct proc_item *item = kzalloc(sizeof(*item) + len + 1);
    if (!item)
        return NULL;
    memcpy(item->name, name, len);
    item->length = len;
    list_init(&item->children);
    item->entry = e;
    item->mode = item_mode(e, dir_mode);
    if (e && e->show)
        item->node.show = item_show;
    if (e && e->store)
        item->node.store = item_store;
    if (e && e->store_net)
        item->node.store_as = item_store_net;
    item->node.of_net = e && e->store_net;
    return item;
}

// Links `fresh` under `dir` unless there is one of that name. Returns the one that is there.
static struct proc_item *item_link(struct proc_item *dir, struct proc_item *fresh) {
    spin_lock(&items_lock);
    struct proc_item *item = find_child(dir, fresh->name, fresh->length);
    if (!item) {
        item = fresh;
        item->ino = next_ino++;
        list_add_tail(&item->link, &dir->children);
        dir->directories += S_ISDIR(item->mode);
    }
    spin_unlock(&items_lock);
    return item;
}

// The one that is there, or a new one. NULL if no memory. Only directories are looked for first: names of entries are new.
static struct proc_item *item_get(struct proc_item *dir, const struct proc_entry *e, mode_t dir_mode,
                                  const char *name, size_t len) {
    struct proc_item *item = NULL;
    if (!e) {
        spin_lock(&items_lock);
        item = find_child(dir, name, len);
        spin_unlock(&items_lock);
    }
    struct proc_item *fresh = item ? NULL : item_create(e, dir_mode, name, len);
    if (!fresh)
        return item;
    item = item_link(dir, fresh);
    if (item != fresh)
        kfree(fresh);
    return item;
}

int proc_tree_add(struct proc_tree *tree, const char *path, const struct proc_entry *e) {
    struct proc_item *dir = tree->root;
    const char *name = path;
    for (;;) {
        size_t len = 0;
        while (name[len] && name[len] != '/')
            len++;
        bool last = !name[len];
        dir = item_get(dir, last ? e : NULL, tree->dir_mode, name, len);
        if (!dir)
            return -ENOMEM;
        if (last)
            return dir->entry == e ? 0 : -EEXIST;
        name += len + 1;
    }
}

// ---- inodes

struct inode *proc_inode_create(struct superblock *sb, mode_t mode, struct proc_node *node,
                                const struct inode_ops *ops, const struct file_ops *fops) {
    struct inode *inode = inode_create(sb, mode);
    if (!inode)
        return ERR_PTR(-ENOMEM);
    inode->private_data = node;
    inode->nlink = S_ISDIR(mode) ? 2 : 1;
    inode->ops = ops ? ops : &proc_file_inode_ops;
    inode->fops = fops ? fops : &proc_file_ops;
    return inode;
}

static struct inode *item_inode(struct superblock *sb, struct proc_item *item) {
    const struct inode_ops *ops = S_ISDIR(item->mode) ? &dir_ops : S_ISLNK(item->mode) ? &link_ops : NULL;
    const struct file_ops *fops = S_ISDIR(item->mode) ? &dir_fops : item->entry->fops;
    if (item->entry && item->entry->directory) {
        ops = item->entry->directory;
        fops = item->entry->fops;
    }
    struct inode *inode = proc_inode_create(sb, item->mode, &item->node, ops, fops);
    if (IS_ERR(inode))
        return inode;
    if (fops && !S_ISDIR(item->mode)) {
        inode->ops = &proc_raw_inode_ops;
    } else if (S_ISREG(item->mode)) {
        const struct proc_tree *tree = sb->private_data;
        inode->ops = tree->file_inode_ops;
        inode->size = tree->file_size;
    }
    inode->ino = item->ino;
    inode->nlink += item->directories;
    return inode;
}

void proc_inode_free(struct inode *inode) {
    struct proc_node *node = proc_node(inode);
    if (node && node->free)
        node->free(node);
}

int proc_tree_create(struct proc_tree *tree, const struct fs_type *type) {
    tree->root = item_create(NULL, 0555, "", 0);
    tree->sb = superblock_create(type);
    if (!tree->root || !tree->sb) {
        kfree(tree->root);
        if (tree->sb)
            superblock_put(tree->sb);
        tree->root = NULL; // who tries again asks whether it is there
        tree->sb = NULL;
        return -ENOMEM;
    }
    tree->root->ino = PROC_ROOT_INO;
    tree->sb->private_data = tree;
    return 0;
}

int proc_tree_copy(struct proc_tree *copy, const struct proc_tree *of, const struct fs_type *type) {
    *copy = *of;
    copy->sb = superblock_create(type);
    if (!copy->sb)
        return -ENOMEM;
    copy->sb->private_data = copy;
    return 0;
}

struct dentry *proc_tree_mount(struct proc_tree *tree, const struct inode_ops *ops,
                               const struct file_ops *fops) {
    struct inode *inode = item_inode(tree->sb, tree->root);
    if (IS_ERR(inode))
        return ERR_PTR(PTR_ERR(inode));
    if (ops)
        inode->ops = ops;
    if (fops)
        inode->fops = fops;
    struct dentry *d = dentry_create_root(inode);
    inode_put(inode);
    return d ? d : ERR_PTR(-ENOMEM);
}

// ---- directories and links

int proc_tree_lookup(struct inode *dir, struct dentry *d) {
    spin_lock(&items_lock);
    struct proc_item *item = find_child(item_of(dir), d->name, d->name_len);
    spin_unlock(&items_lock);
    if (!item)
        return 0;
    struct inode *inode = item_inode(dir->sb, item);
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    d->inode = inode;
    return 0;
}

// The child after `item` (NULL: the first). Children never go.
static struct proc_item *next_child(struct proc_item *dir, struct proc_item *item) {
    spin_lock(&items_lock);
    struct list_head *link = item ? item->link.next : dir->children.next;
    spin_unlock(&items_lock);
    return link == &dir->children ? NULL : list_entry(link, struct proc_item, link);
}

bool proc_tree_emit(const struct inode *inode, struct dir_context *ctx) {
    struct proc_item *dir = item_of(inode);
    off_t pos = 2;
    for (struct proc_item *item = next_child(dir, NULL); item; item = next_child(dir, item), pos++) {
        if (pos < ctx->pos)
            continue;
        if (!ctx->emit(ctx, item->name, strlen(item->name), pos + 1, item->ino, proc_dirent_type(item->mode)))
            return false;
        ctx->pos = pos + 1;
    }
    return true;
}

static int dir_readdir(struct file *f, struct dir_context *ctx) {
    proc_tree_emit(f->inode, ctx);
    return 0;
}

static const char *link_read(struct inode *inode, char *buf, size_t n) {
    const struct proc_entry *e = item_of(inode)->entry;
    return e->link(buf, n, inode->sb->private_data, e->arg);
}

static const struct inode_ops dir_ops = {.lookup = proc_tree_lookup};
static const struct inode_ops link_ops = {.readlink = link_read};
static const struct file_ops dir_fops = {.readdir = dir_readdir, .lseek = proc_lseek};
