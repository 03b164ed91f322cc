// SPDX-License-Identifier: MIT
// TCP: sending. A writer copies into a buffer of its own, as much as there is room for, with its write_mutex alone. To a socket of this
// machine that buffer goes as it is (inet_tcp_direct.h); else lwIP makes segments of it. tcp_sndbuf(), which has 16 bits, is not used.
#include "net/inet_memory.h"
#include "net/inet_parts.h"
#include "net/inet_tcp_direct.h"
#include "net/inet_tcp_urgent.h"
#include "mm/slab.h"
#include "upcalls.h"
#include <asm/signal.h>

#define SEND_PIECE 32768u
#define ALIGNED    64ul // pieces that are not the last

// ---- room

// Bytes that may be in the send buffer: lwIP's, or fewer if SO_SNDBUF said so.
static size_t send_most(const struct inet_socket *i) {
    return READ_ONCE(i->s.buf_lock) & SOCK_SNDBUF_LOCK
               ? MIN((size_t)READ_ONCE(i->s.sndbuf), (size_t)TCP_SND_BUF)
               : TCP_SND_BUF;
}

// [n] Bytes that it has room for.
static size_t send_room(const struct inet_socket *i) {
    size_t most = send_most(i), used = TCP_SND_BUF - i->tcp->snd_buf + inet_tcp_ahead(i);
    return most > used ? most - used : 0;
}

// Enough room to tell of: a third of all, as in Linux, and not too much unsent (TCP_NOTSENT_LOWAT).
static bool has_room(const struct inet_socket *i) {
    if (!i->tcp || send_room(i) < send_most(i) / 3 || tcp_sndqueuelen(i->tcp) >= TCP_SND_QUEUELEN / 2)
        return false;
    unsigned int low = i->tcp_options.unsent_low;
    return likely(!low) || inet_tcp_unsent(i) < low;
}

void inet_tcp_room(struct inet_socket *i) {
    if (!i || READ_ONCE(i->writable) || !has_room(i))
        return;
    WRITE_ONCE(i->writable, true);
    socket_writable(&i->s);
}

// Nothing tells a socket without anything underway that there is memory again: the timers look.
static bool starved __net_state; // somebody found none

void inet_tcp_feed(void) {
    if (likely(!starved))
        return;
    struct tcp_pcb *p;
    unsigned int n;
    starved = false;
    inet_for_each_connection (p, n) {
        struct inet_socket *i = p->callback_arg; // while it is not ours yet: the listener
        if (!i || i->tcp != p || READ_ONCE(i->writable))
            continue;
        if (inet_user_is_full(i->s.user))
            starved = true;
        else
            inet_tcp_room(i);
    }
}

// ---- writing

static ssize_t broken(struct socket *s, const struct message *m) {
    int err = socket_take_error(s);
    if (err)
        return err;
    if (!(m->flags & MSG_NOSIGNAL))
        signal_send_thread(current, SIGPIPE);
    return -EPIPE;
}

static bool may_write(const struct socket *s) {
    return READ_ONCE(s->state) == SOCKET_CONNECTED && !(READ_ONCE(s->shutdown) & SEND_SHUTDOWN) &&
           !READ_ONCE(s->error);
}

// [n] Room for so many bytes now.
static size_t room(struct inet_socket *i) {
    if (!i->tcp || tcp_sndqueuelen(i->tcp) >= TCP_SND_QUEUELEN - 8)
        return 0;
    return send_room(i);
}

// Sends what was handed over. [n] An urgent byte waits for no acknowledgement.
static void push(struct inet_socket *i, bool urgent) {
    i->held_since = 0;
    if (unlikely(urgent)) {
        inet_tcp_mark_urgent(i);
        tcp_nagle_disable(i->tcp);
    }
    tcp_output(i->tcp);
    if (unlikely(urgent) && !i->tcp_options.nodelay)
        tcp_nagle_enable(i->tcp);
}

// Hands n bytes to lwIP; how many it took. [n]
static size_t hand_over(struct inet_socket *i, const char *buf, size_t n, bool more, bool urgent) {
    u8_t flags = TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0);
    size_t done = 0;
    while (i->tcp && done < n) {
        size_t piece = MIN(MIN(n - done, (size_t)TCP_MSS), room(i));
        if (!piece || tcp_write(i->tcp, buf + done, piece, flags) != ERR_OK)
            break;
        done += piece;
    }
    i->bytes_sent += done;
    if (i->tcp && (urgent || !(more && send_room(i) > send_most(i) / 3)))
        push(i, urgent && done == n);
    else if (done && !i->held_since)
        i->held_since = clock_monotonic();
    if (!has_room(i))
        WRITE_ONCE(i->writable, false);
    return done;
}

// A piece did not go: there is no room, or no memory. [n]
static void wait_for_room(struct inet_socket *i, bool memory) {
    if (memory)
        starved = true;
    WRITE_ONCE(i->writable, false);
}

struct writing {
    struct inet_socket *i;
    struct message *m;
    size_t done;
    char *buf;       // for pieces that lwIP gets: `small`, or memory once it is needed
    size_t buf_size; // of this
    char small[512];
};

static bool make_buffer(struct writing *w, size_t n) {
    if (likely(n <= w->buf_size))
        return true;
    if (w->buf != w->small)
        kfree(w->buf);
    w->buf_size = MIN(MAX(w->m->uio->resid, n), (size_t)SEND_PIECE);
    w->buf = kmalloc(w->buf_size);
    if (w->buf)
        return true;
    w->buf = w->small;
    w->buf_size = sizeof(w->small);
    return false;
}

// The rest of a piece is copied again when it goes.
static ssize_t take_back(struct uio *u, const struct uio *before, size_t sent) {
    *u = *before;
    for (size_t n = sent, part; n; n -= part) {
        for (; u->nseg > 1 && u->offset == u->seg->len; u->nseg--, u->seg++)
            u->offset = 0;
        part = MIN(n, u->seg->len - u->offset);
        u->offset += part;
        u->resid -= part;
    }
    return (ssize_t)sent;
}

static size_t hand_over_chain(struct inet_socket *i, const struct pbuf *data) {
    size_t sent = 0;
    for (bool all = true; all && data; data = data->next) {
        size_t n = hand_over(i, data->payload, data->len, data->next, false);
        all = n == data->len;
        sent += n;
    }
    return sent;
}

// A piece of n bytes for which there is room, to a socket of this machine. As send_piece().
static ssize_t send_directly(struct writing *w, size_t n) {
    struct inet_socket *i = w->i;
    struct uio *u = w->m->uio, before = *u;
    bool lent = w->m->pages && n >= PAGE_SIZE;
    struct pbuf *data = lent ? inet_tcp_direct_lend(u, n) : inet_tcp_direct_alloc(n);
    if (data && !lent)
        data->tot_len = data->len = (u16_t)uio_read_from(u, data->payload, n);
    n = data ? data->tot_len : 0;
    if (unlikely(data && !n)) {
        pbuf_free(data);
        return -EFAULT;
    }
    inet_lock(i->s.net);
    struct inet_socket *to = data ? inet_tcp_direct(i) : NULL;
    size_t sent = n;
    if (likely(to))
        inet_tcp_direct_give(i, to, data);
    else if (data) // that has just changed
        sent = hand_over_chain(i, data);
    if (unlikely(!data || sent < n))
        wait_for_room(i, true);
    else if (unlikely(!has_room(i)))
        wait_for_room(i, false);
    inet_unlock();
    if (likely(to))
        return (ssize_t)n;
    if (data)
        pbuf_free(data);
    return take_back(u, &before, sent);
}

// A piece of at most n bytes of the kernel's own memory (sendfile(2), splice(2)), which needs no buffer. As send_piece().
static ssize_t send_own_piece(struct writing *w, size_t n) {
    struct inet_socket *i = w->i;
    struct uio *u = w->m->uio, before = *u;
    n = MIN(n, u->seg->len - u->offset);
    inet_lock(i->s.net);
    bool more = w->m->flags & MSG_MORE || i->tcp_options.cork || u->resid > n;
    size_t sent = hand_over(i, (char *)u->seg->kernel + u->offset, n, more, false);
    if (unlikely(sent < n))
        wait_for_room(i, true);
    inet_unlock();
    return take_back(u, &before, sent);
}

// By lwIP. As send_piece().
static ssize_t send_segments(struct writing *w, size_t n) {
    struct inet_socket *i = w->i;
    struct message *m = w->m;
    struct uio before = *m->uio;
    if (m->uio->kernel)
        return send_own_piece(w, n);
    if (!make_buffer(w, n))
        return -ENOBUFS;
    n = uio_read_from(m->uio, w->buf, n);
    if (!n)
        return -EFAULT;
    inet_lock(i->s.net);
    bool more = m->flags & MSG_MORE || i->tcp_options.cork;
    size_t sent = hand_over(i, w->buf, n, more, m->flags & MSG_OOB && !m->uio->resid);
    if (unlikely(sent < n))
        wait_for_room(i, true);
    inet_unlock();
    return likely(sent == n) ? (ssize_t)n : take_back(m->uio, &before, sent);
}

// One piece with write_mutex held. Its bytes; 0: there is no room, or no memory; -EFAULT, -ENOBUFS.
static ssize_t send_piece(struct writing *w) {
    struct inet_socket *i = w->i;
    struct uio *u = w->m->uio;
    for (; u->nseg > 1 && u->offset == u->seg->len; u->nseg--, u->seg++)
        u->offset = 0;
    inet_lock(i->s.net);
    bool at_once = !(w->m->flags & (MSG_OOB | MSG_MORE)) && !i->tcp_options.cork;
    bool direct = at_once && inet_tcp_direct(i);
    size_t most = !direct ? SEND_PIECE : w->m->pages ? LENT_PIECE : DIRECT_PIECE;
    size_t n = MIN(MIN(u->resid, most), room(i));
    if (n < u->resid) // what comes behind it is copied in whole words
        n &= ~(ALIGNED - 1);
    if (unlikely(!n))
        wait_for_room(i, false);
    inet_unlock();
    if (unlikely(!n))
        return 0;
    return direct ? send_directly(w, n) : send_segments(w, n);
}

// Sends until there is no room. 0: all went; 1: there is no room; -EPIPE, -EFAULT, -EINTR, -ENOBUFS.
static int send_some(struct writing *w) {
    while (w->m->uio->resid) {
        if (!may_write(&w->i->s))
            return -EPIPE;
        ssize_t n = send_piece(w);
        if (n <= 0)
            return n ? (int)n : 1;
        w->done += n;
        if (cond_resched_killable())
            return -EINTR;
    }
    return 0;
}

static ssize_t send_all(struct writing *w, ktime_t deadline) {
    struct inet_socket *i = w->i;
    struct socket *s = &i->s;
    int err;
    for (;;) {
        mutex_lock(&i->write_mutex);
        err = send_some(w);
        mutex_unlock(&i->write_mutex);
        if (err <= 0)
            break;
        err = socket_wait(&s->write_wait, READ_ONCE(i->writable) || !may_write(s), deadline, false);
        if (err)
            break;
    }
    if (w->done)
        return w->done;
    return err == -EPIPE ? broken(s, w->m) : err;
}

ssize_t inet_tcp_send(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    ktime_t deadline = socket_send_deadline(s, m);
    if (unlikely(m->flags & MSG_FASTOPEN)) // as in a Linux whose net.ipv4.tcp_fastopen is 0
        return -EOPNOTSUPP;
    int err = inet_tcp_wait_connected(s, deadline);
    if (err)
        return err;
    if (!may_write(s))
        return broken(s, m);
    struct writing w; // not cleared: `small` is written before it is read
    w.i = i;
    w.m = m;
    w.done = 0;
    w.buf = w.small;
    w.buf_size = sizeof(w.small);
    ssize_t ret = send_all(&w, deadline);
    if (unlikely(w.buf != w.small))
        kfree(w.buf);
    return ret;
}
