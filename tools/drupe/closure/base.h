// SPDX-License-Identifier: MIT
// The kernel's own root, below the sysroots: in `run`, `pack` and `deps` alike, so that all three find the same. In a
// machine of `run` it is there anyhow; for the others, what is taken of it is told of.
#pragma once
#include "archive/root.h"
#include "closure/view.h"
#include "image/image.h"

struct base {
    const char *path;   // the kernel's file; NULL: there is none
    struct image image; // that, if there is one
    struct root root;   // what its archive unpacks to; .top is NULL where there is none
    struct view view;   // that again
};

// Opens a kernel, or the one that came with this command: without either, base->path is NULL, and *tried (which may be
// NULL) has the places looked at. Gives `base`.
struct base *base_open(struct base *base, const char *path, char **tried);

// Puts its root below a view's sysroots.
void base_lay_under(struct base *base, struct view *v);

// The archive inside the kernel: its bytes; 0: none.
const void *base_archive(const struct base *base, uint64_t *size);
