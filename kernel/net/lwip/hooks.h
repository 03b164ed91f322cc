// SPDX-License-Identifier: MIT
// Where lwIP asks us.
#pragma once
struct tcp_pcb;
struct tcp_hdr;
int inet_drops_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header, unsigned int length);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)                                       \
    (inet_drops_segment(pcb, hdr, tcplen) ? ERR_ABRT : ERR_OK)
unsigned int inet_initial_sequence(void);
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) inet_initial_sequence()
// core/tcp.c calls this one instead of tcp_split_unsent_seg() (kernel.mk).
signed char inet_split_segment(struct tcp_pcb *pcb, unsigned short size);
struct netif;
struct netif *inet_route4(const ip4_addr_t *dest);
struct netif *inet_route6(const ip6_addr_t *dest);
struct pbuf;
// A datagram, from its header of IP on, has come to a port where nobody listens (shadow/lwip/icmp.h).
void inet_port_unreachable(int six, struct pbuf *p);
