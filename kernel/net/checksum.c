// SPDX-License-Identifier: MIT
// Sums of packets, eight bytes at a time: a carry out of 64 bits counts 1, as one out of 16 does.
#include "net/checksum.h"
#include "lib/string.h"

static uint64_t add(uint64_t sum, uint64_t word) {
    sum += word;
    return sum + (sum < word);
}

static uint16_t fold(uint64_t sum) {
    sum = (sum >> 32) + (uint32_t)sum;
    sum = (sum >> 32) + (uint32_t)sum;
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

// What lies behind the last whole word.
static uint64_t rest_of(const uint8_t *p, size_t n) {
    uint64_t word = 0;
    memcpy(&word, p, n);
    return word;
}

static uint64_t sum_aligned(const uint64_t *p, size_t n) {
    uint64_t sum = 0;
    for (; n >= 32; n -= 32, p += 4) {
        sum = add(sum, p[0]);
        sum = add(sum, p[1]);
        sum = add(sum, p[2]);
        sum = add(sum, p[3]);
    }
    for (; n >= 8; n -= 8)
        sum = add(sum, *p++);
    return n ? add(sum, rest_of((const uint8_t *)p, n)) : sum;
}

uint16_t net_sum(const void *data, size_t n) {
    const uint8_t *p = data;
    size_t before = MIN(-(uintptr_t)p & 7, n);
    uint16_t start = fold(rest_of(p, before)),
             rest = fold(sum_aligned((const uint64_t *)(p + before), n - before));
    if (before & 1) // what follows lies in the other half of its words
        rest = (uint16_t)(rest << 8 | rest >> 8);
    return fold((uint64_t)start + rest);
}

uint16_t net_sum_ip6(const void *addresses, unsigned int protocol, const void *data, size_t n) {
    uint8_t more[8] = {0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, (uint8_t)protocol};
    uint16_t sum = net_sum_add(0, addresses, 32);
    sum = net_sum_add(sum, more, sizeof(more));
    return (uint16_t)~net_sum_add(sum, data, n);
}
