// SPDX-License-Identifier: MIT
// Addresses of IPv6 that a device gets by itself: its own, and what a router says (RFC 4862). With the stack's lock.
#pragma once
#include "net/device.h"

// The device has gone up: its link-local address, and a question for routers.
void autoconf_up_locked(struct net_device *device);
// A router's advertisement: the message of ICMPv6, n bytes of it, at least 8.
void autoconf_hear_locked(struct net_device *device, const struct net_address *router, const uint8_t *message,
                          size_t n);
// What is due by now; when there will be more, KTIME_NEVER: nothing.
int64_t autoconf_run_locked(void);
