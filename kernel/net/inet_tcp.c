// SPDX-License-Identifier: MIT
// TCP: connecting, listening, accepting. Data is inet_tcp_send.c's and inet_tcp_recv.c's, ends are inet_tcp_ends.c's.
//
// lwIP tells that a connection has ended by its error callback, when the pcb has gone already; or by a FIN. Once both sides
// have sent theirs the pcb is left to lwIP, which frees it after TIME_WAIT without a word.
#include "net/inet_tcp_urgent.h"
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/inet_memory.h"
#include "net/inet_parts.h"
#include "net/inet_tcp_direct.h"
#include "sched/user.h"
#include <asm/socket.h>
#include <linux/poll.h>

static void attach(struct inet_socket *i);

// ---- life

int inet_tcp_create(struct inet_socket *i) {
    const struct net_settings *settings = &i->s.net->settings;
    int err = 0;
    i->tcp_options = (struct tcp_options){.keep_idle = (int)READ_ONCE(settings->keepalive[0]),
                                          .keep_interval = (int)READ_ONCE(settings->keepalive[1]),
                                          .keep_count = (int)READ_ONCE(settings->keepalive[2]),
                                          .quickack = true};
    i->s.sndbuf = READ_ONCE(settings->tcp_wmem[1]);
    i->s.rcvbuf = READ_ONCE(settings->tcp_rmem[1]);
    inet_lock(i->s.net);
    i->tcp = tcp_new_ip_type(inet_pcb_type(i));
    if (i->tcp)
        attach(i);
    else
        err = -ENOBUFS;
    inet_unlock();
    return err;
}

// A pcb for one whose last has gone with a connection that failed or was dissolved.
static int renew(struct inet_socket *i) {
    if (i->tcp)
        return 0;
    i->tcp = tcp_new_ip_type(inet_pcb_type(i));
    if (!i->tcp)
        return -ENOBUFS;
    attach(i);
    if (!i->explicit_port)
        return 0;
    ip_addr_t ip = i->local;
    return inet_tcp_bind_pcb(i->tcp, &ip, i->local_port);
}

// ---- what lwIP tells

// No more comes in; `both`: nor goes out.
static void end(struct inet_socket *i, unsigned int how) {
    struct socket *s = &i->s;
    spin_lock(&s->lock);
    WRITE_ONCE(s->shutdown, s->shutdown | how);
    if (how == BOTH_SHUTDOWN && s->state == SOCKET_CONNECTED)
        WRITE_ONCE(s->state, SOCKET_UNCONNECTED);
    spin_unlock(&s->lock);
    socket_changed(s);
}

void inet_tcp_leave(struct inet_socket *i) {
    struct tcp_pcb *p = i->tcp;
    inet_tcp_direct_end(i);
    i->tcp = NULL;
    tcp_arg(p, NULL);
    tcp_recv(p, NULL);
    tcp_poll(p, NULL, 1);
    tcp_sent(p, NULL);
    tcp_err(p, NULL);
}

static void on_error(void *arg, err_t err) {
    struct inet_socket *i = arg;
    struct socket *s = &i->s;
    if (!i)
        return;
    inet_tcp_direct_end(i);
    i->tcp = NULL;
    WRITE_ONCE(i->writable, false);
    if (READ_ONCE(s->state) == SOCKET_CONNECTING) {
        socket_connected(s, err == ERR_RST ? -ECONNREFUSED : -ETIMEDOUT);
        return;
    }
    if (err != ERR_CLSD)
        WRITE_ONCE(s->error, err != ERR_RST                          ? ETIMEDOUT
                             : READ_ONCE(s->shutdown) & RCV_SHUTDOWN ? EPIPE
                                                                     : ECONNRESET);
    end(i, BOTH_SHUTDOWN);
    if (i->deferred_by) { // nobody has heard of it
        list_del(&i->accept_link);
        i->deferred_by->deferred_count--;
        socket_put(&i->s);
    }
}

void inet_tcp_fail(struct tcp_pcb *p, int err) {
    struct inet_socket *i = p->callback_arg;
    ASSERT_HELD(&inet_mutex);
    if (!i || i->tcp != p)
        return;
    inet_tcp_leave(i);
    inet_part_of(p);
    tcp_abandon(p, 0);
    WRITE_ONCE(i->writable, false);
    socket_connected(&i->s, -err);
}

static err_t on_receive(void *arg, struct tcp_pcb *p, struct pbuf *data, err_t err) {
    struct inet_socket *i = arg;
    (void)err;
    inet_tcp_stop_deferring(i);
    if (data) {
        if (!inet_take_over(data, i->s.user, !READ_ONCE(i->rx_bytes)))
            return ERR_MEM; // lwIP keeps it, and asks again
        inet_tcp_arrived(i, data);
        if (i->peer) // waits for the acknowledgement with what could go directly
            tcp_ack_now(p);
        return ERR_OK;
    }
    bool over = p->state == TIME_WAIT || p->state == CLOSING;
    if (over)
        inet_tcp_leave(i);
    end(i, over ? BOTH_SHUTDOWN : RCV_SHUTDOWN);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *p, u16_t n) {
    (void)p, (void)n;
    inet_tcp_room(arg);
    return ERR_OK;
}

// A connection is there: where its stream begins, and how large its buffers are.
static void begin_data(struct inet_socket *i) {
    struct socket *s = &i->s;
    i->rx_seq = i->read_seq = i->tcp->rcv_nxt;
    i->urgent.state = URGENT_NONE;
    i->window_cut = i->window_debt = 0;
    inet_tcp_direct_begin(i);
    i->bytes_sent = i->bytes_received = 0;
    i->ack_time = 0;
    if (i->tcp_options.max_segment)
        i->tcp->mss = MIN(i->tcp->mss, (u16_t)i->tcp_options.max_segment);
    if (!(READ_ONCE(s->buf_lock) & SOCK_SNDBUF_LOCK))
        WRITE_ONCE(s->sndbuf, MIN((unsigned int)READ_ONCE(inet_net->settings.tcp_wmem[2]), TCP_SND_BUF));
    inet_tcp_size_window(i);
}

static err_t on_connected(void *arg, struct tcp_pcb *p, err_t err) {
    struct inet_socket *i = arg;
    (void)p, (void)err;
    i->done = true;
    begin_data(i);
    WRITE_ONCE(i->writable, true);
    socket_connected(&i->s, 0);
    return ERR_OK;
}

#define HELD_BACK (200 * 1000 * NSEC_PER_USEC) // at most, as on Linux

// Twice a second lwIP sends what it could not send before; not what is held back. And who waited for room at an end that has gone without
// its reset having arrived is told of it here: at once would be before the reset.
static err_t on_poll(void *arg, struct tcp_pcb *p) {
    struct inet_socket *i = arg;
    (void)p;
    inet_tcp_room(i);
    if (i && unlikely(i->held_since) && clock_monotonic() - i->held_since < HELD_BACK)
        return ERR_INPROGRESS;
    return ERR_OK;
}

static void attach(struct inet_socket *i) {
    tcp_poll(i->tcp, on_poll, 1);
    tcp_arg(i->tcp, i);
    tcp_recv(i->tcp, on_receive);
    tcp_sent(i->tcp, on_sent);
    tcp_err(i->tcp, on_error);
    inet_apply_options(i);
}

// ---- binding

static int bind_locked(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    int err = i->local_port || READ_ONCE(i->s.state) != SOCKET_UNCONNECTED ? -EINVAL : renew(i);
    return err ? err : inet_bind_locked(i, ip, port);
}

// An address alone waits for the port that goes with it until it is known what it is for.
static int bind_by_user(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    bool alone = !port && !ip_addr_isany(ip) && inet_switch_is_on(i, IN_NO_PORT);
    if (!alone || i->local_port || READ_ONCE(i->s.state) != SOCKET_UNCONNECTED)
        return bind_locked(i, ip, port);
    i->local = *ip;
    i->bound_address = true;
    return 0;
}

static int tcp_socket_bind(struct socket *s, const struct socket_address *a) {
    return inet_bind(to_inet(s), a, bind_by_user);
}

// ---- listening and accepting

static bool shares_with(const struct tcp_pcb_listen *p, const struct tcp_pcb *first) {
    return p->so_options & SOF_USER_REUSEPORT && p->callback_arg && p->local_port == first->local_port &&
           ip_addr_eq(&p->local_ip, &first->local_ip);
}

// Of those who listen at one port by SO_REUSEPORT the one whose turn the other end's address makes it.
static struct inet_socket *pick_listener(struct inet_socket *i, const ip_addr_t *from, uint16_t port) {
    unsigned int n = 0;
    if (likely(!i->tcp || !(i->tcp->so_options & SOF_USER_REUSEPORT)))
        return i;
    for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
        n += shares_with(p, i->tcp);
    unsigned int turn = n ? inet_hash(from, port) % n : 0;
    for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
        if (shares_with(p, i->tcp) && !turn--)
            return p->callback_arg;
    return i;
}

// Says nothing new to an end whose window is shut. lwIP answers that, and where the other end's window is shut as well, each
// answer is answered, for ever. (A prober's own number is one ahead.)
static bool is_echo(struct tcp_pcb *pcb, const struct tcp_hdr *header) {
    if (likely(pcb->rcv_wnd > 1) || pcb->state > LAST_ACK || header->seqno - pcb->rcv_nxt > 1 ||
        header->ackno != pcb->lastack || (tcpwnd_size_t)SND_WND_SCALE(pcb, header->wnd) != pcb->snd_wnd)
        return false;
    pcb->persist_probe = 0; // but the other end lives, as tcp_process() would note
    pcb->keep_cnt_sent = 0;
    pcb->tmr = tcp_ticks;
    return true;
}

#define ODD_MOST 64u // answered between two steps of the timers, half a second

// Has nothing in it and numbers that are not those waited for (a prober's own is one behind). lwIP answers that, too; and where two
// ends disagree about the numbers, because somebody else sent for one of them, each answer is answered. Linux also answers few.
static bool is_odd_one_too_many(const struct tcp_pcb *pcb, const struct tcp_hdr *header) {
    static unsigned int tick __net_state, answered __net_state;
    if (likely(header->seqno - pcb->rcv_nxt + 1 <= pcb->rcv_wnd + 1 &&
               !TCP_SEQ_GT(header->ackno, pcb->snd_nxt)))
        return false;
    if (tick != tcp_ticks) {
        tick = tcp_ticks;
        answered = 0;
    }
    return ++answered > ODD_MOST;
}

// A segment with nothing in it that must not be answered.
static bool is_idle_talk(struct tcp_pcb *pcb, const struct tcp_hdr *header) {
    return pcb->state >= ESTABLISHED && !(TCPH_FLAGS(header) & (TCP_SYN | TCP_FIN | TCP_RST)) &&
           (is_echo(pcb, header) || is_odd_one_too_many(pcb, header));
}

// IP_MINTTL, IPV6_MINHOPCOUNT
static bool is_from_too_far(const struct inet_socket *i) {
    if (likely(!(i->min_ttl | i->min_hops)))
        return false;
    return ip_current_is_v6() ? IP6H_HOPLIM(ip6_current_header()) < i->min_hops
                              : IPH_TTL(ip4_current_header()) < i->min_ttl;
}

// lwIP shows each segment, of `length` in the space of its numbers. A SYN for a listener whose queue is full is not heard: its
// sender tries again.
int inet_drops_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header, unsigned int length) {
    struct inet_socket *i = pcb ? pcb->callback_arg : NULL;
    if (!length && pcb && unlikely(is_idle_talk(pcb, header)))
        return true;
    if (unlikely(!i))
        return false;
    if (unlikely(is_from_too_far(i)))
        return true;
    if (likely(pcb->state != LISTEN)) {
        if (unlikely(TCPH_FLAGS(header) & TCP_URG) && i->tcp == pcb)
            inet_tcp_hear_urgent(i, header);
        if (unlikely(pcb->state == SYN_SENT))
            inet_tcp_hear_crossing(i, header);
        return false;
    }
    if (!(TCPH_FLAGS(header) & TCP_SYN))
        return false;
    i = pick_listener(i, ip_current_src_addr(), header->src);
    return i->accept_count + i->deferred_count > i->s.backlog || inet_user_is_full(i->s.user);
}

static void queue_connection(struct inet_socket *listener, struct inet_socket *i) {
    list_add_tail(&i->accept_link, &listener->accept_queue);
    WRITE_ONCE(listener->accept_count, listener->accept_count + 1);
    socket_readable(&listener->s);
}

void inet_tcp_stop_deferring(struct inet_socket *i) {
    struct inet_socket *listener = i->deferred_by;
    if (likely(!listener))
        return;
    i->deferred_by = NULL;
    list_del(&i->accept_link);
    listener->deferred_count--;
    queue_connection(listener, i);
}

static void inherit(struct inet_socket *i, const struct inet_socket *listener) {
    struct socket *s = &i->s;
    s->flags = READ_ONCE(listener->s.flags);
    s->sndbuf = READ_ONCE(listener->s.sndbuf);
    s->rcvbuf = READ_ONCE(listener->s.rcvbuf);
    s->buf_lock = READ_ONCE(listener->s.buf_lock);
    s->linger = READ_ONCE(listener->s.linger);
    s->snd_timeout = READ_ONCE(listener->s.snd_timeout);
    s->rcv_timeout = READ_ONCE(listener->s.rcv_timeout);
    s->rcvlowat = READ_ONCE(listener->s.rcvlowat);
    i->tcp_options = listener->tcp_options;
    i->v6only = listener->v6only;
    i->tos = listener->tos;
    i->switches = listener->switches;
    i->device = listener->device;
    i->ttl = listener->ttl;
    i->min_ttl = listener->min_ttl;
    i->min_hops = listener->min_hops;
}

static err_t on_accept(void *arg, struct tcp_pcb *p, err_t err) {
    struct inet_socket *listener = arg;
    if (err != ERR_OK || !p || !listener)
        return ERR_VAL;
    listener = pick_listener(listener, &p->remote_ip, p->remote_port);
    struct inet_socket *i = inet_alloc(inet_net, listener->s.family, SOCK_STREAM, IPPROTO_TCP, &inet_tcp_ops,
                                       listener->s.user); // who listens pays, not who happens to run
    if (!i)
        return ERR_MEM; // lwIP resets the connection
    inherit(i, listener);
    i->tcp = p;
    i->local = p->local_ip;
    i->remote = p->remote_ip;
    i->local_port = p->local_port;
    i->remote_port = p->remote_port;
    i->s.state = SOCKET_CONNECTED;
    i->done = i->s.told = i->writable = true;
    attach(i);
    begin_data(i);
    if (i->tcp_options.defer) {
        i->deferred_by = listener;
        i->deferred_until = clock_monotonic() + inet_tcp_defer_seconds(i->tcp_options.defer) * NSEC_PER_SEC;
        list_add_tail(&i->accept_link, &listener->deferred_queue);
        listener->deferred_count++;
    } else {
        queue_connection(listener, i);
    }
    return ERR_OK;
}

static int listen_locked(struct inet_socket *i, int backlog) {
    ASSERT_HELD(&inet_mutex);
    struct socket *s = &i->s;
    i->s.backlog = backlog;
    if (READ_ONCE(s->state) == SOCKET_LISTENING)
        return 0;
    if (READ_ONCE(s->state) != SOCKET_UNCONNECTED || i->done)
        return -EINVAL;
    int err = renew(i);
    ip_addr_t ip = i->bound_address ? i->local : inet_any(i);
    if (!err && !i->local_port)
        err = bind_locked(i, &ip, 0);
    inet_apply_options(i);
    if (!err && inet_listener_conflicts(i, &i->local, i->local_port))
        err = -EADDRINUSE;
    if (err)
        return err;
    // lwIP's own rule about listeners is for those with the flag.
    ip_reset_option(i->tcp, SOF_REUSEADDR);
    err_t why = ERR_OK;
    struct tcp_pcb *listener = tcp_listen_with_backlog_and_err(i->tcp, 1, &why);
    ip_set_option(listener ? listener : i->tcp, SOF_REUSEADDR);
    if (!listener)
        return inet_errno(why);
    i->tcp = listener;
    inet_tcp_note_port(listener); // the pcb that had it has been freed
    tcp_arg(listener, i);
    tcp_accept(listener, on_accept);
    WRITE_ONCE(s->state, SOCKET_LISTENING);
    WRITE_ONCE(s->shutdown, 0);
    return 0;
}

static int tcp_socket_listen(struct socket *s, int backlog) {
    inet_lock(s->net);
    int err = listen_locked(to_inet(s), backlog);
    inet_unlock();
    return err;
}

static struct inet_socket *take_connection(struct inet_socket *listener) {
    struct inet_socket *i = NULL;
    inet_lock(listener->s.net);
    if (!list_empty(&listener->accept_queue)) {
        i = list_first_entry(&listener->accept_queue, struct inet_socket, accept_link);
        list_del(&i->accept_link);
        WRITE_ONCE(listener->accept_count, listener->accept_count - 1);
    }
    inet_unlock();
    return i;
}

static struct socket *tcp_socket_accept(struct socket *s, ktime_t deadline) {
    struct inet_socket *listener = to_inet(s), *i;
    for (;;) {
        if (READ_ONCE(s->state) != SOCKET_LISTENING)
            return ERR_PTR(-EINVAL);
        i = take_connection(listener);
        if (i)
            return &i->s;
        int err = socket_wait(&s->read_wait,
                              READ_ONCE(listener->accept_count) || READ_ONCE(s->state) != SOCKET_LISTENING,
                              deadline, true);
        if (err)
            return ERR_PTR(err);
    }
}

// ---- connecting

// connect(2) to AF_UNSPEC: ends what there is, a listener, too; the socket can be used anew.
static void dissolve(struct inet_socket *i) {
    struct socket *s = &i->s;
    mutex_lock(&s->read_mutex);
    inet_lock(s->net);
    if (READ_ONCE(s->state) == SOCKET_LISTENING) {
        inet_tcp_stop_listening(i);
    } else if (i->tcp) {
        struct tcp_pcb *p = i->tcp;
        if (READ_ONCE(s->state) != SOCKET_UNCONNECTED)
            WRITE_ONCE(s->error, ECONNRESET);
        inet_tcp_leave(i);
        inet_part_of(p);
        tcp_abort(p);
    }
    if (!i->explicit_port)
        i->local_port = 0;
    i->remote_port = 0;
    i->done = false;
    WRITE_ONCE(s->state, SOCKET_UNCONNECTED);
    WRITE_ONCE(s->shutdown, 0);
    struct pbuf *unread =
        inet_tcp_take_unread(i); // the next connection's reader would take it for that one's
    inet_unlock();
    mutex_unlock(&s->read_mutex);
    inet_tcp_free_unread(unread);
    socket_changed(s);
}

// What connect(2) says of an attempt that has ended: once how, then that there is a connection. 1: there was none.
static int told(struct inet_socket *i) {
    struct socket *s = &i->s;
    enum socket_state state = READ_ONCE(s->state);
    if (state == SOCKET_LISTENING || ((state == SOCKET_CONNECTED || i->done) && s->told))
        return -EISCONN; // even if the connection is over
    if (state == SOCKET_CONNECTING)
        return -EALREADY;
    if (s->told || (state != SOCKET_CONNECTED && !i->remote_port))
        return 1;
    WRITE_ONCE(s->told, true);
    if (state == SOCKET_CONNECTED)
        return 0;
    i->done = false;
    int err = socket_take_error(s);
    return err ? err : -ECONNABORTED;
}

// The other end of an earlier connection between the two ports may still be in TIME_WAIT here; lwIP would answer from it. As
// on Linux a new connection ends it.
static void end_time_wait(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    for (struct tcp_pcb *p = tcp_tw_pcbs, *next; p; p = next) {
        next = p->next;
        if (p->local_port == port && p->remote_port == i->tcp->local_port && ip_addr_eq(&p->local_ip, ip))
            tcp_abort(p);
    }
}

// The first segment. [n] 0 or -errno: the pcb is as it was, but for its address.
static int send_first(struct inet_socket *i, ip_addr_t *ip, uint16_t port) {
    ip_addr_t from = i->tcp->local_ip;
    if (ip_addr_isany(&from)) {
        ip_addr_set_any(IP_IS_V6(ip), &from);
        if (!inet_find_netif(ip, &from, i->device) || ip_addr_isany(&from))
            return IP_IS_V6(ip) ? -EADDRNOTAVAIL : -ENETUNREACH;
        ip_addr_copy(i->tcp->local_ip, from);
    }
    inet_part_for(ip, port, i->tcp->local_port);
    int err = inet_errno(tcp_connect(i->tcp, ip, port, on_connected));
    return err == -EADDRINUSE ? -EADDRNOTAVAIL : err;
}

// The pcb and the port that was picked for it: the next attempt has others.
static void give_back_port(struct inet_socket *i) {
    struct tcp_pcb *p = i->tcp;
    inet_tcp_leave(i);
    inet_part_of(p);
    tcp_close(p);
}

static int begin(struct inet_socket *i, ip_addr_t *ip, uint16_t port) {
    struct socket *s = &i->s;
    bool picks = !i->local_port;
    int err = told(i);
    if (err <= 0)
        return err;
    err = renew(i);
    if (err)
        return err;
    inet_apply_options(i);
    if (picks) {
        ip_addr_t from = i->bound_address ? i->local : *ip;
        if (!i->bound_address || IP_IS_V6(&from) != IP_IS_V6(ip))
            ip_addr_set_any_val(IP_IS_V6(ip), from);
        uint16_t mine = inet_pick_port(i, &from);
        err = mine ? inet_tcp_bind_pcb(i->tcp, &from, mine) : -EADDRNOTAVAIL;
        if (err)
            return err;
    }
    WRITE_ONCE(s->shutdown, 0);
    socket_take_error(s);
    end_time_wait(i, ip, port);
    err = send_first(i, ip, port);
    if (err && picks)
        give_back_port(i);
    else if (err)
        ip_addr_copy(i->tcp->local_ip, i->local);
    if (err)
        return err;
    WRITE_ONCE(s->state, SOCKET_CONNECTING);
    WRITE_ONCE(s->told, false);
    i->crossed = false;
    i->local = i->tcp->local_ip;
    i->local_port = i->tcp->local_port;
    i->remote = *ip;
    i->remote_port = port;
    return -EINPROGRESS;
}

static int tcp_socket_connect(struct socket *s, const struct socket_address *a, ktime_t deadline) {
    struct inet_socket *i = to_inet(s);
    ip_addr_t ip;
    uint16_t port;
    if (a->len < (int)sizeof(a->family))
        return -EINVAL;
    if (a->family == AF_UNSPEC) {
        dissolve(i);
        return 0;
    }
    int err = inet_read_address(i, a, &ip, &port);
    if (!err)
        err = inet_route(i, &ip, false);
    if (err)
        return err;
    inet_lock(s->net);
    err = port ? begin(i, &ip, port) : -ECONNREFUSED;
    inet_unlock();
    return err;
}

const struct socket_ops inet_tcp_ops = {
    .bind = tcp_socket_bind,
    .listen = tcp_socket_listen,
    .connect = tcp_socket_connect,
    .accept = tcp_socket_accept,
    .name = inet_name,
    .send = inet_tcp_send,
    .recv = inet_tcp_recv,
    .poll = inet_tcp_poll,
    .shutdown = inet_tcp_shutdown,
    .set_option = inet_set_option,
    .get_option = inet_get_option,
    .option_changed = inet_option_changed,
    .ioctl = inet_ioctl,
    .release = inet_tcp_release,
    .free = inet_free_socket,
};
