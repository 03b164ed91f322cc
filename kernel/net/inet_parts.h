// SPDX-License-Identifier: MIT
// lwIP's list of connections, in parts. lwIP searches the list from its beginning for each segment and whenever a connection
// ends. So it gets a short one: the list (tcp_active_pcbs) is at any time one of INET_PARTS parts, by a hash of the other end's address and
// of both ports, and whoever calls lwIP makes it the part which the call is about. The lists of listeners, of those that have a name alone and of
// TIME_WAIT are whole. Only the timers see all connections in one list. Of a listener that goes lwIP would tell its connections: inet_tcp.c does.
//
// All of it is the stack's lock's ([n]).
#pragma once
#include "net/inet_stack.h"

#define INET_PARTS 512u

// Once, before lwIP has connections.
void inet_parts_start(void);
// The list becomes part n.
void inet_part(unsigned int n);
// The list becomes the part for connections between these; `remote_port` and `local_port` in host byte order.
void inet_part_for(const ip_addr_t *remote, uint16_t remote_port, uint16_t local_port);
// Before tcp_close(), tcp_abort(), tcp_shutdown() of a connection.
static inline void inet_part_of(const struct tcp_pcb *p) {
    inet_part_for(&p->remote_ip, p->remote_port, p->local_port);
}
// Before lwIP gets a packet, from its header of IP on (`six`: of IPv6). True: that may be about any connection; inet_parts_divide() afterwards.
bool __must_check inet_part_for_packet(const struct pbuf *p, bool six);
// The list becomes all connections, until inet_parts_divide(); meanwhile the others do nothing.
void inet_parts_join(void);
void inet_parts_divide(void);

// All connections; n: an unsigned int. Neither one of them nor the list may change meanwhile.
#define inet_for_each_connection(p, n)                                                                       \
    for ((n) = 0; (n) < INET_PARTS && (inet_part(n), true); (n)++)                                           \
        for ((p) = tcp_active_pcbs; (p); (p) = (p)->next)
