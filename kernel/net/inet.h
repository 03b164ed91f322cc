// SPDX-License-Identifier: MIT
// AF_INET and AF_INET6, for the socket layer.
#pragma once

// Boot: makes the families known. lwIP starts with their first socket.
void inet_init(void);

#define INET_CONGESTION_CONTROL "reno" // lwIP's

// Settings, as /proc/sys/net names them. [a]
extern unsigned long inet_port_range[2];     // ip_local_port_range
extern unsigned long inet_unprivileged_port; // ip_unprivileged_port_start
extern unsigned long inet_default_ttl;
extern unsigned long inet_fragment_time, inet_fragment_time6; // seconds that a packet has to become whole
extern unsigned long inet_nonlocal_bind;
extern unsigned long inet_tcp_rmem[3], inet_tcp_wmem[3]; // least, at the start, most
extern unsigned long inet_keepalive[3];                  // time, interval, probes
extern unsigned long inet_syn_retries;
extern unsigned long inet_fin_timeout;    // tcp_fin_timeout, seconds
extern unsigned long inet_v6only_default; // bindv6only
extern unsigned long inet_ping_groups[2]; // ping_group_range: whose groups may have ping sockets, from..to
