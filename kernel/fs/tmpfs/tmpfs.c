// SPDX-License-Identifier: MIT
// tmpfs: directories are the tree of dentries itself; regular files are data.c's; symlinks hold their
// target.
#include "fs/tmpfs/tmpfs.h"
#include "core/errno.h"
#include "fs/acl.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/superblock.h"
#include "fs/tmpfs/data.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mman.h>

#define READ_BATCH    16 // pages
#define MAX_FILE_SIZE ((uint64_t)INT64_MAX)
#define SHORT_TARGET  128 // of a symlink: a longer one counts as a page, as in Linux

static const struct inode_ops dir_ops, file_iops, link_ops, special_ops;
static const struct file_ops dir_fops;
static struct slab_cache *files;

// ---- inodes

// An inode more: also a further link, whose name takes memory as an inode does. Files without a name have no limit here:
// their descriptors and mappings have.
static inline int charge_inode(struct superblock *sb) {
    uint64_t used = __atomic_add_fetch(&sb->used_inodes, 1, __ATOMIC_SEQ_CST),
             max = READ_ONCE(sb->max_inodes);
    if (likely(!max || (used <= max && !memory_is_short())))
        return 0;
    __atomic_fetch_sub(&sb->used_inodes, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

static void uncharge_inode(struct superblock *sb) {
    __atomic_fetch_sub(&sb->used_inodes, 1, __ATOMIC_RELAXED);
}

static inline struct inode *make_inode(struct superblock *sb, mode_t mode) {
    int err = charge_inode(sb);
    if (err)
        return ERR_PTR(err);
    struct inode *inode = S_ISREG(mode) ? inode_create_in(files, sb, mode) : inode_create(sb, mode);
    if (!inode) {
        uncharge_inode(sb);
        return ERR_PTR(-ENOMEM);
    }
    inode->ops = &special_ops;
    if (S_ISREG(mode)) {
        tmpfs_data(inode)->seals = F_SEAL_SEAL; // but for a memfd's
        tmpfs_data(inode)->outlives = true;     // but for files that have never a name
        inode->ops = &file_iops;
        inode->fops = &tmpfs_file_ops;
        vm_backing_init(&inode->backing, &tmpfs_backing_ops);
    } else if (S_ISDIR(mode)) {
        inode->ops = &dir_ops;
        inode->fops = &dir_fops;
    } else if (S_ISLNK(mode)) {
        inode->ops = &link_ops;
    }
    return inode;
}

struct inode *tmpfs_inode(struct superblock *sb, mode_t mode) {
    return make_inode(sb, mode);
}

void tmpfs_inode_free(struct inode *inode) {
    if (S_ISREG(inode->mode)) {
        tmpfs_cut(inode, 0);
    } else if (S_ISLNK(inode->mode)) {
        if (inode->size > SHORT_TARGET)
            tmpfs_uncharge(inode->sb, 1);
        kfree(inode->private_data);
    }
    uncharge_inode(inode->sb);
}

// ---- directories

static int tmpfs_create(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev) {
    struct inode *inode = make_inode(dir->sb, mode & ~MODE_LESS_UMASK);
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    inode_init_owner(inode, dir);
    int err = S_ISLNK(mode) ? 0 : acl_inherit(inode, dir, mode);
    if (unlikely(err)) {
        inode_put(inode);
        return err;
    }
    inode->flags = dir->flags & INODE_FLAGS_INHERITED;
    inode->rdev = rdev;
    d->inode = inode;
    return 0;
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, mode_t mode) {
    int err = tmpfs_create(dir, d, S_IFDIR | mode, 0);
    if (!err)
        inode_change_nlink(dir, 1);
    return err;
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target, size_t len) {
    bool is_long = len > SHORT_TARGET;
    int err = is_long ? tmpfs_charge(dir->sb) : 0;
    if (err)
        return err;
    char *copy = kstrndup(target, len);
    err = copy ? tmpfs_create(dir, d, S_IFLNK | 0777, 0) : -ENOMEM;
    if (err) {
        kfree(copy);
        if (is_long)
            tmpfs_uncharge(dir->sb, 1);
        return err;
    }
    d->inode->private_data = copy;
    d->inode->size = len;
    return 0;
}

static int tmpfs_link(struct inode *dir, struct dentry *d, struct inode *target) {
    int before = inode_add_link(target), err = before > 0 ? charge_inode(dir->sb) : MIN(before, 0);
    if (err && before > 0)
        inode_change_nlink(target, -1);
    if (err)
        return err;
    inode_get(target);
    d->inode = target;
    return 0;
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d) {
    bool is_dir = S_ISDIR(d->inode->mode);
    if (!is_dir && d->inode->nlink > 1)
        uncharge_inode(dir->sb);
    inode_change_nlink(d->inode, is_dir ? -2 : -1);
    if (is_dir)
        inode_change_nlink(dir, -1);
    return 0;
}

static int tmpfs_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
                        struct dentry *new_d, const char *new_name, unsigned int flags) {
    (void)new_name;
    bool old_is_dir = S_ISDIR(old->inode->mode), new_is_dir = new_d && S_ISDIR(new_d->inode->mode);
    if (flags & RENAME_EXCHANGE) {
        if (old_is_dir != new_is_dir && old_dir != new_dir) {
            inode_change_nlink(old_dir, new_is_dir - old_is_dir);
            inode_change_nlink(new_dir, old_is_dir - new_is_dir);
        }
    } else {
        if (new_d)
            (void)tmpfs_unlink(new_dir, new_d);
        if (old_is_dir) {
            inode_change_nlink(old_dir, -1);
            inode_change_nlink(new_dir, 1);
        }
    }
    inode_touch(old->inode, false);
    return 0;
}

static const char *tmpfs_readlink(struct inode *inode, char *buf, size_t n) {
    (void)buf, (void)n;
    return inode->private_data;
}

static void dir_getattr(struct inode *inode, struct kstat *st) {
    (void)inode;
    st->size = PAGE_SIZE;
}

static const struct file_ops dir_fops = {.readdir = dentry_readdir, .lseek = dentry_lseek_dir};
static const struct inode_ops dir_ops = {.create = tmpfs_create,
                                         .mkdir = tmpfs_mkdir,
                                         .symlink = tmpfs_symlink,
                                         .link = tmpfs_link,
                                         .unlink = tmpfs_unlink,
                                         .rename = tmpfs_rename,
                                         .getattr = dir_getattr,
                                         .setattr = inode_setattr};
static const struct inode_ops link_ops = {.readlink = tmpfs_readlink, .setattr = inode_setattr};
static const struct inode_ops special_ops = {.setattr = inode_setattr};

// ---- regular files

// Tries to read at most *n bytes, and says in *n how many it tried: 0, and it is to be tried again. Bytes copied.
static size_t read_part(struct inode *inode, struct uio *u, uint64_t at, size_t *n) {
    struct page *pages[READ_BATCH];
    size_t offset = at & PAGE_MASK;
    unsigned int count = 0;
    if (tmpfs_data(inode)->cache.root)
        count = tmpfs_find_pages(inode, at >> PAGE_SHIFT, pages,
                                 MIN((offset + *n + PAGE_SIZE - 1) >> PAGE_SHIFT, (size_t)READ_BATCH));
    if (count) {
        *n = MIN(*n, count * PAGE_SIZE - offset);
        return uio_write_pages(u, pages, count, offset, *n);
    }
    const char *borrowed = tmpfs_borrow(inode, at, n);
    if (!borrowed) { // a hole, or (*n is 0) a page that has come since we looked for one
        *n = MIN(*n, PAGE_SIZE - offset);
        return uio_zero(u, *n);
    }
    size_t copied = uio_write_to(u, borrowed, *n);
    tmpfs_borrow_end(inode);
    return copied;
}

// Somebody has read.
static void touch(struct file *f) {
    struct inode *inode = f->inode;
    if (!(f->flags & O_NOATIME) && !(inode->flags & FS_NOATIME_FL) && f->path.mount &&
        !(f->path.mount->flags & MS_NOATIME) &&
        filetime(inode->atime, inode->far.atime) <= filetime(inode->mtime, inode->far.mtime)) {
        inode->atime = clock_realtime();
        inode->far.atime = 0;
    }
}

static ssize_t file_read_op(struct file *f, struct uio *u, off_t *pos) {
    struct inode *inode = f->inode;
    size_t done = 0;
    uint64_t size = READ_ONCE(inode->size), at = *pos;
    while (u->resid && at < size) {
        size_t n = MIN(size - at, u->resid), copied = read_part(inode, u, at, &n);
        if (unlikely(!n)) // the page is found the next time, if the file has not become smaller
            size = MIN(size, READ_ONCE(inode->size));
        at += copied;
        done += copied;
        if (copied < n) {
            if (!done)
                return -EFAULT;
            break;
        }
        if (cond_resched_killable())
            break;
    }
    if (done)
        touch(f);
    *pos = at;
    return done;
}

static unsigned int file_lend_pages(struct file *f, off_t pos, size_t *n, struct page **pages,
                                    unsigned int most) {
    struct inode *inode = f->inode;
    uint64_t size = READ_ONCE(inode->size), at = pos;
    size_t offset = at & PAGE_MASK;
    if (at >= size)
        return 0;
    *n = MIN(*n, size - at);
    unsigned int wanted = (unsigned int)MIN((offset + *n + PAGE_SIZE - 1) >> PAGE_SHIFT, (size_t)most);
    unsigned int count = inode->backing.ops->get_present(&inode->backing, at >> PAGE_SHIFT, pages, wanted);
    *n = MIN(*n, count * PAGE_SIZE - MIN(offset, count * PAGE_SIZE));
    if (count)
        touch(f);
    return count;
}

static int check_seals(struct inode *inode, uint64_t end) {
    unsigned int seals = tmpfs_data(inode)->seals;
    if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    return (seals & F_SEAL_GROW) && end > inode->size ? -EPERM : 0;
}

// One page's part of a write. Bytes, or an error if there were none.
static ssize_t write_part(struct inode *inode, struct uio *u, uint64_t at) {
    size_t offset = at & PAGE_MASK, n = MIN(PAGE_SIZE - offset, u->resid);
    // Behind the end nobody sees a page before it is written; elsewhere it must be clear.
    bool whole = n == PAGE_SIZE && at >= inode->size;
    struct page *p = tmpfs_make_page(inode, at >> PAGE_SHIFT, whole ? TMPFS_OVERWRITE : 0);
    if (IS_ERR(p))
        return PTR_ERR(p);
    char *to = (char *)page_address(p) + offset;
    size_t copied = uio_read_from(u, to, n);
    page_rewritten(p);
    if (copied < n && whole)
        memset(to + copied, 0, n - copied);
    page_put(p);
    return copied ? (ssize_t)copied : -EFAULT;
}

static ssize_t file_write_op(struct file *f, struct uio *u, off_t *pos) {
    struct inode *inode = f->inode;
    ssize_t done = 0, err;
    mutex_lock(&inode->lock);
    uint64_t at = f->flags & O_APPEND ? inode->size : (uint64_t)*pos;
    err = at + u->resid > MAX_FILE_SIZE ? f->flags & O_APPEND ? -EFBIG : -EINVAL
                                        : check_seals(inode, at + u->resid);
    if (!err && u->resid)
        inode_drop_set_ids(inode);
    while (!err && u->resid) {
        ssize_t n = write_part(inode, u, at);
        if (n < 0) {
            err = n;
            break;
        }
        at += n;
        done += n;
        if (at > inode->size)
            WRITE_ONCE(inode->size, at);
        err = cond_resched_killable();
    }
    if (done) {
        inode_touch(inode, true);
        *pos = at;
    }
    mutex_unlock(&inode->lock);
    return done ? done : err;
}

static off_t seek_content(struct inode *inode, off_t offset, bool data) {
    uint64_t size = inode->size;
    if (offset < 0 || (uint64_t)offset >= size)
        return -ENXIO;
    unsigned long end = (size + PAGE_SIZE - 1) >> PAGE_SHIFT,
                  at = tmpfs_seek(inode, offset >> PAGE_SHIFT, end, data);
    if (at == end)
        return data ? -ENXIO : (off_t)size;
    return MAX(offset, (off_t)at << PAGE_SHIFT);
}

static off_t file_lseek_op(struct file *f, off_t offset, int whence) {
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        offset = seek_content(f->inode, offset, whence == SEEK_DATA);
        whence = SEEK_SET;
        if (offset < 0)
            return offset;
    }
    return file_seek(f, offset, whence, f->inode->size);
}

static int set_size(struct inode *inode, uint64_t size) {
    ASSERT_HELD(&inode->lock);
    unsigned int seals = tmpfs_data(inode)->seals;
    if (size > MAX_FILE_SIZE)
        return -EFBIG;
    if ((size < inode->size && (seals & F_SEAL_SHRINK)) || (size > inode->size && (seals & F_SEAL_GROW)))
        return -EPERM;
    uint64_t old = inode->size;
    WRITE_ONCE(inode->size, size);
    if (size < old)
        tmpfs_cut(inode, size);
    return 0;
}

// The inode's lock is held by whoever changes the size.
static int file_setattr(struct inode *inode, const struct iattr *attr) {
    if ((attr->valid & ATTR_MODE) && ((attr->mode ^ inode->mode) & 0111) &&
        (tmpfs_data(inode)->seals & F_SEAL_EXEC))
        return -EPERM;
    int err = attr->valid & ATTR_SIZE ? set_size(inode, attr->size) : 0;
    return err ? err : inode_setattr(inode, attr);
}

static int file_fallocate_op(struct file *f, int mode, off_t offset, off_t len) {
    struct inode *inode = f->inode;
    uint64_t end = (uint64_t)offset + len;
    int err = 0;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    if (end > MAX_FILE_SIZE)
        return -EFBIG;
    mutex_lock(&inode->lock);
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        err = mode & FALLOC_FL_KEEP_SIZE ? check_seals(inode, 0) : -EOPNOTSUPP;
        if (!err)
            err = tmpfs_punch(inode, offset, end);
    } else {
        err = inode_check_size_locked(inode, end); // whether or not it becomes longer now
        if (!err && (tmpfs_data(inode)->seals & F_SEAL_GROW) && end > inode->size)
            err = -EPERM;
        if (!err)
            err = tmpfs_fill(inode, offset, end);
        if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > inode->size)
            WRITE_ONCE(inode->size, end);
    }
    if (!err) {
        inode_drop_set_ids(inode);
        inode_touch(inode, true);
    }
    mutex_unlock(&inode->lock);
    return err;
}

static void file_getattr(struct inode *inode, struct kstat *st) {
    st->blocks = tmpfs_block_count(inode);
}

// A sealed file is not written through new mappings; private ones write to copies.
static int file_mmap_op(struct file *f, struct vm_map_args *m) {
    if (!(tmpfs_data(f->inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) || !(m->flags & MAP_SHARED))
        return 0;
    if (m->prot & PROT_WRITE)
        return -EPERM;
    m->max_prot &= ~(unsigned int)PROT_WRITE;
    return 0;
}

static int no_fsync(struct file *f) {
    (void)f;
    return 0;
}

static int tmpfs_open(struct inode *inode, struct file *f) {
    f->ops = inode->fops;
    f->backing = &inode->backing;
    return 0;
}

const struct file_ops tmpfs_file_ops = {.read = file_read_op,
                                        .write = file_write_op,
                                        .lseek = file_lseek_op,
                                        .lend_pages = file_lend_pages,
                                        .mmap = file_mmap_op,
                                        .fsync = no_fsync,
                                        .fallocate = file_fallocate_op};
static const struct inode_ops file_iops = {
    .open = tmpfs_open, .setattr = file_setattr, .getattr = file_getattr};

void tmpfs_set_borrowed(struct inode *inode, const void *data, uint64_t size) {
    mutex_lock(&inode->lock);
    tmpfs_cut(inode, 0);
    spin_lock(&inode->spin);
    tmpfs_begin_borrowing(inode, data, size);
    WRITE_ONCE(inode->size, size);
    spin_unlock(&inode->spin);
    mutex_unlock(&inode->lock);
}

int tmpfs_unpack(struct dentry *dir, const char *name, size_t len, const struct unpack_attr *attr,
                 const void *data, uint64_t size, struct dentry **out) {
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    struct dentry *d = dentry_alloc(dir, name, len);
    if (!d)
        return -ENOMEM;
    struct inode *inode = make_inode(dir->inode->sb, attr->mode);
    if (IS_ERR(inode)) {
        dentry_put(d);
        return PTR_ERR(inode);
    }
    d->inode = inode; // nobody else knows it
    inode->uid = attr->uid == UNPACK_NO_OWNER ? 0 : attr->uid;
    inode->gid = attr->gid == UNPACK_NO_OWNER ? 0 : attr->gid;
    inode->atime = inode->mtime = attr->mtime * NSEC_PER_SEC;
    if (!dentry_insert_new(d)) {
        dentry_put(d);
        return -EEXIST;
    }
    if (!S_ISREG(attr->mode)) {
        inode->rdev = MKDEV(attr->rdev_major, attr->rdev_minor);
    } else if (size) {
        tmpfs_begin_borrowing(inode, data, size);
        inode->size = size;
    }
    *out = d;
    return 0;
}

// ---- start

void tmpfs_init(void) {
    files = slab_create("tmpfs_file", sizeof(struct tmpfs_file), 0);
    fs_type_register(&tmpfs_type);
    fs_type_register(&ramfs_type);
    memfd_init();
}
