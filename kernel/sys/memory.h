// SPDX-License-Identifier: MIT
// What calls that map memory share.
#pragma once
#include <stddef.h>

// May the current address space have n bytes more, of this protection and kind (MAP_*)? 0 or -ENOMEM.
int __must_check memory_check_room(size_t n, int prot, int flags);
