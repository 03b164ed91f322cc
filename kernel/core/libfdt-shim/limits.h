// SPDX-License-Identifier: MIT
// What libfdt expects of <limits.h>.
#pragma once
#define INT_MAX  __INT_MAX__
#define UINT_MAX (2u * __INT_MAX__ + 1)
