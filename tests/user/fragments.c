// SPDX-License-Identifier: MIT
// Packets of IPv4 and IPv6 that come in fragments: whole, in any order, overlapping, never complete; of UDP and of TCP. They are put on
// loopback with headers of our own. The same program passes on Linux.
#include "inet.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define MORE 0x2000 // fragments come behind this one

static char data[1 << 16], buffer[1 << 16];
static int raw, c, d, l, port;
static unsigned short id; // no test leaves another what it has begun

static void fill(void) {
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + i / 251);
}

static void open_raw(void) {
    fill();
    id = (unsigned short)(getpid() * 5000);
    raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    CHECK(raw >= 0);
}

// Bytes from..to of a packet's payload.
static void put(const char *payload, int protocol, int from, int to, bool more) {
    static char packet[1 << 16];
    struct sockaddr_in a = v4("127.0.0.1", 0);
    struct iphdr h = {.version = 4,
                      .ihl = 5,
                      .tot_len = htons(20 + to - from),
                      .id = htons(id),
                      .ttl = 64,
                      .protocol = protocol,
                      .frag_off = htons((more ? MORE : 0) | from / 8),
                      .saddr = a.sin_addr.s_addr,
                      .daddr = a.sin_addr.s_addr};
    memcpy(packet, &h, sizeof(h));
    memcpy(packet + sizeof(h), payload + from, to - from);
    CHECK(sendto(raw, packet, sizeof(h) + to - from, 0, (void *)&a, sizeof(a)) ==
          (ssize_t)sizeof(h) + to - from);
}

// ---- UDP

// One to `port` with n bytes of data; without a sum. Its length.
static int make_datagram(char *out, int n) {
    struct udphdr h = {.source = htons(4711), .dest = htons(port), .len = htons(sizeof(h) + n)};
    memcpy(out, &h, sizeof(h));
    memcpy(out + sizeof(h), data, n);
    return (int)sizeof(h) + n;
}

static void open_udp(void) {
    open_raw();
    d = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(bind4(d, "127.0.0.1", 0) == 0);
    port = port_of(d);
}

static void arrives(int n) {
    CHECK(poll_for(d, POLLIN) & POLLIN);
    CHECK(recv(d, buffer, sizeof(buffer), 0) == n && !memcmp(buffer, data, n));
}

static void nothing_arrives(void) {
    usleep(20000);
    CHECK_ERRNO(recv(d, buffer, sizeof(buffer), 0), EAGAIN);
}

TEST(datagram_in_fragments) {
    static char p[1 << 16];
    open_udp();
    int n = make_datagram(p, 5000);
    for (int at = 0; at < n; at += 1000)
        put(p, IPPROTO_UDP, at, at + 1000 < n ? at + 1000 : n, at + 1000 < n);
    arrives(5000);
    id++;
    for (int at = n / 1000 * 1000; at >= 0; at -= 1000) // the last first
        put(p, IPPROTO_UDP, at, at + 1000 < n ? at + 1000 : n, at + 1000 < n);
    arrives(5000);
    id++;
    for (int step = 0; step < 2; step++) // every other, then those between
        for (int at = step * 64; at < n; at += 128)
            put(p, IPPROTO_UDP, at, at + 64 < n ? at + 64 : n, at + 64 < n);
    arrives(5000);
}

TEST(longest_datagram_in_fragments) {
    static char p[1 << 17];
    open_udp();
    int n = make_datagram(p, 65507);
    for (int at = 0; at < n; at += 8000)
        put(p, IPPROTO_UDP, at, at + 8000 < n ? at + 8000 : n, at + 8000 < n);
    arrives(65507);
    // Longer than a packet can be.
    id++;
    put(p, IPPROTO_UDP, 0, 65000, true);
    put(p, IPPROTO_UDP, 65000, 65512 + 1000, false);
    nothing_arrives();
}

// What is there twice does no harm; what contradicts itself is no packet.
TEST(fragments_that_overlap) {
    static char p[1 << 16], other[1 << 16];
    open_udp();
    int n = make_datagram(p, 3000);
    memset(other, 'x', sizeof(other));
    put(p, IPPROTO_UDP, 0, 1600, true);
    put(other, IPPROTO_UDP, 800, 2400, true); // the first goes, too
    put(p, IPPROTO_UDP, 1600, n, false);
    nothing_arrives();
    id++;
    put(p, IPPROTO_UDP, 0, 1600, true);
    put(p, IPPROTO_UDP, 1600, 2400, true);
    put(other, IPPROTO_UDP, 8, 2000, true); // over all that is there
    put(other, IPPROTO_UDP, 0, 2400, true);
    put(p, IPPROTO_UDP, 2400, n, false);
    arrives(3000);
    id++;
    put(p, IPPROTO_UDP, 1600, n, false);
    put(p, IPPROTO_UDP, 1600, n - 8, false); // another end
    put(p, IPPROTO_UDP, 0, 1600, true);
    nothing_arrives();
    id++;
    put(p, IPPROTO_UDP, 0, 1600, true);
    put(p, IPPROTO_UDP, 1600, n, false);
    arrives(3000);
    id++;
    put(p, IPPROTO_UDP, 0, 1600, true);
    put(other, IPPROTO_TCP, 1600, 2400, true); // of another protocol, of another packet
    put(p, IPPROTO_UDP, 1600, 2403, true);     // whose odd bytes do not count
    put(p, IPPROTO_UDP, 2400, n, false);
    arrives(3000);
}

// ---- TCP: a segment of our own, as the connection's next one

static unsigned int sum(const void *p, int n, unsigned int s) {
    const unsigned char *b = p;
    for (int i = 0; i < n; i++)
        s += i % 2 ? b[i] : b[i] << 8;
    return s;
}

static void seal(char *segment, int n) {
    struct tcphdr *h = (void *)segment;
    unsigned int s = IPPROTO_TCP + n + 2 * (0x7f00 + 0x0001);
    h->check = 0;
    s = sum(segment, n, s);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    h->check = htons(~s & 0xffff);
}

// The header of the last segment with data that c has sent to d, with its options left out and its numbers moved behind it.
static struct tcphdr last_segment(int ear) {
    static char packet[1 << 16];
    for (;;) {
        struct pollfd f = {ear, POLLIN, 0};
        CHECK(poll(&f, 1, 5000) == 1);
        ssize_t n = recv(ear, packet, sizeof(packet), 0);
        struct iphdr *ip = (void *)packet;
        struct tcphdr h;
        memcpy(&h, packet + ip->ihl * 4, sizeof(h));
        int len = (int)n - ip->ihl * 4 - h.doff * 4;
        if (ntohs(h.dest) != port || ntohs(h.source) != port_of(c) || len != 5)
            continue;
        h.seq = htonl(ntohl(h.seq) + len);
        h.doff = 5;
        return h;
    }
}

static struct tcphdr connect_and_listen_in(void) {
    open_raw();
    int ear = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(ear >= 0 && connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(write(c, "hello", 5) == 5 && recv(d, buffer, 5, MSG_WAITALL) == 5);
    struct tcphdr h = last_segment(ear);
    close(ear);
    return h;
}

static int make_segment(char *out, const struct tcphdr *h, int n) {
    memcpy(out, h, sizeof(*h));
    memcpy(out + sizeof(*h), data, n);
    seal(out, (int)sizeof(*h) + n);
    return (int)sizeof(*h) + n;
}

TEST(segment_in_fragments) {
    static char s[1 << 16];
    struct tcphdr h = connect_and_listen_in();
    int n = make_segment(s, &h, 3000);
    for (int at = n / 800 * 800; at >= 0; at -= 800)
        put(s, IPPROTO_TCP, at, at + 800 < n ? at + 800 : n, at + 800 < n);
    CHECK(recv(d, buffer, 3000, MSG_WAITALL) == 3000 && !memcmp(buffer, data, 3000));
    // The next, of whose data hardly any comes with the header; between them one that belongs to nobody.
    h.seq = htonl(ntohl(h.seq) + 3000);
    n = make_segment(s, &h, 500);
    id++;
    put(s, IPPROTO_TCP, 0, 24, true);
    id++;
    put(data, IPPROTO_TCP, 24, 48, true);
    id--;
    put(s, IPPROTO_TCP, 24, n, false);
    CHECK(recv(d, buffer, 500, MSG_WAITALL) == 500 && !memcmp(buffer, data, 500));
    h.seq = htonl(ntohl(h.seq) + 500); // the header itself in two
    n = make_segment(s, &h, 700);
    id += 2;
    put(s, IPPROTO_TCP, 16, n, false);
    put(s, IPPROTO_TCP, 0, 16, true);
    CHECK(recv(d, buffer, 700, MSG_WAITALL) == 700 && !memcmp(buffer, data, 700));
    CHECK(send(d, "back", 4, 0) == 4);
}

// The connection ends while a part of a segment for it waits; the port is used again, and the rest comes.
TEST(segment_that_is_completed_too_late) {
    static char s[1 << 16];
    struct linger reset = {1, 0};
    struct tcphdr h = connect_and_listen_in();
    int n = make_segment(s, &h, 3000);
    put(s, IPPROTO_TCP, 0, 1600, true);
    CHECK(setsockopt(d, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0 && close(d) == 0 && close(c) == 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    put(s, IPPROTO_TCP, 1600, n, false); // is of no connection, and answered with a reset for none
    CHECK(write(c, "hello", 5) == 5 && recv(d, buffer, 100, 0) == 5 && !memcmp(buffer, "hello", 5));
}

TEST(segments_in_fragments_among_others) {
    static char s[1 << 16];
    struct tcphdr h = connect_and_listen_in();
    int n = make_segment(s, &h, 2000), others[2][2], oport;
    int o = listener(&oport, 5);
    for (int i = 0; i < 2; i++) {
        others[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(others[i][0], "127.0.0.1", oport) == 0 && (others[i][1] = accept(o, NULL, NULL)) >= 0);
    }
    put(s, IPPROTO_TCP, 0, 1600, true);
    CHECK(write(others[0][0], "a", 1) == 1 && close(others[1][0]) == 0 && close(others[1][1]) == 0);
    put(s, IPPROTO_TCP, 1600, n, false);
    CHECK(write(others[0][0], "b", 1) == 1 && recv(others[0][1], buffer, 2, MSG_WAITALL) == 2);
    CHECK(recv(d, buffer, 2000, MSG_WAITALL) == 2000 && !memcmp(buffer, data, 2000));
}

// ---- the last, since Linux hears no fragments for half a minute after it

static void begin_many(const char *p, int count) {
    for (int i = 0; i < count; i++, id++)
        put(p, IPPROTO_UDP, i % 2 ? 16000 : 0, i % 2 ? 28000 : 12000, true);
}

// Sends to itself until the user has all that he may: large ones, and small ones in what these leave.
static void use_up_account(void) {
    static const size_t sizes[] = {60000, 4000, 300};
    for (int i = 0, which = 0; i < 1000; i++) {
        int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (s < 0)
            return;
        CHECK(bind4(s, "127.0.0.1", 0) == 0 && connect4(s, "127.0.0.1", port_of(s)) == 0);
        for (int k = 0; k < 4; k++)
            if (send(s, data, sizes[which], 0) < 0 && ++which == sizeof(sizes) / sizeof(*sizes))
                return;
    }
    CHECK(!"it never ended");
}

// A user's socket, which tells how many datagrams it has got.
static int be_receiver(int in, int out, bool full) {
    char byte;
    int n = 0;
    CHECK(setuid(1000) == 0);
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(bind4(s, "127.0.0.1", 0) == 0);
    if (full)
        use_up_account();
    port = port_of(s);
    CHECK(write(out, &port, sizeof(port)) == sizeof(port) && read(in, &byte, 1) == 1);
    while (recv(s, buffer, sizeof(buffer), 0) == 5000)
        n++;
    return n;
}

static int sent_to_user(bool full) {
    static char p[1 << 16];
    int to[2], from[2], status;
    open_raw();
    CHECK(pipe(to) == 0 && pipe(from) == 0);
    pid_t pid = fork();
    if (!pid)
        _exit(be_receiver(to[0], from[1], full));
    CHECK(pid > 0 && read(from[0], &port, sizeof(port)) == sizeof(port));
    for (int i = 0; i < 5; i++, id++) {
        int n = make_datagram(p, 5000);
        put(p, IPPROTO_UDP, 0, 3200, true);
        put(p, IPPROTO_UDP, 3200, n, false);
    }
    CHECK(write(to[1], "", 1) == 1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

// What has become whole is the kernel's until a socket keeps it: then it is its user's, who if he has all that he may gets one, and no more.
TEST(what_became_whole_is_on_its_receivers_account) {
    struct utsname u;
    CHECK(sent_to_user(false) == 5);
    if (!uname(&u) && strstr(u.release, "drupe")) // Linux has no such account
        CHECK(sent_to_user(true) == 1);
}

// Packets that never become whole do not keep others from coming; many take bounded memory (Linux hears no more fragments then).
TEST(fragments_without_end) {
    static char p[1 << 16];
    open_udp();
    int n = make_datagram(p, 30000);
    begin_many(p, 100);
    for (int i = 0; i < 10; i++, id++) {
        put(p, IPPROTO_UDP, 0, 12000, true);
        put(p, IPPROTO_UDP, 12000, n, false);
        arrives(30000);
    }
    begin_many(p, 3000);
    CHECK(sendto(d, data, 100, 0,
                 (void *)&(struct sockaddr_in){AF_INET, htons(port), {htonl(0x7f000001)}, {0}}, 16) == 100);
    arrives(100);
}

static void flood_as_other(const char *p) {
    int status;
    pid_t other = fork();
    if (!other) {
        CHECK(setuid(1000) == 0);
        id++;
        begin_many(p, 3000);
        _exit(0);
    }
    CHECK(waitpid(other, &status, 0) == other && status == 0);
}

// Of one user who begins many none of another's go.
TEST(fragments_without_end_of_somebody_else) {
    static char p[1 << 16];
    struct utsname u;
    if (uname(&u) || !strstr(u.release, "drupe")) // Linux has one pool
        return;
    open_udp();
    int n = make_datagram(p, 30000);
    flood_as_other(p);
    for (int i = 0; i < 3; i++) {
        put(p, IPPROTO_UDP, 0, 12000, true);
        flood_as_other(p);
        put(p, IPPROTO_UDP, 12000, n, false);
        arrives(30000);
        id++;
    }
}
