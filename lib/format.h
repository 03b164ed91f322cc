// SPDX-License-Identifier: MIT
// Formatting: the part of printf that kernel and library use. %s %c %p, %d %i %u %x %X %o with h, hh, l, ll,
// z; flags 0 - # + space, width and precision, also as *. No floating point.
#pragma once
#include <stdarg.h>
#include <stddef.h>

// As snprintf(3): writes at most n bytes with the NUL and returns the length that was wanted.
int lib_snprintf(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int lib_vsnprintf(char *buf, size_t n, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));
