// SPDX-License-Identifier: MIT
// Dropping translations, here and on other harts.
#pragma once
#include "lib/types.h"

void shootdown_init(void);
// Of [start, start + size), page-aligned; of everything if that is long.
void shootdown_local(unsigned long start, unsigned long size);
// On the harts of `mask` (bit = dense index), this one not among them; returns when they have. No spinlock is held:
// they may be waiting for it with interrupts disabled, and would not hear us.
void shootdown_remote(uint64_t mask, unsigned long start, unsigned long size);
// The same for what instruction fetch has ahead; a full barrier on each of them, too.
void shootdown_remote_fetch(uint64_t mask);
// In the interrupt that one hart sends another: does what was asked for.
void shootdown_answer(void);
