// SPDX-License-Identifier: MIT
// Random numbers: ChaCha20 keyed from the device tree's rng-seed and the jitter of the clock, rekeyed after
// each use so that earlier output cannot be found out from a later state.
#pragma once
#include "core/types.h"

void random_init(const void *seed, size_t n);
void random_bytes(void *buf, size_t n);
// Stirs in what an outsider cannot know, or what somebody wrote to /dev/urandom.
void random_add(const void *data, size_t n);
