// SPDX-License-Identifier: MIT
// Writes what an archive unpacks to into a directory of this machine. The archive may be anybody's: it was unpacked in memory
// (root.h), where names are single components and nothing points outside, and here no symlink is followed.
#pragma once
#include <stdbool.h>
#include "archive/root.h"

// Writes the content of `top` into the directory `path`, which is made if it is not there. What is there stays, but for
// files and symlinks of the same names, which are replaced. Files become the caller's, with the permissions its umask
// leaves and without set-user-ID; of their extended attributes they keep those of users, and a note tells if the file system
// refuses some; devices are left out, with a note. Complains of what cannot be written; gives whether
// there was nothing of that.
bool extract_tree(struct unpack_node *top, const char *path);

// Writes one regular file; the old content is there until the new one is whole. "-": standard output. Ends the command where that fails.
void extract_file(const struct unpack_node *file, const char *path);
