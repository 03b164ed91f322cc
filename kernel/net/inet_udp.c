// SPDX-License-Identifier: MIT
// UDP (udp(7)): life, names, sending. What comes in is inet_datagram.c's.
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "net/inet_cork.h"
#include "net/inet_options.h"
#include <linux/udp.h>

#define DATAGRAM_MAX  65507u
#define DATAGRAM_MAX6 65487u // what a frame of 65,535 bytes has room for

// ---- what lwIP tells

// May it get what comes from there? One that is connected hears its peer alone.
static bool is_for(const struct inet_socket *i, const ip_addr_t *from, u16_t port) {
    const struct udp_pcb *p = i->udp;
    if (p->flags & UDP_FLAGS_CONNECTED && (p->remote_port != port || !ip_addr_eq(&p->remote_ip, from)))
        return false;
    const ip_addr_t *to = ip_current_dest_addr();
    return !ip_addr_ismulticast(to) || inet_hears_group(i, to, from);
}

static bool shares_with(const struct udp_pcb *p, const struct udp_pcb *first) {
    return p->so_options & SOF_USER_REUSEPORT && !(p->flags & UDP_FLAGS_CONNECTED) && p->recv_arg &&
           p->local_port == first->local_port && ip_addr_eq(&p->local_ip, &first->local_ip);
}

// Of those who share the port by SO_REUSEPORT the one whose turn the sender's address makes it.
static struct inet_socket *pick_sharer(struct inet_socket *i, const ip_addr_t *from, u16_t port) {
    const struct udp_pcb *first = i->udp;
    unsigned int n = 0, turn;
    if (likely(!shares_with(first, first)) || ip_addr_ismulticast(ip_current_dest_addr()))
        return i;
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
        n += shares_with(p, first);
    if (!n)
        return i; // it has left the list
    turn = inet_hash(from, port) % n;
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
        if (shares_with(p, first) && !turn--)
            return p->recv_arg;
    return i;
}

static void on_datagram(void *arg, struct udp_pcb *p, struct pbuf *data, const ip_addr_t *from, u16_t port) {
    struct inet_socket *i = arg;
    bool lite = p->flags & UDP_FLAGS_UDPLITE; // the two share their ports here (docs/net.md)
    if (likely(lite == (ip_current_header_proto() == IP_PROTO_UDPLITE) && is_for(i, from, port)))
        inet_datagram_arrived(pick_sharer(i, from, port), data, from, port);
    else
        pbuf_free(data);
}

// ---- life, names

// [n] 0 or -ENOBUFS.
static int new_pcb(struct inet_socket *i) {
    i->udp = udp_new_ip_type(inet_pcb_type(i));
    if (!i->udp)
        return -ENOBUFS;
    if (i->s.protocol == IPPROTO_UDPLITE)
        i->udp->flags |= UDP_FLAGS_UDPLITE;
    udp_recv(i->udp, on_datagram, i);
    inet_apply_options(i);
    return 0;
}

int inet_udp_create(struct inet_socket *i) {
    inet_lock(i->s.net);
    int err = inet_listen_for_errors();
    if (!err)
        err = new_pcb(i);
    inet_unlock();
    return err;
}

// ---- UDP-Lite

#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11

static bool is_coverage(int option) {
    return option == UDPLITE_SEND_CSCOV || option == UDPLITE_RECV_CSCOV;
}

// 0: all of the datagram; else at least its header.
int inet_lite_set_option(struct inet_socket *i, int option, const void __user *value, int len) {
    int n;
    if (len < (int)sizeof(n))
        return -EINVAL;
    if (get_user(n, (const int __user *)value))
        return -EFAULT;
    if (!is_coverage(option))
        return -ENOPROTOOPT;
    u16_t covered = n && n < UDP_HLEN ? UDP_HLEN : (u16_t)MIN((unsigned int)n, 0xffffu);
    inet_lock(i->s.net);
    if (i->udp && option == UDPLITE_SEND_CSCOV)
        i->udp->chksum_len_tx = covered;
    else if (i->udp)
        i->udp->chksum_len_rx = covered;
    inet_unlock();
    return 0;
}

int inet_lite_get_option(struct inet_socket *i, int option, void __user *value, int __user *user_len) {
    int len, n = 0;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    if (!is_coverage(option))
        return -ENOPROTOOPT;
    inet_lock(i->s.net);
    if (i->udp)
        n = option == UDPLITE_SEND_CSCOV ? i->udp->chksum_len_tx : i->udp->chksum_len_rx;
    inet_unlock();
    len = MIN(len, (int)sizeof(n));
    err = put_user(len, user_len);
    return err ? err : put_object_part(value, n, len);
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

static int dissolve(struct inet_socket *i) {
    inet_lock(i->s.net);
    if (i->udp)
        udp_disconnect(i->udp);
    i->remote_port = 0;
    inet_set_state(&i->s, SOCKET_UNCONNECTED);
    if (i->udp && !i->explicit_port && i->local_port) {
        // The name that came with the connection goes with it.
        inet_udp_remove_pcb(i);
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
        ip_addr_t from = {0};
        if (!inet_find_netif(ip, &from, i->device))
            return -ENETUNREACH;
        i->local = from;
        ip_addr_copy(i->udp->local_ip, i->local);
    }
    i->remote = *ip;
    i->remote_port = port;
    inet_set_state(&i->s, SOCKET_CONNECTED);
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
        err = inet_route(i, &ip, false);
    if (err)
        return err;
    inet_lock(i->s.net);
    err = connect_locked(i, &ip, port);
    inet_unlock();
    return err;
}

// ---- sending

static int send_one_locked(struct inet_socket *i, struct pbuf *p, struct inet_sending *to) {
    ASSERT_HELD(&inet_mutex);
    if (!i->udp)
        return -ENOBUFS;
    int err = autobind(i);
    if (err)
        return err;
    i->udp->ttl = to->ttl;
    i->udp->tos = to->tos;
    return inet_errno(udp_sendto_if_src(i->udp, p, &to->to, to->port, to->netif, &to->from));
}

#define SEGMENTS_MOST 128u // as in Linux 6.12

// UDP_SEGMENT: all datagrams but the last have as many bytes.
static int send_segments_locked(struct inet_socket *i, struct pbuf *p, struct inet_sending *to) {
    ASSERT_HELD(&inet_mutex);
    unsigned int header = (IP_IS_V6(&to->to) ? IP6_HLEN : IP_HLEN) + UDP_HLEN;
    if (header + to->segment > to->netif->mtu)
        return -EMSGSIZE;
    if (p->tot_len > to->segment * SEGMENTS_MOST || socket_has(&i->s, SOCKET_NO_CHECK))
        return -EINVAL;
    int err = 0;
    for (unsigned int at = 0; at < p->tot_len && !err; at += to->segment) {
        u16_t n = (u16_t)MIN(to->segment, p->tot_len - at);
        struct pbuf *one = pbuf_alloc(PBUF_TRANSPORT, n, PBUF_RAM);
        if (!one)
            return -ENOBUFS;
        pbuf_copy_partial(p, one->payload, n, (u16_t)at);
        err = send_one_locked(i, one, to);
        pbuf_free(one);
    }
    return err;
}

static int send_locked(struct inet_socket *i, struct pbuf *p, struct inet_sending *to) {
    ASSERT_HELD(&inet_mutex);
    if (likely(!to->segment || p->tot_len <= to->segment))
        return send_one_locked(i, p, to);
    return send_segments_locked(i, p, to);
}

size_t inet_datagram_most(const struct inet_sending *to) {
    return IP_IS_V6(&to->to) ? DATAGRAM_MAX6 : DATAGRAM_MAX;
}

int inet_udp_set_option(struct inet_socket *i, int option, const void __user *value, int len) {
    int n;
    if (option == UDP_CORK)
        return inet_cork_set_option(i, option, value, len, send_locked);
    if (len < (int)sizeof(n))
        return -EINVAL;
    int err = get_user(n, (const int __user *)value);
    if (err)
        return err;
    switch (option) {
    case UDP_SEGMENT:
        if (n < 0 || n > UINT16_MAX)
            return -EINVAL;
        WRITE_ONCE(i->segment, (uint16_t)n);
        return 0;
    case UDP_GRO: // what comes is handed on as it came, as on Linux where nothing can be joined
        inet_put_switch(i, IN_GRO, n);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int inet_udp_get_option(struct inet_socket *i, int option, void __user *value, int __user *len) {
    switch (option) {
    case UDP_CORK:
        return inet_write_number(inet_switch_is_on(i, IN_CORK), value, len);
    case UDP_SEGMENT:
        return inet_write_number(READ_ONCE(i->segment), value, len);
    case UDP_GRO:
        return inet_write_number(inet_switch_is_on(i, IN_GRO), value, len);
    default:
        return -ENOPROTOOPT;
    }
}

static ssize_t udp_socket_send(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    size_t n = m->uio->resid;
    struct inet_sending to;
    if (m->flags & MSG_OOB && s->family == AF_INET) // IPv6's does not look at it
        return -EOPNOTSUPP;
    if (n > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (unlikely(inet_is_corked(i, m->flags)))
        return inet_cork_send(i, m, send_locked);
    int err = inet_prepare(i, m, &to);
    if (!err && !to.port)
        err = -EINVAL;
    if (!err && n > inet_datagram_most(&to))
        err = -EMSGSIZE;
    return err ? err : inet_send_whole(i, m, n, &to, send_locked);
}

static void udp_socket_release(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    inet_lock(i->s.net);
    if (i->udp)
        inet_udp_remove_pcb(i);
    inet_leave_groups(i);
    inet_unlock();
    inet_datagrams_drop(i);
    inet_cork_drop(i);
}

const struct socket_ops inet_udp_ops = {
    .bind = udp_socket_bind,
    .connect = udp_socket_connect,
    .name = inet_name,
    .send = udp_socket_send,
    .recv = inet_datagram_recv,
    .poll = inet_datagram_poll,
    .shutdown = inet_datagram_shutdown,
    .set_option = inet_set_option,
    .get_option = inet_get_option,
    .option_changed = inet_option_changed,
    .ioctl = inet_ioctl,
    .release = udp_socket_release,
    .free = inet_free_socket,
};
