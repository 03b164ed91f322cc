// SPDX-License-Identifier: MIT
// The last lines of a complaint about something that is missing: what to type.
#pragma once
#include "closure/closure.h"

#define CROSS_ROOT "/usr/riscv64-linux-gnu" // of Debian's cross compilers

// About what all[index] needs: a name or a path.
void advise(struct view *v, const struct closure *c, size_t index, const char *name);

// About a file that is no use, for its machine or its content.
void advise_bad(const struct view *v, const struct object *o);

// About a program or interpreter that a script needs.
void advise_script(const struct view *v, const struct entry *script, const char *path);
