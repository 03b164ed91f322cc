// SPDX-License-Identifier: MIT
// TCP: receiving; poll(2).
//
// What comes in hangs in a chain of lwIP's buffers (`arrived`). A reader takes all of the chain at once for itself (`reading`)
// and copies out of that with its read_mutex alone; then it opens the window by what it has read. The chains' tot_len, which
// has 16 bits, is not used.
#include "net/inet_tcp_urgent.h"
#include "arch/riscv/cpu.h"
#include "fs/event/poll.h"
#include "net/inet_tcp_direct.h"
#include <asm/socket.h>
#include <linux/tcp.h>

// ---- what lwIP tells

void inet_tcp_arrived(struct inet_socket *i, struct pbuf *data) {
    struct pbuf *last = data;
    size_t n = 0;
    for (struct pbuf *p = data; p; p = p->next) {
        n += p->len;
        last = p;
    }
    if (unlikely(i->urgent.state))
        inet_tcp_look_for_urgent(i, data, n);
    i->rx_seq += n;
    WRITE_ONCE(i->s.incoming_cpu, (int)this_hart_id());
    i->bytes_received += n;
    if (i->arrived)
        i->arrived_last->next = data;
    else
        i->arrived = data;
    i->arrived_last = last;
    __atomic_fetch_add(&i->rx_bytes, n, __ATOMIC_RELAXED);
    if (READ_ONCE(i->rx_bytes) >= (unsigned long)READ_ONCE(i->s.rcvlowat))
        wake_poll(&i->s.read_wait, POLLIN | POLLRDNORM);
}

static void free_chain(struct pbuf *p) {
    while (p) {
        struct pbuf *next = p->next;
        p->next = NULL;
        pbuf_free(p);
        p = next;
        cond_resched();
    }
}

struct pbuf *inet_tcp_take_unread(struct inet_socket *i) {
    struct pbuf *all = i->reading ?: i->arrived;
    ASSERT_HELD(&inet_mutex);
    if (i->reading)
        i->reading_last->next = i->arrived;
    i->arrived = i->reading = NULL;
    i->offset = 0;
    i->urgent.state = URGENT_NONE;
    __atomic_store_n(&i->rx_bytes, 0, __ATOMIC_RELAXED);
    return all;
}

void inet_tcp_free_unread(struct pbuf *p) {
    free_chain(p);
}

void inet_tcp_drop(struct inet_socket *i) {
    struct pbuf *arrived = i->arrived, *reading = i->reading;
    i->arrived = i->reading = NULL;
    free_chain(reading);
    free_chain(arrived);
}

// ---- reading

// [n]
static void open_window(struct inet_socket *i, size_t more) {
    if (!more || inet_tcp_direct_open(i, more))
        return;
    for (size_t n; (n = MIN(more, 0x8000ul)); more -= n)
        tcp_recved(i->tcp, n);
    if (i->peer && i->peer->tcp->unsent) { // lwIP tells large openings only, and what waits here may be small
        tcp_ack_now(i->tcp);
        tcp_output(i->tcp);
    }
}

struct reading {
    struct inet_socket *i;
    struct message *m;
    size_t wanted, target, done;
    size_t skipped; // an urgent byte that is read apart
    bool stopped;   // at the mark of one
};

// [n] The window is closed by as much as the receive buffer is smaller than lwIP's: at once where it is not used, else as
// data is read. Two segments always fit, so that none has to be taken apart.
void inet_tcp_size_window(struct inet_socket *i) {
    size_t wanted = TCP_WND;
    if (READ_ONCE(i->s.buf_lock) & SOCK_RCVBUF_LOCK)
        wanted = MIN(MAX((size_t)READ_ONCE(i->s.rcvbuf) / 2, 2ul * TCP_MSS), (size_t)TCP_WND);
    size_t cut = TCP_WND - wanted;
    if (cut >= i->window_cut) {
        i->window_debt += cut - i->window_cut;
    } else {
        size_t back = i->window_cut - cut, owed = MIN(back, i->window_debt);
        i->window_debt -= owed;
        open_window(i, back - owed);
    }
    i->window_cut = cut;
}

// [r] Takes what has arrived behind what is being read; gives the window what was read.
static void refill(struct inet_socket *i, size_t read) {
    inet_lock(i->s.net);
    if (i->arrived) {
        if (i->reading)
            i->reading_last->next = i->arrived;
        else
            i->reading = i->arrived;
        i->reading_last = i->arrived_last;
        i->arrived = NULL;
    }
    if (i->tcp && READ_ONCE(i->s.state) == SOCKET_CONNECTED) {
        read -= inet_tcp_direct_read(i, read);
        size_t kept = MIN(read, i->window_debt);
        i->window_debt -= kept;
        open_window(i, read - kept);
        if (i->tcp->flags & TF_ACK_DELAY) {
            tcp_ack_now(i->tcp);
            tcp_output(i->tcp);
            if (i->tcp->flags & TF_ACK_NOW) // it hangs behind data that waits for an acknowledgement itself
                tcp_send_empty_ack(i->tcp);
        }
    }
    inet_unlock();
}

// [r] n bytes of the first buffer have been read.
static void consume(struct inet_socket *i, size_t n) {
    struct pbuf *p = i->reading;
    i->offset += n;
    WRITE_ONCE(i->read_seq, i->read_seq + (uint32_t)n);
    __atomic_fetch_sub(&i->rx_bytes, n, __ATOMIC_RELAXED);
    if (i->offset < p->len)
        return;
    i->reading = p->next;
    i->offset = 0;
    p->next = NULL;
    pbuf_free(p);
}

static ssize_t copy_out(struct message *m, const char *from, size_t n) {
    return m->flags & MSG_TRUNC ? n : uio_write_to(m->uio, from, n);
}

// At the mark of an urgent byte: a read that has something ends; another begins behind the byte, or with it if it is read in line.
// True: there is nothing to copy now.
static bool stop_at_mark(struct reading *r) {
    struct inet_socket *i = r->i;
    if (r->done) {
        r->stopped = true;
        return true;
    }
    if (socket_has(&i->s, SOCKET_OOBINLINE))
        return false;
    consume(i, 1);
    r->skipped++;
    inet_tcp_pass_mark(i);
    return true;
}

// Reads from what `reading` has. 0 or -EFAULT.
static int read_chain(struct reading *r) {
    struct inet_socket *i = r->i;
    while (i->reading && r->done < r->wanted && !r->stopped) {
        size_t mark = inet_tcp_until_mark(i);
        if (unlikely(!mark) && stop_at_mark(r))
            continue;
        struct pbuf *p = i->reading;
        size_t there = p->len - i->offset, n = MIN(MIN(there, r->wanted - r->done), mark ? mark : SIZE_MAX);
        size_t copied = copy_out(r->m, (char *)p->payload + i->offset, n);
        r->done += copied;
        consume(i, copied);
        if (unlikely(!mark))
            inet_tcp_pass_mark(i);
        if (copied < n)
            return -EFAULT;
        if (cond_resched_killable())
            return 0;
    }
    return 0;
}

static int peek_chain(struct reading *r) {
    struct inet_socket *i = r->i;
    size_t skip = i->offset + MAX(READ_ONCE(i->s.peek_offset), 0), mark = inet_tcp_until_mark(i);
    size_t wanted = mark && mark < r->wanted ? mark : r->wanted;
    skip += !mark && !socket_has(&i->s, SOCKET_OOBINLINE);
    r->done = 0;
    for (struct pbuf *p = i->reading; p && r->done < wanted; p = p->next) {
        if (skip >= p->len) {
            skip -= p->len;
            continue;
        }
        size_t n = MIN(p->len - skip, wanted - r->done);
        size_t copied = copy_out(r->m, (char *)p->payload + skip, n);
        r->done += copied;
        skip = 0;
        if (copied < n)
            return -EFAULT;
        if (cond_resched_killable())
            break;
    }
    if (READ_ONCE(i->s.peek_offset) >= 0)
        WRITE_ONCE(i->s.peek_offset, i->s.peek_offset + (int)r->done);
    return 0;
}

// With read_mutex. 1: the caller may wait for more; 0: this is all; -errno.
static int read_some(struct reading *r) {
    struct inet_socket *i = r->i;
    struct socket *s = &i->s;
    bool peek = r->m->flags & MSG_PEEK;
    int err = 0;
    // Asked before the data is looked for: what came before an end is found.
    bool ended = READ_ONCE(s->shutdown) & RCV_SHUTDOWN || READ_ONCE(s->state) != SOCKET_CONNECTED;
    for (;;) {
        size_t before = r->done + r->skipped;
        err = peek ? 0 : read_chain(r);
        size_t read = r->done + r->skipped - before;
        bool more = r->done < r->wanted && !err && !r->stopped;
        if (read || peek || more)
            refill(i, read);
        if (peek || !more || !i->reading)
            break;
    }
    if (peek)
        err = peek_chain(r);
    if (err || r->done >= r->target || (peek && r->done) || r->stopped)
        return err;
    err = socket_take_error(s);
    if (err)
        return err;
    return !ended;
}

static bool may_read_more(const struct inet_socket *i, unsigned long seen) {
    const struct socket *s = &i->s;
    return READ_ONCE(i->rx_bytes) > seen || READ_ONCE(s->error) || READ_ONCE(s->shutdown) & RCV_SHUTDOWN ||
           READ_ONCE(s->state) != SOCKET_CONNECTED;
}

// May data come at all? 0, or what recv(2) says.
static int check_reading(struct inet_socket *i, const struct message *m) {
    struct socket *s = &i->s;
    if (READ_ONCE(s->state) == SOCKET_LISTENING)
        return -ENOTCONN;
    if (READ_ONCE(s->state) != SOCKET_UNCONNECTED || i->done || m->flags & MSG_OOB)
        return 0;
    if (READ_ONCE(s->error))
        return socket_take_error(s);
    return READ_ONCE(s->shutdown) & RCV_SHUTDOWN ? 0 : -ENOTCONN;
}

int inet_tcp_wait_connected(struct socket *s, ktime_t deadline) {
    if (likely(READ_ONCE(s->state) != SOCKET_CONNECTING))
        return 0;
    return socket_wait(&s->write_wait, READ_ONCE(s->state) != SOCKET_CONNECTING, deadline, false);
}

ssize_t inet_tcp_recv(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    struct reading r = {.i = i, .m = m, .wanted = m->uio->resid};
    ktime_t deadline = socket_recv_deadline(s, m);
    r.target =
        MAX(m->flags & MSG_WAITALL && !(m->flags & MSG_PEEK) ? r.wanted
                                                             : MIN((size_t)READ_ONCE(s->rcvlowat), r.wanted),
            1ul);
    if (unlikely(m->flags & MSG_ERRQUEUE)) // of a stream nothing is ever in it
        return inet_recv_error(i, m);
    int ret = inet_tcp_wait_connected(s, deadline);
    if (!ret)
        ret = check_reading(i, m);
    if (!ret && unlikely(m->flags & MSG_OOB))
        return inet_tcp_recv_urgent(i, m);
    if (ret || !r.wanted)
        return ret;
    for (;;) {
        mutex_lock(&s->read_mutex);
        ret = read_some(&r);
        unsigned long seen = READ_ONCE(i->reading) ? READ_ONCE(i->rx_bytes) : 0;
        mutex_unlock(&s->read_mutex);
        if (ret <= 0)
            break;
        ret = socket_wait(&s->read_wait, may_read_more(i, seen), deadline, false);
        if (ret)
            break;
    }
    if (unlikely(i->tcp_options.inq) && m->control && r.done) {
        int left = (int)MIN(inet_tcp_readable(i), (size_t)INT32_MAX);
        message_put_control(m, SOL_TCP, TCP_CM_INQ, &left, sizeof(left));
    }
    return r.done ? (ssize_t)r.done : MIN(ret, 0);
}

// ---- poll

unsigned int inet_tcp_poll(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    enum socket_state state = READ_ONCE(s->state);
    unsigned int shutdown = READ_ONCE(s->shutdown), events = 0;
    if (state == SOCKET_LISTENING)
        return READ_ONCE(i->accept_count) ? POLLIN | POLLRDNORM : 0;
    if (shutdown == BOTH_SHUTDOWN || state == SOCKET_UNCONNECTED)
        events |= POLLHUP;
    if (shutdown & RCV_SHUTDOWN)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (state != SOCKET_CONNECTING) {
        if (inet_tcp_readable(i) >= (unsigned long)READ_ONCE(s->rcvlowat))
            events |= POLLIN | POLLRDNORM;
        if (unlikely(READ_ONCE(i->urgent.state) == URGENT_THERE))
            events |= POLLPRI;
        if (state != SOCKET_CONNECTED || shutdown & SEND_SHUTDOWN || READ_ONCE(i->writable))
            events |= POLLOUT | POLLWRNORM;
    }
    return events | (READ_ONCE(s->error) ? POLLERR : 0);
}
