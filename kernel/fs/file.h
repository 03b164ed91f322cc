// SPDX-License-Identifier: MIT
// Open files, and the buffers that reads and writes go through.
#pragma once
#include "core/cred.h"
#include "core/errno.h"
#include "core/spinlock.h"
#include "fs/inode.h"
#include "fs/path.h"
#include "sched/wait.h"

struct page;

// The memory of one read or write: user or kernel buffers, any number of segments. Moves on as bytes are
// copied.
struct uio_segment {
    union {
        void __user *user; // if !uio->kernel
        void *kernel;
    };
    size_t len;
};
struct uio {
    struct uio_segment *seg; // current segment
    unsigned int nseg;       // left, with the current one
    size_t offset;           // in the current segment
    size_t resid;            // bytes left in all
    bool kernel;             // the segments are kernel memory
};
#define IO_MAX 0x7ffff000ul // bytes of one call, as in Linux
// An array of n struct iovec, copied in: -EFAULT; -EINVAL if lengths are negative or their sum is past SSIZE_MAX.
int __must_check uio_import(struct uio_segment *out, const void __user *iov, size_t n);
// What of them is user memory of at most `max` bytes all together: shortens them. -EFAULT: one is none.
int __must_check uio_limit(struct uio_segment *segments, size_t n, size_t max, size_t *total);
void uio_init_user(struct uio *u, struct uio_segment *seg, void __user *buf, size_t n);
void uio_init_kernel(struct uio *u, struct uio_segment *seg, void *buf, size_t n);
// Copies up to n bytes out of (read) or into (write) `buf`. Returns bytes copied; fewer than MIN(n, resid)
// means a fault, or that the thread is being killed, so that 0 is -EFAULT for the caller. May sleep.
size_t uio_write_to(struct uio *u, const void *buf, size_t n); // kernel -> the reader's memory
size_t uio_read_from(struct uio *u, void *buf, size_t n);      // the writer's memory -> kernel
size_t uio_zero(struct uio *u, size_t n);
// Whether each segment of the next n bytes begins at an address, if it is a program's, and has a length without a bit of the masks.
bool uio_is_aligned(const struct uio *u, size_t n, size_t address, size_t length);
// The same of n bytes from `offset` of `count` pages on, those that lie in a row at once. Gives the pages back. Bytes copied.
size_t uio_write_pages(struct uio *u, struct page **pages, unsigned int count, size_t offset, size_t n);
// An object, without what is between its members. False: not all of it could be copied. (arch/riscv/uaccess.h)
#define uio_put_object(u, object)                                                                            \
    ({                                                                                                       \
        __typeof__(&(object)) o_ = &(object);                                                                \
        clear_padding(o_);                                                                                   \
        uio_write_to((u), o_, sizeof(*o_)) == sizeof(*o_);                                                   \
    })

struct dir_context;
struct file_async;
struct poll_table;

struct file {
    struct refcount refs;
    unsigned int flags;         // O_*, access mode included; F_SETFL changes some [a]
    const struct file_ops *ops; // [I]
    struct path path;           // [I] dentry and mount, referenced; dentry NULL for none
    struct inode *inode;        // [I] referenced by the dentry, or by the file
    struct mutex pos_lock;      // [pos]: taken for read, write, lseek on regular files and directories
    off_t pos;
    void *private_data;           // of the ops
    struct vm_backing *backing;   // for mmap, NULL: cannot
    struct cred *cred;            // opener's
    struct file_async *async;     // fs/async.c: F_SETOWN, O_ASYNC. NULL: neither was ever set
    struct list_head epoll_links; // fs/event/epoll.c
    bool counted;                 // [I] it is one of its mount's `writers`
    bool writes;                  // and of its inode's
    bool reads;                   // [I] it is one of its inode's `readers`
};

struct file_ops {
    // Bytes done, or -errno. `pos`: where; moved on. Streams ignore it. O_NONBLOCK is in file->flags.
    ssize_t (*read)(struct file *f, struct uio *u, off_t *pos);
    ssize_t (*write)(struct file *f, struct uio *u, off_t *pos);
    off_t (*lseek)(struct file *f, off_t offset, int whence); // NULL: -ESPIPE
    // sendfile(2) without a copy, both optional. Pages, each with a reference, at most `most`, that hold what stands from `pos` on: how many; and in
    // *n, which says how much is wanted, how many bytes of it. 0: read() is to be asked. They may change, as the file does.
    unsigned int (*lend_pages)(struct file *f, off_t pos, size_t *n, struct page **pages, unsigned int most);
    // As `write` of n bytes from `offset` of the first of `count` pages on; those that it keeps it takes references to. 0: write() is to be asked.
    ssize_t (*write_pages)(struct file *f, struct page **pages, unsigned int count, size_t offset, size_t n);
    int (*readdir)(struct file *f, struct dir_context *ctx); // NULL: -ENOTDIR
    // Events ready now (POLLIN...); registers the waiter in the table's queues through poll_wait() first.
    unsigned int (*poll)(struct file *f, struct poll_table *table);     // NULL: always readable and writable
    long (*ioctl)(struct file *f, unsigned int cmd, unsigned long arg); // NULL: -ENOTTY
    int (*mmap)(struct file *f, struct vm_map_args *args); // NULL: file->backing if set, else -ENODEV
    int (*fsync)(struct file *f);
    int (*fallocate)(struct file *f, int mode, off_t offset, off_t len);
    int (*flush)(struct file *f);    // at each close(2)
    void (*closed)(void);            // after each close(2) of such a file, which may have others who know it
    void (*release)(struct file *f); // with the last reference
    void (*area_made)(
        struct file *f); // an area of memory is of it, and is not any more: optional. vm->lock is held when
    void (*area_gone)(struct file *f); // one comes
    // A line more of /proc/PID/fdinfo, with a newline, from at[] on, two numbers of its own that are 0 at first, and moved on. Its length;
    // 0: no more.
    size_t (*describe)(struct file *f, uint64_t *at, char *line, size_t n);
    bool signals; // O_ASYNC works
};

// fs.file-max: how many open files there may be, root's apart (ENFILE). How many there is room for without more memory.
void file_set_max(unsigned long max);
unsigned long file_get_max(void);
unsigned long file_get_count(void);

// Whether O_DIRECT says something of it: content in pages, and disks. (A pipe's packets are another thing.)
bool file_can_be_direct(const struct file *f);
struct file *__must_check file_alloc(const struct file_ops *ops, unsigned int flags); // ERR_PTR; refs 1
static inline void file_get(struct file *f) {
    ref_get(&f->refs);
}
void file_put(struct file *f);
// lseek(2) of what ends at `end`; -1: nothing is counted from there (-EINVAL, as SEEK_DATA and SEEK_HOLE are). [pos]
off_t file_seek(struct file *f, off_t offset, int whence, off_t end);
void file_end_writing(struct file *f); // it may be executed though f can write it: memfd_create(2)
// Gives f a place: of a pipe or the like, which /proc/PID/fd shows as "word:[inode number]" or, for an
// anonymous inode, "anon_inode:word". It takes its own reference to the inode. 0 or -ENOMEM.
int __must_check file_set_pseudo(struct file *f, struct inode *inode, const char *word);
// Opens path (kernel string) relative to cwd as the current credentials. ERR_PTR(-errno).
struct file *__must_check file_open(const char *path, int flags, mode_t mode);
// Opens what a lookup has found, without a check of permission (execve has made its own).
struct file *__must_check file_open_path(const struct path *path, int flags);
// The same as the current credentials may.
struct file *__must_check file_open_found(const struct path *path, int flags);
// file_open() relative to dfd, with LOOKUP_* of fs/path.h on the way (openat2(2)'s `resolve`).
struct file *__must_check file_open_how(int dfd, const char *path, int flags, mode_t mode,
                                        unsigned int lookup);
// Opens a name in a directory, for kernel code; no symlinks, no check of permission.
struct file *__must_check file_open_in(const struct path *dir, const char *name, int flags);
// A file on an anonymous inode, "anon_inode:name" ("[eventfd]", "[eventpoll]", ...; "inotify").
struct file *__must_check file_create_anon(const char *name, const struct file_ops *ops, void *private_data,
                                           int flags);
// Reads at an offset into kernel memory, whole or until the end. Bytes or -errno.
ssize_t __must_check file_read_kernel(struct file *f, void *buf, size_t n, off_t pos);
// The checks of read(2)/write(2) (mode, limits) and the op.
ssize_t __must_check file_read(struct file *f, struct uio *u, off_t *pos);
ssize_t __must_check file_write(struct file *f, struct uio *u, off_t *pos);
// Boot.
void file_init(void);
