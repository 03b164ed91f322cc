// SPDX-License-Identifier: MIT
// The registers of a thread as debuggers and core files have them: NT_* of linux/elf.h.
#pragma once
#include "lib/types.h"

struct thread;

#define REGSET_MAX 264 // bytes of the largest

// How large the set `type` is, in bytes, a multiple of 8; 0: there is no such set.
size_t regset_size(unsigned int type);
// Of a thread that runs on no hart, or of the current one, whose trap frame is complete. `buf` has room for the set. `n` bytes,
// at most its size, replace its beginning.
void regset_get(struct thread *t, unsigned int type, void *buf);
void regset_set(struct thread *t, unsigned int type, const void *buf, size_t n);
