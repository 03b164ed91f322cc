// SPDX-License-Identifier: MIT
// Keeping the realtime clock right: adjtimex(2). Once a second it is seen to how fast realtime is to pass in the next one: by the
// frequency and the length of a tick that were set, by what is left of adjtime(3)'s offset, and by a part of the offset that the
// phase-locked loop is to take away (RFC 1589, "A Kernel Model for Precision Timekeeping").
//
// Monotonic time is not adjusted, as CLOCK_MONOTONIC_RAW is not.
#pragma once
#include "core/types.h"

struct __kernel_timex;

// adjtimex(2), its argument checked: does what tx->modes say and fills in what is. TIME_OK, or TIME_ERROR.
int discipline_adjust(struct __kernel_timex *tx);
// The clock is set: what was being adjusted is not any more, and nobody knows how right it is.
void discipline_clear(void);
// How far CLOCK_TAI is ahead of realtime, in seconds.
int discipline_tai(void);
