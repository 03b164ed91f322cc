// SPDX-License-Identifier: MIT
#pragma once
#include "core/types.h"
#define KTIME_NEVER INT64_MAX
ktime_t clock_monotonic(void);
