// SPDX-License-Identifier: MIT
// Raw sockets hear every packet of their protocol, with its header if it is IPv4's, beside whoever else does; and they write what
// comes behind the header, or (IP_HDRINCL) that as well. Ping sockets are datagrams of ICMP for everybody in net.ipv4.ping_group_range:
// they send questions, whose number is their port, and hear the answers to these.
#include "net/inet_raw.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "core/panic.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/inet_datagram.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/icmpv6.h>

#define RAW_MOST     65535u // bytes of a packet, header and all
#define ECHO_LEN     8u     // of its header
#define SOL_RAW      255
#define ICMP_FILTER  1   // whose header wants a C library
#define ANY_PROTOCOL 255 // IPPROTO_RAW: sends with headers of its own

static struct list_head all __net_state = LIST_HEAD_INIT(all); // by raw_link
static unsigned int raw_count __net_state;                     // of these: no ping sockets

static bool is_ping(const struct inet_socket *i) {
    return i->s.type == SOCK_DGRAM;
}

void inet_raw_for_each(void (*fn)(struct inet_socket *i, void *arg), void *arg) {
    struct inet_socket *i;
    ASSERT_HELD(&inet_mutex);
    list_for_each_entry (i, &all, raw_link)
        fn(i, arg);
}

// ---- life

static bool in_range(gid_t gid) {
    const unsigned long *range = net_current()->settings.ping_groups;
    return gid >= READ_ONCE(range[0]) && gid <= READ_ONCE(range[1]);
}

int inet_raw_check(int type) {
    const struct cred *c = current->cred;
    if (type == SOCK_RAW)
        return net_capable(net_current(), CAP_NET_RAW) ? 0 : -EPERM;
    if (in_range(c->egid))
        return 0;
    for (unsigned int n = 0; c->groups && n < c->groups->count; n++)
        if (in_range(c->groups->gid[n]))
            return 0;
    return -EACCES;
}

// Is it filtered away (ICMP_FILTER, ICMP6_FILTER)?
static bool is_filtered(const struct inet_socket *i, uint8_t type) {
    if (i->s.protocol == IPPROTO_ICMP && i->s.family == AF_INET)
        return type < 32 && i->icmp_filter[0] >> type & 1;
    return i->s.protocol == IPPROTO_ICMPV6 && i->icmp_filter[type / 32] >> type % 32 & 1;
}

// An answer to what this ping socket asked?
static bool is_answer(const struct inet_socket *i, const struct pbuf *p, size_t at) {
    uint8_t h[ECHO_LEN];
    bool six = i->s.family == AF_INET6;
    return pbuf_copy_partial(p, h, sizeof(h), at) == sizeof(h) && i->local_port &&
           h[0] == (six ? ICMPV6_ECHO_REPLY : ICMP_ER) && (h[4] << 8 | h[5]) == i->local_port;
}

// A packet with its headers; others will look at it, too, so what is kept is a copy.
static u8_t on_packet(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from) {
    struct inet_socket *i = arg;
    size_t header = ip_current_header_tot_len();
    (void)pcb;
    if (is_ping(i) ? !is_answer(i, p, header) : is_filtered(i, pbuf_get_at(p, header)))
        return 0;
    size_t skip = is_ping(i) || i->s.family == AF_INET6 ? header : 0;
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, p->tot_len - skip, PBUF_RAM);
    if (!copy)
        return 0;
    pbuf_copy_partial(p, copy->payload, p->tot_len - skip, skip);
    inet_datagram_arrived(i, copy, from, 0);
    return 0;
}

int inet_raw_create(struct inet_socket *i) {
    bool six = i->s.family == AF_INET6;
    inet_lock(i->s.net);
    int err = inet_listen_for_errors();
    i->raw = err ? NULL : raw_new_ip_type(six ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4, i->s.protocol);
    if (i->raw) {
        raw_recv(i->raw, on_packet, i);
        i->raw->chksum_reqd = six && i->s.protocol == IPPROTO_ICMPV6;
        i->raw->chksum_offset = 2;
        list_add_tail(&i->raw_link, &all);
        raw_count += !is_ping(i);
        if (!is_ping(i))
            i->local_port = i->s.protocol; // as Linux tells it
        inet_put_switch(i, IN_HDRINCL, !six && !is_ping(i) && i->s.protocol == ANY_PROTOCOL);
        inet_apply_options(i);
    } else if (!err) {
        err = -ENOBUFS;
    }
    inet_unlock();
    return err;
}

struct inet_socket *inet_raw_next(const struct inet_socket *i) {
    const struct list_head *next = i ? i->raw_link.next : all.next;
    return next == &all ? NULL : list_entry(next, struct inet_socket, raw_link);
}

bool inet_raw_hears(void) {
    ASSERT_HELD(&inet_mutex);
    return raw_count;
}

static void raw_release(struct socket *s) {
    struct inet_socket *i = to_inet(s);
    inet_lock(s->net);
    if (i->raw)
        raw_remove(i->raw);
    i->raw = NULL;
    list_del(&i->raw_link);
    raw_count -= !is_ping(i);
    inet_leave_groups(i);
    inet_unlock();
    inet_datagrams_drop(i);
}

// ---- names

struct search {
    const struct inet_socket *i;
    uint16_t number;
    bool taken;
};

static void compare(struct inet_socket *i, void *arg) {
    struct search *s = arg;
    s->taken |= i != s->i && is_ping(i) && i->s.family == s->i->s.family && i->local_port == s->number;
}

static bool number_is_taken(const struct inet_socket *i, uint16_t number) {
    struct search s = {i, number, false};
    inet_raw_for_each(compare, &s);
    return s.taken;
}

// The number of a ping socket's questions; 0: any.
static int take_number(struct inet_socket *i, uint16_t number) {
    ASSERT_HELD(&inet_mutex);
    for (int tries = 0; !number && tries < 65536; tries++) {
        uint16_t n = inet_random();
        if (n && !number_is_taken(i, n))
            number = n;
    }
    if (!number || number_is_taken(i, number))
        return -EADDRINUSE;
    i->local_port = number;
    return 0;
}

static int bind_locked(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    int err = 0;
    if (is_ping(i))
        err = i->local_port ? -EINVAL : take_number(i, port);
    if (!err)
        err = inet_errno(raw_bind(i->raw, ip));
    if (!err)
        i->local = *ip;
    return err;
}

static int raw_socket_bind(struct socket *s, const struct socket_address *a) {
    return inet_bind(to_inet(s), a, bind_locked);
}

static int raw_socket_connect(struct socket *s, const struct socket_address *a, ktime_t deadline) {
    struct inet_socket *i = to_inet(s);
    ip_addr_t ip;
    uint16_t port;
    (void)deadline;
    if (a->len < (int)sizeof(a->family))
        return -EINVAL;
    if (a->family == AF_UNSPEC) {
        inet_lock(s->net);
        raw_disconnect(i->raw);
        i->remote_port = 0;
        inet_set_state(s, SOCKET_UNCONNECTED);
        inet_unlock();
        return 0;
    }
    int err = inet_read_address(i, a, &ip, &port);
    if (!err)
        err = inet_route(i, &ip, false);
    if (err)
        return err;
    inet_lock(s->net);
    if (is_ping(i) && !i->local_port)
        err = take_number(i, 0);
    if (!err)
        err = inet_errno(raw_connect(i->raw, &ip));
    if (!err) {
        i->remote = ip;
        i->remote_port = port;
        inet_set_state(s, SOCKET_CONNECTED);
    }
    inet_unlock();
    return err;
}

// ---- sending

// A question, with the socket's number and the sum.
static int make_question(struct inet_socket *i, struct pbuf *p) {
    uint8_t *h = p->payload;
    bool six = i->s.family == AF_INET6;
    ASSERT_HELD(&inet_mutex);
    if (h[0] != (six ? ICMPV6_ECHO_REQUEST : ICMP_ECHO) || h[1])
        return -EINVAL;
    int err = i->local_port ? 0 : take_number(i, 0);
    if (err)
        return err;
    h[2] = h[3] = 0;
    h[4] = i->local_port >> 8;
    h[5] = i->local_port & 255;
    uint16_t sum = six ? 0 : inet_chksum(h, p->len); // that of IPv6 is made with the header's
    memcpy(h + 2, &sum, sizeof(sum));
    return 0;
}

// What the kernel fills in of a header of the program's own.
static int complete_header(struct pbuf *p, struct inet_sending *to) {
    struct ip_hdr *h = p->payload;
    if (p->len < IP_HLEN || IPH_V(h) != 4 || IPH_HL_BYTES(h) < IP_HLEN || IPH_HL_BYTES(h) > p->len)
        return -EINVAL;
    IPH_LEN_SET(h, lwip_htons(p->tot_len));
    if (!IPH_ID(h))
        IPH_ID_SET(h, (u16_t)inet_random());
    if (!h->src.addr)
        h->src.addr = ip4_addr_get_u32(ip_2_ip4(&to->from));
    IPH_CHKSUM_SET(h, 0);
    IPH_CHKSUM_SET(h, inet_chksum(h, IPH_HL_BYTES(h)));
    return 0;
}

static int send_locked(struct inet_socket *i, struct pbuf *p, struct inet_sending *to) {
    ASSERT_HELD(&inet_mutex);
    bool header = inet_switch_is_on(i, IN_HDRINCL);
    int err = is_ping(i) ? make_question(i, p) : header ? complete_header(p, to) : 0;
    if (err)
        return err;
    if (i->raw->chksum_reqd && p->len < i->raw->chksum_offset + 2)
        return -EINVAL;
    if (i->raw->chksum_reqd) // what the program wrote there is nothing
        memset((char *)p->payload + i->raw->chksum_offset, 0, 2);
    i->raw->ttl = to->ttl;
    i->raw->tos = to->tos;
    raw_set_flags(i->raw, header ? RAW_FLAGS_HDRINCL : 0);
    if (!header)
        raw_clear_flags(i->raw, RAW_FLAGS_HDRINCL);
    return inet_errno(raw_sendto_if_src(i->raw, p, &to->to, to->netif, &to->from));
}

static ssize_t raw_socket_send(struct socket *s, struct message *m) {
    struct inet_socket *i = to_inet(s);
    size_t n = m->uio->resid, header = s->family == AF_INET6 ? IP6_HLEN : IP_HLEN;
    struct inet_sending to;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (n > RAW_MOST - (inet_switch_is_on(i, IN_HDRINCL) ? 0 : header))
        return -EMSGSIZE;
    if (is_ping(i) && n < ECHO_LEN)
        return -EINVAL;
    int err = inet_prepare(i, m, &to);
    if (!err && IP_IS_V6(&to.to) != (s->family == AF_INET6))
        err = -ENETUNREACH;
    return err ? err : inet_send_whole(i, m, n, &to, send_locked);
}

// ---- options

// Of what it has of a filter, and which words.
static bool is_filter(const struct inet_socket *i, int level, int option) {
    if (is_ping(i))
        return false;
    return i->s.family == AF_INET
               ? i->s.protocol == IPPROTO_ICMP && level == SOL_RAW && option == ICMP_FILTER
               : i->s.protocol == IPPROTO_ICMPV6 && level == IPPROTO_ICMPV6 && option == ICMPV6_FILTER;
}

static bool is_checksum(const struct inet_socket *i, int level, int option) {
    return !is_ping(i) && i->s.family == AF_INET6 && (level == SOL_IPV6 || level == SOL_RAW) &&
           option == IPV6_CHECKSUM;
}

// Where the sum goes that the kernel makes; -1: nowhere. On a socket of ICMP that may be said at level SOL_RAW alone.
static int set_checksum(struct inet_socket *i, int level, const void __user *value, int len) {
    int offset;
    if (len < (int)sizeof(offset))
        return -EINVAL;
    int err = get_user(offset, (const int __user *)value);
    if (err)
        return err;
    if (i->s.protocol == IPPROTO_ICMPV6 && level == SOL_IPV6)
        return -EINVAL;
    if (offset >= 0 && (offset & 1 || offset > (int)RAW_MOST))
        return -EINVAL;
    inet_lock(i->s.net);
    i->raw->chksum_reqd = offset >= 0;
    i->raw->chksum_offset = offset >= 0 ? offset : 0;
    inet_unlock();
    return 0;
}

int inet_raw_set_option(struct inet_socket *i, int level, int option, const void __user *value, int len) {
    uint32_t filter[8];
    if (is_checksum(i, level, option))
        return set_checksum(i, level, value, len);
    if (!is_filter(i, level, option))
        return -ENOPROTOOPT;
    size_t size = i->s.family == AF_INET ? sizeof(filter[0]) : sizeof(filter);
    memcpy(filter, i->icmp_filter, sizeof(filter));
    int err = copy_from_user(filter, value, MIN((size_t)len, size));
    if (err)
        return err;
    inet_lock(i->s.net);
    memcpy(i->icmp_filter, filter, sizeof(filter));
    inet_unlock();
    return 0;
}

int inet_raw_get_option(struct inet_socket *i, int level, int option, void __user *value,
                        int __user *user_len) {
    uint32_t out[8];
    int len;
    bool sum = is_checksum(i, level, option);
    if (!sum && !is_filter(i, level, option))
        return -ENOPROTOOPT;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    inet_lock(i->s.net);
    memcpy(out, i->icmp_filter, sizeof(out));
    if (sum)
        out[0] = i->raw->chksum_reqd ? i->raw->chksum_offset : -1u;
    inet_unlock();
    len = MIN(len, (int)(sum || i->s.family == AF_INET ? sizeof(out[0]) : sizeof(out)));
    err = copy_to_user(value, out, len);
    return err ? err : put_user(len, user_len);
}

const struct socket_ops inet_raw_ops = {
    .bind = raw_socket_bind,
    .connect = raw_socket_connect,
    .name = inet_name,
    .send = raw_socket_send,
    .recv = inet_datagram_recv,
    .poll = inet_datagram_poll,
    .shutdown = inet_datagram_shutdown,
    .set_option = inet_set_option,
    .get_option = inet_get_option,
    .option_changed = inet_option_changed,
    .ioctl = inet_ioctl,
    .release = raw_release,
    .free = inet_free_socket,
};
