// SPDX-License-Identifier: MIT
#include "core/cmdline.h"
#include "lib/format.h"
#include "lib/string.h"

static char text[CMDLINE_SIZE], split[CMDLINE_SIZE + CMDLINE_WORDS];
static const char *words[CMDLINE_WORDS];
static unsigned int count, dashes;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

static void split_line(const char *s) {
    char *out = split;
    bool quoted = false;
    while (*s && count < CMDLINE_WORDS) {
        while (is_blank(*s))
            s++;
        if (!*s)
            break;
        words[count] = out;
        for (; *s && (quoted || !is_blank(*s)); s++) {
            if (*s == '"')
                quoted = !quoted;
            else
                *out++ = *s;
        }
        *out++ = '\0';
        if (dashes > count && !strcmp(words[count], "--"))
            dashes = count;
        else
            count++;
    }
    if (dashes > count)
        dashes = count;
}

void cmdline_init(const char *built_in, const char *from_loader) {
    bool both = built_in && *built_in && from_loader && *from_loader;
    lib_snprintf(text, sizeof(text), "%s%s%s", built_in ? built_in : "", both ? " " : "",
                 from_loader ? from_loader : "");
    dashes = CMDLINE_WORDS + 1;
    split_line(text);
}

static char dash_as_underscore(char c) {
    return c == '-' ? '_' : c;
}

const char *cmdline_value(const char *word, const char *key, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (dash_as_underscore(word[i]) != dash_as_underscore(key[i]))
            return NULL;
    }
    return word[n] == '=' ? word + n + 1 : word[n] ? NULL : word + n;
}

const char *cmdline_get(const char *key) {
    for (unsigned int i = dashes; i-- > 0;) {
        const char *value = cmdline_value(words[i], key, strlen(key));
        if (value)
            return value;
    }
    return NULL;
}

bool cmdline_has(const char *key) {
    return cmdline_get(key) != NULL;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
}

long cmdline_number(const char *key, long otherwise) {
    const char *s = cmdline_get(key);
    bool negative = s && *s == '-';
    long n = 0;
    int base = 10;
    if (negative)
        s++;
    if (!s || !*s)
        return otherwise;
    if (s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    for (; *s; s++) {
        if (digit_of(*s) >= base)
            return otherwise;
        n = n * base + digit_of(*s);
    }
    return negative ? -n : n;
}

uint64_t cmdline_size(const char *key, uint64_t otherwise) {
    const char *s = cmdline_get(key);
    uint64_t n = 0;
    int base = 10;
    if (!s || digit_of(*s) > 9)
        return otherwise;
    if (s[0] == '0' && (s[1] | 32) == 'x') {
        base = 16;
        s += 2;
    }
    for (; digit_of(*s) < base; s++) {
        if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
            __builtin_add_overflow(n, (uint64_t)digit_of(*s), &n))
            return otherwise;
    }
    static const char units[] = "kmgtpe";
    const char *unit = *s ? strchr(units, *s | 32) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    return n > UINT64_MAX >> shift ? otherwise : n << shift;
}

unsigned int cmdline_count(void) {
    return count;
}

unsigned int cmdline_dashes(void) {
    return dashes;
}

const char *cmdline_word(unsigned int i) {
    return words[i];
}

const char *cmdline_text(void) {
    return text;
}
