// SPDX-License-Identifier: MIT
// Sockets that hold memory.
#define _GNU_SOURCE
#include "ways.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char block[32768];

// Until it takes no more.
static void fill(int s) {
    int most = 1 << 30;
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
    for (size_t n = sizeof(block); n; n /= 2)
        while (send(s, block, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            ;
}

static void pairs(int type) {
    for (int s[2]; socketpair(AF_UNIX, type, 0, s) == 0;) {
        fill(s[0]);
        fill(s[1]);
    }
}

static void streams(void) {
    pairs(SOCK_STREAM);
}
static void datagrams(void) {
    pairs(SOCK_DGRAM);
}

// Sends fd over s, without waiting. Not 0: it did not go.
static int send_fd(int s, int fd) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec iov = {block, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    return sendmsg(s, &m, MSG_DONTWAIT) < 0;
}

// Files with content that only messages know.
static void rights(void) {
    for (int s[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0;) {
        for (int full = 0; !full;) {
            int pair[2];
            if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
                return;
            fill(pair[0]);
            full = send_fd(s[0], pair[1]);
            close(pair[0]);
            close(pair[1]);
        }
    }
}

// Connections that nobody accepts, each with something in it.
static void queue_connections(int l, int family, struct sockaddr *a, socklen_t len) {
    if (getsockname(l, a, &len) || listen(l, 1 << 20))
        return;
    for (;;) {
        int c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (c < 0)
            return;
        int err = connect(c, a, len);
        if (send(c, block, 1000, MSG_NOSIGNAL) < 0 && err) {
            close(c);
            return;
        }
        close(c);
    }
}

static void backlogs(void) {
    for (int l; (l = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0;) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        if (bind(l, (void *)&a, offsetof(struct sockaddr_un, sun_path)))
            return;
        queue_connections(l, AF_UNIX, (void *)&a, sizeof(a));
    }
}

static int bound(int type, struct sockaddr_in *a) {
    socklen_t len = sizeof(*a);
    int s = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (s >= 0 && (bind(s, (void *)a, sizeof(*a)) || getsockname(s, (void *)a, &len))) {
        close(s);
        return -1;
    }
    return s;
}

static void backlogs_of_tcp(void) {
    struct sockaddr_in a;
    for (int l; (l = bound(SOCK_STREAM, &a)) >= 0;)
        queue_connections(l, AF_INET, (void *)&a, sizeof(a));
}

static void connections(void) {
    struct sockaddr_in a;
    int l = bound(SOCK_STREAM, &a);
    if (l < 0 || listen(l, 100))
        return;
    for (int c; (c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0;) {
        connect(c, (void *)&a, sizeof(a));
        int d = accept(l, NULL, NULL);
        if (d < 0)
            return;
        fill(c);
        fill(d);
    }
}

static void datagrams_of_udp(void) {
    struct sockaddr_in a;
    int most = 1 << 30;
    for (int s; (s = bound(SOCK_DGRAM, &a)) >= 0;) {
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &most, sizeof(most));
        for (int i = 0; i < 1000 && sendto(s, block, 1000, 0, (void *)&a, sizeof(a)) > 0; i++)
            ;
    }
}

static void sockets(void) {
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    for (unsigned int n = 0; socket(families[n % 3], n & 4 ? SOCK_STREAM : SOCK_DGRAM, 0) >= 0; n++)
        ;
}

void unix_streams(void) {
    in_children(streams);
}
void unix_datagrams(void) {
    in_children(datagrams);
}
void unix_rights(void) {
    in_children(rights);
}
void unix_backlogs(void) {
    in_children(backlogs);
}
void tcp_connections(void) {
    in_children(connections);
}
void tcp_backlogs(void) {
    in_children(backlogs_of_tcp);
}
void udp_sockets(void) {
    in_children(datagrams_of_udp);
}
void many_sockets(void) {
    in_children(sockets);
}
