// SPDX-License-Identifier: MIT
// Files without a name: memfd_create(2) with its seals, shared anonymous memory.
#include "core/errno.h"
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/tmpfs/data.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include <linux/fcntl.h>
#include <linux/memfd.h>

static struct mount *internal_mount; // [I] where they are

static struct file *create_unnamed(const char *name, mode_t mode, uint64_t size, int flags,
                                   unsigned int seals) {
    struct superblock *sb = internal_mount->sb;
    struct inode *inode = tmpfs_inode(sb, S_IFREG | mode);
    if (IS_ERR(inode))
        return ERR_PTR(PTR_ERR(inode));
    inode_init_owner(inode, NULL);
    struct dentry *d = dentry_alloc(internal_mount->root, name, MIN(strlen(name), (size_t)255));
    if (!d) {
        inode_put(inode);
        return ERR_PTR(-ENOMEM);
    }
    d->inode = inode;
    d->dead = true;
    inode->nlink = 0;
    inode->size = size;
    tmpfs_data(inode)->seals = seals;
    tmpfs_data(inode)->outlives = false;
    struct path path = {internal_mount, d};
    struct file *f = file_open_path(&path, O_RDWR | flags);
    dentry_put(d);
    if (!IS_ERR(f))
        file_end_writing(f);
    return f;
}

struct file *tmpfs_create_anon(const char *name, size_t size, int flags) {
    return create_unnamed(name, 0777, size, flags, F_SEAL_SEAL);
}

void tmpfs_set_outlives(struct file *f, bool outlives) {
    WRITE_ONCE(tmpfs_data(f->inode)->outlives, outlives);
}

struct file *tmpfs_create_memfd(const char *name, unsigned int flags) {
    char full[256];
    lib_snprintf(full, sizeof(full), "memfd:%s", name);
    if (flags & MFD_NOEXEC_SEAL)
        return create_unnamed(full, 0666, 0, O_LARGEFILE, F_SEAL_EXEC);
    return create_unnamed(full, 0777, 0, O_LARGEFILE, flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL);
}

static bool has_seals(const struct file *f) {
    return f->ops == &tmpfs_file_ops;
}

int tmpfs_get_seals(struct file *f) {
    return has_seals(f) ? (int)tmpfs_data(f->inode)->seals : -EINVAL;
}

int tmpfs_add_seals(struct file *f, unsigned int seals) {
    if (!has_seals(f) || (seals & ~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
                                    F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)))
        return -EINVAL;
    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EPERM;
    struct tmpfs_data *t = tmpfs_data(f->inode);
    int err = 0;
    mutex_lock(&f->inode->lock);
    if (t->seals & F_SEAL_SEAL)
        err = -EPERM;
    else if (seals & ~t->seals & F_SEAL_WRITE)
        err = vm_backing_forbid_writers(&f->inode->backing);
    if (!err && (seals & F_SEAL_EXEC) && (f->inode->mode & 0111)) // what can be run is not written
        seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    if (!err)
        t->seals |= seals;
    mutex_unlock(&f->inode->lock);
    return err;
}

void memfd_init(void) {
    struct dentry *root = tmpfs_create_root();
    if (IS_ERR(root) || !(internal_mount = mount_create_internal(root)))
        panic("no memory for tmpfs");
    dentry_put(root);
}
