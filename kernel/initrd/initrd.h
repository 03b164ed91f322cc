// SPDX-License-Identifier: MIT
// The archives that the root file system is made from: the one in the kernel's own image, the one that the boot loader
// brought (the device tree's /chosen/linux,initrd-*), laid over it, and one below both that lies in memory already
// (rootmem= on the command line).
#pragma once
#include "core/fdt.h"

// Unpacks all (size 0: there is none) into the root. A bad archive is reported; what came before stays. Panics only if
// there is no memory to begin. Gives the name of the init that is to run in place of the embedded archive's /init, if the
// loader's archive brought it and no /init; else NULL.
const char *initrd_load(struct fdt_range below, struct fdt_range embedded, struct fdt_range external);
