// SPDX-License-Identifier: MIT
// Messages of ICMP that tell what became of a packet (icmp(7), ip(7) IP_RECVERR). A raw pcb of ours for each family hears them, and
// gives them to the sockets that sent the packet: a connected one gets the error if it is final, one that asked for it all
// of them, with the packet.
#include "core/panic.h"
#include "lib/string.h"
#include "net/inet_datagram.h"
#include "net/inet_parts.h"
#include "net/inet_raw.h"
#include "net/inet_tcp.h"
#include "net/lwip/hooks.h"
#include <linux/icmpv6.h>

// What a message about one of our packets says.
struct verdict {
    struct inet_error error;
    bool final;
    uint8_t protocol;
    uint16_t from_port, to_port; // or the number of an echo, in both
    uint32_t sequence;           // of TCP
    bool six;
};

// ---- what types and codes mean

struct meaning {
    uint8_t err;
    bool final;
};

static const struct meaning unreachable4[] = {
    {ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
    {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
    {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
    {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true},
};
static const struct meaning unreachable6[] = {
    {ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
    {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true},
};

// err 0: it is about no packet.
static struct meaning meaning4(uint8_t type, uint8_t code) {
    switch (type) {
    case ICMP_DUR:
        return code < ARRAY_SIZE(unreachable4) ? unreachable4[code] : (struct meaning){EHOSTUNREACH, false};
    case ICMP_TE:
        return (struct meaning){EHOSTUNREACH, false};
    case ICMP_PP:
        return (struct meaning){EPROTO, true};
    default:
        return (struct meaning){0, false};
    }
}

static struct meaning meaning6(uint8_t type, uint8_t code) {
    switch (type) {
    case ICMPV6_DEST_UNREACH:
        return code < ARRAY_SIZE(unreachable6) ? unreachable6[code] : (struct meaning){EPROTO, true};
    case ICMPV6_PKT_TOOBIG:
        return (struct meaning){EMSGSIZE, false};
    case ICMPV6_TIME_EXCEED:
        return (struct meaning){EHOSTUNREACH, false};
    case ICMPV6_PARAMPROB:
        return (struct meaning){EPROTO, true};
    default:
        return (struct meaning){0, false};
    }
}

// ---- whose packet it was

// Of the pcbs of UDP: one that is connected to there, or not at all and wants to know.
static struct inet_socket *find_udp(const struct verdict *v) {
    for (struct udp_pcb *p = udp_pcbs; p; p = p->next) {
        struct inet_socket *i = p->recv_arg;
        if (!i || p->local_port != v->from_port)
            continue;
        bool connected = p->flags & UDP_FLAGS_CONNECTED;
        if (connected ? p->remote_port == v->to_port && ip_addr_eq(&p->remote_ip, &v->error.to)
                      : inet_switch_is_on(i, v->six ? IN_RECVERR6 : IN_RECVERR))
            return i;
    }
    return NULL;
}

// Takes over the rest of the packet, which may be NULL.
static void tell(struct inet_socket *i, const struct verdict *v, struct pbuf *about) {
    if (about && inet_switch_is_on(i, v->six ? IN_RECVERR6 : IN_RECVERR)) {
        inet_report(i, &v->error, about);
        return;
    }
    if (about)
        pbuf_free(about);
    if (v->final && READ_ONCE(i->s.state) == SOCKET_CONNECTED)
        socket_set_error(&i->s, (int)v->error.e.ee_errno);
}

// What lies from `offset` on, in a buffer of its own. NULL: no memory.
static struct pbuf *rest_of(struct pbuf *p, size_t offset) {
    size_t n = p->tot_len > offset ? p->tot_len - offset : 0;
    struct pbuf *rest = pbuf_alloc(PBUF_RAW, n, PBUF_RAM);
    if (rest && n)
        pbuf_copy_partial(p, rest->payload, n, offset);
    return rest;
}

// A connection that is being made fails; one that is there goes on, as on Linux.
static void tell_tcp(const struct verdict *v) {
    inet_part_for(&v->error.to, v->to_port, v->from_port);
    for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
        if (p->state != SYN_SENT || p->local_port != v->from_port || p->remote_port != v->to_port ||
            !ip_addr_eq(&p->remote_ip, &v->error.to) ||
            !TCP_SEQ_BETWEEN(v->sequence, p->lastack, p->snd_nxt) || v->error.e.ee_errno == EMSGSIZE)
            continue;
        inet_tcp_fail(p, (int)v->error.e.ee_errno);
        return;
    }
}

struct telling {
    const struct verdict *v;
    struct pbuf *p;
    size_t inner, body; // offsets of the packet's header, and of what lies behind that
};

static void tell_raw(struct inet_socket *i, void *arg) {
    const struct telling *t = arg;
    bool ping = i->s.type == SOCK_DGRAM;
    if (i->s.protocol != t->v->protocol || (i->s.family == AF_INET6) != t->v->six ||
        (ping && i->local_port != t->v->from_port))
        return;
    tell(i, t->v, rest_of(t->p, ping || t->v->six ? t->body : t->inner));
}

static void dispatch(struct pbuf *p, struct verdict *v, size_t inner, size_t body) {
    struct telling t = {v, p, inner, body};
    if (v->protocol == IP_PROTO_TCP)
        tell_tcp(v);
    if (v->protocol == IP_PROTO_UDP || v->protocol == IP_PROTO_UDPLITE) {
        v->error.port = v->to_port;
        struct inet_socket *i = find_udp(v);
        if (i)
            tell(i, v, rest_of(p, body + UDP_HLEN));
    }
    inet_raw_for_each(tell_raw, &t);
}

// Both ports, or of an echo its number.
static void read_ports(struct verdict *v, const uint8_t *h) {
    bool echo = v->protocol == IP_PROTO_ICMP || v->protocol == IP6_NEXTH_ICMP6;
    v->from_port = echo ? h[4] << 8 | h[5] : h[0] << 8 | h[1];
    v->to_port = h[2] << 8 | h[3];
    v->sequence = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
}

// ---- what lwIP gives: all of ICMP, with its headers. Never eats it.

static u8_t on_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from) {
    uint8_t h[IP_HLEN_MAX + 8 + IP_HLEN_MAX + 8];
    struct verdict v = {.error.offender = *from};
    (void)arg, (void)pcb;
    size_t n = pbuf_copy_partial(p, h, sizeof(h), 0), at = (h[0] & 15) * 4 + 8;
    if (n < at + IP_HLEN + 8)
        return 0;
    size_t inner = at + (h[at] & 15) * 4;
    struct meaning what = meaning4(h[at - 8], h[at - 7]);
    if (!what.err || n < inner + 8)
        return 0;
    v.error.e = (struct sock_extended_err){
        .ee_errno = what.err, .ee_origin = SO_EE_ORIGIN_ICMP, .ee_type = h[at - 8], .ee_code = h[at - 7]};
    v.final = what.final;
    v.protocol = h[at + 9];
    uint32_t word;
    memcpy(&word, h + at + 16, sizeof(word));
    ip_addr_set_ip4_u32_val(v.error.to, word);
    read_ports(&v, h + inner);
    dispatch(p, &v, at, inner);
    return 0;
}

static u8_t on_icmp6(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from) {
    enum { OUTER = IP6_HLEN + 8, INNER = OUTER + IP6_HLEN };
    uint8_t h[INNER + 8];
    struct verdict v = {.error.offender = *from, .six = true};
    uint32_t w[4];
    (void)arg, (void)pcb;
    if (pbuf_copy_partial(p, h, sizeof(h), 0) < sizeof(h) || h[6] != IP6_NEXTH_ICMP6)
        return 0;
    struct meaning what = meaning6(h[IP6_HLEN], h[IP6_HLEN + 1]);
    if (!what.err)
        return 0;
    v.error.e = (struct sock_extended_err){.ee_errno = what.err,
                                           .ee_origin = SO_EE_ORIGIN_ICMP6,
                                           .ee_type = h[IP6_HLEN],
                                           .ee_code = h[IP6_HLEN + 1]};
    v.final = what.final;
    v.protocol = h[OUTER + 6];
    memcpy(w, h + OUTER + 24, sizeof(w));
    IP_ADDR6(&v.error.to, w[0], w[1], w[2], w[3]);
    read_ports(&v, h + INNER);
    dispatch(p, &v, OUTER, INNER);
    return 0;
}

// ---- telling others

#define QUOTED_MOST 548u // bytes of a packet that go back with the message

void inet_port_unreachable(int six, struct pbuf *p) {
    struct {
        uint8_t type, code;
        uint16_t sum;
        uint32_t unused;
    } h = {ICMP_DUR, ICMP_DUR_PORT, 0, 0};
    size_t n = MIN((size_t)p->tot_len, (size_t)QUOTED_MOST);
    if (six) {
        icmp6_dest_unreach(p, ICMP6_DUR_PORT);
        return;
    }
    struct pbuf *q = pbuf_alloc(PBUF_IP, sizeof(h) + n, PBUF_RAM);
    if (!q)
        return;
    memcpy(q->payload, &h, sizeof(h));
    pbuf_copy_partial(p, (char *)q->payload + sizeof(h), n, 0);
    h.sum = inet_chksum(q->payload, q->len);
    memcpy(q->payload, &h, sizeof(h));
    ip4_output_if(q, NULL, ip4_current_src_addr(), ICMP_TTL, 0, IP_PROTO_ICMP, ip_current_input_netif());
    pbuf_free(q);
}

static struct raw_pcb *icmp __net_state, *icmp6 __net_state;

int inet_listen_for_errors(void) {
    ASSERT_HELD(&inet_mutex);
    if (!icmp && (icmp = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP)))
        raw_recv(icmp, on_icmp, NULL);
    if (!icmp6 && (icmp6 = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6)))
        raw_recv(icmp6, on_icmp6, NULL);
    return icmp && icmp6 ? 0 : -ENOBUFS;
}

void inet_listen_end(void) {
    ASSERT_HELD(&inet_mutex);
    if (icmp)
        raw_remove(icmp);
    if (icmp6)
        raw_remove(icmp6);
    icmp = icmp6 = NULL;
}
