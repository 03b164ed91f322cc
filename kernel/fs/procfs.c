// SPDX-License-Identifier: MIT
// procfs: the tree under /proc.
//
// Fixed entries form a tree of items, made as they are registered and kept for good. The root directory has,
// besides them, the directories of processes, which the layer above makes at each lookup (proc.h), and "self"
// and "thread-self". There is one superblock, shown by every mount. An inode lives as long as somebody uses
// it, and the next lookup of the name makes another with the same number.
#include "fs/proc.h"
#include "core/panic.h"
#include "fs/proc_private.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/magic.h>

#define PROC_ROOT_INO 1
#define PROC_FIXED_INOS                                                                                      \
    0xf0000000ul // of fixed entries from here on; those of processes are given out from 2 on

struct proc_item {
    struct proc_node node;
    const struct proc_entry *entry; // [I] NULL: a directory
    struct proc_item *parent;       // [I]
    struct list_head children;      // [items_lock]
    struct list_head link;          // [items_lock] in parent's children
    unsigned int directories;       // [items_lock] among the children
    ino_t ino;                      // [I]
    mode_t mode;                    // [I]
    char name[];                    // [I]
};

static struct spinlock items_lock = SPINLOCK_INIT;
static struct proc_item *root;           // [I] after start
static ino_t next_ino = PROC_FIXED_INOS; // [items_lock]
static const struct proc_pid_ops *pids;  // [I] once set
static struct superblock *proc_sb;       // [I]

static const struct inode_ops dir_ops, root_ops, link_ops;
static const struct file_ops dir_fops, root_fops;

static struct proc_item *item_of(const struct inode *inode) {
    return container_of(proc_node(inode), struct proc_item, node);
}

// ---- the tree of fixed entries

static struct proc_item *find_child(struct proc_item *dir, const char *name, size_t len) {
    struct proc_item *item;
    list_for_each_entry (item, &dir->children, link)
        if (!strncmp(item->name, name, len) && !item->name[len])
            return item;
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

static mode_t item_mode(const struct proc_entry *e) {
    if (!e)
        return S_IFDIR | 0555;
    if (e->link)
        return S_IFLNK | 0777;
    return S_IFREG | (e->mode ? e->mode : 0444);
}

// NULL if no memory.
static struct proc_item *item_create(const struct proc_entry *e, const char *name, size_t len) {
    struct proc_item *item = kzalloc(sizeof(*item) + len + 1);
    if (!item)
        return NULL;
    memcpy(item->name, name, len);
    list_init(&item->children);
    item->entry = e;
    item->mode = item_mode(e);
    if (e && e->show)
        item->node.show = item_show;
    if (e && e->store)
        item->node.store = item_store;
    return item;
}

// Links `fresh` under `dir` unless there is one of that name. Returns the one that is there.
static struct proc_item *item_link(struct proc_item *dir, struct proc_item *fresh) {
    spin_lock(&items_lock);
    struct proc_item *item = find_child(dir, fresh->name, strlen(fresh->name));
    if (!item) {
        item = fresh;
        item->parent = dir;
        item->ino = next_ino++;
        list_add_tail(&item->link, &dir->children);
        dir->directories += S_ISDIR(item->mode);
    }
    spin_unlock(&items_lock);
    return item;
}

int proc_register(const struct proc_entry *e) {
    struct proc_item *dir = root;
    const char *name = e->path;
    for (;;) {
        size_t len = 0;
        while (name[len] && name[len] != '/')
            len++;
        bool last = !name[len];
        struct proc_item *fresh = item_create(last ? e : NULL, name, len);
        if (!fresh)
            return -ENOMEM;
        struct proc_item *item = item_link(dir, fresh);
        if (item != fresh)
            kfree(fresh);
        if (last)
            return 0;
        dir = item;
        name += len + 1;
    }
}

void proc_register_pids(const struct proc_pid_ops *ops) {
    pids = ops;
}

struct proc_counts proc_get_counts(void) {
    struct proc_counts c = {0, 0, 0};
    if (pids)
        pids->count(&c);
    return c;
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
    struct inode *inode = proc_inode_create(sb, item->mode, &item->node, ops, fops);
    if (IS_ERR(inode))
        return inode;
    if (fops && !S_ISDIR(item->mode))
        inode->ops = &proc_raw_inode_ops;
    inode->ino = item->ino;
    inode->nlink += item->directories;
    return inode;
}

static void proc_inode_free(struct inode *inode) {
    struct proc_node *node = proc_node(inode);
    if (node && node->free)
        node->free(node);
}

// ---- directories and links

static int dir_lookup(struct inode *dir, struct dentry *d) {
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

static unsigned int type_of(mode_t mode) {
    return (mode & S_IFMT) >> 12;
}

// Emits the children from position `base` on. False when there is no more room.
static bool emit_children(struct proc_item *dir, struct dir_context *ctx, off_t base) {
    off_t pos = base;
    for (struct proc_item *item = next_child(dir, NULL); item; item = next_child(dir, item), pos++) {
        if (pos < ctx->pos)
            continue;
        if (!ctx->emit(ctx, item->name, strlen(item->name), pos + 1, item->ino, type_of(item->mode)))
            return false;
        ctx->pos = pos + 1;
    }
    return true;
}

static int dir_readdir(struct file *f, struct dir_context *ctx) {
    emit_children(item_of(f->inode), ctx, 2);
    return 0;
}

static const char *link_read(struct inode *inode, char *buf, size_t n) {
    const struct proc_entry *e = item_of(inode)->entry;
    return e->link(buf, n, e->arg);
}

static const struct inode_ops dir_ops = {.lookup = dir_lookup};
static const struct inode_ops link_ops = {.readlink = link_read};
static const struct file_ops dir_fops = {.readdir = dir_readdir, .lseek = proc_lseek};

// ---- the root: fixed entries, then the processes

#define PID_POSITIONS (1l << 20) // position of process p in readdir: this + p

static pid_t parse_pid(const char *name, size_t len) {
    pid_t pid = 0;
    if (!len || len > 8 || name[0] == '0')
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        pid = pid * 10 + (name[i] - '0');
    }
    return pid;
}

static int root_lookup(struct inode *dir, struct dentry *d) {
    pid_t pid = parse_pid(d->name, d->name_len);
    if (!pid)
        return dir_lookup(dir, d);
    if (!pids || !pids->exists(pid))
        return 0;
    struct inode *inode = pids->inode(dir->sb, pid);
    if (PTR_ERR(inode) == -ENOENT)
        return 0;
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    d->inode = inode;
    return 0;
}

static int root_readdir(struct file *f, struct dir_context *ctx) {
    char name[16];
    if (!emit_children(item_of(f->inode), ctx, 2) || !pids)
        return 0;
    pid_t pid = ctx->pos > PID_POSITIONS ? (pid_t)(ctx->pos - PID_POSITIONS) : 0;
    while ((pid = pids->next(pid))) {
        int len = lib_snprintf(name, sizeof(name), "%d", pid);
        if (!ctx->emit(ctx, name, len, PID_POSITIONS + pid, PROC_ROOT_INO + pid, type_of(S_IFDIR)))
            return 0;
        ctx->pos = PID_POSITIONS + pid;
    }
    return 0;
}

static const struct inode_ops root_ops = {.lookup = root_lookup};
static const struct file_ops root_fops = {.readdir = root_readdir, .lseek = proc_lseek};

static const char *self_link(char *buf, size_t n, void *arg) {
    (void)arg;
    if (!pids || !pids->self())
        return ERR_PTR(-ENOENT);
    lib_snprintf(buf, n, "%d", pids->self());
    return buf;
}

static const char *thread_self_link(char *buf, size_t n, void *arg) {
    (void)arg;
    if (!pids || !pids->self())
        return ERR_PTR(-ENOENT);
    lib_snprintf(buf, n, "%d/task/%d", pids->self(), pids->thread_self());
    return buf;
}

static const char *mounts_link(char *buf, size_t n, void *arg) {
    (void)buf, (void)n, (void)arg;
    return "self/mounts";
}

static const struct proc_entry root_links[] = {
    {.path = "self", .link = self_link},
    {.path = "thread-self", .link = thread_self_link},
    {.path = "mounts", .link = mounts_link},
};

// ---- the file system type

// Nothing is hidden here: only what asks for that is possible. `gid` says who would see it all the same.
static int proc_option(const char *key, const char *value, void *arg) {
    uint64_t gid;
    (void)arg;
    if (!strcmp(key, "hidepid"))
        return value && (!strcmp(value, "0") || !strcmp(value, "off")) ? 0 : -EINVAL;
    return strcmp(key, "gid") ? -EINVAL : fs_option_number(value, 10, UINT32_MAX - 1, &gid);
}

static int proc_remount(struct superblock *sb, const char *options) {
    (void)sb;
    return fs_options_for_each(options, proc_option, NULL);
}

static struct dentry *proc_mount(const struct fs_type *type, const char *source, const char *options) {
    (void)type, (void)source;
    int err = proc_remount(NULL, options);
    if (err)
        return ERR_PTR(err);
    struct inode *inode = proc_inode_create(proc_sb, S_IFDIR | 0555, &root->node, &root_ops, &root_fops);
    if (IS_ERR(inode))
        return ERR_PTR(PTR_ERR(inode));
    inode->ino = PROC_ROOT_INO;
    inode->nlink += root->directories;
    struct dentry *d = dentry_create_root(inode);
    inode_put(inode);
    return d ? d : ERR_PTR(-ENOMEM);
}

static int proc_statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = PROC_SUPER_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static struct fs_type proc_type = {.name = "proc",
                                   .nodev = true,
                                   .shared = true,
                                   .fixed_names = true,
                                   .mount = proc_mount,
                                   .remount = proc_remount,
                                   .statfs = proc_statfs,
                                   .inode_free = proc_inode_free};

void procfs_init(void) {
    root = item_create(NULL, "", 0);
    proc_sb = superblock_create(&proc_type);
    if (!root || !proc_sb)
        panic("no memory for /proc");
    root->parent = root;
    root->ino = PROC_ROOT_INO;
    proc_register_all(root_links, ARRAY_SIZE(root_links));
    proc_files_init();
    fs_type_register(&proc_type);
}
