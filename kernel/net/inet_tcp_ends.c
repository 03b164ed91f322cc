// SPDX-License-Identifier: MIT
// TCP: ends, of connections and of listeners; and the time-outs that lwIP does not have.
//
// Who closes a connection leaves its pcb to lwIP. How long that may wait for the other end's FIN (TCP_LINGER2) goes with it.
#include "net/inet.h"
#include "net/inet_parts.h"
#include "net/inet_tcp_direct.h"

// An argument of a pcb that has been left: tcp_options.linger2 or, once it waits for the other end's FIN alone, until which of
// tcp_ticks.
#define LINGER_ARG 1
#define DEADLINE   (1l << 32) // this is one

// The window takes a part of the first unsent segment, which becomes two. lwIP gives the second one FIN and PSH, and leaves them with the
// first one, too: the stream would end in front of what is in the second.
signed char inet_split_segment(struct tcp_pcb *p, unsigned short size) {
    struct tcp_seg *first = p->unsent;
    unsigned int len = first->len;
    err_t err = tcp_split_unsent_seg(p, size);
    if (first->len < len)
        TCPH_UNSET_FLAG(first->tcphdr, TCP_FIN | TCP_PSH);
    return err;
}

// ---- ends

int inet_tcp_shutdown(struct socket *s, unsigned int how) {
    struct inet_socket *i = to_inet(s);
    int err = 0;
    inet_lock(s->net);
    enum socket_state state = READ_ONCE(s->state);
    if (state == SOCKET_LISTENING && how & RCV_SHUTDOWN) {
        inet_tcp_stop_listening(i);
        state = SOCKET_UNCONNECTED;
    } else if (state == SOCKET_CONNECTED) {
        spin_lock(&s->lock);
        WRITE_ONCE(s->shutdown, s->shutdown | how);
        spin_unlock(&s->lock);
        if (how & SEND_SHUTDOWN && i->tcp) {
            inet_part_of(i->tcp);
            (void)tcp_shutdown(i->tcp, 0, 1); // without memory lwIP tries again by itself
        }
    } else if (state == SOCKET_CONNECTING && i->tcp) {
        inet_tcp_fail(i->tcp, ECONNRESET);
    } else if (state != SOCKET_LISTENING) { // who polls or reads sees it all the same
        WRITE_ONCE(s->shutdown, s->shutdown | how);
        err = -ENOTCONN;
    }
    inet_unlock();
    socket_changed(s);
    return err;
}

static void drop_connections(struct list_head *queue) {
    while (!list_empty(queue)) {
        struct inet_socket *c = list_first_entry(queue, struct inet_socket, accept_link);
        list_del(&c->accept_link);
        c->deferred_by = NULL;
        if (c->tcp) {
            struct tcp_pcb *p = c->tcp;
            inet_tcp_leave(c);
            inet_part_of(p);
            tcp_abort(p);
        }
        inet_tcp_drop(c);
        socket_put(&c->s);
    }
}

// Half-open connections: lwIP ends them when their answer comes, if it finds no listener. tcp_close() sees only those of a part.
static void forget_listener(struct inet_socket *i) {
    struct tcp_pcb *p;
    unsigned int n;
    inet_for_each_connection (p, n) {
        if (p->listener != (struct tcp_pcb_listen *)i->tcp)
            continue;
        p->listener = NULL;
        if (p->callback_arg == i)
            tcp_arg(p, NULL);
    }
}

void inet_tcp_stop_listening(struct inet_socket *i) {
    struct socket *s = &i->s;
    drop_connections(&i->accept_queue);
    drop_connections(&i->deferred_queue);
    i->deferred_count = 0;
    WRITE_ONCE(i->accept_count, 0);
    if (i->tcp) {
        forget_listener(i);
        tcp_arg(i->tcp, NULL);
        tcp_close(i->tcp);
        i->tcp = NULL;
    }
    i->done = false;
    if (!i->explicit_port)
        i->local_port = 0;
    WRITE_ONCE(s->state, SOCKET_UNCONNECTED);
}

// SO_LINGER: until what was sent has been acknowledged, or for as long as it says.
static void linger(struct inet_socket *i) {
    struct socket *s = &i->s;
    int seconds = READ_ONCE(s->linger);
    if (!socket_has(s, SOCKET_LINGER) || seconds <= 0)
        return;
    ktime_t deadline = clock_monotonic() + seconds * NSEC_PER_SEC;
    for (;;) {
        inet_lock(i->s.net);
        bool underway = i->tcp && (i->tcp->unsent || i->tcp->unacked || inet_tcp_ahead(i));
        WRITE_ONCE(i->writable, !underway); // whose change on_sent tells
        inet_unlock();
        if (!underway || socket_wait(&s->write_wait, READ_ONCE(i->writable), deadline, false))
            return;
    }
}

void inet_tcp_release(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    bool reset = READ_ONCE(i->rx_bytes) || (socket_has(s, SOCKET_LINGER) && !READ_ONCE(s->linger));
    if (!reset && READ_ONCE(s->state) == SOCKET_CONNECTED)
        linger(i);
    inet_lock(s->net);
    if (READ_ONCE(s->state) == SOCKET_LISTENING)
        inet_tcp_stop_listening(i);
    if (i->tcp) {
        struct tcp_pcb *p = i->tcp;
        inet_tcp_leave(i);
        if (!reset)
            p->rcv_wnd =
                TCP_WND_MAX(p); // all was read; lwIP would take what SO_RCVBUF cut off for unread data
        inet_part_of(p);
        tcp_ext_arg_set(p, LINGER_ARG, (void *)(long)i->tcp_options.linger2);
        if (reset || tcp_close(p) != ERR_OK)
            tcp_abort(p);
    }
    inet_unlock();
    inet_tcp_drop(i);
}

// ---- what lwIP has no timers for

// Has nothing of what is underway been acknowledged for too long?
static bool is_stuck(struct inet_socket *i, ktime_t now) {
    const struct tcp_pcb *p = i->tcp;
    bool underway = p->unacked || p->unsent || inet_tcp_ahead(i);
    uint32_t acked = p->lastack - (uint32_t)inet_tcp_ahead(i);
    if (!underway || !i->ack_time || i->last_ack != acked) {
        i->ack_time = underway ? now : 0;
        i->last_ack = acked;
        return false;
    }
    return now - i->ack_time > (ktime_t)i->tcp_options.user_timeout * NSEC_PER_USEC * 1000;
}

static bool is_overdue(struct inet_socket *i, ktime_t now) {
    int tries = i->tcp_options.syn_count ?: (int)READ_ONCE(inet_net->settings.syn_retries);
    if (i->tcp->state == SYN_SENT)
        return i->tcp->nrtx > tries;
    return i->tcp_options.user_timeout && is_stuck(i, now);
}

// Nobody has this one any more, and the other end has not sent its FIN.
static void watch_orphan(struct tcp_pcb *p) {
    long n = (long)tcp_ext_arg_get(p, LINGER_ARG);
    p->tmr = tcp_ticks; // lwIP's own patience ends after 20 seconds
    if (n < 0) {
        tcp_abort(p);
    } else if (!(n & DEADLINE)) {
        u32_t until =
            tcp_ticks + (n ?: (long)READ_ONCE(inet_net->settings.fin_timeout)) * 1000 / TCP_SLOW_INTERVAL;
        tcp_ext_arg_set(p, LINGER_ARG, (void *)(DEADLINE | until));
    } else if ((s32_t)(tcp_ticks - (u32_t)n) >= 0) {
        tcp_abandon(p, 0); // without a word, as on Linux
    }
}

static void watch_part(ktime_t now) {
    for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
        struct inet_socket *i = p->callback_arg;
        next = p->next;
        if (unlikely(!i && p->state == FIN_WAIT_2))
            watch_orphan(p);
        if (!i || i->tcp != p)
            continue;
        if (unlikely(i->deferred_by) && now >= i->deferred_until)
            inet_tcp_stop_deferring(i);
        if (unlikely(is_overdue(i, now)))
            tcp_abort(p); // which tells the socket, and takes away nobody else
    }
}

void inet_tcp_watch(void) {
    ktime_t now = clock_monotonic();
    for (unsigned int n = 0; n < INET_PARTS; n++) {
        inet_part(n);
        watch_part(now);
    }
}
