// SPDX-License-Identifier: MIT
// lwIP's icmp.h, but for one thing: that nobody listens at a port of IPv4 is said with as much of the datagram as Linux gives back
// (inet_error.c), where lwIP gives 8 bytes.
#pragma once
#include_next "lwip/icmp.h"
#include "hooks.h"

#undef icmp_port_unreach
#define icmp_port_unreach(six, p) inet_port_unreachable(six, p)
