// SPDX-License-Identifier: MIT
// Pipes and FIFOs.
//
// The bytes in a pipe stand in a ring of pages: `tail` and `head` count the bytes ever read and written since
// the ring was last found empty (both then start again at 0, so that a pipe that never holds much uses one
// page only), and byte number i is in page (i / PAGE_SIZE) % slots. A page is there while it holds a byte;
// one more is kept for the next that is needed.
//
// Who waits where: readers (and pollers of the read end) on read_wait while the ring is empty, writers (and
// pollers of the write end) on write_wait. Sleeping readers and writers are exclusive: one at a time is
// woken, and whoever leaves something for another wakes the next. A writer sleeps until there is room for all
// of a small write, but is woken only when at least PIPE_BUF bytes are free, which comes at the latest when
// the ring is empty.
//
// file->pos of a FIFO's reader that came when there was no writer is the number of writers that had ever been
// (a hang-up is reported only once there are more); of every other end it is -1.
//
// Key: [m] mutex, [a] atomic.
#include "fs/pipe.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "upcalls.h"
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>

#define PIPE_DEFAULT_SIZE 65536
#define PIPE_SIZE_LIMIT   (1ul << 31)

unsigned int pipe_max_size = 1 << 20;

struct pipe {
    struct mutex mutex;
    struct page **pages;           // [m] slots, a power of two
    unsigned int slots;            // [m]
    struct page *spare;            // [m]
    uint64_t head, tail;           // [m] head - tail bytes are in the ring; both are read without
    unsigned int readers, writers; // [m] open ends
    unsigned int reader_opens,
        writer_opens;  // [m] how often each end was ever opened, for FIFO opens that wait
    unsigned int refs; // [inode->spin] open files
    struct wait_queue read_wait, write_wait, open_wait;
};

static struct superblock *pipe_sb;

static size_t pipe_used(const struct pipe *p) {
    return READ_ONCE(p->head) - READ_ONCE(p->tail);
}
static size_t pipe_capacity(const struct pipe *p) {
    return (size_t)READ_ONCE(p->slots) << PAGE_SHIFT;
}
static size_t pipe_room(const struct pipe *p) {
    return pipe_capacity(p) - pipe_used(p);
}

static struct pipe *pipe_alloc(void) {
    struct pipe *p = kzalloc(sizeof(*p));
    if (!p)
        return NULL;
    p->slots = PIPE_DEFAULT_SIZE / PAGE_SIZE;
    p->pages = kzalloc(p->slots * sizeof(p->pages[0]));
    if (!p->pages) {
        kfree(p);
        return NULL;
    }
    mutex_init(&p->mutex);
    wait_queue_init(&p->read_wait);
    wait_queue_init(&p->write_wait);
    wait_queue_init(&p->open_wait);
    return p;
}

static void pipe_free(struct pipe *p) {
    for (unsigned int i = 0; i < p->slots; i++)
        if (p->pages[i])
            page_put(p->pages[i]);
    if (p->spare)
        page_put(p->spare);
    kfree(p->pages);
    kfree(p);
}

// ---- the ring, all with the mutex held

static struct page **pipe_slot(struct pipe *p, uint64_t i) {
    return &p->pages[(i >> PAGE_SHIFT) & (p->slots - 1)];
}

static void pipe_drop_page(struct pipe *p, struct page **slot) {
    if (p->spare)
        page_put(*slot);
    else
        p->spare = *slot;
    *slot = NULL;
}

// The bytes before `tail` are used up: gives back the page that they end, starts again when none are left.
static void pipe_consumed(struct pipe *p, uint64_t old_tail) {
    if (p->tail == p->head) {
        struct page **slot = pipe_slot(p, old_tail);
        struct page *page = *slot;
        *slot = NULL;
        p->pages[0] = page;
        WRITE_ONCE(p->head, 0);
        WRITE_ONCE(p->tail, 0);
    } else if (!(p->tail & PAGE_MASK) &&
               ((p->head - 1) >> PAGE_SHIFT) - (old_tail >> PAGE_SHIFT) < p->slots) {
        pipe_drop_page(p, pipe_slot(p, old_tail)); // the ring's newest bytes are not on it, too
    }
}

// Copies out up to what is there. Bytes, or -EFAULT if none could be.
static ssize_t pipe_take(struct pipe *p, struct uio *u) {
    size_t done = 0;
    while (u->resid && p->tail != p->head) {
        uint64_t tail = p->tail;
        size_t offset = tail & PAGE_MASK;
        size_t n = MIN(MIN(PAGE_SIZE - offset, p->head - tail), u->resid);
        size_t copied = uio_write_to(u, (char *)page_address(*pipe_slot(p, tail)) + offset, n);
        WRITE_ONCE(p->tail, tail + copied);
        done += copied;
        if (copied)
            pipe_consumed(p, tail);
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return done;
}

// Copies in up to what there is room for. Bytes, or -EFAULT or -ENOMEM if none could be.
static ssize_t pipe_put(struct pipe *p, struct uio *u) {
    size_t done = 0;
    for (size_t room; u->resid && (room = pipe_room(p));) {
        struct page **slot = pipe_slot(p, p->head);
        size_t offset = p->head & PAGE_MASK;
        bool fresh = !*slot;
        if (fresh) {
            *slot = p->spare ? p->spare : page_alloc(0, 0);
            p->spare = NULL;
            if (!*slot)
                return done ? (ssize_t)done : -ENOMEM;
        }
        size_t n = MIN(MIN(PAGE_SIZE - offset, room), u->resid);
        size_t copied = uio_read_from(u, (char *)page_address(*slot) + offset, n);
        WRITE_ONCE(p->head, p->head + copied);
        done += copied;
        if (fresh && !copied)
            pipe_drop_page(p, slot);
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return done;
}

// ---- reading and writing

static ssize_t pipe_read(struct file *f, struct uio *u, off_t *pos) {
    struct pipe *p = f->private_data;
    ssize_t ret;
    (void)pos;
    if (!u->resid)
        return 0;
    mutex_lock(&p->mutex);
    while (p->head == p->tail) {
        unsigned int writers = p->writers;
        mutex_unlock(&p->mutex);
        if (!writers)
            return 0;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = wait_event_interruptible_exclusive(&p->read_wait, pipe_used(p) || !READ_ONCE(p->writers));
        if (err)
            return err;
        mutex_lock(&p->mutex);
    }
    ret = pipe_take(p, u);
    size_t left = p->head - p->tail;
    bool room = pipe_room(p) >= PIPE_BUF;
    mutex_unlock(&p->mutex);
    if (room && !wait_queue_empty(&p->write_wait))
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    if (left && !wait_queue_empty(&p->read_wait))
        wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
    return ret;
}

static ssize_t pipe_broken(void) {
    signal_send_thread(current, SIGPIPE);
    return -EPIPE;
}

static ssize_t pipe_write(struct file *f, struct uio *u, off_t *pos) {
    struct pipe *p = f->private_data;
    size_t need = u->resid <= PIPE_BUF ? u->resid : 1; // a small write goes in whole
    ssize_t done = 0, ret = 0;
    (void)pos;
    if (!u->resid)
        return 0;
    mutex_lock(&p->mutex);
    for (;;) {
        if (!p->readers) {
            ret = pipe_broken();
            break;
        }
        if (pipe_room(p) >= need) {
            ret = pipe_put(p, u);
            if (ret < 0)
                break;
            done += ret;
            if (!u->resid)
                break;
            need = 1;
            if (ret && pipe_room(p))
                continue; // a fault or no memory stopped it in between: the next try says which
        }
        if (f->flags & O_NONBLOCK) {
            ret = -EAGAIN;
            break;
        }
        mutex_unlock(&p->mutex);
        if (done)
            wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
        ret = wait_event_interruptible_exclusive(&p->write_wait,
                                                 pipe_room(p) >= need || !READ_ONCE(p->readers));
        mutex_lock(&p->mutex);
        if (ret)
            break;
    }
    bool more = pipe_room(p) >= PIPE_BUF;
    mutex_unlock(&p->mutex);
    if (done && !wait_queue_empty(&p->read_wait))
        wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
    if (more && !wait_queue_empty(&p->write_wait))
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    return done ? done : ret;
}

static unsigned int pipe_poll(struct file *f, struct poll_table *table) {
    struct pipe *p = f->private_data;
    unsigned int mode = f->flags & O_ACCMODE, events = 0;
    if (mode != O_WRONLY)
        poll_wait(f, &p->read_wait, table);
    if (mode != O_RDONLY)
        poll_wait(f, &p->write_wait, table);
    if (mode != O_WRONLY) {
        if (pipe_used(p))
            events |= POLLIN | POLLRDNORM;
        // Not before somebody has opened it for writing.
        if (!READ_ONCE(p->writers) && f->pos != (off_t)READ_ONCE(p->writer_opens))
            events |= POLLHUP;
    }
    if (mode != O_RDONLY) {
        if (pipe_room(p) >= PIPE_BUF)
            events |= POLLOUT | POLLWRNORM;
        if (!READ_ONCE(p->readers))
            events |= POLLERR;
    }
    return events;
}

static long pipe_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct pipe *p = f->private_data;
    if (cmd != FIONREAD)
        return -ENOTTY;
    return put_user((int)pipe_used(p), (int __user *)arg);
}

// ---- opening and closing

// Counts f's ends in or out. [m]
static void pipe_count(struct pipe *p, struct file *f, int n) {
    if ((f->flags & O_ACCMODE) != O_WRONLY)
        p->readers += n;
    if ((f->flags & O_ACCMODE) != O_RDONLY)
        p->writers += n;
}

// Drops a reference taken with the inode's spinlock; the last one frees the pipe.
static void pipe_unref(struct inode *inode, struct pipe *p) {
    spin_lock(&inode->spin);
    bool last = --p->refs == 0;
    if (last)
        inode->pipe = NULL;
    spin_unlock(&inode->spin);
    if (last)
        pipe_free(p);
}

static void pipe_release(struct file *f) {
    struct pipe *p = f->private_data;
    mutex_lock(&p->mutex);
    pipe_count(p, f, -1);
    bool changed = !p->readers || !p->writers;
    mutex_unlock(&p->mutex);
    if (changed) {
        wake_poll(&p->read_wait, POLLIN | POLLRDNORM | POLLHUP | POLLERR);
        wake_poll(&p->write_wait, POLLOUT | POLLWRNORM | POLLHUP | POLLERR);
    }
    pipe_unref(f->inode, p);
}

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

static struct file *pipe_open_end(struct inode *inode, struct pipe *p, int flags) {
    struct file *f = file_alloc(NULL, flags);
    if (IS_ERR(f))
        return f;
    if (file_set_pseudo(f, inode, "pipe")) {
        file_put(f);
        return ERR_PTR(-ENOMEM);
    }
    f->ops = &pipe_ops;
    f->private_data = p;
    f->pos = -1;
    p->refs++;
    pipe_count(p, f, 1);
    return f;
}

int pipe_create(struct file *ends[2], int flags) {
    if (flags & ~(O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    struct inode *inode = inode_create(pipe_sb, S_IFIFO | 0600);
    if (!inode)
        return -ENOMEM;
    struct pipe *p = pipe_alloc();
    int err = -ENOMEM;
    if (!p)
        goto out;
    inode->pipe = p;
    p->refs = 1; // ours, until both ends stand
    ends[0] = pipe_open_end(inode, p, O_RDONLY | (flags & O_NONBLOCK));
    ends[1] = pipe_open_end(inode, p, O_WRONLY | (flags & O_NONBLOCK));
    err = 0;
    for (int i = 0; i < 2; i++)
        if (IS_ERR(ends[i])) {
            err = PTR_ERR(ends[i]);
            if (!IS_ERR(ends[!i]))
                file_put(ends[!i]);
            break;
        }
    pipe_unref(inode, p);
out:
    inode_put(inode);
    return err;
}

// The pipe of a FIFO's inode with a reference, made if this is its first opener. NULL if no memory.
static struct pipe *pipe_of_fifo(struct inode *inode) {
    struct pipe *fresh = NULL, *p;
    for (;;) {
        spin_lock(&inode->spin);
        p = inode->pipe;
        if (!p && fresh)
            p = inode->pipe = fresh;
        if (p)
            p->refs++;
        spin_unlock(&inode->spin);
        if (p)
            break;
        fresh = pipe_alloc();
        if (!fresh)
            return NULL;
    }
    if (fresh && fresh != p)
        pipe_free(fresh);
    return p;
}

// fifo(7): an open for one direction waits until the other is opened, too; O_NONBLOCK does not wait, and
// fails for a writer without a reader.
int pipe_open_fifo(struct inode *inode, struct file *f) {
    unsigned int mode = f->flags & O_ACCMODE;
    struct pipe *p = pipe_of_fifo(inode);
    int err = 0;
    if (!p)
        return -ENOMEM;
    mutex_lock(&p->mutex);
    if (mode == O_WRONLY && (f->flags & O_NONBLOCK) && !p->readers) {
        mutex_unlock(&p->mutex);
        pipe_unref(inode, p);
        return -ENXIO;
    }
    pipe_count(p, f, 1);
    p->reader_opens += mode != O_WRONLY;
    p->writer_opens += mode != O_RDONLY;
    unsigned int reader_opens = p->reader_opens, writer_opens = p->writer_opens;
    bool alone = mode == O_RDONLY ? !p->writers : mode == O_WRONLY ? !p->readers : false;
    f->pos = alone && mode == O_RDONLY ? (off_t)writer_opens : -1;
    mutex_unlock(&p->mutex);
    wake_all(&p->open_wait);
    if (alone && !(f->flags & O_NONBLOCK)) {
        // Whoever came counts, also if it has gone again.
        err = mode == O_RDONLY
                  ? wait_event_interruptible(&p->open_wait, READ_ONCE(p->writer_opens) != writer_opens)
                  : wait_event_interruptible(&p->open_wait, READ_ONCE(p->reader_opens) != reader_opens);
    }
    f->private_data = p;
    f->ops = &pipe_ops;
    if (err) {
        f->ops = NULL;
        mutex_lock(&p->mutex);
        pipe_count(p, f, -1);
        mutex_unlock(&p->mutex);
        wake_poll(mode == O_RDONLY ? &p->write_wait : &p->read_wait, POLLHUP | POLLERR);
        pipe_unref(inode, p);
    }
    return err;
}

// ---- size

bool file_is_pipe(const struct file *f) {
    return f->ops == &pipe_ops;
}

long pipe_get_size(struct file *f) {
    return file_is_pipe(f) ? (long)pipe_capacity(f->private_data) : -EBADF;
}

// Moves the content into `pages`, of `slots`, which has at least as much room. [m]
static int pipe_move(struct pipe *p, struct page **pages, unsigned int slots) {
    size_t used = pipe_used(p);
    for (size_t i = 0; i < used; i += PAGE_SIZE) {
        pages[i >> PAGE_SHIFT] = page_alloc(0, 0);
        if (!pages[i >> PAGE_SHIFT]) {
            while (i)
                page_put(pages[(i -= PAGE_SIZE) >> PAGE_SHIFT]);
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < used;) {
        uint64_t from = p->tail + i;
        size_t n = MIN(MIN(PAGE_SIZE - (from & PAGE_MASK), PAGE_SIZE - (i & PAGE_MASK)), used - i);
        memcpy((char *)page_address(pages[i >> PAGE_SHIFT]) + (i & PAGE_MASK),
               (char *)page_address(*pipe_slot(p, from)) + (from & PAGE_MASK), n);
        i += n;
    }
    for (unsigned int i = 0; i < p->slots; i++)
        if (p->pages[i])
            page_put(p->pages[i]);
    kfree(p->pages);
    p->pages = pages;
    p->tail = 0;
    p->head = used;
    WRITE_ONCE(p->slots, slots);
    return 0;
}

long pipe_set_size(struct file *f, unsigned long size) {
    if (!file_is_pipe(f))
        return -EBADF;
    if (!size || size > PIPE_SIZE_LIMIT)
        return -EINVAL;
    struct pipe *p = f->private_data;
    unsigned int slots = 1;
    while (((unsigned long)slots << PAGE_SHIFT) < size)
        slots *= 2;
    unsigned long bytes = (unsigned long)slots << PAGE_SHIFT;
    if (bytes > pipe_max_size && bytes > pipe_capacity(p) && !cred_capable(current->cred, CAP_SYS_RESOURCE))
        return -EPERM;
    struct page **pages = kzalloc(slots * sizeof(pages[0]));
    if (!pages)
        return -ENOMEM;
    mutex_lock(&p->mutex);
    long ret = pipe_used(p) > bytes ? -EBUSY : pipe_move(p, pages, slots);
    bool room = pipe_room(p) >= PIPE_BUF;
    mutex_unlock(&p->mutex);
    if (ret) {
        kfree(pages);
        return ret;
    }
    if (room)
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    return bytes;
}

// ---- start

static struct fs_type pipe_type = {.name = "pipefs", .nodev = true};

void pipe_init(void) {
    pipe_sb = superblock_create(&pipe_type);
    ASSERT(pipe_sb);
    fs_type_register(&pipe_type);
}
