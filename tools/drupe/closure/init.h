// SPDX-License-Identifier: MIT
// The first program: what the kernel will start, and whether it can find its libraries then.
#pragma once
#include "closure/closure.h"

// The path that the kernel will start: `asked`, or /init, or, with *is_other, what it tries without it. NULL:
// there is none.
const char *init_find(struct view *v, const char *asked, bool *is_other);

// Tells where the init, or a script's interpreter, needs $ORIGIN of the program to find a library: the loader
// asks /proc, which nobody has mounted yet. A note unless it is certain that this will be the init. After
// closure_complete().
void init_check_origin(struct view *v, const char *path, bool is_certain);
