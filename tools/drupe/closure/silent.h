// SPDX-License-Identifier: MIT
// What programs open without having it as NEEDED: what they say in a .note.dlopen, and what glibc opens by
// itself. It is included, or a hint names it.
#pragma once
#include "closure/closure.h"

// Adds to the closure what all[index] opens.
void silent_add(struct view *v, struct closure *c, size_t index);

// Collects the hints of a closure that is complete: what glibc will open of which only a hint can be given.
void silent_add_hints(struct view *v, const struct closure *c);

// Tells the hints that were collected, but for what has come into the tree by another way.
void silent_tell_hints(struct view *v);
