// SPDX-License-Identifier: MIT
// Between pipes and files without a program's memory in between: splice(2), tee(2), vmsplice(2). Pages of a file that lends them go into the ring as
// they are, from there into other rings, and to sockets; other files read into the ring's own pages, and write out of them: one copy,
// where read() and write() make two.
//
// As in Linux the pipe's mutex is held while a file is read or anything is written, which may sleep; whoever waits for it can be killed. Nothing
// that these take comes before a pipe's mutex; of two pipes, the one at the lower address is locked first. A stream is read without it: what comes may bring
// descriptors along, and one that nobody takes may be the last of this very pipe's.
#include "fs/async.h"
#include "fs/event/poll.h"
#include "fs/pipe/private.h"
#include <linux/fcntl.h>

#define STREAM_MOST 4 // pages read of a stream at once

// ---- waiting

// Takes the mutex of a pipe that has something to read. 0; 1 without the mutex: nobody writes any more; or an error without it.
static int lock_readable(struct pipe *p, bool wait) {
    if (mutex_lock_killable(&p->mutex))
        return -ERESTARTSYS;
    while (!pipe_readable(p)) {
        unsigned int writers = p->writers;
        mutex_unlock(&p->mutex);
        if (!writers)
            return 1;
        pipe_demand(p);
        if (!wait)
            return -EAGAIN;
        int err = wait_event_interruptible(&p->read_wait, pipe_readable(p) || !READ_ONCE(p->writers));
        if (err || (err = mutex_lock_killable(&p->mutex)))
            return err == -EINTR ? -ERESTARTSYS : err;
    }
    return 0;
}

// Takes the mutex of a pipe that has room. 0, or an error without the mutex.
static int lock_writable(struct pipe *p, bool wait) {
    if (mutex_lock_killable(&p->mutex))
        return -ERESTARTSYS;
    for (;;) {
        bool broken = !p->readers;
        if (!broken && pipe_writable(p))
            return 0;
        mutex_unlock(&p->mutex);
        if (broken)
            return pipe_broken();
        if (!wait)
            return -EAGAIN;
        int err = wait_event_interruptible(&p->write_wait, pipe_writable(p) || !READ_ONCE(p->readers));
        if (err || (err = mutex_lock_killable(&p->mutex)))
            return err == -EINTR ? -ERESTARTSYS : err;
    }
}

static void tell_readers(struct pipe *p) {
    wait_wake(&p->read_wait, 1, POLLIN | POLLRDNORM);
}

static void tell_writers(struct pipe *p) {
    if (pipe_writable(p))
        wait_wake(&p->write_wait, 1, POLLOUT | POLLWRNORM);
    else if (unlikely(READ_ONCE(async_hooks)))
        wake_poll(&p->write_wait, POLL_ROOM);
}

// ---- with a file

// At *pos, which moves along, or at the file's own position.
static ssize_t transfer(struct file *f, struct uio *u, off_t *pos, bool write) {
    off_t none = 0;
    bool own = !pos && f->ops->lseek;
    if (own && mutex_lock_killable(&f->pos_lock))
        return -EINTR;
    off_t *at = pos ? pos : own ? &f->pos : &none;
    ssize_t n = write ? file_write(f, u, at) : file_read(f, u, at);
    if (own)
        mutex_unlock(&f->pos_lock);
    return n;
}

// The next bytes, at most *n, to a file that takes pages; *n: how many it was offered. How many it took; 0: it is to be asked to write; or an
// error. [m]
static ssize_t give_pages(struct pipe *p, struct file *out, size_t *n) {
    struct page *pages[PIPE_PIECES];
    size_t offset, offered = *n;
    if (!out->ops->write_pages || p->ends)
        return 0;
    unsigned int count = pipe_peek_pages(p, &offered, pages, &offset, PIPE_PIECES);
    ssize_t ret = out->ops->write_pages(out, pages, count, offset, offered);
    if (ret)
        *n = offered;
    return ret;
}

// The next bytes of a file that lends its pages, at *pos or at its own position: at most n. Bytes; 0: it is to be asked to read; or an error. [m]
static ssize_t take_pages(struct file *in, off_t *pos, struct pipe *p, size_t n) {
    struct page *pages[PIPE_PIECES];
    if (!in->ops->lend_pages)
        return 0;
    if (!pos && mutex_lock_killable(&in->pos_lock))
        return -EINTR;
    off_t *at = pos ? pos : &in->pos;
    n = MIN(n, pipe_room(p));
    unsigned int count = in->ops->lend_pages(in, *at, &n, pages, PIPE_PIECES);
    ssize_t ret = count ? pipe_put_pages(p, pages, count, *at & PAGE_MASK, n) : 0;
    *at += MAX(ret, 0);
    if (!pos)
        mutex_unlock(&in->pos_lock);
    page_put_all(pages, count);
    return ret;
}

static size_t length_of(const struct uio_segment *segments, unsigned int count) {
    size_t n = 0;
    for (unsigned int i = 0; i < count; i++)
        n += segments[i].len;
    return n;
}

// The same to any file, at *pos or at its own position.
static ssize_t give_bytes(struct pipe *p, struct file *out, off_t *pos, size_t *n) {
    struct uio_segment segments[PIPE_PIECES];
    unsigned int count = pipe_peek(p, *n, segments, PIPE_PIECES);
    *n = length_of(segments, count);
    struct uio u = {.seg = segments, .nseg = count, .resid = *n, .kernel = true};
    return transfer(out, &u, pos, true);
}

ssize_t pipe_splice_from(struct file *pipe, struct file *out, off_t *pos, size_t n, bool wait) {
    struct pipe *p = pipe->private_data;
    ssize_t ret = lock_readable(p, wait);
    size_t done = 0;
    if (ret)
        return ret < 0 ? ret : 0;
    while (done < n && pipe_readable(p)) {
        size_t piece = n - done;
        ret = give_pages(p, out, &piece);
        if (!ret)
            ret = give_bytes(p, out, pos, &piece);
        if (ret <= 0)
            break;
        pipe_skip(p, ret);
        done += ret;
        if ((size_t)ret < piece || signal_pending())
            break;
        cond_resched();
    }
    if (done)
        tell_writers(p);
    mutex_unlock(&p->mutex);
    return done ? (ssize_t)done : ret;
}

// Puts in n bytes from `at` on of what these pages hold one after the other, as far as there is room. As pipe_put_pages(). [m]
static ssize_t put_from(struct pipe *p, struct page **pages, unsigned int count, size_t at, size_t n) {
    unsigned int first = (unsigned int)(at >> PAGE_SHIFT);
    ssize_t ret = pipe_put_pages(p, pages + first, count - first, at & PAGE_MASK, n);
    if (ret > 0)
        tell_readers(p);
    return ret;
}

// Puts in n bytes of pages, of what was read: only SIGKILL, or that nobody reads, can keep it out.
static ssize_t put_all(struct pipe *p, struct page **pages, unsigned int count, size_t n) {
    size_t done = 0;
    while (done < n) {
        if (mutex_lock_killable(&p->mutex))
            return -EINTR;
        bool broken = !p->readers;
        ssize_t ret = broken ? 0 : put_from(p, pages, count, done, n - done);
        mutex_unlock(&p->mutex);
        if (broken)
            return pipe_broken();
        if (ret < 0)
            return done ? (ssize_t)done : ret;
        done += ret;
        if (done < n && wait_event_killable(&p->write_wait, pipe_writable(p) || !READ_ONCE(p->readers)))
            return -EINTR;
    }
    return done;
}

// From a stream: as much as there was room for.
static ssize_t splice_stream(struct file *in, struct pipe *p, size_t n, bool wait) {
    struct uio_segment segments[STREAM_MOST];
    struct page *pages[STREAM_MOST];
    struct uio u = {.seg = segments, .kernel = true};
    ssize_t ret = lock_writable(p, wait);
    if (ret)
        return ret;
    n = MIN(n, pipe_room(p));
    mutex_unlock(&p->mutex);
    for (; u.resid < n && u.nseg < STREAM_MOST; u.nseg++) {
        if (!(pages[u.nseg] = page_alloc(0, 0)))
            break;
        segments[u.nseg].kernel = page_address(pages[u.nseg]);
        segments[u.nseg].len = MIN(n - u.resid, PAGE_SIZE);
        u.resid += segments[u.nseg].len;
    }
    unsigned int count = (unsigned int)u.nseg;
    ret = count ? transfer(in, &u, NULL, false) : -ENOMEM;
    if (ret > 0)
        ret = put_all(p, pages, count, ret);
    page_put_all(pages, count);
    return ret;
}

ssize_t pipe_splice_to(struct file *in, off_t *pos, struct file *pipe, size_t n, bool wait) {
    struct pipe *p = pipe->private_data;
    struct pipe_room room;
    size_t done = 0;
    if (!in->ops->lseek)
        return splice_stream(in, p, n, wait);
    ssize_t ret = lock_writable(p, wait);
    if (ret)
        return ret;
    while (done < n && pipe_room(p)) {
        if ((ret = take_pages(in, pos, p, n - done))) {
            if (ret < 0)
                break;
            done += ret;
            if (signal_pending())
                break;
            cond_resched();
            continue;
        }
        pipe_reserve(p, n - done, &room);
        size_t piece = length_of(room.segments, room.count);
        struct uio u = {.seg = room.segments, .nseg = room.count, .resid = piece, .kernel = true};
        ret = piece ? transfer(in, &u, pos, false) : -ENOMEM;
        pipe_commit(p, &room, MAX(ret, 0));
        if (ret <= 0)
            break;
        done += ret;
        if ((size_t)ret < piece || signal_pending())
            break;
        cond_resched();
    }
    if (done)
        tell_readers(p);
    mutex_unlock(&p->mutex);
    return done ? (ssize_t)done : ret;
}

// ---- from pipe to pipe

static int lock_both(struct pipe *a, struct pipe *b) {
    struct pipe *low = a < b ? a : b, *high = a < b ? b : a;
    if (mutex_lock_killable(&low->mutex))
        return -ERESTARTSYS;
    if (mutex_lock_killable_nested(&high->mutex, LOCK_NEXT_ADDRESS)) {
        mutex_unlock(&low->mutex);
        return -ERESTARTSYS;
    }
    return 0;
}

static void unlock_both(struct pipe *a, struct pipe *b) {
    mutex_unlock(&a->mutex);
    mutex_unlock(&b->mutex);
}

// Takes both mutexes once there is something in one and room in the other; otherwise as lock_readable().
static int lock_for_move(struct pipe *in, struct pipe *out, bool wait) {
    for (;;) {
        int ret = lock_readable(in, wait);
        if (ret)
            return ret;
        mutex_unlock(&in->mutex);
        if ((ret = lock_writable(out, wait)))
            return ret;
        mutex_unlock(&out->mutex);
        if ((ret = lock_both(in, out)))
            return ret;
        if (pipe_readable(in) && out->readers && pipe_writable(out))
            return 0;
        unlock_both(in, out);
    }
}

// The bytes that are next, at most n, from one ring to the other. With both mutexes.
static ssize_t move_pages(struct pipe *from, struct pipe *to, size_t n) {
    struct page *pages[PIPE_PIECES];
    size_t offset;
    unsigned int count = pipe_peek_pages(from, &n, pages, &offset, PIPE_PIECES);
    return pipe_put_pages(to, pages, count, offset, n);
}

// The same of packets, which come out as bytes.
static ssize_t copy_bytes(struct pipe *from, struct pipe *to, size_t n) {
    struct uio_segment segments[PIPE_PIECES];
    unsigned int count = pipe_peek(from, n, segments, PIPE_PIECES);
    struct uio u = {.seg = segments, .nseg = count, .resid = length_of(segments, count), .kernel = true};
    return pipe_put(to, &u);
}

ssize_t pipe_splice_pipe(struct file *in, struct file *out, size_t n, bool wait, bool keep) {
    struct pipe *from = in->private_data, *to = out->private_data;
    ssize_t ret = lock_for_move(from, to, wait);
    if (ret)
        return ret < 0 ? ret : 0;
    n = MIN(n, pipe_room(to));
    ret = from->ends ? copy_bytes(from, to, n) : move_pages(from, to, n);
    if (ret > 0 && !keep) {
        pipe_skip(from, ret);
        tell_writers(from);
    }
    if (ret > 0)
        tell_readers(to);
    unlock_both(from, to);
    return ret;
}

ssize_t pipe_write_pages(struct file *pipe, struct page **pages, unsigned int count, size_t offset,
                         size_t n) {
    struct pipe *p = pipe->private_data;
    ssize_t ret = 0;
    size_t done = 0;
    if (pipe->flags & O_DIRECT)
        return 0;
    while (done < n) {
        if ((ret = lock_writable(p, !(pipe->flags & O_NONBLOCK))))
            break;
        ret = put_from(p, pages, count, offset + done, n - done);
        mutex_unlock(&p->mutex);
        if (ret < 0)
            break;
        done += ret;
    }
    return done ? (ssize_t)done : ret;
}

// ---- with a program

ssize_t pipe_splice_memory(struct file *pipe, struct uio *u, bool write, bool wait) {
    struct pipe *p = pipe->private_data;
    return write ? pipe_write_bytes(p, u, wait, false) : pipe_read_bytes(p, u, wait);
}
