// SPDX-License-Identifier: MIT
// JSON (RFC 8259). A strict reader for the short texts in ELF notes and images: UTF-8, nothing before or behind the one
// value, no key twice. Strings with a NUL in them are refused: nothing that is read here may hold one. And the parts of a
// writer that are not mere punctuation.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "common/util.h"

enum json_type { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    char *key;           // of a member of an object
    char *string;        // JSON_STRING
    struct json *values; // JSON_ARRAY, JSON_OBJECT: in order
    size_t count;
};

// Reads a text. False: it is not JSON, *problem says why (a constant) and *at where (its offset).
bool json_read(const char *text, size_t size, struct json *out, const char **problem, size_t *at);
void json_free(struct json *value);

// A member of an object; NULL where there is none.
const struct json *json_member(const struct json *object, const char *key);

// json_write.c
// Writes a string with its quotes. What is not UTF-8 becomes a lone surrogate, as Python's surrogateescape has it.
void json_write_string(FILE *to, const char *text);
// `, "key": "value"`; null for NULL.
void json_write_member(FILE *to, const char *key, const char *value);
// `["a", "b"]`
void json_write_strings(FILE *to, const struct strings *strings);
