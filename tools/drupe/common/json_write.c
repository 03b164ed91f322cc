// SPDX-License-Identifier: MIT
#include "common/json.h"

void json_write_string(FILE *to, const char *text) {
    fputc('"', to);
    while (*text) {
        size_t length = utf8_length(text);
        unsigned char c = (unsigned char)*text;
        if (!length)
            fprintf(to, "\\udc%02x", c);
        else if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(to, "\\u%04x", c);
        else
            fwrite(text, 1, length, to);
        text += length ? length : 1;
    }
    fputc('"', to);
}

void json_write_member(FILE *to, const char *key, const char *value) {
    fprintf(to, ", \"%s\": ", key);
    if (value)
        json_write_string(to, value);
    else
        fputs("null", to);
}

void json_write_strings(FILE *to, const struct strings *strings) {
    fputc('[', to);
    for (size_t i = 0; i < strings->count; i++) {
        fputs(i ? ", " : "", to);
        json_write_string(to, strings->at[i]);
    }
    fputc(']', to);
}
