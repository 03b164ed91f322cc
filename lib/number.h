// SPDX-License-Identifier: MIT
// Numbers in text that somebody wrote.
#pragma once
#include <stdint.h>

// Reads digits of `base`, 2 to 16, from `s` on. Gives the first character that is none; `s` itself, and 0 in *out, if there is no
// digit or the number is larger than `max`.
const char *number_read(const char *s, unsigned int base, uint64_t max, uint64_t *out);
// The number that a name is: decimal, without a 0 in front. -1: it is none, or larger than `max`.
int64_t number_of_name(const char *name, uint64_t max);
