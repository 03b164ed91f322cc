// SPDX-License-Identifier: MIT
// The message of ICMP that a packet makes which waited for its neighbour in vain: it comes by loopback, from this machine to itself.
#include "net/inet_unreachable.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/inet_stack.h"

#define QUOTED_MOST 548u // bytes of a packet that go back with the message
#define UNREACHABLE 8u   // bytes of the message before them

static void about4(const struct net_frame *packet) {
    const struct ip_hdr *h = (const struct ip_hdr *)packet->data;
    size_t quoted = MIN((size_t)packet->len, (size_t)QUOTED_MOST), n = UNREACHABLE + quoted;
    if (packet->len < IP_HLEN || !h->src.addr)
        return;
    struct net_frame *f = net_frame_create(&loopback_device, IP_HLEN + n);
    if (!f)
        return;
    struct ip_hdr *out = (struct ip_hdr *)f->data;
    uint8_t *message = f->data + IP_HLEN;
    *out =
        (struct ip_hdr){._v_hl = 0x45, ._len = lwip_htons(IP_HLEN + n), ._ttl = 64, ._proto = IP_PROTO_ICMP};
    out->src = out->dest = h->src;
    out->_chksum = (uint16_t)~net_sum(out, IP_HLEN);
    memset(message, 0, UNREACHABLE);
    message[0] = ICMP_DUR;
    message[1] = ICMP_DUR_HOST;
    memcpy(message + UNREACHABLE, packet->data, quoted);
    uint16_t sum = (uint16_t)~net_sum(message, n);
    memcpy(message + 2, &sum, sizeof(sum));
    net_receive(f);
}

static void about6(const struct net_frame *packet) {
    const struct ip6_hdr *h = (const struct ip6_hdr *)packet->data;
    size_t quoted = MIN((size_t)packet->len, (size_t)QUOTED_MOST), n = UNREACHABLE + quoted;
    struct net_frame *f = packet->len < IP6_HLEN ? NULL : net_frame_create(&loopback_device, IP6_HLEN + n);
    if (!f)
        return;
    struct ip6_hdr *out = (struct ip6_hdr *)f->data;
    uint8_t *message = f->data + IP6_HLEN;
    *out = (struct ip6_hdr){
        ._v_tc_fl = PP_HTONL(0x60000000), ._plen = lwip_htons(n), ._nexth = IP6_NEXTH_ICMP6, ._hoplim = 64};
    out->src = out->dest = h->src;
    memset(message, 0, UNREACHABLE);
    message[0] = ICMP6_TYPE_DUR;
    message[1] = ICMP6_DUR_ADDRESS;
    memcpy(message + UNREACHABLE, packet->data, quoted);
    uint16_t sum = net_sum_ip6(&out->src, IP6_NEXTH_ICMP6, message, n);
    memcpy(message + 2, &sum, sizeof(sum));
    net_receive(f);
}

void inet_unreachable_locked(const struct net_frame *frame) {
    ASSERT_HELD(&inet_mutex);
    if (frame->len && frame->data[0] >> 4 == 4)
        about4(frame);
    else
        about6(frame);
}
