// SPDX-License-Identifier: MIT
// /sys/firmware/devicetree/base: the device tree as the firmware gave it, a directory for each node and a file for each property, by which
// programs tell what machine this is. Nothing is kept for what nobody has open.
#include "core/errno.h"
#include "core/fdt.h"
#include "fs/dentry.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "procfs/private.h"

#define FIRST_INO 0xe0000000ul // and its place in the blob
#define NAME_INO  0xd0000000ul // of "name", which Linux gives each node: what its name is without the address

struct tree_file {
    struct proc_node node;
    int at; // a directory's node
    const void *data;
    size_t length; // and a NUL behind it: "name"
    bool is_name;
};

static const struct inode_ops node_ops;
static const struct file_ops node_fops;

static int node_of(const struct inode *inode) {
    return inode->ops == &node_ops ? container_of(proc_node(inode), struct tree_file, node)->at : 0;
}

static int show(struct seq_buf *s, struct proc_node *node) {
    const struct tree_file *f = container_of(node, struct tree_file, node);
    seq_write(s, f->data, f->length);
    if (f->is_name)
        seq_char(s, '\0');
    return 0;
}

static void free_file(struct proc_node *node) {
    kfree(container_of(node, struct tree_file, node));
}

static struct fdt_value name_of(int node) {
    const char *name = fdt_node_name(node);
    size_t length = 0;
    while (name[length] && name[length] != '@')
        length++;
    return (struct fdt_value){.name = "name", .data = name, .length = length};
}

// The property of that name (n bytes). A tree that has a "name" of its own for the node keeps it.
static bool find_value(int node, const char *name, size_t n, struct fdt_value *out, bool *is_name) {
    for (int at = 0; fdt_next_value(node, &at, out);)
        if (strlen(out->name) == n && !memcmp(out->name, name, n))
            return true;
    *out = name_of(node);
    *is_name = n == 4 && !memcmp(name, "name", 4);
    return *is_name;
}

static int find_child(int node, const char *name, size_t n) {
    int child = fdt_child(node, node);
    while (child >= 0 && (strlen(fdt_node_name(child)) != n || memcmp(fdt_node_name(child), name, n)))
        child = fdt_child(node, child);
    return child;
}

static int give(struct dentry *d, struct superblock *sb, const struct tree_file *like, unsigned long ino) {
    const struct proc_tree *tree = sb->private_data;
    bool directory = like->at >= 0;
    struct tree_file *f = kmalloc(sizeof(*f));
    if (!f)
        return -ENOMEM;
    *f = *like;
    f->node = (struct proc_node){.show = directory ? NULL : show, .free = free_file};
    struct inode *inode =
        proc_inode_create(sb, directory ? S_IFDIR | tree->dir_mode : S_IFREG | 0444, &f->node,
                          directory ? &node_ops : tree->file_inode_ops, directory ? &node_fops : NULL);
    if (IS_ERR(inode)) {
        kfree(f);
        return PTR_ERR(inode);
    }
    inode->ino = ino;
    if (!directory)
        inode->size = f->length + f->is_name;
    d->inode = inode;
    return 0;
}

static int lookup(struct inode *dir, struct dentry *d) {
    int node = node_of(dir);
    struct fdt_value value;
    bool is_name = false;
    int child = find_child(node, d->name, d->name_len);
    if (child >= 0) {
        const struct tree_file like = {.at = child};
        return give(d, dir->sb, &like, FIRST_INO + fdt_node_place(child));
    }
    if (!find_value(node, d->name, d->name_len, &value, &is_name))
        return 0;
    const struct tree_file like = {.at = -1, .data = value.data, .length = value.length, .is_name = is_name};
    return give(d, dir->sb, &like, is_name ? NAME_INO + fdt_node_place(node) : FIRST_INO + value.place);
}

// The entry at *pos, unless it was emitted before. False: there is no more room.
static bool emit(struct dir_context *ctx, off_t *pos, const char *name, unsigned long ino, mode_t type) {
    off_t here = (*pos)++;
    if (here < ctx->pos)
        return true;
    if (!ctx->emit(ctx, name, strlen(name), here + 1, ino, proc_dirent_type(type)))
        return false;
    ctx->pos = here + 1;
    return true;
}

static int read_directory(struct file *f, struct dir_context *ctx) {
    int node = node_of(f->inode);
    off_t pos = 2;
    struct fdt_value value;
    bool named = false;
    for (int at = 0; fdt_next_value(node, &at, &value);) {
        named |= !strcmp(value.name, "name");
        if (!emit(ctx, &pos, value.name, FIRST_INO + value.place, S_IFREG))
            return 0;
    }
    if (!named && !emit(ctx, &pos, "name", NAME_INO + fdt_node_place(node), S_IFREG))
        return 0;
    for (int child = fdt_child(node, node); child >= 0; child = fdt_child(node, child))
        if (!emit(ctx, &pos, fdt_node_name(child), FIRST_INO + fdt_node_place(child), S_IFDIR))
            return 0;
    return 0;
}

static void count_links(struct inode *inode, struct kstat *st) {
    int node = node_of(inode);
    st->nlink = 2;
    for (int child = fdt_child(node, node); child >= 0; child = fdt_child(node, child))
        st->nlink++;
}

static const struct inode_ops node_ops = {.lookup = lookup, .getattr = count_links};
static const struct file_ops node_fops = {.readdir = read_directory, .lseek = proc_lseek};
const struct inode_ops sysfs_devicetree_ops = {.lookup = lookup, .getattr = count_links};
const struct file_ops sysfs_devicetree_fops = {.readdir = read_directory, .lseek = proc_lseek};
