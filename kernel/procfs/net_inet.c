// SPDX-License-Identifier: MIT
// /proc/net: sockets of AF_INET and AF_INET6 and what was counted of their packets, in Linux's columns. What nothing here counts is 0.
#include "net/inet_info.h"
#include "net/net_ns.h"
#include "net/netlink_private.h"
#include "net/unix_private.h"
#include "procfs/private.h"
#include "sched/thread.h"

#define IPPROTO_ICMP    1
#define IPPROTO_TCP     6
#define IPPROTO_UDP     17
#define IPPROTO_UDPLITE 136
#define IPPROTO_ICMPV6  58

enum { STATE_TIME_WAIT = 6, STATE_LISTEN = 10 };

#define TCP_WIDTH      149 // of a line of tcp and of udp; those of IPv6 are as long as they are
#define UDP_WIDTH      127
#define HUNDREDTHS(ms) ((ms) / 10)

static void end_line(struct seq_buf *s, size_t start, size_t width) {
    while (!s->failed && s->len - start < width)
        seq_puts(s, " ");
    seq_puts(s, "\n");
}

static void show_address(struct seq_buf *s, const struct net_address *a, unsigned int port) {
    for (unsigned int i = 0; i < net_address_size(a->family) / 4; i++)
        seq_printf(s, "%08X", a->word[i]);
    seq_printf(s, ":%04X ", port);
}

// What all kinds have: up to the inode, references and where it would be.
static void show_common(struct seq_buf *s, const struct inet_info *i) {
    show_address(s, &i->local, i->local_port);
    show_address(s, &i->remote, i->remote_port);
    seq_printf(s, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %u %016lx", i->state,
               i->state == STATE_LISTEN ? 0 : i->tx, i->rx, i->timer, (unsigned long)HUNDREDTHS(i->expires),
               i->retransmits, i->uid, 0, (unsigned long)i->ino, i->refs, 0ul);
}

// How long it waits for acknowledgements, delays its own, and what it may send.
static void show_tcp_end(struct seq_buf *s, const struct inet_info *i) {
    if (i->state == STATE_TIME_WAIT)
        return;
    if (i->state == STATE_LISTEN)
        seq_puts(s, " 100 0 0 10 0");
    else
        seq_printf(s, " %u 0 0 %u %d", HUNDREDTHS(i->rto), i->cwnd,
                   i->ssthresh > i->cwnd ? -1 : (int)i->ssthresh);
}

// Each socket of a protocol and a family, until no more fit.
static int show_all(struct seq_buf *s, int protocol, unsigned int family,
                    void (*show)(struct seq_buf *s, const struct inet_info *i, unsigned int n)) {
    struct inet_snapshot *snapshot = inet_snapshot_create(s->net, protocol);
    const struct inet_info *i;
    unsigned int n = 0;
    int err = 0;
    if (IS_ERR(snapshot))
        return PTR_ERR(snapshot);
    for (unsigned long at = 0; !err && (i = inet_snapshot_at(snapshot, at)); at++) {
        if (i->local.family == family)
            show(s, i, n++);
        err = cond_resched_killable();
    }
    inet_snapshot_free(snapshot);
    return err;
}

static void show_tcp_socket(struct seq_buf *s, const struct inet_info *i, unsigned int n) {
    size_t start = s->len;
    seq_printf(s, "%4u: ", n);
    show_common(s, i);
    show_tcp_end(s, i);
    end_line(s, start, i->local.family == AF_INET ? TCP_WIDTH : 0);
}

static void show_udp_socket(struct seq_buf *s, const struct inet_info *i, unsigned int n) {
    size_t start = s->len;
    (void)n;
    seq_printf(s, "%5u: ", i->local_port % 256u); // Linux says in which bucket of its table it is
    show_common(s, i);
    seq_printf(s, " %u", i->drops);
    end_line(s, start, i->local.family == AF_INET ? UDP_WIDTH : 0);
}

static void show_raw_socket(struct seq_buf *s, const struct inet_info *i, unsigned int n) {
    (void)n;
    seq_printf(s, "%4u: ", i->local_port % 256u);
    show_common(s, i);
    seq_printf(s, " %u\n", i->drops);
}

#define HEAD4 "local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
#define HEAD6                                                                                                \
    "local_address                         remote_address                        st tx_queue rx_queue tr "   \
    "tm->when "                                                                                              \
    "retrnsmt   uid  timeout inode"

static int show_tcp(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD4);
    end_line(s, 0, TCP_WIDTH);
    return show_all(s, IPPROTO_TCP, AF_INET, show_tcp_socket);
}

static int show_tcp6(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD6 "\n");
    return show_all(s, IPPROTO_TCP, AF_INET6, show_tcp_socket);
}

static int show_udp(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "   sl  " HEAD4 " ref pointer drops");
    end_line(s, 0, UDP_WIDTH);
    return show_all(s, IPPROTO_UDP, AF_INET, show_udp_socket);
}

static int show_udp6(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD6 " ref pointer drops\n");
    return show_all(s, IPPROTO_UDP, AF_INET6, show_udp_socket);
}

static int show_raw(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD4 " ref pointer drops\n");
    return show_all(s, INET_RAW, AF_INET, show_raw_socket);
}

static int show_raw6(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD6 " ref pointer drops\n");
    return show_all(s, INET_RAW, AF_INET6, show_raw_socket);
}

static int show_icmp(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD4 " ref pointer drops");
    end_line(s, 0, UDP_WIDTH);
    return show_all(s, IPPROTO_ICMP, AF_INET, show_raw_socket);
}

static int show_icmp6(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD6 " ref pointer drops\n");
    return show_all(s, IPPROTO_ICMPV6, AF_INET6, show_raw_socket);
}

// ---- counters

// A line of names and one of numbers: what has no number in `values` is 0.
struct counter {
    const char *name;
    long value;
};

static void show_counters(struct seq_buf *s, const char *group, const struct counter *c, size_t n) {
    seq_printf(s, "%s:", group);
    for (size_t i = 0; i < n; i++)
        seq_printf(s, " %s", c[i].name);
    seq_printf(s, "\n%s:", group);
    for (size_t i = 0; i < n; i++)
        seq_printf(s, " %ld", c[i].value);
    seq_puts(s, "\n");
}

static void show_ip(struct seq_buf *s, const struct inet_statistics *n) {
    const struct counter ip[] = {{"Forwarding", 2},
                                 {"DefaultTTL", (long)READ_ONCE(s->net->settings.default_ttl)},
                                 {"InReceives", n->ip_in},
                                 {"InHdrErrors", n->ip_header_errors},
                                 {"InAddrErrors", n->ip_address_errors},
                                 {"ForwDatagrams", 0},
                                 {"InUnknownProtos", n->ip_unknown_protocols},
                                 {"InDiscards", n->ip_discarded},
                                 {"InDelivers", n->ip_delivered},
                                 {"OutRequests", n->ip_out},
                                 {"OutDiscards", n->ip_out_discarded},
                                 {"OutNoRoutes", n->ip_no_route},
                                 {"ReasmTimeout", 0},
                                 {"ReasmReqds", 0},
                                 {"ReasmOKs", 0},
                                 {"ReasmFails", 0},
                                 {"FragOKs", 0},
                                 {"FragFails", 0},
                                 {"FragCreates", 0},
                                 {"OutTransmits", n->ip_out}};
    show_counters(s, "Ip", ip, ARRAY_SIZE(ip));
}

static void show_icmp_counters(struct seq_buf *s, const struct inet_statistics *n) {
    const struct counter icmp[] = {{"InMsgs", n->icmp_in},
                                   {"InErrors", n->icmp_in_errors},
                                   {"InCsumErrors", 0},
                                   {"InDestUnreachs", n->icmp_in_unreachable},
                                   {"InTimeExcds", 0},
                                   {"InParmProbs", 0},
                                   {"InSrcQuenchs", 0},
                                   {"InRedirects", 0},
                                   {"InEchos", n->icmp_in_echo},
                                   {"InEchoReps", n->icmp_in_echo_reply},
                                   {"InTimestamps", 0},
                                   {"InTimestampReps", 0},
                                   {"InAddrMasks", 0},
                                   {"InAddrMaskReps", 0},
                                   {"OutMsgs", n->icmp_out},
                                   {"OutErrors", n->icmp_out_errors},
                                   {"OutRateLimitGlobal", 0},
                                   {"OutRateLimitHost", 0},
                                   {"OutDestUnreachs", n->icmp_out_unreachable},
                                   {"OutTimeExcds", 0},
                                   {"OutParmProbs", 0},
                                   {"OutSrcQuenchs", 0},
                                   {"OutRedirects", 0},
                                   {"OutEchos", n->icmp_out_echo},
                                   {"OutEchoReps", n->icmp_out_echo_reply},
                                   {"OutTimestamps", 0},
                                   {"OutTimestampReps", 0},
                                   {"OutAddrMasks", 0},
                                   {"OutAddrMaskReps", 0}};
    show_counters(s, "Icmp", icmp, ARRAY_SIZE(icmp));
}

static void show_udp_counters(struct seq_buf *s, const char *name, const struct inet_statistics *n) {
    const struct counter udp[] = {
        {"InDatagrams", n->udp_in},   {"NoPorts", n->udp_no_port}, {"InErrors", n->udp_errors},
        {"OutDatagrams", n->udp_out}, {"RcvbufErrors", 0},         {"SndbufErrors", 0},
        {"InCsumErrors", 0},          {"IgnoredMulti", 0},         {"MemErrors", 0}};
    show_counters(s, name, udp, ARRAY_SIZE(udp));
}

static int show_snmp(struct seq_buf *s, void *arg) {
    static const struct inet_statistics none;
    struct inet_statistics n;
    (void)arg;
    inet_statistics(s->net, &n);
    const struct counter tcp[] = {{"RtoAlgorithm", 1},
                                  {"RtoMin", 500},
                                  {"RtoMax", 120000},
                                  {"MaxConn", -1},
                                  {"ActiveOpens", n.tcp_active},
                                  {"PassiveOpens", n.tcp_passive},
                                  {"AttemptFails", n.tcp_failed},
                                  {"EstabResets", n.tcp_reset},
                                  {"CurrEstab", n.tcp_established},
                                  {"InSegs", n.tcp_in},
                                  {"OutSegs", n.tcp_out},
                                  {"RetransSegs", n.tcp_again},
                                  {"InErrs", n.tcp_errors},
                                  {"OutRsts", n.tcp_resets_sent},
                                  {"InCsumErrors", 0}};
    show_ip(s, &n);
    show_icmp_counters(s, &n);
    show_counters(s, "Tcp", tcp, ARRAY_SIZE(tcp));
    show_udp_counters(s, "Udp", &n);
    show_udp_counters(s, "UdpLite", &none);
    return 0;
}

static int show_snmp6(struct seq_buf *s, void *arg) {
    static const char *const zeros[] = {"Ip6InHdrErrors",      "Ip6InTooBigErrors",  "Ip6InNoRoutes",
                                        "Ip6InAddrErrors",     "Ip6InUnknownProtos", "Ip6InTruncatedPkts",
                                        "Ip6OutForwDatagrams", "Ip6OutDiscards",     "Ip6OutNoRoutes"};
    struct inet_statistics n;
    (void)arg;
    inet_statistics(s->net, &n);
    seq_printf(s, "%-32s\t%u\n", "Ip6InReceives", n.ip6_in);
    for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
        seq_printf(s, "%-32s\t0\n", zeros[i]);
    seq_printf(s, "%-32s\t%u\n%-32s\t%u\n%-32s\t%u\n", "Ip6InDiscards", n.ip6_dropped, "Ip6InDelivers",
               n.ip6_in - MIN(n.ip6_dropped, n.ip6_in), "Ip6OutRequests", n.ip6_out);
    return 0;
}

static int show_netstat(struct seq_buf *s, void *arg) {
    (void)arg;
    static const struct counter tcp[] = {{"SyncookiesSent", 0},   {"SyncookiesRecv", 0},
                                         {"SyncookiesFailed", 0}, {"EmbryonicRsts", 0},
                                         {"ListenOverflows", 0},  {"ListenDrops", 0}};
    static const struct counter ip[] = {
        {"InNoRoutes", 0}, {"InTruncatedPkts", 0}, {"InMcastPkts", 0}, {"OutMcastPkts", 0}};
    show_counters(s, "TcpExt", tcp, ARRAY_SIZE(tcp));
    show_counters(s, "IpExt", ip, ARRAY_SIZE(ip));
    return 0;
}

static int show_sockstat(struct seq_buf *s, void *arg) {
    struct inet_counts n;
    (void)arg;
    inet_count(s->net, &n);
    seq_printf(s, "sockets: used %lu\n", socket_count(s->net, AF_UNSPEC));
    seq_printf(s, "TCP: inuse %lu orphan %lu tw %lu alloc %lu mem 0\n", n.tcp, n.tcp_orphans, n.tcp_time_wait,
               n.tcp + n.tcp6 + n.tcp_orphans);
    seq_printf(s, "UDP: inuse %lu mem 0\nUDPLITE: inuse 0\nRAW: inuse %lu\nFRAG: inuse 0 memory 0\n", n.udp,
               n.raw);
    return 0;
}

static int show_sockstat6(struct seq_buf *s, void *arg) {
    struct inet_counts n;
    (void)arg;
    inet_count(s->net, &n);
    seq_printf(
        s, "TCP6: inuse %lu\nUDP6: inuse %lu\nUDPLITE6: inuse 0\nRAW6: inuse %lu\nFRAG6: inuse 0 memory 0\n",
        n.tcp6, n.udp6, n.raw6);
    return 0;
}

static void show_protocol(struct seq_buf *s, const char *name, unsigned int size, unsigned long sockets,
                          bool in_memory, const char *can) {
    seq_printf(s, "%-9s %4u %6lu  %6ld   %-3s %6u   %-3s  %-10s  %s\n", name, size, sockets,
               in_memory ? 0l : -1l, in_memory ? "no" : "NI", 0, "yes", "kernel", can);
}

#define CAN_INET "y  y  y  y  y  y  y  y  y  y  y  y  y  y  y  y  y  n"
#define CAN_REST "y  y  n  n  y  n  n  n  n  n  n  n  y  n  n  n  n  n"

static int show_protocols(struct seq_buf *s, void *arg) {
    struct inet_counts n;
    (void)arg;
    inet_count(s->net, &n);
    seq_puts(s, "protocol  size sockets  memory press maxhdr  slab module     "
                "cl co di ac io in de sh ss gs se re bi br ha uh gp em\n");
    show_protocol(s, "RAWv6", inet_socket_size, n.raw6, false, CAN_INET);
    show_protocol(s, "UDPv6", inet_socket_size, n.udp6, true, CAN_INET);
    show_protocol(s, "TCPv6", inet_socket_size, n.tcp6, true, CAN_INET);
    show_protocol(s, "UNIX", sizeof(struct unix_socket), socket_count(s->net, AF_UNIX), false, CAN_REST);
    show_protocol(s, "RAW", inet_socket_size, n.raw, false, CAN_INET);
    show_protocol(s, "UDP", inet_socket_size, n.udp, true, CAN_INET);
    show_protocol(s, "TCP", inet_socket_size, n.tcp, true, CAN_INET);
    show_protocol(s, "NETLINK", sizeof(struct netlink_socket), socket_count(s->net, AF_NETLINK), false,
                  CAN_REST);
    return 0;
}

static int show_udplite(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "   sl  " HEAD4 " ref pointer drops");
    end_line(s, 0, UDP_WIDTH);
    return show_all(s, IPPROTO_UDPLITE, AF_INET, show_udp_socket);
}

static int show_udplite6(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "  sl  " HEAD6 " ref pointer drops\n");
    return show_all(s, IPPROTO_UDPLITE, AF_INET6, show_udp_socket);
}

static const struct proc_entry entries[] = {
    {.path = "icmp", .show = show_icmp},         {.path = "icmp6", .show = show_icmp6},
    {.path = "netstat", .show = show_netstat},   {.path = "protocols", .show = show_protocols},
    {.path = "raw", .show = show_raw},           {.path = "raw6", .show = show_raw6},
    {.path = "snmp", .show = show_snmp},         {.path = "snmp6", .show = show_snmp6},
    {.path = "sockstat", .show = show_sockstat}, {.path = "sockstat6", .show = show_sockstat6},
    {.path = "tcp", .show = show_tcp},           {.path = "tcp6", .show = show_tcp6},
    {.path = "udp", .show = show_udp},           {.path = "udp6", .show = show_udp6},
    {.path = "udplite", .show = show_udplite},   {.path = "udplite6", .show = show_udplite6},
};

void proc_net_inet_init(void) {
    proc_net_add(entries, ARRAY_SIZE(entries));
}
