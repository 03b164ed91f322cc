// SPDX-License-Identifier: MIT
// /proc/net, which is /proc/self/net: what the network of a process has. Sockets of UNIX and netlink here, devices, addresses and routes in
// net_devices.c, the rest in net_inet.c.
#include "core/panic.h"
#include "fs/dentry.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/netlink.h"
#include "net/unix.h"
#include "procfs/private.h"

#define NAME_OFFSET 2 // of the name in the address

// One line; an abstract name begins with '@', and so its NULs look.
static bool show_unix_socket(const struct unix_info *i, void *arg) {
    struct seq_buf *s = arg;
    const char *name = socket_address_bytes(&i->name) + NAME_OFFSET;
    int len = i->name.len - NAME_OFFSET;
    int state = i->has_file ? (i->connected ? 3 : 1) : (i->connected ? 2 : 4);
    seq_printf(s, "%016lx: %08X %08X %08X %04X %02X %5lu", 0ul, (unsigned int)i->refs, 0u,
               i->listening ? 0x10000u : 0u, (unsigned int)i->type, (unsigned int)state,
               (unsigned long)i->ino);
    if (len > 0) {
        bool abstract = !name[0];
        seq_puts(s, abstract ? " @" : " ");
        for (int n = abstract; n < len - !abstract; n++)
            seq_write(s, name[n] ? &name[n] : "@", 1);
    }
    seq_puts(s, "\n");
    return true;
}

static int show_unix(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    unix_for_each(s->net, show_unix_socket, s);
    return 0;
}

static bool show_netlink_socket(const struct netlink_info *i, void *arg) {
    seq_printf(arg, "%016lx %-3d %-10u %08x %-8lu %-8lu %-5d %-8d %-8lu %-8lu\n", 0ul, i->protocol, i->port,
               (uint32_t)i->groups, i->rmem, i->wmem, i->dumping, i->refs, i->drops, (unsigned long)i->ino);
    return true;
}

static int show_netlink(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "sk               Eth Pid        Groups   "
                "Rmem     Wmem     Dump  Locks    Drops    Inode\n");
    netlink_for_each(s->net, show_netlink_socket, s);
    return 0;
}

static const struct proc_entry entries[] = {
    {.path = "netlink", .show = show_netlink},
    {.path = "unix", .show = show_unix},
};

// ---- the directory: an inode is made at each lookup, and has its network

#define FILES_MOST 48
static const struct proc_entry *files[FILES_MOST]; // [I] after the start
static unsigned int file_count;                    // [I] the same

#define FIRST_INO (1ul << 40) // of the first network's, which has the cookie 1

struct net_node {
    struct proc_node node;
    struct net_ns *net;             // referenced
    const struct proc_entry *entry; // NULL: the directory
};

static struct net_node *net_node(const struct inode *inode) {
    return container_of(proc_node(inode), struct net_node, node);
}

static void free_node(struct proc_node *node) {
    struct net_node *n = container_of(node, struct net_node, node);
    net_put(n->net);
    kfree(n);
}

static int show(struct seq_buf *s, struct proc_node *node) {
    const struct net_node *n = container_of(node, struct net_node, node);
    s->net = n->net;
    return n->entry->show(s, n->entry->arg);
}

static const struct inode_ops dir_ops;
static const struct file_ops dir_fops;

static ino_t number_of(const struct net_ns *net, unsigned int which) {
    return FIRST_INO + net->cookie * (FILES_MOST + 1) + which;
}

// which: of the files, from 1 on; 0: the directory.
static struct inode *make(struct superblock *sb, struct net_ns *net, unsigned int which) {
    struct net_node *n = kzalloc(sizeof(*n));
    if (!n)
        return ERR_PTR(-ENOMEM);
    n->entry = which ? files[which - 1] : NULL;
    n->node = (struct proc_node){.show = which ? show : NULL, .free = free_node};
    struct inode *inode = proc_inode_create(sb, which ? S_IFREG | 0444 : S_IFDIR | 0555, &n->node,
                                            which ? NULL : &dir_ops, which ? NULL : &dir_fops);
    if (IS_ERR(inode)) {
        kfree(n);
        return inode;
    }
    n->net = net_get(net);
    inode->ino = number_of(net, which);
    return inode;
}

static int lookup(struct inode *dir, struct dentry *d) {
    for (unsigned int i = 0; i < file_count; i++) {
        if (strcmp(files[i]->path, d->name))
            continue;
        struct inode *inode = make(dir->sb, net_node(dir)->net, i + 1);
        if (IS_ERR(inode))
            return PTR_ERR(inode);
        d->inode = inode;
    }
    return 0;
}

static int readdir(struct file *f, struct dir_context *ctx) {
    const struct net_ns *net = net_node(f->inode)->net;
    for (off_t i = ctx->pos - 2; i < (off_t)file_count; i++) {
        const char *name = files[i]->path;
        ctx->pos = i + 2;
        if (!ctx->emit(ctx, name, strlen(name), i + 3, number_of(net, (unsigned int)i + 1), S_IFREG >> 12))
            return 0;
    }
    ctx->pos = file_count + 2;
    return 0;
}

static const struct inode_ops dir_ops = {.lookup = lookup};
static const struct file_ops dir_fops = {.readdir = readdir, .lseek = proc_lseek};

void proc_net_add(const struct proc_entry *list, size_t n) {
    ASSERT(file_count + n <= FILES_MOST);
    for (size_t i = 0; i < n; i++)
        files[file_count++] = &list[i];
}

struct inode *proc_net_inode(struct superblock *sb, struct net_ns *net) {
    return make(sb, net, 0);
}

void proc_net_init(void) {
    proc_net_add(entries, ARRAY_SIZE(entries));
    proc_net_devices_init();
    proc_net_inet_init();
}
