// SPDX-License-Identifier: MIT
#include "net/inet_parts.h"

#define TCP_PORTS_LEN 4u // a header begins with them

static struct tcp_pcb *parts[INET_PARTS] __net_state; // but the current one, whose list lwIP has
static unsigned int current_part __net_state;
static bool joined __net_state;

static uint32_t keys[2]; // [I] odd; which connections share a part nobody can guess

static inline unsigned int part_of_words(uint32_t address, uint32_t ports) {
    return (address * keys[0] + ports * keys[1]) / (UINT32_MAX / INET_PARTS + 1);
}

static inline unsigned int part_of(const ip_addr_t *remote, uint16_t remote_port, uint16_t local_port) {
    const uint32_t *w = ip_2_ip6(remote)->addr;
    return part_of_words(IP_IS_V4(remote) ? w[0] : w[0] ^ w[1] ^ w[2] ^ w[3],
                         lwip_htonl((uint32_t)remote_port << 16 | local_port));
}

void inet_parts_start(void) {
    keys[0] = inet_random() | 1;
    keys[1] = inet_random() | 1;
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

// Both ports stand at the start of a header, in the order of the network.
static inline void part_for_packet4(const struct pbuf *p) {
    const struct ip_hdr *h = p->payload;
    unsigned int len = IPH_HL_BYTES(h);
    if (IPH_PROTO(h) == IP_PROTO_TCP && p->len >= len + TCP_PORTS_LEN)
        inet_part(part_of_words(net_word_at(&h->src), net_word_at((const uint8_t *)h + len)));
}

static bool part_for_packet6(const struct pbuf *p) {
    const struct ip6_hdr *h = p->payload;
    uint8_t next = IP6H_NEXTH(h);
    if (next != IP6_NEXTH_TCP) // behind one of these there may be TCP
        return next == IP6_NEXTH_HOPBYHOP || next == IP6_NEXTH_ROUTING || next == IP6_NEXTH_FRAGMENT ||
               next == IP6_NEXTH_DESTOPTS;
    if (p->len < IP6_HLEN + TCP_PORTS_LEN)
        return false;
    inet_part(
        part_of_words(h->src.addr[0] ^ h->src.addr[1] ^ h->src.addr[2] ^ h->src.addr[3], net_word_at(h + 1)));
    return false;
}

bool inet_part_for_packet(const struct pbuf *p, bool six) {
    ASSERT_HELD(&inet_mutex);
    bool any = six && part_for_packet6(p);
    if (!six)
        part_for_packet4(p);
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
