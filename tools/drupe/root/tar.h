// SPDX-License-Identifier: MIT
// Tar archives, read by libarchive, whose headers tar.c alone includes.
#pragma once
#include <stdbool.h>
#include "root/layers.h"

enum tar_kind {
    TAR_ROOT,    // a root, or an image's parts: every name is meant as it stands
    TAR_LAYER,   // of an OCI image: with whiteouts
    TAR_PACKAGE, // of a distribution: a symlink that leads to a directory stays where a directory comes
};

struct tar_findings {
    char sha256[65]; // of the tar as it is stored
    bool compressed;
    uint64_t attributed; // entries with extended attributes or ACLs, which are left out
};

// Lays a tar, compressed or not, over the layers. `name` is for messages. Ends the program where it cannot be read to its
// end, or has something in it that no root can have.
void tar_lay(struct layers *l, struct piece tar, enum tar_kind kind, const char *name,
             struct tar_findings *out);

// Whether one of its entries has that name.
bool tar_has(struct piece tar, const char *name);
// NULL if the bytes begin as a tar, or as something compressed that does; else what is wrong with that, which the caller frees.
char *tar_problem(struct piece file);
