// SPDX-License-Identifier: MIT
// What a closure must fulfil beyond being there: its parts fit together. Each finding is told once, however
// many closures it is in.
#pragma once
#include "closure/closure.h"

// A program for glibc is loaded with no library that needs musl: that would be two libcs in one process.
void prove_one_libc(const struct closure *c);

// Every symbol version that an object needs is defined by the object it needs it of, as glibc's loader checks
// before it starts a program. musl's does not check: there a mismatch is but a note.
void prove_versions(const struct closure *c);

// Every symbol that an object needs, but for the weak ones, is defined by an object of the closure. A library
// by itself may also find it in whatever else is in the tree: its program is not known.
void prove_symbols(struct view *v, const struct closure *c);
