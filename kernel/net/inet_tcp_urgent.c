// SPDX-License-Identifier: MIT
// Urgent data (tcp(7), "MSG_OOB"), which lwIP sends and receives as any other: one byte of the stream is marked by the sender,
// and the receiver reads it apart (or, with SO_OOBINLINE, in its place), and no read goes across its place.
//
// The pointer to it comes with a segment's header, perhaps before the byte itself: a hook sees all headers. Places in the stream
// are sequence numbers: `rx_seq` of the next byte to come, `read_seq` of the next to be read.
#include "net/inet_tcp_urgent.h"
#include "fs/async.h"
#include "fs/event/poll.h"

// ---- sending

// [n] What was handed to lwIP last, and has not been sent, ends with the urgent byte.
void inet_tcp_mark_urgent(struct inet_socket *i) {
    struct tcp_seg *s = i->tcp->unsent;
    if (!s)
        return;
    while (s->next)
        s = s->next;
    TCPH_SET_FLAG(s->tcphdr, TCP_URG);
    s->tcphdr->urgp = lwip_htons(s->len);
}

// ---- receiving

static bool is_after(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) > 0;
}

// A segment's header, in host byte order but for the pointer, says where an urgent byte is.
void inet_tcp_hear_urgent(struct inet_socket *i, const struct tcp_hdr *h) {
    uint32_t pointer = lwip_ntohs(h->urgp), seq = h->seqno + (pointer ? pointer - 1 : 0);
    bool old = is_after(READ_ONCE(i->read_seq), seq) || is_after(i->rx_seq, seq);
    if (old || (i->urgent.state && !is_after(seq, i->urgent.seq)))
        return;
    i->urgent.seq = seq;
    WRITE_ONCE(i->urgent.state, URGENT_COMING);
    if (i->s.file) // it stays until the socket's release has had the stack's lock
        async_urgent(i->s.file);
    wake_poll(&i->s.read_wait, POLLPRI);
}

// [n] Data of n bytes is about to go behind the rest: is the byte in it?
void inet_tcp_look_for_urgent(struct inet_socket *i, const struct pbuf *p, size_t n) {
    uint32_t at = i->urgent.seq - i->rx_seq;
    if (i->urgent.state != URGENT_COMING || at >= n)
        return;
    while (at >= p->len) {
        at -= p->len;
        p = p->next;
    }
    i->urgent.byte = ((const uint8_t *)p->payload)[at];
    WRITE_ONCE(i->urgent.state, URGENT_THERE);
    wake_poll(&i->s.read_wait, POLLIN | POLLRDNORM | POLLPRI);
}

size_t inet_tcp_until_mark(const struct inet_socket *i) {
    if (likely(!READ_ONCE(i->urgent.state)))
        return SIZE_MAX;
    int32_t n = (int32_t)(READ_ONCE(i->urgent.seq) - READ_ONCE(i->read_seq));
    return n < 0 ? SIZE_MAX : (size_t)n;
}

void inet_tcp_pass_mark(struct inet_socket *i) {
    inet_lock(i->s.net);
    if (i->urgent.state && is_after(i->read_seq, i->urgent.seq))
        WRITE_ONCE(i->urgent.state, URGENT_NONE);
    inet_unlock();
}

size_t inet_tcp_readable(const struct inet_socket *i) {
    size_t n = READ_ONCE(i->rx_bytes), mark = inet_tcp_until_mark(i);
    if (likely(mark == SIZE_MAX) || socket_has(&i->s, SOCKET_OOBINLINE))
        return n;
    return mark ? MIN(mark, n) : n ? n - 1 : 0;
}

size_t inet_tcp_received(const struct inet_socket *i) {
    size_t there = READ_ONCE(i->rx_bytes), ahead = READ_ONCE(i->ahead);
    return MIN(inet_tcp_readable(i), there > ahead ? there - ahead : 0);
}

ssize_t inet_tcp_recv_urgent(struct inet_socket *i, struct message *m) {
    struct socket *s = &i->s;
    inet_lock(i->s.net);
    unsigned int state = socket_has(s, SOCKET_OOBINLINE) ? URGENT_NONE : i->urgent.state;
    const uint8_t byte[1] = {i->urgent.byte};
    if (state == URGENT_THERE && !(m->flags & MSG_PEEK))
        WRITE_ONCE(i->urgent.state, URGENT_READ);
    inet_unlock();
    if (state == URGENT_NONE || state == URGENT_READ)
        return -EINVAL;
    if (state == URGENT_COMING)
        return READ_ONCE(s->state) != SOCKET_CONNECTED || READ_ONCE(s->shutdown) & RCV_SHUTDOWN ? 0 : -EAGAIN;
    m->out |= MSG_OOB;
    if (!m->uio->resid) {
        m->out |= MSG_TRUNC;
        return 0;
    }
    return m->flags & MSG_TRUNC || uio_write_to(m->uio, byte, 1) == 1 ? 1 : -EFAULT;
}
