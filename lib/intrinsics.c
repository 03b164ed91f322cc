// SPDX-License-Identifier: MIT
// What the compiler calls for operations that the base instruction set lacks; its own library is built for
// another floating-point ABI.
#include <stdint.h>

int __ctzdi2(uint64_t v);
int __clzdi2(uint64_t v);
int __popcountdi2(uint64_t v);
unsigned __int128 __udivti3(unsigned __int128 a, unsigned __int128 b);

// The lowest set bit, isolated, times a de Bruijn sequence has the bit's number in a table's index in its top
// 6 bits.
int __ctzdi2(uint64_t v) {
    static const uint8_t table[64] = {
        0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
        22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
        23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
    };
    return table[(v & -v) * 0x022fdd63cc95386dull >> 58];
}

int __clzdi2(uint64_t v) {
    int n = 0;
    for (int shift = 32; shift; shift >>= 1) {
        if (!(v >> (64 - shift))) {
            n += shift;
            v <<= shift;
        }
    }
    return n;
}

int __popcountdi2(uint64_t v) {
    v -= v >> 1 & 0x5555555555555555;
    v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (int)(v * 0x0101010101010101 >> 56);
}

// Long division, bit by bit; by 64-bit numbers where that is enough.
unsigned __int128 __udivti3(unsigned __int128 a, unsigned __int128 b) {
    unsigned __int128 quotient = 0, rest = 0;
    if (!(a >> 64) && !(b >> 64))
        return (uint64_t)a / (uint64_t)b;
    for (int i = 127; i >= 0; i--) {
        rest = rest << 1 | (a >> i & 1);
        if (rest >= b) {
            rest -= b;
            quotient |= (unsigned __int128)1 << i;
        }
    }
    return quotient;
}

// Bytes in the other order.
uint32_t __bswapsi2(uint32_t x);
uint32_t __bswapsi2(uint32_t x) {
    x = (x & 0x00ff00ffu) << 8 | (x >> 8 & 0x00ff00ffu);
    return x << 16 | x >> 16;
}

uint64_t __bswapdi2(uint64_t x);
uint64_t __bswapdi2(uint64_t x) {
    return (uint64_t)__bswapsi2((uint32_t)x) << 32 | __bswapsi2((uint32_t)(x >> 32));
}
