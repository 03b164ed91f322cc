// SPDX-License-Identifier: MIT
// What outside libraries expect of <limits.h>.
#pragma once
#define INT_MAX  __INT_MAX__
#define UINT_MAX (2u * __INT_MAX__ + 1)
