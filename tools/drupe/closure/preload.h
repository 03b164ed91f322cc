// SPDX-License-Identifier: MIT
// What a loader opens besides what objects need: preloaded libraries (/etc/ld.so.preload, LD_PRELOAD) and
// audit modules (DT_AUDIT, DT_DEPAUDIT of the program). It does without them, with a message of its own.
#pragma once
#include "closure/closure.h"

// Adds them to the closure of a program, and /etc/ld.so.preload to the tree where a library of it is there.
void preload_add(struct view *v, struct closure *c);
