// SPDX-License-Identifier: MIT
// Requests to netlink sockets and their answers, for the tests of them. What one program does not use of it is no fault.
#pragma once
#pragma GCC diagnostic ignored "-Wunused-function"
#include "test.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static char buffer[1 << 16] __attribute__((aligned(8)));
static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

// Linux starts with it down.
__attribute__((constructor)) static void bring_up_loopback(void) {
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(s, SIOCGIFFLAGS, &r) == 0 && !(r.ifr_flags & IFF_UP)) {
        r.ifr_flags |= IFF_UP;
        ioctl(s, SIOCSIFFLAGS, &r);
    }
    close(s);
}

static int open_netlink(int protocol) {
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    CHECK(s >= 0);
    return s;
}

static uint32_t port_of(int s) {
    struct sockaddr_nl a;
    socklen_t len = sizeof(a);
    CHECK(getsockname(s, (void *)&a, &len) == 0 && len == sizeof(a) && a.nl_family == AF_NETLINK);
    return a.nl_pid;
}

static void switch_on(int s, int option) {
    int one = 1;
    CHECK(setsockopt(s, SOL_NETLINK, option, &one, sizeof(one)) == 0);
}

// ---- requests

struct request {
    struct nlmsghdr h;
    char body[512];
};

static struct request request(int type, int flags, const void *header, size_t len) {
    static unsigned int sequence;
    struct request r = {.h = {NLMSG_LENGTH(len), type, NLM_F_REQUEST | flags, ++sequence, 0}};
    if (len)
        memcpy(r.body, header, len);
    return r;
}

static void attribute(struct request *r, int type, const void *value, size_t len) {
    struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(len);
    memcpy(RTA_DATA(a), value, len);
    r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void attribute_u32(struct request *r, int type, uint32_t value) {
    attribute(r, type, &value, sizeof(value));
}

static void attribute_ip(struct request *r, int type, const char *ip) {
    unsigned char a[16];
    int v6 = strchr(ip, ':') != NULL;
    CHECK(inet_pton(v6 ? AF_INET6 : AF_INET, ip, a) == 1);
    attribute(r, type, a, v6 ? 16 : 4);
}

static void post(int s, const struct request *r) {
    CHECK(sendto(s, r, r->h.nlmsg_len, 0, (void *)&kernel, sizeof(kernel)) == (ssize_t)r->h.nlmsg_len);
}

// The next packet, of messages behind each other.
static ssize_t next_packet(int s) {
    ssize_t n = recv(s, buffer, sizeof(buffer), 0);
    CHECK(n >= (ssize_t)sizeof(struct nlmsghdr));
    return n;
}

// What the kernel says of a request for whose end it was asked (NLM_F_ACK): 0 or -errno.
static int answer_of(int s, struct request r) {
    r.h.nlmsg_flags |= NLM_F_ACK;
    post(s, &r);
    for (;;) {
        ssize_t n = next_packet(s);
        struct nlmsghdr *h = (void *)buffer;
        CHECK(NLMSG_OK(h, (unsigned)n) && h->nlmsg_seq == r.h.nlmsg_seq && h->nlmsg_pid == port_of(s));
        if (h->nlmsg_type == NLMSG_ERROR)
            return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
    }
}

static int do_request(struct request r) {
    int s = open_netlink(NETLINK_ROUTE);
    int err = answer_of(s, r);
    close(s);
    return err;
}

static const struct rtattr *find(const struct nlmsghdr *h, size_t header, int type) {
    const struct rtattr *a = (const void *)((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(header));
    int len = (int)(h->nlmsg_len - NLMSG_LENGTH(header));
    for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
        if ((a->rta_type & NLA_TYPE_MASK) == type)
            return a;
    return NULL;
}

static uint32_t number(const struct nlmsghdr *h, size_t header, int type) {
    const struct rtattr *a = find(h, header, type);
    uint32_t n;
    CHECK(a && RTA_PAYLOAD(a) >= sizeof(n));
    memcpy(&n, RTA_DATA(a), sizeof(n));
    return n;
}

static int is_ip(const struct nlmsghdr *h, size_t header, int type, const char *ip) {
    const struct rtattr *a = find(h, header, type);
    unsigned char bytes[16];
    int v6 = strchr(ip, ':') != NULL;
    CHECK(inet_pton(v6 ? AF_INET6 : AF_INET, ip, bytes) == 1);
    return a && RTA_PAYLOAD(a) == (v6 ? 16 : 4) && !memcmp(RTA_DATA(a), bytes, RTA_PAYLOAD(a));
}

// Asks for a dump and counts the messages that `fits` says yes to. Checks what each of a dump must have.
static int count_dump(int s, const struct request *r, int type,
                      int (*fits)(const struct nlmsghdr *h, const void *arg), const void *arg) {
    int count = 0;
    post(s, r);
    for (;;) {
        ssize_t n = next_packet(s);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            CHECK(h->nlmsg_seq == r->h.nlmsg_seq && h->nlmsg_pid == port_of(s));
            if (h->nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
            CHECK(h->nlmsg_flags & NLM_F_MULTI);
            if (h->nlmsg_type == NLMSG_DONE)
                return *(int *)NLMSG_DATA(h) < 0 ? *(int *)NLMSG_DATA(h) : count;
            CHECK(h->nlmsg_type == type);
            count += !fits || fits(h, arg);
        }
    }
}

static int count_of(int type, int family, int told, int (*fits)(const struct nlmsghdr *h, const void *arg),
                    const void *arg) {
    char header[32] = {family};
    size_t len = type == RTM_GETADDR                           ? sizeof(struct ifaddrmsg)
                 : type == RTM_GETROUTE || type == RTM_GETRULE ? sizeof(struct rtmsg)
                 : type == RTM_GETNEIGH                        ? sizeof(struct ndmsg)
                                                               : sizeof(struct ifinfomsg);
    struct request r = request(type, NLM_F_DUMP, header, len);
    int s = open_netlink(NETLINK_ROUTE);
    int count = count_dump(s, &r, told, fits, arg);
    close(s);
    return count;
}
