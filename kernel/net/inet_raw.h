// SPDX-License-Identifier: MIT
// Raw sockets (raw(7)) and ping sockets (icmp(7)).
#pragma once
#include "net/inet_private.h"

// May the current thread have one of this kind? 0, -EPERM (raw), -EACCES (ping).
int __must_check inet_raw_check(int type);
int __must_check inet_raw_create(struct inet_socket *i);
// [n] Each raw and ping socket there is.
void inet_raw_for_each(void (*fn)(struct inet_socket *i, void *arg), void *arg);
// ICMP_FILTER, ICMP6_FILTER, IPV6_CHECKSUM. -ENOPROTOOPT: not one of these.
int inet_raw_set_option(struct inet_socket *i, int level, int option, const void __user *value, int len);
int inet_raw_get_option(struct inet_socket *i, int level, int option, void __user *value, int __user *len);
// [n] May a raw socket see what goes over loopback?
bool inet_raw_hears(void);
extern const struct socket_ops inet_raw_ops;
// The raw or ping socket after i (NULL: the first), NULL: there is none. [n]
struct inet_socket *inet_raw_next(const struct inet_socket *i);
