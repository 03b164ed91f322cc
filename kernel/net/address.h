// SPDX-License-Identifier: MIT
// An address of a network layer, as it is on the wire.
#pragma once
#include "lib/string.h"
#include "net/abi.h"

struct net_address {
    uint16_t family; // AF_INET, AF_INET6; AF_UNSPEC: none
    union {
        uint8_t bytes[16];
        uint32_t word[4]; // network byte order; IPv4 has the first
    };
};

static inline unsigned int net_address_size(unsigned int family) {
    return family == AF_INET ? 4 : 16;
}
static inline unsigned int net_address_bits(unsigned int family) {
    return net_address_size(family) * 8;
}
static inline struct net_address net_address_of(unsigned int family, const void *bytes) {
    struct net_address a = {.family = (uint16_t)family};
    memcpy(a.bytes, bytes, net_address_size(family));
    return a;
}
static inline struct net_address net_address_ip4(uint32_t word) {
    return (struct net_address){.family = AF_INET, .word = {word}};
}
static inline bool net_address_eq(const struct net_address *a, const struct net_address *b) {
    return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
static inline bool net_address_is_any(const struct net_address *a) {
    return !(a->word[0] | a->word[1] | a->word[2] | a->word[3]);
}
static inline bool net_address_is_loopback(const struct net_address *a) {
    return a->family == AF_INET ? a->bytes[0] == 127
                                : !(a->word[0] | a->word[1] | a->word[2]) && a->bytes[15] == 1 &&
                                      !a->bytes[12] && !a->bytes[13] && !a->bytes[14];
}
static inline bool net_address_is_multicast(const struct net_address *a) {
    return a->family == AF_INET ? (a->bytes[0] & 0xf0) == 0xe0 : a->bytes[0] == 0xff;
}
static inline bool net_address_is_link_local(const struct net_address *a) {
    return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

// True if the first `bits` of both are the same.
static inline bool net_address_matches(const struct net_address *a, const struct net_address *b,
                                       unsigned int bits) {
    unsigned int whole = bits / 8, rest = bits % 8;
    return a->family == b->family && !memcmp(a->bytes, b->bytes, whole) &&
           (!rest || !((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)));
}
// The address with all behind the first `bits` of it 0, or 1.
static inline struct net_address net_address_prefix(const struct net_address *a, unsigned int bits) {
    struct net_address p = *a;
    for (unsigned int i = 0, size = net_address_size(a->family); i < size; i++)
        p.bytes[i] &= bits >= 8 * (i + 1) ? 0xff : bits <= 8 * i ? 0 : (uint8_t)(0xff00u >> (bits - 8 * i));
    return p;
}
static inline struct net_address net_address_last(const struct net_address *a, unsigned int bits) {
    struct net_address p = *a;
    for (unsigned int i = 0, size = net_address_size(a->family); i < size; i++)
        p.bytes[i] |= bits >= 8 * (i + 1) ? 0 : bits <= 8 * i ? 0xff : (uint8_t)(0xffu >> (bits - 8 * i));
    return p;
}
