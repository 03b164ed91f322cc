// SPDX-License-Identifier: MIT
// The sum of the Internet protocols (RFC 1071).
#pragma once
#include "core/types.h"

// Of n bytes: all 16-bit words as they lie in memory, folded, not inverted; behind an odd last byte a 0 is thought.
uint16_t net_sum(const void *data, size_t n);
// That of what lies in several places: each but the last of even length. Start with 0.
static inline uint16_t net_sum_add(uint16_t sum, const void *data, size_t n) {
    uint32_t both = (uint32_t)sum + net_sum(data, n);
    return (uint16_t)(both + (both >> 16));
}
// What goes into, or is right in, a packet of `protocol` over IPv6: with the addresses, source and destination in a row, its length
// and protocol. Inverted; 0 for one whose sum is right.
uint16_t net_sum_ip6(const void *addresses, unsigned int protocol, const void *data, size_t n);
