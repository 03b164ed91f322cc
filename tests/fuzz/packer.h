// SPDX-License-Identifier: MIT
// The packer under libFuzzer: its sources are compiled with these instead of the C library's functions of the
// same names, so that a message that ends the program ends the run of one input, and what the program would
// leave to exit is freed.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Calls `body`, which may end early, and frees all that it allocated. Gives 0 or what it ended with. Whatever
// it says has to be printable text.
int packer_run(void (*body)(const uint8_t *bytes, size_t size), const uint8_t *bytes, size_t size);

// Ends the fuzzer with a crash unless `good`.
void packer_check(bool good);

void packer_exit(int status) __attribute__((noreturn));
void *packer_calloc(size_t count, size_t size);
void *packer_realloc(void *old, size_t size);
char *packer_strndup(const char *s, size_t n);
int packer_vasprintf(char **out, const char *format, va_list args);
void packer_free(void *memory);
