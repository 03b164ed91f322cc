// SPDX-License-Identifier: MIT
// Who may have which address and port: Linux's rules (socket(7), ip(7)).
//
// Two sockets may have one port if their addresses do not overlap; or if both said SO_REUSEADDR, and, of TCP, none of them listens; or
// if both said SO_REUSEPORT. "Any" overlaps with every address of its family, and that of IPv6 with IPv4's, too, unless
// IPV6_V6ONLY says otherwise.
#include "net/inet.h"
#include "net/inet_private.h"
#include "core/cred.h"
#include "lib/string.h"
#include "sched/thread.h"
#include <linux/capability.h>

// IP_FREEBIND, IP_TRANSPARENT
static bool may_be_foreign(const struct inet_socket *i, const ip_addr_t *ip) {
    if (READ_ONCE(inet_nonlocal_bind))
        return true;
    return IP_IS_V4(ip) ? inet_switch_is_on(i, IN_FREEBIND) || inet_switch_is_on(i, IN_TRANSPARENT)
                        : inet_switch_is_on(i, IN_FREEBIND6) || inet_switch_is_on(i, IN_TRANSPARENT6);
}

static bool has_ports(const struct inet_socket *i) {
    return i->s.protocol == IPPROTO_TCP || i->s.protocol == IPPROTO_UDP || i->s.protocol == IPPROTO_UDPLITE;
}

static int check_bind(struct inet_socket *i, const struct socket_address *a, ip_addr_t *ip, uint16_t *port) {
    // Old programs leave the family of an "any" address 0.
    struct socket_address copy = *a;
    if (i->s.family == AF_INET && a->len >= (int)sizeof(struct sockaddr_in) && a->family == AF_UNSPEC) {
        if (((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr)
            return -EAFNOSUPPORT;
        copy.family = AF_INET;
    }
    int err = inet_read_address(i, &copy, ip, port);
    if (err)
        return err;
    if (i->s.family == AF_INET6 && i->v6only && IP_IS_V4(ip))
        return -EINVAL;
    if (!ip_addr_isany(ip) && !inet_is_own(ip) && !ip_addr_ismulticast(ip) && !may_be_foreign(i, ip))
        return -EADDRNOTAVAIL;
    if (!has_ports(i))
        return 0;
    if (*port && *port < READ_ONCE(inet_unprivileged_port) &&
        !cred_capable(current->cred, CAP_NET_BIND_SERVICE))
        return -EACCES;
    if (i->s.family == AF_INET6 && IP_IS_V6(ip) && ip_addr_isany(ip) && !i->v6only)
        IP_SET_TYPE(ip, IPADDR_TYPE_ANY);
    return 0;
}

static bool overlap(const ip_addr_t *a, const ip_addr_t *b) {
    if (IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b)) {
        const ip_addr_t *both = IP_IS_ANY_TYPE_VAL(*a) ? a : b;
        if (ip_addr_isany(both))
            return true;
    }
    if (IP_IS_V4(a) != IP_IS_V4(b))
        return false;
    return ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_eq(a, b);
}

// `other`: whose socket it is, NULL: nobody's any more. `listening`: one of the two listens, which SO_REUSEADDR does not help
// against. SO_REUSEPORT is for those of one user.
static bool forbids(const struct inet_socket *i, const struct inet_socket *other, u8_t theirs,
                    bool listening) {
    u8_t both = inet_pcb_options(i) & theirs;
    if (both & SOF_USER_REUSEADDR && !listening)
        return false;
    return !(both & SOF_USER_REUSEPORT && (!other || other->s.user == i->s.user));
}

// [n] True if somebody else's socket forbids i to have this address and port; `listening`: only those who listen do.
static bool tcp_conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port, bool listening) {
    struct tcp_pcb *const *lists[] = {&tcp_listen_pcbs.pcbs, &tcp_bound_pcbs, &tcp_active_pcbs, &tcp_tw_pcbs};
    for (size_t n = 0; n < (listening ? 1 : ARRAY_SIZE(lists)); n++)
        for (const struct tcp_pcb *p = *lists[n]; p; p = p->next)
            if (p != i->tcp && p->local_port == port && overlap(&p->local_ip, ip) &&
                forbids(i, p->callback_arg, p->so_options, p->state == LISTEN))
                return true;
    return false;
}

static bool udp_conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
        if (p != i->udp && p->local_port == port && overlap(&p->local_ip, ip) &&
            forbids(i, p->recv_arg, p->so_options, false))
            return true;
    return false;
}

bool inet_listener_conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    return tcp_conflicts(i, ip, port, true);
}

static bool conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    return i->s.type == SOCK_STREAM ? tcp_conflicts(i, ip, port, false) : udp_conflicts(i, ip, port);
}

ip_addr_t inet_any(const struct inet_socket *i) {
    ip_addr_t any;
    memset(&any, 0, sizeof(any));
    IP_SET_TYPE_VAL(any, inet_pcb_type(i));
    return any;
}

uint16_t inet_pick_port(const struct inet_socket *i, const ip_addr_t *ip) {
    unsigned long first = READ_ONCE(inet_port_range[0]), last = READ_ONCE(inet_port_range[1]);
    unsigned long count = last >= first ? last - first + 1 : 1, start = inet_random() % count;
    for (unsigned long n = 0; n < count; n++) {
        uint16_t port = first + (start + n) % count;
        if (!conflicts(i, ip, port))
            return port;
    }
    return 0;
}

int inet_bind_locked(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    bool chosen = port;
    inet_apply_options(i);
    if (!port)
        port = inet_pick_port(i, ip);
    if (!port || (chosen && conflicts(i, ip, port)))
        return -EADDRINUSE;
    int err = inet_errno(i->s.type == SOCK_STREAM ? tcp_bind(i->tcp, ip, port) : udp_bind(i->udp, ip, port));
    if (err)
        return err;
    i->local = *ip;
    i->local_port = port;
    i->explicit_port = chosen;
    return 0;
}

int inet_bind(struct inet_socket *i, const struct socket_address *a,
              int (*locked)(struct inet_socket *i, const ip_addr_t *ip, uint16_t port)) {
    ip_addr_t ip;
    uint16_t port;
    int err = check_bind(i, a, &ip, &port);
    if (err)
        return err;
    inet_lock();
    err = locked(i, &ip, port);
    inet_unlock();
    return err;
}
