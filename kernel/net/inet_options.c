// SPDX-License-Identifier: MIT
// Options, by their levels, and ioctl. SO_BINDTODEVICE is here: other families know no devices.
//
// They are kept in the socket and applied to lwIP's pcb whenever there is a new one. What lwIP cannot do is refused
// (ENOPROTOOPT); what is only a hint is kept and told again.
#include "net/inet_options.h"
#include "core/cred.h"
#include "lib/string.h"
#include "net/device.h"
#include "net/inet.h"
#include "net/inet_raw.h"
#include "net/inet_tcp_direct.h"
#include "net/inet_tcp_urgent.h"
#include "sched/thread.h"
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <linux/time_types.h>
#include <linux/udp.h>

#define IFNAMSIZ NET_NAME_SIZE

// ---- to lwIP

void inet_apply_options(struct inet_socket *i) {
    if (!i->pcb)
        return;
    const struct net_device *d = i->device ? net_device_find_locked(i->device) : NULL;
    i->udp->netif_idx = d && d->stack ? netif_get_index((struct netif *)d->stack) : NETIF_NO_INDEX;
    if (i->s.type != SOCK_STREAM) {
        i->udp->so_options = inet_pcb_options(i); // a member that all pcbs have
        return;
    }
    struct tcp_pcb *p = i->tcp;
    p->so_options = inet_pcb_options(i);
    p->ttl = i->ttl ? i->ttl : READ_ONCE(inet_net->settings.default_ttl);
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
    if (i->tcp_options.max_segment && i->done)
        p->mss = MIN(p->mss, (u16_t)i->tcp_options.max_segment);
    if (i->done && READ_ONCE(i->s.state) == SOCKET_CONNECTED)
        inet_tcp_size_window(i);
}

void inet_option_changed(struct socket *s, int option) {
    if (option == SO_RCVLOWAT && s->type == SOCK_STREAM) { // there must be room for so much
        int most = READ_ONCE(s->buf_lock) & SOCK_RCVBUF_LOCK ? (int)(READ_ONCE(s->rcvbuf) / 2) : TCP_WND / 2;
        WRITE_ONCE(s->rcvlowat, MIN(READ_ONCE(s->rcvlowat), most));
    }
    inet_lock(s->net);
    inet_apply_options(to_inet(s));
    inet_unlock();
}

// ---- copying

int inet_read_number(int *out, const void __user *value, int len, bool byte_will_do) {
    uint8_t byte;
    if (len >= (int)sizeof(*out))
        return get_user(*out, (const int __user *)value);
    if (!byte_will_do || len < 1)
        return -EINVAL;
    int err = get_user(byte, (const uint8_t __user *)value);
    *out = byte;
    return err;
}

int inet_write_number(int number, void __user *value, int __user *user_len) {
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

// ---- all

// -ENODEV: no device is called so.
static int index_of(struct net_ns *net, const char *name) {
    inet_lock(net);
    const struct net_device *d = net_device_named_locked(name);
    inet_unlock();
    return d ? d->index : -ENODEV;
}

// SO_BINDTODEVICE by name, SO_BINDTOIFINDEX by number.
static int set_device(struct inet_socket *i, int option, const void __user *value, int len) {
    char name[IFNAMSIZ] = "";
    int n = 0, err;
    if (option == SO_BINDTOIFINDEX)
        err = inet_read_number(&n, value, len, false);
    else
        err = copy_from_user(name, value, MIN((size_t)len, sizeof(name) - 1));
    if (err)
        return err;
    if (option == SO_BINDTODEVICE && name[0])
        n = index_of(i->s.net, name);
    if (n < 0)
        return option == SO_BINDTODEVICE ? n : -EINVAL;
    if (i->device && !net_capable(i->s.net, CAP_NET_RAW))
        return -EPERM;
    inet_lock(i->s.net);
    WRITE_ONCE(i->device, n);
    inet_apply_options(i);
    inet_unlock();
    return 0;
}

static int get_device(struct inet_socket *i, int option, void __user *value, int __user *user_len) {
    int device = READ_ONCE(i->device), len;
    if (option == SO_BINDTOIFINDEX)
        return inet_write_number(device, value, user_len);
    int err = get_user(len, user_len);
    if (err || !device)
        return err ? err : put_user(0, user_len);
    if (len < IFNAMSIZ)
        return -EINVAL;
    char name[IFNAMSIZ] = "";
    inet_lock(i->s.net);
    const struct net_device *d = net_device_find_locked(device);
    if (d)
        memcpy(name, d->name, sizeof(name));
    inet_unlock();
    if (!d)
        return -ENODEV;
    len = (int)strlen(name) + 1;
    err = copy_to_user(value, name, len);
    return err ? err : put_user(len, user_len);
}

static bool is_device(int level, int option) {
    return level == SOL_SOCKET && (option == SO_BINDTODEVICE || option == SO_BINDTOIFINDEX);
}

// Sockets of IPv6 have both of these levels, but for raw ones.
static bool has_level(const struct socket *s, int level) {
    return level == SOL_IPV6 ? s->family == AF_INET6 : s->family == AF_INET || s->type != SOCK_RAW;
}

int inet_set_option(struct socket *s, int level, int option, const void __user *value, int len) {
    struct inet_socket *i = to_inet(s);
    int err;
    if (is_device(level, option))
        return set_device(i, option, value, len);
    if (s->ops == &inet_raw_ops && (err = inet_raw_set_option(i, level, option, value, len)) != -ENOPROTOOPT)
        return err;
    switch (level) {
    case SOL_IP:
    case SOL_IPV6:
        if (!has_level(s, level))
            return -ENOPROTOOPT;
        err = inet_ip_set_option(i, level, option, value, len);
        if (!err)
            inet_option_changed(s, option);
        return err;
    case SOL_TCP:
        return s->type == SOCK_STREAM ? inet_tcp_set_option(i, option, value, len) : -ENOPROTOOPT;
    case SOL_UDP:
        return s->ops == &inet_udp_ops ? inet_udp_set_option(i, option, value, len) : -ENOPROTOOPT;
    case IPPROTO_UDPLITE:
        return s->protocol == IPPROTO_UDPLITE ? inet_lite_set_option(i, option, value, len) : -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
}

// An option of a level that it has not.
static int not_its_level(const struct socket *s, int level) {
    return s->family == AF_INET6 || level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
}

int inet_get_option(struct socket *s, int level, int option, void __user *value, int __user *len) {
    struct inet_socket *i = to_inet(s);
    int err;
    if (is_device(level, option))
        return get_device(i, option, value, len);
    if (s->ops == &inet_raw_ops && (err = inet_raw_get_option(i, level, option, value, len)) != -ENOPROTOOPT)
        return err;
    switch (level) {
    case SOL_IP:
    case SOL_IPV6:
        if (has_level(s, level))
            return inet_ip_get_option(i, level, option, value, len);
        break;
    case SOL_TCP:
        if (s->type == SOCK_STREAM)
            return inet_tcp_get_option(i, option, value, len);
        break;
    case SOL_UDP:
        if (s->ops != &inet_udp_ops)
            break;
        return inet_udp_get_option(i, option, value, len);
    case IPPROTO_UDPLITE:
        if (s->protocol == IPPROTO_UDPLITE)
            return inet_lite_get_option(i, option, value, len);
        break;
    }
    return not_its_level(s, level);
}

// ---- ioctl

// SIOCOUTQ: what has not been acknowledged; or of that what has not even been sent.
static long bytes_to_send(struct inet_socket *i, bool unsent) {
    long n = 0;
    inet_lock(i->s.net);
    if (i->s.type == SOCK_STREAM && i->tcp)
        n = (long)(unsent ? inet_tcp_unsent(i) : inet_tcp_unacked(i));
    inet_unlock();
    return n;
}

// SIOCGSTAMP, SIOCGSTAMPNS: when the last datagram that was read came; from the first question on they are stamped, and the first may be told a time that
// is none.
static long tell_stamp(struct inet_socket *i, bool ns, void __user *out) {
    ktime_t stamp = READ_ONCE(i->stamp);
    socket_put_flag(&i->s, SOCKET_STAMP_KEPT, true);
    if (stamp == INET_NO_STAMP)
        return -ENOENT;
    if (!stamp) {
        stamp = clock_realtime();
        WRITE_ONCE(i->stamp, stamp);
    }
    long part = stamp % NSEC_PER_SEC;
    struct __kernel_timespec t = {stamp / NSEC_PER_SEC, ns ? part : part / NSEC_PER_USEC};
    return put_object((struct __kernel_timespec __user *)out, t);
}

long inet_ioctl(struct socket *s, unsigned int cmd, unsigned long arg) {
    struct inet_socket *i = to_inet(s);
    bool listening = READ_ONCE(s->state) == SOCKET_LISTENING;
    switch (cmd) {
    case SIOCINQ: // of datagrams the first
        if (listening)
            return -EINVAL;
        return put_user((int)(s->type == SOCK_STREAM ? inet_tcp_received(i) : inet_first_datagram(i)),
                        (int __user *)arg);
    case SIOCOUTQ:
        return listening ? -EINVAL : put_user((int)bytes_to_send(i, false), (int __user *)arg);
    case SIOCOUTQNSD:
        if (s->type != SOCK_STREAM)
            return -ENOTTY;
        return listening ? -EINVAL : put_user((int)bytes_to_send(i, true), (int __user *)arg);
    case SIOCGSTAMP_OLD: // both have the same members on 64 bits
    case SIOCGSTAMP_NEW:
        return tell_stamp(i, false, (void __user *)arg);
    case SIOCGSTAMPNS_OLD:
    case SIOCGSTAMPNS_NEW:
        return tell_stamp(i, true, (void __user *)arg);
    case SIOCATMARK:
        return s->type == SOCK_STREAM ? put_user(!inet_tcp_until_mark(i), (int __user *)arg) : -ENOTTY;
    default:
        return -ENOTTY;
    }
}
