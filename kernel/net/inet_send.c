// SPDX-License-Identifier: MIT
// Where a datagram goes, from which address, and with which TTL: its address, its control data (ip(7), ipv6(7)), the socket's options.
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/inet_datagram.h"
#include <linux/ipv6.h>
#include <linux/udp.h>

// ---- control data

// A number of control data: an int or, where that is all, a byte.
static int number(const struct cmsghdr *c, bool byte_will_do, int least, int *out) {
    const void *data = c + 1;
    int n;
    if (c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&n, data, sizeof(n));
    else if (byte_will_do && c->cmsg_len == CMSG_LEN(1))
        n = *(const uint8_t *)data;
    else
        return -EINVAL;
    if (n < least || n > 255)
        return -EINVAL;
    *out = n;
    return 0;
}

static int check_device(struct net_ns *net, int index, struct inet_sending *out) {
    if (index && !inet_has_device(net, index))
        return -ENODEV;
    out->device = index;
    return 0;
}

static int info4(struct net_ns *net, const struct cmsghdr *c, struct inet_sending *out) {
    struct in_pktinfo info;
    if (c->cmsg_len != CMSG_LEN(sizeof(info)))
        return -EINVAL;
    memcpy(&info, c + 1, sizeof(info));
    int err = check_device(net, info.ipi_ifindex, out);
    if (err || !info.ipi_spec_dst.s_addr)
        return err;
    ip_addr_set_ip4_u32_val(out->from, info.ipi_spec_dst.s_addr);
    return inet_is_own(net, &out->from) ? 0 : -ENETUNREACH;
}

static int info6(struct net_ns *net, const struct cmsghdr *c, struct inet_sending *out) {
    struct in6_pktinfo info;
    if (c->cmsg_len < CMSG_LEN(sizeof(info)))
        return -EINVAL;
    memcpy(&info, c + 1, sizeof(info));
    int err = check_device(net, info.ipi6_ifindex, out);
    const uint32_t *w = info.ipi6_addr.s6_addr32;
    if (err || !(w[0] | w[1] | w[2] | w[3]))
        return err;
    if (inet_address_is_mapped(&info.ipi6_addr))
        ip_addr_set_ip4_u32_val(out->from, w[3]);
    else
        IP_ADDR6(&out->from, w[0], w[1], w[2], w[3]);
    return inet_is_own(net, &out->from) ? 0 : -EINVAL;
}

static int control4(struct net_ns *net, const struct cmsghdr *c, struct inet_sending *out) {
    switch (c->cmsg_type) {
    case IP_PKTINFO:
        return info4(net, c, out);
    case IP_TTL:
        return number(c, false, 1, &out->ttl);
    case IP_TOS:
        return number(c, true, 0, &out->tos);
    default:
        return -EINVAL;
    }
}

static int control6(struct net_ns *net, const struct cmsghdr *c, struct inet_sending *out) {
    int n, err;
    switch (c->cmsg_type) {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
        return info6(net, c, out);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
    case IPV6_TCLASS:
        err = number(c, false, -1, &n);
        if (!err && n >= 0)
            *(c->cmsg_type == IPV6_TCLASS ? &out->tos : &out->ttl) = n;
        return err;
    default:
        return -EINVAL;
    }
}

static int control_udp(const struct cmsghdr *c, struct inet_sending *out) {
    uint16_t n;
    if (c->cmsg_type != UDP_SEGMENT || c->cmsg_len != CMSG_LEN(sizeof(n)))
        return -EINVAL;
    memcpy(&n, c + 1, sizeof(n));
    out->segment = n;
    return 0;
}

static int read_control(const struct inet_socket *i, const struct message *m, struct inet_sending *out) {
    struct cmsghdr *c = NULL;
    bool four = IP_IS_V4(&out->to);
    int more, err = 0;
    while (!err && (more = message_next_control(m, &c)) > 0) {
        if (c->cmsg_level == SOL_IP && four)
            err = control4(i->s.net, c, out);
        else if (c->cmsg_level == SOL_IPV6 && i->s.family == AF_INET6)
            err = control6(i->s.net, c, out);
        else if (c->cmsg_level == SOL_UDP && i->s.ops == &inet_udp_ops)
            err = control_udp(c, out);
    }
    return err ? err : more;
}

// ---- addresses

static int destination(struct inet_socket *i, const struct message *m, struct inet_sending *out) {
    if (m->address && m->address->len)
        return inet_read_address(i, m->address, &out->to, &out->port);
    inet_lock(i->s.net);
    out->to = i->remote;
    out->port = i->remote_port;
    inet_unlock();
    return READ_ONCE(i->s.state) == SOCKET_CONNECTED ? 0 : -EDESTADDRREQ;
}

// From where, if the message does not say, and by which interface.
static int source(struct inet_socket *i, struct inet_sending *out) {
    bool six = IP_IS_V6(&out->to);
    inet_lock(i->s.net);
    const ip_addr_t *local = &i->local;
    if (ip_addr_isany(&out->from) && !ip_addr_isany(local) && IP_IS_V6(local) == six &&
        !ip_addr_ismulticast(local))
        out->from = *local;
    int device = out->device ? out->device : i->device;
    if (!device && ip_addr_ismulticast(&out->to))
        device = six ? i->group_device6 : i->group_device;
    out->netif = inet_find_netif(&out->to, &out->from, device);
    inet_unlock();
    return out->netif ? 0 : -ENETUNREACH;
}

static void default_way(const struct inet_socket *i, struct inet_sending *out) {
    bool six = IP_IS_V6(&out->to), group = ip_addr_ismulticast(&out->to);
    if (out->ttl < 0)
        out->ttl = group ? i->group_ttl : six ? i->hops ?: IP_DEFAULT_TTL : i->ttl ?: (int)READ_ONCE(i->s.net->settings.default_ttl);
    if (out->tos < 0)
        out->tos = six ? i->tclass : i->tos;
}

int inet_prepare(struct inet_socket *i, const struct message *m, struct inet_sending *out) {
    *out = (struct inet_sending){.ttl = -1, .tos = -1, .segment = READ_ONCE(i->segment)};
    int err = destination(i, m, out);
    if (!err && m->control_len)
        err = read_control(i, m, out);
    if (!err)
        err = inet_route(i, &out->to, out->device || !ip_addr_isany(&out->from));
    if (err)
        return err;
    if (!ip_addr_isany(&out->from) && IP_IS_V6(&out->from) != IP_IS_V6(&out->to))
        return -EINVAL;
    err = source(i, out);
    default_way(i, out);
    return err;
}

static struct pbuf *copy_in(struct message *m, size_t n) {
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, n, PBUF_RAM);
    if (!p)
        return ERR_PTR(-ENOBUFS);
    if (uio_read_from(m->uio, p->payload, n) == n)
        return p;
    pbuf_free(p);
    return ERR_PTR(-EFAULT);
}

ssize_t inet_send_whole(struct inet_socket *i, struct message *m, size_t n, struct inet_sending *to,
                        inet_send_fn send_locked) {
    int err = socket_take_error(&i->s);
    if (!err && READ_ONCE(i->s.shutdown) & SEND_SHUTDOWN)
        err = -EPIPE;
    if (err)
        return err;
    if (unlikely(m->flags & MSG_PROBE)) // all but the packet
        return n;
    struct pbuf *p = copy_in(m, n);
    if (IS_ERR(p))
        return PTR_ERR(p);
    inet_lock(i->s.net);
    err = send_locked(i, p, to);
    inet_unlock();
    pbuf_free(p);
    return err ? err : (ssize_t)n;
}
