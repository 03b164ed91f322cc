// SPDX-License-Identifier: MIT
// What the image descriptor (lib/image.h) says of this image. Tools write it, so it is checked: what cannot be is told,
// and left out.
#pragma once
#include "core/fdt.h"

// The built-in command line, "" if there is none.
const char *image_command_line(void);
// Where the image lies, with its archive; and the archive in it, size 0: none. Whole pages.
struct fdt_range image_range(void);
struct fdt_range image_archive(void);
// Looks at the archive's place; before the two above. `end`: of the RAM that the image lies in.
void image_check(paddr_t end);
