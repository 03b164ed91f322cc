// SPDX-License-Identifier: MIT
// The start of kernel/fs.
#pragma once

// Makes the root file system and registers all types and devices. The calling kernel thread gets the root as
// its root and working directory. Panics without memory.
void fs_start(void);
