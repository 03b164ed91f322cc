// SPDX-License-Identifier: MIT
// --network and --publish: a network card on QEMU's user network, and ports of this machine's that lead into the other one. There
// pid 1 gets the address (tools/guest/network.c).
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "run/run.h"

#define PORT_MOST 65535u

void network_set(struct request *r, const char *kind) {
    bool user = strcmp(kind, "user") == 0;
    if (!user && strcmp(kind, "none") != 0)
        misuse("run",
               "--network is none or user (this side is 10.0.2.2 in it), not %s; the machine's ports here: "
               "--publish PORT",
               kind);
    r->network = user;
    r->no_network = !user;
}

// A port's number, n characters of it; `least` is the smallest that will do.
static unsigned int parse_port(const char *text, size_t n, unsigned int least, const char *whole) {
    unsigned int port = 0;
    for (size_t i = 0; i < n; i++)
        port = text[i] >= '0' && text[i] <= '9' && port <= PORT_MOST
                   ? port * 10 + (unsigned int)(text[i] - '0')
                   : PORT_MOST + 1;
    if (port < least || port > PORT_MOST || (!n && least))
        misuse("run", "--publish %s: a port is a number from %u to %u, not \"%.*s\"", whole, least, PORT_MOST,
               (int)n, text);
    return port;
}

// [ADDR:][HOSTPORT:]PORT[/tcp|/udp]
static struct publication parse(const char *text) {
    struct publication p = {.text = text, .address = "0.0.0.0"};
    const char *slash = strchr(text, '/'), *end = slash ? slash : text + strlen(text), *at = end;
    if (slash && strcmp(slash, "/udp") != 0 && strcmp(slash, "/tcp") != 0)
        misuse("run", "--publish %s: the protocol is tcp or udp, not \"%s\"", text, slash + 1);
    p.udp = slash && slash[1] == 'u';
    while (at > text && at[-1] != ':')
        at--;
    p.there = parse_port(at, (size_t)(end - at), 1, text);
    if (at == text)
        return p;
    end = --at;
    while (at > text && at[-1] != ':')
        at--;
    p.here = parse_port(at, (size_t)(end - at), 0, text);
    if (at == text)
        return p;
    struct in_addr address;
    p.address = xasprintf("%.*s", (int)(at - 1 - text), text);
    if (inet_pton(AF_INET, p.address, &address) != 1)
        misuse("run", "--publish %s: \"%s\" is no address of IPv4; QEMU takes no others", text, p.address);
    return p;
}

void network_publish(struct request *r, const char *text) {
    struct publication p = parse(text);
    r->publications = xrealloc(r->publications, (r->publication_count + 1) * sizeof(p));
    r->publications[r->publication_count++] = p;
}

// ---- before the machine is made

// What to type instead.
static char *another(const struct publication *p, unsigned int here) {
    bool all = strcmp(p->address, "0.0.0.0") == 0;
    return xasprintf("--publish %s%s%u:%u%s", all ? "" : p->address, all ? "" : ":", here, p->there,
                     p->udp ? "/udp" : "");
}

static void cannot(const struct publication *p, int err) {
    if (err == EADDRINUSE)
        fail("--publish %s: port %u is taken (by whom: ss -l%cnp 'sport = :%u'); another one: %s, any that "
             "is free: %s",
             p->text, p->here, p->udp ? 'u' : 't', p->here,
             another(p, p->here < PORT_MOST ? p->here + 1 : p->here - 1), another(p, 0));
    if (err == EACCES)
        fail("--publish %s: port %u is root's here; another one: %s", p->text, p->here,
             another(p, p->here + 8000));
    if (err == EADDRNOTAVAIL)
        fail("--publish %s: %s is no address of this machine; all of them: --publish %u:%u%s", p->text,
             p->address, p->here, p->there, p->udp ? "/udp" : "");
    fail("--publish %s: %s", p->text, strerror(err));
}

static bool overlap(const char *a, const char *b) {
    return strcmp(a, b) == 0 || strcmp(a, "0.0.0.0") == 0 || strcmp(b, "0.0.0.0") == 0;
}

// One port here leads to one there.
static void check_twice(const struct request *r, const struct publication *p) {
    for (const struct publication *other = r->publications; other < p; other++)
        if (p->here && other->here == p->here && other->udp == p->udp && overlap(other->address, p->address))
            fail("--publish %s: port %u leads to another one already (--publish %s); any that is free: %s",
                 p->text, p->here, other->text, another(p, 0));
}

// Sees to it that QEMU can have the port, which it opens itself a moment later; picks one, if any will do. Gives a socket that holds it.
static int find_port(struct publication *p) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->here)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0), on = 1;
    inet_pton(AF_INET, p->address, &a.sin_addr);
    if (fd < 0)
        fail("--publish %s: %s", p->text, strerror(errno));
    if (!p->udp) // as QEMU has it: connections that have ended take no port
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (!p->udp && listen(fd, 1) < 0) ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        cannot(p, errno);
    p->picked = !p->here;
    p->here = ntohs(a.sin_port);
    return fd;
}

void network_prepare(struct request *r) {
    if (r->publication_count && r->no_network)
        misuse("run", "--publish needs --network user, not none");
    r->network |= r->publication_count > 0;
    int *held = xcalloc(r->publication_count + 1, sizeof(*held)); // until all are found: none is picked twice
    for (size_t i = 0; i < r->publication_count; i++)
        check_twice(r, &r->publications[i]);
    for (size_t i = 0; i < r->publication_count && !r->dry_run; i++)
        held[i] = find_port(&r->publications[i]);
    for (size_t i = 0; i < r->publication_count && !r->dry_run; i++)
        close(held[i]);
    free(held);
}

void network_order(struct request *r) {
    if (r->network)
        run_order(r, "--network user: the machine has no address; it waits 10 seconds for one by DHCP",
                  "network", "", "", "");
}

void network_tell(const struct request *r) {
    for (size_t i = 0; i < r->publication_count && !r->quiet; i++) {
        const struct publication *p = &r->publications[i];
        bool all = strcmp(p->address, "0.0.0.0") == 0;
        if (p->picked)
            note("port %u%s of the machine is %s:%u here", p->there, p->udp ? "/udp" : "",
                 all ? "127.0.0.1" : p->address, p->here);
    }
}

void network_qemu(struct strings *command, const struct request *r) {
    if (!r->network)
        return;
    char *netdev = xasprintf("user,id=net");
    for (size_t i = 0; i < r->publication_count; i++) {
        const struct publication *p = &r->publications[i];
        char *more = xasprintf("%s,hostfwd=%s:%s:%u-:%u", netdev, p->udp ? "udp" : "tcp", p->address, p->here,
                               p->there);
        free(netdev);
        netdev = more;
    }
    strings_add(command, "-netdev");
    strings_add(command, netdev);
    strings_add(command, "-device");
    strings_add(command, "virtio-net-device,netdev=net");
    free(netdev);
}
