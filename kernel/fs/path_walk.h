// SPDX-License-Identifier: MIT
// The walk up to the last component of a name, for those who make, remove and rename.
#pragma once
#include "fs/path.h"
#include <linux/limits.h>

struct last_component {
    size_t len;
    bool slash;        // a '/' follows: it must be a directory
    unsigned int dots; // 1: "." or "/" itself, 2: ".."
    char name[NAME_MAX + 1];
};
// The directory of the last component, referenced. LOOKUP_FOLLOW: if that is a symlink, the place where its
// target is or would be.
int __must_check path_lookup_parent(int dfd, const char *name, unsigned int flags, struct path *out,
                                    struct last_component *last);
// The process's root, referenced.
struct path path_process_root(void);
