// SPDX-License-Identifier: MIT
// AF_INET and AF_INET6 over lwIP: life, addresses, names (ip(7), ipv6(7), tcp(7), udp(7)).
//
//   inet_stack    lwIP, its lock, its memory, its timers, its devices
//   inet_bind     who may have which address and port
//   inet_tcp      connections;  inet_tcp_send, _recv  what travels on them
//   inet_udp, inet_raw                     datagrams: UDP; raw and ping sockets
//   inet_send, inet_datagram, inet_error   what these have in common: where they go; what comes in; ICMP's errors
//   inet_group    groups (multicast)
//   inet_options  IP_*, IPV6_*, TCP_*
//
// A socket has a pcb of lwIP's, whose callbacks run with the stack's lock held and find the socket by their argument. Who
// takes the pcb away, lwIP or we, does so under that lock and clears the pointer. So a callback needs no reference: as long as the
// pcb has the socket's address the socket has not been released.
#include "net/inet.h"
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/device.h"
#include "net/inet_memory.h"
#include "net/inet_private.h"
#include "net/inet_raw.h"
#include "net/route.h"
#include "sched/user.h"
#include <linux/capability.h>
#include <linux/rtnetlink.h>

static struct slab_cache *sockets;

// ---- life

struct inet_socket *inet_alloc(struct net_ns *net, int family, int type, int protocol,
                               const struct socket_ops *ops, struct user *user) {
    struct inet_socket *i = inet_user_is_full(user) ? NULL : slab_zalloc(sockets);
    if (!i)
        return NULL;
    socket_init(&i->s, ops, family, type, protocol);
    i->s.net = net;
    user_put(i->s.user);
    i->s.user = user_get(user);
    i->s.reserved = sizeof(*i); // of those that wait to be accepted there may be many
    user_charge(user, USER_SOCKET_BYTES, sizeof(*i));
    u8_t kind = family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_ANY;
    IP_SET_TYPE_VAL(i->local, kind);
    IP_SET_TYPE_VAL(i->remote, kind);
    mutex_init(&i->write_mutex);
    list_init(&i->accept_queue);
    list_init(&i->accept_link);
    list_init(&i->deferred_queue);
    list_init(&i->datagrams);
    list_init(&i->errors);
    list_init(&i->groups);
    list_init(&i->raw_link);
    i->v6only = family == AF_INET6 && READ_ONCE(net->settings.v6only);
    i->group_ttl = i->group_hops = 1;
    i->stamp = INET_NO_STAMP;
    socket_put_flag(&i->s, SOCKET_REUSEADDR, type == SOCK_RAW || protocol == IPPROTO_ICMP);
    i->mtu_discover[0] = i->mtu_discover[1] = IP_PMTUDISC_WANT;
    i->switches = 1ull << IN_MULTICAST_ALL | 1ull << IN_MULTICAST_ALL6 | 1ull << IN_MULTICAST_LOOP |
                  1ull << IN_MULTICAST_LOOP6;
    return i;
}

void inet_free_socket(struct socket *s) {
    slab_free(sockets, s);
}

struct kind {
    uint8_t type, protocol; // protocol 0: any but 0
    const struct socket_ops *ops;
    int (*create)(struct inet_socket *i);
    int family; // 0: both
};

static const struct kind kinds[] = {
    {SOCK_STREAM, IPPROTO_TCP, &inet_tcp_ops, inet_tcp_create, 0},
    {SOCK_DGRAM, IPPROTO_UDP, &inet_udp_ops, inet_udp_create, 0},
    {SOCK_DGRAM, IPPROTO_UDPLITE, &inet_udp_ops, inet_udp_create, 0},
    {SOCK_DGRAM, IPPROTO_ICMP, &inet_raw_ops, inet_raw_create, AF_INET},
    {SOCK_DGRAM, IPPROTO_ICMPV6, &inet_raw_ops, inet_raw_create, AF_INET6},
    {SOCK_RAW, 0, &inet_raw_ops, inet_raw_create, 0},
};

// What a protocol of 0 stands for is the first of its type. NULL: there is no such.
static const struct kind *find_kind(int family, int type, int *protocol) {
    for (size_t n = 0; n < ARRAY_SIZE(kinds); n++) {
        const struct kind *k = &kinds[n];
        if (k->type != type || (k->family && k->family != family))
            continue;
        if (k->protocol ? !*protocol || *protocol == k->protocol : *protocol) {
            *protocol = k->protocol ?: *protocol;
            return k;
        }
    }
    return NULL;
}

static struct socket *create(int family, int type, int protocol) {
    if (protocol < 0 || protocol >= IPPROTO_MAX)
        return ERR_PTR(-EINVAL);
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
        return ERR_PTR(-ESOCKTNOSUPPORT);
    const struct kind *k = protocol > UINT8_MAX ? NULL : find_kind(family, type, &protocol);
    if (!k)
        return ERR_PTR(-EPROTONOSUPPORT);
    int err = k->ops == &inet_raw_ops ? inet_raw_check(type) : 0;
    if (!err)
        err = inet_start(net_current());
    if (err)
        return ERR_PTR(err);
    struct inet_socket *i = inet_alloc(net_current(), family, type, protocol, k->ops, current->cred->user);
    if (!i)
        return ERR_PTR(-ENOBUFS);
    err = k->create(i);
    if (!err)
        return &i->s;
    socket_put(&i->s);
    return ERR_PTR(err);
}

static struct socket *create4(int type, int protocol) {
    return create(AF_INET, type, protocol);
}

static struct socket *create6(int type, int protocol) {
    return create(AF_INET6, type, protocol);
}

u8_t inet_pcb_options(const struct inet_socket *i) {
    return SOF_REUSEADDR | (socket_has(&i->s, SOCKET_KEEPALIVE) ? SOF_KEEPALIVE : 0) |
           (socket_has(&i->s, SOCKET_BROADCAST) ? SOF_BROADCAST : 0) |
           (socket_has(&i->s, SOCKET_REUSEADDR) ? SOF_USER_REUSEADDR : 0) |
           (socket_has(&i->s, SOCKET_REUSEPORT) ? SOF_USER_REUSEPORT : 0);
}

// ---- addresses

#define SIN6_LEN_MIN 24 // without the scope

static int read4(const struct socket_address *a, ip_addr_t *ip, uint16_t *port) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
    if (a->len < (int)sizeof(*in))
        return -EINVAL;
    ip_addr_set_ip4_u32_val(*ip, in->sin_addr.s_addr);
    *port = lwip_ntohs(in->sin_port);
    return 0;
}

bool inet_address_is_mapped(const struct in6_addr *a) {
    return !a->s6_addr32[0] && !a->s6_addr32[1] && a->s6_addr32[2] == PP_HTONL(0xffff);
}

static int read6(const struct socket_address *a, ip_addr_t *ip, uint16_t *port) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a->storage;
    if (a->len < SIN6_LEN_MIN)
        return -EINVAL;
    const uint32_t *word = in->sin6_addr.s6_addr32;
    if (inet_address_is_mapped(&in->sin6_addr))
        ip_addr_set_ip4_u32_val(*ip, word[3]);
    else
        IP_ADDR6(ip, word[0], word[1], word[2], word[3]);
    *port = lwip_ntohs(in->sin6_port);
    return 0;
}

int inet_read_address(const struct inet_socket *i, const struct socket_address *a, ip_addr_t *ip,
                      uint16_t *port) {
    int least = i->s.family == AF_INET ? (int)sizeof(struct sockaddr_in) : SIN6_LEN_MIN;
    memset(ip, 0, sizeof(*ip));
    if (a->len < least)
        return -EINVAL;
    if (a->family != i->s.family)
        return -EAFNOSUPPORT;
    return i->s.family == AF_INET ? read4(a, ip, port) : read6(a, ip, port);
}

void inet_write_address(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port,
                        struct socket_address *out) {
    if (i->s.family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&out->storage;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = lwip_htons(port)};
        in->sin_addr.s_addr = ip4_addr_get_u32(ip_2_ip4(ip));
        out->len = sizeof(*in);
        return;
    }
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out->storage;
    *in = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = lwip_htons(port)};
    uint32_t *word = in->sin6_addr.s6_addr32;
    if (IP_IS_V4(ip)) {
        word[2] = PP_HTONL(0xffff);
        word[3] = ip4_addr_get_u32(ip_2_ip4(ip));
    } else if (!ip_addr_isany(ip)) {
        memcpy(word, ip_2_ip6(ip)->addr, sizeof(in->sin6_addr));
    }
    out->len = sizeof(*in);
}

int inet_name(struct socket *s, struct socket_address *out, bool peer) {
    struct inet_socket *i = to_inet(s);
    int err = 0;
    inet_lock(s->net);
    if (peer && (READ_ONCE(s->state) != SOCKET_CONNECTED || !i->remote_port))
        err = -ENOTCONN;
    else
        inet_write_address(i, peer ? &i->remote : &i->local, peer ? i->remote_port : i->local_port, out);
    inet_unlock();
    return err;
}

static struct net_address net_address_from(const ip_addr_t *ip) {
    return IP_IS_V4(ip) ? net_address_ip4(ip4_addr_get_u32(ip_2_ip4(ip)))
                        : net_address_of(AF_INET6, ip_2_ip6(ip)->addr);
}

bool inet_is_own(struct net_ns *net, const ip_addr_t *ip) {
    struct net_address a = net_address_from(ip);
    if (IP_IS_V4(ip) && likely(ip4_addr_isloopback(ip_2_ip4(ip)) && READ_ONCE(net->loopback_is_plain)))
        return true;
    inet_lock(net);
    bool own = net_route_is_local_locked(&a);
    inet_unlock();
    return own;
}

// Is there a way to it, and why not? `broadcast`: it leads to all of a network.
static int find_way(const struct inet_socket *i, const ip_addr_t *ip, bool *broadcast) {
    struct net_address a = net_address_from(ip);
    struct net_way way;
    *broadcast = false;
    if (IP_IS_V4(ip) && likely(inet_is_plain_loopback(i->s.net, ip_2_ip4(ip))))
        return 0;
    inet_lock(i->s.net);
    const struct net_device *said = i->device ? net_device_find_locked(i->device) : NULL;
    int err = i->device && !said ? -ENODEV : net_route_find_locked(&a, said, &way);
    *broadcast = !err && way.route->type == RTN_BROADCAST;
    inet_unlock();
    return err == -ENETUNREACH && said ? 0 : err; // it is there, then
}

// Groups of IPv4, and "all networks", go where the sender says, by device or source; else where a route leads.
static int check_way_to_group(const struct inet_socket *i, const ip_addr_t *ip, bool way_is_known) {
    bool bound = IP_IS_V4(&i->local) && !ip_addr_isany(&i->local) && inet_is_own(i->s.net, &i->local);
    bool said = way_is_known || bound || READ_ONCE(i->device) || (ip_addr_ismulticast(ip) && i->group_device);
    bool broadcast;
    if (i->s.type == SOCK_STREAM)
        return -ENETUNREACH;
    return said ? 0 : find_way(i, ip, &broadcast);
}

int inet_route(const struct inet_socket *i, ip_addr_t *ip, bool way_is_known) {
    if (IP_IS_V4(ip) && i->s.family == AF_INET6 && i->v6only)
        return -ENETUNREACH;
    if (ip_addr_isany(ip)) {
        // On a socket of IPv6 that is bound to an address of IPv4 "any" is this machine's IPv4 address.
        if (IP_IS_V4(ip) || (IP_IS_V4(&i->local) && !ip_addr_isany(&i->local)))
            IP_ADDR4(ip, 127, 0, 0, 1);
        else
            IP_ADDR6_HOST(ip, 0, 0, 0, 1);
    }
    bool all = IP_IS_V4(ip) && ip4_addr_get_u32(ip_2_ip4(ip)) == IPADDR_BROADCAST, broadcast = all;
    int err = all || (IP_IS_V4(ip) && ip_addr_ismulticast(ip)) ? check_way_to_group(i, ip, way_is_known)
                                                               : find_way(i, ip, &broadcast);
    if (err || !broadcast)
        return err;
    return i->s.type == SOCK_STREAM ? -ENETUNREACH : socket_has(&i->s, SOCKET_BROADCAST) ? 0 : -EACCES;
}

// ---- start

void inet_init(void) {
    static const struct socket_family inet4 = {AF_INET, create4}, inet6 = {AF_INET6, create6};
    sockets = slab_create("inet_socket", sizeof(struct inet_socket), 0);
    inet_stack_init();
    socket_family_register(&inet4);
    socket_family_register(&inet6);
}
