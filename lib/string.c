// SPDX-License-Identifier: MIT
// Memory and strings. Copies and fills go by 64-bit words, eight at a time; where source and destination
// differ in alignment, aligned words are read and shifted together, since unaligned access may be emulated in
// the firmware.
#include "lib/string.h"
#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word;

#define WORD         sizeof(word)
#define OFFSET(p)    ((uintptr_t)(p) % WORD)
#define WORDS_PER_GO 8

void *memset(void *dst, int c, size_t n) {
    unsigned char *p = dst;
    word w = (unsigned char)c * 0x0101010101010101ull;
    for (; n && OFFSET(p); n--)
        *p++ = (unsigned char)c;
    word *q = (word *)p;
    for (; n >= WORDS_PER_GO * WORD; n -= WORDS_PER_GO * WORD, q += WORDS_PER_GO) {
        q[0] = w;
        q[1] = w;
        q[2] = w;
        q[3] = w;
        q[4] = w;
        q[5] = w;
        q[6] = w;
        q[7] = w;
    }
    for (; n >= WORD; n -= WORD)
        *q++ = w;
    for (p = (unsigned char *)q; n; n--)
        *p++ = (unsigned char)c;
    return dst;
}

static void copy_words(word *d, const word *s, size_t words) {
    for (; words >= WORDS_PER_GO; words -= WORDS_PER_GO, d += WORDS_PER_GO, s += WORDS_PER_GO) {
        word a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];
        d[0] = a;
        d[1] = b;
        d[2] = c;
        d[3] = e;
        d[4] = f;
        d[5] = g;
        d[6] = h;
        d[7] = i;
    }
    while (words--)
        *d++ = *s++;
}

// Source `off` bytes past a word boundary. Reads no word that holds none of the wanted bytes.
static void copy_shifted(word *d, const unsigned char *s, size_t off, size_t words) {
    const word *from = (const word *)(s - off);
    unsigned int low = 8 * off, high = 64 - low;
    for (word left = *from++; words; words--) {
        word right = *from++;
        *d++ = left >> low | right << high;
        left = right;
    }
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n) {
    unsigned char *d = dst;
    const unsigned char *s = src;
    for (; n && OFFSET(d); n--)
        *d++ = *s++;
    size_t words = n / WORD;
    if (words) {
        if (OFFSET(s))
            copy_shifted((word *)d, s, OFFSET(s), words);
        else
            copy_words((word *)d, (const word *)s, words);
        d += words * WORD;
        s += words * WORD;
        n -= words * WORD;
    }
    while (n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n) {
    unsigned char *d = dst;
    const unsigned char *s = src;
    uintptr_t after = (uintptr_t)d - (uintptr_t)s,
              before = (uintptr_t)s - (uintptr_t)d; // d - s or s - d, or a lot
    if (after >= n || !after) {
        if (before >= WORDS_PER_GO * WORD)
            return memcpy(dst, src, n);
        while (n--)
            *d++ = *s++;
        return dst;
    }
    while (n--)
        d[n] = s[n];
    return dst;
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *p = a, *q = b;
    if (!OFFSET(p) && !OFFSET(q)) {
        for (; n >= WORD && *(const word *)p == *(const word *)q; n -= WORD, p += WORD, q += WORD)
            ;
    }
    for (; n; n--, p++, q++) {
        if (*p != *q)
            return *p - *q;
    }
    return 0;
}

void *memchr(const void *s, int c, size_t n) {
    for (const unsigned char *p = s; n; n--, p++) {
        if (*p == (unsigned char)c)
            return (void *)p;
    }
    return NULL;
}

size_t strnlen(const char *s, size_t n) {
    size_t i = 0;
    while (i < n && s[i])
        i++;
    return i;
}

size_t strlen(const char *s) {
    return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n && *a && *a == *b; n--, a++, b++)
        ;
    return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

int strcmp(const char *a, const char *b) {
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c) {
    for (; *s != (char)c; s++) {
        if (!*s)
            return NULL;
    }
    return (char *)s;
}

char *strrchr(const char *s, int c) {
    const char *found = NULL;
    for (;; s++) {
        if (*s == (char)c)
            found = s;
        if (!*s)
            return (char *)found;
    }
}

char *strstr(const char *s, const char *what) {
    size_t n = strlen(what);
    for (; *s || !n; s++) {
        if (!strncmp(s, what, n))
            return (char *)s;
    }
    return NULL;
}

size_t strlcpy(char *dst, const char *src, size_t n) {
    size_t length = strlen(src);
    if (n) {
        size_t copied = length < n ? length : n - 1;
        memcpy(dst, src, copied);
        dst[copied] = '\0';
    }
    return length;
}
