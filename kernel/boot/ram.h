// SPDX-License-Identifier: MIT
// Which RAM there is and which of it is taken.
#pragma once
#include "core/fdt.h"

// Hands the device tree's memory to the page allocator, as far as `mem=` lets it, but for what is in use: the image, the
// device tree, the archives, what the firmware reserved.
void ram_init(paddr_t dtb);
// The loader's archive, size 0 if there is none: one that is not all in RAM, or lies over what is in use, is told and
// left out by ram_init().
struct fdt_range ram_initrd(void);
// The same of the archive at rootmem=START,SIZE of the command line: who made the machine has put a root there (`drupe run --root`),
// over which the image's own archive goes.
struct fdt_range ram_root(void);
