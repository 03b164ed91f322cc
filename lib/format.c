// SPDX-License-Identifier: MIT
#include "lib/format.h"
#include <stdbool.h>
#include <stdint.h>

struct output {
    char *buf;
    size_t size, length; // length: wanted so far
};

struct spec {
    bool left, zero, alternate, plus, space;
    int width, precision; // precision -1: none
    int size;             // of the integer: 1, 2, 4, 8
    char conversion;
};

static void put(struct output *o, char c) {
    if (o->length + 1 < o->size)
        o->buf[o->length] = c;
    o->length++;
}

static void put_many(struct output *o, char c, int n) {
    while (n-- > 0)
        put(o, c);
}

static void put_text(struct output *o, const struct spec *s, const char *text) {
    int n = 0;
    if (!text)
        text = "(null)";
    while ((s->precision < 0 || n < s->precision) && text[n])
        n++;
    if (!s->left)
        put_many(o, ' ', s->width - n);
    for (int i = 0; i < n; i++)
        put(o, text[i]);
    if (s->left)
        put_many(o, ' ', s->width - n);
}

static void put_number(struct output *o, const struct spec *s, uint64_t value, bool negative) {
    char digits[24];
    int n = 0;
    unsigned int base = s->conversion == 'x' || s->conversion == 'X' || s->conversion == 'p' ? 16
                        : s->conversion == 'o'                                               ? 8
                                                                                             : 10;
    const char *alphabet = s->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    const char *prefix = negative ? "-" : s->plus ? "+" : s->space ? " " : "";
    if (s->conversion == 'p' || (s->alternate && base == 16 && value))
        prefix = s->conversion == 'X' ? "0X" : "0x";
    else if (s->alternate && base == 8 && value)
        prefix = "0";
    for (uint64_t v = value; v; v /= base)
        digits[n++] = alphabet[v % base];
    if (n == 0 && s->precision != 0)
        digits[n++] = '0';
    int prefix_length = prefix[0] ? prefix[1] ? 2 : 1 : 0;
    int zeros = s->precision > n ? s->precision - n : 0;
    if (s->zero && !s->left && s->precision < 0 && s->width > n + prefix_length)
        zeros = s->width - n - prefix_length;
    int pad = s->width - n - zeros - prefix_length;
    if (!s->left)
        put_many(o, ' ', pad);
    for (; *prefix; prefix++)
        put(o, *prefix);
    put_many(o, '0', zeros);
    while (n > 0)
        put(o, digits[--n]);
    if (s->left)
        put_many(o, ' ', pad);
}

static const char *parse_flags(const char *f, struct spec *s) {
    for (;; f++) {
        switch (*f) {
        case '-':
            s->left = true;
            break;
        case '0':
            s->zero = true;
            break;
        case '#':
            s->alternate = true;
            break;
        case '+':
            s->plus = true;
            break;
        case ' ':
            s->space = true;
            break;
        default:
            return f;
        }
    }
}

static const char *parse_size(const char *f, struct spec *s) {
    s->size = 4;
    while (*f == 'h') {
        s->size /= 2;
        f++;
    }
    while (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't') {
        s->size = 8;
        f++;
    }
    return f;
}

static uint64_t sign_extended(uint64_t v, int size) {
    int shift = 64 - 8 * size;
    return (uint64_t)((int64_t)(v << shift) >> shift);
}

static void convert_integer(struct output *o, struct spec *s, uint64_t raw) {
    bool is_signed = s->conversion == 'd' || s->conversion == 'i';
    if (s->conversion == 'p')
        s->size = 8;
    uint64_t v = is_signed      ? sign_extended(raw, s->size)
                 : s->size == 8 ? raw
                                : raw & ((1ull << (8 * s->size)) - 1);
    bool negative = is_signed && (int64_t)v < 0;
    put_number(o, s, negative ? -v : v, negative);
}

static int parse_number(const char **f) {
    int n = 0;
    while (**f >= '0' && **f <= '9')
        n = n * 10 + *(*f)++ - '0';
    return n;
}

int lib_vsnprintf(char *buf, size_t n, const char *f, va_list args) {
    struct output o = {buf, n, 0};
    for (; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        struct spec s = {.precision = -1};
        f = parse_flags(f + 1, &s);
        if (*f == '*') {
            s.width = va_arg(args, int);
            f++;
            if (s.width < 0) {
                s.left = true;
                s.width = -s.width;
            }
        } else {
            s.width = parse_number(&f);
        }
        if (*f == '.') {
            f++;
            if (*f == '*') {
                s.precision = va_arg(args, int);
                f++;
            } else {
                s.precision = parse_number(&f);
            }
        }
        f = parse_size(f, &s);
        s.conversion = *f;
        if (*f == 's') {
            put_text(&o, &s, va_arg(args, const char *));
        } else if (*f == 'c') {
            put_text(&o, &(struct spec){.left = s.left, .width = s.width, .precision = 1},
                     (char[]){(char)va_arg(args, int), 0});
        } else if (*f == '%') {
            put(&o, '%');
        } else if (*f == 'p' || s.size == 8) {
            convert_integer(&o, &s, va_arg(args, uint64_t));
        } else if (*f) {
            convert_integer(&o, &s, va_arg(args, unsigned int));
        } else {
            break;
        }
    }
    if (n)
        buf[o.length < n ? o.length : n - 1] = '\0';
    return (int)o.length;
}

int lib_snprintf(char *buf, size_t n, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int length = lib_vsnprintf(buf, n, fmt, args);
    va_end(args);
    return length;
}
