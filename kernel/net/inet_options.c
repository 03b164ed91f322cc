// SPDX-License-Identifier: MIT
// Options of levels IP, IPv6 and TCP (ip(7), ipv6(7), tcp(7)), and ioctl.
//
// They are kept in the socket and applied to lwIP's pcb whenever there is a new one. What lwIP cannot do is refused
// (ENOPROTOOPT); what is only a hint is kept and told again.
#include "net/inet_private.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "lib/string.h"
#include "sched/thread.h"
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/sockios.h>

#define TTL_DEFAULT 64

// ---- to lwIP

void inet_apply_options(struct inet_socket *i) {
    if (!i->pcb)
        return;
    if (i->s.type != SOCK_STREAM) {
        i->udp->so_options = inet_pcb_options(i);
        return;
    }
    struct tcp_pcb *p = i->tcp;
    p->so_options = inet_pcb_options(i);
    p->ttl = i->ttl ? i->ttl : TCP_TTL;
    p->tos = i->tos;
    if (p->state == LISTEN)
        return;
    p->keep_idle = i->tcp_options.keep_idle * 1000u;
    p->keep_intvl = i->tcp_options.keep_interval * 1000u;
    p->keep_cnt = i->tcp_options.keep_count;
    if (i->tcp_options.nodelay)
        tcp_nagle_disable(p);
    else
        tcp_nagle_enable(p);
}

void inet_option_changed(struct socket *s, int option) {
    (void)option;
    inet_lock();
    inet_apply_options(to_inet(s));
    inet_unlock();
}

// ---- copying

// A number: an int, or a byte where that is all there is.
static int read_number(int *out, const void __user *value, int len, bool byte_will_do) {
    uint8_t byte;
    if (len >= (int)sizeof(*out))
        return get_user(*out, (const int __user *)value);
    if (!byte_will_do || len < 1)
        return -EINVAL;
    int err = get_user(byte, (const uint8_t __user *)value);
    *out = byte;
    return err;
}

static int write_number(int number, void __user *value, int __user *user_len) {
    int len;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    len = MIN(len, (int)sizeof(number));
    err = put_object_part((int __user *)value, number, len);
    return err ? err : put_user(len, user_len);
}

// ---- switches for control data

static unsigned int info_of(int level, int option) {
    if (level == SOL_IP)
        return option == IP_PKTINFO   ? INFO_PKTINFO
               : option == IP_RECVTTL ? INFO_TTL
               : option == IP_RECVTOS ? INFO_TOS
                                      : 0;
    return option == IPV6_RECVPKTINFO    ? INFO_PKTINFO6
           : option == IPV6_RECVHOPLIMIT ? INFO_HOPS
           : option == IPV6_RECVTCLASS   ? INFO_TCLASS
                                         : 0;
}

static void put_info(struct inet_socket *i, unsigned int info, bool on) {
    if (on)
        __atomic_fetch_or(&i->wanted, info, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&i->wanted, ~info, __ATOMIC_RELAXED);
}

// ---- IP

static int set_ip(struct inet_socket *i, int option, const void __user *value, int len) {
    int n;
    int err = read_number(&n, value, len, true);
    if (err)
        return err;
    unsigned int info = info_of(SOL_IP, option);
    if (info) {
        put_info(i, info, n);
        return 0;
    }
    switch (option) {
    case IP_TTL:
        if (n != -1 && (n < 1 || n > 255))
            return -EINVAL;
        i->ttl = n == -1 ? 0 : n;
        return 0;
    case IP_TOS:
        i->tos = i->s.type == SOCK_STREAM ? (n & ~3) | (i->tos & 3) : n;
        return 0;
    case IP_MTU_DISCOVER:
        if (n < IP_PMTUDISC_DONT || n > IP_PMTUDISC_OMIT)
            return -EINVAL;
        i->mtu_discover = n; // nothing here is larger than what the loopback device takes, or is taken apart
        return 0;
    case IP_MULTICAST_TTL:
        if (i->s.type == SOCK_STREAM || n < -1 || n > 255)
            return -EINVAL;
        i->multicast.ttl = n == -1 ? 1 : n;
        return 0;
    case IP_MULTICAST_LOOP:
        i->multicast.loop = !!n;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_ip(struct inet_socket *i, int option, int *out) {
    unsigned int info = info_of(SOL_IP, option);
    if (info) {
        *out = !!(READ_ONCE(i->wanted) & info);
        return 0;
    }
    switch (option) {
    case IP_TTL:
        *out = i->ttl ? i->ttl : TTL_DEFAULT;
        return 0;
    case IP_TOS:
        *out = i->tos;
        return 0;
    case IP_MTU_DISCOVER:
        *out = i->mtu_discover;
        return 0;
    case IP_MTU:
        *out = 65535;
        return READ_ONCE(i->s.state) == SOCKET_CONNECTED ? 0 : -ENOTCONN;
    case IP_MULTICAST_TTL:
        *out = i->multicast.ttl;
        return 0;
    case IP_MULTICAST_LOOP:
        *out = i->multicast.loop;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// ---- IPv6

// The family of its pcb is in question: so only before it has a name.
static int set_v6only(struct inet_socket *i, bool on) {
    int err = 0;
    inet_lock();
    if (i->local_port) {
        err = -EINVAL;
    } else if (i->pcb) {
        i->v6only = on;
        u8_t type = inet_pcb_type(i);
        IP_SET_TYPE_VAL(i->udp->local_ip, type); // the members that all pcbs have
        IP_SET_TYPE_VAL(i->udp->remote_ip, type);
    }
    inet_unlock();
    return err;
}

static int set_ipv6(struct inet_socket *i, int option, const void __user *value, int len) {
    int n;
    int err = read_number(&n, value, len, false);
    if (err)
        return err;
    unsigned int info = info_of(SOL_IPV6, option);
    if (info) {
        put_info(i, info, n);
        return 0;
    }
    switch (option) {
    case IPV6_V6ONLY:
        return set_v6only(i, n);
    case IPV6_UNICAST_HOPS:
        if (n < -1 || n > 255)
            return -EINVAL;
        i->hops = n == -1 ? 0 : n;
        return 0;
    case IPV6_TCLASS:
        if (n < -1 || n > 255)
            return -EINVAL;
        i->tclass = n == -1 ? 0 : n;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_ipv6(struct inet_socket *i, int option, int *out) {
    unsigned int info = info_of(SOL_IPV6, option);
    if (info) {
        *out = !!(READ_ONCE(i->wanted) & info);
        return 0;
    }
    switch (option) {
    case IPV6_V6ONLY:
        *out = i->v6only;
        return 0;
    case IPV6_UNICAST_HOPS:
        *out = i->hops ? i->hops : TTL_DEFAULT;
        return 0;
    case IPV6_TCLASS:
        *out = i->tclass;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// ---- all

int inet_set_option(struct socket *s, int level, int option, const void __user *value, int len) {
    struct inet_socket *i = to_inet(s);
    int err;
    switch (level) {
    case SOL_IP:
        err = set_ip(i, option, value, len);
        break;
    case SOL_IPV6:
        err = s->family == AF_INET6 ? set_ipv6(i, option, value, len) : -ENOPROTOOPT;
        break;
    case SOL_TCP:
        return s->type == SOCK_STREAM ? inet_tcp_set_option(i, option, value, len) : -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
    if (!err)
        inet_option_changed(s, option);
    return err;
}

int inet_get_option(struct socket *s, int level, int option, void __user *value, int __user *len) {
    struct inet_socket *i = to_inet(s);
    int number = 0, err;
    switch (level) {
    case SOL_IP:
        err = get_ip(i, option, &number);
        break;
    case SOL_IPV6:
        err = s->family == AF_INET6 ? get_ipv6(i, option, &number) : -ENOPROTOOPT;
        break;
    case SOL_TCP:
        return s->type == SOCK_STREAM ? inet_tcp_get_option(i, option, value, len) : -ENOPROTOOPT;
    default:
        return level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
    }
    return err ? err : write_number(number, value, len);
}

// ---- ioctl

static long bytes_to_send(struct inet_socket *i) {
    long n = 0;
    inet_lock();
    if (i->s.type == SOCK_STREAM && i->tcp)
        n = i->tcp->snd_lbb - i->tcp->lastack;
    inet_unlock();
    return n;
}

long inet_ioctl(struct socket *s, unsigned int cmd, unsigned long arg) {
    struct inet_socket *i = to_inet(s);
    bool listening = READ_ONCE(s->state) == SOCKET_LISTENING;
    switch (cmd) {
    case SIOCINQ:
        return listening ? -EINVAL : put_user((int)READ_ONCE(i->rx_bytes), (int __user *)arg);
    case SIOCOUTQ:
        return listening ? -EINVAL : put_user((int)bytes_to_send(i), (int __user *)arg);
    case SIOCATMARK:
        return s->type == SOCK_STREAM ? put_user(0, (int __user *)arg) : -ENOTTY;
    default:
        return -ENOTTY;
    }
}
