// SPDX-License-Identifier: MIT
// What ndisc.c and autoconf.c share.
#pragma once
#include "net/device.h"

// Types of ICMPv6.
#define NDISC_ROUTER_SOLICITATION  133
#define NDISC_ROUTER_ADVERTISEMENT 134
#define NDISC_SOLICITATION         135
#define NDISC_ADVERTISEMENT        136
#define NDISC_REDIRECT             137 // not heard
// Options of these.
#define NDISC_SOURCE_HARDWARE 1
#define NDISC_TARGET_HARDWARE 2
#define NDISC_PREFIX          3
#define NDISC_MTU             5

// The first option of this type, at least so long, of those that lie in n bytes; NULL: none.
const uint8_t *ndisc_option(const uint8_t *options, size_t n, unsigned int type, size_t least);
void ndisc_ask_routers_locked(struct net_device *device);
