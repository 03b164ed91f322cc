// SPDX-License-Identifier: MIT
// Who may have which address and port: Linux's rules (socket(7), ip(7)).
//
// Two sockets may have one port if their addresses do not overlap; or if both said SO_REUSEADDR, and, of TCP, none of them listens; or
// if both said SO_REUSEPORT. "Any" overlaps with every address of its family, and that of IPv6 with IPv4's, too, unless
// IPV6_V6ONLY says otherwise.
#include "net/inet.h"
#include "core/cred.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/inet_memory.h"
#include "net/inet_parts.h"
#include "net/inet_private.h"
#include "sched/thread.h"
#include <linux/capability.h>

// IP_FREEBIND, IP_TRANSPARENT
static bool may_be_foreign(const struct inet_socket *i, const ip_addr_t *ip) {
    if (READ_ONCE(i->s.net->settings.nonlocal_bind))
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
    if (!ip_addr_isany(ip) && !inet_is_own(i->s.net, ip) && !ip_addr_ismulticast(ip) &&
        !may_be_foreign(i, ip))
        return -EADDRNOTAVAIL;
    if (!has_ports(i))
        return 0;
    if (*port && *port < READ_ONCE(i->s.net->settings.unprivileged_port) &&
        !net_capable(i->s.net, CAP_NET_BIND_SERVICE))
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

// ---- which ports are in use

// Of the pcbs of a protocol, in whatever state, how many have a port: a number for each port modulo PORT_PLACES. Where there is
// none, nobody has to look through all pcbs. A number that has become as large as it can be stays so.
#define PORT_PLACES 32768u // those from which we pick are fewer, and so each of them has its own
static uint8_t *tcp_places __net_state, *udp_places __net_state;

static uint8_t *place_of(uint8_t *places, uint16_t port) {
    return &places[port % PORT_PLACES];
}

static void use_port(uint8_t *places, uint16_t port) {
    uint8_t *n = place_of(places, port);
    *n += *n != UINT8_MAX;
}

static void leave_port(uint8_t *places, uint16_t port) {
    uint8_t *n = place_of(places, port);
    *n -= *n != UINT8_MAX;
}

// lwIP frees TCP's pcbs when it likes: it tells by the callbacks of an argument of theirs, which is the port.
static void on_pcb_freed(u8_t id, void *port) {
    (void)id;
    leave_port(tcp_places, (uint16_t)(unsigned long)port);
}

static err_t on_pcb_opened(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *p) {
    (void)id, (void)listener;
    inet_tcp_note_port(p);
    return ERR_OK;
}

void inet_tcp_note_port(struct tcp_pcb *p) {
    static const struct tcp_ext_arg_callbacks callbacks = {.destroy = on_pcb_freed,
                                                           .passive_open = on_pcb_opened};
    ASSERT_HELD(&inet_mutex);
    tcp_ext_arg_set_callbacks(p, 0, &callbacks);
    tcp_ext_arg_set(p, 0, (void *)(unsigned long)p->local_port);
    use_port(tcp_places, p->local_port);
}

int inet_tcp_bind_pcb(struct tcp_pcb *p, const ip_addr_t *ip, uint16_t port) {
    if (p->local_port) // it is in lwIP's list of those, and must not come into it twice
        return -EINVAL;
    err_t err = tcp_bind(p, ip, port);
    if (err == ERR_OK)
        inet_tcp_note_port(p);
    return inet_errno(err);
}

void inet_udp_remove_pcb(struct inet_socket *i) {
    ASSERT_HELD(&inet_mutex);
    if (i->udp->local_port)
        leave_port(udp_places, i->udp->local_port);
    udp_remove(i->udp);
    i->udp = NULL;
}

static int bind_udp(struct udp_pcb *p, const ip_addr_t *ip, uint16_t port) {
    err_t err = udp_bind(p, ip, port);
    if (err == ERR_OK)
        use_port(udp_places, port);
    return inet_errno(err);
}

int inet_bind_start(void) {
    ASSERT_HELD(&inet_mutex);
    if (!tcp_places)
        tcp_places = inet_calloc(PORT_PLACES, sizeof(*tcp_places));
    if (!udp_places)
        udp_places = inet_calloc(PORT_PLACES, sizeof(*udp_places));
    return tcp_places && udp_places ? 0 : -ENOMEM;
}

void inet_bind_end(void) {
    ASSERT_HELD(&inet_mutex);
    inet_free(tcp_places);
    inet_free(udp_places);
    tcp_places = udp_places = NULL;
}

// ---- who forbids what

// What is looked for in the pcbs of a protocol: somebody else's that forbids i to have `port` at this address; or, with `taken`,
// all ports that are forbidden so, a bit for each.
struct search {
    const struct inet_socket *i;
    const ip_addr_t *ip;
    uint16_t port;
    uint64_t *taken;
};

// True: this is one, and there is no need to go on.
static bool found(const struct search *s, uint16_t port) {
    if (!s->taken)
        return true;
    s->taken[port / 64] |= 1ull << port % 64;
    return false;
}

static bool search_list(const struct search *s, const struct tcp_pcb *list) {
    for (const struct tcp_pcb *p = list; p; p = p->next)
        if ((s->taken || p->local_port == s->port) && p != s->i->tcp && overlap(&p->local_ip, s->ip) &&
            forbids(s->i, p->callback_arg, p->so_options, p->state == LISTEN) && found(s, p->local_port))
            return true;
    return false;
}

static bool search_tcp(const struct search *s) {
    if (search_list(s, tcp_listen_pcbs.pcbs) || search_list(s, tcp_bound_pcbs) || search_list(s, tcp_tw_pcbs))
        return true;
    for (unsigned int n = 0; n < INET_PARTS; n++) {
        inet_part(n);
        if (search_list(s, tcp_active_pcbs))
            return true;
    }
    return false;
}

static bool search_udp(const struct search *s) {
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
        if ((s->taken || p->local_port == s->port) && p != s->i->udp && overlap(&p->local_ip, s->ip) &&
            forbids(s->i, p->recv_arg, p->so_options, false) && found(s, p->local_port))
            return true;
    return false;
}

bool inet_listener_conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    return search_list(&(struct search){i, ip, port, NULL}, tcp_listen_pcbs.pcbs);
}

static bool is_stream(const struct inet_socket *i) {
    return i->s.type == SOCK_STREAM;
}

static bool conflicts(const struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    struct search s = {i, ip, port, NULL};
    if (likely(!*place_of(is_stream(i) ? tcp_places : udp_places, port)))
        return false;
    return is_stream(i) ? search_tcp(&s) : search_udp(&s);
}

ip_addr_t inet_any(const struct inet_socket *i) {
    ip_addr_t any;
    memset(&any, 0, sizeof(any));
    IP_SET_TYPE_VAL(any, inet_pcb_type(i));
    return any;
}

// The first of the ports first, first + 1, ... first + count - 1, from `start` on and around, that nobody may have. 0: somebody
// may have each.
static uint16_t first_unused(const uint8_t *places, unsigned long first, unsigned long count,
                             unsigned long start) {
    for (unsigned long n = 0; n < count; n++) {
        uint16_t port = first + (start + n) % count;
        if (likely(!places[port % PORT_PLACES]))
            return port;
    }
    return 0;
}

static uint16_t first_not_taken(const uint64_t *taken, unsigned long first, unsigned long count,
                                unsigned long start) {
    for (unsigned long n = 0; n < count; n++) {
        uint16_t port = first + (start + n) % count;
        if (!(taken[port / 64] >> port % 64 & 1))
            return port;
    }
    return 0;
}

// At most one look at each port's place, one at each pcb and one at each port.
uint16_t inet_pick_port(const struct inet_socket *i, const ip_addr_t *ip) {
    const unsigned long *range = inet_net->settings.port_range;
    unsigned long first = READ_ONCE(range[0]), last = READ_ONCE(range[1]);
    unsigned long count = last >= first ? last - first + 1 : 1, start = inet_random() % count;
    uint16_t port = first_unused(is_stream(i) ? tcp_places : udp_places, first, count, start);
    if (likely(port))
        return port;
    struct search s = {i, ip, 0, kzalloc(0x10000 / 8)};
    if (!s.taken)
        return 0;
    (void)(is_stream(i) ? search_tcp(&s) : search_udp(&s));
    port = first_not_taken(s.taken, first, count, start);
    kfree(s.taken);
    return port;
}

int inet_bind_locked(struct inet_socket *i, const ip_addr_t *ip, uint16_t port) {
    ASSERT_HELD(&inet_mutex);
    bool chosen = port;
    inet_apply_options(i);
    if (!port)
        port = inet_pick_port(i, ip);
    if (!port || (chosen && conflicts(i, ip, port)))
        return -EADDRINUSE;
    int err = is_stream(i) ? inet_tcp_bind_pcb(i->tcp, ip, port) : bind_udp(i->udp, ip, port);
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
    inet_lock(i->s.net);
    err = locked(i, &ip, port);
    inet_unlock();
    return err;
}
