// SPDX-License-Identifier: MIT
// Packets that come in fragments (RFC 791, RFC 8200 section 4.5) become whole again, before lwIP sees them.
#pragma once
#include "sched/clock.h"

struct net_frame;

// [n] A frame that has come in and is on its way to lwIP: itself, if it is no fragment; the packet that it completes; or NULL: it waits for the
// others, or was no good.
struct net_frame *inet_fragment_receive_locked(struct net_frame *f);
// [n] All of this network's go.
void inet_fragments_end_locked(void);
// [n] Packets whose rest has not come in time go. When that is to be called again.
ktime_t inet_fragments_expire_locked(void);
