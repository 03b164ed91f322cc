// SPDX-License-Identifier: MIT
// What calls that map memory share.
#pragma once
#include <stddef.h>

struct vmspace;

// May the current address space have n bytes more, of this protection and kind (MAP_*)? 0 or -ENOMEM.
int __must_check memory_check_room(size_t n, int prot, int flags);
// madvise(2) on vm; another's than the current one takes only what changes nothing (process_madvise(2)).
long __must_check memory_advise(struct vmspace *vm, unsigned long addr, size_t n, int advice);
