// SPDX-License-Identifier: MIT
// What outside libraries expect of <stdlib.h>.
#pragma once
#include "lib/string.h"
unsigned long strtoul(const char *s, char **end, int base);
// Of small numbers without a sign.
static inline int atoi(const char *s) {
    int n = 0;
    for (; *s >= '0' && *s <= '9' && n < 100000; s++)
        n = n * 10 + *s - '0';
    return n;
}

// There is no heap behind these: libraries get memory from their callers, and are told so where they ask.
static inline void *malloc(size_t size) {
    (void)size;
    return NULL;
}
static inline void *calloc(size_t n, size_t size) {
    (void)n, (void)size;
    return NULL;
}
static inline void free(void *memory) {
    (void)memory;
}
