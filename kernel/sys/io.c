// SPDX-License-Identifier: MIT
// Data: reading and writing, positions, copies between files, sizes.
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/fdtable.h"
#include "fs/lease.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "fs/vfs.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "proc/process.h"
#include "upcalls.h"
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <linux/uio.h>

#define IOV_FAST    8
#define COPY_SIZE   (16 * 1024)
#define RWF_KNOWN   (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)
#define NO_POSITION -1l // preadv2: at the file's own position

// ---- one transfer

static ssize_t transfer(struct file *f, struct uio *u, off_t *pos, bool write) {
    return write ? file_write(f, u, pos) : file_read(f, u, pos);
}

// For /proc/PID/io, and who watches f. Returns n, the bytes or an error.
static inline long counted(long n, struct file *f, bool write) {
    struct io_usage *io = &current->io;
    io->calls[write]++;
    if (n > 0) {
        io->bytes[write] += n;
        notify_file(f, write ? IN_MODIFY : IN_ACCESS);
    }
    return n;
}

// At the file's own position, which other threads leave alone meanwhile; streams have none.
static ssize_t transfer_here(struct file *f, struct uio *u, bool write) {
    off_t none = 0;
    if (!f->ops->lseek)
        return transfer(f, u, &none, write);
    ssize_t n = mutex_lock_killable(&f->pos_lock); // whoever has it may wait for a server
    if (unlikely(n))
        return n;
    n = transfer(f, u, &f->pos, write);
    mutex_unlock(&f->pos_lock);
    return n;
}

static ssize_t transfer_at(struct file *f, struct uio *u, off_t pos, bool write) {
    if (pos < 0)
        return -EINVAL;
    return f->ops->lseek ? transfer(f, u, &pos, write) : -ESPIPE;
}

static inline __attribute__((always_inline)) long simple_io(int fd, void __user *buf, size_t n, bool write) {
    struct uio_segment segment;
    struct uio u;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = -EFAULT;
    if (user_range_ok((unsigned long)buf, n)) {
        uio_init_user(&u, &segment, buf, MIN(n, IO_MAX));
        ret = counted(transfer_here(f, &u, write), f, write);
    }
    file_put(f);
    return ret;
}

long sys_read(int fd, void __user *buf, size_t n) {
    return simple_io(fd, buf, n, false);
}

long sys_write(int fd, const void __user *buf, size_t n) {
    return simple_io(fd, (void __user *)buf, n, true);
}

static long positioned_io(int fd, void __user *buf, size_t n, off_t pos, bool write) {
    struct uio_segment segment;
    struct uio u;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = -EFAULT;
    if (user_range_ok((unsigned long)buf, n)) {
        uio_init_user(&u, &segment, buf, MIN(n, IO_MAX));
        ret = counted(transfer_at(f, &u, pos, write), f, write);
    }
    file_put(f);
    return ret;
}

long sys_pread64(int fd, void __user *buf, size_t n, off_t pos) {
    return positioned_io(fd, buf, n, pos, false);
}

long sys_pwrite64(int fd, const void __user *buf, size_t n, off_t pos) {
    return positioned_io(fd, (void __user *)buf, n, pos, true);
}

// ---- several buffers

struct vector {
    struct uio_segment *segments; // `fast` or kmalloc
    struct uio_segment fast[IOV_FAST];
    struct uio u;
};

static void vector_free(struct vector *v) {
    if (v->segments != v->fast)
        kfree(v->segments);
}

// Copies the vector in and checks it; all together at most IO_MAX bytes count.
static int vector_read(struct vector *v, const void __user *iov, int n) {
    if (n < 0 || n > UIO_MAXIOV)
        return -EINVAL;
    v->segments = n <= IOV_FAST ? v->fast : kmalloc(n * sizeof(v->fast[0]));
    if (!v->segments)
        return -ENOMEM;
    size_t total = 0;
    int err = uio_import(v->segments, iov, n);
    if (!err)
        err = uio_limit(v->segments, n, IO_MAX, &total);
    if (err) {
        vector_free(v);
        return err;
    }
    v->u = (struct uio){.seg = v->segments, .nseg = n, .resid = total};
    return 0;
}

static long vector_io(int fd, const void __user *iov, int n, off_t pos, bool write) {
    struct vector v;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = vector_read(&v, iov, n);
    if (!ret) {
        ret = pos == NO_POSITION ? transfer_here(f, &v.u, write) : transfer_at(f, &v.u, pos, write);
        vector_free(&v);
        counted(ret, f, write);
    }
    file_put(f);
    return ret;
}

long sys_readv(int fd, const void __user *iov, int n) {
    return vector_io(fd, iov, n, NO_POSITION, false);
}

long sys_writev(int fd, const void __user *iov, int n) {
    return vector_io(fd, iov, n, NO_POSITION, true);
}

long sys_preadv(int fd, const void __user *iov, int n, off_t pos) {
    return pos < 0 ? -EINVAL : vector_io(fd, iov, n, pos, false);
}

long sys_pwritev(int fd, const void __user *iov, int n, off_t pos) {
    return pos < 0 ? -EINVAL : vector_io(fd, iov, n, pos, true);
}

// All data is in memory, so nothing waits for a device and the hints about that are true by themselves.
// RWF_APPEND needs a file that appends anyway.
static int check_rwf(int fd, int flags) {
    if (flags & ~RWF_KNOWN)
        return -EOPNOTSUPP;
    if (!(flags & RWF_APPEND))
        return 0;
    struct file *f = fd_get_io(fd);
    bool appends = f && f->flags & O_APPEND;
    if (f)
        file_put(f);
    return !f ? -EBADF : appends ? 0 : -EOPNOTSUPP;
}

long sys_preadv2(int fd, const void __user *iov, int n, off_t pos, unsigned long pos_high, int flags) {
    (void)pos_high; // the halves are for 32-bit programs
    int err = check_rwf(fd, flags);
    return err ? err : pos < NO_POSITION ? -EINVAL : vector_io(fd, iov, n, pos, false);
}

long sys_pwritev2(int fd, const void __user *iov, int n, off_t pos, unsigned long pos_high, int flags) {
    (void)pos_high;
    int err = check_rwf(fd, flags);
    return err ? err : pos < NO_POSITION ? -EINVAL : vector_io(fd, iov, n, pos, true);
}

// ---- positions

long sys_lseek(int fd, off_t offset, int whence) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = -ESPIPE;
    if (f->ops->lseek && whence >= SEEK_SET && whence <= SEEK_MAX) {
        ret = mutex_lock_killable(&f->pos_lock);
        if (!ret) {
            ret = f->ops->lseek(f, offset, whence);
            mutex_unlock(&f->pos_lock);
        }
    } else if (f->ops->lseek) {
        ret = -EINVAL;
    }
    file_put(f);
    return ret;
}

// ---- from file to file

// One end of a copy: a file and where in it; NULL: its own position.
struct end {
    struct file *file;
    off_t *pos;
};

static ssize_t move_chunk(const struct end *e, void *buf, size_t n, bool write) {
    struct uio_segment segment;
    struct uio u;
    uio_init_kernel(&u, &segment, buf, n);
    return e->pos ? transfer_at(e->file, &u, *e->pos, write) : transfer_here(e->file, &u, write);
}

static void advance(const struct end *e, ssize_t n) {
    if (e->pos)
        *e->pos += n;
}

// Gives back what was read from `in` and could not be written.
static void step_back(const struct end *in, ssize_t n) {
    if (in->pos || !in->file->ops->lseek)
        return;
    mutex_lock(&in->file->pos_lock);
    in->file->pos -= n;
    mutex_unlock(&in->file->pos_lock);
}

#define LENT_MOST 32u // pages

// Hands pages of `in` to `out` as they are. Bytes; 0: there are none to be had; or an error. *wanted: how many bytes there were.
static ssize_t lend(const struct end *in, const struct end *out, size_t n, size_t *wanted) {
    struct file *f = in->file;
    struct page *pages[LENT_MOST];
    ssize_t ret = in->pos ? 0 : mutex_lock_killable(&f->pos_lock);
    if (ret)
        return ret;
    off_t at = in->pos ? *in->pos : f->pos;
    unsigned int count = f->ops->lend_pages(f, at, &n, pages, LENT_MOST);
    if (!in->pos) {
        f->pos += count ? n : 0;
        mutex_unlock(&f->pos_lock);
    }
    if (!count)
        return 0;
    *wanted = n;
    ret = out->file->ops->write_pages(out->file, pages, count, at & PAGE_MASK, n);
    for (unsigned int i = 0; i < count; i++)
        page_put(pages[i]);
    advance(in, MAX(ret, 0));
    if (ret < (ssize_t)n)
        step_back(in, n - MAX(ret, 0));
    return ret;
}

// The same through a buffer, which is made the first time.
static ssize_t copy_chunk(const struct end *in, const struct end *out, size_t n, size_t *wanted, char **buf) {
    if (!*buf && !(*buf = kmalloc(MIN(n, (size_t)COPY_SIZE))))
        return -ENOMEM;
    ssize_t got = move_chunk(in, *buf, MIN(n, (size_t)COPY_SIZE), false);
    if (got <= 0)
        return got;
    *wanted = got;
    ssize_t ret = move_chunk(out, *buf, got, true), put = MAX(ret, 0);
    advance(in, put);
    advance(out, put);
    if (put < got)
        step_back(in, got - put);
    return ret;
}

// Bytes copied, or the error if there were none.
static ssize_t copy(const struct end *in, const struct end *out, size_t n) {
    bool lends = in->file->ops->lend_pages && out->file->ops->write_pages;
    size_t done = 0, wanted = 0;
    ssize_t ret = 0;
    char *buf = NULL;
    n = MIN(n, IO_MAX);
    while (done < n) {
        ret = lends ? lend(in, out, n - done, &wanted) : 0;
        if (!ret)
            ret = copy_chunk(in, out, n - done, &wanted, &buf);
        if (ret <= 0)
            break;
        done += ret;
        if ((size_t)ret < wanted || signal_pending())
            break;
        cond_resched();
    }
    kfree(buf);
    return done ? (ssize_t)done : ret;
}

static int read_offset(const off_t __user *user, off_t *offset) {
    int err = user ? get_user(*offset, user) : 0;
    return err ? err : user && *offset < 0 ? -EINVAL : 0;
}

static bool is_readable(const struct file *f) {
    return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool is_writable(const struct file *f) {
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

long sys_sendfile(int out_fd, int in_fd, off_t __user *offset, size_t n) {
    off_t pos = 0;
    int err = read_offset(offset, &pos);
    if (err)
        return err;
    struct file *in = fd_get_io(in_fd), *out = in ? fd_get_io(out_fd) : NULL;
    long ret = -EBADF;
    if (out && is_readable(in) && is_writable(out)) {
        struct end from = {in, offset ? &pos : NULL}, to = {out, NULL};
        if (offset && !in->ops->lseek)
            ret = -ESPIPE;
        else if (!in->ops->lseek || out->flags & O_APPEND) // a stream's data could be lost between the two
            ret = -EINVAL;
        else
            ret = n ? counted(counted(copy(&from, &to, n), in, false), out, true) : 0;
    }
    if (ret >= 0 && offset && put_user(pos, offset))
        ret = -EFAULT;
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return ret;
}

static int check_copy_range(const struct file *in, const struct file *out) {
    if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
        return -EISDIR;
    if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
        return -EINVAL;
    if (!is_readable(in) || !is_writable(out) || out->flags & O_APPEND)
        return -EBADF;
    if (in->inode->sb != out->inode->sb)
        return -EXDEV;
    return inode_is_immutable(out->inode) ? -EPERM : 0;
}

// A range of bytes that a copy is about.
struct range {
    struct file *file;
    off_t pos;
};

// How many bytes there are to copy: what is in the source now, so that a file that grows by it is not copied on and on.
// -EOVERFLOW, -EFBIG, -EINVAL: one range overlaps the other.
static long copy_range_length(const struct range *in, const struct range *out, uint64_t n) {
    uint64_t from = in->pos, to = out->pos, size = READ_ONCE(in->file->inode->size);
    if (from + n < from || to + n < to)
        return -EOVERFLOW;
    if (in->pos < 0 || out->pos < 0)
        return -EINVAL;
    n = from >= size ? 0 : MIN(n, size - from);
    if (n && to >= INT64_MAX)
        return -EFBIG;
    n = MIN(n, INT64_MAX - to);
    if (in->file->inode == out->file->inode && from < to + n && to < from + n)
        return -EINVAL;
    return MIN(n, IO_MAX);
}

// The positions are taken once and stored once: nobody else who moves them changes what is copied.
static long copy_range(struct file *in, off_t __user *in_off, struct file *out, off_t __user *out_off,
                       size_t n) {
    struct range from = {in, in->pos}, to = {out, out->pos};
    int err = check_copy_range(in, out);
    if (!err && in_off)
        err = get_user(from.pos, in_off);
    if (!err && out_off)
        err = get_user(to.pos, out_off);
    long ret = err ? err : copy_range_length(&from, &to, n);
    if (ret <= 0)
        return ret;
    struct end source = {in, &from.pos}, target = {out, &to.pos};
    ret = counted(counted(copy(&source, &target, ret), in, false), out, true);
    if (ret <= 0)
        return ret;
    if (!in_off)
        in->pos = from.pos;
    if (!out_off)
        out->pos = to.pos;
    return (in_off && put_user(from.pos, in_off)) || (out_off && put_user(to.pos, out_off)) ? -EFAULT : ret;
}

long sys_copy_file_range(int in_fd, off_t __user *in_off, int out_fd, off_t __user *out_off, size_t n,
                         unsigned int flags) {
    struct file *in = fd_get_io(in_fd), *out = in ? fd_get_io(out_fd) : NULL;
    long ret = !out ? -EBADF : flags ? -EINVAL : copy_range(in, in_off, out, out_off, n);
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return ret;
}

// ---- to stable storage: there is none behind memory, but a host may have some

static long sync_file(int fd) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    bool has_content = f->inode && (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode));
    long ret = f->ops->fsync ? f->ops->fsync(f) : has_content ? 0 : -EINVAL;
    file_put(f);
    return ret;
}

long sys_fsync(int fd) {
    return sync_file(fd);
}

long sys_fdatasync(int fd) {
    return sync_file(fd);
}

long sys_sync(void) {
    superblocks_sync();
    return 0;
}

long sys_syncfs(int fd) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    struct superblock *sb = f->inode ? f->inode->sb : NULL;
    if (sb && sb->type->sync)
        sb->type->sync(sb);
    file_put(f);
    return 0;
}

// 0 if the file behind fd is of one of these types (bits 1 << type), else -ESPIPE; -EBADF.
static long check_type(int fd, unsigned int types) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = f->inode && types >> ((f->inode->mode & S_IFMT) >> 12) & 1 ? 0 : -ESPIPE;
    file_put(f);
    return ret;
}
#define TYPE_BIT(type) (1u << ((type) >> 12))

long sys_sync_file_range(int fd, off_t offset, off_t n, unsigned int flags) {
    const unsigned int known =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    long err = check_type(fd, TYPE_BIT(S_IFREG) | TYPE_BIT(S_IFBLK) | TYPE_BIT(S_IFDIR) | TYPE_BIT(S_IFLNK));
    bool wrong = flags & ~known || offset < 0 || n < 0 || offset > INT64_MAX - n;
    return wrong && err != -EBADF ? -EINVAL : err;
}

long sys_fadvise64(int fd, off_t offset, off_t len, int advice) {
    (void)offset;
    long err = check_type(fd, ~TYPE_BIT(S_IFIFO));
    if (err)
        return err;
    return len < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

long sys_readahead(int fd, off_t offset, size_t n) {
    (void)offset, (void)n;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = !is_readable(f) ? -EBADF : f->backing ? 0 : -EINVAL;
    file_put(f);
    return ret;
}

// ---- sizes

long sys_fallocate(int fd, int mode, off_t offset, off_t len) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret;
    if (offset < 0 || len <= 0)
        ret = -EINVAL;
    else if (!is_writable(f))
        ret = -EBADF;
    else if (f->inode && S_ISFIFO(f->inode->mode))
        ret = -ESPIPE;
    else if (!f->inode || !S_ISREG(f->inode->mode))
        ret = -ENODEV;
    else if (inode_is_immutable(f->inode) || (mode & ~FALLOC_FL_KEEP_SIZE && inode_is_append_only(f->inode)))
        ret = -EPERM;
    else if (offset > INT64_MAX - len)
        ret = -EFBIG;
    else
        ret = f->ops->fallocate ? f->ops->fallocate(f, mode, offset, len) : -EOPNOTSUPP;
    if (!ret)
        notify_file(f, IN_MODIFY);
    file_put(f);
    return ret;
}

// cachestat(2): what of a file is in memory. The headers that we build with may be older than it.
struct cache_range {
    uint64_t offset, length; // 0: to the end
};
struct cache_counts {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

// They are the business of those who could write it.
static bool may_count_cached(const struct file *f) {
    return is_writable(f) || !f->inode || inode_is_owner(f->inode) || !inode_permission(f->inode, 2);
}

static int count_cached(struct file *f, const struct cache_range *r, struct cache_counts *c) {
    const struct vm_backing_ops *ops = f->backing ? f->backing->ops : NULL;
    unsigned long index = r->offset >> PAGE_SHIFT, dirty = 0;
    unsigned long last = (r->offset + r->length - 1) >> PAGE_SHIFT;
    if (!r->length)
        last = UINT64_MAX >> PAGE_SHIFT;
    while (ops && ops->count && index <= last) {
        c->cached += ops->count(f->backing, &index, last, &dirty);
        int err = cond_resched_killable();
        if (err)
            return err;
    }
    c->dirty = dirty;
    return 0;
}

long sys_cachestat(unsigned int fd, const void __user *range, void __user *counts, unsigned int flags) {
    struct cache_range r;
    struct cache_counts c = {0};
    struct file *f = fd_get_io((int)fd);
    if (!f)
        return -EBADF;
    long ret = copy_from_user(&r, range, sizeof(r));
    if (!ret && !may_count_cached(f))
        ret = -EPERM;
    if (!ret && flags)
        ret = -EINVAL;
    if (!ret)
        ret = count_cached(f, &r, &c);
    if (!ret)
        ret = put_object(counts, c);
    file_put(f);
    return ret;
}

long sys_ftruncate(int fd, off_t size) {
    if (size < 0)
        return -EINVAL;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = !is_writable(f) || !f->inode || !S_ISREG(f->inode->mode) ? -EINVAL
               : inode_is_append_only(f->inode)                         ? -EPERM
                                                                        : vfs_truncate(f->inode, size);
    if (!ret)
        notify_file(f, IN_MODIFY);
    file_put(f);
    return ret;
}

long sys_truncate(const char __user *name, off_t size) {
    struct path path;
    if (size < 0)
        return -EINVAL;
    int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
    if (err)
        return err;
    struct inode *inode = path.dentry->inode;
    if (S_ISDIR(inode->mode))
        err = -EISDIR;
    else if (!S_ISREG(inode->mode))
        err = -EINVAL;
    else
        err = inode_permission(inode, 2);
    if (!err)
        err = mount_check_writable(path.mount);
    if (!err && inode_is_append_only(inode))
        err = -EPERM;
    if (!err)
        err = inode_begin_writing(inode);
    if (!err) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST); // fs/lease.c
        err = lease_break(inode, O_WRONLY);
        if (!err)
            err = vfs_truncate(inode, size);
        inode_end_writing(inode);
    }
    if (!err)
        notify_dentry(path.dentry, IN_MODIFY);
    path_put(&path);
    return err;
}
