// SPDX-License-Identifier: MIT
#include "common/json.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "common/util.h"

#define DEPTH_MAX   16
#define MEMBERS_MAX 4096 // of an object: each new one is compared with all

struct reader {
    const char *text;
    size_t size, at;
    const char *problem;
};

static bool wrong(struct reader *r, const char *problem) {
    if (!r->problem)
        r->problem = problem;
    return false;
}

// The next byte; 0 at the end (a NUL in the text is no JSON either way).
static char peek(const struct reader *r) {
    return r->at < r->size ? r->text[r->at] : '\0';
}

static void skip_space(struct reader *r) {
    while (peek(r) && strchr(" \t\n\r", peek(r)))
        r->at++;
}

static bool take(struct reader *r, char c) {
    bool there = peek(r) == c;
    r->at += there;
    return there;
}

static bool take_word(struct reader *r, const char *word) {
    size_t length = strlen(word);
    if (r->size - r->at < length || memcmp(r->text + r->at, word, length) != 0)
        return wrong(r, "a value is expected");
    r->at += length;
    return true;
}

static size_t skip_digits(struct reader *r) {
    size_t from = r->at;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at - from;
}

static bool read_number(struct reader *r) {
    take(r, '-');
    bool zero = take(r, '0');
    if (skip_digits(r) == 0 ? !zero : zero)
        return wrong(r, "a number is malformed");
    if (take(r, '.') && !skip_digits(r))
        return wrong(r, "a number is malformed");
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        if (!skip_digits(r))
            return wrong(r, "a number is malformed");
    }
    return true;
}

// ---- strings ----

static bool read_hex(struct reader *r, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = peek(r) ? strchr(digits, peek(r) | 0x20) : NULL;
        if (!digit)
            return wrong(r, "\\u is not followed by four hex digits");
        *out = *out << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)((0xf0 << (3 - more)) | (c >> 6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    return more + 1;
}

// What follows a backslash; gives the bytes it puts at `out`, 0 where it is wrong.
static size_t read_escape(struct reader *r, char *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = peek(r);
    uint32_t code, low;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        r->at++;
        *out = to[found - from];
        return 1;
    }
    if (!take(r, 'u')) {
        wrong(r, "an unknown escape");
        return 0;
    }
    if (!read_hex(r, &code))
        return 0;
    if (code >= 0xd800 && code < 0xdc00) {
        if (!take(r, '\\') || !take(r, 'u') || !read_hex(r, &low) || low < 0xdc00 || low > 0xdfff)
            wrong(r, "half a surrogate pair");
        else
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0 || (code >= 0xd800 && code < 0xe000))
        wrong(r, code ? "half a surrogate pair" : "a NUL in a string");
    return r->problem ? 0 : put_utf8(out, code);
}

// How many bytes there are up to the quote that ends a string.
static size_t raw_length(const struct reader *r) {
    size_t at = r->at;
    while (at < r->size && r->text[at] != '"')
        at += r->text[at] == '\\' ? 2 : 1;
    return (at < r->size ? at : r->size) - r->at;
}

static bool read_string(struct reader *r, char **out) {
    if (!take(r, '"'))
        return wrong(r, "a string is expected");
    char *string = xrealloc(NULL, raw_length(r) + 1); // no escape is shorter than what it stands for
    size_t length = 0;
    while (!r->problem && peek(r) != '"') {
        unsigned char c = (unsigned char)peek(r);
        if (r->at == r->size)
            wrong(r, "a string does not end");
        else if (c < 0x20)
            wrong(r, "a control byte in a string");
        else if (take(r, '\\'))
            length += read_escape(r, string + length);
        else
            string[length++] = r->text[r->at++];
    }
    string[length] = '\0';
    if (!r->problem && !utf8_is_valid(string))
        wrong(r, "a string is not UTF-8");
    *out = string;
    return !r->problem && take(r, '"');
}

// ---- values ----

static bool read_value(struct reader *r, struct json *out, unsigned int depth);

static struct json *add_value(struct json *to) {
    if ((to->count & (to->count - 1)) == 0) // full at powers of two
        to->values = xrealloc(to->values, (to->count ? 2 * to->count : 1) * sizeof(*to->values));
    to->values[to->count] = (struct json){.type = JSON_NULL};
    return &to->values[to->count++];
}

static bool read_member(struct reader *r, struct json *object, unsigned int depth) {
    char *key = NULL;
    skip_space(r);
    bool ok = read_string(r, &key);
    if (ok && object->count == MEMBERS_MAX)
        ok = wrong(r, "an object has too many members");
    if (ok && json_member(object, key))
        ok = wrong(r, "a key is there twice");
    skip_space(r);
    if (ok && !take(r, ':'))
        ok = wrong(r, "':' is expected");
    if (!ok) {
        free(key);
        return false;
    }
    struct json *member = add_value(object);
    member->key = key;
    return read_value(r, member, depth);
}

// What is between the brackets of an array or object.
static bool read_list(struct reader *r, struct json *out, unsigned int depth) {
    bool is_object = out->type == JSON_OBJECT;
    char end = is_object ? '}' : ']';
    if (depth > DEPTH_MAX)
        return wrong(r, "nested too deep");
    skip_space(r);
    if (take(r, end))
        return true;
    do {
        if (!(is_object ? read_member(r, out, depth) : read_value(r, add_value(out), depth)))
            return false;
    } while (take(r, ','));
    return take(r, end) || wrong(r, is_object ? "',' or '}' is expected" : "',' or ']' is expected");
}

// A value with the white space around it.
static bool read_value(struct reader *r, struct json *out, unsigned int depth) {
    skip_space(r);
    char c = peek(r);
    bool ok;
    if (c == '{' || c == '[') {
        r->at++;
        out->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        ok = read_list(r, out, depth + 1);
    } else if (c == '"') {
        out->type = JSON_STRING;
        ok = read_string(r, &out->string);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        out->type = JSON_NUMBER;
        ok = read_number(r);
    } else {
        out->type = c == 'n' ? JSON_NULL : JSON_BOOLEAN;
        ok = take_word(r, c == 'n' ? "null" : c == 't' ? "true" : "false");
    }
    skip_space(r);
    return ok;
}

bool json_read(const char *text, size_t size, struct json *out, const char **problem, size_t *at) {
    struct reader r = {.text = text, .size = size};
    *out = (struct json){.type = JSON_NULL};
    if (read_value(&r, out, 0) && r.at < size)
        wrong(&r, "something follows the value");
    *problem = r.problem;
    *at = r.at;
    if (r.problem)
        json_free(out);
    return !r.problem;
}

void json_free(struct json *value) {
    for (size_t i = 0; i < value->count; i++)
        json_free(&value->values[i]);
    free(value->values);
    free(value->key);
    free(value->string);
    *value = (struct json){.type = JSON_NULL};
}

const struct json *json_member(const struct json *object, const char *key) {
    for (size_t i = 0; object->type == JSON_OBJECT && i < object->count; i++)
        if (strcmp(object->values[i].key, key) == 0)
            return &object->values[i];
    return NULL;
}
