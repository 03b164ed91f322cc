// SPDX-License-Identifier: MIT
// The file system type "devpts": a directory with a device node for each pty that is there, and "ptmx", which
// makes one. There is one instance. Inodes are made at lookup; the owner and mode that a program gives a node
// are kept at the pty.
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/dev/chrdev.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "tty/pty.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/major.h>

#define ROOT_INO  1
#define PTMX_INO  2
#define FIRST_INO 3 // of pty 0

static struct superblock *devpts_sb; // [I]
static struct dentry *devpts_root;   // [I]

// ---- options

// What the options of the last mount or remount that named it say; there is one instance.
struct devpts_options {
    bool has_uid, has_gid;
    uid_t uid;
    gid_t gid;
    mode_t mode, ptmx_mode;
};
static struct spinlock options_lock = SPINLOCK_INIT;
static struct devpts_options chosen = {.mode = 0620, .ptmx_mode = 0666}; // [options_lock]

static struct devpts_options get_options(void) {
    spin_lock(&options_lock);
    struct devpts_options o = chosen;
    spin_unlock(&options_lock);
    return o;
}

void devpts_new_owner(struct pty_owner *owner) {
    struct devpts_options o = get_options();
    *owner = (struct pty_owner){.mode = S_IFCHR | o.mode,
                                .uid = o.has_uid ? o.uid : current->cred->fsuid,
                                .gid = o.has_gid ? o.gid : current->cred->fsgid,
                                .created = clock_realtime()};
}

// ---- nodes

// inode->private_data of a pty's node.
static struct tty *tty_of(const struct inode *inode) {
    return inode->private_data;
}

static int devpts_setattr(struct inode *inode, const struct iattr *attr) {
    struct pty_owner owner;
    int err = inode_setattr(inode, attr);
    if (err || !tty_of(inode))
        return err;
    pty_get_owner(tty_of(inode), &owner);
    owner.mode = inode->mode;
    owner.uid = inode->uid;
    owner.gid = inode->gid;
    pty_set_owner(tty_of(inode), &owner);
    return 0;
}

static const struct inode_ops node_ops = {.setattr = devpts_setattr};

// ptmx, or the pty whose reference the inode takes over.
static struct inode *node_create(struct tty *tty, unsigned int index) {
    struct inode *inode = inode_create(devpts_sb, S_IFCHR | 0666);
    if (!inode)
        return NULL;
    inode->ops = &node_ops;
    inode->nlink = 1;
    inode->ino = tty ? FIRST_INO + index : PTMX_INO;
    inode->rdev = tty ? tty_dev(tty) : MKDEV(TTYAUX_MAJOR, 2);
    inode->private_data = tty;
    if (!tty) {
        inode->mode = S_IFCHR | get_options().ptmx_mode;
    } else {
        struct pty_owner owner;
        pty_get_owner(tty, &owner);
        inode->mode = owner.mode;
        inode->uid = owner.uid;
        inode->gid = owner.gid;
        inode->atime = inode->mtime = inode->ctime = owner.created;
    }
    return inode;
}

static int devpts_lookup(struct inode *dir, struct dentry *d) {
    int index = (int)number_of_name(d->name, 999);
    struct tty *tty = index >= 0 ? pty_get(index) : NULL;
    (void)dir;
    if (!tty && strcmp(d->name, "ptmx"))
        return 0;
    struct inode *inode = node_create(tty, index);
    if (!inode) {
        tty_put(tty);
        return -ENOMEM;
    }
    d->inode = inode;
    return 0;
}

static int devpts_readdir(struct file *f, struct dir_context *ctx) {
    char name[8];
    (void)f;
    if (ctx->pos <= 2) {
        if (!ctx->emit(ctx, "ptmx", 4, 3, PTMX_INO, S_IFCHR >> 12))
            return 0;
        ctx->pos = 3;
    }
    for (int index; (index = pty_next(ctx->pos - 3)) >= 0; ctx->pos = index + 4) {
        int len = lib_snprintf(name, sizeof(name), "%d", index);
        if (!ctx->emit(ctx, name, len, index + 4, FIRST_INO + index, S_IFCHR >> 12))
            break;
    }
    return 0;
}

static const struct inode_ops root_ops = {.lookup = devpts_lookup};
static const struct file_ops root_fops = {.readdir = devpts_readdir};

// Where the holder of a master sees this file system. -ENODEV: nowhere.
static int find_root(const struct path *ptmx, struct path *out) {
    *out = *ptmx;
    path_get(out);
    while (out->dentry == out->mount->root && mount_cross_up(out)) // a node alone, bound over another
        ;
    struct dentry *parent = dentry_get_parent(out->dentry);
    struct dentry *d = parent == devpts_root ? parent : vfs_lookup(parent, "pts", 3);
    if (d != parent)
        dentry_put(parent);
    if (IS_ERR(d)) {
        path_put(out);
        return (int)PTR_ERR(d);
    }
    dentry_put(out->dentry);
    out->dentry = d;
    mount_cross_down(out);
    if (out->dentry == devpts_root)
        return 0;
    path_put(out);
    return -ENODEV;
}

int devpts_open(const struct path *ptmx, unsigned int index, int flags) {
    char name[8];
    struct path root;
    int err = find_root(ptmx, &root);
    if (err)
        return err;
    lib_snprintf(name, sizeof(name), "%u", index);
    struct file *f = file_open_in(&root, name, flags);
    path_put(&root);
    return IS_ERR(f) ? (int)PTR_ERR(f) : fd_add(f, flags & O_CLOEXEC);
}

// ---- the file system type

static int parse_option(const char *key, const char *value, void *arg) {
    struct devpts_options *o = arg;
    bool mode = !strcmp(key, "mode"), ptmx_mode = !strcmp(key, "ptmxmode");
    uint64_t v;
    if (!strcmp(key, "newinstance"))
        return value ? -EINVAL
                     : 0; // as Linux, which makes one for each mount: there it says nothing any more
    int err =
        fs_option_number(value, mode || ptmx_mode ? 8 : 10, mode || ptmx_mode ? 07777 : UINT32_MAX - 1, &v);
    if (err)
        return err;
    if (mode) {
        o->mode = v & 0777;
    } else if (ptmx_mode) {
        o->ptmx_mode = v & 0777;
    } else if (!strcmp(key, "uid")) {
        o->has_uid = true;
        o->uid = v;
    } else if (!strcmp(key, "gid")) {
        o->has_gid = true;
        o->gid = v;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int devpts_remount(struct superblock *sb, const char *options) {
    struct devpts_options o = get_options();
    (void)sb;
    int err = fs_options_for_each(options, parse_option, &o);
    if (err || !capable(CAP_SYS_ADMIN)) // others' mounts show it as it is
        return err;
    spin_lock(&options_lock);
    chosen = o;
    spin_unlock(&options_lock);
    return 0;
}

static int devpts_show_options(struct superblock *sb, char *buf, size_t n) {
    struct devpts_options o = get_options();
    int len = 0;
    (void)sb;
    if (o.has_uid)
        len += lib_snprintf(buf, n, ",uid=%u", o.uid);
    if (o.has_gid)
        len += lib_snprintf(buf + len, n - len, ",gid=%u", o.gid);
    return len + lib_snprintf(buf + len, n - len, ",mode=%03o,ptmxmode=%03o", o.mode, o.ptmx_mode);
}

static struct dentry *devpts_mount(const struct fs_type *type, const char *source, const char *options) {
    (void)type, (void)source;
    int err = devpts_remount(NULL, options);
    if (err)
        return ERR_PTR(err);
    dentry_get(devpts_root);
    return devpts_root;
}

static int devpts_statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = DEVPTS_SUPER_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static void devpts_inode_free(struct inode *inode) {
    tty_put(tty_of(inode));
}

static struct fs_type devpts_type = {.name = "devpts",
                                     .nodev = true,
                                     .shared = true,
                                     .for_users = true,
                                     .has_devices = true,
                                     .mount = devpts_mount,
                                     .remount = devpts_remount,
                                     .show_options = devpts_show_options,
                                     .statfs = devpts_statfs,
                                     .inode_free = devpts_inode_free};

void devpts_init(void) {
    devpts_sb = superblock_create(&devpts_type);
    struct inode *inode = devpts_sb ? inode_create(devpts_sb, S_IFDIR | 0755) : NULL;
    if (!inode)
        panic("no memory for devpts");
    inode->ino = ROOT_INO;
    inode->nlink = 2;
    inode->ops = &root_ops;
    inode->fops = &root_fops;
    devpts_root = dentry_create_root(inode);
    if (!devpts_root)
        panic("no memory for devpts");
    fs_type_register(&devpts_type);
}
