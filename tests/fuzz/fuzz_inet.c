// SPDX-License-Identifier: MIT
// Packets that come in: lwIP and all of kernel/net's AF_INET around it, on the host (tests/fuzz/inet). The input is a row of packets
// for loopback, some as they are, some made to fit what is there: listeners of both families, a connection, a socket of UDP and one of
// ICMP for each. Nothing is read or written where it is not, and when all sockets have been closed all memory has come back.
#include "lib/string.h"
#include "net/inet.h"
#include "net/device.h"
#include "net/inet_fragment.h"
#include "net/inet_parts.h"
#include "net/inet_private.h"
#include "net/interface.h"
#include "net/loopback.h"
#include "sched/user.h"

void host_init(void);
extern uint64_t host_ticks;
void abort(void) __noreturn;

enum { LISTENER, LISTENER6, CLIENT, SERVER, DATAGRAM, DATAGRAM6, RAW, RAW6, PING, SOCKETS };
static struct socket *sockets[SOCKETS];

struct input {
    const uint8_t *at, *end;
};
static unsigned int next(struct input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

int printf(const char *format, ...);
#define check(holds) ((holds) ? (void)0 : (printf("%d: does not hold: %s\n", __LINE__, #holds), abort()))

// ---- what is there

static struct socket_address name_of(int family, uint16_t port) {
    struct socket_address a = {.family = (__kernel_sa_family_t)family};
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&a.storage;
        in->sin_port = lwip_htons(port);
        in->sin_addr.s_addr = PP_HTONL(INADDR_LOOPBACK);
        a.len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&a.storage;
        in->sin6_port = lwip_htons(port);
        in->sin6_addr.s6_addr[15] = 1;
        a.len = sizeof(*in);
    }
    return a;
}

static struct socket *make(int family, int type, int protocol, uint16_t port) {
    struct socket *s = socket_create(family, type, protocol);
    struct socket_address a = name_of(family, port);
    check(!IS_ERR(s));
    if (port)
        check(s->ops->bind(s, &a) == 0);
    return s;
}

static void make_sockets(void) {
    struct socket_address to = name_of(AF_INET, 80);
    sockets[LISTENER] = make(AF_INET, SOCK_STREAM, 0, 80);
    sockets[LISTENER6] = make(AF_INET6, SOCK_STREAM, 0, 81);
    check(sockets[LISTENER]->ops->listen(sockets[LISTENER], 4) == 0);
    check(sockets[LISTENER6]->ops->listen(sockets[LISTENER6], 4) == 0);
    sockets[CLIENT] = make(AF_INET, SOCK_STREAM, 0, 40000);
    check(sockets[CLIENT]->ops->connect(sockets[CLIENT], &to, 0) == -EINPROGRESS);
    sockets[SERVER] = sockets[LISTENER]->ops->accept(sockets[LISTENER], 0);
    check(!IS_ERR(sockets[SERVER]) && to_inet(sockets[CLIENT])->tcp && to_inet(sockets[SERVER])->tcp);
    sockets[DATAGRAM] = make(AF_INET, SOCK_DGRAM, 0, 53);
    sockets[DATAGRAM6] = make(AF_INET6, SOCK_DGRAM, 0, 54);
    inet_put_switch(to_inet(sockets[DATAGRAM]), IN_RECVERR, true);
    inet_put_switch(to_inet(sockets[DATAGRAM6]), IN_RECVERR6, true);
    sockets[RAW] = make(AF_INET, SOCK_RAW, IPPROTO_ICMP, 0);
    sockets[RAW6] = make(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, 0);
    sockets[PING] = make(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 77);
}

// What nobody has any more: connections, TIME_WAIT, fragments without a rest.
static void end_connections(void) {
    inet_lock(&first_net_ns);
    inet_parts_join();
    while (tcp_active_pcbs)
        tcp_abort(tcp_active_pcbs);
    inet_parts_divide();
    while (tcp_tw_pcbs)
        tcp_abort(tcp_tw_pcbs);
    host_ticks += 61000000000ull; // more than a minute
    check(inet_fragments_expire_locked() == KTIME_NEVER);
    inet_unlock();
}

static void end_sockets(void) {
    for (int i = 0; i < SOCKETS; i++)
        socket_release(sockets[i]);
    end_connections();
}

// ---- packets

static void receive(const void *bytes, size_t n) {
    inet_lock(&first_net_ns);
    struct net_frame *f = net_frame_create(&loopback_device, n);
    if (f) {
        memcpy(f->data, bytes, n);
        net_receive(f);
    }
    inet_unlock();
}

static uint8_t packet[2048];

static void put(size_t at, uint32_t value, unsigned int bytes) {
    for (unsigned int i = 0; i < bytes; i++)
        packet[at + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

// A header of IP before `n` bytes behind it; where these begin.
static size_t put_ip(bool six, uint8_t protocol, size_t n) {
    memset(packet, 0, 40);
    if (six) {
        packet[0] = 0x60;
        put(4, (uint32_t)n, 2);
        packet[6] = protocol;
        packet[7] = 64;
        packet[23] = packet[39] = 1;
        return 40;
    }
    packet[0] = 0x45;
    put(2, (uint32_t)n + 20, 2);
    packet[8] = 64;
    packet[9] = protocol;
    put(12, INADDR_LOOPBACK, 4);
    put(16, INADDR_LOOPBACK, 4);
    put(10, lwip_ntohs((uint16_t)~0 & inet_chksum(packet, 20)), 2);
    return 20;
}

static size_t take(struct input *in, size_t at, size_t most) {
    size_t n = next(in) * (next(in) % 4 + 1);
    n = MIN(n, most);
    for (size_t i = 0; i < n; i++)
        packet[at + i] = (uint8_t)next(in);
    return n;
}

// A segment from one end of the connection to the other, whose numbers are near those that are waited for; or to a listener.
static void send_segment(struct input *in) {
    unsigned int to = next(in);
    struct inet_socket *i = to_inet(sockets[to & 1 ? CLIENT : SERVER]);
    bool six = to & 2, listens = to & 4 || !i->tcp, odd = to & 8;
    size_t at = six ? 40 : 20, options = next(in) % 11 * 4, n = take(in, at + 20, options + 1000);
    n = MAX(n, options);
    put_ip(six, IP_PROTO_TCP, 20 + n);
    put(at, listens ? 1000 + next(in) % 4 : i->remote_port, 2);
    put(at + 2, listens ? (six ? 81 : 80) : i->local_port, 2);
    uint32_t sequence = listens ? 0 : i->tcp->rcv_nxt, acknowledged = listens ? 0 : i->tcp->snd_nxt;
    put(at + 4, sequence + (odd ? (uint32_t)(int8_t)next(in) * 100 : 0), 4);
    put(at + 8, acknowledged + (odd ? (uint32_t)(int8_t)next(in) : 0), 4);
    packet[at + 12] = (uint8_t)((5 + options / 4) << 4);
    packet[at + 13] = (uint8_t)next(in);
    put(at + 14, next(in) << 8, 2);
    put(at + 16, 0, 2);
    put(at + 18, next(in), 2);
    receive(packet, at + 20 + n);
}

static void send_datagram(struct input *in) {
    bool six = next(in) & 1;
    size_t at = six ? 40 : 20, n = take(in, at + 8, 1000);
    put_ip(six, IP_PROTO_UDP, 8 + n);
    put(at, next(in), 2);
    put(at + 2, six ? 54 : 53, 2);
    put(at + 4, 8 + (uint32_t)n, 2);
    put(at + 6, 0, 2);
    receive(packet, at + 8 + n);
}

// An error of ICMP about a packet of ours, or what else the input has.
static void send_icmp(struct input *in) {
    bool six = next(in) & 1;
    size_t at = six ? 40 : 20, inner = at + 8;
    unsigned int about = next(in), type = next(in), code = next(in);
    size_t n = take(in, inner, 200);
    if (about & 1) { // the header of a packet that went out
        static const uint8_t protocols[] = {IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_ICMP, IP_PROTO_UDPLITE};
        size_t inner_len = put_ip(six, protocols[about / 2 % 4], n);
        memmove(packet + inner, packet, inner_len);
        put(inner + inner_len, about & 16 ? 40000 : about & 32 ? 53 : 54, 2);
        n = MAX(n, inner_len + 8);
    }
    put_ip(six, six ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP, 8 + n);
    put(at, type << 8 | code, 2);
    put(at + 2, 0, 2);
    receive(packet, inner + n);
}

static void send_raw(struct input *in) {
    receive(packet, take(in, 0, sizeof(packet)));
}

static void pass_time(struct input *in) {
    host_ticks += 250000000ull * (next(in) % 8 + 1);
    inet_lock(&first_net_ns);
    inet_parts_join();
    tcp_tmr();
    inet_parts_divide();
    (void)inet_fragments_expire_locked();
    inet_unlock();
}

static void shut_down(struct input *in) {
    struct socket *s = sockets[next(in) & 1 ? CLIENT : SERVER];
    (void)s->ops->shutdown(s, next(in) & 1 ? SEND_SHUTDOWN : RCV_SHUTDOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const what[])(struct input * in) = {send_segment, send_segment, send_segment, send_datagram,
                                                      send_icmp,    send_raw,     pass_time,    shut_down};
    static bool started;
    static long kept;
    struct input in = {data, data + size};
    if (!started) {
        host_init();
        inet_init();
        first_net_ns.settings.ping_groups[0] = 0; // everybody's
        net_device_init();
        make_sockets(); // what is made once
        end_sockets();
        kept = root_user.used[USER_SOCKET_BYTES];
        started = true;
    }
    make_sockets();
    while (in.at < in.end)
        what[next(&in) % ARRAY_SIZE(what)](&in);
    end_sockets();
    check(root_user.used[USER_SOCKET_BYTES] == kept);
    return 0;
}
