// SPDX-License-Identifier: MIT
// The machine's address, asked for by DHCP (RFC 2131, 2132) from pid 1: before the program starts eth0 has it, there is a default
// route, and /etc/resolv.conf says whom to ask for names. The lease is as long as the machine will live: it is not renewed.
// IPv6's address comes by itself, from what the router tells the kernel.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "tools/guest/guest.h"

#define DEVICE      "eth0"
#define SERVER_PORT 67
#define CLIENT_PORT 68
#define PATIENCE    10000 // ms, for all of it
#define PATIENCE6   500   // for IPv6, which a network need not have
#define REPEAT      500   // the first wait for an answer; each is twice as long as the one before
#define MAGIC       0x63825363u
#define BROADCAST   0x8000u

enum { REQUEST = 1, REPLY };
enum { DISCOVER = 1, OFFER, ASK, ACK = 5, NAK };
enum {
    OPTION_PAD,
    OPTION_MASK,
    OPTION_ROUTER = 3,
    OPTION_NAMES = 6,
    OPTION_ADDRESS = 50,
    OPTION_OVERLOAD = 52,
    OPTION_TYPE,
    OPTION_SERVER,
    OPTION_WANTED,
    OPTION_END = 255
};

struct message {
    uint8_t operation, hardware_type, hardware_size, hops;
    uint32_t number;
    uint16_t seconds, flags;
    uint32_t client, yours, next_server, relay;
    uint8_t hardware[16], server_name[64], file[128];
    uint32_t magic;
    uint8_t options[312];
};
_Static_assert(offsetof(struct message, options) == 240, "as on the wire");

// What a server offers.
struct lease {
    uint32_t address, mask, router, server;
    uint32_t names[3];
    unsigned int name_count;
    unsigned int type;
};

struct client {
    int fd;
    struct ifreq device; // its name, and room for an answer
    uint8_t hardware[6];
    uint32_t number;
    int64_t until;
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// ---- messages

static uint8_t *put_option(uint8_t *at, uint8_t option, const void *value, uint8_t n) {
    *at++ = option;
    *at++ = n;
    memcpy(at, value, n);
    return at + n;
}

static int send_message(const struct client *c, uint8_t type, const struct lease *wanted) {
    static const uint8_t parameters[] = {OPTION_MASK, OPTION_ROUTER, OPTION_NAMES};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SERVER_PORT)};
    struct message m = {.operation = REQUEST,
                        .hardware_type = 1,
                        .hardware_size = sizeof(c->hardware),
                        .number = c->number,
                        .flags = htons(BROADCAST),
                        .magic = htonl(MAGIC)};
    uint8_t *at = put_option(m.options, OPTION_TYPE, &type, 1);
    to.sin_addr.s_addr = INADDR_BROADCAST;
    memcpy(m.hardware, c->hardware, sizeof(c->hardware));
    if (type == ASK) {
        at = put_option(at, OPTION_ADDRESS, &wanted->address, 4);
        at = put_option(at, OPTION_SERVER, &wanted->server, 4);
    }
    at = put_option(at, OPTION_WANTED, parameters, sizeof(parameters));
    *at = OPTION_END;
    return sendto(c->fd, &m, sizeof(m), 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static void take_option(struct lease *l, uint8_t option, const uint8_t *value, uint8_t n) {
    uint32_t *four = option == OPTION_MASK     ? &l->mask
                     : option == OPTION_ROUTER ? &l->router
                     : option == OPTION_SERVER ? &l->server
                                               : NULL;
    if (four && n >= 4)
        memcpy(four, value, 4);
    if (option == OPTION_TYPE && n >= 1)
        l->type = value[0];
    for (; option == OPTION_NAMES && n >= 4 && l->name_count < 3; n -= 4, value += 4)
        memcpy(&l->names[l->name_count++], value, 4);
}

// A message of n bytes, if it is an answer to ours.
static bool read_message(const struct client *c, const struct message *m, size_t n, struct lease *l) {
    if (n <= offsetof(struct message, options) || m->operation != REPLY || m->number != c->number ||
        m->magic != htonl(MAGIC) || memcmp(m->hardware, c->hardware, sizeof(c->hardware)) != 0)
        return false;
    *l = (struct lease){.address = m->yours};
    const uint8_t *at = m->options, *end = (const uint8_t *)m + n;
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_PAD) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at - 2 < at[1])
            return false;
        take_option(l, at[0], at + 2, at[1]);
        at += 2 + at[1];
    }
    return true;
}

// Sends until there is an answer of one of two types. 0 or an errno.
static int ask(const struct client *c, uint8_t type, const struct lease *wanted, unsigned int good,
               unsigned int bad, struct lease *answer) {
    int64_t wait = REPEAT, resend = now();
    union {
        struct message m;
        uint8_t bytes[1500];
    } u;
    for (;;) {
        int64_t time = now();
        if (time >= c->until)
            return ETIMEDOUT;
        if (time >= resend) {
            int err = send_message(c, type, wanted);
            if (err)
                return err;
            resend = time + wait;
            wait *= 2;
        }
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        poll(&fd, 1, (int)((resend < c->until ? resend : c->until) - time));
        ssize_t n = recv(c->fd, &u, sizeof(u), MSG_DONTWAIT);
        if (n <= 0 || !read_message(c, &u.m, (size_t)n, answer))
            continue;
        if (answer->type == good || answer->type == bad)
            return 0;
    }
}

// ---- the device

static int change(struct client *c, unsigned long request) {
    return ioctl(c->fd, request, &c->device) < 0 ? errno : 0;
}

static int set_address(struct client *c, unsigned long request, uint32_t address) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {address}};
    memcpy(&c->device.ifr_addr, &a, sizeof(a));
    return change(c, request);
}

static int begin(struct client *c) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(CLIENT_PORT)};
    int on = 1;
    strcpy(c->device.ifr_name, DEVICE);
    if (change(c, SIOCGIFHWADDR))
        return errno;
    memcpy(c->hardware, c->device.ifr_hwaddr.sa_data, sizeof(c->hardware));
    if (change(c, SIOCGIFFLAGS))
        return errno;
    c->device.ifr_flags |= IFF_UP;
    if (change(c, SIOCSIFFLAGS) || getrandom(&c->number, sizeof(c->number), 0) < 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_BINDTODEVICE, DEVICE, sizeof(DEVICE)) < 0 ||
        bind(c->fd, (struct sockaddr *)&any, sizeof(any)) < 0)
        return errno;
    return 0;
}

static int use(struct client *c, const struct lease *l) {
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    struct sockaddr_in a = {.sin_family = AF_INET};
    int err = set_address(c, SIOCSIFADDR, l->address);
    if (!err && l->mask)
        err = set_address(c, SIOCSIFNETMASK, l->mask);
    if (!err && l->mask)
        err = set_address(c, SIOCSIFBRDADDR, l->address | ~l->mask);
    if (err || !l->router)
        return err;
    memcpy(&route.rt_dst, &a, sizeof(a));
    memcpy(&route.rt_genmask, &a, sizeof(a));
    a.sin_addr.s_addr = l->router;
    memcpy(&route.rt_gateway, &a, sizeof(a));
    return ioctl(c->fd, SIOCADDRT, &route) < 0 ? errno : 0;
}

// If the root has a place for it: what is there is of another machine.
static void write_names(const struct lease *l) {
    static const char path[] = "/etc/resolv.conf";
    char name[INET_ADDRSTRLEN];
    unlink(path);
    int fd = l->name_count ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    for (unsigned int i = 0; fd >= 0 && i < l->name_count; i++)
        dprintf(fd, "nameserver %s\n", inet_ntop(AF_INET, &l->names[i], name, sizeof(name)));
    if (fd >= 0)
        close(fd);
}

// An address that is more than the link's own.
static bool has_address6(void) {
    char line[128];
    unsigned int scope;
    bool found = false;
    FILE *f = fopen("/proc/net/if_inet6", "re");
    while (f && !found && fgets(line, sizeof(line), f))
        found = strstr(line, DEVICE) && sscanf(line, "%*s %*s %*s %x", &scope) == 1 && scope != 0x20;
    if (f)
        fclose(f);
    return found;
}

static void wait_for_address6(void) {
    for (int64_t until = now() + PATIENCE6; !has_address6() && now() < until;)
        poll(NULL, 0, 5);
}

int network_start(char *const *arguments) {
    struct client c = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), .until = now() + PATIENCE};
    struct lease offer, lease = {0};
    (void)arguments;
    if (c.fd < 0)
        return errno;
    int err = begin(&c);
    while (!err && lease.type != ACK) {
        err = ask(&c, DISCOVER, NULL, OFFER, OFFER, &offer);
        if (!err)
            err = ask(&c, ASK, &offer, ACK, NAK, &lease);
    }
    if (!err)
        err = use(&c, &lease);
    close(c.fd);
    if (err)
        return err;
    write_names(&lease);
    wait_for_address6();
    return 0;
}
