// SPDX-License-Identifier: MIT
// ChaCha20 as in RFC 8439, sections 2.1 to 2.3; the generator overwrites its key with the first 32 bytes of
// each block.
#include "core/random.h"
#include "core/spinlock.h"
#include "lib/string.h"

#define BLOCK 64
#define KEY   32

static struct spinlock random_lock;
static uint32_t key[KEY / 4]; // [random_lock]
static uint64_t counter;      // [random_lock]

static uint32_t rotate(uint32_t v, int n) {
    return v << n | v >> (32 - n);
}

// In line, with fixed places: the state is in registers then.
static inline __attribute__((always_inline)) void quarter(uint32_t *s, int a, int b, int c, int d) {
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(uint32_t out[BLOCK / 4]) {
    uint32_t s[16], in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(in + 4, key, KEY);
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    counter++;
    memcpy(s, in, BLOCK);
    for (int i = 0; i < 10; i++) {
        quarter(s, 0, 4, 8, 12);
        quarter(s, 1, 5, 9, 13);
        quarter(s, 2, 6, 10, 14);
        quarter(s, 3, 7, 11, 15);
        quarter(s, 0, 5, 10, 15);
        quarter(s, 1, 6, 11, 12);
        quarter(s, 2, 7, 8, 13);
        quarter(s, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        out[i] = s[i] + in[i];
}

void random_add(const void *data, size_t n) {
    const unsigned char *p = data;
    uint32_t mixed[BLOCK / 4];
    unsigned long flags = spin_lock_irqsave(&random_lock);
    while (n) {
        size_t part = MIN(n, (size_t)KEY);
        for (size_t i = 0; i < part; i++)
            ((unsigned char *)key)[i] ^= p[i];
        block(mixed);
        memcpy(key, mixed, KEY);
        p += part;
        n -= part;
    }
    spin_unlock_irqrestore(&random_lock, flags);
}

void random_bytes(void *buf, size_t n) {
    unsigned char *p = buf;
    uint32_t out[BLOCK / 4];
    while (n) {
        unsigned long flags = spin_lock_irqsave(&random_lock);
        block(out);
        memcpy(key, out, KEY);
        spin_unlock_irqrestore(&random_lock, flags);
        size_t part = MIN(n, (size_t)(BLOCK - KEY));
        memcpy(p, (unsigned char *)out + KEY, part);
        p += part;
        n -= part;
    }
    memset(out, 0, sizeof(out));
}

// The time a few loads take differs with the state of caches and of the host.
static void add_jitter(void) {
    uint64_t samples[16];
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        samples[i] = rdtime() << (i % 7);
    random_add(samples, sizeof(samples));
}

void random_init(const void *seed, size_t n) {
    if (seed)
        random_add(seed, n);
    add_jitter();
}
