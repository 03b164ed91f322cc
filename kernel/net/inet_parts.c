// SPDX-License-Identifier: MIT
#include "net/inet_parts.h"

#define TCP_PORTS_LEN 4u // a header begins with them

static struct tcp_pcb *parts[INET_PARTS]; // [n] but the current one, whose list lwIP has
static unsigned int current_part;         // [n]
static bool joined;                       // [n]

static unsigned int part_of(const ip_addr_t *remote, uint16_t remote_port, uint16_t local_port) {
    return (inet_hash(remote, remote_port) + local_port * 0x9e3779b1u) / (UINT32_MAX / INET_PARTS + 1);
}

void inet_part(unsigned int n) {
    ASSERT_HELD(&inet_mutex);
    if (joined || n == current_part)
        return;
    parts[current_part] = tcp_active_pcbs;
    tcp_active_pcbs = parts[n];
    current_part = n;
}

void inet_part_for(const ip_addr_t *remote, uint16_t remote_port, uint16_t local_port) {
    inet_part(part_of(remote, remote_port, local_port));
}

static uint16_t port_at(const uint8_t *b) {
    return (uint16_t)(b[0] << 8 | b[1]);
}

static bool part_for_packet4(const struct pbuf *p) {
    const struct ip_hdr *h = p->payload;
    unsigned int len = IPH_HL_BYTES(h);
    ip_addr_t from;
    if (IPH_PROTO(h) != IP_PROTO_TCP || p->len < len + TCP_PORTS_LEN)
        return false;
    if (IPH_OFFSET(h) & PP_HTONS(IP_OFFMASK | IP_MF)) // which has them may be another one
        return true;
    const uint8_t *ports = (const uint8_t *)h + len;
    ip_addr_set_ip4_u32_val(from, h->src.addr);
    inet_part_for(&from, port_at(ports), port_at(ports + 2));
    return false;
}

static bool part_for_packet6(const struct pbuf *p) {
    const struct ip6_hdr *h = p->payload;
    uint8_t next = IP6H_NEXTH(h);
    ip_addr_t from;
    if (next != IP6_NEXTH_TCP) // behind one of these there may be TCP
        return next == IP6_NEXTH_HOPBYHOP || next == IP6_NEXTH_ROUTING || next == IP6_NEXTH_FRAGMENT ||
               next == IP6_NEXTH_DESTOPTS;
    if (p->len < IP6_HLEN + TCP_PORTS_LEN)
        return false;
    const uint8_t *ports = (const uint8_t *)(h + 1);
    IP_ADDR6(&from, h->src.addr[0], h->src.addr[1], h->src.addr[2], h->src.addr[3]);
    inet_part_for(&from, port_at(ports), port_at(ports + 2));
    return false;
}

bool inet_part_for_packet(const struct pbuf *p) {
    ASSERT_HELD(&inet_mutex);
    bool any = IPH_V((const struct ip_hdr *)p->payload) == 6 ? part_for_packet6(p) : part_for_packet4(p);
    if (unlikely(any))
        inet_parts_join();
    return any;
}

void inet_parts_join(void) {
    ASSERT_HELD(&inet_mutex);
    parts[current_part] = tcp_active_pcbs;
    tcp_active_pcbs = NULL;
    joined = true;
    for (unsigned int n = 0; n < INET_PARTS; n++) {
        for (struct tcp_pcb *p = parts[n], *next; p; p = next) {
            next = p->next;
            p->next = tcp_active_pcbs;
            tcp_active_pcbs = p;
        }
        parts[n] = NULL;
    }
}

void inet_parts_divide(void) {
    ASSERT_HELD(&inet_mutex);
    struct tcp_pcb *all = tcp_active_pcbs;
    for (struct tcp_pcb *p = all, *next; p; p = next) {
        struct tcp_pcb **to = &parts[part_of(&p->remote_ip, p->remote_port, p->local_port)];
        next = p->next;
        p->next = *to;
        *to = p;
    }
    tcp_active_pcbs = parts[current_part];
    joined = false;
}
