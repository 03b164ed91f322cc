// SPDX-License-Identifier: MIT
// Streams between UNIX sockets.
//
// What one call of send writes goes as one packet, or several if it is long; descriptors travel with the first. A reader takes
// bytes out of as many packets as it has room for, but a packet with descriptors ends what one call gets, and where credentials are
// wanted so does one from another sender, and an urgent byte (unix_urgent.c).
#include "net/unix_private.h"
#include "fs/event/poll.h"
#include "upcalls.h"
#include <asm/signal.h>

// ---- sending

static ssize_t broken(unsigned int flags) {
    if (!(flags & MSG_NOSIGNAL))
        signal_send_thread(current, SIGPIPE);
    return -EPIPE;
}

// The bytes of the next packet: half of the buffer at most, so that writer and reader can both go on.
static size_t next_size(const struct socket *s, size_t left) {
    return MIN(MIN(left, (size_t)(READ_ONCE(s->sndbuf) >> 1) - 64), (size_t)STREAM_PIECE);
}

// Queues p unless the other end hears nothing any more.
static inline bool deliver(struct unix_socket *peer, struct packet *p) {
    spin_lock(&peer->s.lock);
    if (unlikely(peer->s.shutdown & RCV_SHUTDOWN)) {
        spin_unlock(&peer->s.lock);
        return false;
    }
    unix_enqueue(peer, p);
    spin_unlock(&peer->s.lock);
    socket_readable(&peer->s);
    return true;
}

// A packet with the next bytes in it. ERR_PTR.
static struct packet *make_piece(struct unix_socket *u, struct message *m, ktime_t deadline) {
    size_t len = next_size(&u->s, m->uio->resid);
    if (unlikely(m->pages) && len >= PAGE_SIZE)
        return packet_create_of_pages(&u->s, m->uio, len, deadline);
    struct packet *p = packet_create(&u->s, len, true, deadline);
    if (!IS_ERR(p) && unlikely(packet_fill(p, m->uio))) {
        packet_free(p);
        return ERR_PTR(-EFAULT);
    }
    return p;
}

// One packet. Its bytes or an error. `deliver`: how it is queued.
static inline ssize_t send_piece(struct unix_socket *u, struct unix_socket *peer, struct message *m,
                                 struct scm *scm, ktime_t deadline, bool first,
                                 bool (*queue)(struct unix_socket *peer, struct packet *p)) {
    struct packet *p = make_piece(u, m, deadline);
    if (IS_ERR(p))
        return PTR_ERR(p);
    ssize_t len = p->len;
    int err = unlikely(scm != NULL) ? unix_attach(p, scm, first) : 0;
    if (!err) {
        unix_note_sender(p, u, peer);
        if (likely(queue(peer, p)))
            return len;
        err = -EPIPE;
    }
    unix_packet_free(p);
    return err;
}

static ssize_t send_all(struct unix_socket *u, struct message *m, struct scm *scm) {
    struct unix_socket *peer = READ_ONCE(u->peer); // it stays: nobody but our own release takes it away
    ktime_t deadline = socket_send_deadline(&u->s, m);
    ssize_t done = 0, n = 0;
    if (unlikely(m->address && m->address->len))
        return READ_ONCE(u->s.state) == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    if (unlikely(!peer))
        return -ENOTCONN;
    if (unlikely(READ_ONCE(u->s.shutdown) & SEND_SHUTDOWN))
        return broken(m->flags);
    while (m->uio->resid) {
        n = send_piece(u, peer, m, scm, deadline, !done, deliver);
        if (n < 0)
            break;
        done += n;
        if (m->uio->resid && cond_resched_killable())
            break;
    }
    if (done)
        return done;
    return n == -EPIPE ? broken(m->flags) : n;
}

// The last byte as urgent data, behind the others.
static ssize_t send_urgent(struct unix_socket *u, struct message *m, struct scm *scm) {
    size_t before = m->uio->resid - 1;
    if (!m->uio->resid)
        return -EOPNOTSUPP;
    m->uio->resid = before;
    ssize_t n = send_all(u, m, scm);
    if (n < 0 || (size_t)n < before)
        return n;
    m->uio->resid = 1;
    struct unix_socket *peer = READ_ONCE(u->peer);
    ssize_t last = send_piece(u, peer, m, scm, socket_send_deadline(&u->s, m), !before, unix_deliver_urgent);
    return last > 0 ? n + last : n ?: last;
}

static ssize_t send_any(struct unix_socket *u, struct message *m, struct scm *scm) {
    return unlikely(m->flags & MSG_OOB) ? send_urgent(u, m, scm) : send_all(u, m, scm);
}

// The common case: a few bytes and nothing else, to somebody who listens. 0: send_all() does it. -EPIPE without a signal.
static inline ssize_t send_small(struct unix_socket *u, struct uio *uio) {
    struct unix_socket *peer = READ_ONCE(u->peer);
    size_t len = uio->resid;
    if (!len || !peer || socket_wants_credentials(&u->s) || socket_wants_credentials(&peer->s))
        return 0;
    struct packet *p = packet_take_spare(&u->s, len);
    if (!p)
        return 0;
    ssize_t n = likely(uio_read_from(uio, p->data, len) == len) ? (ssize_t)len : -EFAULT;
    if (likely(n > 0 && deliver(peer, p)))
        return n;
    packet_free(p);
    return n > 0 ? -EPIPE : n;
}

static ssize_t stream_send_bytes(struct socket *s, struct uio *uio) {
    ssize_t n = send_small(to_unix(s), uio);
    return unlikely(n == -EPIPE) ? broken(0) : n;
}

static ssize_t stream_send(struct socket *s, struct message *m) {
    if (likely(!m->control_len && !m->address && !(m->flags & MSG_OOB))) {
        ssize_t n = send_small(to_unix(s), m->uio);
        if (likely(n))
            return n == -EPIPE ? broken(m->flags) : n;
    }
    if (likely(!m->control_len))
        return send_any(to_unix(s), m, NULL);
    struct scm scm;
    scm_init(&scm);
    ssize_t ret = scm_import(s, m, &scm);
    if (!ret)
        ret = send_any(to_unix(s), m, &scm);
    scm_end(&scm);
    return ret;
}

// ---- receiving

struct reading {
    struct unix_socket *u;
    struct message *m;
    struct scm scm;
    size_t skip;       // MSG_PEEK: bytes of the first packets that were looked at before
    ssize_t target;    // bytes to wait for, at least 1
    unsigned int seen; // packets in the queue when there was nothing in it for us
    ssize_t done;
    bool credentials; // of scm.from are those of all that is read
    bool stop;        // nothing more goes into this call
    bool
        skipped; // the packet before was one to skip: the next is not asked whether it is urgent, as on Linux
};

// Why a read that finds no (further) packet ends: 0, or the socket's error; or 1: it may wait for more. [l]
static int why_none(struct reading *r) {
    struct socket *s = &r->u->s;
    r->seen = r->u->queued;
    if (r->done >= r->target)
        return 0;
    int err = socket_take_error(s);
    return err ? err : s->shutdown & RCV_SHUTDOWN ? 0 : 1;
}

// The packet behind `last` (NULL: the first), or NULL, and why there is none.
static struct packet *next_packet(struct reading *r, struct packet *last, int *why) {
    struct unix_socket *u = r->u;
    struct packet *p = NULL;
    struct list_head gone = LIST_HEAD_INIT(gone);
    bool mark = false;
    spin_lock(&u->s.lock);
    struct list_head *next = last ? last->link.next : u->queue.next;
    if (likely(next != &u->queue))
        p = list_entry(next, struct packet, link);
    if (unlikely(p && (p == u->urgent || p->done == p->len)) && !r->skipped) {
        p = unix_pass_mark_locked(u, p, r->done, r->m->flags & MSG_PEEK, &gone);
        mark = !p && r->done;
    }
    if (!p)
        *why = mark ? 0 : why_none(r);
    spin_unlock(&u->s.lock);
    if (unlikely(!list_empty(&gone)))
        unix_packets_free(&gone);
    return p;
}

// Packets of another sender are not joined to those that were read if somebody wants to know who it is.
static bool same_sender(struct reading *r, const struct packet *p) {
    if (likely(!socket_wants_credentials(&r->u->s)))
        return true;
    const struct credentials *a = &r->scm.from, *b = &p->from;
    if (r->credentials)
        return a->process == b->process && a->uid == b->uid && a->gid == b->gid;
    credentials_copy(&r->scm.from, b);
    r->credentials = true;
    return true;
}

// n bytes of p have been read.
static void consume(struct reading *r, struct packet *p, size_t n) {
    struct unix_socket *u = r->u;
    struct socket *s = &u->s;
    if (unlikely(READ_ONCE(s->peek_offset) > 0))
        WRITE_ONCE(s->peek_offset, MAX(s->peek_offset - (int)n, 0));
    bool files = p->files;
    if (unlikely(files))
        unix_take_files(u, p, &r->scm, false);
    r->stop = files;
    if (p->done + n < p->len) {
        WRITE_ONCE(p->done, p->done + n);
        r->stop = true; // the caller's memory is full
        return;
    }
    spin_lock(&s->lock);
    unix_dequeue(u, p);
    spin_unlock(&s->lock);
    unix_packet_free(p);
}

static void peeked(struct reading *r, struct packet *p, size_t n) {
    struct socket *s = &r->u->s;
    if (READ_ONCE(s->peek_offset) >= 0)
        WRITE_ONCE(s->peek_offset, s->peek_offset + (int)n);
    r->skip = 0;
    if (p->files) {
        unix_take_files(r->u, p, &r->scm, true);
        r->stop = true;
    }
}

// Reads of p what it can. 0 or -EFAULT.
static int read_packet(struct reading *r, struct packet *p, bool peek) {
    size_t there = p->len - p->done - r->skip, n = MIN(there, r->m->uio->resid);
    if (unlikely(r->m->address && !r->m->address->len))
        unix_copy_address(r->m, __atomic_load_n(&to_unix(p->sender)->address, __ATOMIC_ACQUIRE));
    int err = packet_copy_out(p, p->done + r->skip, r->m->uio, n);
    if (unlikely(err))
        return err;
    r->done += n;
    if (likely(!peek))
        consume(r, p, n);
    else
        peeked(r, p, n);
    return 0;
}

// Reads what is there, read_mutex held. 1: the caller may wait for more; 0: this is all; -errno.
static int read_some(struct reading *r) {
    bool peek = r->m->flags & MSG_PEEK;
    struct packet *p, *last = NULL;
    int why = 0;
    r->skipped = false;
    r->skip = peek && READ_ONCE(r->u->s.peek_offset) > 0 ? r->u->s.peek_offset : 0;
    while ((p = next_packet(r, last, &why))) {
        if (unlikely(r->skip >= p->len - p->done)) {
            r->skip -= p->len - p->done;
            r->skipped = peek;
            last = p;
            continue;
        }
        r->skipped = false;
        if (!same_sender(r, p))
            return 0;
        int err = read_packet(r, p, peek);
        if (err)
            return err;
        if (r->stop || !r->m->uio->resid || cond_resched_killable())
            return 0;
        if (peek)
            last = p;
    }
    return peek && r->done ? 0 : why;
}

// The common case: the only packet there is, or one that fills the caller's memory, and it is small. 0: not so.
static inline ssize_t recv_small(struct unix_socket *u, struct uio *uio) {
    struct socket *s = &u->s;
    ssize_t len = 0;
    mutex_lock(&s->read_mutex);
    bool any = __atomic_load_n(&u->queued, __ATOMIC_ACQUIRE);
    struct packet *p = any ? list_entry(READ_ONCE(u->queue.next), struct packet, link) : NULL;
    size_t left = p ? p->len - p->done : 0;
    if (likely(p && p != READ_ONCE(u->urgent) && p->len <= PACKET_SMALL && !p->files &&
               credentials_unknown(&p->from) && left <= uio->resid &&
               (READ_ONCE(u->queued) == 1 || left == uio->resid))) {
        len = likely(uio_write_to(uio, p->data + p->done, left) == left) ? (ssize_t)left : -EFAULT;
        if (likely(len > 0)) {
            spin_lock(&s->lock);
            unix_dequeue(u, p);
            spin_unlock(&s->lock);
        }
    }
    mutex_unlock(&s->read_mutex);
    if (likely(len > 0))
        packet_put_spare(p); // the sender is our peer, which only our release lets go
    return len;
}

// Nothing is set that makes a read more than taking bytes.
static inline bool asks_little(const struct socket *s) {
    return READ_ONCE(s->state) == SOCKET_CONNECTED && !socket_wants_credentials(s) &&
           READ_ONCE(s->peek_offset) < 0 && READ_ONCE(s->rcvlowat) == 1;
}

static ssize_t stream_recv_bytes(struct socket *s, struct uio *uio, bool nonblock) {
    struct unix_socket *u = to_unix(s);
    if (unlikely(!asks_little(s) || !uio->resid))
        return 0;
    if (!unix_has_packet(u) && !nonblock && READ_ONCE(s->rcv_timeout) == KTIME_NEVER)
        (void)socket_wait(&s->read_wait,
                          unix_has_packet(u) || READ_ONCE(s->error) || READ_ONCE(s->shutdown) & RCV_SHUTDOWN,
                          KTIME_NEVER, false); // what a signal means is told by stream_recv_any()
    return unix_has_packet(u) ? recv_small(u, uio) : 0;
}

static __attribute__((noinline)) ssize_t stream_recv_any(struct socket *s, struct message *m) {
    struct reading r = {.u = to_unix(s), .m = m};
    if (unlikely(READ_ONCE(s->state) != SOCKET_CONNECTED))
        return -EINVAL;
    if (unlikely(m->flags & MSG_OOB))
        return unix_recv_urgent(r.u, m);
    scm_init(&r.scm);
    size_t target =
        m->flags & MSG_WAITALL ? m->uio->resid : MIN((size_t)READ_ONCE(s->rcvlowat), m->uio->resid);
    r.target = MAX(target, (size_t)1);
    ktime_t deadline = socket_recv_deadline(s, m);
    int ret;
    for (;;) {
        mutex_lock(&s->read_mutex);
        ret = read_some(&r);
        mutex_unlock(&s->read_mutex);
        if (ret <= 0)
            break;
        ret = socket_wait(&s->read_wait,
                          READ_ONCE(r.u->queued) != r.seen || READ_ONCE(s->error) ||
                              READ_ONCE(s->shutdown) & RCV_SHUTDOWN,
                          deadline, false);
        if (unlikely(ret))
            break;
    }
    if (unlikely(m->control || m->address || r.scm.files))
        scm_export(s, m, &r.scm);
    else
        credentials_put(&r.scm.from);
    return r.done ? r.done : MIN(ret, 0);
}

static ssize_t stream_recv(struct socket *s, struct message *m) {
    const unsigned int mere = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC;
    if (likely(!m->control && !m->address && !(m->flags & ~mere))) {
        ssize_t n = stream_recv_bytes(s, m->uio, m->flags & MSG_DONTWAIT);
        if (likely(n))
            return n;
    }
    return stream_recv_any(s, m);
}

static unsigned int stream_poll(struct socket *s) {
    unsigned int events = unix_poll_reading(to_unix(s));
    if (READ_ONCE(s->state) != SOCKET_LISTENING && socket_has_room(s))
        events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return events;
}

const struct socket_ops unix_stream_ops = {
    .bind = unix_bind,
    .listen = unix_listen,
    .connect = unix_connect,
    .accept = unix_accept,
    .pair = unix_pair,
    .name = unix_name,
    .send = stream_send,
    .recv = stream_recv,
    .send_bytes = stream_send_bytes,
    .recv_bytes = stream_recv_bytes,
    .poll = stream_poll,
    .shutdown = unix_shutdown,
    .get_option = unix_get_option,
    .ioctl = unix_ioctl,
    .release = unix_release,
    .free = unix_free,
};
