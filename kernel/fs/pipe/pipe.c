// SPDX-License-Identifier: MIT
// Pipes and FIFOs: who opens, reads, writes and waits. The bytes are ring.c's.
//
// Who waits where: readers (and pollers of the read end) on read_wait while the ring is empty, writers (and
// pollers of the write end) on write_wait. Sleeping readers and writers are exclusive: one at a time is
// woken, and one that slept and leaves something wakes the next. Others wake only whom their change is news to:
// a write always tells readers, a read tells writers when it made the pipe writable (pipe_writable(), which poll
// goes by as well). So edge-triggered epoll hears nothing of its own partial reads and writes. A writer sleeps
// until there is room for all of a small write, which comes at the latest when the ring is empty.
//
// file->pos of a FIFO's reader that came when there was no writer is the number of writers that had ever been
// (a hang-up is reported only once there are more); of every other end it is -1.
#include "fs/pipe/pipe.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "fs/async.h"
#include "fs/event/poll.h"
#include "fs/pipe/private.h"
#include "fs/superblock.h"
#include "lib/demand.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/user.h"
#include "upcalls.h"
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>

#define PIPE_DEFAULT_SIZE 65536
#define PIPE_SIZE_LIMIT   (1ul << 31)
#define PIPE_LEAST_SLOTS  2

unsigned int pipe_max_size = 1 << 20;

static struct superblock *pipe_sb;

// May a write put something in? `need`: bytes at least, 0: a packet.
static bool pipe_may_put(const struct pipe *p, size_t need) {
    return need ? pipe_room(p) >= need : pipe_writable(p);
}

// Is a user who has so many pages of pipes above the limit, and bound by it?
static bool pipe_too_many(long pages, unsigned long limit) {
    return limit && (unsigned long)pages > limit && !user_is_privileged();
}

// The slots of a new pipe, charged to the user: two for one who has many. 0: not even that.
static unsigned int pipe_charge(struct user *user) {
    long slots = PIPE_DEFAULT_SIZE / PAGE_SIZE, most = pipe_max_size / PAGE_SIZE;
    if (slots > most && !capable(CAP_SYS_RESOURCE))
        slots = most;
    long pages = user_charge(user, USER_PIPE_PAGES, slots);
    if (unlikely(pipe_too_many(pages, limits.pipe_user_soft)) && slots > PIPE_LEAST_SLOTS) {
        pages = user_charge(user, USER_PIPE_PAGES, PIPE_LEAST_SLOTS - slots);
        slots = PIPE_LEAST_SLOTS;
    }
    if (likely(!pipe_too_many(pages, limits.pipe_user_hard) && !memory_is_short()))
        return slots;
    user_uncharge(user, USER_PIPE_PAGES, slots);
    return 0;
}

// ERR_PTR(-ENOMEM, -ENFILE).
static struct pipe *pipe_alloc(void) {
    struct user *user = current->real_cred->user;
    unsigned int slots = pipe_charge(user);
    if (!slots)
        return ERR_PTR(-ENFILE);
    struct pipe *p = kzalloc(sizeof(*p));
    struct page **pages = kzalloc(slots * sizeof(pages[0]));
    if (!p || !pages) {
        kfree(p);
        kfree(pages);
        user_uncharge(user, USER_PIPE_PAGES, slots);
        return ERR_PTR(-ENOMEM);
    }
    p->slots = slots;
    p->pages = pages;
    p->user = user_get(user);
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
    kfree(p->ends);
    user_uncharge(p->user, USER_PIPE_PAGES, p->slots);
    user_put(p->user);
    kfree(p);
}

// ---- reading and writing

void pipe_demand(struct pipe *p) {
    if (likely(READ_ONCE(p->demand) != DEMAND_AWAITED))
        return;
    WRITE_ONCE(p->demand, DEMAND_SEEN);
    wake_poll(&p->write_wait, POLLOUT | POLLWRNORM);
}

// The common case: all there is, a few bytes on one page.
static inline bool pipe_ends_on_page(const struct pipe *p, size_t n) {
    return !p->ends && p->head - p->tail <= n && (p->tail & PAGE_MASK) + (p->head - p->tail) <= PAGE_SIZE;
}

static inline ssize_t pipe_take_rest(struct pipe *p, struct uio *u) {
    struct page **slot = pipe_slot(p, p->tail), *page = *slot;
    size_t n = p->head - p->tail,
           copied = uio_write_to(u, (char *)page_address(page) + (p->tail & PAGE_MASK), n);
    if (unlikely(copied < n)) {
        WRITE_ONCE(p->tail, p->tail + copied);
        return copied ? (ssize_t)copied : -EFAULT;
    }
    *slot = NULL;
    p->pages[0] = page; // the ring starts again
    WRITE_ONCE(p->head, 0);
    WRITE_ONCE(p->tail, 0);
    return copied;
}

ssize_t pipe_read_bytes(struct pipe *p, struct uio *u, bool wait) {
    bool slept = false;
    ssize_t ret;
    if (!u->resid)
        return 0;
    if (unlikely(mutex_lock_killable(&p->mutex))) // splice may hold it for long
        return -EINTR;
    while (!pipe_readable(p)) {
        unsigned int writers = p->writers;
        mutex_unlock(&p->mutex);
        if (!writers)
            return 0;
        pipe_demand(p);
        if (!wait)
            return -EAGAIN;
        int err =
            wait_event_interruptible_exclusive(&p->read_wait, pipe_readable(p) || !READ_ONCE(p->writers));
        if (err)
            return err;
        slept = true;
        mutex_lock(&p->mutex);
    }
    bool was_writable = pipe_writable(p);
    ret = likely(pipe_ends_on_page(p, u->resid)) ? pipe_take_rest(p, u) : pipe_take(p, u);
    bool news = !was_writable && pipe_writable(p), left = slept && pipe_readable(p);
    mutex_unlock(&p->mutex);
    if (news && !wait_queue_empty(&p->write_wait))
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    else if (unlikely(READ_ONCE(async_hooks)))
        wake_poll(&p->write_wait, POLL_ROOM);
    if (left && !wait_queue_empty(&p->read_wait))
        wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
    return ret;
}

static ssize_t pipe_read(struct file *f, struct uio *u, off_t *pos) {
    (void)pos;
    return pipe_read_bytes(f->private_data, u, !(f->flags & O_NONBLOCK));
}

ssize_t pipe_broken(void) {
    signal_send_thread(current, SIGPIPE);
    return -EPIPE;
}

// Puts in what goes in now; *need is what more there must be for the next try. Bytes or an error.
static ssize_t pipe_put_some(struct pipe *p, struct uio *u, size_t *need) {
    if (!*need)
        return pipe_put_packets(p, u);
    *need = 1;
    return pipe_put(p, u);
}

// With the mutex, which it keeps, or gives up while it waits. Bytes or an error.
static ssize_t pipe_write_locked(struct pipe *p, bool wait, struct uio *u, size_t need, bool *slept) {
    ASSERT_HELD(&p->mutex);
    ssize_t done = 0, ret;
    for (;;) {
        if (!p->readers) {
            ret = pipe_broken();
            break;
        }
        if (pipe_may_put(p, need)) {
            ret = pipe_put_some(p, u, &need);
            if (ret < 0)
                break;
            done += ret;
            if (!u->resid)
                break;
            if (ret && pipe_may_put(p, need))
                continue; // a fault or no memory stopped it in between: the next try says which
        }
        if (!wait) {
            ret = -EAGAIN;
            break;
        }
        mutex_unlock(&p->mutex);
        if (done)
            wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
        ret = wait_event_interruptible_exclusive(&p->write_wait,
                                                 pipe_may_put(p, need) || !READ_ONCE(p->readers));
        mutex_lock(&p->mutex);
        *slept = true;
        if (ret)
            break;
    }
    return done ? done : ret;
}

// The common case: a few bytes for a page that is there.
static inline bool pipe_fits_page(struct pipe *p, size_t n) {
    const struct page *page = *pipe_slot(p, p->head);
    return (p->head & PAGE_MASK) + n <= PAGE_SIZE && page && pipe_owns(page) && pipe_room(p) >= n;
}

static inline ssize_t pipe_put_on_page(struct pipe *p, struct uio *u) {
    char *to = (char *)page_address(*pipe_slot(p, p->head)) + (p->head & PAGE_MASK);
    size_t n = uio_read_from(u, to, u->resid);
    WRITE_ONCE(p->head, p->head + n);
    return n ? (ssize_t)n : -EFAULT;
}

ssize_t pipe_write_bytes(struct pipe *p, struct uio *u, bool wait, bool packets) {
    size_t need = u->resid <= PIPE_BUF ? u->resid : 1; // a small write goes in whole
    bool slept = false;
    if (!u->resid)
        return 0;
    if (unlikely(mutex_lock_killable(&p->mutex)))
        return -EINTR;
    if (unlikely(packets)) {
        need = 0;
        if (!p->ends)
            WRITE_ONCE(p->ends, kzalloc(p->slots * sizeof(p->ends[0])));
    }
    ssize_t ret = -ENOMEM;
    if (likely(need && p->readers && pipe_fits_page(p, u->resid)))
        ret = pipe_put_on_page(p, u);
    else if (need || p->ends)
        ret = pipe_write_locked(p, wait, u, need, &slept);
    bool more = slept && pipe_writable(p);
    mutex_unlock(&p->mutex);
    if (ret > 0 && !wait_queue_empty(&p->read_wait))
        wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
    if (more && !wait_queue_empty(&p->write_wait))
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    return ret;
}

static ssize_t pipe_write(struct file *f, struct uio *u, off_t *pos) {
    (void)pos;
    return pipe_write_bytes(f->private_data, u, !(f->flags & O_NONBLOCK), f->flags & O_DIRECT);
}

static unsigned int pipe_poll(struct file *f, struct poll_table *table) {
    struct pipe *p = f->private_data;
    unsigned int mode = f->flags & O_ACCMODE, events = 0;
    if (mode != O_WRONLY)
        poll_wait(f, &p->read_wait, table);
    if (mode != O_RDONLY)
        poll_wait(f, &p->write_wait, table);
    if (mode != O_WRONLY) {
        if (pipe_readable(p))
            events |= POLLIN | POLLRDNORM;
        else
            pipe_demand(p);
        // Not before somebody has opened it for writing.
        if (!READ_ONCE(p->writers) && f->pos != (off_t)READ_ONCE(p->writer_opens))
            events |= POLLHUP;
    }
    if (mode != O_RDONLY) {
        if (pipe_writable(p) && READ_ONCE(p->demand) != DEMAND_AWAITED)
            events |= POLLOUT | POLLWRNORM;
        if (!READ_ONCE(p->readers))
            events |= POLLERR;
    }
    return events;
}

static long pipe_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct pipe *p = f->private_data;
    if (cmd == PIPE_ON_DEMAND && (f->flags & O_ACCMODE) == O_WRONLY) {
        WRITE_ONCE(p->demand, DEMAND_AWAITED);
        return 0;
    }
    if (cmd != FIONREAD)
        return -ENOTTY;
    if (!pipe_readable(p))
        pipe_demand(p);
    return put_user((int)pipe_readable_bytes(p), (int __user *)arg);
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
    .write_pages = pipe_write_pages,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
    .signals = true,
};

static const struct inode_ops pipe_inode_ops = {.setattr = inode_setattr};

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
    if (flags & ~(O_NONBLOCK | O_CLOEXEC | O_DIRECT))
        return -EINVAL;
    struct inode *inode = inode_create(pipe_sb, S_IFIFO | 0600);
    if (!inode)
        return -ENOMEM;
    inode->ops = &pipe_inode_ops;
    inode_init_owner(inode, NULL);
    struct pipe *p = pipe_alloc();
    int err = IS_ERR(p) ? PTR_ERR(p) : 0;
    if (err)
        goto out;
    inode->pipe = p;
    p->refs = 1; // ours, until both ends stand
    ends[0] = pipe_open_end(inode, p, O_RDONLY | (flags & (O_NONBLOCK | O_DIRECT)));
    ends[1] = pipe_open_end(inode, p, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
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

// The pipe of a FIFO's inode with a reference, made if this is its first opener. ERR_PTR.
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
        if (IS_ERR(fresh))
            return fresh;
    }
    if (fresh && fresh != p)
        pipe_free(fresh);
    return p;
}

// fifo(7): an open for one direction waits until the other is opened, too; O_NONBLOCK does not wait, and
// fails for a writer without a reader. A pipe's end that is opened again (/proc/self/fd/N) never waits: who was to be
// there has been.
int pipe_open_fifo(struct inode *inode, struct file *f) {
    unsigned int mode = f->flags & O_ACCMODE;
    bool named = inode->sb != pipe_sb;
    struct pipe *p = pipe_of_fifo(inode);
    int err = 0;
    if (IS_ERR(p))
        return PTR_ERR(p);
    if (mutex_lock_killable(&p->mutex)) {
        pipe_unref(inode, p);
        return -EINTR;
    }
    if (named && mode == O_WRONLY && (f->flags & O_NONBLOCK) && !p->readers) {
        mutex_unlock(&p->mutex);
        pipe_unref(inode, p);
        return -ENXIO;
    }
    pipe_count(p, f, 1);
    p->reader_opens += mode != O_WRONLY;
    p->writer_opens += mode != O_RDONLY;
    unsigned int reader_opens = p->reader_opens, writer_opens = p->writer_opens;
    bool alone = named && (mode == O_RDONLY ? !p->writers : mode == O_WRONLY ? !p->readers : false);
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

// The same, charged to the user. [m]
static int pipe_resize(struct pipe *p, unsigned int slots) {
    long more = (long)slots - (long)p->slots, pages = user_charge(p->user, USER_PIPE_PAGES, more);
    bool too_many =
        pipe_too_many(pages, limits.pipe_user_soft) || pipe_too_many(pages, limits.pipe_user_hard);
    int err = more > 0 && too_many ? -EPERM : pipe_move(p, slots);
    if (err)
        user_uncharge(p->user, USER_PIPE_PAGES, more);
    return err;
}

long pipe_set_size(struct file *f, unsigned long size) {
    if (!file_is_pipe(f))
        return -EBADF;
    if (size > PIPE_SIZE_LIMIT)
        return -EINVAL;
    struct pipe *p = f->private_data;
    unsigned int slots = 1; // of size 0, too
    while (((unsigned long)slots << PAGE_SHIFT) < size)
        slots *= 2;
    unsigned long bytes = (unsigned long)slots << PAGE_SHIFT;
    if (bytes > pipe_max_size && bytes > pipe_capacity(p) && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    if (mutex_lock_killable(&p->mutex))
        return -EINTR;
    long ret = pipe_resize(p, slots);
    bool room = pipe_writable(p);
    mutex_unlock(&p->mutex);
    if (ret)
        return ret;
    if (room)
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    return bytes;
}

// ---- start

static struct fs_type pipe_type = {.name = "pipefs", .nodev = true};

void pipe_init(void) {
    pipe_sb = superblock_create(&pipe_type);
    if (!pipe_sb)
        panic("pipe: no memory at boot");
    fs_type_register(&pipe_type);
}
