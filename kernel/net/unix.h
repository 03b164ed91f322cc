// SPDX-License-Identifier: MIT
// AF_UNIX for the layers above: what /proc shows.
#pragma once
#include "net/socket.h"

// One socket as /proc/net/unix has it.
struct unix_info {
    int refs;
    bool listening, connected, has_file;
    int type;
    ino_t ino;
    struct socket_address name; // len 0: unbound
};
// Calls fn for each socket of a network, without locks, until it returns false. May sleep.
void unix_for_each(const struct net_ns *net, bool (*fn)(const struct unix_info *info, void *arg), void *arg);
// Boot: makes the family known.
void unix_init(void);
