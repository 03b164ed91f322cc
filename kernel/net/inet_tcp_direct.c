// SPDX-License-Identifier: MIT
// TCP between two sockets of this machine: what one writes is hung into the other's chain, in the writer's call.
//
// Both pcbs are left as if a segment had carried the data and its acknowledgement had come back, all at once. So whatever else
// happens between the two (urgent data, what TCP_CORK holds back, FINs, resets) goes by lwIP, in segments, and finds the numbers that it
// expects; and for data that is underway in segments the direct way waits: a look at the two pcbs tells.
//
// Windows hold. Only, what there is room for in the sender's buffer and not in the receiver's window does not wait at the sender:
// the receiver has it already, and counts it (`ahead`) as the sender's. SIOCOUTQ and poll(2) of the sender, FIONREAD of the receiver, and the
// window, which stays shut until these bytes have been read, tell what they would tell on a network.
#include "net/inet_tcp_direct.h"
#include "net/device.h"
#include "net/inet_memory.h"
#include "net/inet_parts.h"
#include "net/inet_raw.h"
#include "net/loopback.h"
#include "net/route.h"
#include "mm/page.h"

// Of the window, for what does not go directly: a FIN, an urgent byte.
#define WINDOW_KEPT 64u

// ---- who is at the other end

static bool is_here(const ip_addr_t *ip) {
    ip_addr_t from = *ip; // which is known, and is not asked for
    const struct netif *n = inet_find_netif(ip, &from, 0);
    return n && n == loopback_device.stack;
}

static struct inet_socket *find_other_end(const struct tcp_pcb *p) {
    struct tcp_pcb *q;
    inet_part_for(&p->local_ip, p->local_port, p->remote_port);
    for (q = tcp_active_pcbs; q; q = q->next)
        if (q->local_port == p->remote_port && q->remote_port == p->local_port &&
            ip_addr_eq(&q->local_ip, &p->remote_ip) && ip_addr_eq(&q->remote_ip, &p->local_ip))
            break;
    struct inet_socket *i = q ? q->callback_arg : NULL;
    return i && i->tcp == q ? i : NULL; // not the listener of one that is being made
}

void inet_tcp_direct_end(struct inet_socket *i) {
    if (!i->peer)
        return;
    i->peer->peer = NULL;
    i->peer = NULL;
}

// Looks for it, once for each state that the routes are in. What is ahead is on its sender's account only while the two are linked: so who had
// no room may have some where they are no longer, and be told of nothing else.
static void look(struct inet_socket *i) {
    struct inet_socket *peer = NULL, *before = i->peer;
    if (is_here(&i->tcp->remote_ip) && is_here(&i->tcp->local_ip))
        peer = find_other_end(i->tcp);
    if (peer == i) // connected to itself
        peer = NULL;
    inet_tcp_direct_end(i);
    i->looked_in = net_route_round_locked();
    i->looked = true;
    if (peer) {
        inet_tcp_direct_end(peer);
        peer->looked_in = i->looked_in;
        peer->looked = true;
        peer->peer = i;
        i->peer = peer;
    }
    inet_tcp_room(i);
    inet_tcp_room(before);
}

void inet_tcp_direct_begin(struct inet_socket *i) {
    i->looked = false;
    i->ahead = 0;
}

// Both go on, and what p has sent has reached q.
static bool are_level(const struct tcp_pcb *p, const struct tcp_pcb *q) {
    bool open = (p->state == ESTABLISHED && q->state == ESTABLISHED) ||
                (p->state == CLOSE_WAIT && q->state == FIN_WAIT_2);
    return open && !p->unsent && !p->unacked && p->snd_lbb == p->snd_nxt && p->lastack == p->snd_nxt &&
           p->snd_nxt == q->rcv_nxt && !q->ooseq && !q->refused_data;
}

// A device that it is bound to, or an end that wants to see how far the other one is, are for segments.
static bool is_plain(const struct inet_socket *i) {
    int device = READ_ONCE(i->device);
    return likely((!device || device == LO_INDEX) && !(i->min_ttl | i->min_hops));
}

struct inet_socket *inet_tcp_direct(struct inet_socket *i) {
    ASSERT_HELD(&inet_mutex);
    if (!i->tcp)
        return NULL;
    if (unlikely(!i->looked || i->looked_in != net_route_round_locked()))
        look(i);
    struct inet_socket *to = i->peer;
    if (!to || !are_level(i->tcp, to->tcp) || !is_plain(i) || !is_plain(to))
        return NULL;
    return likely(net_device_is_up(&loopback_device) && loopback_is_perfect() && !inet_raw_hears()) ? to
                                                                                                    : NULL;
}

// ---- buffers

struct pbuf *inet_tcp_direct_alloc(size_t len) {
    return pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
}

static void return_pages(struct pbuf *p) {
    unsigned long from = (unsigned long)p->payload & ~PAGE_MASK, to = (unsigned long)p->payload + p->len;
    for (; from < to; from += PAGE_SIZE)
        page_put(phys_to_page(virt_to_phys((void *)from)));
    inet_free(p);
}

// The rest of u's segment, or its next `len` bytes.
static struct pbuf *lend_run(struct uio *u, size_t len) {
    char *data = (char *)u->seg->kernel + u->offset;
    unsigned long from = (unsigned long)data & ~PAGE_MASK;
    size_t n = MIN(len, u->seg->len - u->offset);
    size_t pages = ((unsigned long)data + n - from + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct pbuf_custom *c = inet_malloc_beside(sizeof(*c), pages << PAGE_SHIFT);
    if (!c)
        return NULL;
    for (size_t i = 0; i < pages; i++)
        page_get(phys_to_page(virt_to_phys((void *)(from + (i << PAGE_SHIFT)))));
    c->custom_free_function = return_pages;
    u->offset += n;
    u->resid -= n;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)n, PBUF_REF, c, data, (u16_t)n);
}

struct pbuf *inet_tcp_direct_lend(struct uio *u, size_t len) {
    struct pbuf *first = NULL, **end = &first, *p;
    size_t all = 0;
    for (len = MIN(len, u->resid); all < len && (p = lend_run(u, len - all)); end = &p->next) {
        all += p->len;
        *end = p;
        for (; u->nseg > 1 && u->offset == u->seg->len; u->nseg--, u->seg++)
            u->offset = 0;
    }
    if (first)
        first->tot_len = (u16_t)all;
    return first;
}

// ---- data

// What p may send is what q's window is.
static void tell_window(struct tcp_pcb *p, struct tcp_pcb *q) {
    q->rcv_ann_wnd = q->rcv_wnd;
    q->rcv_ann_right_edge = q->rcv_nxt + q->rcv_wnd;
    p->snd_wnd = q->rcv_wnd >> q->rcv_scale << q->rcv_scale;
    p->snd_wnd_max = MAX(p->snd_wnd_max, p->snd_wnd);
    p->snd_wl1 = q->snd_nxt;
    p->snd_wl2 = p->lastack;
    p->tmr = q->tmr = tcp_ticks; // both have heard of each other
    p->keep_cnt_sent = q->keep_cnt_sent = 0;
}

// As one segment of n bytes.
static void count(const struct tcp_pcb *p, size_t n) {
    bool six = IP_IS_V6(&p->remote_ip);
    size_t frame = n + TCP_HLEN + (six ? IP6_HLEN : IP_HLEN);
    loopback_device.tx_packets++;
    loopback_device.tx_bytes += frame;
    loopback_device.rx_packets++;
    loopback_device.rx_bytes += frame;
    MIB2_STATS_INC(mib2.tcpoutsegs);
    MIB2_STATS_INC(mib2.tcpinsegs);
    if (six) {
        IP6_STATS_INC(ip6.xmit);
        IP6_STATS_INC(ip6.recv);
        return;
    }
    MIB2_STATS_INC(mib2.ipoutrequests);
    MIB2_STATS_INC(mib2.ipinreceives);
    MIB2_STATS_INC(mib2.ipindelivers);
}

void inet_tcp_direct_give(struct inet_socket *i, struct inet_socket *to, struct pbuf *data) {
    struct tcp_pcb *p = i->tcp, *q = to->tcp;
    size_t n = data->tot_len, shut = to->window_debt + WINDOW_KEPT;
    size_t inside = MIN(n, q->rcv_wnd > shut ? q->rcv_wnd - shut : 0);
    ASSERT_HELD(&inet_mutex);
    WRITE_ONCE(to->ahead, to->ahead + (n - inside));
    q->rcv_wnd -= inside;
    q->rcv_nxt += n;
    p->snd_lbb = p->snd_nxt = p->lastack = q->rcv_nxt;
    tell_window(p, q);
    count(p, n);
    i->bytes_sent += n;
    inet_tcp_stop_deferring(to);
    inet_tcp_arrived(to, data);
}

size_t inet_tcp_direct_read(struct inet_socket *i, size_t n) {
    size_t read = MIN(n, i->ahead);
    if (likely(!read))
        return 0;
    WRITE_ONCE(i->ahead, i->ahead - read);
    inet_tcp_room(i->peer);
    return read;
}

bool inet_tcp_direct_open(struct inet_socket *i, size_t n) {
    struct inet_socket *from = i->peer;
    if (!from || inet_tcp_direct(from) != i)
        return false;
    i->tcp->rcv_wnd = MIN(i->tcp->rcv_wnd + n, TCP_WND_MAX(i->tcp));
    tell_window(from->tcp, i->tcp);
    return true;
}
