// SPDX-License-Identifier: MIT
// Extended attributes that go into a root: those that the machine's tmpfs keeps.
#pragma once
#include "closure/tree.h"
#include "lib/metadata.h"

// Whether an attribute of that name and size is kept: of users, trusted, and of security, but for labels, which are this side's.
bool xattrs_are_kept(const char *name, size_t size);
// Puts a copy in front of a list.
void xattrs_add(const struct xattr **list, const char *name, const void *value, size_t size);
// Those of a file here, as far as the caller may read them. *left_out: it has others.
const struct xattr *xattrs_of_host(const char *path, bool *left_out);
// A list in the order of its names, each once: of several the first in the old list, which was added last. It shares names and values with that.
const struct xattr *xattrs_sorted(const struct xattr *list);
// Tells of files that had others, if there were any.
void xattrs_tell_left_out(const char *name, uint64_t files);
