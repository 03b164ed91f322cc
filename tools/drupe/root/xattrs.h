// SPDX-License-Identifier: MIT
// Extended attributes that go into a root: those that the machine's tmpfs keeps.
#pragma once
#include "closure/tree.h"

#define XATTRS_NAME  255   // of a name, without its NUL
#define XATTRS_VALUE 65536 // of a value
#define XATTRS_NAMES 65536 // of all names of a file, with their NULs

// Whether an attribute of that name and size is kept: of users, trusted, and of security, but for labels, which are this side's.
bool xattrs_are_kept(const char *name, size_t size);
// Puts a copy in front of a list.
void xattrs_add(const struct xattr **list, const char *name, const void *value, size_t size);
// Those of a file here, as far as the caller may read them. *left_out: it has others.
const struct xattr *xattrs_of_host(const char *path, bool *left_out);
