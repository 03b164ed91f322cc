// SPDX-License-Identifier: MIT
#include "lib/number.h"

static unsigned int digit_of(char c) {
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    char lower = (char)(c | 32);
    return lower >= 'a' && lower <= 'f' ? (unsigned int)(lower - 'a') + 10 : 16;
}

const char *number_read(const char *s, unsigned int base, uint64_t max, uint64_t *out) {
    const char *at = s;
    uint64_t n = 0;
    *out = 0;
    for (unsigned int digit; (digit = digit_of(*at)) < base; at++) {
        if (digit > max || n > (max - digit) / base)
            return s;
        n = n * base + digit;
    }
    *out = n;
    return at;
}

int64_t number_of_name(const char *name, uint64_t max) {
    uint64_t n;
    const char *end = number_read(name, 10, max, &n);
    return end == name || *end || (name[0] == '0' && name[1]) ? -1 : (int64_t)n;
}
