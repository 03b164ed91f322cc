// SPDX-License-Identifier: MIT
// Which RAM there is and which of it is taken.
#pragma once
#include "core/types.h"

// Hands the device tree's memory to the page allocator, but for what is in use: the image, the device tree,
// the initrd, what the firmware reserved.
void ram_init(paddr_t dtb);
