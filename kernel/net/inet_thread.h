// SPDX-License-Identifier: MIT
// The stack's own thread, for inet_stack.c.
#pragma once
#include "net/net_ns.h"

// Some time it is to look at this network. Any context.
void inet_thread_call(struct net_ns *net);
// It never will again, and does not now. May sleep.
void inet_thread_forget(struct net_ns *net);
// [n] Makes it, the first time. 0 or -ENOMEM.
int __must_check inet_thread_start_locked(void);
void inet_thread_init(void);

// Has anything come in that nobody has looked at?
static inline bool inet_has_frames(const struct net_ns *net) {
    return READ_ONCE(net->inbox.next) != &net->inbox;
}
