// SPDX-License-Identifier: MIT
#include "lib/text.h"

static void add_byte(struct text *t, char c) {
    if (t->length + 1 < t->size) {
        t->buffer[t->length++] = c;
        t->buffer[t->length] = '\0';
    }
}

void text_begin(struct text *t, char *buffer, size_t size) {
    t->buffer = buffer;
    t->size = size;
    t->length = 0;
    buffer[0] = '\0';
}

void text_add(struct text *t, const char *s) {
    while (*s)
        add_byte(t, *s++);
}

static void add_digits(struct text *t, uint64_t n, unsigned int base) {
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = "0123456789abcdef"[n % base];
    while (n /= base);
    while (count)
        add_byte(t, digits[--count]);
}

void text_add_number(struct text *t, uint64_t n) {
    add_digits(t, n, 10);
}

void text_add_hex(struct text *t, uint64_t n) {
    add_digits(t, n, 16);
}

void text_add_quoted(struct text *t, const char *bytes, size_t length) {
    add_byte(t, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') {
            text_add(t, "\\x");
            add_byte(t, "0123456789abcdef"[c >> 4]);
            add_byte(t, "0123456789abcdef"[c & 15]);
        } else {
            add_byte(t, (char)c);
        }
    }
    add_byte(t, '"');
}
