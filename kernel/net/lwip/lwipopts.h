// SPDX-License-Identifier: MIT
// How lwIP is built for this kernel: its raw API alone, under one lock (net/inet_stack.c), with memory and time from us.
#pragma once

#define NO_SYS                                1
#define SYS_LIGHTWEIGHT_PROT                  0
#define LWIP_NETCONN                          0
#define LWIP_SOCKET                           0
#define LWIP_STATS                            1 // for /proc/net/snmp: packets and segments, nothing of memory
#define LWIP_STATS_LARGE                      1
#define MIB2_STATS                            1
#define LINK_STATS                            0
#define ETHARP_STATS                          0
#define IP_STATS                              0
#define IPFRAG_STATS                          0
#define ICMP_STATS                            0
#define IGMP_STATS                            0
#define UDP_STATS                             0
#define TCP_STATS                             0
#define MEM_STATS                             0
#define MEMP_STATS                            0
#define SYS_STATS                             0
#define IP6_STATS                             1
#define ICMP6_STATS                           0
#define IP6_FRAG_STATS                        0
#define MLD6_STATS                            0
#define ND6_STATS                             0
#define LWIP_TIMERS                           0 // inet_stack.c runs what has to be run
#define LWIP_NO_CTYPE_H                       1
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1
#ifndef CONFIG_DEBUG
#define LWIP_NOASSERT 1
#endif

// All memory is kmalloc's, bounded.
#define MEM_ALIGNMENT            8
#define MEM_CUSTOM_ALLOCATOR     1
#define MEMP_MEM_MALLOC          1
#define MEM_CUSTOM_MALLOC        inet_malloc
#define MEM_CUSTOM_CALLOC        inet_calloc
#define MEM_CUSTOM_FREE          inet_free
#define LWIP_SUPPORT_CUSTOM_PBUF 1

#define LWIP_IPV4                     1
#define LWIP_IPV6                     1
#define LWIP_ICMP                     1
#define LWIP_RAW                      1
#define LWIP_UDP                      1
#define LWIP_TCP                      1
#define LWIP_ARP                      0 // neighbours are ours (net/neighbour.h), IPv6's too: nd6.c is left out
#define LWIP_ETHERNET                 0
#define LWIP_DHCP                     0
#define LWIP_AUTOIP                   0
#define LWIP_ACD                      0
#define LWIP_DNS                      0
#define LWIP_IGMP                     0
#define LWIP_IPV6_MLD                 0
#define LWIP_IPV6_AUTOCONFIG          0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_SCOPES              0
#define LWIP_ND6_ALLOW_RA_UPDATES     0
#define LWIP_ND6_QUEUEING             0

#define LWIP_ND6_TCP_REACHABILITY_HINTS 0

#define IP_REASSEMBLY                                                                                        \
    1 // is ours (net/inet_fragment.h); but lwIP has the message that it took too long only with its own
#define IP_FRAG                   1
#define LWIP_IPV6_REASS           0
#define LWIP_IPV6_FRAG            1
#define IPV6_FRAG_COPYHEADER      1
#define LWIP_HAVE_LOOPIF          0
#define LWIP_NETIF_LOOPBACK       0
#define LWIP_SINGLE_NETIF         0
#define LWIP_MULTICAST_PING       0
#define LWIP_BROADCAST_PING       0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define IP_DEFAULT_TTL            64
#define TCP_TTL                   64
#define UDP_TTL                   64
#define LWIP_UDPLITE              1
#define ICMP_TTL                  64
#define RAW_TTL                   64
#define LWIP_ICMP6_HL             64

#define SO_REUSE_RXTOALL             1 // groups and broadcasts
#define SO_REUSE                     1 // inet_bind.c has Linux's rules; lwIP's are switched off by a flag that needs this
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY        0
#define LWIP_CHKSUM(data, n)         net_sum(data, n)

// A segment with its headers takes half of a 32 KiB block.
#define TCP_MSS                        16000
#define LWIP_WND_SCALE                 1
#define TCP_RCV_SCALE                  2
#define TCP_WND                        262140
#define TCP_SND_BUF                    262144
#define TCP_SND_QUEUELEN               2048
#define TCP_OVERSIZE                   256
#define TCP_MSL                        30000UL // TIME_WAIT is a minute, as in Linux
#define TCP_SYNMAXRTX                  12      // inet_tcp.c counts before that (TCP_SYNCNT)
#define TCP_MAXRTX                     12
#define TCP_QUEUE_OOSEQ                1
#define LWIP_TCP_RTO_TIME              1000 // before the time of a round trip is known, as in Linux
#define LWIP_TCP_SACK_OUT              1
#define LWIP_TCP_KEEPALIVE             1
#define LWIP_TCP_PCB_NUM_EXT_ARGS      2 // the port, as inet_bind.c counts it; how long to wait for a FIN
#define TCP_LISTEN_BACKLOG             0 // that is ours: it may be longer than 255
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

// Linux's net.ipv4.ip_local_port_range.
#define TCP_LOCAL_PORT_RANGE_START        32768
#define TCP_LOCAL_PORT_RANGE_END          60999
#define TCP_ENSURE_LOCAL_PORT_RANGE(port) ((u16_t)(TCP_LOCAL_PORT_RANGE_START + (port) % 28232))
#define UDP_LOCAL_PORT_RANGE_START        32768
#define UDP_LOCAL_PORT_RANGE_END          60999
#define UDP_ENSURE_LOCAL_PORT_RANGE(port) ((u16_t)(UDP_LOCAL_PORT_RANGE_START + (port) % 28232))

#define LWIP_HOOK_FILENAME                 "hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dest) inet_route4(dest)
#define LWIP_HOOK_IP6_ROUTE(src, dest)     inet_route6(dest)
