// SPDX-License-Identifier: MIT
// TCP: two ends that connect to each other at the same moment (RFC 9293, 3.5), or one to itself. lwIP does not hear a SYN while it waits
// for the answer to its own.
//
// The pcb stays in SYN_SENT: its SYN, which is sent again until it is answered, becomes one that acknowledges the other's. The other's
// of that kind makes the connection as any answer to a SYN does. If that one is lost, all that comes is an acknowledgement.
#include "net/inet_tcp.h"

static void answer(struct tcp_pcb *p, uint32_t seq) {
    struct tcp_seg *syn = p->unacked ? p->unacked : p->unsent;
    if (!syn)
        return;
    p->rcv_nxt = seq + 1;
    p->rcv_ann_right_edge = p->rcv_nxt;
    TCPH_SET_FLAG(syn->tcphdr, TCP_ACK);
    if (p->unacked)
        (void)tcp_rexmit(p); // without memory the timer does
    tcp_output(p);
}

// What lwIP does when a SYN has been answered.
static void establish(struct inet_socket *i, struct tcp_pcb *p, const struct tcp_hdr *header) {
    struct tcp_seg *syn = p->unacked ? p->unacked : p->unsent;
    if (!syn)
        return;
    p->lastack = header->ackno;
    p->snd_wnd = p->snd_wnd_max = SND_WND_SCALE(p, header->wnd);
    p->snd_wl1 = header->seqno - 1;
    p->state = ESTABLISHED;
    p->mss = tcp_eff_send_mss(p->mss, &p->local_ip, &p->remote_ip);
    p->cwnd = MIN(4u * p->mss, MAX(2u * p->mss, 4380u)); // RFC 5681, 3.1
    p->snd_queuelen--;
    if (p->unacked)
        p->unacked = syn->next;
    else
        p->unsent = syn->next;
    tcp_seg_free(syn);
    p->rtime = p->unacked ? 0 : -1;
    p->nrtx = 0;
    (void)p->connected(i, p, ERR_OK);
}

void inet_tcp_hear_crossing(struct inet_socket *i, const struct tcp_hdr *header) {
    struct tcp_pcb *p = i->tcp;
    unsigned int flags = TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN);
    if (!p || p->state != SYN_SENT)
        return;
    if (flags == TCP_SYN) {
        i->crossed = true;
        answer(p, header->seqno);
    } else if (i->crossed && !(flags & (TCP_SYN | TCP_RST)) && flags & TCP_ACK &&
               header->seqno == p->rcv_nxt && header->ackno == p->lastack + 1) {
        establish(i, p, header);
    }
}
