// SPDX-License-Identifier: MIT
// Packets that come back.
#pragma once
#include "net/device.h"

// Tells its sender, who is here, that nobody at the packet's next hop answers: by a message of ICMP, as on Linux. With the stack's lock. The
// frame stays the caller's.
void inet_unreachable_locked(const struct net_frame *frame);
