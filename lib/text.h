// SPDX-License-Identifier: MIT
// Sentences built piece by piece in a caller's buffer: always NUL-terminated, silently cut at its end. For
// messages about input, whose names may hold anything.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct text {
    char *buffer;
    size_t size;   // of the buffer, at least 1
    size_t length; // so far, less than size
};

void text_begin(struct text *t, char *buffer, size_t size);
void text_add(struct text *t, const char *s);
void text_add_number(struct text *t, uint64_t n);
void text_add_hex(struct text *t, uint64_t n);
// "..." around the bytes; control bytes, '"' and '\' as \xNN, so that one line stays one line. Other bytes,
// UTF-8 too, as they are.
void text_add_quoted(struct text *t, const char *bytes, size_t length);
