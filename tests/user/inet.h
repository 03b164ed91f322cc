// SPDX-License-Identifier: MIT
// Sockets of AF_INET and AF_INET6 on loopback, for the tests of these.
#pragma once
#include "test.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Linux starts with it down.
__attribute__((constructor)) static inline void bring_up_loopback(void) {
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(s, SIOCGIFFLAGS, &r) == 0 && !(r.ifr_flags & IFF_UP)) {
        r.ifr_flags |= IFF_UP;
        ioctl(s, SIOCSIFFLAGS, &r);
    }
    close(s);
}

static inline void write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static inline short poll_now(int fd) {
    return test_poll(fd, POLLIN | POLLOUT | POLLRDHUP);
}

static inline short poll_for(int fd, short events) {
    struct pollfd f = {fd, events, 0};
    CHECK(poll(&f, 1, 5000) == 1);
    return f.revents;
}

static inline struct sockaddr_in v4(const char *ip, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK(inet_pton(AF_INET, ip, &a.sin_addr) == 1);
    return a;
}

static inline struct sockaddr_in6 v6(const char *ip, int port) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    CHECK(inet_pton(AF_INET6, ip, &a.sin6_addr) == 1);
    return a;
}

static inline int port_of(int s) {
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    CHECK(getsockname(s, (void *)&a, &len) == 0);
    return ntohs(((struct sockaddr_in *)&a)->sin_port); // in the same place in both
}

static inline int bind4(int s, const char *ip, int port) {
    struct sockaddr_in a = v4(ip, port);
    return bind(s, (void *)&a, sizeof(a));
}

static inline int connect4(int s, const char *ip, int port) {
    struct sockaddr_in a = v4(ip, port);
    return connect(s, (void *)&a, sizeof(a));
}

static inline int connect6(int s, const char *ip, int port) {
    struct sockaddr_in6 a = v6(ip, port);
    return connect(s, (void *)&a, sizeof(a));
}

static inline int number_of(int s, int level, int option) {
    int n = -1;
    socklen_t len = sizeof(n);
    CHECK(getsockopt(s, level, option, &n, &len) == 0 && len == sizeof(n));
    return n;
}

static inline int set_number(int s, int level, int option, int n) {
    return setsockopt(s, level, option, &n, sizeof(n));
}

// A listener at 127.0.0.1; its port.
static inline int listener(int *port, int backlog) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(s >= 0 && bind4(s, "127.0.0.1", 0) == 0 && listen(s, backlog) == 0);
    *port = port_of(s);
    return s;
}
