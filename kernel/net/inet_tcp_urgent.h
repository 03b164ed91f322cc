// SPDX-License-Identifier: MIT
// Urgent data, for TCP's other files.
#pragma once
#include "net/inet_tcp.h"

enum { URGENT_NONE, URGENT_COMING, URGENT_THERE, URGENT_READ }; // inet_socket.urgent.state

void inet_tcp_mark_urgent(struct inet_socket *i);                                     // [n]
void inet_tcp_hear_urgent(struct inet_socket *i, const struct tcp_hdr *h);            // [n]
void inet_tcp_look_for_urgent(struct inet_socket *i, const struct pbuf *p, size_t n); // [n]
size_t inet_tcp_until_mark(const struct inet_socket *i); // [r] bytes before the mark; SIZE_MAX: there is none
void inet_tcp_pass_mark(struct inet_socket *i);          // [r] something was read, perhaps across it
size_t inet_tcp_readable(const struct inet_socket *i);   // bytes that one read may give
size_t
inet_tcp_received(const struct inet_socket *i); // of these, those that the window had room for (SIOCINQ)
ssize_t inet_tcp_recv_urgent(struct inet_socket *i, struct message *m); // MSG_OOB
