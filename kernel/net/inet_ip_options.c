// SPDX-License-Identifier: MIT
// Options of levels IP and IPv6 (ip(7), ipv6(7)): switches are a table, numbers follow.
#include "core/cred.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/inet_options.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/ipv6.h>

#define MTU  65535
#define MTU6 65536 // of loopback, for those who ask by IPv6

// ---- on or off

enum rule {
    ANY,
    BOOL,       // nothing but 0 and 1
    RAW_ONLY,   // of raw sockets
    PACKETS,    // not of streams
    PRIVILEGED, // to switch it on
    REPORTS,    // switched off it forgets what it has
};

static const struct {
    uint8_t level, option, which, rule;
} switches[] = {
    {SOL_IP, IP_PKTINFO, IN_PKTINFO, ANY},
    {SOL_IP, IP_RECVTTL, IN_TTL, ANY},
    {SOL_IP, IP_RECVTOS, IN_TOS, ANY},
    {SOL_IP, IP_RECVORIGDSTADDR, IN_ORIGDST, ANY},
    {SOL_IP, IP_RECVERR, IN_RECVERR, REPORTS},
    {SOL_IP, IP_RECVOPTS, IN_RECVOPTS, ANY},
    {SOL_IP, IP_RETOPTS, IN_RETOPTS, ANY},
    {SOL_IP, IP_PASSSEC, IN_PASSSEC, ANY},
    {SOL_IP, IP_CHECKSUM, IN_CHECKSUM, ANY},
    {SOL_IP, IP_RECVFRAGSIZE, IN_FRAGSIZE, PACKETS},
    {SOL_IP, IP_BIND_ADDRESS_NO_PORT, IN_NO_PORT, ANY},
    {SOL_IP, IP_FREEBIND, IN_FREEBIND, ANY},
    {SOL_IP, IP_TRANSPARENT, IN_TRANSPARENT, PRIVILEGED},
    {SOL_IP, IP_HDRINCL, IN_HDRINCL, RAW_ONLY},
    {SOL_IP, IP_MULTICAST_ALL, IN_MULTICAST_ALL, BOOL},
    {SOL_IP, IP_MULTICAST_LOOP, IN_MULTICAST_LOOP, ANY},
    {SOL_IPV6, IPV6_RECVPKTINFO, IN_PKTINFO6, ANY},
    {SOL_IPV6, IPV6_2292PKTINFO, IN_PKTINFO6_OLD, ANY},
    {SOL_IPV6, IPV6_RECVHOPLIMIT, IN_HOPS, ANY},
    {SOL_IPV6, IPV6_2292HOPLIMIT, IN_HOPS_OLD, ANY},
    {SOL_IPV6, IPV6_RECVTCLASS, IN_TCLASS, ANY},
    {SOL_IPV6, IPV6_RECVORIGDSTADDR, IN_ORIGDST6, ANY},
    {SOL_IPV6, IPV6_RECVERR, IN_RECVERR6, REPORTS},
    {SOL_IPV6, IPV6_RECVHOPOPTS, IN_HOPOPTS, ANY},
    {SOL_IPV6, IPV6_2292HOPOPTS, IN_HOPOPTS_OLD, ANY},
    {SOL_IPV6, IPV6_RECVRTHDR, IN_RTHDR, ANY},
    {SOL_IPV6, IPV6_2292RTHDR, IN_RTHDR_OLD, ANY},
    {SOL_IPV6, IPV6_RECVDSTOPTS, IN_DSTOPTS, ANY},
    {SOL_IPV6, IPV6_2292DSTOPTS, IN_DSTOPTS_OLD, ANY},
    {SOL_IPV6, IPV6_RECVPATHMTU, IN_PATHMTU, ANY},
    {SOL_IPV6, IPV6_RECVFRAGSIZE, IN_FRAGSIZE6, ANY},
    {SOL_IPV6, IPV6_DONTFRAG, IN_DONTFRAG, ANY},
    {SOL_IPV6, IPV6_FREEBIND, IN_FREEBIND6, ANY},
    {SOL_IPV6, IPV6_TRANSPARENT, IN_TRANSPARENT6, PRIVILEGED},
    {SOL_IPV6, IPV6_MULTICAST_ALL, IN_MULTICAST_ALL6, ANY},
    {SOL_IPV6, IPV6_MULTICAST_LOOP, IN_MULTICAST_LOOP6, BOOL},
};

// Its place in the table, or -1.
static int find_switch(int level, int option) {
    for (size_t n = 0; n < ARRAY_SIZE(switches); n++)
        if (switches[n].level == level && switches[n].option == option)
            return (int)n;
    return -1;
}

static int set_switch(struct inet_socket *i, int n, int value) {
    switch (switches[n].rule) {
    case BOOL:
        if (value != !!value)
            return -EINVAL;
        break;
    case RAW_ONLY:
        if (i->s.type != SOCK_RAW)
            return -ENOPROTOOPT;
        break;
    case PACKETS:
        if (i->s.type == SOCK_STREAM)
            return -EINVAL;
        break;
    case PRIVILEGED:
        if (value && !net_capable(i->s.net, CAP_NET_ADMIN) && !net_capable(i->s.net, CAP_NET_RAW))
            return -EPERM;
        break;
    }
    inet_put_switch(i, switches[n].which, value);
    if (switches[n].rule == REPORTS && !value)
        inet_errors_drop(i);
    return 0;
}

// ---- numbers. -1 stands for the default where there is one.

// 0 or -EINVAL.
static int check(int n, int least, int most) {
    return n < least || n > most ? -EINVAL : 0;
}

static int set_mtu_discover(struct inet_socket *i, int which, int n) {
    int err = check(n, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT);
    if (!err) // nothing here is larger than what the loopback device takes, or is taken apart
        i->mtu_discover[which] = n;
    return err;
}

static int set_ip(struct inet_socket *i, int option, int n) {
    int err;
    switch (option) {
    case IP_TTL:
        err = n == -1 ? 0 : check(n, 1, 255);
        if (!err)
            i->ttl = n == -1 ? 0 : n;
        return err;
    case IP_TOS:
        i->tos = i->s.type == SOCK_STREAM ? (n & ~3) | (i->tos & 3) : n;
        return 0;
    case IP_MTU_DISCOVER:
        return set_mtu_discover(i, 0, n);
    case IP_MULTICAST_TTL:
        err = i->s.type == SOCK_STREAM ? -EINVAL : check(n, -1, 255);
        if (!err)
            i->group_ttl = n == -1 ? 1 : n;
        return err;
    case IP_MINTTL:
        err = check(n, 0, 255);
        if (!err)
            i->min_ttl = n;
        return err;
    default:
        return -ENOPROTOOPT;
    }
}

// What a connection can carry at once.
static int get_mtu(const struct inet_socket *i, int *out) {
    *out = IP_IS_V6(&i->remote) ? MTU6 : MTU;
    return READ_ONCE(i->s.state) == SOCKET_CONNECTED ? 0 : -ENOTCONN;
}

static int get_ip(const struct inet_socket *i, int option, int *out) {
    switch (option) {
    case IP_TTL:
        *out = i->ttl ? i->ttl : (int)READ_ONCE(i->s.net->settings.default_ttl);
        return 0;
    case IP_TOS:
        *out = i->tos;
        return 0;
    case IP_MTU_DISCOVER:
        *out = i->mtu_discover[0];
        return 0;
    case IP_MTU:
        return get_mtu(i, out);
    case IP_MINTTL:
        *out = i->min_ttl;
        return 0;
    case IP_MULTICAST_TTL:
        *out = i->group_ttl;
        return 0;
    case IP_MULTICAST_IF:
        *out = (int)i->group_address;
        return 0;
    case IP_PROTOCOL: // so Linux has it: of others than raw sockets it is their port
        *out = i->s.type == SOCK_RAW ? i->s.protocol : i->local_port;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// The family of its pcb is in question: so only before it has a name.
static int set_v6only(struct inet_socket *i, bool on) {
    int err = 0;
    inet_lock(i->s.net);
    if (i->local_port && i->s.type != SOCK_RAW) {
        err = -EINVAL;
    } else if (i->pcb) {
        i->v6only = on;
        u8_t type = i->s.type == SOCK_RAW ? (u8_t)IPADDR_TYPE_V6 : inet_pcb_type(i);
        IP_SET_TYPE_VAL(i->udp->local_ip, type); // the members that all pcbs have
        IP_SET_TYPE_VAL(i->udp->remote_ip, type);
    }
    inet_unlock();
    return err;
}

static int set_ipv6(struct inet_socket *i, int option, int n) {
    int err = 0;
    switch (option) {
    case IPV6_V6ONLY:
        return set_v6only(i, n);
    case IPV6_UNICAST_HOPS:
        if (!(err = check(n, -1, 255)))
            i->hops = n == -1 ? 0 : n;
        return err;
    case IPV6_TCLASS:
        if (!(err = check(n, -1, 255)))
            i->tclass = n == -1 ? 0 : i->s.type == SOCK_STREAM ? (n & ~3) | (i->tclass & 3) : n;
        return err;
    case IPV6_MULTICAST_HOPS:
        err = i->s.type == SOCK_STREAM ? -ENOPROTOOPT : check(n, -1, 255);
        if (!err)
            i->group_hops = n == -1 ? 1 : n;
        return err;
    case IPV6_MULTICAST_IF:
        err = i->s.type == SOCK_STREAM ? -ENOPROTOOPT : n && !inet_has_device(i->s.net, n) ? -ENODEV : 0;
        if (!err)
            i->group_device6 = n;
        return err;
    case IPV6_MTU_DISCOVER:
        return set_mtu_discover(i, 1, n);
    case IPV6_MINHOPCOUNT:
        if (!(err = check(n, 0, 255)))
            i->min_hops = n;
        return err;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_ipv6(const struct inet_socket *i, int option, int *out) {
    switch (option) {
    case IPV6_V6ONLY:
        *out = i->v6only;
        return 0;
    case IPV6_UNICAST_HOPS:
        *out = i->hops ? i->hops : IP_DEFAULT_TTL;
        return 0;
    case IPV6_TCLASS:
        *out = i->tclass;
        return 0;
    case IPV6_MULTICAST_HOPS:
        *out = i->group_hops;
        return 0;
    case IPV6_MULTICAST_IF:
        *out = i->group_device6;
        return 0;
    case IPV6_MTU_DISCOVER:
        *out = i->mtu_discover[1];
        return 0;
    case IPV6_MTU:
        return get_mtu(i, out);
    case IPV6_MINHOPCOUNT:
        *out = i->min_hops;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// ---- all

int inet_ip_set_option(struct inet_socket *i, int level, int option, const void __user *value, int len) {
    int n, err = inet_group_set_option(i, level, option, value, len);
    if (err != -ENOPROTOOPT)
        return err;
    if (level == SOL_IP && option == IP_OPTIONS) // none at all is what is had
        return len ? -ENOPROTOOPT : 0;
    int which = find_switch(level, option);
    bool known =
        which >= 0 || (level == SOL_IP ? get_ip(i, option, &n) : get_ipv6(i, option, &n)) != -ENOPROTOOPT;
    if (!known && (level == SOL_IP || len < (int)sizeof(n))) // IPv6's is read first
        return -ENOPROTOOPT;
    n = 0;
    err = level == SOL_IP && !len ? 0 : inet_read_number(&n, value, len, level == SOL_IP);
    if (err)
        return err;
    if (which >= 0)
        return set_switch(i, which, n);
    return level == SOL_IP ? set_ip(i, option, n) : set_ipv6(i, option, n);
}

int inet_ip_get_option(struct inet_socket *i, int level, int option, void __user *value, int __user *len) {
    int n = 0, which = find_switch(level, option), err = 0, asked;
    if (get_user(asked, len))
        return -EFAULT;
    if (level == SOL_IP && asked < 0)
        return -EINVAL;
    if (level == SOL_IP && option == IP_OPTIONS)
        return put_user(0, len);
    if (which >= 0)
        n = inet_switch_is_on(i, switches[which].which);
    else
        err = level == SOL_IP ? get_ip(i, option, &n) : get_ipv6(i, option, &n);
    return err ? err : inet_write_number(n, value, len);
}
