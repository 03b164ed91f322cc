// SPDX-License-Identifier: MIT
// What libfdt expects of <stdlib.h>.
#pragma once
#include "lib/string.h"
unsigned long strtoul(const char *s, char **end, int base);
