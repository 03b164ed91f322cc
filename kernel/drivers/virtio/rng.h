// SPDX-License-Identifier: MIT
// The entropy device, for those who read it. Threads only; one caller at a time.
#pragma once
#include "core/types.h"

// Called when there is one; thread context.
extern void (*virtio_rng_found)(void);

#define RNG_BYTES 64 // at most for each asking

// Up to RNG_BYTES bytes, not 0, that the device made for this. -EAGAIN: none yet, and the caller does not wait; -ERESTARTSYS: a signal
// came first; -EIO: the device is broken.
ssize_t __must_check virtio_rng_read(void *to, bool wait);
