// SPDX-License-Identifier: MIT
// Packets of IPv6 that come in fragments (RFC 8200, section 4.5): whole, in any order, overlapping, never complete; of UDP and of TCP. They are
// put on loopback by a raw socket whose protocol is the fragment header. The same program passes on Linux.
#include "inet.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>

#define FRAGMENT      44
#define FRAGMENT_TIME "/proc/sys/net/ipv6/ip6frag_time"

static char data[1 << 17], buffer[1 << 17], payload[1 << 17];
static int raw, d, port;
static unsigned int id; // no test leaves another what it has begun

struct fragment_header {
    unsigned char next, reserved;
    unsigned short offset;
    unsigned int id;
};

static void open_raw(void) {
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + i / 251);
    id = (unsigned int)getpid() * 50000u;
    raw = socket(AF_INET6, SOCK_RAW, FRAGMENT);
    CHECK(raw >= 0);
}

// Bytes from..to of a packet's payload.
static void put_as(const char *from_, int next, int from, int to, bool more) {
    static char packet[1 << 17];
    struct sockaddr_in6 a = v6("::1", 0);
    struct fragment_header h = {next, 0, htons(from | more), htonl(id)};
    memcpy(packet, &h, sizeof(h));
    memcpy(packet + sizeof(h), from_ + from, to - from);
    CHECK(sendto(raw, packet, sizeof(h) + to - from, 0, (void *)&a, sizeof(a)) ==
          (ssize_t)sizeof(h) + to - from);
}

static void put(const char *from_, int from, int to, bool more) {
    put_as(from_, IPPROTO_UDP, from, to, more);
}

// ---- sums: IPv6 has none of its own, so UDP must have one

static unsigned int add(const void *p, int n, unsigned int s) {
    const unsigned char *b = p;
    for (int i = 0; i < n; i++)
        s = s + (i % 2 ? b[i] : b[i] << 8), s = (s & 0xffff) + (s >> 16);
    return s;
}

static unsigned short sum_of(const void *p, int n, int protocol) {
    unsigned int s = add(p, n, (n >> 16) + (n & 0xffff) + protocol + 1 + 1); // ::1 twice
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (unsigned short)htons(~s & 0xffff);
}

// ---- UDP

static int make_datagram(char *out, int n) {
    struct udphdr h = {.source = htons(4711), .dest = htons(port), .len = htons(sizeof(h) + n)};
    memcpy(out, &h, sizeof(h));
    memcpy(out + sizeof(h), data, n);
    ((struct udphdr *)out)->check = sum_of(out, (int)sizeof(h) + n, IPPROTO_UDP);
    return (int)sizeof(h) + n;
}

static void open_udp(void) {
    struct sockaddr_in6 a = v6("::1", 0);
    open_raw();
    d = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(bind(d, (void *)&a, sizeof(a)) == 0 && set_number(d, SOL_SOCKET, SO_RCVBUF, 1 << 18) == 0);
    port = port_of(d);
}

static void arrives(int n) {
    CHECK(poll_for(d, POLLIN) & POLLIN);
    CHECK(recv(d, buffer, sizeof(buffer), 0) == n && !memcmp(buffer, data, n));
}

// What is sent by this thread has arrived when the call returns.
static void nothing_arrives(void) {
    CHECK_ERRNO(recv(d, buffer, sizeof(buffer), 0), EAGAIN);
}

static void put_in_pieces(int n, int piece) {
    for (int at = 0; at < n; at += piece)
        put(payload, at, at + piece < n ? at + piece : n, at + piece < n);
    id++;
}

TEST(datagram_of_IPv6_in_fragments) {
    open_udp();
    int n = make_datagram(payload, 5000);
    put_in_pieces(n, 1000);
    arrives(5000);
    for (int at = n / 1000 * 1000; at >= 0; at -= 1000) // the last first
        put(payload, at, at + 1000 < n ? at + 1000 : n, at + 1000 < n);
    arrives(5000);
    id++;
    for (int step = 0; step < 2; step++) // every other, then those between
        for (int at = step * 64; at < n; at += 128)
            put(payload, at, at + 64 < n ? at + 64 : n, at + 64 < n);
    arrives(5000);
    id++;
    put(payload, 0, n, false); // one that is no part
    arrives(5000);
}

TEST(longest_datagram_of_IPv6_in_fragments) {
    open_udp();
    int n = make_datagram(payload, 65487);
    put_in_pieces(n, 8000);
    arrives(65487);
    put(payload, 0, 65000, true); // longer than a packet can be
    put(payload, 65000, 65536 + 800, false);
    nothing_arrives();
}

// What is there twice does no harm; of what overlaps nothing is heard (RFC 5722).
TEST(fragments_of_IPv6_that_overlap) {
    static char other[1 << 16];
    open_udp();
    int n = make_datagram(payload, 3000);
    memset(other, 'x', sizeof(other));
    put(payload, 0, 1600, true);
    put(payload, 0, 1600, true);
    put(payload, 1600, n, false);
    arrives(3000);
    id++;
    put(payload, 0, 1600, true);
    put(other, 800, 2400, true); // the first goes, too
    put(payload, 1600, n, false);
    nothing_arrives();
    id++;
    put(payload, 1600, n, false);
    put(other, 1600, n - 8, false); // another end
    put(payload, 0, 1600, true);
    nothing_arrives();
    id++;
    put(payload, 1600, n, false);
    put(other, n / 8 * 8 + 8, n / 8 * 8 + 80, true); // behind the end
    put(payload, 0, 1600, true);
    nothing_arrives();
    id++;
    put(payload, 0, 1600, true);
    put(payload, 1600, n, false);
    arrives(3000);
}

// The first one's protocol counts, and those before it may say what they like; empty ones and odd lengths are no fragments.
TEST(fragments_of_IPv6_that_are_odd) {
    open_udp();
    int n = make_datagram(payload, 3000);
    put_as(payload, IPPROTO_TCP, 1600, n, false);
    put(payload, 0, 1600, true);
    arrives(3000);
    id++;
    put(payload, 1600, 1600, true);
    put(payload, 0, 1600, true);
    put(payload, 1600, n, false);
    arrives(3000);
    id++;
    put(payload, 0, 1603, true);
    put(payload, 0, 1600, true);
    put(payload, 1600, n, false);
    arrives(3000);
    struct fragment_header cut = {IPPROTO_UDP, 0, 0, 0};
    struct sockaddr_in6 a = v6("::1", 0);
    for (int len = 1; len < (int)sizeof(cut); len++)
        CHECK(sendto(raw, &cut, len, 0, (void *)&a, sizeof(a)) == len);
    nothing_arrives();
}

// Who sent the first of a packet that does not become whole is told, as time allows.
TEST(fragments_of_IPv6_whose_rest_does_not_come) {
    static unsigned char answer[256];
    int ear = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    open_udp();
    int n = make_datagram(payload, 3000);
    write_text(FRAGMENT_TIME, "1");
    put(payload, 1600, n, false); // nobody is told of this one
    id++;
    put(payload, 0, 1600, true);
    write_text(FRAGMENT_TIME, "60");
    CHECK(poll_for(ear, POLLIN) & POLLIN);
    CHECK(recv(ear, answer, sizeof(answer), 0) >= 8 + 40 + 8 && answer[0] == 3 && answer[1] == 1);
    put(payload, 1600, n, false); // too late
    nothing_arrives();
    put(payload, 0, 1603, true); // of an odd length: a bad packet, which is told at once
    CHECK(poll_for(ear, POLLIN) & POLLIN);
    CHECK(recv(ear, answer, sizeof(answer), 0) >= 8 + 40 + 8 && answer[0] == 4 && answer[1] == 0 &&
          answer[7] == 4);
}

// ---- TCP: a segment of our own, as the connection's next one

TEST(segment_of_IPv6_in_fragments) {
    struct sockaddr_in6 a = v6("::1", 0);
    static char packet[1 << 16];
    socklen_t len = sizeof(a);
    struct tcphdr h;
    open_raw();
    int ear = socket(AF_INET6, SOCK_RAW, IPPROTO_TCP), l = socket(AF_INET6, SOCK_STREAM, 0);
    int c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0 && getsockname(l, (void *)&a, &len) == 0);
    CHECK(connect(c, (void *)&a, sizeof(a)) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(write(c, "hello", 5) == 5 && recv(d, buffer, 5, MSG_WAITALL) == 5);
    for (;;) { // the segment that brought it, whose header is the next one's but for its number
        ssize_t n = recv(ear, packet, sizeof(packet), 0);
        memcpy(&h, packet, sizeof(h));
        if (h.dest == a.sin6_port && n - h.doff * 4 == 5)
            break;
    }
    for (int first = 24; first <= 1224; first += 1200) { // hardly more than the header with it
        int n = sizeof(h) + 3000;
        h.seq = htonl(ntohl(h.seq) + (first == 24 ? 5 : 3000));
        h.doff = 5;
        h.check = 0;
        memcpy(payload, &h, sizeof(h));
        memcpy(payload + sizeof(h), data, 3000);
        ((struct tcphdr *)payload)->check = sum_of(payload, n, IPPROTO_TCP);
        put_as(payload, IPPROTO_TCP, first, first * 2, true);
        put_as(payload, IPPROTO_TCP, first * 2, n, false);
        put_as(payload, IPPROTO_TCP, 0, first, true);
        id++;
        CHECK(recv(d, buffer, 3000, MSG_WAITALL) == 3000 && !memcmp(buffer, data, 3000));
    }
    id++;
    put_as(payload, IPPROTO_TCP, 16, sizeof(h) + 3000, false); // the header is to come in one (RFC 7112)
    put_as(payload, IPPROTO_TCP, 0, 16, true);
    CHECK_ERRNO(recv(d, buffer, 1, MSG_DONTWAIT), EAGAIN);
}

// ---- the last, since Linux hears no fragments for a minute after it

// Packets that never become whole do not keep others from coming; many take bounded memory.
TEST(fragments_of_IPv6_without_end) {
    open_udp();
    int n = make_datagram(payload, 30000);
    for (int i = 0; i < 100; i++, id++)
        put(payload, i % 2 ? 16000 : 0, i % 2 ? 28000 : 12000, true);
    for (int i = 0; i < 10; i++) {
        put_in_pieces(n, 12000);
        arrives(30000);
    }
    for (int i = 0; i < 3000; i++, id++)
        put(payload, i % 2 ? 16000 : 0, i % 2 ? 28000 : 12000, true);
    struct sockaddr_in6 a = v6("::1", port);
    CHECK(sendto(d, data, 100, 0, (void *)&a, sizeof(a)) == 100);
    arrives(100);
}
