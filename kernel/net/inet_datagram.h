// SPDX-License-Identifier: MIT
// UDP, raw and ping sockets: what they have in common.
#pragma once
#include "net/inet_private.h"
#include <linux/time.h> // errqueue.h has arrays of struct timespec and does not say of what
#include <linux/errqueue.h>

// What a message of ICMP told about a packet.
struct inet_error {
    struct sock_extended_err e;
    ip_addr_t offender, to; // who says so; where the packet went
    uint16_t port;
};

// inet_datagram.c

// [n] In a callback of lwIP's: takes over the buffer.
void inet_datagram_arrived(struct inet_socket *i, struct pbuf *data, const ip_addr_t *from, uint16_t port);
// [n] For the queue of errors, with what of the packet came back: takes over that.
void inet_report(struct inet_socket *i, const struct inet_error *error, struct pbuf *about);
ssize_t inet_datagram_recv(struct socket *s, struct message *m);
unsigned int inet_datagram_poll(struct socket *s);
int inet_datagram_shutdown(struct socket *s, unsigned int how);
void inet_set_state(struct socket *s, enum socket_state state);
void inet_datagrams_drop(struct inet_socket *i);

// inet_send.c

// Where a datagram goes, from where, and how.
struct inet_sending {
    ip_addr_t to, from;
    uint16_t port;
    int ttl, tos;
    int device;       // 0: not said
    unsigned segment; // UDP_SEGMENT: it goes as datagrams of so many bytes; 0: as one
    struct netif *netif;
};
// Reads the address and control data of a message. 0 or what sendmsg(2) says.
int __must_check inet_prepare(struct inet_socket *i, const struct message *m, struct inet_sending *out);
// The other half of sending, once all is known: the socket's own errors, the data copied in as one buffer with room for headers in
// front, and `send_locked` with it under the stack's lock. n, or -EPIPE, -ENOBUFS, -EFAULT, a waiting error, or that of send_locked.
typedef int (*inet_send_fn)(struct inet_socket *i, struct pbuf *p, struct inet_sending *to);
ssize_t inet_send_whole(struct inet_socket *i, struct message *m, size_t n, struct inet_sending *to,
                        inet_send_fn send_locked);
size_t inet_datagram_most(const struct inet_sending *to); // inet_udp.c: bytes of data in one

// inet_error.c

// [n] From now on messages of ICMP are heard. 0 or -ENOBUFS.
int __must_check inet_listen_for_errors(void);

// inet_group.c

// [n] Is what goes to this group for the socket?
bool inet_hears_group(const struct inet_socket *i, const ip_addr_t *group, const ip_addr_t *from);
