// SPDX-License-Identifier: MIT
// What UDP, raw and ping sockets have in common: the queue of what has come in, the queue of errors (IP_RECVERR), receiving with
// control data, poll.
//
// A datagram is one buffer of lwIP's with what was in its header. Nobody waits to send: one that finds the receiver's buffer full
// is gone, as on Linux. What a message of ICMP tells waits in a queue of its own, if the socket wants to know all of it.
#include "net/inet_datagram.h"
#include "arch/riscv/cpu.h"
#include "fs/event/poll.h"
#include "lib/string.h"
#include "net/device.h"
#include <asm/socket.h>
#include <linux/ipv6.h>

#define DATAGRAM_EXTRA 768u // what Linux charges for one beside its data, about

struct datagram {
    struct list_head link;
    struct pbuf *data;
    ip_addr_t from, to;
    uint16_t port;
    uint8_t ttl, tos;
    int device; // index of the one that it came by
    ktime_t stamp;
    struct inet_error error; // of one in the queue of errors
};

// Flags of a socket that wants to know when its datagrams came.
#define STAMPS (1u << SOCKET_TIMESTAMP | 1u << SOCKET_STAMPED | 1u << SOCKET_STAMP_KEPT)

static size_t charge(size_t len) {
    return DATAGRAM_EXTRA + ALIGN_UP(len, 64ul);
}

// ---- coming in

static void note_header(struct datagram *d) {
    if (!ip_current_is_v6()) {
        d->ttl = IPH_TTL(ip4_current_header());
        d->tos = IPH_TOS(ip4_current_header());
    } else {
        d->ttl = IP6H_HOPLIM(ip6_current_header());
        d->tos = IP6H_TC(ip6_current_header());
    }
}

static void count_drop(struct inet_socket *i) {
    spin_lock(&i->s.lock);
    i->drops++;
    spin_unlock(&i->s.lock);
}

// Puts it into a queue that has room. False: it had none.
static bool put(struct inet_socket *i, struct list_head *queue, struct datagram *d) {
    struct socket *s = &i->s;
    size_t size = charge(d->data->tot_len);
    spin_lock(&s->lock);
    unsigned long *bytes = queue == &i->errors ? &i->error_bytes : &i->rx_bytes;
    bool fits = !*bytes || *bytes + size <= READ_ONCE(s->rcvbuf);
    if (fits) {
        list_add_tail(&d->link, queue);
        WRITE_ONCE(*bytes, *bytes + size);
    } else {
        i->drops++;
    }
    spin_unlock(&s->lock);
    return fits;
}

static void datagram_free(struct datagram *d) {
    pbuf_free(d->data);
    inet_free(d);
}

void inet_datagram_arrived(struct inet_socket *i, struct pbuf *data, const ip_addr_t *from, uint16_t port) {
    struct socket *s = &i->s;
    struct datagram *d = READ_ONCE(s->shutdown) & RCV_SHUTDOWN ? NULL : inet_malloc(sizeof(*d));
    if (!d) {
        pbuf_free(data);
        return;
    }
    *d = (struct datagram){.data = data, .from = *from, .to = *ip_current_dest_addr(), .port = port};
    note_header(d);
    d->device = ((const struct net_device *)ip_current_input_netif()->state)->index;
    if (unlikely(READ_ONCE(s->flags) & STAMPS))
        d->stamp = clock_realtime();
    WRITE_ONCE(s->incoming_cpu, (int)this_hart_id());
    bool taken = inet_take_over(data, s->user, !READ_ONCE(i->rx_bytes));
    if (!taken)
        count_drop(i);
    if (taken && put(i, &i->datagrams, d))
        socket_readable(s);
    else
        datagram_free(d);
}

void inet_report(struct inet_socket *i, const struct inet_error *error, struct pbuf *about) {
    struct datagram *d = inet_malloc(sizeof(*d));
    if (!d) {
        pbuf_free(about);
    } else {
        *d = (struct datagram){.data = about, .error = *error};
        if (!put(i, &i->errors, d))
            datagram_free(d);
    }
    socket_set_error(&i->s, (int)error->e.ee_errno);
}

// ---- going out

static struct datagram *first(struct inet_socket *i, struct list_head *queue, bool take) {
    struct datagram *d = NULL;
    spin_lock(&i->s.lock);
    if (!list_empty(queue)) {
        d = list_first_entry(queue, struct datagram, link);
        if (take) {
            unsigned long *bytes = queue == &i->errors ? &i->error_bytes : &i->rx_bytes;
            list_del(&d->link);
            WRITE_ONCE(*bytes, *bytes - charge(d->data->tot_len));
        }
    }
    spin_unlock(&i->s.lock);
    return d;
}

size_t inet_first_datagram(struct inet_socket *i) {
    size_t n = 0;
    spin_lock(&i->s.lock);
    if (!list_empty(&i->datagrams))
        n = list_first_entry(&i->datagrams, struct datagram, link)->data->tot_len;
    spin_unlock(&i->s.lock);
    return n;
}

void inet_datagrams_drop(struct inet_socket *i) {
    struct datagram *d;
    while ((d = first(i, &i->datagrams, true)) || (d = first(i, &i->errors, true))) {
        datagram_free(d);
        cond_resched();
    }
}

void inet_errors_drop(struct inet_socket *i) {
    struct datagram *d;
    while ((d = first(i, &i->errors, true))) {
        datagram_free(d);
        cond_resched();
    }
}

static struct in6_addr address6(const struct inet_socket *i, const ip_addr_t *ip) {
    struct socket_address a = {0};
    inet_write_address(i, ip, 0, &a);
    return ((struct sockaddr_in6 *)&a.storage)->sin6_addr;
}

static void put_info4(struct net_ns *net, struct message *m, const struct datagram *d) {
    struct in_pktinfo info = {.ipi_ifindex = d->device};
    ip_addr_t own = d->to;
    if (!inet_is_own(net, &own)) { // what was for a group, or all: who of us heard it
        ip_addr_set_ip4_u32_val(own, 0);
        inet_lock(net);
        (void)inet_find_netif(&d->to, &own, d->device);
        inet_unlock();
    }
    info.ipi_addr.s_addr = ip4_addr_get_u32(ip_2_ip4(&d->to));
    info.ipi_spec_dst.s_addr = ip4_addr_get_u32(ip_2_ip4(&own));
    message_put_control(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
}

static void put_control4(struct inet_socket *i, struct message *m, const struct datagram *d) {
    int ttl = d->ttl;
    if (inet_switch_is_on(i, IN_PKTINFO))
        put_info4(i->s.net, m, d);
    if (inet_switch_is_on(i, IN_TTL))
        message_put_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
    if (inet_switch_is_on(i, IN_TOS))
        message_put_control(m, SOL_IP, IP_TOS, &d->tos, sizeof(d->tos));
    if (inet_switch_is_on(i, IN_ORIGDST)) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = lwip_htons(i->local_port)};
        a.sin_addr.s_addr = ip4_addr_get_u32(ip_2_ip4(&d->to));
        message_put_control(m, SOL_IP, IP_ORIGDSTADDR, &a, sizeof(a));
    }
}

static void put_control6(struct inet_socket *i, struct message *m, const struct datagram *d) {
    int hops = d->ttl, tclass = d->tos;
    struct in6_pktinfo info = {.ipi6_addr = address6(i, &d->to), .ipi6_ifindex = d->device};
    if (inet_switch_is_on(i, IN_PKTINFO6))
        message_put_control(m, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    if (inet_switch_is_on(i, IN_PKTINFO6_OLD))
        message_put_control(m, SOL_IPV6, IPV6_2292PKTINFO, &info, sizeof(info));
    if (inet_switch_is_on(i, IN_HOPS))
        message_put_control(m, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (inet_switch_is_on(i, IN_HOPS_OLD))
        message_put_control(m, SOL_IPV6, IPV6_2292HOPLIMIT, &hops, sizeof(hops));
    if (inet_switch_is_on(i, IN_TCLASS))
        message_put_control(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
    if (inet_switch_is_on(i, IN_ORIGDST6)) {
        struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = lwip_htons(i->local_port)};
        a.sin6_addr = info.ipi6_addr;
        message_put_control(m, SOL_IPV6, IPV6_ORIGDSTADDR, &a, sizeof(a));
    }
}

static void put_control(struct inet_socket *i, struct message *m, const struct datagram *d) {
    uint32_t drops = i->drops;
    if (socket_has(&i->s, SOCKET_RXQ_OVFL) && drops)
        message_put_control(m, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
    if (unlikely(READ_ONCE(i->s.flags) & STAMPS))
        message_put_timestamp(&i->s, m, d->stamp);
    if (IP_IS_V4(&d->from))
        put_control4(i, m, d);
    if (i->s.family == AF_INET6)
        put_control6(i, m, d);
}

// The data, cut where the caller's memory ends. Bytes, or -EFAULT.
static ssize_t deliver(struct message *m, const struct datagram *d) {
    size_t len = d->data->tot_len, n = MIN(len, m->uio->resid), at = 0;
    for (const struct pbuf *p = d->data; p && at < n; p = p->next) {
        size_t piece = MIN((size_t)p->len, n - at);
        if (uio_write_to(m->uio, p->payload, piece) != piece)
            return -EFAULT;
        at += piece;
    }
    if (n < len)
        m->out |= MSG_TRUNC;
    return m->flags & MSG_TRUNC ? len : n;
}

// What SIOCGSTAMP tells: of the last datagram that was read, if it was stamped.
static void note_stamp(struct inet_socket *i, const struct datagram *d) {
    if (unlikely(socket_has(&i->s, SOCKET_STAMP_KEPT)))
        WRITE_ONCE(i->stamp, d->stamp);
    else if (unlikely(READ_ONCE(i->stamp) == INET_NO_STAMP))
        WRITE_ONCE(i->stamp, 0);
}

// With read_mutex. -EAGAIN: there is none.
static ssize_t receive(struct inet_socket *i, struct message *m) {
    bool peek = m->flags & MSG_PEEK;
    struct datagram *d = first(i, &i->datagrams, !peek);
    if (!d)
        return -EAGAIN;
    ssize_t n = deliver(m, d);
    note_stamp(i, d);
    if (n >= 0 && m->address)
        inet_write_address(i, &d->from, d->port, m->address);
    if (n >= 0 && m->control)
        put_control(i, m, d);
    if (!peek)
        datagram_free(d);
    return n;
}

// ---- errors

static void put_error(struct inet_socket *i, struct message *m, const struct inet_error *e) {
    struct {
        struct sock_extended_err e;
        union {
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } offender;
    } out;
    bool six = i->s.family == AF_INET6;
    memset(&out, 0, sizeof(out));
    out.e = e->e;
    if (six) {
        out.offender.in6.sin6_family = AF_INET6;
        out.offender.in6.sin6_addr = address6(i, &e->offender);
    } else {
        out.offender.in.sin_family = AF_INET;
        out.offender.in.sin_addr.s_addr = ip4_addr_get_u32(ip_2_ip4(&e->offender));
    }
    size_t len = sizeof(out.e) + (six ? sizeof(out.offender.in6) : sizeof(out.offender.in));
    message_put_control(m, six ? SOL_IPV6 : SOL_IP, six ? IPV6_RECVERR : IP_RECVERR, &out, len);
}

// The next in the queue is what SO_ERROR tells now.
static void next_error(struct inet_socket *i) {
    spin_lock(&i->s.lock);
    int err = list_empty(&i->errors)
                  ? 0
                  : (int)list_first_entry(&i->errors, struct datagram, link)->error.e.ee_errno;
    WRITE_ONCE(i->s.error, err);
    spin_unlock(&i->s.lock);
}

ssize_t inet_recv_error(struct inet_socket *i, struct message *m) {
    mutex_lock(&i->s.read_mutex);
    struct datagram *d = first(i, &i->errors, true);
    ssize_t n = -EAGAIN;
    if (d) {
        next_error(i);
        n = deliver(m, d);
        m->out |= MSG_ERRQUEUE;
        if (n >= 0 && m->address)
            inet_write_address(i, &d->error.to, d->error.port, m->address);
        if (n >= 0)
            put_error(i, m, &d->error);
        datagram_free(d);
    }
    mutex_unlock(&i->s.read_mutex);
    return n;
}

// ---- the calls

ssize_t inet_datagram_recv(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    ktime_t deadline = socket_recv_deadline(s, m);
    if (m->flags & MSG_ERRQUEUE)
        return inet_recv_error(i, m);
    if (m->flags & MSG_OOB && s->ops != &inet_udp_ops) // UDP does not look at it
        return -EOPNOTSUPP;
    for (;;) {
        int err = socket_take_error(s);
        if (err)
            return err;
        mutex_lock(&s->read_mutex);
        ssize_t n = receive(i, m);
        mutex_unlock(&s->read_mutex);
        if (n != -EAGAIN)
            return n;
        if (READ_ONCE(s->shutdown) & RCV_SHUTDOWN)
            return 0;
        err = socket_wait(&s->read_wait,
                          READ_ONCE(i->rx_bytes) || READ_ONCE(s->error) ||
                              READ_ONCE(s->shutdown) & RCV_SHUTDOWN,
                          deadline, true);
        if (err)
            return err;
    }
}

unsigned int inet_datagram_poll(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    unsigned int shutdown = READ_ONCE(s->shutdown), events = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (READ_ONCE(i->rx_bytes))
        events |= POLLIN | POLLRDNORM;
    if (shutdown & RCV_SHUTDOWN)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (shutdown == BOTH_SHUTDOWN)
        events |= POLLHUP;
    if (READ_ONCE(i->error_bytes) && socket_has(s, SOCKET_SELECT_ERR_QUEUE))
        events |= POLLPRI;
    return events | (READ_ONCE(s->error) || READ_ONCE(i->error_bytes) ? POLLERR : 0);
}

int inet_datagram_shutdown(struct socket *s, unsigned int how) {
    spin_lock(&s->lock);
    int err = s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
    WRITE_ONCE(s->shutdown, s->shutdown | how); // on Linux, too, whatever it says
    spin_unlock(&s->lock);
    socket_changed(s);
    return err;
}

void inet_set_state(struct socket *s, enum socket_state state) {
    spin_lock(&s->lock);
    WRITE_ONCE(s->state, state);
    spin_unlock(&s->lock);
}
