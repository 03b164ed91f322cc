// SPDX-License-Identifier: MIT
// A datagram that is written in pieces.
#pragma once
#include "net/inet_datagram.h"
#include <linux/udp.h>

// Is this piece one of several? `flags` are its own.
static inline bool inet_is_corked(const struct inet_socket *i, int flags) {
    return flags & MSG_MORE || READ_ONCE(i->cork) || inet_switch_is_on(i, IN_CORK);
}
// Adds a piece; sends all when it is the last. Its bytes, or -errno: nothing of the datagram is left then.
ssize_t inet_cork_send(struct inet_socket *i, struct message *m, inet_send_fn send_locked);
// Level SOL_UDP: switched off it sends.
int __must_check inet_cork_set_option(struct inet_socket *i, int option, const void __user *value, int len,
                                      inet_send_fn send_locked);
void inet_cork_drop(struct inet_socket *i);
