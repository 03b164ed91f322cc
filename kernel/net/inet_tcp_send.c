// SPDX-License-Identifier: MIT
// TCP: sending. A writer copies into a buffer of its own, as much as there is room for, with its write_mutex alone, and then hands that
// to lwIP. tcp_sndbuf(), which has 16 bits, is not used.
#include "net/inet_memory.h"
#include "net/inet_parts.h"
#include "net/inet_tcp_urgent.h"
#include "mm/slab.h"
#include "upcalls.h"
#include <asm/signal.h>

#define SEND_PIECE 32768u

// ---- room

// Bytes that may be in the send buffer: lwIP's, or fewer if SO_SNDBUF said so.
static size_t send_most(const struct inet_socket *i) {
    return READ_ONCE(i->s.buf_lock) & SOCK_SNDBUF_LOCK
               ? MIN((size_t)READ_ONCE(i->s.sndbuf), (size_t)TCP_SND_BUF)
               : TCP_SND_BUF;
}

// [n] Bytes that it has room for.
static size_t send_room(const struct inet_socket *i) {
    size_t most = send_most(i), used = TCP_SND_BUF - i->tcp->snd_buf;
    return most > used ? most - used : 0;
}

// Enough room to tell of: a third of all, as in Linux, and not too much unsent (TCP_NOTSENT_LOWAT).
static bool has_room(const struct inet_socket *i) {
    if (!i->tcp || send_room(i) < send_most(i) / 3 || tcp_sndqueuelen(i->tcp) >= TCP_SND_QUEUELEN / 2)
        return false;
    unsigned int low = i->tcp_options.unsent_low;
    return likely(!low) || i->tcp->snd_lbb - i->tcp->snd_nxt < low;
}

void inet_tcp_room(struct inet_socket *i) {
    if (!i || READ_ONCE(i->writable) || !has_room(i))
        return;
    WRITE_ONCE(i->writable, true);
    socket_writable(&i->s);
}

// Nothing tells a socket without anything underway that there is memory again: the timers look.
static bool starved; // [n] somebody found none

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

// One piece of the kernel's own memory (sendfile(2), splice(2)), which needs no buffer. As send_piece().
static ssize_t send_own_piece(struct inet_socket *i, struct message *m) {
    struct uio *u = m->uio;
    for (; u->nseg > 1 && u->offset == u->seg->len; u->nseg--, u->seg++)
        u->offset = 0;
    inet_lock();
    size_t n = MIN(MIN(u->seg->len - u->offset, (size_t)SEND_PIECE), room(i)), sent = 0;
    bool more = m->flags & MSG_MORE || i->tcp_options.cork || u->resid > n;
    if (n)
        sent = hand_over(i, (char *)u->seg->kernel + u->offset, n, more, false);
    if (unlikely(sent < n))
        starved = true;
    if (unlikely(!n || sent < n))
        WRITE_ONCE(i->writable, false);
    inet_unlock();
    u->offset += sent;
    u->resid -= sent;
    return sent;
}

// One piece with write_mutex held. Its bytes; 0: there is no room, or no memory; -EFAULT.
static ssize_t send_piece(struct inet_socket *i, struct message *m, char *buf) {
    struct uio before = *m->uio;
    if (m->uio->kernel)
        return send_own_piece(i, m);
    inet_lock();
    size_t n = MIN(MIN(m->uio->resid, (size_t)SEND_PIECE), room(i));
    if (!n)
        WRITE_ONCE(i->writable, false);
    inet_unlock();
    if (!n)
        return 0;
    n = uio_read_from(m->uio, buf, n);
    if (!n)
        return -EFAULT;
    inet_lock();
    bool more = m->flags & MSG_MORE || i->tcp_options.cork;
    size_t sent = hand_over(i, buf, n, more, m->flags & MSG_OOB && !m->uio->resid);
    if (unlikely(sent < n)) {
        starved = true;
        WRITE_ONCE(i->writable, false);
    }
    inet_unlock();
    if (unlikely(sent < n)) { // the rest is copied again when it goes
        *m->uio = before;
        if (uio_read_from(m->uio, buf, sent) != sent)
            return -EFAULT;
    }
    return sent;
}

// Sends until there is no room. 0: all went; 1: there is no room; -EPIPE, -EFAULT, -EINTR.
static int send_some(struct inet_socket *i, struct message *m, char *buf, size_t *done) {
    while (m->uio->resid) {
        if (!may_write(&i->s))
            return -EPIPE;
        ssize_t n = send_piece(i, m, buf);
        if (n <= 0)
            return n ? (int)n : 1;
        *done += n;
        if (cond_resched_killable())
            return -EINTR;
    }
    return 0;
}

static ssize_t send_all(struct inet_socket *i, struct message *m, char *buf, ktime_t deadline) {
    struct socket *s = &i->s;
    size_t done = 0;
    int err;
    for (;;) {
        mutex_lock(&i->write_mutex);
        err = send_some(i, m, buf, &done);
        mutex_unlock(&i->write_mutex);
        if (err <= 0)
            break;
        err = socket_wait(&s->write_wait, READ_ONCE(i->writable) || !may_write(s), deadline, false);
        if (err)
            break;
    }
    if (done)
        return done;
    return err == -EPIPE ? broken(s, m) : err;
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
    size_t n = MIN(m->uio->resid, (size_t)SEND_PIECE);
    char small[512], *buf = n <= sizeof(small) || m->uio->kernel ? small : kmalloc(n);
    if (!buf)
        return -ENOBUFS;
    ssize_t ret = send_all(i, m, buf, deadline);
    if (buf != small)
        kfree(buf);
    return ret;
}
