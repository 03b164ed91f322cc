// SPDX-License-Identifier: MIT
// UDP (udp(7)): one datagram is one buffer of lwIP's in the receiver's queue, with what was in its header.
//
// Nobody waits to send: a datagram that finds the receiver's buffer full is gone, as on Linux. That nobody listens at a port comes
// back as an ICMP message, which a raw pcb of ours hears; a connected sender gets it as an error.
#include "net/inet_private.h"
#include "fs/event/poll.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <asm/socket.h>
#include <linux/ipv6.h>

#define DATAGRAM_MAX   65507u
#define DATAGRAM_MAX6  65487u // what a frame of 65,535 bytes has room for
#define DATAGRAM_EXTRA 768u   // what Linux charges for one beside its data, about

struct datagram {
    struct list_head link;
    struct pbuf *data;
    ip_addr_t from, to;
    uint16_t port;
    uint8_t ttl, tos;
    ktime_t stamp;
};

// ---- what lwIP tells

static size_t charge(size_t len) {
    return DATAGRAM_EXTRA + ALIGN_UP(len, 64ul);
}

static void note_header(struct datagram *d) {
    if (!ip_current_is_v6()) {
        d->ttl = IPH_TTL(ip4_current_header());
        d->tos = IPH_TOS(ip4_current_header());
    } else {
        d->ttl = IP6H_HOPLIM(ip6_current_header());
        d->tos = IP6H_TC(ip6_current_header());
    }
}

static void on_datagram(void *arg, struct udp_pcb *p, struct pbuf *data, const ip_addr_t *from, u16_t port) {
    struct inet_socket *i = arg;
    struct socket *s = &i->s;
    struct datagram *d = NULL;
    (void)p;
    bool full = READ_ONCE(i->rx_bytes) + charge(data->tot_len) > READ_ONCE(s->rcvbuf) ||
                READ_ONCE(s->shutdown) & RCV_SHUTDOWN;
    if (!full || !READ_ONCE(i->rx_bytes))
        d = inet_malloc(sizeof(*d));
    if (!d) {
        pbuf_free(data);
        return;
    }
    *d = (struct datagram){.data = data, .from = *from, .to = *ip_current_dest_addr(), .port = port};
    note_header(d);
    if (socket_has(s, SOCKET_TIMESTAMP))
        d->stamp = clock_realtime();
    spin_lock(&s->lock);
    list_add_tail(&d->link, &i->datagrams);
    WRITE_ONCE(i->rx_bytes, i->rx_bytes + charge(data->tot_len));
    spin_unlock(&s->lock);
    socket_readable(s);
}

// The UDP socket that a message about a packet of its own is for.
static struct inet_socket *find_sender(const ip_addr_t *to, uint16_t port, uint16_t to_port) {
    for (struct udp_pcb *p = udp_pcbs; p; p = p->next)
        if (p->local_port == port && p->flags & UDP_FLAGS_CONNECTED && p->remote_port == to_port &&
            ip_addr_eq(&p->remote_ip, to))
            return p->recv_arg;
    return NULL;
}

static void unreachable(const ip_addr_t *to, const uint8_t *udp) {
    uint16_t from_port = udp[0] << 8 | udp[1], to_port = udp[2] << 8 | udp[3];
    struct inet_socket *i = find_sender(to, from_port, to_port);
    if (i)
        socket_set_error(&i->s, ECONNREFUSED);
}

// Port unreachable: ICMP's header, then the packet's, then 8 bytes of its data. Never eats it.
static u8_t on_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from) {
    uint8_t h[IP_HLEN_MAX + 8 + IP_HLEN_MAX + 8];
    ip_addr_t to;
    (void)arg, (void)pcb, (void)from;
    size_t n = pbuf_copy_partial(p, h, sizeof(h), 0), at = (h[0] & 15) * 4 + 8;
    if (n < at + IP_HLEN + 8 || h[at - 8] != ICMP_DUR || h[at - 7] != ICMP_DUR_PORT ||
        h[at + 9] != IP_PROTO_UDP)
        return 0;
    size_t inner = (h[at] & 15) * 4;
    if (n < at + inner + 8)
        return 0;
    memset(&to, 0, sizeof(to));
    uint32_t word;
    memcpy(&word, h + at + 16, sizeof(word));
    ip_addr_set_ip4_u32_val(to, word);
    unreachable(&to, h + at + inner);
    return 0;
}

static u8_t on_icmp6(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from) {
    uint8_t h[IP6_HLEN + 8 + IP6_HLEN + 8];
    ip_addr_t to;
    uint32_t w[4];
    (void)arg, (void)pcb, (void)from;
    if (pbuf_copy_partial(p, h, sizeof(h), 0) < sizeof(h) || h[6] != IP6_NEXTH_ICMP6 ||
        h[IP6_HLEN] != ICMP6_TYPE_DUR || h[IP6_HLEN + 1] != ICMP6_DUR_PORT ||
        h[IP6_HLEN + 8 + 6] != IP6_NEXTH_UDP)
        return 0;
    memset(&to, 0, sizeof(to));
    memcpy(w, h + IP6_HLEN + 8 + 24, sizeof(w));
    IP_ADDR6(&to, w[0], w[1], w[2], w[3]);
    unreachable(&to, h + sizeof(h) - 8);
    return 0;
}

static int listen_for_errors(void) {
    static struct raw_pcb *icmp, *icmp6; // [n]
    if (!icmp && (icmp = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP)))
        raw_recv(icmp, on_icmp, NULL);
    if (!icmp6 && (icmp6 = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6)))
        raw_recv(icmp6, on_icmp6, NULL);
    return icmp && icmp6 ? 0 : -ENOBUFS;
}

// ---- life, names

// [n] 0 or -ENOBUFS.
static int new_pcb(struct inet_socket *i) {
    i->udp = udp_new_ip_type(inet_pcb_type(i));
    if (!i->udp)
        return -ENOBUFS;
    udp_recv(i->udp, on_datagram, i);
    inet_apply_options(i);
    return 0;
}

int inet_udp_create(struct inet_socket *i) {
    inet_lock();
    int err = listen_for_errors();
    if (!err)
        err = new_pcb(i);
    inet_unlock();
    return err;
}

static int bind_locked(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    if (i->local_port)
        return -EINVAL;
    return i->udp ? inet_bind_locked(i, ip, port) : -ENOBUFS;
}

// A name for one that sends without having asked for one.
static int autobind(struct inet_socket *i) {
    if (i->local_port)
        return 0;
    ip_addr_t any = inet_any(i);
    int err = bind_locked(i, &any, 0);
    return err == -EADDRINUSE ? -EAGAIN : err;
}

static int udp_socket_bind(struct socket *s, const struct socket_address *a) {
    return inet_bind(to_inet(s), a, bind_locked);
}

static void set_state(struct socket *s, enum socket_state state) {
    spin_lock(&s->lock);
    WRITE_ONCE(s->state, state);
    spin_unlock(&s->lock);
}

static int dissolve(struct inet_socket *i) {
    inet_lock();
    if (i->udp)
        udp_disconnect(i->udp);
    i->remote_port = 0;
    set_state(&i->s, SOCKET_UNCONNECTED);
    if (i->udp && !i->explicit_port && i->local_port) {
        // The name that came with the connection goes with it.
        udp_remove(i->udp);
        i->local_port = 0;
        ip_addr_set_any(IP_IS_V6(&i->local), &i->local);
        (void)new_pcb(i);
    }
    int err = i->udp ? 0 : -ENOBUFS;
    inet_unlock();
    return err;
}

static int connect_locked(struct inet_socket *i, ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    if (!i->udp)
        return -ENOBUFS;
    int err = autobind(i);
    if (!err)
        err = inet_errno(udp_connect(i->udp, ip, port));
    if (err)
        return err;
    if (ip_addr_isany(&i->local)) {
        i->local = *ip; // of loopback, where a packet for any address comes from the first
        if (IP_IS_V4(ip))
            IP_ADDR4(&i->local, 127, 0, 0, 1);
        ip_addr_copy(i->udp->local_ip, i->local);
    }
    i->remote = *ip;
    i->remote_port = port;
    set_state(&i->s, SOCKET_CONNECTED);
    return 0;
}

static int udp_socket_connect(struct socket *s, const struct socket_address *a, ktime_t deadline) {
    struct inet_socket *i = to_inet(s);
    ip_addr_t ip;
    uint16_t port;
    (void)deadline;
    if (a->len < (int)sizeof(a->family))
        return -EINVAL;
    if (a->family == AF_UNSPEC)
        return dissolve(i);
    int err = inet_read_address(i, a, &ip, &port);
    if (!err)
        err = inet_route(i, &ip);
    if (err)
        return err;
    inet_lock();
    err = connect_locked(i, &ip, port);
    inet_unlock();
    return err;
}

// ---- sending

// Where to: 0 or -errno.
static int destination(struct inet_socket *i, struct message *m, ip_addr_t *ip, uint16_t *port) {
    if (!m->address || !m->address->len) {
        inet_lock();
        *ip = i->remote;
        *port = i->remote_port;
        inet_unlock();
        return READ_ONCE(i->s.state) == SOCKET_CONNECTED ? 0 : -EDESTADDRREQ;
    }
    int err = inet_read_address(i, m->address, ip, port);
    if (err)
        return err;
    return *port ? inet_route(i, ip) : -EINVAL;
}

static int send_locked(struct inet_socket *i, struct pbuf *p, const ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    if (!i->udp)
        return -ENOBUFS;
    int err = autobind(i);
    if (err)
        return err;
    bool v6 = IP_IS_V6(ip);
    i->udp->ttl = (v6 ? i->hops : i->ttl) ?: UDP_TTL;
    i->udp->tos = v6 ? i->tclass : i->tos;
    return inet_errno(udp_sendto(i->udp, p, ip, port));
}

// A source, a TTL or anything else for one datagram alone is not offered.
static int check_control(const struct message *m) {
    struct cmsghdr *c = NULL;
    int more;
    while ((more = message_next_control(m, &c)) > 0) {
        if (c->cmsg_level != SOL_SOCKET)
            return -EINVAL;
    }
    return more;
}

static ssize_t udp_socket_send(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    size_t n = m->uio->resid;
    ip_addr_t ip;
    uint16_t port;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (n > DATAGRAM_MAX)
        return -EMSGSIZE;
    int err = check_control(m);
    if (!err)
        err = destination(i, m, &ip, &port);
    if (err)
        return err;
    if (IP_IS_V6(&ip) && n > DATAGRAM_MAX6)
        return -EMSGSIZE;
    err = socket_take_error(s);
    if (err)
        return err;
    if (READ_ONCE(s->shutdown) & SEND_SHUTDOWN)
        return -EPIPE;
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, n, PBUF_RAM);
    if (!p)
        return -ENOBUFS;
    if (uio_read_from(m->uio, p->payload, n) != n)
        err = -EFAULT;
    if (!err) {
        inet_lock();
        err = send_locked(i, p, &ip, port);
        inet_unlock();
    }
    pbuf_free(p);
    return err ? err : (ssize_t)n;
}

// ---- receiving

static struct datagram *first(struct inet_socket *i, bool take) {
    struct datagram *d = NULL;
    spin_lock(&i->s.lock);
    if (!list_empty(&i->datagrams)) {
        d = list_first_entry(&i->datagrams, struct datagram, link);
        if (take) {
            list_del(&d->link);
            WRITE_ONCE(i->rx_bytes, i->rx_bytes - charge(d->data->tot_len));
        }
    }
    spin_unlock(&i->s.lock);
    return d;
}

static void datagram_free(struct datagram *d) {
    pbuf_free(d->data);
    inet_free(d);
}

static void put_control4(struct inet_socket *i, struct message *m, const struct datagram *d) {
    unsigned int wanted = READ_ONCE(i->wanted);
    int ttl = d->ttl;
    if (wanted & INFO_PKTINFO) {
        struct in_pktinfo info = {.ipi_ifindex = 1};
        info.ipi_addr.s_addr = info.ipi_spec_dst.s_addr = ip4_addr_get_u32(ip_2_ip4(&d->to));
        message_put_control(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
    }
    if (wanted & INFO_TTL)
        message_put_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
    if (wanted & INFO_TOS)
        message_put_control(m, SOL_IP, IP_TOS, &d->tos, sizeof(d->tos));
}

static void put_control6(struct inet_socket *i, struct message *m, const struct datagram *d) {
    unsigned int wanted = READ_ONCE(i->wanted);
    int hops = d->ttl, tclass = d->tos;
    if (wanted & INFO_PKTINFO6) {
        struct in6_pktinfo info = {.ipi6_ifindex = 1};
        struct socket_address a = {0};
        inet_write_address(i, &d->to, 0, &a);
        info.ipi6_addr = ((struct sockaddr_in6 *)&a.storage)->sin6_addr;
        message_put_control(m, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    if (wanted & INFO_HOPS)
        message_put_control(m, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (wanted & INFO_TCLASS)
        message_put_control(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
}

static void put_control(struct inet_socket *i, struct message *m, const struct datagram *d) {
    if (socket_has(&i->s, SOCKET_TIMESTAMP))
        message_put_timestamp(&i->s, m, d->stamp);
    if (IP_IS_V4(&d->from))
        put_control4(i, m, d);
    if (i->s.family == AF_INET6)
        put_control6(i, m, d);
}

static ssize_t deliver(struct inet_socket *i, struct message *m, const struct datagram *d) {
    size_t len = d->data->tot_len, n = MIN(len, m->uio->resid), at = 0;
    for (const struct pbuf *p = d->data; p && at < n; p = p->next) {
        size_t piece = MIN((size_t)p->len, n - at);
        if (uio_write_to(m->uio, p->payload, piece) != piece)
            return -EFAULT;
        at += piece;
    }
    if (n < len)
        m->out |= MSG_TRUNC;
    if (m->address)
        inet_write_address(i, &d->from, d->port, m->address);
    if (m->control)
        put_control(i, m, d);
    return m->flags & MSG_TRUNC ? len : n;
}

// A datagram, with read_mutex. -EAGAIN: there is none.
static ssize_t receive(struct inet_socket *i, struct message *m) {
    bool peek = m->flags & MSG_PEEK;
    struct datagram *d = first(i, !peek);
    if (!d)
        return -EAGAIN;
    ssize_t n = deliver(i, m, d);
    if (!peek)
        datagram_free(d);
    return n;
}

static ssize_t udp_socket_recv(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    ktime_t deadline = socket_recv_deadline(s, m);
    if (m->flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (m->flags & MSG_OOB)
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

// ---- the rest

static unsigned int udp_socket_poll(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    unsigned int shutdown = READ_ONCE(s->shutdown), events = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (READ_ONCE(i->rx_bytes))
        events |= POLLIN | POLLRDNORM;
    if (shutdown & RCV_SHUTDOWN)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (shutdown == BOTH_SHUTDOWN)
        events |= POLLHUP;
    return events | (READ_ONCE(s->error) ? POLLERR : 0);
}

static int udp_socket_shutdown(struct socket *s, unsigned int how) {
    spin_lock(&s->lock);
    int err = s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
    WRITE_ONCE(s->shutdown, s->shutdown | how); // on Linux, too, whatever it says
    spin_unlock(&s->lock);
    socket_changed(s);
    return err;
}

static void udp_socket_release(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    struct datagram *d;
    inet_lock();
    if (i->udp)
        udp_remove(i->udp);
    i->udp = NULL;
    inet_unlock();
    while ((d = first(i, true))) {
        datagram_free(d);
        cond_resched();
    }
}

const struct socket_ops inet_udp_ops = {
    .bind = udp_socket_bind,
    .connect = udp_socket_connect,
    .name = inet_name,
    .send = udp_socket_send,
    .recv = udp_socket_recv,
    .poll = udp_socket_poll,
    .shutdown = udp_socket_shutdown,
    .set_option = inet_set_option,
    .get_option = inet_get_option,
    .option_changed = inet_option_changed,
    .ioctl = inet_ioctl,
    .release = udp_socket_release,
    .free = inet_free_socket,
};
