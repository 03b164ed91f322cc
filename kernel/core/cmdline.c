// SPDX-License-Identifier: MIT
#include "core/cmdline.h"
#include "lib/format.h"
#include "lib/number.h"
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

static const char *skip_prefix(const char *s, unsigned int *base) {
    bool hex = s[0] == '0' && (s[1] | 32) == 'x';
    *base = hex ? 16 : 10;
    return hex ? s + 2 : s;
}

long cmdline_number(const char *key, long otherwise) {
    const char *s = cmdline_get(key);
    bool negative = s && *s == '-';
    unsigned int base;
    uint64_t n;
    if (!s)
        return otherwise;
    s = skip_prefix(s + negative, &base);
    const char *end = number_read(s, base, INT64_MAX, &n);
    if (end == s || *end)
        return otherwise;
    return negative ? -(long)n : (long)n;
}

// A size at the beginning of a text. Gives what follows it, NULL where there is none.
static const char *read_size(const char *from, uint64_t *size) {
    static const char units[] = "kmgtpe";
    unsigned int base;
    uint64_t n;
    from = skip_prefix(from, &base);
    const char *s = number_read(from, base, UINT64_MAX, &n);
    if (s == from)
        return NULL;
    const char *unit = *s ? strchr(units, *s | 32) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (n > UINT64_MAX >> shift)
        return NULL;
    *size = n << shift;
    return s + (unit != NULL);
}

uint64_t cmdline_size(const char *key, uint64_t otherwise) {
    const char *value = cmdline_get(key);
    uint64_t size;
    return value && read_size(value, &size) ? size : otherwise;
}

bool cmdline_range(const char *key, uint64_t *start, uint64_t *size) {
    const char *value = cmdline_get(key);
    value = value ? read_size(value, start) : NULL;
    value = value && *value == ',' ? read_size(value + 1, size) : NULL;
    return value && !*value;
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
