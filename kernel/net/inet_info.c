// SPDX-License-Identifier: MIT
#include "net/inet_info.h"
#include "mm/slab.h"
#include "net/inet_parts.h"
#include "net/inet_raw.h"
#include "net/inet_tcp_direct.h"
#include "net/inet_tcp_urgent.h"
#include "net/packet.h"
#include "sched/user.h"

#define CHUNK 20 // in a piece of memory of about a page

struct chunk {
    struct chunk *next;
    unsigned int used;
    struct inet_info info[CHUNK];
};

struct inet_snapshot {
    struct user *user; // a reference
    struct chunk *first, *last;
    long pages; // on the user's account
    // Where inet_snapshot_at() was.
    struct chunk *at;
    unsigned long before; // it
};

// ---- memory

static struct inet_info *add(struct inet_snapshot *s) {
    if (!s->last || s->last->used == CHUNK) {
        if (!user_may_charge(s->user, USER_TEXT_PAGES, 1, READ_ONCE(limits.text_max)))
            return NULL;
        s->pages++;
        struct chunk *c = kmalloc(sizeof(*c));
        if (!c)
            return NULL;
        c->next = NULL;
        c->used = 0;
        if (s->last)
            s->last->next = c;
        else
            s->first = c;
        s->last = c;
    }
    struct inet_info *info = &s->last->info[s->last->used++];
    *info = (struct inet_info){.protocol = 0};
    return info;
}

void inet_snapshot_free(struct inet_snapshot *s) {
    if (!s)
        return;
    for (struct chunk *c = s->first, *next; c; c = next) {
        next = c->next;
        kfree(c);
    }
    user_uncharge(s->user, USER_TEXT_PAGES, s->pages);
    user_put(s->user);
    kfree(s);
}

const struct inet_info *inet_snapshot_at(const struct inet_snapshot *snapshot, unsigned long i) {
    struct inet_snapshot *s = (struct inet_snapshot *)snapshot;
    if (!s->at || i < s->before) {
        s->at = s->first;
        s->before = 0;
    }
    while (s->at && i - s->before >= s->at->used) {
        s->before += s->at->used;
        s->at = s->at->next;
    }
    return s->at ? &s->at->info[i - s->before] : NULL;
}

// ---- one socket

static const uint8_t states[] = {
    [CLOSED] = TCP_CLOSE,         [LISTEN] = TCP_LISTEN,           [SYN_SENT] = TCP_SYN_SENT,
    [SYN_RCVD] = TCP_SYN_RECV,    [ESTABLISHED] = TCP_ESTABLISHED, [FIN_WAIT_1] = TCP_FIN_WAIT1,
    [FIN_WAIT_2] = TCP_FIN_WAIT2, [CLOSE_WAIT] = TCP_CLOSE_WAIT,   [CLOSING] = TCP_CLOSING,
    [LAST_ACK] = TCP_LAST_ACK,    [TIME_WAIT] = TCP_TIME_WAIT,
};

static struct net_address address_of(const ip_addr_t *ip, bool six) {
    struct net_address a = {.family = six ? AF_INET6 : AF_INET};
    if (!six) {
        a.word[0] = ip4_addr_get_u32(ip_2_ip4(ip));
    } else if (ip_addr_isany(ip)) {
        return a;
    } else if (IP_IS_V4(ip)) {
        a.word[2] = PP_HTONL(0xffff);
        a.word[3] = ip4_addr_get_u32(ip_2_ip4(ip));
    } else {
        memcpy(a.bytes, ip_2_ip6(ip)->addr, sizeof(a.bytes));
    }
    return a;
}

static void fill_socket(struct inet_info *info, struct inet_socket *i) {
    struct socket *s = &i->s;
    info->uid = s->uid;
    info->ino = READ_ONCE(s->file) ? s->ino : 0;
    info->refs = (uint32_t)ref_read(&s->refs);
    info->rcvbuf = READ_ONCE(s->rcvbuf);
    info->sndbuf = READ_ONCE(s->sndbuf);
    info->wmem = (uint32_t)socket_bytes_underway(s);
    info->shutdown = (uint8_t)READ_ONCE(s->shutdown);
    info->rx = (uint32_t)(i->s.type == SOCK_STREAM ? inet_tcp_received(i) : READ_ONCE(i->rx_bytes));
    info->v6only = i->v6only;
    info->device = READ_ONCE(i->device);
    info->cookie = socket_get_cookie(s);
}

static bool is_six(const struct inet_socket *i, const ip_addr_t *ip) {
    return i ? i->s.family == AF_INET6 : !IP_IS_V4(ip);
}

static void fill_names(struct inet_info *info, const struct inet_socket *i, const ip_addr_t *local,
                       const ip_addr_t *remote) {
    bool six = is_six(i, local);
    info->local = address_of(local, six);
    if (remote)
        info->remote = address_of(remote, six);
    else
        info->remote.family = info->local.family;
}

// Milliseconds left of `ticks` slow ticks, `gone` of which have passed.
static uint32_t ms_left(unsigned int ticks, unsigned int gone) {
    return gone < ticks ? (ticks - gone) * TCP_SLOW_INTERVAL : 0;
}

static void fill_timer(struct inet_info *info, const struct tcp_pcb *p) {
    if (p->state == TIME_WAIT) {
        info->timer = 3;
        info->expires = ms_left(2 * TCP_MSL / TCP_SLOW_INTERVAL, tcp_ticks - p->tmr);
    } else if (p->persist_backoff) {
        info->timer = 4;
        info->expires = TCP_SLOW_INTERVAL;
    } else if (p->rtime >= 0 && p->unacked) {
        info->timer = 1;
        info->expires = ms_left((unsigned int)MAX(p->rto, 0), (unsigned int)p->rtime);
    } else if (p->so_options & SOF_KEEPALIVE && p->state == ESTABLISHED) {
        info->timer = 2;
        info->expires = ms_left(p->keep_idle / TCP_SLOW_INTERVAL, tcp_ticks - p->tmr);
    }
}

static bool add_tcp(struct inet_snapshot *s, const struct tcp_pcb *p) {
    struct inet_socket *i = p->callback_arg;
    struct inet_info *info = add(s);
    if (!info)
        return false;
    info->protocol = IPPROTO_TCP;
    info->state = states[p->state];
    info->local_port = p->local_port;
    info->refs = 1;
    if (i)
        fill_socket(info, i);
    if (p->state == LISTEN) {
        fill_names(info, i, &p->local_ip, NULL);
        info->rx = i ? i->accept_count : 0;
        info->tx = i ? i->s.backlog : 0;
        return true;
    }
    fill_names(info, i, &p->local_ip, &p->remote_ip);
    info->remote_port = p->remote_port;
    fill_timer(info, p);
    if (p->state == TIME_WAIT)
        return true;
    info->tx = (uint32_t)(inet_tcp_distance(p->lastack, p->snd_lbb) + (i ? inet_tcp_ahead(i) : 0));
    info->retransmits = p->nrtx;
    info->rto = (uint32_t)MAX(p->rto, 0) * TCP_SLOW_INTERVAL;
    info->rtt = (uint32_t)(p->sa >> 3) * TCP_SLOW_INTERVAL;
    info->mss = p->mss;
    info->cwnd = p->mss ? p->cwnd / p->mss : 0;
    info->ssthresh = p->mss ? p->ssthresh / p->mss : 0;
    info->window = p->rcv_wnd;
    info->snd_scale = p->snd_scale;
    info->rcv_scale = p->rcv_scale;
    return true;
}

static bool snapshot_tcp(struct inet_snapshot *s) {
    const struct tcp_pcb *p;
    unsigned int n;
    for (p = tcp_listen_pcbs.pcbs; p; p = p->next)
        if (!add_tcp(s, p))
            return false;
    inet_for_each_connection (p, n)
        if (!add_tcp(s, p))
            return false;
    for (p = tcp_tw_pcbs; p; p = p->next)
        if (!add_tcp(s, p))
            return false;
    return true;
}

static bool snapshot_udp(struct inet_snapshot *s, int protocol) {
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next) {
        struct inet_socket *i = p->recv_arg;
        if (!(p->flags & UDP_FLAGS_UDPLITE) != (protocol == IPPROTO_UDP))
            continue;
        struct inet_info *info = add(s);
        if (!info)
            return false;
        info->protocol = (uint8_t)protocol;
        info->state = p->flags & UDP_FLAGS_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSE;
        info->local_port = p->local_port;
        info->remote_port = p->remote_port;
        fill_names(info, i, &p->local_ip, &p->remote_ip);
        if (i)
            fill_socket(info, i);
    }
    return true;
}

// Raw sockets (INET_RAW), or the ping sockets of a protocol that have an identifier.
static bool snapshot_raw(struct inet_snapshot *s, int protocol) {
    for (struct inet_socket *i = inet_raw_next(NULL); i; i = inet_raw_next(i)) {
        bool ping = i->s.type == SOCK_DGRAM;
        if ((protocol == INET_RAW ? ping : !ping || i->s.protocol != protocol || !i->local_port))
            continue;
        struct inet_info *info = add(s);
        if (!info)
            return false;
        fill_socket(info, i);
        fill_names(info, i, &i->local, &i->remote);
        info->protocol = i->s.protocol;
        info->state = READ_ONCE(i->s.state) == SOCKET_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSE;
        info->local_port = i->local_port;
        info->remote_port = i->remote_port;
    }
    return true;
}

struct inet_snapshot *inet_snapshot_create(struct net_ns *net, int protocol) {
    struct inet_snapshot *s = kzalloc(sizeof(*s));
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->user = user_get(current->cred->user);
    inet_lock(net);
    bool is_udp = protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE;
    bool whole = protocol == IPPROTO_TCP ? snapshot_tcp(s)
                 : is_udp                ? snapshot_udp(s, protocol)
                                         : snapshot_raw(s, protocol);
    inet_unlock();
    if (whole)
        return s;
    inet_snapshot_free(s);
    return ERR_PTR(-ENOMEM);
}

// ---- numbers

const unsigned int inet_socket_size = sizeof(struct inet_socket);

static void count_tcp(struct inet_counts *n, const struct tcp_pcb *p) {
    const struct inet_socket *i = p->callback_arg;
    if (!i && p->state != LISTEN)
        n->tcp_orphans++;
    else if (is_six(i, &p->local_ip))
        n->tcp6++;
    else
        n->tcp++;
}

void inet_count(struct net_ns *net, struct inet_counts *out) {
    *out = (struct inet_counts){.tcp = 0};
    const struct tcp_pcb *p;
    unsigned int n;
    inet_lock(net);
    for (p = tcp_listen_pcbs.pcbs; p; p = p->next)
        count_tcp(out, p);
    inet_for_each_connection (p, n)
        count_tcp(out, p);
    for (p = tcp_tw_pcbs; p; p = p->next)
        out->tcp_time_wait++;
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
        *(is_six(p->recv_arg, &p->local_ip) ? &out->udp6 : &out->udp) += 1;
    for (const struct inet_socket *i = inet_raw_next(NULL); i; i = inet_raw_next(i))
        *(i->s.family == AF_INET6 ? &out->raw6 : &out->raw) += 1;
    inet_unlock();
}

void inet_statistics(struct net_ns *net, struct inet_statistics *out) {
    inet_lock(net);
    const struct stats_mib2 *m = &lwip_stats.mib2;
    *out = (struct inet_statistics){.ip_in = m->ipinreceives,
                                    .ip_header_errors = m->ipinhdrerrors,
                                    .ip_address_errors = m->ipinaddrerrors,
                                    .ip_unknown_protocols = m->ipinunknownprotos,
                                    .ip_discarded = m->ipindiscards,
                                    .ip_delivered = m->ipindelivers,
                                    .ip_out = m->ipoutrequests,
                                    .ip_out_discarded = m->ipoutdiscards,
                                    .ip_no_route = m->ipoutnoroutes,
                                    .icmp_in = m->icmpinmsgs,
                                    .icmp_in_errors = m->icmpinerrors,
                                    .icmp_in_unreachable = m->icmpindestunreachs,
                                    .icmp_in_echo = m->icmpinechos,
                                    .icmp_in_echo_reply = m->icmpinechoreps,
                                    .icmp_out = m->icmpoutmsgs,
                                    .icmp_out_errors = m->icmpouterrors,
                                    .icmp_out_unreachable = m->icmpoutdestunreachs,
                                    .icmp_out_echo = m->icmpoutechos,
                                    .icmp_out_echo_reply = m->icmpoutechoreps,
                                    .tcp_active = m->tcpactiveopens,
                                    .tcp_passive = m->tcppassiveopens,
                                    .tcp_failed = m->tcpattemptfails,
                                    .tcp_reset = m->tcpestabresets,
                                    .tcp_in = m->tcpinsegs,
                                    .tcp_out = m->tcpoutsegs,
                                    .tcp_again = m->tcpretranssegs,
                                    .tcp_errors = m->tcpinerrs,
                                    .tcp_resets_sent = m->tcpoutrsts,
                                    .udp_in = m->udpindatagrams,
                                    .udp_no_port = m->udpnoports,
                                    .udp_errors = m->udpinerrors,
                                    .udp_out = m->udpoutdatagrams,
                                    .ip6_in = lwip_stats.ip6.recv,
                                    .ip6_out = lwip_stats.ip6.xmit,
                                    .ip6_dropped = lwip_stats.ip6.drop};
    const struct tcp_pcb *p;
    unsigned int n;
    inet_for_each_connection (p, n)
        out->tcp_established += p->state == ESTABLISHED || p->state == CLOSE_WAIT;
    inet_unlock();
}
