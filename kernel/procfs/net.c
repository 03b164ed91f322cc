// SPDX-License-Identifier: MIT
// /proc/net, which is /proc/PID/net, of every process the same: sockets of UNIX and netlink here, devices, addresses and routes in
// net_devices.c, the rest in net_inet.c.
#include "core/panic.h"
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
    unix_for_each(show_unix_socket, s);
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
    netlink_for_each(show_netlink_socket, s);
    return 0;
}

static const struct proc_entry entries[] = {
    {.path = "netlink", .show = show_netlink},
    {.path = "unix", .show = show_unix},
};

static struct proc_tree tree; // [I] after the start

void proc_net_add(const struct proc_entry *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (proc_tree_add(&tree, list[i].path, &list[i]))
            panic("no memory for /proc/net/%s", list[i].path);
}

struct inode *proc_net_inode(struct superblock *sb) {
    return proc_tree_inode(&tree, sb);
}

void proc_net_init(void) {
    if (proc_tree_branch(&tree, &proc_tree))
        panic("no memory for /proc/net");
    proc_net_add(entries, ARRAY_SIZE(entries));
    proc_net_devices_init();
    proc_net_inet_init();
}
