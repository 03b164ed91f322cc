// SPDX-License-Identifier: MIT
// Open files: their making, opening by name, reading, writing and end.
#include "fs/file.h"
#include "core/errno.h"
#include "core/panic.h"
#include "fs/async.h"
#include "fs/dentry.h"
#include "fs/dev/chrdev.h"
#include "fs/event/epoll.h"
#include "fs/event/notify.h"
#include "fs/file_lock.h"
#include "fs/lease.h"
#include "fs/mount.h"
#include "fs/path_walk.h"
#include "fs/pipe/pipe.h"
#include "fs/protect.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "upcalls.h"
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/resource.h>

#define READ          4
#define WRITE         2
#define SEARCH        1
#define O_TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
// What a file remembers of the flags of its open.
#define KEPT_FLAGS                                                                                           \
    (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | O_LARGEFILE | O_NOATIME | O_PATH |    \
     FASYNC | O_DIRECTORY | O_NOFOLLOW)

static struct slab_cache *files;
static struct superblock *anon_sb; // of inodes without a place
static struct inode *anon_inode;   // that of all files of file_create_anon()
static struct mount *anon_mount;
static const struct file_ops path_ops; // of O_PATH files: none

static const struct vm_file_ops file_vm_ops;

void file_init(void) {
    static struct fs_type anon_type = {.name = "anon_inodefs", .nodev = true};
    vm_file_ops = &file_vm_ops;
    files = slab_create("file", sizeof(struct file), 0);
    anon_sb = superblock_create(&anon_type);
    anon_inode = anon_sb ? inode_create(anon_sb, 0600) : NULL;
    struct dentry *root = anon_inode ? dentry_create_root(anon_inode) : NULL;
    anon_mount = root ? mount_create_internal(root) : NULL;
    if (!anon_mount)
        panic("no memory for files");
}

// ---- how many

static unsigned long file_max; // [a]

void file_set_max(unsigned long max) {
    WRITE_ONCE(file_max, max);
    slab_set_limit(files, max);
}

unsigned long file_get_max(void) {
    return READ_ONCE(file_max);
}

unsigned long file_get_count(void) {
    return slab_room(files);
}

// ---- life

struct file *file_alloc(const struct file_ops *ops, unsigned int flags) {
    struct file *f = slab_zalloc(files);
    if (!f)
        return ERR_PTR(slab_is_full(files) ? -ENFILE : -ENOMEM);
    ref_init(&f->refs);
    f->flags = flags;
    f->ops = ops;
    f->cred = cred_get(current->cred ? current->cred : &kernel_cred);
    mutex_init(&f->pos_lock);
    return f;
}

void file_end_writing(struct file *f) {
    if (f->writes)
        inode_end_writing(f->inode);
    f->writes = false;
}

off_t file_seek(struct file *f, off_t offset, int whence, off_t end) {
    if (whence == SEEK_CUR)
        offset += f->pos;
    else if (whence == SEEK_END && end >= 0)
        offset += end;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (offset < 0)
        return -EINVAL;
    return f->pos = offset;
}

static void tell_of_end(struct file *f) {
    if (f->ops && !(f->flags & O_PATH)) // else it was never open
        notify_file(f, (f->flags & O_ACCMODE) != O_RDONLY ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
}

void file_put(struct file *f) {
    if (!ref_put(&f->refs))
        return;
    if (f->inode && unlikely(READ_ONCE(f->inode->notify)))
        tell_of_end(f);
    if (f->epoll_links.next)
        epoll_forget_file(f);
    if (f->inode && f->inode->locks)
        file_locks_release(f);
    if (f->async)
        async_forget(f);
    if (f->ops && f->ops->release)
        f->ops->release(f);
    file_end_writing(f);
    if (f->reads)
        __atomic_fetch_sub(&f->inode->readers, 1, __ATOMIC_RELAXED);
    if (f->counted)
        mount_end_writing(f->path.mount);
    if (f->path.dentry)
        path_put(&f->path);
    else if (f->inode)
        inode_put(f->inode);
    cred_put(f->cred);
    slab_free(files, f);
}

// Somebody executes it already, so nobody writes it.
static void get_program(struct file *f) {
    __atomic_fetch_sub(&f->inode->writers, 1, __ATOMIC_RELAXED);
    file_get(f);
}

static void put_program(struct file *f) {
    inode_end_executing(f->inode);
    file_put(f);
}

static void area_get(struct file *f) {
    file_get(f);
    if (f->ops->area_made)
        f->ops->area_made(f);
}

static void hold(struct file *f) {
    file_get(f);
}

static void area_put(struct file *f) {
    if (f->ops->area_gone)
        f->ops->area_gone(f);
    file_put(f);
}

static const struct vm_file_ops file_vm_ops = {.get = area_get,
                                               .put = area_put,
                                               .hold = hold,
                                               .drop = file_put,
                                               .get_program = get_program,
                                               .put_program = put_program};

int file_set_pseudo(struct file *f, struct inode *inode, const char *word) {
    struct dentry *d = dentry_alloc(NULL, word, strlen(word));
    if (!d)
        return -ENOMEM;
    inode_get(inode);
    d->inode = inode;
    d->pseudo = true;
    mount_get(anon_mount);
    f->path = (struct path){anon_mount, d};
    f->inode = inode;
    return 0;
}

struct file *file_create_anon(const char *name, const struct file_ops *ops, void *private_data, int flags) {
    struct file *f = file_alloc(NULL, flags);
    if (IS_ERR(f))
        return f;
    if (file_set_pseudo(f, anon_inode, name)) {
        file_put(f);
        return ERR_PTR(-ENOMEM);
    }
    f->ops = ops;
    f->private_data = private_data;
    return f;
}

// ---- opening what was found

static int open_special(struct inode *inode, struct file *f) {
    switch (inode->mode & S_IFMT) {
    case S_IFCHR:
    case S_IFBLK:
        return chrdev_open(inode, f);
    case S_IFIFO:
        return pipe_open_fifo(inode, f);
    case S_IFSOCK:
        return -ENXIO;
    }
    if (inode->ops && inode->ops->open)
        return inode->ops->open(inode, f);
    f->ops = inode->fops;
    return f->ops ? 0 : -ENXIO;
}

bool file_can_be_direct(const struct file *f) {
    return f->backing || (f->inode && S_ISBLK(f->inode->mode));
}

// Of a regular file, before anything of it is used: whoever has a lease on it gets ready.
static inline int count_open(struct file *f, const struct path *path, int flags) {
    struct inode *inode = f->inode;
    int err = 0;
    if ((flags & O_ACCMODE) == O_RDONLY) {
        __atomic_fetch_add(&inode->readers, 1, __ATOMIC_RELAXED);
        f->reads = true;
    } else {
        err = mount_begin_writing(path->mount);
        f->counted = !err;
        if (!err) {
            err = inode_begin_writing(inode);
            f->writes = !err;
        }
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // lease.c
    return err ? err : lease_break(inode, flags);
}

// Makes f, which is new, the file at `path`; it is put where that fails.
static struct file *become(struct file *f, const struct path *path, int flags) {
    struct inode *inode = path->dentry->inode;
    f->path = *path;
    path_get(&f->path);
    f->inode = inode;
    if (flags & O_PATH) {
        f->ops = &path_ops;
        return f;
    }
    int err = S_ISREG(inode->mode) ? count_open(f, path, flags) : 0;
    f->flags |= flags & O_NOCTTY; // a word to who opens a terminal, not about the file
    if (!err && (err = open_special(inode, f)))
        f->ops = NULL;
    f->flags &= ~O_NOCTTY;
    if (!err && (flags & O_DIRECT) && !file_can_be_direct(f))
        err = -EINVAL;
    if (!err) {
        notify_file(f, IN_OPEN);
        return f;
    }
    file_put(f);
    return ERR_PTR(err);
}

struct file *file_open_path(const struct path *path, int flags) {
    struct file *f = file_alloc(NULL, flags & KEPT_FLAGS);
    return IS_ERR(f) ? f : become(f, path, flags);
}

// May the caller open it this way?
static int check_open(const struct path *path, int flags) {
    struct inode *inode = path->dentry->inode;
    mode_t type = inode->mode & S_IFMT;
    static const int masks[] = {READ, WRITE, READ | WRITE, READ | WRITE};
    int mask = masks[flags & O_ACCMODE];
    if (flags & O_TRUNC)
        mask |= WRITE;
    if (type == S_IFLNK)
        return -ELOOP;
    if (type == S_IFDIR && (mask & WRITE))
        return -EISDIR;
    if ((type == S_IFCHR || type == S_IFBLK) && !mount_has_devices(path->mount))
        return -EACCES;
    if ((mask & WRITE) && (type == S_IFREG || type == S_IFDIR)) {
        int err = mount_check_writable(path->mount);
        if (err)
            return err;
    }
    int err = inode_permission(inode, mask);
    if (!err && inode_is_append_only(inode) &&
        (flags & O_TRUNC || ((flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND))))
        return -EPERM;
    return !err && (flags & O_NOATIME) && !inode_is_owner(inode) ? -EPERM : err;
}

// O_TRUNC, which also those may ask for who open for reading.
static int file_truncate_opened(struct file *f) {
    int err = inode_begin_writing(f->inode);
    if (err)
        return err;
    err = vfs_truncate(f->inode, 0);
    inode_end_writing(f->inode);
    if (!err)
        notify_file(f, IN_MODIFY);
    return err;
}

// `created`: by this very call, which then may do with it what it likes. `made`: the file, for what could be created, or
// NULL; it is taken over.
static struct file *open_found(const struct path *path, int flags, bool created, struct file *made) {
    struct inode *inode = path->dentry->inode;
    int err = 0;
    if ((flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
        err = S_ISLNK(inode->mode) && !(flags & O_PATH) ? -ELOOP : -ENOTDIR;
    else if (!(flags & O_PATH) && !created)
        err = check_open(path, flags);
    if (err && made)
        file_put(made);
    struct file *f = err ? ERR_PTR(err) : made ? become(made, path, flags) : file_open_path(path, flags);
    if (IS_ERR(f) || !(flags & O_TRUNC) || (flags & O_PATH) || created || !S_ISREG(inode->mode))
        return f;
    err = file_truncate_opened(f);
    if (!err)
        return f;
    file_put(f);
    return ERR_PTR(err);
}

struct file *file_open_found(const struct path *path, int flags) {
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    return open_found(path, flags & ~(O_CREAT | O_EXCL | O_TMPFILE_BIT), false, NULL);
}

// ---- opening by name

// The last component of a name in the directory dir->dentry, to be created if it is not there. *dir becomes
// what is opened.
static int find_or_create(struct path *dir, const struct last_component *last, int flags, mode_t mode,
                          unsigned int lookup, bool *created) {
    *created = false;
    if (last->slash)
        return -EISDIR;
    struct dentry *d = NULL;
    int err = mount_check_writable(dir->mount);
    if (!err)
        err = inode_permission(dir->dentry->inode, WRITE | SEARCH);
    if (!err)
        err = inode_check_new_owner(dir->dentry->inode);
    if (!err) {
        mode = inode_new_mode(dir->dentry->inode, S_IFREG | (mode & 07777));
        err = vfs_create(dir->dentry, last->name, last->len, mode, 0, &d);
        *created = !err;
        if (err == -EPERM && !dir->dentry->inode->ops->create)
            err = -EACCES; // what open(2) says of a directory that nobody makes files in
    }
    if (!d) { // it may be there all the same
        d = vfs_lookup(dir->dentry, last->name, last->len);
        if (IS_ERR(d))
            return PTR_ERR(d) == -ENOENT && !vfs_has_fixed_names(dir->dentry->inode) ? err : PTR_ERR(d);
    }
    if (!*created && (flags & O_EXCL)) {
        dentry_put(d);
        return -EEXIST;
    }
    struct dentry *parent = dir->dentry;
    const struct mount *before = dir->mount;
    dir->dentry = d;
    if (!*created && READ_ONCE(d->mounted))
        mount_cross_down(dir);
    if ((lookup & LOOKUP_NO_XDEV) && dir->mount != before)
        err = -EXDEV;
    else
        err = *created ? 0 : protect_open(parent->inode, dir->dentry->inode);
    dentry_put(parent);
    return err;
}

static struct file *open_creating(int dfd, const char *name, int flags, mode_t mode, unsigned int lookup) {
    struct last_component last;
    struct path path;
    bool created = false;
    if (flags & O_DIRECTORY)
        return ERR_PTR(-EINVAL);
    if (!(flags & (O_EXCL | O_NOFOLLOW)))
        lookup |= LOOKUP_FOLLOW;
    int err = path_lookup_parent(dfd, name, lookup, &path, &last);
    if (err)
        return ERR_PTR(err);
    struct file *f = file_alloc(NULL, flags & KEPT_FLAGS); // before there is a name to be left behind
    if (IS_ERR(f))
        err = PTR_ERR(f);
    else if (!last.dots)
        err = find_or_create(&path, &last, flags, mode, lookup, &created);
    else if (flags & O_EXCL)
        err = -EEXIST;
    else if (S_ISDIR(path.dentry->inode->mode))
        err = -EISDIR;
    if (!err && !created && S_ISDIR(path.dentry->inode->mode))
        err = -EISDIR;
    if (!err) {
        f = open_found(&path, flags, created, f);
    } else if (!IS_ERR(f)) {
        file_put(f);
        f = ERR_PTR(err);
    }
    path_put(&path);
    return f;
}

// O_TMPFILE: a file in the directory's file system that has no name yet.
static struct file *open_unnamed(const struct path *dir, int flags, mode_t mode) {
    struct inode *inode = dir->dentry->inode;
    if (!(flags & (O_WRONLY | O_RDWR)))
        return ERR_PTR(-EINVAL);
    if (!S_ISDIR(inode->mode))
        return ERR_PTR(-ENOTDIR);
    if (!inode->ops->create || inode->ops->revalidate) // a server makes names only
        return ERR_PTR(-EOPNOTSUPP);
    int err = mount_check_writable(dir->mount);
    if (!err)
        err = inode_permission(inode, 3);
    if (!err)
        err = inode_check_new_owner(inode);
    if (err)
        return ERR_PTR(err);
    struct dentry *d = dentry_alloc(dir->dentry, "#tmpfile", 8);
    if (!d)
        return ERR_PTR(-ENOMEM);
    err = inode->ops->create(inode, d, inode_new_mode(inode, S_IFREG | (mode & 07777)), 0);
    struct file *f = ERR_PTR(err);
    if (!err) {
        d->dead = true;
        d->inode->nlink = 0;
        d->inode->linkable = !(flags & O_EXCL);
        struct path path = {dir->mount, d};
        f = file_open_path(&path, flags);
    }
    dentry_put(d);
    return f;
}

struct file *file_open_how(int dfd, const char *name, int flags, mode_t mode, unsigned int lookup) {
    struct path path;
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((flags & O_CREAT) && (flags & O_TMPFILE_BIT))
        return ERR_PTR(-EINVAL);
    if (flags & O_CREAT)
        return open_creating(dfd, name, flags, mode, lookup);
    if (!(flags & O_NOFOLLOW))
        lookup |= LOOKUP_FOLLOW;
    int err = path_lookup(dfd, name, lookup, &path);
    if (err)
        return ERR_PTR(err);
    struct file *f =
        flags & O_TMPFILE_BIT ? open_unnamed(&path, flags, mode) : open_found(&path, flags, false, NULL);
    path_put(&path);
    return f;
}

struct file *file_open(const char *name, int flags, mode_t mode) {
    return file_open_how(AT_FDCWD, name, flags, mode, 0);
}

struct file *file_open_in(const struct path *dir, const char *name, int flags) {
    struct dentry *d = vfs_lookup(dir->dentry, name, strlen(name));
    if (IS_ERR(d))
        return ERR_PTR(PTR_ERR(d));
    struct path path = {dir->mount, d};
    struct file *f = file_open_path(&path, flags);
    dentry_put(d);
    return f;
}

// ---- reading and writing

ssize_t file_read(struct file *f, struct uio *u, off_t *pos) {
    if ((f->flags & (O_ACCMODE | O_PATH)) == O_WRONLY || (f->flags & O_PATH))
        return -EBADF;
    if (!f->ops->read)
        return f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
    return f->ops->read(f, u, pos);
}

// RLIMIT_FSIZE: as much as may still be written at `at`; nothing is -EFBIG with SIGXFSZ.
static int limit_size(struct uio *u, uint64_t at) {
    uint64_t limit = current_rlimit(RLIMIT_FSIZE);
    if (limit == RLIM64_INFINITY || at + u->resid <= limit)
        return 0;
    if (at >= limit) {
        signal_send_thread(current, SIGXFSZ);
        return -EFBIG;
    }
    size_t room = limit - at;
    u->resid = room;
    return 0;
}

ssize_t file_write(struct file *f, struct uio *u, off_t *pos) {
    if ((f->flags & O_ACCMODE) == O_RDONLY || (f->flags & O_PATH))
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    if (f->backing && u->resid) {
        int err = limit_size(u, f->flags & O_APPEND ? f->inode->size : (uint64_t)*pos);
        if (err)
            return err;
    }
    return f->ops->write(f, u, pos);
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, off_t pos) {
    size_t done = 0;
    while (done < n) {
        struct uio_segment seg;
        struct uio u;
        uio_init_kernel(&u, &seg, (char *)buf + done, n - done);
        ssize_t got = f->ops->read ? f->ops->read(f, &u, &pos) : -EINVAL;
        if (got < 0)
            return got;
        if (!got)
            break;
        done += got;
    }
    if (done)
        notify_file(f, IN_ACCESS);
    return done;
}
