// SPDX-License-Identifier: MIT
// A root that is a directory of the host, as it is.
#pragma once
#include <stdint.h>
#include "closure/tree.h"

// All of it, but for what is mounted in it, into a tree. Gives 64 hexadecimal digits that are others once anything in it
// has been changed. Extended attributes are left out, and counted.
char *directory_read(const char *path, struct tree *out, uint64_t *attributed);
