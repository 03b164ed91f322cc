// SPDX-License-Identifier: MIT
// The real-time clock.
#pragma once
#include "core/types.h"

// Nanoseconds since 1970, 0 if the machine has no clock that we know.
int64_t rtc_read_ns(void);
bool rtc_is_there(void);
void rtc_set_ns(int64_t ns);
